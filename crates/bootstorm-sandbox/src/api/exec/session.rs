//! One command and its WebSocket, from the upgrade to the exit status.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::target::is_unplugged;
use super::upgrade::Socket;
use crate::programs::{self, Channel, Container, Io};
use crate::store::kind::{NODES, PODS};
use crate::store::{Object, Store};

/// The channels, by the first byte of a frame.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// Closes the channel that the next byte names; the fifth version of the protocol only.
const CLOSE: u8 = 255;
/// What a process is left with that was killed.
const KILLED: i32 = 137;
/// How long the client may take to close its side.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many pieces may wait on their way in or out.
const PIECES: usize = 64;

/// Which streams the client wants
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: Errors,
}

/// Where standard error goes
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errors {
    /// Nowhere.
    Lost,
    /// Into a channel of its own.
    Apart,
    /// Onto the terminal, with standard output.
    Terminal,
}

/// What one exec needs
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
    /// Runs the command and carries its streams.
    pub(super) async fn serve(mut self, socket: Socket) {
        let (mut sink, mut source) = socket.split();
        let (stdin, input) = mpsc::channel(PIECES);
        let (output, written) = mpsc::channel(PIECES);
        let stdin = self.wanted.stdin.then_some(stdin);
        let io = Io { stdin: input, output };
        let run = programs::run(&self.argv, self.container, io);
        let carry = carry(&mut sink, written, self.wanted);
        // The output ends when the command has, so all of it is sent before the status is.
        let work = async { tokio::join!(run, carry).0 };
        let code = tokio::select! {
            code = work => code,
            () = over(&self.store, &self.pod) => KILLED,
            () = unplugged(&self.store, &self.pod) => {
                // Nobody is there to say so: the connection stands, and nothing comes over it.
                tokio::select! {
                    _ = self.cuts.changed() => {}
                    _ = self.stop.changed() => {}
                    () = receive(&mut source, None, false) => {}
                }
                return;
            }
            // Whoever hangs up takes the command along.
            () = receive(&mut source, stdin, self.half_close) => return,
            // Dropped without a word, as by a proxy that restarts.
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

/// Sends what the command writes, until it has ended or the client is gone.
async fn carry(
    sink: &mut SplitSink<Socket, Message>,
    mut written: mpsc::Receiver<(Channel, Bytes)>,
    wanted: Wanted,
) {
    // An empty frame says that the connection stands, as the API server's own begins.
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

/// Hands on what the client sends; ends when it hangs up.
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

/// Ends when the pod's containers have been told to, or are gone.
async fn over(store: &Store, pod: &Object) {
    let alive = || {
        store.get(&PODS, pod.namespace(), pod.name()).is_some_and(|now| {
            let phase = now.value()["status"]["phase"].as_str();
            now.uid() == pod.uid() && !now.is_deleting() && !matches!(phase, Some("Succeeded" | "Failed"))
        })
    };
    loop {
        // The watch is open before the look, so nothing falls between them.
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

/// Ends when the node of a pod loses its power.
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

/// The exit status as the API server words it.
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
