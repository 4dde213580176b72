//! JSON: the view model as it is, described in `docs/report-schema.json`.
//!
//! Keys are in the order of the view model's fields, so that two exports of the same run are identical.

use super::{Report, Unwritable, document};

impl Report {
    /// The report as indented JSON with a final line end.
    pub fn json(&self) -> Result<String, Unwritable> {
        document::json(self)
    }

    /// Writes the same JSON incrementally.
    pub fn write_json(&self, to: &mut dyn std::io::Write) -> std::io::Result<()> {
        document::write_json(self, to)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{Report, Selection, fixtures};
    use bootstorm_model::record::RunRecord;

    const SCHEMA: &str = include_str!("../../../docs/report-schema.json");

    fn document(record: &RunRecord) -> Value {
        serde_json::from_str(&Report::of(record, &Selection::default()).json().unwrap()).unwrap()
    }

    #[test]
    fn every_document_keeps_to_the_schema() {
        let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let mut storm_only = fixtures::small();
        storm_only.phases.remove(0);
        let records = vec![
            fixtures::guide(),
            fixtures::with_failures(),
            fixtures::stamped(),
            fixtures::probed(),
            fixtures::provisioned(),
            fixtures::measured(),
            fixtures::diagnosed(),
            fixtures::unstarted(),
            fixtures::fresh(),
            fixtures::interrupted(1),
            fixtures::interrupted(2),
            fixtures::interrupted(3),
            fixtures::hopeless(),
            fixtures::repeated(),
            fixtures::waves(),
            fixtures::searched(2),
            fixtures::searched(6),
            storm_only,
        ];
        for record in &records {
            let document = document(record);
            let errors: Vec<String> =
                validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn a_document_with_thresholds_keeps_to_the_schema() {
        let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let record = fixtures::repeated();
        let conditions = ["storm/create.goal.mean>2", "goal.p99>1h", "failed>1%", "stddev", "outliers>=1"];
        let thresholds: Vec<_> = conditions.iter().filter_map(|text| text.parse().ok()).collect();
        assert_eq!(thresholds.len(), 4);
        let judged = record.phases.last().map(|phase| phase.name);
        let blocks = crate::thresholds::judge(&thresholds, &record, judged, &[]);
        let report = Report::of(&record, &Selection::default()).with_thresholds(blocks);
        let document: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(document["thresholds"][1]["missing"], "not reached");
        assert!(validator.is_valid(&document), "{document}");
    }

    #[test]
    fn the_schema_is_strict_enough_to_notice_a_change() {
        let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let mut document = document(&fixtures::small());
        document["phases"][0]["rows"][0]["milestones"]["running"]["seconds"] = Value::from("6.49");
        assert!(!validator.is_valid(&document));
    }

    #[test]
    fn two_exports_are_identical_and_hold_the_unrounded_values() {
        let record = fixtures::guide();
        let report = Report::of(&record, &Selection::default());
        assert_eq!(report.json(), Report::of(&record, &Selection::default()).json());
        let document = document(&record);
        let mean = document["comparison"]["milestones"][0]["mean"]["ratio"].as_f64().unwrap();
        assert!((mean - 1.72).abs() < 0.01 && (mean * 100.0).fract() > 0.0, "{mean}");
        assert_eq!(document["comparison"]["verdict"]["rule"], "failures");
        assert_eq!(document["phases"][2]["statistics"]["running"]["p99_seconds"], Value::Null);
    }

    #[test]
    fn a_small_document_reads_in_order() {
        let mut record = fixtures::healthy(1);
        record.phases.truncate(1);
        insta::assert_snapshot!(Report::of(&record, &Selection::default()).json().unwrap());
    }
}
