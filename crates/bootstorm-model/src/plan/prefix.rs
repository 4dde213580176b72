//! Name of a run, which is also the prefix of its namespaces.

/// Longest name of a namespace or label value.
const DNS_LABEL: usize = 63;

/// Reason why a text cannot be a DNS label (RFC 1123); `None` if it can.
pub fn dns_label_fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if text.len() > DNS_LABEL {
        return Some(format!("it has {} characters, at most {DNS_LABEL} are allowed", text.len()));
    }
    if let Some(odd) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!(
            "`{}` is not allowed; use lower-case letters, digits and dashes",
            odd.escape_debug()
        ));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some("it must begin and end with a letter or a digit".into());
    }
    None
}

/// Checks a prefix with the longest index that will follow it.
///
/// Fails with a sentence if a namespace named `<prefix>-<end>` could not exist.
pub fn check_prefix(prefix: &str, end: impl std::fmt::Display) -> Result<(), String> {
    if let Some(fault) = dns_label_fault(prefix) {
        return Err(format!("`{}` cannot be a namespace prefix: {fault}", prefix.escape_debug()));
    }
    let longest = format!("{prefix}-{end}").len();
    if longest > DNS_LABEL {
        return Err(format!(
            "`{prefix}` is too long: with the index -{end} a namespace name has {longest} characters, at most {DNS_LABEL} are allowed"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(check_prefix("boot-storm-test", 10_000), Ok(()));
        for (prefix, word) in [
            ("", "empty"),
            ("Boot", "`B`"),
            ("a_b", "`_`"),
            ("-a", "begin and end"),
            ("a\u{1b}[31m", "\\u{1b}"),
            (&"x".repeat(64), "64 characters"),
        ] {
            let error = check_prefix(prefix, 1).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(check_prefix(&"x".repeat(61), 1).is_ok());
        assert!(check_prefix(&"x".repeat(61), 10).unwrap_err().contains("64 characters"));
    }
}
