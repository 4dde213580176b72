//! What holds a storm up, as far as the data tells, and what the guide advises then.
//!
//! | what was measured | cause |
//! |---|---|
//! | VMs failed, and their reasons speak of it (see `WORDS` below) | storage, network, compute or hypervisor, as they say |
//! | the mean grew at least half of its growth between `requested` and `pod` | hypervisor: the API, virt-api and virt-controller work there |
//! | … between `pod` and `scheduled` | compute and storage: pods are placed, volumes attached, containers started there |
//! | … between `scheduled` and `running` | hypervisor: virt-handler and libvirt start the domain there |
//! | … between `running` and `reachable`, and the guest agent was connected early | network |
//! | … between `running` and `reachable`, and the agent was as late | storage and compute: the guest boots there |
//! | … between `running` and `reachable`, without an agent | network and storage: nothing tells them apart |
//! | answers 429 were at least one in ten of the storm's requests | hypervisor |
//! | a node's mean is at least 1.5 times the median of the nodes' means, with three nodes, and three VMs on it | compute |
//!
//! The growth of stages is asked only where the ratio is not good, so that nobody tunes what is fast. Where a line names
//! two causes, nothing that was measured tells them apart, and the advice says so. Nothing fits: no advice.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::node;
use crate::observe::Milestone;

/// What may hold a storm up
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Disks are slow or volumes are not there.
    Storage,
    /// Guests run, and are not reached.
    Network,
    /// Nodes lack processors or memory.
    Compute,
    /// `KubeVirt`, the API in front of it, libvirt or QEMU.
    Hypervisor,
}

impl Cause {
    const ALL: [Self; 4] = [Self::Storage, Self::Network, Self::Compute, Self::Hypervisor];

    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Network => "network",
            Self::Compute => "compute",
            Self::Hypervisor => "hypervisor",
        }
    }

    /// What the guide advises.
    pub fn hints(self) -> [&'static str; 4] {
        match self {
            Self::Storage => [
                "Increase volume replication (Portworx)",
                "Use a faster storage tier",
                "Enable storage caching",
                "Distribute VMs across multiple storage pools",
            ],
            Self::Network => [
                "Check DHCP server capacity",
                "Verify network bandwidth",
                "Check for network congestion",
                "Review CNI plugin performance",
            ],
            Self::Compute => [
                "Add more worker nodes",
                "Increase node resources",
                "Review CPU/memory overcommit ratios",
                "Check for resource contention",
            ],
            Self::Hypervisor => [
                "Tune KubeVirt settings",
                "Adjust virt-launcher resources",
                "Review QEMU/KVM settings",
                "Check for I/O throttling",
            ],
        }
    }
}

/// A cause that the data supports
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The cause.
    pub cause: Cause,
    /// What speaks for it, one sentence each.
    pub because: Vec<String>,
    /// What the guide advises.
    pub hints: Vec<Cow<'static, str>>,
}

/// The mean of a stage in the baseline and in the storm, in seconds
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Where the stage begins.
    pub from: Milestone,
    /// Where it ends.
    pub to: Milestone,
    /// Mean in the baseline.
    pub before: f64,
    /// Mean in the storm.
    pub after: f64,
}

impl Growth {
    fn seconds(&self) -> f64 {
        self.after - self.before
    }
}

/// What was measured of a storm that may point to a cause
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Symptoms {
    /// Whether the storm took longer than it should.
    pub is_slow: bool,
    /// The stages that both phases went through.
    pub stages: Vec<Growth>,
    /// From running until the guest agent was connected, where agents were seen in both phases.
    pub agent: Option<Growth>,
    /// Whether the agent itself is the answer that counts as reachable.
    pub agent_decides: bool,
    /// Reasons of failures, with the number of VMs.
    pub reasons: Vec<(String, usize)>,
    /// Nodes, each with its arrived VMs and their mean.
    pub nodes: Vec<(String, usize, f64)>,
    /// Requests that were sent.
    pub requests: u64,
    /// Answers 429 among them.
    pub throttled: u64,
}

/// Words of reasons, in lower case, and what they speak of; the first that fits decides.
const WORDS: [(Cause, &[&str]); 4] = [
    (
        Cause::Storage,
        &[
            "failedmount",
            "failedattachvolume",
            "failedmapvolume",
            "multi-attach",
            "volume",
            "pvc",
            "datavolume",
            "i/o error",
            "storage",
        ],
    ),
    (
        Cause::Network,
        &["no answer", "no address", "failedcreatepodsandbox", "cni", "network", "dhcp", "unreachable"],
    ),
    (Cause::Compute, &["unschedulable", "insufficient", "enough memory", "enough cpu", "evicted", "oom"]),
    (
        Cause::Hypervisor,
        &["libvirt", "qemu", "virt-handler", "syncfailed", "launcher", "vmi failed", "crash"],
    ),
];

