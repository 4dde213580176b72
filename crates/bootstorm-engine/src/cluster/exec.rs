//! A command in a pod, over one long-lived stream: lines in, lines out.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, GetParams};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::call::{built, on, path};
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::probe::lines::LineBuffer;

/// Time limit for the other end to accept a piece of data.
const SENDING: Duration = Duration::from_secs(10);
/// Buffer for unread lines on either side.
const BUFFER: usize = 256 * 1024;

/// Message of the server for a pod with several containers if none was named.
const UNNAMED: &str = "a container name must be specified";
/// Annotation by which kubectl selects a container.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Bytes read from a stream at once.
const READ: usize = 16 * 1024;

/// The lines of one output, of limited length
struct Lines {
    source: Box<dyn AsyncRead + Send + Unpin>,
    bytes: Vec<u8>,
    buffer: LineBuffer,
    /// Complete lines, each with the time of receipt of its end.
    ready: VecDeque<(Instant, String)>,
}

impl Lines {
    fn new(source: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self { source, bytes: vec![0; READ], buffer: LineBuffer::default(), ready: VecDeque::new() }
    }

    /// The next line; `None` when the stream has ended. Cancel-safe.
    async fn next(&mut self) -> Option<(Instant, String)> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            match self.source.read(&mut self.bytes).await {
                Ok(0) | Err(_) => return self.buffer.finish().map(|line| (monotonic_now(), line)),
                Ok(count) => {
                    let at = monotonic_now();
                    self.ready
                        .extend(self.buffer.push(&self.bytes[..count]).into_iter().map(|line| (at, line)));
                }
            }
        }
    }
}

/// A running command
pub struct LineStream {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: Lines,
    stderr: Lines,
    /// Completes with the command or its connection; a broken connection does not end the output by itself.
    end: BoxFuture<'static, Option<Status>>,
    /// Whether it has ended.
    ended: bool,
    /// Final status from the server.
    status: Option<Status>,
    _process: Option<AttachedProcess>,
}

impl Cluster {
    /// Runs a command in a container of a pod, or in its default one as selected by kubectl.
    ///
    /// Fails if the pod does not exist or does not run, or if this is not permitted.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
    ) -> Result<LineStream, ClusterError> {
        self.renew_when_expired().await;
        let generation = self.generation();
        let outcome = match self.exec_once(namespace, pod, container, command).await {
            Err(error) if error.kind == Kind::Credentials && self.renew_credentials(generation).await => {
                self.exec_once(namespace, pod, container, command).await
            }
            outcome => outcome,
        };
        match outcome {
            Err(error) if container.is_none() && error.to_string().contains(UNNAMED) => {
                let default = self.default_container(namespace, pod).await?;
                self.exec_once(namespace, pod, Some(&default), command).await
            }
            outcome => outcome,
        }
    }

    /// The container named in the pod's annotation, or its first.
    async fn default_container(&self, namespace: &str, pod: &str) -> Result<String, ClusterError> {
        let doing = "read the containers of the pod";
        let request = built(doing, on(&path("v1", Some(namespace), "pods")).get(pod, &GetParams::default()))?;
        let pod: Pod = self.call(doing, request).await?.object(doing)?;
        let named = pod.metadata.annotations.and_then(|mut all| all.remove(DEFAULT_CONTAINER));
        let first = || pod.spec.and_then(|spec| Some(spec.containers.into_iter().next()?.name));
        Ok(named.or_else(first).unwrap_or_default())
    }

    async fn exec_once(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
    ) -> Result<LineStream, ClusterError> {
        let doing = format!("run the probe in pod {namespace}/{pod}");
        let pods: Api<Pod> = Api::namespaced(self.transport().streams, namespace);
        let params = AttachParams { container: container.map(str::to_owned), ..AttachParams::default() }
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(BUFFER)
            .max_stdout_buf_size(BUFFER);
        let opening = pods.exec(pod, command, &params);
        let limit = self.opening_limit();
        let opened = tokio::time::timeout(limit, opening).await;
        let mut process = match opened {
            Ok(process) => process.map_err(|error| ClusterError::from_client(&doing, &error))?,
            Err(_) => {
                let message = format!("the stream was not opened in {}s", limit.as_secs_f64());
                return Err(ClusterError::new(&doing, Kind::TimedOut, message));
            }
        };
        let missing = || ClusterError::new(&doing, Kind::Other, "the stream lacks a channel");
        let stdin = Box::new(process.stdin().ok_or_else(missing)?);
        let stdout: Box<dyn AsyncRead + Send + Unpin> = Box::new(process.stdout().ok_or_else(missing)?);
        let stderr: Box<dyn AsyncRead + Send + Unpin> = Box::new(process.stderr().ok_or_else(missing)?);
        Ok(LineStream {
            stdin,
            stdout: Lines::new(stdout),
            stderr: Lines::new(stderr),
            end: process.take_status().ok_or_else(missing)?.boxed(),
            ended: false,
            status: None,
            _process: Some(process),
        })
    }
}

