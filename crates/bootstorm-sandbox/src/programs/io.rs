//! Standard streams of a command in a container.

use bytes::Bytes;
use tokio::sync::mpsc;

/// Output channel
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Standard input, output and error
#[derive(Debug)]
pub struct Io {
    /// Standard input; closed at its end.
    pub stdin: mpsc::Receiver<Bytes>,
    /// Standard output and error, in the order of writing.
    pub output: mpsc::Sender<(Channel, Bytes)>,
}

impl Io {
    /// Writes to standard output.
    pub async fn print(&self, text: &str) {
        self.write(Channel::Out, Bytes::copy_from_slice(text.as_bytes())).await;
    }

    /// Writes to standard error.
    pub async fn complain(&self, text: &str) {
        self.write(Channel::Err, Bytes::copy_from_slice(text.as_bytes())).await;
    }

    /// Writes bytes.
    pub async fn write(&self, channel: Channel, bytes: Bytes) {
        // Without a reader, the command is about to be dropped.
        let _ = self.output.send((channel, bytes)).await;
    }
}
