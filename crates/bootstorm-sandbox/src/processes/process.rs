//! One run of a container as a process.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::value::Value;
use bootstorm_model::platform::processes::{exit_code, kill_group, lead_group, terminate};
use bytes::Bytes;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::environment::Environment;
use super::guard::Guard;
use super::logs::{LONGEST_LINE, Log};
use super::{PodFolder, Processes, Unresolved, image_name};
use crate::model::SimClock;
use crate::store::Store;

/// `PATH` of images that set none (OCI).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long output is read after the end: another process may hold the other end of the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Reason why a container did not start
#[derive(Debug, Error)]
pub enum StartError {
    /// A reference of its spec is missing; the kubelet retries.
    #[error(transparent)]
    Config(#[from] Unresolved),
    /// The program cannot be run.
    #[error(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: unable to start container process: exec: \"{program}\": {error}"
    )]
    Program {
        /// Program.
        program: String,
        /// System error.
        error: std::io::Error,
    },
}

/// A process that runs as a container; killed with its descendants on drop
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: u32,
    guard: Arc<Guard>,
    log: Log,
    readers: Vec<JoinHandle<()>>,
    has_ended: bool,
}

impl Process {
    /// Starts a container of a pod; its output goes to a new log.
    pub fn start(
        processes: &Processes,
        store: &Store,
        clock: SimClock,
        program: &Path,
        pod: &Value,
        container: &Value,
        folder: &PodFolder,
    ) -> Result<Self, StartError> {
        let failed = |error| StartError::Program { program: program.display().to_string(), error };
        let mut environment = Environment::default();
        let home = folder.home();
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        environment.set("PATH", PATH);
        environment.set("HOSTNAME", pod["spec"]["hostname"].as_str().unwrap_or(name));
        environment.set("HOME", home.to_string_lossy());
        environment.set("TMPDIR", home.to_string_lossy());
        folder.introduce(&mut environment);
        environment.add(store, pod, container)?;
        let words = |field: &str| {
            let list = container[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            list.map(|word| folder.translate(container, &environment.expand(word))).collect::<Vec<_>>()
        };
        let mut command = Command::new(program);
        if let Some((first, others)) = words("command").split_first() {
            // An image holds only the one program after which it is named.
            if first.rsplit('/').next() != Some(image_name(container["image"].as_str().unwrap_or_default())) {
                return Err(StartError::Program {
                    program: first.clone(),
                    error: std::io::Error::new(
                        std::io::ErrorKind::NotFound,
                        "executable file not found in $PATH",
                    ),
                });
            }
            command.args(others);
        }
        command.args(words("args"));
        command.env_clear().current_dir(&home);
        for (key, value) in environment.iter() {
            command.env(key, folder.translate(container, value));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        lead_group(&mut command);
        let guard = processes.guard().map_err(failed)?;
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(failed)?;
        let group = child.id().unwrap_or_default();
        guard.watch(group);
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let log = processes.logs.begin(uid, container["name"].as_str().unwrap_or_default());
        let mut readers = Vec::new();
        if let Some(output) = child.stdout.take() {
            readers.push(tokio::spawn(read(output, log.clone(), clock)));
        }
        if let Some(errors) = child.stderr.take() {
            readers.push(tokio::spawn(read(errors, log.clone(), clock)));
        }
        Ok(Self { child, group, guard, log, readers, has_ended: false })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.group
    }

    /// Sends SIGTERM, as to the first process of its container.
    pub fn terminate(&mut self) {
        if !self.has_ended && !terminate(self.group) {
            // If that is impossible, it is killed at once.
            let _ = self.child.start_kill();
        }
    }

    /// Kills it and its descendants at once.
    pub fn kill(&mut self) {
        if !self.has_ended && !kill_group(self.group) {
            // Without groups, only the process itself can be killed.
            let _ = self.child.start_kill();
        }
    }

    /// Waits for its end and returns the exit code; its descendants end with it. May be dropped and called again.
    pub async fn wait(&mut self) -> i32 {
        let code = self.child.wait().await.map_or(255, exit_code);
        if !self.has_ended {
            self.end();
            for reader in self.readers.drain(..) {
                let _ = tokio::time::timeout(LAST_WORDS, reader).await;
            }
            self.log.end();
        }
        code
    }

    /// The end of its output.
    pub fn last_words(&self) -> String {
        self.log.tail()
    }

    /// Ends what is left of the group. Its number is not reused while a member is left.
    fn end(&mut self) {
        kill_group(self.group);
        self.guard.forget(self.group);
        self.has_ended = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end();
            self.log.end();
        }
    }
}

/// Copies the output of a process into a log, line by line.
async fn read(from: impl AsyncRead + Unpin, log: Log, clock: SimClock) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let most = LONGEST_LINE as u64;
        match (&mut from).take(most).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => log.write(clock.wall(), Bytes::from(line)),
        }
    }
}
