//! End-to-end tests of reading back.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{Layout, fixtures};

fn runs() -> Vec<RunRecord> {
    vec![
        fixtures::guide(),
        fixtures::with_failures(),
        fixtures::stamped(),
        fixtures::probed(),
        fixtures::fresh(),
        fixtures::interrupted(1),
        fixtures::interrupted(2),
        fixtures::interrupted(3),
        fixtures::hopeless(),
        fixtures::provisioned(),
        fixtures::unstarted(),
        fixtures::repeated(),
        fixtures::waves(),
        fixtures::searched(6),
        fixtures::healthy(3),
        fixtures::continued(),
        fixtures::measured(),
        fixtures::diagnosed(),
    ]
}

fn report_of(bytes: &[u8]) -> Report {
    document(bytes).unwrap().report(&Selection::default()).unwrap().into_owned()
}

/// Shows a document in every form: each format, thresholds, a comparison, and the metrics and traces.
pub(super) fn shown_whole(document: &Document) -> usize {
    let (run, graded) = (document.run(), document.graded());
    let report = document.report(&Selection::default()).unwrap();
    let texts =
        ["skew>1s", "duration>1s", "goal.p95>1s", "goal.t95>1s", "storm/create.goal.mean>2", "failed>1%"];
    let thresholds: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let judged = run.phases.last().map(|phase| phase.name);
    let blocks = crate::thresholds::judge(&thresholds, &run, judged, &graded);
    let report = report.into_owned().with_thresholds(blocks);
    let subject = |label| crate::compare::Subject { label, record: &run, validity: &graded };
    let compared = crate::compare::CompareReport::of(&[subject("a"), subject("b")], 0.05);
    let resource = crate::otlp::Resource { service: "s".into(), version: "0".into(), attributes: Vec::new() };
    let at = jiff::Timestamp::UNIX_EPOCH;
    shown(&report)
        + compared.json().map_or(1, |json| json.len())
        + compared.table(&Layout::default()).len()
        + report.otlp_metrics(&resource, at).len()
        + report.otlp_traces(&resource, None).len()
        + crate::Status::of(&run).table(&Layout::default()).len()
        + crate::legacy::files(&run, &crate::LegacyOptions::default()).map_or(1, |files| files.len())
}

/// Shows a report in every format; the sum of the lengths prevents the work from being optimised away.
fn shown(report: &Report) -> usize {
    let wide = Layout { wide: true, ..Layout::default() };
    let texts = [
        report.table(&Layout::default()),
        report.table(&wide),
        report.json().unwrap(),
        report.yaml().unwrap(),
        report.csv(true).unwrap(),
        report.markdown(),
        report.junit(),
        report.openmetrics(),
        report.benchmark().unwrap(),
        report.names(),
        report.summary(&Layout::default(), &[]),
        report.prometheus(),
        report.html(),
        report.kube_burner().unwrap(),
    ];
    texts.iter().map(String::len).sum()
}

#[test]
fn a_report_reads_back_to_the_byte_and_shows_the_same_tables() {
    for run in runs() {
        let report = Report::of(&run, &Selection::default());
        let json = report.json().unwrap();
        let read = report_of(json.as_bytes());
        assert_eq!(read.json().unwrap(), json);
        assert_eq!(read.table(&Layout::default()), report.table(&Layout::default()));
        assert_eq!((read.markdown(), read.junit()), (report.markdown(), report.junit()));
        let from_yaml = report_of(report.yaml().unwrap().as_bytes());
        assert_eq!(from_yaml.json().unwrap(), json);
    }
}

