//! One command and its WebSocket, from the upgrade to the exit status.

use std::time::Duration;

use crate::value::{Value, json};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::target::is_unplugged;
use super::upgrade::Socket;
use crate::programs::{self, Channel, Container, Io};
use crate::store::kind::{NODES, PODS};
use crate::store::{Object, Store};

/// Channels, by the first byte of a frame.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// Closes the channel named by the next byte; only in version 5 of the protocol.
const CLOSE: u8 = 255;
/// Exit code of a killed process.
const KILLED: i32 = 137;
/// Time limit for the client to close its side.
const FAREWELL: Duration = Duration::from_secs(2);
/// Maximum number of pieces in flight in either direction.
const PIECES: usize = 64;

/// Streams requested by the client
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: Errors,
}

/// Destination of standard error
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    /// Discarded.
    Lost,
    /// A separate channel.
    Apart,
    /// The terminal, with standard output.
    Terminal,
}

/// Context of one exec
pub(super) struct Session {
    pub(super) store: Store,
    pub(super) pod: Object,
    pub(super) cuts: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) wanted: Wanted,
    pub(super) half_close: bool,
    pub(super) argv: Vec<String>,
    pub(super) container: Container,
}

impl Session {
    /// Runs the command and transfers its streams.
    pub(super) async fn serve(mut self, socket: Socket) {
        let (mut sink, mut source) = socket.split();
        let (stdin, input) = mpsc::channel(PIECES);
        let (output, written) = mpsc::channel(PIECES);
        let stdin = self.wanted.stdin.then_some(stdin);
        let io = Io { stdin: input, output };
        let run = programs::run(&self.argv, self.container, io);
        let carry = carry(&mut sink, written, self.wanted);
        // The output ends when the command does, so all of it is sent before the status.
        let work = async { tokio::join!(run, carry).0 };
        let code = tokio::select! {
            code = work => code,
            () = over(&self.store, &self.pod) => KILLED,
            () = unplugged(&self.store, &self.pod) => {
                // A silent connection: it stays open, and nothing is sent.
                tokio::select! {
                    _ = self.cuts.changed() => {}
                    _ = self.stop.changed() => {}
                    () = receive(&mut source, None, false) => {}
                }
                return;
            }
            // The command ends when the client hangs up.
            () = receive(&mut source, stdin, self.half_close) => return,
            // Dropped without closing, as by a proxy that restarts.
            _ = self.cuts.changed() => return,
            _ = self.stop.changed() => return,
        };
        let farewell = async {
            let text = status(code).to_string();
            let sent = sink.send(frame(ERROR, text.as_bytes())).await;
            let end = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            if sent.is_ok() && sink.send(Message::Close(Some(end))).await.is_ok() {
                while let Some(Ok(_)) = source.next().await {}
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// Sends the output of the command, until it has ended or the client is gone.
async fn carry(
    sink: &mut SplitSink<Socket, Message>,
    mut written: mpsc::Receiver<(Channel, Bytes)>,
    wanted: Wanted,
) {
    // An empty frame shows that the connection is up, as the API server's own does.
    if sink.send(frame(if wanted.stdout { STDOUT } else { STDERR }, &[])).await.is_err() {
        return;
    }
    while let Some((channel, bytes)) = written.recv().await {
        let (number, asked) = match (channel, wanted.stderr) {
            (Channel::Err, Errors::Apart) => (STDERR, true),
            (Channel::Err, Errors::Lost) => continue,
            (Channel::Err, Errors::Terminal) | (Channel::Out, _) => (STDOUT, wanted.stdout),
        };
        if asked && sink.send(frame(number, &bytes)).await.is_err() {
            return;
        }
    }
}

/// Forwards the client's input; ends when it hangs up.
async fn receive(source: &mut SplitStream<Socket>, mut stdin: Option<mpsc::Sender<Bytes>>, half_close: bool) {
    while let Some(Ok(message)) = source.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return,
            _ => continue,
        };
        match bytes.first() {
            Some(&STDIN) if bytes.len() > 1 => {
                if let Some(sender) = &stdin
                    && sender.send(bytes.slice(1..)).await.is_err()
                {
                    stdin = None;
                }
            }
            Some(&CLOSE) if half_close && bytes.get(1) == Some(&STDIN) => stdin = None,
            _ => {}
        }
    }
}

/// Completes when the pod's containers are told to end, or are gone.
async fn over(store: &Store, pod: &Object) {
    let alive = || {
        store.get(&PODS, pod.namespace(), pod.name()).is_some_and(|now| {
            let phase = now.value()["status"]["phase"].as_str();
            now.uid() == pod.uid() && !now.is_deleting() && !matches!(phase, Some("Succeeded" | "Failed"))
        })
    };
    loop {
        // The watch is opened before the check, so that nothing falls between them.
        let Ok(mut changes) = store.watch(&PODS, Some(pod.namespace()), store.revision()) else { continue };
        loop {
            if !alive() {
                return;
            }
            if changes.next().await.is_err() {
                break;
            }
        }
    }
}

/// Completes when the node of a pod loses power.
async fn unplugged(store: &Store, pod: &Object) {
    loop {
        let Ok(mut changes) = store.watch(&NODES, None, store.revision()) else { continue };
        loop {
            if is_unplugged(store, pod) {
                return;
            }
            if changes.next().await.is_err() {
                break;
            }
        }
    }
}

fn frame(channel: u8, payload: &[u8]) -> Message {
    let mut bytes = BytesMut::with_capacity(payload.len() + 1);
    bytes.put_u8(channel);
    bytes.put_slice(payload);
    Message::Binary(bytes.freeze())
}

/// Exit status in the API server's words.
fn status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: command terminated with exit code {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
