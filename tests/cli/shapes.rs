//! Launches in waves, ramps and rates: request times are taken from the record.

use std::process::Command;
use std::time::Duration;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::Value;

use crate::support::{Cluster, Ran, until};

/// How far a request may be from its due time on a busy machine, in seconds.
const LATE: f64 = 0.5;

/// A cluster with stopped VMs.
fn stopped(vms: &str) -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", vms, "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["stop"]).exits(0);
    cluster
}

fn storm(cluster: &Cluster, args: &[&str]) -> Value {
    last_phase(&cluster.run(&[&["storm", "-o", "json"], args].concat()).exits(0))
}

fn last_phase(ran: &Ran) -> Value {
    ran.json()["phases"].as_array().unwrap().last().unwrap().clone()
}

/// Request times relative to the first one, in order of VM index.
fn sent(phase: &Value) -> Vec<f64> {
    let at = |row: &Value| row["requested_at_seconds"].as_f64().unwrap();
    let times: Vec<f64> = phase["rows"].as_array().unwrap().iter().map(at).collect();
    let first = times.iter().copied().fold(f64::INFINITY, f64::min);
    times.iter().map(|time| time - first).collect()
}

fn waves(phase: &Value) -> Vec<u64> {
    phase["rows"].as_array().unwrap().iter().map(|row| row["wave"].as_u64().unwrap()).collect()
}

#[track_caller]
fn assert_sent(phase: &Value, due: impl Fn(usize) -> f64) {
    for (place, at) in sent(phase).into_iter().enumerate() {
        // The first request may itself be slightly late, which makes the others look early.
        let due = due(place);
        assert!((due - LATE..due + LATE).contains(&at), "request {place} was due at {due}, and left at {at}");
    }
}

#[test]
fn waves_leave_when_it_is_their_time() {
    let cluster = stopped("7");
    let phase = storm(&cluster, &["--wave", "3/1200ms"]);
    assert_sent(&phase, |place| (place / 3) as f64 * 1.2);
    assert_eq!(waves(&phase), [1, 1, 1, 2, 2, 2, 3]);
    let expected = bootstorm_sandbox::value::json!({"kind": "wave", "vms": 3, "every_millis": 1200});
    assert_eq!(phase["settings"]["shape"], expected);
    let blocks = phase["waves"].as_array().unwrap();
    assert_eq!(blocks.iter().map(|wave| wave["vms"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 3, 1]);
    // The recovery curve counts from the first request of all, a VM's time from its own.
    let all = phase["recovery"]["t100_seconds"].as_f64().unwrap();
    let longest = phase["statistics"]["running"]["max_seconds"].as_f64().unwrap();
    assert!(all >= 2.4 - LATE && longest < all - 1.0, "all back after {all}, the longest took {longest}");
    cluster.run(&["report"]).exits(0).prints(&["in waves of 3, one every 1.2s", "Wave"]);
}

#[test]
fn ramps_and_rates_leave_one_by_one() {
    let cluster = stopped("6");
    let ran = cluster.run(&["storm", "-o", "json", "--ramp", "12/3s"]).exits(0);
    let ran = ran.complains(&["the ramp is for 12 VMs and there are 6: at the same pace, they take 1.5s"]);
    assert_sent(&last_phase(&ran), |place| place as f64 * 0.25);
    // Stops have shapes too.
    let stop = last_phase(&cluster.run(&["stop", "-o", "json", "--rate", "5/s"]).exits(0));
    assert_sent(&stop, |place| place as f64 * 0.2);
    assert_eq!(stop["waves"], bootstorm_sandbox::value::json!([]));
}

#[test]
fn creates_have_shapes_too() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "4", "--probe", "none"]).exits(0);
    let phase = last_phase(&cluster.run(&["create", "-o", "json", "--wave", "2/1200ms"]).exits(0));
    assert_sent(&phase, |place| (place / 2) as f64 * 1.2);
}

#[test]
fn a_wave_waits_until_the_last_one_is_up_or_has_failed() {
    let cluster = stopped("6");
    let refused = "{effect: answer, code: 403, message: 'not this one', match: {verb: patch, resource: virtualmachines, namespace: boot-storm-test-2}}";
    for fault in bootstorm_sandbox::faults::read_text(refused).unwrap() {
        cluster.sandbox.faults().add(fault);
    }
    let phase = last_phase(&cluster.run(&["storm", "-o", "json", "--wave", "2/ready"]).exits(3));
    let rows = phase["rows"].as_array().unwrap();
    assert_eq!(rows[1]["outcome"], "failed");
    assert_eq!(waves(&phase), [1, 1, 2, 2, 3, 3]);
    let at = |row: &Value| row["requested_at_seconds"].as_f64().unwrap();
    let up = |row: &Value| at(row) + row["milestones"]["running"]["seconds"].as_f64().unwrap();
    for wave in [2, 4] {
        let before =
            rows[wave - 2..wave].iter().filter(|row| row["outcome"] == "reached").map(up).fold(0.0, f64::max);
        let next = at(&rows[wave]).min(at(&rows[wave + 1]));
        assert!(
            (before..before + LATE).contains(&next),
            "the last wave was up at {before}, the next left at {next}"
        );
    }
}

