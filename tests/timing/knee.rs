//! The search for the largest storm, on a cluster whose limit follows from its figures.

use bootstorm_sandbox::value::Value;

use crate::support::Cluster;

/// Throughput in MB/s of the one disk that all guests read from.
const DISK: f64 = 100.0;
/// MB that each guest reads until it answers.
const READ: f64 = 25.0;
/// Seconds within which a running guest has to answer: half a step more than 20 of them take.
const GOAL: f64 = 5.125;

/// Guests that share a disk evenly end together: n of them after n · READ ÷ DISK seconds. So the largest storm within
/// the goal is GOAL · DISK ÷ READ. Times count from Running, which excludes the rest of a start on this machine.
#[test]
fn the_largest_storm_is_the_one_that_the_profile_implies() {
    let cluster = Cluster::changed(1, |profile| {
        let storage = &mut profile.storage;
        (storage.node_disk, storage.per_reader, storage.interference) = (DISK, DISK, 0.0);
        (storage.boot_read, storage.cache) = (READ, 0.0);
    });
    cluster.run(&["setup", "--end", "28", "--probe", "agent"]).exits(0);
    for phase in ["create", "stop"] {
        cluster.run(&[phase]).exits(0);
    }
    let goal = format!("running..reachable.p95<{GOAL}s");
    cluster.run(&["storm", "--find-max", "--goal", &goal]).exits(0);
    let capacity = cluster.run(&["report", "-o", "json"]).exits(0).json()["capacity"].clone();
    for storm in capacity["storms"].as_array().unwrap() {
        let p95: &Value = &storm["values"][0]["value"];
        println!(
            "{} VMs: p95 {p95} s, implied {} s",
            storm["size"],
            storm["size"].as_f64().unwrap() * READ / DISK
        );
    }
    let implied = (GOAL * DISK / READ).floor();
    let found = capacity["size"].as_f64().unwrap();
    assert!((found / implied - 1.0).abs() <= 0.05, "found {found}, implied {implied}: {capacity}");
}
