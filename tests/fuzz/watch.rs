//! Watch events, damaged: parsed or rejected, and folded into timelines.

use std::collections::HashSet;

use bootstorm_engine::cluster::changes::Vmi;
use bootstorm_model::observe::{Change, Fold, Instance, Offset, Receipt, Timeline};
use bootstorm_model::plan::Target;
use rand::RngExt;

use super::mutation::mutate;
use super::{cases, dice};

const GOOD: &str = r#"{"metadata": {"name": "vm", "namespace": "p-1", "uid": "u", "resourceVersion": "5",
 "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": null, "labels": {"a": "b"}},
 "status": {"phase": "Running", "nodeName": "n1", "interfaces": [{"name": "default"}, {"ipAddress": "10.0.0.1"}],
 "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null}, {"type": "AgentConnected", "status": "False"}],
 "phaseTransitionTimestamps": [{"phase": "Running", "phaseTransitionTimestamp": "2026-01-01T00:00:08Z"}]}}"#;

#[test]
fn damaged_instances_are_refused_or_folded() {
    let mut dice = dice(4);
    let target = Target { namespace: "p-1".into(), name: "vm".into() };
    let began: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut understood = 0_u64;
    let all = cases(20_000);
    for _ in 0..all {
        let Ok(vmi) = serde_json::from_slice::<Vmi>(&mutate(GOOD.as_bytes(), &mut dice)) else { continue };
        understood += 1;
        let instance = Instance::from(vmi);
        assert!(instance.address.as_ref().is_none_or(|address| address.len() < 64));
        assert!(instance.node.as_ref().is_none_or(|node| node.chars().count() < 256));
        let mut fold = Fold::new(std::slice::from_ref(&target), dice.random(), HashSet::new());
        let mut timelines = vec![Timeline::new(0)];
        timelines[0].see(bootstorm_model::observe::Milestone::Requested, Offset(0));
        let at = Offset(if dice.random() { dice.random() } else { 1_000_000 });
        let receipt = Receipt {
            at,
            late: dice.random(),
            server_zero: began + jiff::SignedDuration::from_micros(dice.random_range(-1_000_000..1_000_000)),
        };
        let _ = fold.apply(&mut timelines, &Change::Present(instance.clone()), receipt);
        let absent = Change::Absent { uid: instance.uid, target: instance.target };
        let _ = fold.apply(&mut timelines, &absent, receipt);
    }
    assert!(
        understood > all / 20,
        "{understood} of {all} were understood: the damage is too great to test anything"
    );
}
