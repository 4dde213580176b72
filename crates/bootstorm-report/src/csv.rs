//! CSV: one row per VM and phase, for spreadsheets and data frames (RFC 4180, CRLF).
//!
//! All times are seconds from the VM's own request, except `requested_at_seconds`, which counts from the beginning of
//! the phase. Each time has a second column that states how it is known: `seen`, `stamped`, `late`, or `unknown` if the
//! VM arrived but the time of its request is unknown. Columns do not depend on the run, except for those of its probes
//! at the end. A text that a program could mistake for a formula, a number, a date or a truth value is prefixed with
//! the name of its column, as in `vm:007`.

use super::csv_cell::cell as text;
use super::phase::PhaseBlock;
use super::row::{Mark, Row};
use super::{Report, Unwritable};
use bootstorm_model::observe::{Milestone, Source};

/// Columns before those of the milestones.
const FACTS: [&str; 16] = [
    "run",
    "phase",
    "phase_began",
    "goal",
    "namespace",
    "vm",
    "node",
    "address",
    "outcome",
    "reason",
    "attempts",
    "throttled",
    "requested_at_seconds",
    "validity",
    "cause",
    "kind",
];

impl Report {
    /// The rows of all phases as CSV, with or without a header line.
    pub fn csv(&self, headers: bool) -> Result<String, Unwritable> {
        let unwritable = |cause: &dyn std::fmt::Display| Unwritable::new("CSV", &cause.to_string());
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let probes: Vec<String> = self.plan.probes.iter().map(ToString::to_string).collect();
        if headers {
            writer.write_record(columns(&probes)).map_err(|cause| unwritable(&cause))?;
        }
        for phase in &self.phases {
            for row in &phase.rows {
                let cells = cells(&self.run.name, phase, row, &probes);
                writer.write_record(cells).map_err(|cause| unwritable(&cause))?;
            }
        }
        let bytes = writer.into_inner().map_err(|cause| unwritable(&cause.error()))?;
        String::from_utf8(bytes).map_err(|cause| unwritable(&cause))
    }
}

fn milestones() -> impl Iterator<Item = Milestone> {
    Milestone::ALL.into_iter().filter(|milestone| *milestone != Milestone::Requested)
}

fn columns(probes: &[String]) -> Vec<String> {
    let mut columns: Vec<String> = FACTS.iter().map(ToString::to_string).collect();
    let measured = milestones().map(|milestone| milestone.word().to_owned());
    for measured in measured.chain(probes.iter().map(|probe| format!("probe_{probe}"))) {
        columns.push(format!("{measured}_seconds"));
        columns.push(format!("{measured}_source"));
    }
    columns
}

fn cells(run: &str, phase: &PhaseBlock, row: &Row, probes: &[String]) -> Vec<String> {
    let mut cells = vec![
        text("run", run),
        phase.name.to_string(),
        phase.began.to_string(),
        phase.goal.to_string(),
        text("namespace", &row.namespace),
        text("vm", &row.name),
        text("node", row.node.as_deref().unwrap_or_default()),
        text("address", row.address.as_deref().unwrap_or_default()),
        row.outcome.word().to_owned(),
        text("reason", row.reason.as_deref().unwrap_or_default()),
        row.attempts.to_string(),
        row.throttled.to_string(),
        row.requested_at.map_or_else(String::new, seconds),
        phase.validity.as_ref().map_or_else(String::new, |block| block.grade.to_string()),
        text("cause", row.cause.as_deref().unwrap_or_default()),
        phase.kind_word().to_owned(),
    ];
    for milestone in milestones() {
        cells.extend(match row.milestones.get(&milestone) {
            None if row.unknown.contains(&milestone) => [String::new(), "unknown".to_owned()],
            known => mark(known),
        });
    }
    for probe in probes {
        cells.extend(mark(row.probes.get(probe)));
    }
    cells
}

fn mark(mark: Option<&Mark>) -> [String; 2] {
    mark.map_or_else(Default::default, |mark| [seconds(mark.seconds), source(mark.source).to_owned()])
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Seen => "seen",
        Source::Stamped => "stamped",
        Source::Late => "late",
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};
    use bootstorm_model::record::RunRecord;

    fn csv(record: &RunRecord) -> String {
        Report::of(record, &Selection::default()).csv(true).unwrap()
    }

    fn read(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        (headers, rows.collect())
    }

    #[test]
    fn one_row_per_vm_and_phase_with_the_numbers_of_the_report() {
        let record = fixtures::probed();
        let report = Report::of(&record, &Selection::default());
        let (headers, rows) = read(&csv(&record));
        assert_eq!((rows.len(), rows[0].len()), (36, headers.len()));
        let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
        for (cells, row) in rows[24..].iter().zip(&report.phases[2].rows) {
            let reachable: f64 = cells[column("reachable_seconds")].parse().unwrap();
            assert!((reachable - row.seconds(Milestone::Reachable).unwrap()).abs() < 1e-6);
            assert_eq!(cells[column("reachable_source")], "seen");
            assert_eq!(
                (cells[column("phase")].as_str(), cells[column("gone_seconds")].as_str()),
                ("storm-1", "")
            );
        }
    }

    #[test]
    fn lines_end_as_the_standard_wants_and_hostile_text_stays_in_its_cell() {
        let mut record = fixtures::with_failures();
        record.phases[0].timelines[0].reason = Some("=cmd|' /C calc'!A0,\"x\"\r\n@y".into());
        record.phases[0].timelines[1].reason = Some("  +1".into());
        let text = csv(&record);
        assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n', '\u{1b}']));
        let (headers, rows) = read(&text);
        let reason = headers.iter().position(|header| header == "reason").unwrap();
        assert_eq!(rows[0][reason], r#"reason:=cmd|' /C calc'!A0,"x"\r\n@y"#);
        assert_eq!(rows[1][reason], "reason:  +1");
    }

    #[test]
    fn a_time_that_nobody_knows_is_empty_and_says_so() {
        let (headers, rows) = read(&csv(&fixtures::continued()));
        let cell = |name: &str| {
            let column = headers.iter().position(|header| header == name).unwrap();
            let storm = rows.iter().find(|row| row[1] == "storm-1").unwrap();
            storm[column].clone()
        };
        assert_eq!((cell("running_seconds").as_str(), cell("running_source").as_str()), ("", "unknown"));
        assert_eq!((cell("gone_source").as_str(), cell("outcome").as_str()), ("", "reached"));
        assert_eq!(cell("requested_at_seconds"), "");
    }

    #[test]
    fn a_run_without_phases_has_only_headers_and_they_can_be_left_out() {
        let (headers, rows) = read(&csv(&fixtures::fresh()));
        assert_eq!(
            (headers.len(), rows.len()),
            (FACTS.len() + 2 * (Milestone::ALL.len() - 1) + 2 * fixtures::fresh().plan.probe.probes.len(), 0)
        );
        let report = Report::of(&fixtures::fresh(), &Selection::default());
        assert_eq!(report.csv(false).unwrap(), "");
    }
}
