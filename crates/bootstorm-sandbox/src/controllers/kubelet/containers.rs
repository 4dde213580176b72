//! Containers with real work: processes of this machine, and simulated commands of Jobs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::value::Value;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::cluster::Cluster;
use super::super::jobs;
use super::super::network::PodNetwork;
use super::super::nodes::Node;
use super::status::{Ended, Happened};
use super::{PodWorker, status, told_to_end};
use crate::model::misbehaviour::{KILL, OUT_OF_MEMORY};
use crate::processes::logs::{LONGEST_LINE, Log};
use crate::processes::{PodFolder, Process, StartError};
use crate::programs::{self, Container, Image, Io, Programs, User};
use crate::store::Object;
use crate::store::kind::PODS;

/// Seconds between two attempts to create a container that refers to something missing (k8s: once per sync, estimate).
const CONFIG_AGAIN: f64 = 5.0;
/// Maximum pause before a restart, as a multiple of the first one (k8s: 10 s to 300 s).
const LONGEST_BACK_OFF: f64 = 30.0;
/// Number of these longest pauses for which a container must run to reset the back-off (k8s).
const GOOD_WHILE: f64 = 2.0;
/// Seconds that a container gets to end although its pod was deleted at once (k8s: 2 s).
const SHORTEST_GRACE: i64 = 2;
/// Exit codes after SIGTERM and after SIGKILL.
const TERMINATED: i32 = 143;
const KILLED: i32 = 137;

/// How containers are to end
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With SIGTERM.
    Terminate,
    /// With SIGKILL.
    Kill,
    /// Killed; the pod continues according to its restart policy.
    Crash {
        /// Whether for lack of memory.
        hungry: bool,
    },
}

impl End {
    /// Whether the pod is to end.
    fn is_final(wanted: Option<Self>) -> bool {
        matches!(wanted, Some(Self::Terminate | Self::Kill))
    }
}

/// Work of a container
#[derive(Debug, Clone)]
enum Deed {
    /// A program of this machine.
    Process(PathBuf),
    /// A command of the simulated shell.
    Simulated(Vec<String>),
    /// Nothing, until it has to end: a companion of a working container.
    Idle,
}

impl Ended {
    fn with(code: i32, message: String) -> Self {
        Self { code, reason: if code == 0 { "Completed" } else { "Error" }, message }
    }
}

/// One container of a pod, as seen by its task
struct Running {
    cluster: Arc<Cluster>,
    node: Arc<Node>,
    pod: Object,
    container: Value,
    deed: Deed,
    folder: Option<Arc<PodFolder>>,
    news: mpsc::UnboundedSender<(String, Happened)>,
    stop: watch::Receiver<Option<End>>,
}

impl PodWorker {
    /// Whether the containers of this pod do real work. Launchers and probers are simulated elsewhere.
    pub(super) fn acts(&self) -> bool {
        self.launcher.is_none() && self.containers("containers").iter().any(|one| self.deed(one).is_some())
    }

    fn containers(&self, list: &str) -> Vec<Value> {
        self.pod.value()["spec"][list].as_array().cloned().unwrap_or_default()
    }

