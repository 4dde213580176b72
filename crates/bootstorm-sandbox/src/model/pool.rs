//! A pool of equal slots for which waiters queue in order of arrival.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Slots that each serve one user at a time: a kubelet's pod starts, a registry pull, a clone in progress.
#[derive(Debug, Clone)]
pub struct Pool {
    places: Arc<Semaphore>,
}

/// A slot, released on drop.
#[derive(Debug)]
pub struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// A pool of `size` slots, at least one.
    pub fn new(size: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(size.max(1))) }
    }

    /// Waits for a slot; first come, first served.
    pub async fn enter(&self) -> Place {
        // The semaphore is never closed, so a permit always comes.
        Place { _permit: self.places.clone().acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SimClock;

    #[tokio::test(start_paused = true)]
    async fn those_who_find_no_place_wait() {
        let clock = SimClock::start(1.0);
        let pool = Pool::new(3);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let pool = pool.clone();
            tasks.spawn(async move {
                let _place = pool.enter().await;
                clock.sleep(2.0).await;
            });
        }
        tasks.join_all().await;
        assert!((clock.now() - 8.0).abs() < 0.05, "ten at three a time take four rounds: {}", clock.now());
    }
}
