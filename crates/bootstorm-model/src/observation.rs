//! One kind of fact, whatever stream it comes from.

use serde::{Deserialize, Serialize};

use crate::observe::{Change, Instance, Launcher, Notice, Offset, Volume};
use crate::plan::Target;

/// What a stream is about
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamKind {
    /// A watch on `VirtualMachineInstances`.
    Instances,
    /// A watch on `DataVolumes`.
    Volumes,
    /// A watch on launcher pods.
    Pods,
    /// A watch on events.
    Events,
    /// The conversation with a prober pod.
    Prober,
}

impl StreamKind {
    /// The stream in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Instances => "the watch on instances",
            Self::Volumes => "the watch on disks",
            Self::Pods => "the watch on launcher pods",
            Self::Events => "the watch on events",
            Self::Prober => "the stream of a prober",
        }
    }
}

/// One of the streams of a phase
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// What it is about.
    pub kind: StreamKind,
    /// Which of its kind, from 0.
    pub number: u32,
}

impl Stream {
    /// A stream by kind and number.
    pub fn new(kind: StreamKind, number: usize) -> Self {
        Self { kind, number: u32::try_from(number).unwrap_or(u32::MAX) }
    }
}

/// Something that was observed
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where it comes from.
    pub stream: Option<Stream>,
    /// When this client received it.
    pub at: Offset,
    /// It came out of a list, or may have waited in a gap of the stream.
    pub late: bool,
    /// What it is.
    pub what: What,
}

/// What was observed
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An instance appeared, changed or went.
    Instance(Change),
    /// A disk appeared or changed.
    Volume(Volume),
    /// A launcher pod appeared, changed or went.
    Pod(Launcher),
    /// An event of Kubernetes.
    Notice(Notice),
    /// A prober got an answer to what it was asked under this id.
    Answer(u32),
    /// A prober cannot try what it was asked under this id, and why.
    Cannot(u32, String),
    /// A prober begins, and waits so many milliseconds between two attempts.
    Interval(u64),
    /// A prober is a neighbor of the guests on their network.
    Neighbor,
    /// A prober gave a sign of life that it was asked for at that time.
    Echo(Offset),
    /// The fate of a request.
    Request(u32, Request),
    /// The stream delivers nothing any more.
    GapOpened {
        /// When it last delivered.
        since: Offset,
        /// It ended as it was asked to, and is opened again at once.
        expected: bool,
        /// Why, as far as known.
        why: Option<String>,
    },
    /// The stream delivers again; what it missed follows.
    GapClosed,
    /// All instances that a stream covers, by a list of its own that was asked for at that time.
    Instances(Offset, Vec<Instance>),
    /// All disks that a stream covers, in the same way.
    Volumes(Offset, Vec<Volume>),
    /// A list failed that the tracker wanted.
    Unlisted,
    /// An object cannot be read, and whose it is as far as that is known.
    Unreadable(Option<Target>, String),
    /// Something that the user should know.
    Complaint(String),
}

/// What became of a request
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It is about to be written.
    Sent,
    /// An attempt failed, and is repeated.
    Repeated(String),
    /// It was accepted.
    Accepted {
        /// What it took.
        attempts: Attempts,
        /// UID of the VM that a create made.
        uid: Option<Box<str>>,
    },
    /// It is not repeated any more.
    Refused {
        /// What it took.
        attempts: Attempts,
        /// What the server, or the connection, said last.
        why: String,
        /// The server has certainly not carried it out.
        certain: bool,
    },
    /// It was not sent, and will not be.
    Skipped,
}

/// What it took to get a request accepted or refused
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Requests sent.
    pub sent: u32,
    /// Answers 429 among them.
    pub throttled: u32,
    /// Time spent waiting because of them.
    pub throttled_for: std::time::Duration,
}
