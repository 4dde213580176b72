//! Stored records, damaged: rejected or shown.

use std::io::Write;

use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::plan::{Plan, TemplateSource};
use bootstorm_model::record::codec::{
    PartIndex, StoredPhase, check_phase, decode_head, decode_phase, encode_index, encode_plan, verify_chunk,
};
use bootstorm_model::record::{PhaseName, PhaseRecord, PhaseSettings, RunRecord, lifecycle};
use bootstorm_model::text::is_unsafe;
use bootstorm_report::{Layout, LegacyOptions, Paint, Report, Selection, Status, legacy};
use rand::RngExt;

use super::mutation::{mutate, mutate_text, noise};
use super::{cases, dice};

const VMS: u32 = 3;

fn record() -> RunRecord {
    let template = TemplateSource::File { name: "vm.yaml".into(), sha256: "0".repeat(64), drawn_from: None };
    let plan = Plan::resolve("p", 1, VMS, "vm", template).unwrap();
    let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
    record.setup.done = true;
    record
}

fn phase(name: &str) -> PhaseRecord {
    let settings = PhaseSettings::default();
    let name: PhaseName = name.parse().unwrap();
    let mut phase = PhaseRecord::new(name, "2026-01-01T00:00:00Z".parse().unwrap(), settings, VMS);
    for timeline in &mut phase.timelines {
        let offset = i64::from(timeline.target);
        timeline.see(Milestone::Requested, Offset(offset));
        timeline.see(Milestone::Running, Offset(9_000_000 + offset));
        timeline.node = Some("node-1".into());
        timeline.address = Some("10.0.0.1".into());
        timeline.outcome = Outcome::Reached;
    }
    phase.timelines[1].outcome = Outcome::TimedOut;
    phase.timelines[1].reason = Some("not running after 600s".into());
    phase
}

fn packed(json: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(json).unwrap();
    encoder.finish().unwrap()
}

/// Shows a record in every format.
fn show(record: &RunRecord) {
    let report = Report::of(record, &Selection::default());
    for wide in [false, true] {
        let layout = Layout { width: 80, cut: true, wide, title: true, headers: true, paint: Paint::Plain };
        let table = report.table(&layout);
        assert!(!table.contains(|c| c != '\n' && is_unsafe(c)), "{table:?}");
    }
    for document in [report.json().unwrap(), report.yaml().unwrap(), report.names()] {
        assert!(!document.contains(|c| c != '\n' && is_unsafe(c)), "{document:?}");
    }
    for (path, bytes) in legacy::files(record, &LegacyOptions::default()).unwrap() {
        assert!(!path.to_string_lossy().contains(".."), "{}", path.display());
        assert!(!bytes.is_empty());
    }
    let _ = (Status::of(record), lifecycle::suggestion(record));
}

#[test]
fn damaged_heads_are_refused_or_read() {
    let mut dice = dice(5);
    let record = record();
    let stored = StoredPhase::new(&phase("create")).unwrap();
    let chunks: Vec<_> = stored.chunks().cloned().collect();
    let index = PartIndex::whole(PhaseName::CREATE, &chunks);
    let (plan, parts) = (encode_plan(&record), encode_index(std::slice::from_ref(&index)));
    for case in 0..cases(10_000) {
        let (plan, parts) = match case % 4 {
            0 => (String::from_utf8_lossy(&noise(300, &mut dice)).into_owned(), parts.clone()),
            1 => (plan.clone(), mutate_text(&parts, &mut dice)),
            _ => (mutate_text(&plan, &mut dice), parts.clone()),
        };
        if let Ok((read, parts)) = decode_head(&plan, &parts) {
            assert!(read.plan.check().is_ok());
            for chunk in parts.iter().flat_map(PartIndex::all) {
                assert!(!chunk.name.contains('/') && chunk.name.len() < 64);
                let _ = verify_chunk(chunk, &chunks[0].bytes);
            }
        }
    }
}

#[test]
fn damaged_phases_are_refused_or_shown() {
    let mut dice = dice(6);
    let good: Vec<(PhaseRecord, Vec<u8>)> = ["create", "stop-1", "storm-1"]
        .map(|name| (phase(name), serde_json::to_vec(&phase(name)).unwrap()))
        .to_vec();
    let mut shown = 0_u64;
    let all = cases(1_500);
    for case in 0..all {
        let which = dice.random_range(0..good.len());
        let (sound, json) = &good[which];
        let chunk = match case % 8 {
            0 => noise(500, &mut dice),
            1 => mutate(&packed(json), &mut dice),
            _ => packed(&mutate(json, &mut dice)),
        };
        let sound_piece = packed(json);
        // As a whole, or as a delta.
        let pieces = if case % 3 == 0 { vec![sound_piece, chunk] } else { vec![chunk] };
        let Ok(damaged) = decode_phase(sound.name, &pieces) else { continue };
        let mut record = record();
        if check_phase(&record, &damaged).is_err() {
            continue;
        }
        shown += 1;
        record.phases = good.iter().map(|(phase, _)| phase.clone()).collect();
        record.phases[which] = damaged;
        show(&record);
    }
    assert!(shown > all / 50, "{shown} of {all} were shown: the damage is too great to test anything");
}
