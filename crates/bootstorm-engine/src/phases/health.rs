//! How well this program keeps up while a phase runs, and whether the cluster stays the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Delays, Offset};
use bootstorm_model::platform::processor_time;
use bootstorm_model::record::{ClusterMark, Health};

/// Interval of the timer: often enough to catch a busy moment of some milliseconds, too seldom to matter.
const EVERY: Duration = Duration::from_millis(20);

/// Maximum number of timers delayed by one pause: an hour of them.
const MOST_HELD_UP: usize = 180_000;

/// Time limit for the final check of the cluster.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Measures until it ends or is dropped
pub(super) struct Checkup {
    cluster: Cluster,
    /// Measurements of earlier processes in the same phase.
    earlier: Option<Health>,
    before: ClusterMark,
    began: Instant,
    processor: Option<Duration>,
    retries: u32,
    timer: Arc<Mutex<Delays>>,
    task: JoinHandle<()>,
}

impl Drop for Checkup {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Checkup {
    /// Checks the cluster, and begins to measure.
    pub(super) async fn begin(cluster: &Cluster, earlier: Option<Health>) -> Self {
        let before = cluster.mark().await;
        let timer = Arc::new(Mutex::new(Delays::default()));
        // Earlier delays of the watch are irrelevant.
        cluster.forget_watch_delays();
        Self {
            cluster: cluster.clone(),
            earlier,
            before,
            began: monotonic_now(),
            processor: processor_time(),
            retries: cluster.retries(),
            task: tokio::spawn(sample(Arc::clone(&timer))),
            timer,
        }
    }

    /// Measurements so far, by all processes that worked on the phase.
    ///
    /// `stamps` is the delay of changes by the server's timestamps, in this process.
    pub(super) fn so_far(&self, stamps: &Delays) -> Health {
        let since = |now: Option<Duration>| {
            let taken = now?.saturating_sub(self.processor?);
            Some(Offset::ZERO.plus(taken))
        };
        let mut health = Health {
            processor: since(processor_time()),
            measured: Offset::ZERO.plus(elapsed_since(self.began)),
            timer: self.timer.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            watch: self.cluster.watch_delays(),
            stamps: stamps.clone(),
            processors: std::thread::available_parallelism().map_or(0, |n| n.get() as u32),
            retries: self.cluster.retries() - self.retries,
            clock: self.cluster.clock_difference(),
            before: Some(self.before.clone()),
            after: None,
        };
        if let Some(earlier) = &self.earlier {
            health.follow(earlier);
        }
        health
    }

    /// Final measurements; the cluster is checked once more, unless the program has to end.
    pub(super) async fn end(self, look: bool, stamps: &Delays) -> Health {
        let health = self.so_far(stamps);
        if !look {
            return health;
        }
        // The final state is worth a short wait, but not a silent cluster's.
        let after = tokio::time::timeout(LAST_LOOK, self.cluster.mark()).await.ok();
        Health { after, ..health }
    }
}

/// Records the lateness of a timer repeatedly.
///
/// A late timer stands for those that would have been requested meanwhile, each as late as it would have been: a pause
/// takes its share of the time, not of the samples ("coordinated omission", Gil Tene).
async fn sample(delays: Arc<Mutex<Delays>>) {
    loop {
        let due = monotonic_now() + EVERY;
        tokio::time::sleep_until(due.into()).await;
        let late = monotonic_now().saturating_duration_since(due);
        let mut delays = delays.lock().unwrap_or_else(PoisonError::into_inner);
        for late in lateness(late) {
            delays.add(Offset::ZERO.plus(late));
        }
    }
}

/// Lateness of each timer delayed by a pause of this length, the first one first.
fn lateness(longest: Duration) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(longest), |late| late.checked_sub(EVERY).filter(|late| !late.is_zero()))
        .take(MOST_HELD_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples this many times, while the same thread is repeatedly kept busy for that long.
    async fn sampled(busy: Duration) -> Delays {
        let delays = Arc::new(Mutex::new(Delays::default()));
        let task = tokio::spawn(sample(Arc::clone(&delays)));
        while delays.lock().unwrap().count < 10 {
            let until = monotonic_now() + busy;
            while monotonic_now() < until {
                std::hint::spin_loop();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        task.abort();
        let delays = delays.lock().unwrap();
        delays.clone()
    }

    #[test]
    fn a_pause_counts_for_every_timer_that_it_held_up() {
        let millis = |late: u64| -> Vec<u128> {
            lateness(Duration::from_millis(late)).map(|late| late.as_millis()).collect()
        };
        assert_eq!(millis(0), [0]);
        assert_eq!(millis(20), [20]);
        assert_eq!(millis(70), [70, 50, 30, 10]);
        assert_eq!(lateness(Duration::from_secs(86_400)).count(), MOST_HELD_UP);
    }

    #[test]
    fn a_pause_of_a_tenth_of_the_time_is_seen_at_the_99th_percentile() {
        let mut delays = Delays::default();
        let all = std::iter::repeat_n(Duration::ZERO, 450).chain(lateness(Duration::from_secs(1)));
        all.for_each(|late| delays.add(Offset::ZERO.plus(late)));
        assert!(delays.quantile(0.99) >= Some(Offset::from_seconds(0.7)), "{delays:?}");
        assert!(delays.quantile(0.5) <= Some(Offset::from_seconds(0.01)), "{delays:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_busy_program_is_late_and_an_idle_one_is_less_so() {
        let busy = sampled(Duration::from_millis(60)).await;
        assert!(busy.quantile(0.5) >= Some(Offset(20_000)), "{busy:?}");
        let idle = sampled(Duration::ZERO).await;
        assert!(idle.quantile(0.5) < busy.quantile(0.5), "{idle:?}");
    }
}
