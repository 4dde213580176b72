//! Baselines of storms; old figures are never presented as new ones.

use bootstorm_sandbox::value::{Value, json};

use crate::support::Cluster;

fn names(report: &Value) -> Vec<&str> {
    report["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect()
}

#[test]
fn a_finished_run_is_refused_and_measured_again_when_that_is_wanted() {
    let cluster = Cluster::instant();
    let run = ["run", "--end", "2", "--probe", "none", "-o", "json"];
    let first = cluster.run(&run).exits(0).json();
    for again in [&run[..], &["run", "--end", "2", "--probe", "none", "--no-storm"]] {
        let refused = cluster.run(again).exits(1).complains(&[
            "run \"boot-storm-test\" was finished at 2",
            "--fresh",
            "kubectl bootstorm report --ns-prefix boot-storm-test",
            "kubectl bootstorm cleanup --ns-prefix boot-storm-test",
        ]);
        assert_eq!(refused.stdout, "");
    }
    let gate = cluster.run(&[&run[..], &["--fail-if", "failed>0"]].concat()).exits(1);
    assert_eq!(gate.stdout, "", "a gate does not pass on what was measured before");
    let fresh = cluster.run(&[&run[..], &["--fresh", "--yes"]].concat()).exits(0).json();
    assert_ne!(first["run"]["id"], fresh["run"]["id"]);
    assert_eq!(names(&fresh), ["create", "stop-1", "storm-1"]);
    let repeat = [&run[..], &["--repeat", "2"]].concat();
    let report = cluster.run(&repeat).exits(0).json();
    assert_eq!(names(&report)[3..], ["stop-2", "storm-2", "stop-3", "storm-3"]);
    cluster.run(&repeat).exits(1).complains(&["was finished at", "a new series of storms: --fresh"]);
    let more = [&run[..], &["--repeat", "3"]].concat();
    assert_eq!(names(&cluster.run(&more).exits(0).json()).len(), 9, "one storm more goes on");
}

#[test]
fn a_first_boot_of_its_own_is_a_baseline() {
    let cluster = Cluster::instant();
    let run = ["run", "--end", "3", "--source", "datasource:rhel9", "--baseline", "boot", "-o", "json"];
    let report = cluster.run(&run).exits(0).json();
    assert_eq!(names(&report), ["create", "storm-1", "stop-1", "storm-2"]);
    let compared = &report["comparison"];
    assert_eq!((&compared["baseline"], &compared["storm"]), (&json!("storm-1"), &json!("storm-2")));
    assert!(compared["verdict"]["grade"].is_string() && compared["with_filling"].is_null(), "{compared}");
    assert_eq!(report["repetitions"], Value::Null, "a first boot is no repetition");
    let other = ["run", "--ns-prefix", "other", "--end", "3", "--source", "datasource:rhel9", "-o", "json"];
    let report = cluster.run(&other).exits(0).json();
    let compared = &report["comparison"];
    assert_eq!((&compared["baseline"], &compared["storm"]), (&json!("create"), &json!("storm-1")));
    assert_eq!(compared["milestones"][0]["from"], "filled");
    assert_eq!(compared["with_filling"][0]["from"], "requested");
    let baseline = |of: &str| compared[of][0]["mean"]["baseline_seconds"].as_f64().unwrap();
    assert!(baseline("milestones") < baseline("with_filling"));
    let table = cluster.run(&["report", "--ns-prefix", "other"]).exits(0);
    table.prints(&["mean, with filling", "Boot against boot: create counts from the instant"]);
}