impl Advice {
    /// What the symptoms point to, in the order storage, network, compute, hypervisor.
    pub fn on(symptoms: &Symptoms) -> Vec<Self> {
        let mut found = reasons(symptoms);
        if symptoms.is_slow {
            found.extend(growth(symptoms));
        }
        found.extend(throttling(symptoms));
        found.extend(slow_node(symptoms));
        let because = |cause: Cause| {
            found.iter().filter(move |(of, _)| *of == cause).map(|(_, sentence)| sentence.clone()).collect()
        };
        let advice = |cause: Cause| Self {
            cause,
            because: because(cause),
            hints: cause.hints().map(Cow::Borrowed).to_vec(),
        };
        Cause::ALL.into_iter().map(advice).filter(|advice| !advice.because.is_empty()).collect()
    }
}

fn reasons(symptoms: &Symptoms) -> Vec<(Cause, String)> {
    let cause = |reason: &str| {
        let lower = reason.to_lowercase();
        let fits = |words: &&[&str]| words.iter().any(|word| lower.contains(word));
        WORDS.iter().find(|(_, words)| fits(words)).map(|(cause, _)| *cause)
    };
    let found = symptoms.reasons.iter().filter_map(|(reason, vms)| {
        let sentence = format!("{vms} {} failed with \"{reason}\"", if *vms == 1 { "VM" } else { "VMs" });
        Some((cause(reason)?, sentence))
    });
    found.collect()
}

/// The stage that took at least half of what was lost.
fn growth(symptoms: &Symptoms) -> Vec<(Cause, String)> {
    let whole: f64 = symptoms.stages.iter().map(Growth::seconds).filter(|seconds| *seconds > 0.0).sum();
    let section = |ends: &dyn Fn(&Growth) -> bool| -> Option<Growth> {
        let mut inside = symptoms.stages.iter().filter(|stage| ends(stage));
        let first = *inside.next()?;
        Some(inside.fold(first, |sum, next| Growth {
            from: sum.from,
            to: next.to,
            before: sum.before + next.before,
            after: sum.after + next.after,
        }))
    };
    let sections = [
        section(&|stage| stage.to <= Milestone::Pod),
        section(&|stage| stage.from >= Milestone::Pod && stage.to == Milestone::Scheduled),
        section(&|stage| stage.from >= Milestone::Scheduled && stage.to == Milestone::Running),
        section(&|stage| stage.from >= Milestone::Running && stage.to == Milestone::Reachable),
    ];
    let largest =
        sections.into_iter().flatten().find(|stage| stage.seconds() > 0.0 && stage.seconds() * 2.0 >= whole);
    let Some(stage) = largest else { return Vec::new() };
    let share = stage.seconds() / whole * 100.0;
    let grew = format!(
        "{share:.0} % of the growth lies between {} and {} ({:.2}s -> {:.2}s)",
        stage.from, stage.to, stage.before, stage.after
    );
    let said = |causes: &[Cause], what: &str| {
        causes.iter().map(|cause| (*cause, format!("{grew}: {what}"))).collect::<Vec<_>>()
    };
    match stage.to {
        Milestone::Scheduled => said(
            &[Cause::Storage, Cause::Compute],
            "pods are placed, volumes attached and containers started there; what was measured does not tell them apart",
        ),
        Milestone::Running => said(&[Cause::Hypervisor], "the domain is started there"),
        Milestone::Reachable => match symptoms.agent {
            _ if symptoms.agent_decides => {
                said(&[Cause::Storage, Cause::Compute], "the guests boot there, up to their agent")
            }
            Some(agent) if agent.seconds() * 2.0 < stage.seconds() => said(
                &[Cause::Network],
                &format!(
                    "the guests' agents were there {:.2}s after running, the answers were not",
                    agent.after
                ),
            ),
            Some(_) => {
                said(&[Cause::Storage, Cause::Compute], "the guests boot there, their agents were as late")
            }
            None => said(
                &[Cause::Storage, Cause::Network],
                "the guests boot and get their addresses there; guests with an agent would tell them apart",
            ),
        },
        _ => said(&[Cause::Hypervisor], "the API server, virt-api and virt-controller work there"),
    }
}

fn throttling(symptoms: &Symptoms) -> Option<(Cause, String)> {
    let much = symptoms.throttled > 0 && symptoms.throttled * 10 >= symptoms.requests;
    let sentence =
        format!("{} of {} requests were answered 429, too many", symptoms.throttled, symptoms.requests);
    much.then_some((Cause::Hypervisor, sentence))
}

