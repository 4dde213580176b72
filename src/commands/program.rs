//! Information about the program: version, build and target.

/// The version of the program, with the commit if known, and the build target.
pub(super) fn long() -> String {
    text(env!("CARGO_PKG_VERSION"), env!("BOOTSTORM_COMMIT"), env!("BOOTSTORM_TARGET"))
}

fn text(version: &str, commit: &str, target: &str) -> String {
    let commit = if commit.is_empty() { String::new() } else { format!("commit {commit}, ") };
    format!("{version} ({commit}{target})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_left_out_where_it_is_not_known() {
        assert_eq!(text("1.2.3", "0123456789ab", "a-b-c"), "1.2.3 (commit 0123456789ab, a-b-c)");
        assert_eq!(text("1.2.3", "", "a-b-c"), "1.2.3 (a-b-c)");
    }

    #[test]
    fn the_target_is_the_one_that_this_is_built_for() {
        let told = long();
        assert!(told.starts_with(env!("CARGO_PKG_VERSION")), "{told}");
        assert!(told.contains(std::env::consts::ARCH), "{told}");
    }
}
