//! A fleet: many clusters whose storms begin at one instant. Its record names the members; each member keeps its own
//! run.

pub mod merge;
pub mod pattern;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::observe::Offset;
use crate::record::{PhaseName, PhaseRecord};
use crate::stats::FirstRequest;

pub use merge::{Merged, Part};

/// Version of the stored format of a fleet's record
pub const FORMAT: u32 = 1;

/// Maximum number of members of a fleet
pub const MOST_MEMBERS: usize = 1_000;

/// Kind in the file of a fleet's record
const KIND: &str = "bootstorm-fleet";

/// Record of a fleet: its members, and the instants at which their storms began together
///
/// A local file. Measurements are in the record of each member's run, in its own cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetRecord {
    /// Kind of the file; the first field, so that it is found without reading the whole file.
    pub kind: String,
    /// Version of the stored format.
    pub format: u32,
    /// UUID of the fleet.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Time of its first use.
    pub created: Timestamp,
    /// Its members, in the order of the command line or of the fleet file.
    pub members: Vec<Member>,
    /// The instants at which storms of several members were released together, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<Start>,
}

/// One cluster of a fleet, with its run of the fleet
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Unique name in the fleet: the context, unless the fleet file gives another.
    pub name: String,
    /// Context of the kubeconfig.
    pub context: String,
    /// Kubeconfig, if the fleet file names one for this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// Address of the API server, without credentials; absent before the first connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// UID of the namespace `kube-system`, which identifies the cluster; absent if it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_uid: Option<String>,
    /// Namespace that holds the run's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Prefix of the run.
    pub prefix: String,
    /// UUID of the run; absent before setup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// VMs of the run; absent before setup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vms: Option<u32>,
    /// State of the member.
    #[serde(default)]
    pub state: MemberState,
    /// Reason for its failure or exclusion, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// State of a member of a fleet
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Nothing has been done yet.
    #[default]
    New,
    /// A command is working on it, or was killed while doing so.
    Working,
    /// The last command completed.
    Done,
    /// The last command was interrupted.
    Interrupted,
    /// The last command failed.
    Failed,
    /// The others continued without it.
    LeftOut,
    /// Everything its run created is deleted.
    Cleaned,
}

impl MemberState {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Working => "working",
            Self::Done => "done",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::LeftOut => "left-out",
            Self::Cleaned => "cleaned",
        }
    }
}

/// One instant at which storms of several members were released together
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Wall-clock time of the computer that released them.
    pub at: Timestamp,
    /// The members, by name.
    pub members: BTreeMap<String, Released>,
    /// Time between the first requests of the first and of the last cluster, in microseconds; absent until all are
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<Offset>,
}

/// A member's part in a start
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Its phase.
    pub phase: PhaseName,
    /// The common instant on the time axis of that phase, in microseconds on the one monotonic clock.
    pub zero: Offset,
}

impl FleetRecord {
    /// A new record.
    pub fn new(id: String, name: String, created: Timestamp) -> Self {
        let (kind, members, starts) = (KIND.to_owned(), Vec::new(), Vec::new());
        Self { kind, format: FORMAT, id, name, created, members, starts }
    }

    /// Whether a file with this beginning is the record of a fleet.
    pub fn begins(begin: &[u8]) -> bool {
        let text = String::from_utf8_lossy(begin);
        let mut words = text.split('"').filter(|word| !word.trim().is_empty());
        words.next().is_some_and(|word| word.trim() == "{")
            && words.next() == Some("kind")
            && words.next().is_some_and(|word| word.trim() == ":")
            && words.next() == Some(KIND)
    }

    /// Reads a stored record.
    ///
    /// Fails with a sentence if the file is of another kind, has a newer format, or is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if record.kind != KIND {
            return Err("it is not the record of a fleet".to_owned());
        }
        if record.format > FORMAT {
            return Err(format!("its format is {}, and this version knows {FORMAT}", record.format));
        }
        if record.members.len() > MOST_MEMBERS {
            return Err(format!("it has more than {MOST_MEMBERS} members"));
        }
        Ok(record)
    }

    /// The member with that name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The member with that name, for changes; adds a new one if there is none.
    pub fn member_mut(&mut self, name: &str) -> &mut Member {
        let at = self.members.iter().position(|member| member.name == name).unwrap_or_else(|| {
            self.members.push(Member { name: name.to_owned(), ..Member::default() });
            self.members.len() - 1
        });
        &mut self.members[at]
    }

    /// Records a joint release of members. A phase resumed after an interrupt keeps its first start, except for the
    /// members in `fresh`, which had sent nothing before.
    pub fn release(&mut self, at: Timestamp, released: BTreeMap<String, Released>, fresh: &[String]) {
        let known = |record: &Self, name: &String, of: &Released| {
            !fresh.contains(name) && record.start_of(name, of.phase).is_some()
        };
        let members: BTreeMap<String, Released> =
            released.into_iter().filter(|(name, of)| !known(self, name, of)).collect();
        for start in &mut self.starts {
            start.members.retain(|name, of| members.get(name).is_none_or(|new| new.phase != of.phase));
        }
        self.starts.retain(|start| !start.members.is_empty());
        if !members.is_empty() {
            self.starts.push(Start { at, members, skew: None });
        }
    }

    /// The start in which a phase of a member began, and the member's part in it.
    pub fn start_of(&self, member: &str, phase: PhaseName) -> Option<(&Start, Released)> {
        let part = |start: &Start| start.members.get(member).copied().filter(|of| of.phase == phase);
        self.starts.iter().rev().find_map(|start| Some((start, part(start)?)))
    }

    /// Records the skew of every start whose first requests are all known; `phase_of` finds a member's phase.
    pub fn note_skews<'a>(&mut self, phase_of: impl Fn(&str, PhaseName) -> Option<&'a PhaseRecord>) {
        for start in &mut self.starts {
            let first = |(name, of): (&String, &Released)| {
                Some(first_request(phase_of(name, of.phase)?)?.since(of.zero))
            };
            let firsts: Option<Vec<Offset>> = start.members.iter().map(first).collect();
            let Some(firsts) = firsts else { continue };
            let range = firsts.iter().min().zip(firsts.iter().max());
            start.skew = range.map(|(low, high)| high.since(*low));
        }
    }
}