    fn deed(&self, container: &Value) -> Option<Deed> {
        let image = container["image"].as_str().unwrap_or_default();
        if let Some(program) = self.cluster.processes.program(image) {
            return Some(Deed::Process(program));
        }
        self.pod.label(jobs::NAME)?;
        let words = ["command", "args"].map(|field| container[field].as_array().cloned().unwrap_or_default());
        let words = words.concat().iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Deed::Simulated(words))
    }

    /// Runs the containers until the pod has ended and is to be deleted.
    pub(super) async fn act(&mut self, changes: &mut watch::Receiver<()>) {
        let is_process = |one: &Value| matches!(self.deed(one), Some(Deed::Process(_)));
        let mut folder = None;
        if self.containers("containers").iter().any(is_process) {
            folder = match self.make_folder(changes).await {
                Some(folder) => Some(Arc::new(folder)),
                None => return,
            };
        }
        let mut is_good = true;
        for container in self.containers("initContainers") {
            is_good = is_good && self.run_all(&[container], folder.as_ref(), changes).await;
        }
        if is_good {
            self.write(status::initialized).await;
            let containers = self.containers("containers");
            is_good = self.run_all(&containers, folder.as_ref(), changes).await;
        }
        drop(folder);
        self.node_answers().await;
        self.write(|pod, stamp| status::over(pod, !is_good, stamp)).await;
        let (namespace, name) = (self.pod.namespace().to_owned(), self.pod.name().to_owned());
        let uid = self.pod.uid().to_owned();
        told_to_end(&self.cluster.store.clone(), &namespace, &name, &uid, changes).await;
    }

    /// Creates the folder of the pod, retrying while something is missing; `None` if the pod is to end meanwhile.
    async fn make_folder(&mut self, changes: &mut watch::Receiver<()>) -> Option<PodFolder> {
        loop {
            let pod = self.current().filter(|pod| !pod.is_deleting())?;
            let cluster = self.cluster.clone();
            match PodFolder::make(&cluster.processes, &cluster.store, pod.value()) {
                Ok(folder) => return Some(folder),
                Err(why) => self.warn("FailedMount", &why.0),
            }
            tokio::select! {
                () = cluster.clock.sleep(CONFIG_AGAIN) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Runs containers concurrently to their end; returns whether all succeeded.
    async fn run_all(
        &mut self,
        containers: &[Value],
        folder: Option<&Arc<PodFolder>>,
        changes: &mut watch::Receiver<()>,
    ) -> bool {
        let (news, mut heard) = mpsc::unbounded_channel();
        let (stop, stopping) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for container in containers {
            let is_init = status::is_init(self.pod.value(), container["name"].as_str().unwrap_or_default());
            let beside = if is_init { Deed::Simulated(Vec::new()) } else { Deed::Idle };
            let deed = self.deed(container).unwrap_or(beside);
            let running = Running {
                cluster: self.cluster.clone(),
                node: self.node.clone(),
                pod: self.pod.clone(),
                container: container.clone(),
                deed,
                folder: folder.cloned(),
                news: news.clone(),
                stop: stopping.clone(),
            };
            tasks.spawn(running.go_on());
        }
        drop(news);
        let mut deadline: Option<Instant> = None;
        let mut is_watched = true;
        let mut killed = self.kill_wanted();
        let mut codes = std::collections::BTreeMap::new();
        loop {
            if is_watched && let Some(grace) = self.grace_left() {
                let fresh = Instant::now() + Duration::from_secs(grace);
                if deadline.is_none() {
                    self.node_answers().await;
                    self.say_killing(containers);
                    stop.send_replace(Some(End::Terminate));
                }
                deadline = Some(deadline.map_or(fresh, |known| known.min(fresh)));
            }
            let is_late = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                happened = heard.recv() => {
                    let Some((name, happened)) = happened else { break };
                    if let Happened::Ended(ended) = &happened {
                        codes.insert(name.clone(), ended.code);
                    }
                    self.note(&name, &happened).await;
                }
                () = is_late => {
                    stop.send_replace(Some(End::Kill));
                    // Only its end is left to wait for.
                    is_watched = false;
                    deadline = None;
                }
                changed = changes.changed(), if is_watched => {
                    is_watched = changed.is_ok();
                    let wanted = self.kill_wanted();
                    if wanted.is_some() && wanted != killed && deadline.is_none() {
                        let hungry = wanted.as_deref() == Some(OUT_OF_MEMORY);
                        stop.send_replace(Some(End::Crash { hungry }));
                    }
                    killed = wanted;
                }
            }
        }
        codes.len() == containers.len() && codes.values().all(|code| *code == 0)
    }

    /// Real seconds left to a terminating pod; processes do not run faster in simulated time.
    fn grace_left(&self) -> Option<u64> {
        let Some(pod) = self.current() else { return Some(0) };
        let asked = pod.is_deleting().then(|| pod.value()["metadata"]["deletionGracePeriodSeconds"].as_i64());
        asked.map(|asked| asked.unwrap_or(30).max(SHORTEST_GRACE) as u64)
    }

    /// Annotation whose change kills the containers.
    fn kill_wanted(&self) -> Option<String> {
        self.current()?.value()["metadata"]["annotations"][KILL].as_str().map(str::to_owned)
    }

    fn say_killing(&self, containers: &[Value]) {
        for name in containers.iter().filter_map(|container| container["name"].as_str()) {
            self.say("Killing", &format!("Stopping container {name}"));
        }
    }

    async fn note(&mut self, container: &str, happened: &Happened) {
        self.node_answers().await;
        match happened {
            Happened::Started(_) => {
                self.say("Created", &format!("Created container: {container}"));
                self.say("Started", &format!("Started container {container}"));
            }
            Happened::Waits("CrashLoopBackOff", message) => {
                self.warn("BackOff", &format!("Back-off {}", message.trim_start_matches("back-off ")));
            }
            Happened::Waits(_, message) => self.warn("Failed", &format!("Error: {message}")),
            Happened::Ended(ended) if ended.reason == "StartError" => {
                self.warn("Failed", &format!("Error: {}", ended.message));
            }
            Happened::Ended(_) => {}
        }
        self.write(|pod, stamp| status::happened(pod, container, happened, stamp)).await;
    }
}

impl Running {
    fn name(&self) -> String {
        self.container["name"].as_str().unwrap_or_default().to_owned()
    }

    fn tell(&self, happened: Happened) {
        // A finished pod worker needs no news.
        let _ = self.news.send((self.name(), happened));
    }

    /// Runs the container, repeatedly if the pod requires that.
    async fn go_on(mut self) {
        let policy = self.pod.value()["spec"]["restartPolicy"].as_str().unwrap_or("Always").to_owned();
        let is_init = status::is_init(self.pod.value(), &self.name());
        let first = self.cluster.profile.kubelet.restart_back_off;
        let longest = first * LONGEST_BACK_OFF;
        let mut pause = 0.0;
        loop {
            let began = self.cluster.clock.now();
            let Some(ended) = self.once().await else { return };
            let code = ended.code;
            self.tell(Happened::Ended(ended));
            let again = match policy.as_str() {
                "Never" => false,
                "OnFailure" => code != 0,
                _ => !is_init || code != 0,
            };
            if !again || self.is_stopped() {
                return;
            }
            if self.cluster.clock.now() - began >= longest * GOOD_WHILE {
                pause = 0.0;
            }
            if pause > 0.0 {
                let (namespace, pod) = (self.pod.namespace(), self.pod.name());
                let message = format!(
                    "back-off {pause}s restarting failed container={} pod={pod}_{namespace}({})",
                    self.name(),
                    self.pod.uid()
                );
                self.tell(Happened::Waits("CrashLoopBackOff", message));
                if !self.rest(pause).await {
                    return;
                }
            }
            pause = (pause * 2.0).max(first).min(longest);
            self.node.up().await;
        }
    }

    fn is_stopped(&self) -> bool {
        End::is_final(*self.stop.borrow())
    }

    /// Waits this many simulated seconds; false if the pod is to end meanwhile.
    async fn rest(&mut self, seconds: f64) -> bool {
        let clock = self.cluster.clock;
        tokio::select! {
            () = clock.sleep(seconds) => {}
            _ = self.stop.wait_for(|wanted| End::is_final(*wanted)) => {}
        }
        !self.is_stopped()
    }

    /// One run of the container; `None` if it could not start before the pod was to end.
    async fn once(&mut self) -> Option<Ended> {
        match self.deed.clone() {
            Deed::Process(program) => self.process(&program).await,
            Deed::Simulated(words) => Some(self.simulated(Some(words)).await),
            Deed::Idle => Some(self.simulated(None).await),
        }
    }

    async fn process(&mut self, program: &std::path::Path) -> Option<Ended> {
        let mut process = loop {
            // Marked as seen: an earlier crash does not concern the run that begins now.
            if End::is_final(*self.stop.borrow_and_update()) {
                return None;
            }
            let (cluster, folder) = (self.cluster.clone(), self.folder.clone()?);
            let current = cluster.store.get(&PODS, self.pod.namespace(), self.pod.name())?;
            let started = Process::start(
                &cluster.processes,
                &cluster.store,
                cluster.clock,
                program,
                current.value(),
                &self.container,
                &folder,
            );
            match started {
                Ok(process) => break process,
                Err(StartError::Config(why)) => {
                    self.tell(Happened::Waits("CreateContainerConfigError", why.0));
                    if !self.rest(CONFIG_AGAIN).await {
                        return None;
                    }
                }
                Err(error) => {
                    let message = error.to_string();
                    return Some(Ended { code: 128, reason: "StartError", message });
                }
            }
        };
        self.tell(Happened::Started(Some(process.id())));
        let node = self.node.clone();
        let mut is_hungry = false;
        let code = loop {
            tokio::select! {
                code = process.wait() => break code,
                () = node.lost() => return Some(lost()),
                changed = self.stop.changed() => {
                    let how = *self.stop.borrow_and_update();
                    match how {
                        Some(End::Terminate) if changed.is_ok() => process.terminate(),
                        Some(End::Kill) if changed.is_ok() => process.kill(),
                        Some(End::Crash { hungry }) if changed.is_ok() => {
                            is_hungry = hungry;
                            process.kill();
                        }
                        // The pod worker has ended, and this task ends with it.
                        _ => return None,
                    }
                }
            }
        };
        let falls_back = self.container["terminationMessagePolicy"] == "FallbackToLogsOnError";
        let message = if falls_back && code != 0 { process.last_words() } else { String::new() };
        Some(if is_hungry && code == KILLED { starved() } else { Ended::with(code, message) })
    }

    async fn simulated(&mut self, words: Option<Vec<String>>) -> Ended {
        let image = self.container["image"].as_str().unwrap_or_default();
        let container = Container {
            tools: Image::of(image).tools(Duration::MAX),
            user: User::of(self.pod.value(), &self.container),
            dual_stack: false,
            machine: "x86_64",
            folders: Vec::new(),
            programs: (self.pod.uid().to_owned(), Programs::default()),
            network: Arc::new(PodNetwork::new(self.cluster.clone())),
            roll: self.cluster.dice.roll(self.pod.uid(), 0, "command"),
        };
        let log = self.cluster.processes.logs.begin(self.pod.uid(), &self.name());
        self.tell(Happened::Started(None));
        if End::is_final(*self.stop.borrow_and_update()) {
            return Ended::with(KILLED, String::new());
        }
        let (output, mut written) = mpsc::channel(16);
        // There is no standard input.
        let (_, stdin) = mpsc::channel(1);
        let run = async {
            match words {
                None => std::future::pending().await,
                Some(words) if words.is_empty() => 0,
                Some(words) => programs::run(&words, container, Io { stdin, output }).await,
            }
        };
        tokio::pin!(run);
        let (node, clock) = (self.node.clone(), self.cluster.clock);
        let mut lines = SimulatedLog { log, rest: Vec::new() };
        let ended = loop {
            tokio::select! {
                biased;
                Some((_, bytes)) = written.recv() => lines.write(clock.wall(), &bytes),
                code = &mut run => break Ended::with(code, String::new()),
                () = node.lost() => break lost(),
                _ = self.stop.changed() => {
                    let how = *self.stop.borrow_and_update();
                    break match how {
                        Some(End::Crash { hungry: true }) => starved(),
                        Some(End::Terminate) => Ended::with(TERMINATED, String::new()),
                        _ => Ended::with(KILLED, String::new()),
                    };
                }
            }
        };
        while let Ok((_, bytes)) = written.try_recv() {
            lines.write(clock.wall(), &bytes);
        }
        lines.end(clock.wall());
        ended
    }
}

/// Result of a container that exceeded its memory limit.
fn starved() -> Ended {
    Ended { code: KILLED, reason: "OOMKilled", message: String::new() }
}

/// Result of a container lost with its node (containerd: exit status 255).
fn lost() -> Ended {
    Ended { code: 255, reason: "Unknown", message: String::new() }
}

/// Output of a simulated command, split into lines
struct SimulatedLog {
    log: Log,
    rest: Vec<u8>,
}

impl SimulatedLog {
    fn write(&mut self, at: jiff::Timestamp, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.log.write(at, Bytes::from(line));
        }
    }

    fn end(self, at: jiff::Timestamp) {
        if !self.rest.is_empty() {
            self.log.write(at, Bytes::from(self.rest));
        }
        self.log.end();
    }
}
