//! Ctrl-C in the middle: known data are saved, the lock is released, and the same command continues.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;

use crate::support::{Cluster, Ran, until};
use crate::terminal::{shown, terminal};

const VMS: &str = "12";

fn machines(cluster: &Cluster) -> usize {
    cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, None).0.len()
}

#[test]
fn an_interrupted_create_is_continued_and_creates_nothing_twice() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", VMS]).exits(0);
    let slow = Rule {
        matching: Match::on("create", "virtualmachines"),
        effect: Effect::Delay(Duration::from_millis(150)),
        remaining: None,
    };
    let slow = cluster.sandbox.faults().add(slow);
    let child = cluster.program().spawn(&["create", "--concurrency", "2"]);
    until(|| machines(&cluster) >= 4);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130).complains(&[
        "interrupted",
        "everything is saved",
        "to continue: kubectl bootstorm create",
    ]);
    let made = machines(&cluster);
    assert!(made < 12, "the launch was stopped, {made} were made");
    assert!(cluster.sandbox.store().get(&kind::LEASES, "default", "bootstorm-boot-storm-test").is_none());
    cluster.run(&["status"]).exits(0).prints(&["interrupted", "Next: kubectl bootstorm create"]);
    cluster.run(&["stop"]).exits(1).complains(&["create of run", "has not been finished"]);

    cluster.sandbox.faults().remove(slow);
    let report = cluster.run(&["create", "-o", "json"]).exits(0).complains(&["had finished before"]).json();
    let phase = &report["phases"][0];
    assert_eq!(phase["counts"]["reached"], 12, "{phase}");
    assert_eq!(machines(&cluster), 12);
    for row in phase["rows"].as_array().unwrap() {
        assert_eq!(row["attempts"], 1, "no request was sent twice: {row}");
    }
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("create", "virtualmachines"),
        effect: Effect::Delay(Duration::from_secs(60)),
        remaining: None,
    });
    let child = cluster.program().spawn(&["create"]);
    let lease =
        || cluster.sandbox.store().get(&kind::LEASES, "default", "bootstorm-boot-storm-test").is_some();
    until(lease);
    let interrupt =
        || assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    interrupt();
    std::thread::sleep(Duration::from_millis(100));
    interrupt();
    let began = monotonic_now();
    assert_eq!(Ran::of(child).code, 130);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn whoever_loses_the_lock_sends_nothing_more() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "60", "--probe", "none"]).exits(0);
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("create", "virtualmachines"),
        effect: Effect::Delay(Duration::from_secs(1)),
        remaining: None,
    });
    let child = cluster.program().spawn(&["create", "--concurrency", "1"]);
    until(|| machines(&cluster) >= 1);
    let taken = |lease: &mut bootstorm_sandbox::value::Value| {
        lease["spec"]["holderIdentity"] = "somebody@else/1".into();
    };
    let store = cluster.sandbox.store();
    store.modify(&kind::LEASES, "default", "bootstorm-boot-storm-test", taken).unwrap();
    // It notices at the next lease renewal, within 15 s.
    Ran::of(child).exits(1).complains(&["the lock on the run was lost"]);
    assert!(machines(&cluster) < 60);
    let lease = store.get(&kind::LEASES, "default", "bootstorm-boot-storm-test").unwrap();
    assert_eq!(lease.value()["spec"]["holderIdentity"], "somebody@else/1", "the other one's lock stays");
    let made = machines(&cluster);
    std::thread::sleep(Duration::from_secs(2));
    assert!(machines(&cluster) <= made + 1, "at most one more was on its way");
}

#[test]
fn a_question_is_answered_by_a_signal_too() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    let ask = || {
        let (mut person, program) = terminal();
        let end = || program.try_clone().unwrap();
        let child = cluster.program().command(&["cleanup"]).stdin(end()).stdout(end()).stderr(end()).spawn();
        drop(program);
        let question = shown(&mut person, "[y/N] ");
        assert!(question.contains("2 namespaces"), "{question}");
        (person, child.unwrap())
    };
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (mut person, mut child) = ask();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        assert!(shown(&mut person, "").contains("interrupted"), "{signal}");
    }
    let (mut person, mut child) = ask();
    person.write_all(b"no\n").unwrap();
    child.wait().unwrap();
    let there = |cluster: &Cluster| cluster.sandbox.store().list(&kind::NAMESPACES, None).0.len();
    let before = there(&cluster);
    let (mut person, mut child) = ask();
    person.write_all(b"y\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", shown(&mut person, ""));
    assert_eq!(there(&cluster), before - 2);
}
