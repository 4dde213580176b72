//! Many phases with a common start: which leave together, and which are left out.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::sync::Arc;
use std::time::Duration;

use bootstorm_engine::cluster::{Cluster, Connection};
use bootstorm_engine::phases::gate::{Barrier, Closed, Opening, Policy};
use bootstorm_model::observe::Clock;
use kube::Client;
use tokio::task::JoinHandle;

use local::on_paused_time;

const PATIENCE: Duration = Duration::from_secs(120);

fn cluster() -> Cluster {
    // No requests are sent: no gate of these tests waits long enough to reopen its connections.
    let config = kube::Config::new("http://localhost:9".parse().unwrap());
    Connection::default().over(Client::try_from(config).unwrap())
}

/// A member that reaches its gate after a delay; returns when it left.
fn comes(
    barrier: &Arc<Barrier>,
    member: usize,
    after: Duration,
) -> JoinHandle<Result<tokio::time::Instant, Closed>> {
    let gate = barrier.gate(member);
    let cluster = cluster();
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let at = gate.pass(&cluster, 0, Clock::start(), true).await?;
        tokio::time::sleep_until(at.into()).await;
        Ok(tokio::time::Instant::now())
    })
}

#[test]
fn all_leave_at_the_same_instant() {
    on_paused_time(async {
        let barrier = Barrier::new(3);
        let members: Vec<_> =
            [0, 1, 2].map(|n| comes(&barrier, n, Duration::from_millis(500 * n as u64))).into();
        let opening = barrier.run(Policy::LeaveOut, PATIENCE).await;
        assert!(matches!(&opening, Opening::Start { members, .. } if *members == [0, 1, 2]), "{opening:?}");
        assert_eq!(barrier.passed().len(), 3, "the common instant is known on every axis before the start");
        let mut left = Vec::new();
        for member in members {
            left.push(member.await.unwrap().unwrap());
        }
        assert!(left.windows(2).all(|pair| pair[0] == pair[1]), "{left:?}");
    });
}

#[test]
fn one_that_fails_or_is_slow_is_left_out() {
    on_paused_time(async {
        let barrier = Barrier::new(4);
        let began = tokio::time::Instant::now();
        let first = comes(&barrier, 0, Duration::from_secs(1));
        let second = comes(&barrier, 1, Duration::from_secs(60));
        let slow = comes(&barrier, 2, Duration::from_secs(300));
        drop(barrier.gate(3));
        let opening = barrier.run(Policy::LeaveOut, PATIENCE).await;
        assert!(matches!(&opening, Opening::Start { members, .. } if *members == [0, 1]), "{opening:?}");
        assert_eq!(
            began.elapsed().as_secs(),
            121,
            "patience counts from the first arrival, and the start is a moment later"
        );
        assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
        let closed = slow.await.unwrap().unwrap_err();
        assert!(closed.0.contains("was ready too late"), "{closed:?}");
    });
}

#[test]
fn whoever_waits_waits_for_the_slow_and_not_for_who_left() {
    on_paused_time(async {
        let barrier = Barrier::new(3);
        let fast = comes(&barrier, 0, Duration::ZERO);
        let slow = comes(&barrier, 1, Duration::from_secs(900));
        drop(barrier.gate(2));
        let opening = barrier.run(Policy::Wait, PATIENCE).await;
        assert!(matches!(&opening, Opening::Start { members, .. } if *members == [0, 1]), "{opening:?}");
        assert!(slow.await.unwrap().is_ok() && fast.await.unwrap().is_ok());
    });
}

#[test]
fn nobody_starts_where_the_fleet_aborts() {
    on_paused_time(async {
        let barrier = Barrier::new(2);
        let waits = comes(&barrier, 0, Duration::ZERO);
        let slow = comes(&barrier, 1, PATIENCE * 3);
        assert_eq!(barrier.run(Policy::Abort, PATIENCE).await, Opening::Aborted(1));
        assert!(waits.await.unwrap().is_err() && slow.await.unwrap().is_err());
        let barrier = Barrier::new(2);
        drop(barrier.gate(1));
        assert_eq!(barrier.run(Policy::Abort, PATIENCE).await, Opening::Aborted(1));
        let barrier = Barrier::new(1);
        drop(barrier.gate(0));
        assert_eq!(barrier.run(Policy::LeaveOut, PATIENCE).await, Opening::Nobody);
    });
}