#[test]
fn a_seed_is_an_order_and_nodes_take_turns() {
    let cluster = stopped("8");
    let phase = storm(&cluster, &["--rate", "50/s", "--order", "random"]);
    let seed = phase["settings"]["order"].as_str().unwrap().to_owned();
    assert!(seed.starts_with("random:"), "{seed}");
    let order = |phase: &Value| {
        let mut vms: Vec<(u64, usize)> =
            sent(phase).into_iter().enumerate().map(|(vm, at)| ((at * 1e6) as u64, vm)).collect();
        vms.sort_unstable();
        vms.into_iter().map(|(_, vm)| vm).collect::<Vec<_>>()
    };
    let first = order(&phase);
    cluster.run(&["stop"]).exits(0);
    assert_eq!(order(&storm(&cluster, &["--rate", "50/s", "--order", &seed])), first);
    cluster.run(&["stop"]).exits(0);
    let before = cluster.run(&["report", "-o", "json"]).exits(0).json();
    let last =
        before["phases"].as_array().unwrap().iter().rev().find(|phase| phase["kind"] == "storm").unwrap();
    let node = |vm: usize| last["rows"][vm]["node"].as_str().unwrap().to_owned();
    let turns = order(&storm(&cluster, &["--rate", "50/s", "--order", "node"]));
    let nodes: std::collections::BTreeSet<String> = (0..8).map(node).collect();
    let begin: std::collections::BTreeSet<String> = turns[..nodes.len()].iter().map(|vm| node(*vm)).collect();
    assert_eq!(begin, nodes, "each node has its turn before any has a second one: {turns:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cluster = stopped("2");
    for (args, complaint) in [
        (&["--wave", "50"][..], "`50` is not a wave; write 50/10s or 50/ready"),
        (&["--wave", "0/10s"], "is not a wave"),
        (&["--ramp", "5/0s"], "`5/0s` is not a ramp"),
        (&["--rate", "x/s"], "`x/s` is not a rate"),
        (&["--wave", "5/1s", "--rate", "5/s"], "cannot be used with"),
        (&["--ramp", "5/1s", "--rate", "5/s"], "cannot be used with"),
        (&["--order", "size"], "`size` is not an order; there are name, random, random:SEED and node"),
    ] {
        cluster.run(&[&["storm"], args].concat()).exits(2).complains(&[complaint]);
    }
    let fresh = Cluster::instant();
    fresh.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    fresh.run(&["create", "--order", "node"]).exits(2).complains(&["have not run on any node"]);
}

/// Number of VMs that run or were started.
fn started(cluster: &Cluster) -> usize {
    let accounts = cluster.sandbox.ledger().machines();
    accounts.values().filter(|account| account.starts.changes > 0).count()
}

#[test]
fn a_killed_launch_goes_on_with_the_waves_that_are_left() {
    let cluster = stopped("8");
    let mut child = cluster.program().spawn(&["storm", "--wave", "2/2s"]);
    until(|| started(&cluster) >= 4);
    // The save after the second wave is in progress or done; unsaved VMs have no times, but are never started twice.
    child.kill().unwrap();
    child.wait().unwrap();
    let known = started(&cluster);
    assert!(known < 8, "{known}");
    cluster
        .run(&["storm", "--rate", "5/s"])
        .exits(2)
        .complains(&["--rate 5/s contradicts storm-1: wave 2/2s"]);
    let phase = storm(&cluster, &[]);
    assert_eq!(phase["counts"]["reached"], 8, "{phase}");
    assert_eq!(waves(&phase), [1, 1, 2, 2, 3, 3, 4, 4]);
    for account in cluster.sandbox.ledger().machines().values() {
        assert_eq!(account.starts.changes, 1, "started once: {account:?}");
    }
    let at = |vm: usize| phase["rows"][vm]["requested_at_seconds"].as_f64().unwrap();
    let apart = at(6) - at(4);
    assert!(
        (2.0 - LATE..2.0 + LATE).contains(&apart),
        "the waves that were left keep their distance: {apart}"
    );
}

#[test]
fn an_interrupted_launch_sends_no_more_waves_and_goes_on_later() {
    let cluster = stopped("6");
    let child = cluster.program().spawn(&["storm", "--wave", "2/30s"]);
    until(|| started(&cluster) >= 2);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130).complains(&["interrupted", "everything is saved"]);
    assert_eq!(started(&cluster), 2);
    cluster.run(&["storm", "--phase-timeout", "1s", "-o", "json"]).exits(3);
    let report = cluster.run(&["report", "-o", "json"]).json();
    let phase = report["phases"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&phase["counts"]["reached"], &phase["counts"]["timed_out"]),
        (&4.into(), &2.into()),
        "{phase}"
    );
    assert_eq!(started(&cluster), 4, "the third wave would have left after 30 s");
    let reason = phase["rows"][5]["reason"].as_str().unwrap();
    assert_eq!(reason, "its request was not sent before the phase's time limit of 1s expired");
}

#[test]
fn too_many_failures_stop_the_waves() {
    let cluster = stopped("6");
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("patch", "virtualmachines"),
        effect: Effect::Delay(Duration::from_millis(1)),
        remaining: None,
    });
    let refused = "{effect: answer, code: 403, message: 'no', match: {verb: patch, resource: virtualmachines}, count: 1}";
    for fault in bootstorm_sandbox::faults::read_text(refused).unwrap() {
        cluster.sandbox.faults().add(fault);
    }
    cluster
        .run(&["storm", "--wave", "2/20s", "--abort-if-failed", "1"])
        .exits(3)
        .complains(&["stopped: 1 VM has failed or timed out"]);
    let machines = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0.len();
    assert!(machines <= 1, "{machines} were started");
}
