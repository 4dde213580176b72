//! How long this machine kept a runnable thread waiting, so that time limits apply to our code alone.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bootstorm_model::observe::clock;

const TICK: Duration = Duration::from_millis(5);
/// Processes that have to be scheduled in turn between a guest's answer and the test: the prober, its reader, and the
/// commands that start a guest.
const TURNS: u32 = 4;

/// When a tick was late, and by how much
type Late = Mutex<Vec<(Instant, Duration)>>;

/// Fails if something exceeded its limit by more than the machine's delay.
#[track_caller]
pub(super) fn within(what: &str, from: Instant, to: Instant, limit: Duration) {
    let (delay, allowance) = (to - from, allowance(from));
    println!("{what}: {delay:?}");
    assert!(
        delay <= limit + allowance,
        "{what}: {delay:?}, more than {limit:?} and {allowance:?} of waiting"
    );
}

/// The machine's delay that may be part of a time measured since `since`.
pub(super) fn allowance(since: Instant) -> Duration {
    let late = ticks().lock().unwrap_or_else(PoisonError::into_inner);
    let worst = late.iter().filter(|(at, _)| *at >= since).map(|(_, by)| *by).max();
    TURNS * worst.unwrap_or_default()
}

/// Ticks from the first call on.
pub(super) fn watch() {
    ticks();
}

fn ticks() -> &'static Late {
    static TICKS: OnceLock<&'static Late> = OnceLock::new();
    TICKS.get_or_init(|| {
        let late: &'static Late = Box::leak(Box::default());
        thread::spawn(move || {
            loop {
                let before = clock::monotonic_now();
                thread::sleep(TICK);
                let now = clock::monotonic_now();
                let by = (now - before).saturating_sub(TICK);
                if by > TICK {
                    late.lock().unwrap_or_else(PoisonError::into_inner).push((now, by));
                }
            }
        });
        late
    })
}
