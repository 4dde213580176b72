//! `{{NAME}}` in a manifest from a file: replaced before parsing, so that numbers stay numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{DEFAULT_IMAGE, DISK_SIZE, IMAGES_NAMESPACE};

/// Placeholders with a default, as the templates of kubevirt-benchmark use them.
const DEFAULTS: [(&str, &str); 5] = [
    ("DATASOURCE_NAME", DEFAULT_IMAGE),
    ("DATASOURCE_NAMESPACE", IMAGES_NAMESPACE),
    ("STORAGE_SIZE", DISK_SIZE),
    ("VM_MEMORY", "2048M"),
    ("VM_CPU_CORES", "1"),
];
/// Placeholders that need a value when used.
const WITHOUT_DEFAULT: [(&str, &str); 1] = [("STORAGE_CLASS_NAME", "--storage-class")];

/// Values of placeholders, and their sources
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// From flags with a meaning of their own; they need not be used.
    pub implied: BTreeMap<String, String>,
    /// From `--set`; each must be used.
    pub given: BTreeMap<String, String>,
}

/// Reads `NAME=VALUE`.
pub fn parse(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let name = name.trim();
    if !is_name(name) {
        return Err("a placeholder's name has capitals, digits and underscores, such as VM_MEMORY".into());
    }
    if value.chars().any(char::is_control) {
        return Err("a value has one line".into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Replaces every placeholder of a text; also returns the placeholders found.
///
/// Fails with a sentence that names the line of a placeholder without a value, or a given value that nothing uses. `{{
/// lower case }}`, as in cloud-init templates, is not a placeholder.
pub fn fill(text: &str, values: &Values) -> Result<(String, BTreeSet<String>), String> {
    let mut used = BTreeSet::new();
    let mut filled = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        while let Some(begin) = rest.find("{{") {
            let inside = &rest[begin + 2..];
            let Some(end) = inside.find("}}") else { break };
            let name = inside[..end].trim();
            filled.push_str(&rest[..begin]);
            // `${{NAME}}` is a parameter of an OpenShift Template.
            if is_name(name) && !rest[..begin].ends_with('$') {
                used.insert(name.to_owned());
                filled.push_str(
                    &value(name, values).map_err(|hint| {
                        format!("line {}: {{{{{name}}}}} has no value; {hint}", number + 1)
                    })?,
                );
            } else {
                filled.push_str(&rest[begin..begin + end + 4]);
            }
            rest = &inside[end + 2..];
        }
        filled.push_str(rest);
    }
    match values.given.keys().find(|name| !used.contains(*name)) {
        None => Ok((filled, used)),
        Some(name) => {
            let has = used.iter().map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(", ");
            let has = if has.is_empty() { "no placeholder".to_owned() } else { has };
            Err(format!("--set {name}: the manifest has no {{{{{name}}}}}; it has {has}"))
        }
    }
}

/// Value of a placeholder, or a hint as the error.
fn value(name: &str, values: &Values) -> Result<String, String> {
    let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let found = values.given.get(name).or_else(|| values.implied.get(name)).cloned().or_else(default);
    found.ok_or_else(|| match WITHOUT_DEFAULT.iter().find(|(known, _)| *known == name) {
        Some((_, flag)) => format!("pass {flag}, or --set {name}=VALUE"),
        None => format!("pass --set {name}=VALUE (placeholders with a meaning: {})", known().join(", ")),
    })
}

/// Placeholders that work without `--set`.
pub fn known() -> Vec<&'static str> {
    let names = ["VM_NAME"].into_iter().chain(WITHOUT_DEFAULT.iter().map(|(name, _)| *name));
    names.chain(DEFAULTS.iter().map(|(name, _)| *name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Values { given, implied: [("VM_NAME".to_owned(), "vm".to_owned())].into() }
    }

    #[test]
    fn placeholders_are_replaced_anywhere_and_more_than_once() {
        let text = "name: {{VM_NAME}}\nsize: \"{{ STORAGE_SIZE }}\" # {{VM_NAME}}\ncpu: {{VM_CPU_CORES}}\n{{ v1.name }} {{ {%\n";
        let (filled, used) = fill(text, &values(&[("VM_CPU_CORES", "4")])).unwrap();
        assert_eq!(filled, "name: vm\nsize: \"30Gi\" # vm\ncpu: 4\n{{ v1.name }} {{ {%\n");
        assert_eq!(used.len(), 3);
    }

    #[test]
    fn one_without_a_value_is_named_with_its_line() {
        let why = fill("a: 1\nb: {{STORAGE_CLASS_NAME}}\n", &values(&[])).unwrap_err();
        assert_eq!(
            why,
            "line 2: {{STORAGE_CLASS_NAME}} has no value; pass --storage-class, or --set STORAGE_CLASS_NAME=VALUE"
        );
        let why = fill("b: {{MINE}}\n", &values(&[])).unwrap_err();
        assert!(
            why.contains("line 1")
                && why.contains("--set MINE=VALUE")
                && why.contains("DATASOURCE_NAMESPACE"),
            "{why}"
        );
    }

    #[test]
    fn a_value_that_nothing_uses_is_refused() {
        let why = fill("b: {{VM_NAME}}\n", &values(&[("VM_MEMORY", "1Gi")])).unwrap_err();
        assert_eq!(why, "--set VM_MEMORY: the manifest has no {{VM_MEMORY}}; it has {{VM_NAME}}");
    }

    #[test]
    fn settings_are_names_and_values() {
        assert_eq!(parse("A_1=b=c"), Ok(("A_1".into(), "b=c".into())));
        for text in ["A", "a=b", "=b", "A B=c", "A=b\nc"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
