//! The truth file: every change with the instant it became visible.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::value::{Value, json};

use super::kind::Kind;
use super::log::{Action, Entry};
use bootstorm_model::observe::clock::{monotonic_now, wall_now};
use bootstorm_model::platform::output::{self, Readers};

/// Maximum staleness of the file.
const FLUSH: Duration = Duration::from_millis(200);

/// Content of a line
#[derive(Debug)]
enum Subject {
    /// A change of an object; its text is made on the writer's thread.
    Change(&'static Kind, Arc<Entry>),
    /// An event that no object shows.
    Told(Value),
}

type Line = (i64, Subject);

/// Writes changes to a file on a separate thread, so that no writer of the store waits for a disk
#[derive(Debug)]
pub(super) struct Truth {
    sender: Option<Sender<Line>>,
    writer: Option<JoinHandle<()>>,
}

impl Truth {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(output::begin(path, Readers::Umask, is_truth, |_| Ok(()))?);
        let (sender, receiver) = mpsc::channel();
        let writer = std::thread::Builder::new().name("truth".to_owned()).spawn(move || {
            if let Err(error) = write_all(&receiver, file) {
                tracing::warn!(%error, "the truth file ends here");
            }
        })?;
        Ok(Self { sender: Some(sender), writer: Some(writer) })
    }

    /// Records a change at this instant; the text is made later, on the writer's thread.
    pub(super) fn record(&self, kind: &'static Kind, entry: &Arc<Entry>) {
        self.send(Subject::Change(kind, entry.clone()));
    }

    /// Records an event at this instant that changes no object.
    pub(super) fn tell(&self, what: Value) {
        self.send(Subject::Told(what));
    }

    fn send(&self, subject: Subject) {
        let at = wall_now().as_nanosecond() as i64;
        if let Some(sender) = &self.sender {
            // A writer that gave up has already reported it.
            let _ = sender.send((at, subject));
        }
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Whether a file begins like a truth file.
fn is_truth(begin: &[u8]) -> bool {
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Value>(line).is_ok_and(|line| line["at"].is_integer())
}

fn write_all(receiver: &Receiver<Line>, mut file: BufWriter<File>) -> io::Result<()> {
    let mut flushed = monotonic_now();
    loop {
        match receiver.recv_timeout(FLUSH) {
            Ok((at, Subject::Change(kind, entry))) => writeln!(file, "{}", line(at, kind, &entry))?,
            Ok((at, Subject::Told(mut what))) => {
                what["at"] = json!(at);
                writeln!(file, "{what}")?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return file.flush(),
        }
        if flushed.elapsed() >= FLUSH {
            file.flush()?;
            flushed = monotonic_now();
        }
    }
}

fn line(at: i64, kind: &Kind, entry: &Entry) -> Value {
    let object = entry.object.value();
    let status = &object["status"];
    let conditions = status["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    let mut line = json!({
        "at": at,
        "kind": kind.plural,
        "namespace": entry.object.namespace(),
        "name": entry.object.name(),
        "uid": entry.object.uid(),
        "action": match entry.action {
            Action::Added => "added",
            Action::Modified => "modified",
            Action::Deleted => "deleted",
        },
        "revision": entry.revision,
        "phase": status["phase"],
        "ready": ready.map(|condition| condition["status"] == "True"),
        "deleting": entry.object.is_deleting(),
    });
    if let Some(printable) = status.get("printableStatus") {
        line["printable_status"] = printable.clone();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_truth_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth");
        std::fs::write(&path, "my notes\n").unwrap();
        assert_eq!(Truth::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\n");
        std::fs::write(&path, "").unwrap();
        let truth = Truth::create(&path).unwrap();
        truth.tell(json!({"kind": "test"}));
        drop(truth);
        drop(Truth::create(&path).unwrap());
    }
}
