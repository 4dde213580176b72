//! Errors of files in YAML.

/// One line about wrong YAML: what is wrong, and where, once.
pub(crate) fn fault(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    // An error of an error names the same place again.
    match line.rsplit_once(" at line ") {
        Some((before, place)) if before.ends_with(&format!(" at line {place}")) => before.to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_with_one_place() {
        let told = |text: &str| fault(&serde_saphyr::from_str::<serde_json::Value>(text).unwrap_err());
        let unclosed = told("a:\n  - b: [c\n");
        assert!(!unclosed.contains('\n') && unclosed.matches(" at line ").count() <= 1, "{unclosed}");
    }
}