#[test]
fn a_run_reads_back_whole_and_can_be_compared_anew() {
    for run in runs() {
        let json = serde_json::to_vec_pretty(&run).unwrap();
        assert_eq!(document(&json).unwrap(), Document::Run(Box::new(run.clone())));
        let yaml = serde_saphyr::to_string(&run).unwrap();
        assert_eq!(document(yaml.as_bytes()).unwrap(), Document::Run(Box::new(run)));
    }
    let selection = Selection { baseline: "stop-1".parse().ok(), ..Selection::default() };
    let run = Document::Run(Box::new(fixtures::small()));
    assert_eq!(run.report(&selection).unwrap().comparison.as_ref().unwrap().baseline, selection.baseline);
    let report = Report::of(&fixtures::small(), &Selection::default());
    let finished = Document::Report(Box::new(report));
    assert!(finished.report(&selection).unwrap_err().contains("only a run.json"));
    assert!(finished.report(&Selection { storm: "storm-1".parse().ok(), ..Selection::default() }).is_ok());
}

#[test]
fn the_first_version_of_the_document_is_still_read() {
    let report = report_of(include_bytes!("version-1.json"));
    assert_eq!((report.run.name.as_str(), report.phases[0].counts.reached), ("boot-storm-test", 1));
    assert!(report.cluster.node_kinds.is_empty() && report.plan.template_sha256.is_none());
    assert!(shown(&report) > 0);
}

#[test]
fn unknown_fields_are_ignored() {
    let text = Report::of(&fixtures::small(), &Selection::default()).json().unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["later"] = Value::from(1);
    value["phases"][0]["rows"][0]["later"] = serde_json::json!({"a": [1]});
    assert_eq!(report_of(value.to_string().as_bytes()).json().unwrap(), text);
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |bytes: &[u8]| document(bytes).unwrap_err().to_string();
    assert_eq!(told(b" \n"), "it is empty");
    assert_eq!(
        told(br#"{"schema_version": 3}"#),
        "it has schema_version 3, this program reads up to 2; a newer kubectl-bootstorm wrote it"
    );
    assert!(told(b"{\"a\": 1}").starts_with("it is not a result of kubectl-bootstorm"));
    assert!(told(b"kind: Pod\n").starts_with("it is not a result of kubectl-bootstorm"));
    assert!(told(&[0x1f, 0x8b, 8]).contains("compressed"));
    assert!(told(b"\xff\xfe{\0").contains("UTF-16"));
    assert!(told(b"\x80abc").contains("not text"));
    let json = Report::of(&fixtures::small(), &Selection::default()).json().unwrap();
    assert!(told(&json.as_bytes()[..json.len() / 2]).starts_with("it is cut off: "));
    assert!(told(format!("{json}x").as_bytes()).starts_with("it is damaged: trailing characters"));
    let hostile = json.replacen("\"create\"", "\"\\u001b[2J\"", 1);
    assert!(!told(hostile.as_bytes()).contains('\u{1b}'));
    assert!(told("[".repeat(100_000).as_bytes()).starts_with("it is not a result"));
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    assert!(told(deep.as_bytes()).starts_with("it is cut off"));
    let deep = format!("{{\"schema_version\":1,\"run\":{}", "[".repeat(1_000_000));
    assert!(told(deep.as_bytes()).starts_with("it is damaged"));
    let deep = format!("schema_version: 1\nrun: {}", "[".repeat(100_000));
    assert!(told(deep.as_bytes()).starts_with("it is damaged"));
}

#[test]
fn contradictions_are_damage() {
    let json = Report::of(&fixtures::small(), &Selection::default()).json().unwrap();
    let told = |pointer: &str, new: Value| {
        let mut value: Value = serde_json::from_str(&json).unwrap();
        *value.pointer_mut(pointer).unwrap() = new;
        document(value.to_string().as_bytes()).unwrap_err().to_string()
    };
    let huge = Value::from(u64::MAX);
    assert!(told("/phases/0/counts/reached", huge.clone()).contains("counts of create"));
    assert!(told("/phases/0/counts/vms", Value::from(11)).contains("counts of create"));
    assert!(told("/phases/2/statistics/running/reached", huge).contains("more VMs reached"));
    assert!(told("/phases/0/kind", Value::from("storm")).contains("create is not a storm"));
    let mut run = fixtures::small();
    run.phases[0].ended = Some(bootstorm_model::observe::Offset(i64::MIN));
    let told = document(&serde_json::to_vec(&run).unwrap()).unwrap_err().to_string();
    assert!(told.contains("the end lies at -9223372036854775808"), "{told}");
    run.plan.end = u32::MAX;
    let told = document(&serde_json::to_vec(&run).unwrap()).unwrap_err().to_string();
    assert!(told.contains("at most 50000 are possible"), "{told}");
    let yaml = Report::of(&fixtures::small(), &Selection::default()).yaml().unwrap();
    let yaml = yaml.replacen("took_seconds: 2.1", "took_seconds: .nan", 1);
    assert!(yaml.contains(".nan") && document(yaml.as_bytes()).is_err());
}

#[test]
fn no_number_and_no_instant_is_too_large() {
    let mut run = fixtures::probed();
    run.plan.end = run.plan.start;
    run.phases.iter_mut().for_each(|phase| phase.timelines.truncate(1));
    let report = Report::of(&run, &Selection::default()).json().unwrap();
    for text in [serde_json::to_string(&run).unwrap(), report] {
        for extreme in fixtures::extremes(&serde_json::from_str(&text).unwrap()) {
            if let Ok(document) = document(extreme.to_string().as_bytes()) {
                assert!(shown_whole(&document) > 0);
            }
        }
    }
}

/// Number of damaged documents to try; more for a night.
fn cases() -> u32 {
    std::env::var("BOOTSTORM_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

/// Numbers and words that have broken readers before.
fn nasty() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "0",
        "-1",
        "1e308",
        "-1e308",
        "1e-320",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "99999999999999999999999",
        "null",
        "true",
        "\"\"",
        "\"\\u0000\\u001b\"",
        "[]",
        "{}",
        "\"storm-4294967295\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"-009999-01-01T00:00:00Z\"",
        "\"gone\"",
    ])
}

