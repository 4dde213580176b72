//! Guards requests and saves: verifies that this process still holds the run's lock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::ClusterError;

use bootstorm_model::observe::clock::{continuous_now, wall_now};

/// Lifetime of a lease without renewal.
pub(super) const DURATION: Duration = Duration::from_secs(60);

/// Known state of the lock
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing {
    /// Renewed by a request that was sent at that time.
    Held(Renewed),
    /// Another process has it, or it was taken away.
    Lost,
}

/// Time of the last renewal, on both clocks: after a suspension, or after its clock was set, a computer waits for the
/// next renewal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewed {
    steady: Duration,
    wall: Timestamp,
}

impl Renewed {
    pub(super) fn now() -> Self {
        Self { steady: continuous_now(), wall: wall_now() }
    }

    /// Whether no other process can have acquired the lock since.
    pub(super) fn is_fresh(self) -> bool {
        let passed = wall_now().duration_since(self.wall);
        continuous_now().saturating_sub(self.steady) < DURATION
            && passed < jiff::SignedDuration::try_from(DURATION).unwrap_or(jiff::SignedDuration::MAX)
    }
}

/// Check before everything that relies on the lock
#[derive(Debug, Clone)]
pub struct Guard {
    pub(super) standing: watch::Receiver<Standing>,
    /// Why the last renewal failed.
    pub(super) refused: Refused,
}

/// The error of the last renewal, shared with whoever renews; `None` once it succeeds
pub(super) type Refused = Arc<Mutex<Option<ClusterError>>>;

#[cfg(test)]
impl Guard {
    /// A guard of a lock that is held until the end of the test.
    pub(crate) fn held() -> Self {
        let (sender, receiver) = watch::channel(Standing::Held(Renewed::now()));
        std::mem::forget(sender);
        Self::of(receiver)
    }

    pub(super) fn of(standing: watch::Receiver<Standing>) -> Self {
        Self { standing, refused: Refused::default() }
    }

    /// Pretends that the last renewal failed.
    pub(crate) fn refuse(&self, why: ClusterError) {
        *self.refused.lock().unwrap() = Some(why);
    }
}

impl Guard {
    /// Why the lock could not be renewed the last time, if it could not.
    pub fn refused(&self) -> Option<ClusterError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the lock is certainly held. Returns false once it is lost. Cancel-safe.
    ///
    /// Waits while the lease cannot be renewed: another process may have it by now, or the cluster does not answer.
    pub async fn is_ours(&mut self) -> bool {
        loop {
            match *self.standing.borrow_and_update() {
                Standing::Lost => return false,
                Standing::Held(renewed) if renewed.is_fresh() => return true,
                Standing::Held(_) => {}
            }
            if self.standing.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Waits until the lock is lost. Cancel-safe.
    pub async fn lost(&mut self) {
        if self.standing.wait_for(|standing| matches!(standing, Standing::Lost)).await.is_err() {
            // It was released; the result is no longer relevant.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl Guard {
    /// A lock whose renewal is overdue, and its renewer.
    pub(crate) fn stale() -> (impl Sized, Self) {
        let fresh = Renewed::now();
        let old = Renewed { wall: fresh.wall - jiff::SignedDuration::from_secs(61), ..fresh };
        let (sender, receiver) = watch::channel(Standing::Held(old));
        (sender, Self::of(receiver))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(seconds: i64) -> Renewed {
        let fresh = Renewed::now();
        Renewed { wall: fresh.wall - jiff::SignedDuration::from_secs(seconds), ..fresh }
    }

    #[tokio::test]
    async fn a_stale_lock_is_waited_for_and_a_lost_one_is_not() {
        assert!(old(10).is_fresh() && old(-500).is_fresh() && !old(61).is_fresh());
        let (sender, receiver) = watch::channel(Standing::Held(old(61)));
        let mut guard = Guard::of(receiver);
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, guard.is_ours()).await.is_err(), "it waits for the renewal");
        sender.send(Standing::Held(Renewed::now())).unwrap();
        assert!(guard.is_ours().await);
        sender.send(Standing::Lost).unwrap();
        assert!(!guard.is_ours().await);
        guard.lost().await;
    }
}
