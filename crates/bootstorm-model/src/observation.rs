//! The one type for facts from any stream.

use serde::{Deserialize, Serialize};

use crate::observe::{Change, Instance, Launcher, Migration, Notice, Offset, Volume};
use crate::plan::Target;

/// Kind of a stream
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamKind {
    /// A watch on `VirtualMachineInstances`.
    Instances,
    /// A watch on `DataVolumes`.
    Volumes,
    /// A watch on `VirtualMachineInstanceMigrations`.
    Migrations,
    /// A watch on launcher pods.
    Pods,
    /// A watch on events.
    Events,
    /// The session with a prober pod.
    Prober,
}

impl StreamKind {
    /// Name for use in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Instances => "the watch on instances",
            Self::Volumes => "the watch on disks",
            Self::Migrations => "the watch on migrations",
            Self::Pods => "the watch on launcher pods",
            Self::Events => "the watch on events",
            Self::Prober => "the stream of a prober",
        }
    }
}

/// One of the streams of a phase
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// Kind.
    pub kind: StreamKind,
    /// Number within its kind, from 0.
    pub number: u32,
}

impl Stream {
    /// A stream by kind and number.
    pub fn new(kind: StreamKind, number: usize) -> Self {
        Self { kind, number: u32::try_from(number).unwrap_or(u32::MAX) }
    }
}

/// One observed fact
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its stream; absent for requests.
    pub stream: Option<Stream>,
    /// When this client received it.
    pub at: Offset,
    /// Whether it came from a list, or may have waited in a gap of the stream.
    pub late: bool,
    /// Kind.
    pub what: What,
}

/// Content of an observation
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An instance appeared, changed or disappeared.
    Instance(Change),
    /// A disk appeared or changed.
    Volume(Volume),
    /// A migration object appeared, changed or disappeared.
    Migration(Migration),
    /// A launcher pod appeared, changed or disappeared.
    Pod(Launcher),
    /// An event of Kubernetes.
    Notice(Notice),
    /// A prober received an answer for this id.
    Answer(u32),
    /// A continuously probed guest last answered this many milliseconds ago, and no longer answers or is no longer
    /// probed.
    Quiet(u32, u64),
    /// The guest answers again.
    Back {
        /// Id of the guest.
        id: u32,
        /// Milliseconds since the previous answer.
        gap: u64,
        /// Attempts in between that got no answer.
        lost: u32,
    },
    /// A prober that reports every answer has reported all of them up to this time.
    Told(Offset),
    /// A prober cannot probe this id, with the reason.
    Cannot(u32, String),
    /// A prober started, with its interval in milliseconds.
    Interval(u64),
    /// A prober is on the guests' own network link.
    Neighbor,
    /// A prober answered the echo that was requested at this time.
    Echo(Offset),
    /// The fate of a request.
    Request(u32, Request),
    /// The stream stopped delivering.
    GapOpened {
        /// Time of the last delivery.
        since: Offset,
        /// Whether it ended as requested and is reopened at once.
        expected: bool,
        /// Reason, if known.
        why: Option<String>,
    },
    /// The stream delivers again; missed changes follow.
    GapClosed,
    /// All instances that a stream covers, by a separate list requested at that time.
    Instances(Offset, Vec<Instance>, Vec<Target>),
    /// All disks that a stream covers, likewise.
    Volumes(Offset, Vec<Volume>),
    /// All migration objects that a stream covers, likewise.
    Migrations(Offset, Vec<Migration>),
    /// A list requested by the tracker failed.
    Unlisted,
    /// An object is unreadable, with its VM if known.
    Unreadable(Option<Target>, String),
    /// A warning for the user.
    Complaint(String),
}

/// Progress of a request
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// About to be written.
    Sent,
    /// An attempt failed and is retried.
    Repeated(String),
    /// Accepted.
    Accepted {
        /// Attempts made.
        attempts: Attempts,
        /// UID of the created object: the VM of a create, the migration object of a migration.
        uid: Option<Box<str>>,
    },
    /// Retries ended.
    Refused {
        /// Attempts made.
        attempts: Attempts,
        /// Last error.
        why: String,
        /// Whether the server has certainly not carried it out.
        certain: bool,
    },
    /// It will not be sent.
    Skipped,
}

/// Attempts until a request was accepted or refused
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Requests sent.
    pub sent: u32,
    /// 429 answers among them.
    pub throttled: u32,
    /// Time spent waiting because of 429 answers.
    pub throttled_for: std::time::Duration,
}