/// A document with some bytes changed, a value replaced by another, or truncated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let tiny = |mut run: RunRecord| {
        run.plan.end = 3;
        run.phases.iter_mut().for_each(|phase| phase.timelines.truncate(3));
        run
    };
    let mut texts = Vec::new();
    for run in runs() {
        let run = tiny(run);
        let report = Report::of(&run, &Selection::default());
        texts.extend([serde_json::to_string(&run).unwrap(), report.json().unwrap()]);
        texts.extend([serde_saphyr::to_string(&run).unwrap(), report.yaml().unwrap()]);
    }
    let bytes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let values = prop::collection::vec((any::<prop::sample::Index>(), nasty()), 0..6);
    let end = prop::option::weighted(0.1, any::<prop::sample::Index>());
    (prop::sample::select(texts), bytes, values, end).prop_map(|(text, bytes, values, end)| {
        let mut text = text.into_bytes();
        for (index, value) in values {
            replace_value(&mut text, index, value);
        }
        for (index, byte) in bytes {
            let index = index.index(text.len());
            text[index] = byte;
        }
        if let Some(end) = end {
            text.truncate(end.index(text.len()));
        }
        text
    })
}

/// Replaces the value after some colon.
fn replace_value(text: &mut Vec<u8>, index: prop::sample::Index, value: &str) {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at + 1);
    let starts: Vec<usize> = ends.collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[index.index(starts.len())];
    let length = text[start..].iter().position(|byte| b",\n}]".contains(byte)).unwrap_or(0);
    text.splice(start..start + length, format!(" {value}").into_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_it_panic(bytes in damaged()) {
        if let Ok(document) = document(&bytes) {
            let report = document.report(&Selection::default()).unwrap();
            prop_assert!(shown_whole(&document) > 0);
            // A document that was read once reads again as the same.
            let json = report.json().unwrap();
            prop_assert_eq!(report_of(json.as_bytes()).json().unwrap(), json);
        }
    }
}
