//! The search for the largest storm that meets a goal, on a cluster whose limit is known.

use std::process::Command;

use bootstorm_sandbox::value::Value;

use crate::support::{Cluster, Ran, until};

/// The number of pods the only node takes, i.e. the largest storm without a failed VM.
const KNEE: u32 = 14;
const SEARCH: [&str; 8] =
    ["storm", "--find-max", "--goal", "failed<=0", "--goal", "running.p95<1h", "--timeout", "3s"];

/// A cluster with created VMs that cannot all run at once.
fn crowded(vms: &str) -> Cluster {
    let cluster = Cluster::changed(1, |profile| profile.node.pods = KNEE);
    cluster.run(&["setup", "--end", vms, "--probe", "none", "--skip-preflight"]).exits(0);
    cluster.run(&["create", "--timeout", "3s"]).exits(3);
    cluster
}

fn capacity(cluster: &Cluster) -> Value {
    cluster.run(&["report", "-o", "json"]).json()["capacity"].clone()
}

/// Evaluated storms: one that a busy machine made invalid is repeated.
fn judged(capacity: &Value) -> Vec<&Value> {
    capacity["storms"].as_array().unwrap().iter().filter(|storm| storm["invalid"] != true).collect()
}

fn sizes(capacity: &Value) -> Vec<u64> {
    judged(capacity).iter().map(|storm| storm["size"].as_u64().unwrap()).collect()
}

#[test]
fn the_knee_is_found_and_confirmed_however_often_the_search_is_cut_short() {
    let cluster = crowded("20");
    let again = |storms: usize| {
        let child = cluster.program().spawn(&SEARCH);
        let done = || {
            let capacity = capacity(&cluster);
            !capacity.is_null() && sizes(&capacity).len() >= storms
        };
        until(done);
        child
    };
    let mut killed = again(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let interrupted = again(2);
    assert!(Command::new("kill").args(["-INT", &interrupted.id().to_string()]).status().unwrap().success());
    Ran::of(interrupted).exits(130).complains(&[
        "to continue: kubectl bootstorm storm --find-max --goal 'failed<=0' --goal 'running.p95<1h'",
    ]);
    let before = capacity(&cluster);
    assert_eq!((&before["state"], judged(&before)[0]["met"].as_bool()), (&"searching".into(), Some(true)));
    let ran = cluster.run(&SEARCH).exits(0);
    let ran = ran.prints(&["Capacity: the largest storm with failed<=0 and running.p95<1h"]);
    ran.prints(&["14 VMs meet the goal, 15 do not; a second storm has confirmed it."]);
    let found = capacity(&cluster);
    assert_eq!(
        (&found["state"], &found["size"], &found["missed"]),
        (&"found".into(), &14.into(), &15.into())
    );
    assert_eq!(sizes(&found), [1, 20, 10, 15, 12, 13, 14, 14], "{found}");
    // Each storm is followed by a stop, VMs beyond its size stay stopped, and none is started twice in one storm.
    let report = cluster.run(&["report", "-o", "json"]).json();
    let phases = report["phases"].as_array().unwrap();
    assert_eq!(phases.last().unwrap()["kind"], "stop");
    let first = phases.iter().find(|phase| phase["name"] == "storm-1").unwrap();
    assert_eq!((&first["counts"]["participants"], &first["counts"]["excluded"]), (&1.into(), &19.into()));
    assert_eq!(first["rows"][19]["reason"], "not in this storm");
    let starts: u64 =
        cluster.sandbox.ledger().machines().values().map(|account| account.starts.changes).sum();
    let all = found["storms"].as_array().unwrap().iter();
    assert_eq!(starts, all.map(|storm| storm["size"].as_u64().unwrap()).sum::<u64>());
    // The same command again has nothing left to do.
    cluster.run(&SEARCH).exits(0).prints(&["14 VMs meet the goal"]);
    assert_eq!(capacity(&cluster), found);
}

#[test]
fn a_budget_of_storms_ends_the_search_and_a_larger_one_goes_on() {
    let cluster = crowded("16");
    let few = [&SEARCH[..], &["--max-storms", "2", "--min", "2", "--max", "15"]].concat();
    cluster
        .run(&few)
        .exits(0)
        .prints(&["2 VMs meet the goal, 15 do not", "The limit of 2 storms is reached"]);
    assert_eq!(sizes(&capacity(&cluster)), [2, 15]);
    let more = [&SEARCH[..], &["--max-storms", "3", "--min", "2", "--max", "15", "-o", "json"]].concat();
    let report = cluster.run(&more).exits(0).complains(&["8 VMs, meets the goal"]).json();
    assert_eq!((&report["capacity"]["state"], &report["capacity"]["size"]), (&"budget".into(), &8.into()));
    let hard = ["storm", "--find-max", "--goal", "running.p95<1us", "-o", "json"];
    let report = cluster.run(&hard).exits(3).json();
    assert_eq!(
        (&report["capacity"]["state"], &report["capacity"]["size"]),
        (&"nothing".into(), &Value::Null)
    );
    assert_eq!(sizes(&report["capacity"]), [1], "a search with another goal begins anew");
}

#[test]
fn what_cannot_be_searched_is_refused_before_any_work() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let goal = ["--find-max", "--goal", "running.p95<1m"];
    for (args, complaint) in [
        (&["--find-max"][..], "--goal"),
        (&["--goal", "running.p95<1m"], "--find-max"),
        (&["--find-max", "--goal", "running.p95>1m"], "so a time needs an upper limit"),
        (&["--find-max", "--goal", "create.running.p95<1m"], "refers to the current storm"),
        (&["--find-max", "--goal", "reachable.p95<1m"], "nothing is probed in storm-1"),
        (&[&goal[..], &["--max", "4"]].concat(), "--max 4: run \"boot-storm-test\" has 3 VMs"),
        (&[&goal[..], &["--min", "3", "--max", "2"]].concat(), "--min 3 is greater than --max 2"),
        (&[&goal[..], &["--repeat", "2"]].concat(), "cannot be used with"),
        (&[&goal[..], &["--fail-if", "failed>0"]].concat(), "cannot be used with"),
    ] {
        cluster.run(&[&["storm"], args].concat()).exits(2).complains(&[complaint]);
    }
    let phases = cluster.run(&["report", "-o", "json"]).exits(0).json()["phases"].clone();
    assert_eq!(phases.as_array().unwrap().len(), 1);
}
