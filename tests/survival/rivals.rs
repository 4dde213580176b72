//! Two users at once, and one who returns after a long sleep.

use std::process::Command;
use std::time::Duration;

use bootstorm_model::observe::{Outcome, Source};
use bootstorm_sandbox::faults::{Effect, Match, Rule};

use super::record;
use crate::support::{Cluster, Ran, until};

/// Longer than a lease is valid, including the margin that others allow it.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(68);

fn slow_creation(cluster: &Cluster, millis: u64) {
    let effect = Effect::Delay(Duration::from_millis(millis));
    let matching = Match::on("create", "virtualmachines");
    cluster.sandbox.faults().add(Rule { matching, effect, remaining: None });
}

fn signal(name: &str, process: &std::process::Child) {
    assert!(Command::new("kill").args([name, &process.id().to_string()]).status().unwrap().success());
}

fn created(cluster: &Cluster) -> u64 {
    cluster.sandbox.ledger().machines().values().map(|account| account.creates.changes).sum()
}

#[test]
fn of_two_processes_started_at_once_one_works_and_one_is_told_who_does() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "6", "--probe", "none"]).exits(0);
    slow_creation(&cluster, 300);
    let both: Vec<_> = (0..2).map(|_| cluster.program().spawn(&["create", "--concurrency", "2"])).collect();
    let mut ended: Vec<Ran> = both.into_iter().map(Ran::of).collect();
    ended.sort_by_key(|ran| ran.code);
    let [winner, loser] = <[Ran; 2]>::try_from(ended).unwrap();
    winner.exits(0);
    let told = ["another process is working on run", "tester@", "has held it for"];
    loser.exits(1).complains(&told).complains(&["kubectl bootstorm status"]);
    for (name, account) in cluster.sandbox.ledger().machines() {
        assert_eq!((account.creates.requests, account.creates.changes), (1, 1), "{name:?}");
    }
}

#[test]
fn whoever_sleeps_longer_than_the_lease_writes_nothing_afterwards() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "30", "--probe", "none"]).exits(0);
    slow_creation(&cluster, 200);
    let sleeper = cluster.program().spawn(&["create", "--concurrency", "1"]);
    until(|| created(&cluster) >= 3);
    signal("-STOP", &sleeper);
    std::thread::sleep(LONGER_THAN_A_LEASE);
    let before = created(&cluster);
    assert!(before < 10, "{before} were created before it slept");
    cluster.run(&["create"]).exits(0);
    let record = record::load(&cluster).unwrap();
    let patches = |verb| cluster.sandbox.ledger().count(verb, "configmaps").received;
    let writes =
        (patches("create"), patches("update"), cluster.sandbox.ledger().count("create", "virtualmachines"));
    signal("-CONT", &sleeper);
    Ran::of(sleeper).exits(1).complains(&["the lock on the run was lost"]);
    let after =
        (patches("create"), patches("update"), cluster.sandbox.ledger().count("create", "virtualmachines"));
    assert_eq!(writes, after, "it sent nothing after it woke up");
    assert_eq!(record::load(&cluster).unwrap(), record);
    assert_eq!(created(&cluster), 30);
    assert_eq!(record.phases[0].count(Outcome::Reached), 30);
}

#[test]
fn what_passed_during_a_short_sleep_is_marked() {
    let cluster = Cluster::with("default", 3, 10.0);
    cluster.run(&["setup", "--end", "12", "--probe", "none"]).exits(0);
    let sleeper = cluster.program().spawn(&["create"]);
    until(|| created(&cluster) >= 12);
    signal("-STOP", &sleeper);
    std::thread::sleep(Duration::from_secs(3));
    signal("-CONT", &sleeper);
    Ran::of(sleeper).exits(0);
    let phase = record::load(&cluster).unwrap().phases.remove(0);
    assert_eq!(phase.count(Outcome::Reached), 12);
    let gap = phase.watch.gaps.iter().find(|gap| gap.to.since(gap.from).seconds() > 2.5);
    let gap = gap.unwrap_or_else(|| panic!("no gap of 3 s: {:?}", phase.watch));
    let mut marked = 0;
    for timeline in &phase.timelines {
        for (milestone, moment) in &timeline.moments {
            let waited = moment.source == Source::Seen
                && (gap.from.seconds() + 0.2..gap.to.seconds() + 0.2).contains(&moment.at.seconds());
            assert!(!waited, "{milestone} was received after the sleep: {timeline:?}, {gap:?}");
            marked += usize::from(moment.source != Source::Seen);
        }
    }
    assert!(marked > 12, "what came late is marked: {marked}");
}
