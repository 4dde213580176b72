//! The user's interrupt: how it is signalled, what may still be finished, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Time limit for an interrupted command to receive answers, save its state and release its lock.
pub const BUDGET: Duration = Duration::from_secs(20);

/// The user's interrupt, shared by everything that waits
#[derive(Debug, Clone)]
pub struct Interrupt {
    /// Time of the interrupt.
    since: watch::Receiver<Option<Instant>>,
    duties: Arc<AtomicUsize>,
}

/// Sending side of an interrupt
#[derive(Debug, Clone)]
pub struct Interrupter {
    since: watch::Sender<Option<Instant>>,
    duties: Arc<AtomicUsize>,
}

/// A duty that an interrupted process must finish, such as releasing a lock
#[derive(Debug)]
pub struct Duty(Arc<AtomicUsize>);

impl Drop for Duty {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Interrupter {
    /// Both sides.
    pub fn new() -> (Self, Interrupt) {
        let ((sender, receiver), duties) = (watch::channel(None), Arc::<AtomicUsize>::default());
        (Self { since: sender, duties: Arc::clone(&duties) }, Interrupt { since: receiver, duties })
    }

    /// Interrupts; a second call has no effect.
    pub fn interrupt(&self) {
        self.since.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Whether duties remain before the process may end.
    pub fn has_duties(&self) -> bool {
        self.duties.load(Ordering::Acquire) > 0
    }
}

impl Interrupt {
    /// A child interrupt for a part of the work, which also follows this one.
    pub fn part(&self) -> (Interrupter, Self) {
        let (sender, receiver) = watch::channel(*self.since.borrow());
        let duties = Arc::clone(&self.duties);
        (Interrupter { since: sender, duties: Arc::clone(&duties) }, Self { since: receiver, duties })
    }

    /// Whether the user interrupted.
    pub fn is_set(&self) -> bool {
        self.since.borrow().is_some()
    }

    /// Waits until the user interrupts. Cancel-safe.
    pub async fn wait(&mut self) {
        self.asked().await;
    }

    async fn asked(&mut self) -> Instant {
        let asked = self.since.wait_for(Option::is_some).await.ok().and_then(|since| *since);
        match asked {
            Some(asked) => asked,
            // No interrupt is possible any more.
            None => std::future::pending().await,
        }
    }

    /// Waits until the user has interrupted and [`BUDGET`] has passed since then. Cancel-safe.
    pub async fn spent(&mut self) {
        let asked = self.asked().await;
        sleep_until(asked + BUDGET).await;
    }

    /// Keeps the process from ending before the duty is dropped, unless the user interrupts twice or the cluster does
    /// not answer.
    #[must_use]
    pub fn duty(&self) -> Duty {
        self.duties.fetch_add(1, Ordering::AcqRel);
        Duty(Arc::clone(&self.duties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_budget_counts_from_the_first_wish() {
        let (interrupter, mut interrupt) = Interrupter::new();
        assert!(
            tokio::time::timeout(BUDGET * 10, interrupt.spent()).await.is_err(),
            "nobody has interrupted"
        );
        let began = Instant::now();
        interrupter.interrupt();
        tokio::time::sleep(BUDGET / 2).await;
        interrupter.interrupt();
        interrupt.clone().wait().await;
        interrupt.spent().await;
        assert_eq!(began.elapsed().as_secs(), BUDGET.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_shares_the_duties_and_not_the_wish() {
        let (interrupter, interrupt) = Interrupter::new();
        let (sub, part) = interrupt.part();
        let duty = part.duty();
        sub.interrupt();
        assert!(part.is_set() && !interrupt.is_set() && interrupter.has_duties());
        drop(duty);
        assert!(!interrupter.has_duties());
    }
}
