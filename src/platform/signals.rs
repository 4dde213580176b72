//! Ctrl-C and similar signals: one ends the process gracefully, two end it at once.
//!
//! They are received on a separate thread, which neither a blocking read nor a busy runtime can delay.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bootstorm_engine::phases::interrupt::BUDGET;
use bootstorm_engine::phases::{Interrupt, Interrupter};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::monotonic_now;

use crate::console::{ColorChoice, Console};

/// Time that a process without pending work gets for its last message.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Maximum lifetime of the process after the first signal.
const AT_MOST: Duration = BUDGET.saturating_add(Duration::from_secs(6));
/// Polling interval.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time limit for writing the last line, which may have no reader.
const WRITING: Duration = Duration::from_millis(200);

/// Starts listening for signals.
///
/// A signal that was ignored when the process started, as by `nohup`, stays ignored.
pub fn listen() -> Interrupt {
    let (interrupter, interrupt) = Interrupter::new();
    let (ready, is_ready) = mpsc::channel();
    let watching = thread::Builder::new().name("signals".into()).spawn(move || watch(&interrupter, &ready));
    if watching.is_ok() {
        // If this fails, no handler is installed, and signals keep their default effect: they end the process.
        let _ = is_ready.recv();
    }
    interrupt
}

fn watch(interrupter: &Interrupter, ready: &mpsc::Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let mut signals = kinds::Signals::new();
        let _ = ready.send(());
        signals.next().await;
        interrupter.interrupt();
        tokio::select! {
            () = signals.next() => leave(None),
            failure = time_is_up(interrupter) => leave(Some(failure)),
        }
    });
}

/// Waits until an interrupted process has to be ended from outside; returns the final message.
async fn time_is_up(interrupter: &Interrupter) -> Failure {
    let began = monotonic_now();
    let mut free_since: Option<Instant> = None;
    while began.elapsed() < AT_MOST {
        free_since =
            if interrupter.has_duties() { None } else { free_since.or_else(|| Some(monotonic_now())) };
        if free_since.is_some_and(|since| since.elapsed() >= LAST_WORDS) {
            return Failure::interrupted("interrupted");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Failure::interrupted(format!("interrupted; it did not end within {}s and was aborted", AT_MOST.as_secs()))
        .hint("what was saved before is kept; run the same command again to continue")
}

#[expect(clippy::exit, reason = "the user asked for the end; nothing may delay it")]
fn leave(failure: Option<Failure>) -> ! {
    bootstorm_engine::children::end_all();
    if let Some(failure) = failure {
        let (sender, written) = mpsc::channel();
        let writing = thread::spawn(move || {
            Console::new(ColorChoice::Auto, true).fail(&failure);
            let _ = sender.send(());
        });
        let _ = written.recv_timeout(WRITING);
        drop(writing);
    }
    std::process::exit(Exit::Interrupted as i32)
}

#[cfg(unix)]
mod kinds {
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// The signals that end the process
    pub(super) struct Signals(Vec<Signal>);

    impl Signals {
        /// Signals that were not ignored when the process started.
        pub(super) fn new() -> Self {
            let ignored = ignored();
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let is_wanted = |kind: &SignalKind| ignored & (1 << (kind.as_raw_value() - 1)) == 0;
            Self(kinds.into_iter().filter(is_wanted).filter_map(|kind| signal(kind).ok()).collect())
        }

        /// Waits for the next one.
        pub(super) async fn next(&mut self) {
            std::future::poll_fn(|cx| {
                let came =
                    self.0.iter_mut().any(|signal| matches!(signal.poll_recv(cx), Poll::Ready(Some(()))));
                if came { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    /// Signals that this process ignores, one bit each; 0 if the system does not report them.
    fn ignored() -> u64 {
        mask(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// The set of ignored signals in the text of `/proc/PID/status`.
    fn mask(status: &str) -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_ignored_signals_are_read() {
            // SIGHUP is 1, SIGPIPE 13.
            assert_eq!(mask("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"), 0x1001);
            assert_eq!((mask(""), mask("SigIgn:\tzz")), (0, 0));
        }
    }
}

#[cfg(not(unix))]
mod kinds {
    /// The signals that end the process
    pub(super) struct Signals;

    impl Signals {
        pub(super) fn new() -> Self {
            Self
        }

        /// Waits for the next one.
        pub(super) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
