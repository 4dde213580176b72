//! Nothing waits forever, and a phase that goes wrong can be stopped.

use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::read_text;

use crate::support::Cluster;

/// A cluster in which VMs whose names end with this never run.
fn sick(vms: &str) -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", vms, "--probe", "none"]).exits(0);
    cluster
}

fn fault(cluster: &Cluster, text: &str) {
    for fault in read_text(text).unwrap() {
        cluster.sandbox.faults().add(fault);
    }
}

#[test]
fn a_phase_ends_when_its_own_time_is_over() {
    let cluster = sick("6");
    fault(&cluster, "{effect: delay, delay: 700ms, match: {verb: create, resource: virtualmachines}}");
    let began = monotonic_now();
    let ran = cluster.run(&["create", "--phase-timeout", "1s", "--concurrency", "1", "-o", "json"]).exits(3);
    assert!(began.elapsed() < Duration::from_secs(20));
    let phase = &ran.json()["phases"][0];
    assert_eq!(phase["state"], "done");
    assert_eq!(phase["settings"]["phase_timeout_seconds"], 1);
    let reasons: Vec<&str> =
        phase["rows"].as_array().unwrap().iter().filter_map(|row| row["reason"].as_str()).collect();
    let unsent = "its request was not sent before the phase's time limit of 1s expired";
    assert!(reasons.iter().filter(|reason| **reason == unsent).count() >= 3, "{reasons:?}");
    let creates = cluster.sandbox.ledger().count("create", "virtualmachines").received;
    assert!(creates <= 3, "{creates} were sent");
}

#[test]
fn too_many_failures_stop_a_phase_and_it_goes_on_when_told_so() {
    let cluster = sick("10");
    let refused = "{effect: answer, code: 403, message: 'no, said the <webhook>', match: {verb: create, resource: virtualmachines}, count: 2}";
    fault(&cluster, refused);
    fault(&cluster, "{effect: delay, delay: 100ms, match: {verb: create, resource: virtualmachines}}");
    cluster
        .run(&["create", "--concurrency", "1", "--abort-if-failed", "20%"])
        .exits(3)
        .complains(&["stopped: 2 VMs have failed or timed out, the limit of --abort-if-failed is 20%"])
        .complains(&["kubectl bootstorm report", "to continue: kubectl bootstorm create"]);
    let sent = cluster.sandbox.ledger().count("create", "virtualmachines").received;
    assert!(sent <= 4, "{sent} were sent");
    cluster.run(&["status"]).exits(0).prints(&["interrupted", "Next: kubectl bootstorm create"]);
    let phase = &cluster.run(&["create", "-o", "json"]).exits(3).json()["phases"][0];
    assert_eq!((&phase["counts"]["reached"], &phase["counts"]["failed"]), (&8.into(), &2.into()));
    cluster.run(&["create", "--abort-if-failed", "0"]).exits(2).complains(&["write a number of VMs (5)"]);
}

#[test]
fn a_run_ends_when_its_own_time_is_over_and_goes_on_later() {
    let cluster = Cluster::instant();
    fault(&cluster, "{effect: delay, delay: 400ms, match: {verb: create, resource: virtualmachines}}");
    let run = ["run", "--end", "8", "--probe", "none", "--concurrency", "1"];
    cluster
        .run(&[&run[..], &["--run-timeout", "2s"]].concat())
        .exits(130)
        .complains(&["the time limit of the run, 2s, is over", "to continue: kubectl bootstorm"]);
    cluster.run(&run).exits(0).prints(&["Verdict"]);
}

#[test]
fn a_server_that_has_no_time_gets_all_of_the_retry_timeout() {
    for code in [429, 503] {
        let cluster = Cluster::instant();
        for fault in read_text(&format!("{{effect: answer, code: {code}}}")).unwrap() {
            cluster.sandbox.faults().add(fault);
        }
        let began = monotonic_now();
        cluster.run(&["status", "--retry-timeout", "4s"]).exits(1).complains(&["overloaded or restarting"]);
        assert!(began.elapsed() >= Duration::from_secs(4), "{code}: {:?}", began.elapsed());
    }
}