/// Time at which the first request of a phase was written, on the phase's axis; `None` if none was or it is unknown.
pub fn first_request(phase: &PhaseRecord) -> Option<Offset> {
    FirstRequest::of(phase).at()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Milestone;
    use crate::record::{PhaseSettings, PhaseState};

    fn storm() -> PhaseName {
        "storm-1".parse().unwrap()
    }

    fn released(zeros: &[(&str, i64)]) -> BTreeMap<String, Released> {
        zeros
            .iter()
            .map(|(name, zero)| ((*name).to_owned(), Released { phase: storm(), zero: Offset(*zero) }))
            .collect()
    }

    fn fleet() -> FleetRecord {
        FleetRecord::new("id".into(), "fleet".into(), Timestamp::UNIX_EPOCH)
    }

    fn phase(first: i64) -> PhaseRecord {
        let mut phase = PhaseRecord::new(storm(), Timestamp::UNIX_EPOCH, PhaseSettings::default(), 2);
        phase.state = PhaseState::Done;
        phase.timelines[0].see(Milestone::Requested, Offset(first + 500));
        phase.timelines[1].see(Milestone::Requested, Offset(first));
        phase
    }

    #[test]
    fn a_stored_record_is_recognised_and_read_again() {
        let record = fleet();
        let bytes = serde_json::to_vec_pretty(&record).unwrap();
        assert!(FleetRecord::begins(&bytes));
        assert_eq!(FleetRecord::parse(&bytes), Ok(record.clone()));
        for other in [&b"{}"[..], b"", b"{\"format\": 1}", b"kind bootstorm-fleet"] {
            assert!(!FleetRecord::begins(other), "{}", String::from_utf8_lossy(other));
            assert!(FleetRecord::parse(other).is_err());
        }
        let newer = serde_json::to_vec(&FleetRecord { format: FORMAT + 1, ..record }).unwrap();
        assert_eq!(FleetRecord::parse(&newer), Err("its format is 2, and this version knows 1".to_owned()));
    }

    #[test]
    fn the_skew_is_between_the_first_requests_of_clusters_on_one_axis() {
        let mut record = fleet();
        record.release(Timestamp::UNIX_EPOCH, released(&[("a", 1_000_000), ("b", 7_000_000)]), &[]);
        // On their own axes the two begin at different times.
        let phases = BTreeMap::from([("a", phase(1_002_000)), ("b", phase(7_009_500))]);
        record.note_skews(|name, _| phases.get(name));
        assert_eq!(record.starts[0].skew, Some(Offset(7_500)));
        record.starts[0].skew = None;
        record.note_skews(|name, _| phases.get(name).filter(|_| name == "a"));
        assert_eq!(record.starts[0].skew, None, "what one cluster did is not known");
    }

    #[test]
    fn what_goes_on_keeps_its_start_and_what_had_sent_nothing_gets_a_new_one() {
        let mut record = fleet();
        let (first, later) = (Timestamp::UNIX_EPOCH, "1970-01-01T00:01:00Z".parse().unwrap());
        record.release(first, released(&[("a", 1), ("b", 2)]), &[]);
        record.release(
            later,
            released(&[("a", 60), ("b", 61), ("c", 62)]),
            &["b".to_owned(), "c".to_owned()],
        );
        let zero = |name: &str| record.start_of(name, storm()).map(|(start, of)| (start.at, of.zero.0));
        assert_eq!(zero("a"), Some((first, 1)));
        assert_eq!(zero("b"), Some((later, 61)));
        assert_eq!(zero("c"), Some((later, 62)));
        assert_eq!(record.starts.len(), 2);
    }
}
