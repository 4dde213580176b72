//! Output of containers, as kept by a kubelet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::lock;

/// Maximum number of bytes kept of one run of a container (k8s: `containerLogMaxSize`).
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// Maximum length of a line; a longer one is split (CRI: 16 KiB).
pub const LONGEST_LINE: usize = 16 * 1024;

/// One line, with its end if it has one
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Time of writing.
    pub at: Timestamp,
    /// Bytes.
    pub text: Bytes,
}

/// Output of one run of a container
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lines: Mutex<Lines>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    bytes: usize,
    /// Number of oldest lines dropped because of the limit.
    dropped: usize,
    ended: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self(Arc::new(Shared { lines: Mutex::default(), changed: watch::Sender::new(()) }))
    }
}

impl Log {
    /// Appends a line.
    pub fn write(&self, at: Timestamp, text: Bytes) {
        let mut lines = lock(&self.0.lines);
        lines.bytes += text.len();
        lines.kept.push_back(Line { at, text });
        while lines.bytes > MOST_BYTES
            && let Some(oldest) = lines.kept.pop_front()
        {
            lines.bytes -= oldest.text.len();
            lines.dropped += 1;
        }
        drop(lines);
        self.0.changed.send_replace(());
    }

    /// Marks the log as complete.
    pub fn end(&self) {
        lock(&self.0.lines).ended = true;
        self.0.changed.send_replace(());
    }

    /// Lines from this number on, the next number, and whether more may come.
    pub fn after(&self, number: usize) -> (Vec<Line>, usize, bool) {
        let lines = lock(&self.0.lines);
        let skip = number.saturating_sub(lines.dropped);
        let found = lines.kept.iter().skip(skip).cloned().collect();
        (found, lines.dropped + lines.kept.len(), !lines.ended)
    }

    /// Signals every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// The last lines, as for a termination message (k8s: 80 lines, 2048 bytes).
    pub fn tail(&self) -> String {
        let lines = lock(&self.0.lines);
        let mut bytes = 0;
        let fits = |line: &&Line| {
            bytes += line.text.len();
            bytes <= 2_048
        };
        let last: Vec<&Line> = lines.kept.iter().rev().take(80).take_while(fits).collect();
        last.iter().rev().map(|line| String::from_utf8_lossy(&line.text)).collect()
    }
}

/// UID of a pod, and the name of its container
type Owner = (Box<str>, Box<str>);

/// Logs of all containers, by UID of the pod and name of the container: the last two runs of each
#[derive(Debug, Clone, Default)]
pub struct Logs(Arc<Mutex<HashMap<Owner, VecDeque<Log>>>>);

impl Logs {
    /// The log of a new run of a container.
    pub fn begin(&self, pod: &str, container: &str) -> Log {
        let log = Log::default();
        let mut all = lock(&self.0);
        let runs = all.entry((pod.into(), container.into())).or_default();
        runs.push_front(log.clone());
        runs.truncate(2);
        log
    }

    /// The log of the last run, or of the one before.
    pub fn find(&self, pod: &str, container: &str, previous: bool) -> Option<Log> {
        lock(&self.0).get(&(pod.into(), container.into()))?.get(usize::from(previous)).cloned()
    }

    /// Removes the logs of a pod.
    pub fn forget(&self, pod: &str) {
        lock(&self.0).retain(|(owner, _), runs| {
            let keep = **owner != *pod;
            if !keep {
                runs.iter().for_each(Log::end);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn numbers_of_lines_hold_when_old_ones_are_dropped() {
        let log = Log::default();
        let text = Bytes::from(vec![b'x'; LONGEST_LINE]);
        let fitting = MOST_BYTES / LONGEST_LINE;
        for _ in 0..fitting + 3 {
            log.write(at(), text.clone());
        }
        let (lines, next, more) = log.after(0);
        assert_eq!((lines.len(), next, more), (fitting, fitting + 3, true));
        log.write(at(), Bytes::from_static(b"last\n"));
        log.end();
        let (lines, _, more) = log.after(next);
        assert_eq!((lines.len(), lines[0].text.as_ref(), more), (1, &b"last\n"[..], false));
    }

    #[test]
    fn the_last_two_runs_of_a_container_are_kept() {
        let logs = Logs::default();
        for run in ["one", "two", "three"] {
            logs.begin("uid", "c").write(at(), Bytes::from_static(run.as_bytes()));
        }
        let text = |previous| logs.find("uid", "c", previous).map(|log| log.tail());
        assert_eq!((text(false).as_deref(), text(true).as_deref()), (Some("three"), Some("two")));
        logs.forget("uid");
        assert!(logs.find("uid", "c", false).is_none());
    }
}
