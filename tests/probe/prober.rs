//! The script as a process in the prober's namespace.

use std::collections::HashMap;
use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bootstorm_model::observe::clock;
use bootstorm_model::probe::{Answer, Ask, Hello, Probe, SCRIPT, SCRIPT_NAME};

use super::namespace::Network;
use super::shell::Image;

/// How long anything may take before a test gives up
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks
const POLL: Duration = Duration::from_millis(20);

/// The number of processes when idle: the script, its watchdog, and the watchdog's sleep
pub(super) const IDLE: usize = 3;

/// A prober in its own process group, killed on drop
pub(super) struct Prober {
    child: Child,
    input: Option<ChildStdin>,
    answers: Option<Receiver<(Instant, Answer)>>,
}

/// A process of a prober's group
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) state: String,
    /// CPU time of the process and its reaped children, in seconds.
    cost: f64,
}

impl Process {
    /// The process of a folder in /proc, if it belongs to the group.
    fn of(folder: &Path, group: &str) -> Option<Self> {
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = tail.split(' ').collect();
        if fields[2] != group {
            return None;
        }
        // A child's time is in hundredths of a second, too coarse for a ping.
        let children: u64 = fields[13..15].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        let own = fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
        let own: f64 = own.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0.0);
        Some(Self {
            name: head.split_once('(')?.1.into(),
            state: fields[0].into(),
            cost: own / 1e9 + children as f64 / 100.0,
        })
    }
}

impl Prober {
    pub(super) fn new(network: &Network, image: &Image) -> Self {
        Self::of(SCRIPT, network, image)
    }

    /// A prober whose output is read line by line.
    pub(super) fn of(script: &str, network: &Network, image: &Image) -> Self {
        Self::mute(script, network, image).read()
    }

    /// A prober that is an arbitrary command.
    pub(super) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Self { child, input, answers: None }
    }

    /// Starts to read its output.
    pub(super) fn read(self) -> Self {
        let mut prober = self;
        let output = prober.child.stdout.take().unwrap();
        let (sender, answers) = channel();
        thread::spawn(move || {
            // A shell's messages about a program may not be valid text.
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if let Some(answer) = Answer::parse(&String::from_utf8_lossy(&line))
                    && sender.send((clock::monotonic_now(), answer)).is_err()
                {
                    break;
                }
            }
        });
        prober.answers = Some(answers);
        prober
    }

    /// A prober whose output is not read yet.
    pub(super) fn mute(script: &str, network: &Network, image: &Image) -> Self {
        let mut command = network.command(&image.shell());
        Self::spawn(command.args(["-c", script, SCRIPT_NAME, "0.2"]).env("PATH", image.path()))
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(super) fn write(&mut self, line: &str) {
        self.write_bytes(line.as_bytes());
    }

    pub(super) fn ask(&mut self, ask: &Ask) {
        self.write(&ask.to_string());
    }

    pub(super) fn add(&mut self, id: u32, probe: Probe, address: IpAddr) {
        self.ask(&Ask::Add { id, probe, address, is_kept: false });
    }

    pub(super) fn keep(&mut self, id: u32, probe: Probe, address: IpAddr) {
        self.ask(&Ask::Add { id, probe, address, is_kept: true });
    }

    /// The next line that is an answer.
    #[track_caller]
    pub(super) fn next(&self) -> (Instant, Answer) {
        self.answers.as_ref().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// All unread answers.
    pub(super) fn rest(&self) -> Vec<Answer> {
        self.answers.as_ref().unwrap().try_iter().map(|(_, answer)| answer).collect()
    }

    #[track_caller]
    pub(super) fn hello(&self) -> Hello {
        self.greeting().0
    }

    /// Its greeting: its capabilities, and the answers before it.
    #[track_caller]
    pub(super) fn greeting(&self) -> (Hello, Vec<Answer>) {
        let mut before = Vec::new();
        loop {
            match self.next().1 {
                Answer::Hello(hello) => return (hello, before),
                other => before.push(other),
            }
        }
    }

    /// Waits until this many targets answered; returns when each first did.
    #[track_caller]
    pub(super) fn reached(&self, number: usize) -> HashMap<u32, Instant> {
        let mut reached = HashMap::new();
        while reached.len() < number {
            if let (at, Answer::Reached(id)) = self.next() {
                reached.entry(id).or_insert(at);
            }
        }
        reached
    }

    /// Waits for an echo: all earlier requests are in progress.
    #[track_caller]
    pub(super) fn sync(&mut self, token: u64) -> Vec<Answer> {
        self.ask(&Ask::Echo(token));
        let mut before = Vec::new();
        loop {
            match self.next().1 {
                Answer::Echo(back) if back == token => return before,
                answer => before.push(answer),
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.input = None;
    }

    pub(super) fn stop_reading(&mut self) {
        drop(self.child.stdout.take());
    }

    pub(super) fn terminate(&self) {
        kill("TERM", &self.child.id().to_string());
    }

    /// The group's live processes.
    pub(super) fn alive(&self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.state != "Z").collect()
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.alive().iter().filter(|process| process.name == name).count()
    }

    /// The group's CPU time so far, in seconds.
    pub(super) fn cost(&self) -> f64 {
        self.processes().iter().map(|process| process.cost).sum()
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        let group = self.child.id().to_string();
        fs::read_dir("/proc").unwrap().filter_map(|entry| Process::of(&entry.ok()?.path(), &group)).collect()
    }

    /// Waits until the whole group has exited, the script first.
    #[track_caller]
    pub(super) fn ends(&mut self) {
        until_none_left("the group is over", || {
            let _ = self.child.try_wait();
            self.alive()
        });
    }
}

impl Prober {
    /// The same after [`Prober::stop_reading`], with an echo asked for once a second: a process that another test is
    /// just starting has the reading end, too, until it is replaced by its program.
    #[track_caller]
    pub(super) fn ends_when_it_speaks(&mut self) {
        let mut asked: Option<Instant> = None;
        until_none_left("the group is over", || {
            if asked.is_none_or(|asked| asked.elapsed() >= Duration::from_secs(1)) {
                asked = Some(clock::monotonic_now());
                // It may have ended already.
                let _ = self.input.as_mut().unwrap().write_all(b"e 1\n");
            }
            let _ = self.child.try_wait();
            self.alive()
        });
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if !self.alive().is_empty() {
            kill("KILL", &format!("-{}", self.child.id()));
        }
        let _ = self.child.wait();
    }
}

/// Polls for a condition that is not signalled.
#[track_caller]
pub(super) fn until(what: &str, mut happened: impl FnMut() -> bool) -> Duration {
    let begin = clock::monotonic_now();
    until_none_left(what, || if happened() { Vec::new() } else { vec![what] });
    begin.elapsed()
}

/// Polls until nothing is left, and names what is left if that takes too long.
#[track_caller]
fn until_none_left<T: Debug>(what: &str, mut left: impl FnMut() -> Vec<T>) {
    let begin = clock::monotonic_now();
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}; left: {left:?}");
        thread::sleep(POLL);
    }
}

fn kill(signal: &str, whom: &str) {
    let _ = Command::new("kill").args(["-s", signal, "--", whom]).status();
}