/// Output of a command
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// A line on standard output, and the time of its receipt.
    Line(Instant, String),
    /// A line on standard error.
    Error(String),
    /// The command ended, or its stream broke.
    Ended,
}

/// Writes everything, each piece within [`SENDING`]: an end that accepts nothing any more is lost, even if its
/// connection is alive.
async fn send(stdin: &mut (dyn AsyncWrite + Send + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    for piece in bytes.chunks(READ) {
        let sending = async {
            stdin.write_all(piece).await?;
            stdin.flush().await
        };
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        tokio::time::timeout(SENDING, sending).await.map_err(late)??;
    }
    Ok(())
}

impl LineStream {
    /// A stream whose other end is in this process.
    #[cfg(test)]
    pub(crate) fn of(stdin: tokio::io::DuplexStream, outputs: [tokio::io::DuplexStream; 2]) -> Self {
        let [stdout, stderr] = outputs.map(|output| Lines::new(Box::new(output)));
        let end = std::future::pending().boxed();
        Self { stdin: Box::new(stdin), stdout, stderr, end, ended: false, status: None, _process: None }
    }

    /// Runs a command on this computer; it ends with the stream.
    ///
    /// `doing` completes "failed to …".
    pub(crate) fn child(doing: &str, command: &[String]) -> Result<Self, ClusterError> {
        let failed = |why: String| ClusterError::new(doing, Kind::Other, why);
        let (program, arguments) = command.split_first().ok_or_else(|| failed("no command".to_owned()))?;
        let mut command = tokio::process::Command::new(program);
        // Ctrl-C is for this program, which ends the child.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("it has no pipes".to_owned()));
        };
        let end = async move {
            let _ = child.wait().await;
            None
        };
        Ok(Self {
            stdin: Box::new(stdin),
            stdout: Lines::new(Box::new(stdout)),
            stderr: Lines::new(Box::new(stderr)),
            end: end.boxed(),
            ended: false,
            status: None,
            _process: None,
        })
    }

    /// Sends text to its standard input.
    ///
    /// Fails if the stream is broken.
    pub async fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.send_bytes(text.as_bytes()).await
    }

    /// Sends bytes to its standard input.
    ///
    /// Fails if the stream is broken, or its other end accepts nothing for 10 s.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        send(&mut self.stdin, bytes).await
    }

    /// The next line. Cancel-safe.
    pub async fn next(&mut self) -> Out {
        tokio::select! {
            biased;
            line = self.stdout.next() => match line {
                Some((at, line)) => Out::Line(at, line),
                None => Out::Ended,
            },
            Some((_, line)) = self.stderr.next() => Out::Error(line),
            status = &mut self.end, if !self.ended => {
                (self.ended, self.status) = (true, status);
                Out::Ended
            }
        }
    }

    /// The server's reason for the end of the command, if it comes soon.
    pub async fn why(self) -> Option<String> {
        let status = if self.ended {
            self.status
        } else {
            tokio::time::timeout(Duration::from_secs(1), self.end).await.ok()?
        };
        status?.message.filter(|message| !message.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_that_takes_nothing_is_given_up() {
        let (mut ours, mut theirs) = tokio::io::duplex(READ / 2);
        let reading = async {
            let mut taken = vec![0; 4 * READ];
            theirs.read_exact(&mut taken).await.unwrap();
            taken
        };
        let bytes = vec![7; 4 * READ];
        let (sent, taken) = tokio::join!(send(&mut ours, &bytes), reading);
        assert!(sent.is_ok() && taken == bytes);
        let began = tokio::time::Instant::now();
        let error = send(&mut ours, &bytes).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed()), (std::io::ErrorKind::TimedOut, SENDING));
    }
}
