//! Records of any size for pages.

use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, PhaseState, RunRecord};
use serde_json::json;

/// A run of `size` VMs with a create and a storm; in the storm, VMs whose index `fails` selects do not reach the goal.
pub(crate) fn run(size: u32, prefix: &str, fails: impl Fn(u32) -> bool) -> RunRecord {
    // Written as in files, so a new field in either does not matter here.
    let plan = json!({
        "prefix": prefix, "start": 1, "end": size, "vm_name": "vm",
        "template": {"kind": "container-disk", "image": "example.org/disk:1"},
    });
    let settings =
        json!({"concurrency": 200, "timeout_seconds": 600, "via": "patch", "ping_timeout_seconds": 600});
    let plan = serde_json::from_value(plan).unwrap();
    let began = "2026-03-04T10:00:00Z".parse().unwrap();
    let mut record = RunRecord::new("00000000-0000-4000-8000-000000000001".into(), began, plan);
    record.setup.done = true;
    let storm = PhaseName { kind: PhaseKind::Storm, number: 1 };
    for (name, pace) in [(PhaseName::CREATE, 1.0), (storm, 1.6)] {
        let settings = serde_json::from_value(settings.clone()).unwrap();
        let mut phase = PhaseRecord::new(name, began, settings, size);
        for (index, timeline) in (0..size).zip(&mut phase.timelines) {
            // Fractions that look random and never change.
            let share = f64::from((index * 7_919 + 97) % 1_009) / 1_009.0;
            let whole = pace * (6.0 + 9.0 * share * share);
            let requested = 0.05 + 2.0 * f64::from(index) / f64::from(size);
            let failed = name == storm && fails(index);
            let shares = [
                (Milestone::Requested, 0.0),
                (Milestone::Accepted, 0.01),
                (Milestone::Instance, 0.1),
                (Milestone::Pod, 0.25),
                (Milestone::Scheduled, 0.7),
                (Milestone::Running, 1.0),
            ];
            for (milestone, share) in shares.into_iter().take(if failed { 4 } else { 6 }) {
                timeline.see(milestone, Offset::from_seconds(requested + whole * share));
            }
            timeline.node = Some(format!("worker-{}", index % 5 + 1));
            timeline.attempts = 1;
            timeline.outcome = if failed { Outcome::Failed } else { Outcome::Reached };
            timeline.reason = failed.then(|| "=cmd|' /C calc'!A1, launcher pod crashed".to_owned());
        }
        phase.state = PhaseState::Done;
        phase.ended = Some(Offset::from_seconds(30.0));
        record.phases.push(phase);
    }
    record
}
