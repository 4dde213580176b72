//! What holds a storm up, as far as the data tells, and what the guide advises then.
//!
//! | what was measured | cause |
//! |---|---|
//! | VMs failed, and their reasons speak of it (see `WORDS` below) | storage, network, compute or hypervisor, as they say |
//! | a bottleneck is named ([`super::bottleneck`]) | its kinds |
//! | answers 429 were at least one in ten of the storm's requests | hypervisor |
//!
//! Where a bottleneck is of two kinds, nothing that was measured tells them apart. Nothing fits: no advice.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Bottleneck;

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

/// What was measured of a storm that may point to a cause
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Symptoms<'a> {
    /// What holds the storm up, where something does alone.
    pub bottleneck: Option<&'a Bottleneck>,
    /// Reasons of failures, with the number of VMs.
    pub reasons: Vec<(String, usize)>,
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
    pub fn on(symptoms: &Symptoms<'_>) -> Vec<Self> {
        let mut found = reasons(symptoms);
        if let Some(bottleneck) = symptoms.bottleneck {
            found.extend(bottleneck.causes.iter().map(|cause| (*cause, bottleneck.sentence.clone())));
        }
        found.extend(throttling(symptoms));
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

fn reasons(symptoms: &Symptoms<'_>) -> Vec<(Cause, String)> {
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

fn throttling(symptoms: &Symptoms<'_>) -> Option<(Cause, String)> {
    let much = symptoms.throttled > 0 && symptoms.throttled * 10 >= symptoms.requests;
    let sentence =
        format!("{} of {} requests were answered 429, too many", symptoms.throttled, symptoms.requests);
    much.then_some((Cause::Hypervisor, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(symptoms: &Symptoms<'_>) -> Vec<Cause> {
        Advice::on(symptoms).into_iter().map(|advice| advice.cause).collect()
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
        assert!(Advice::on(&Symptoms::default()).is_empty());
    }

    #[test]
    fn throttling_is_named_from_one_in_ten_on() {
        let mut symptoms = Symptoms { requests: 100, throttled: 10, ..Symptoms::default() };
        assert_eq!(causes(&symptoms), [Cause::Hypervisor]);
        symptoms.throttled = 9;
        assert!(Advice::on(&symptoms).is_empty());
    }
}