fn slow_node(symptoms: &Symptoms) -> Option<(Cause, String)> {
    let known: Vec<_> = symptoms.nodes.iter().map(|(_, vms, mean)| (*vms, Some(*mean))).collect();
    let nodes = symptoms.nodes.iter().zip(node::against_the_middle(&known));
    let slow = nodes.filter_map(|(of, times)| Some((of, times.filter(|times| node::is_slow(*times))?)));
    let ((name, vms, mean), times) = slow.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let sentence = format!(
        "the {vms} VMs on {name} took {mean:.2}s in the mean, {times:.1} times as long as on the node in the middle ({:.2}s)",
        mean / times
    );
    Some((Cause::Compute, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Milestone::{Accepted, Agent, Instance, Pod, Reachable, Requested, Running, Scheduled};

    fn stages(after: [f64; 6]) -> Vec<Growth> {
        let ends = [Requested, Accepted, Instance, Pod, Scheduled, Running, Reachable];
        let pairs = ends.windows(2).zip(after);
        pairs.map(|(pair, after)| Growth { from: pair[0], to: pair[1], before: 1.0, after }).collect()
    }

    fn slow(after: [f64; 6]) -> Symptoms {
        Symptoms { is_slow: true, stages: stages(after), ..Symptoms::default() }
    }

    fn causes(symptoms: &Symptoms) -> Vec<Cause> {
        Advice::on(symptoms).into_iter().map(|advice| advice.cause).collect()
    }

    #[test]
    fn the_stage_that_grew_most_names_the_cause() {
        use Cause::{Compute, Hypervisor, Network, Storage};
        assert_eq!(causes(&slow([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])), [Hypervisor]);
        assert_eq!(causes(&slow([1.0, 1.0, 1.0, 9.0, 2.0, 1.0])), [Storage, Compute]);
        assert_eq!(causes(&slow([1.0, 1.0, 1.0, 1.0, 9.0, 2.0])), [Hypervisor]);
        assert_eq!(causes(&slow([1.0, 1.0, 1.0, 1.0, 2.0, 9.0])), [Storage, Network]);
    }

    #[test]
    fn agents_tell_the_guest_from_its_network() {
        let mut symptoms = slow([1.0, 1.0, 1.0, 1.0, 2.0, 9.0]);
        symptoms.agent = Some(Growth { from: Running, to: Agent, before: 0.8, after: 1.1 });
        assert_eq!(causes(&symptoms), [Cause::Network]);
        symptoms.agent = Some(Growth { from: Running, to: Agent, before: 0.8, after: 8.0 });
        assert_eq!(causes(&symptoms), [Cause::Storage, Cause::Compute]);
        symptoms.agent_decides = true;
        symptoms.agent = None;
        assert_eq!(causes(&symptoms), [Cause::Storage, Cause::Compute]);
    }

    #[test]
    fn without_a_clear_stage_or_slowness_nothing_is_guessed() {
        assert!(Advice::on(&slow([1.0, 1.0, 2.0, 2.0, 2.0, 2.0])).is_empty());
        assert!(Advice::on(&slow([1.0; 6])).is_empty());
        assert!(Advice::on(&Symptoms { is_slow: false, ..slow([1.0, 1.0, 1.0, 9.0, 1.0, 1.0]) }).is_empty());
        assert!(Advice::on(&Symptoms::default()).is_empty());
    }

    #[test]
    fn failures_speak_for_themselves() {
        let advised =
            |reason: &str| causes(&Symptoms { reasons: vec![(reason.to_owned(), 2)], ..Symptoms::default() });
        assert_eq!(advised("not running after 600s: FailedMount: timed out"), [Cause::Storage]);
        assert_eq!(advised("running, but no answer to ping after 600s"), [Cause::Network]);
        assert_eq!(advised("ErrorUnschedulable: 0/3 nodes have enough memory"), [Cause::Compute]);
        assert_eq!(advised("the VMI failed: launcher pod exited with code 1"), [Cause::Hypervisor]);
        assert!(advised("quota exceeded").is_empty());
    }

    #[test]
    fn a_slow_node_and_throttling_are_named() {
        let node = |name: &str, mean| (name.to_owned(), 5, mean);
        let mut symptoms = Symptoms {
            nodes: vec![node("a", 10.0), node("b", 11.0), node("c", 19.0)],
            ..Symptoms::default()
        };
        let advice = Advice::on(&symptoms);
        assert_eq!(advice[0].cause, Cause::Compute);
        assert!(advice[0].because[0].starts_with("the 5 VMs on c took 19.00s"), "{advice:?}");
        symptoms.nodes[2].2 = 15.0;
        (symptoms.requests, symptoms.throttled) = (100, 10);
        assert_eq!(causes(&symptoms), [Cause::Hypervisor]);
        symptoms.throttled = 9;
        assert!(Advice::on(&symptoms).is_empty());
    }
}
