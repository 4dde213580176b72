//! YAML: the same document as the JSON.

use super::{Report, Unwritable, document};

impl Report {
    /// The report as YAML.
    pub fn yaml(&self) -> Result<String, Unwritable> {
        document::yaml(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    #[test]
    fn reads_back_as_the_same_document_as_the_json() {
        let report = Report::of(&fixtures::with_failures(), &Selection::default());
        let yaml: serde_json::Value = serde_saphyr::from_str(&report.yaml().unwrap()).unwrap();
        assert!(!report.yaml().unwrap().contains(['\u{1b}', '\r']));
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(yaml, json);
    }
}
