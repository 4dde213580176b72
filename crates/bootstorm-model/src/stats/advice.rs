//! Advice for a storm that is not good: the guide's hints for a bottleneck, and, for VMs that did not reach the goal,
//! remedies for the diagnosed cause (`stats::remedy`).
//!
//! | measurement | advice |
//! |---|---|
//! | VMs did not reach the goal | the remedy for each diagnosed cause, or none |
//! | a stretch or a node is the bottleneck ([`super::bottleneck`]) | the guide's hints for its kinds |
//! | 429 answers to at least one in ten of the storm's requests | the guide's hints for the hypervisor |
//!
//! If a bottleneck has two kinds, no measurement separates them. If nothing applies, there is no advice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Bottleneck, Diagnosis, remedy};
use crate::component::Layer;

/// Advice, with its evidence
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Its layer; absent if the cause belongs to none.
    #[serde(rename = "cause")]
    pub layer: Option<Layer>,
    /// Evidence, one sentence each.
    pub because: Vec<String>,
    /// Hints.
    pub hints: Vec<Cow<'static, str>>,
}

/// Symptoms of a storm
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Symptoms<'a> {
    /// The bottleneck, if there is one.
    pub bottleneck: Option<&'a Bottleneck>,
    /// Diagnoses of VMs that did not reach the goal.
    pub diagnoses: Vec<Diagnosis>,
    /// Requests sent.
    pub requests: u64,
    /// 429 answers among them.
    pub throttled: u64,
}

impl Advice {
    /// Advice for the symptoms: for VMs that did not reach the goal first, the most frequent cause before others.
    pub fn on(symptoms: &Symptoms<'_>) -> Vec<Self> {
        let mut all = of_diagnoses(&symptoms.diagnoses);
        let mut found: Vec<(Layer, String)> = Vec::new();
        // A bottleneck based on VMs that did not arrive is explained by their causes.
        if let Some(bottleneck) = symptoms.bottleneck.filter(|bottleneck| !bottleneck.stuck) {
            found.extend(bottleneck.layers.iter().map(|layer| (*layer, bottleneck.sentence.clone())));
        }
        found.extend(throttling(symptoms));
        for layer in Layer::ALL {
            let because = found.iter().filter(|(of, _)| *of == layer).map(|(_, sentence)| sentence.clone());
            let because: Vec<String> = because.collect();
            if !because.is_empty() {
                let hints = layer.hints().map(Cow::Borrowed).to_vec();
                all.push(Self { layer: Some(layer), because, hints });
            }
        }
        all
    }
}

/// Advice by cause; causes with the same advice are merged.
fn of_diagnoses(diagnoses: &[Diagnosis]) -> Vec<Advice> {
    let mut causes: BTreeMap<String, (usize, &Diagnosis)> = BTreeMap::new();
    for diagnosis in diagnoses {
        causes.entry(diagnosis.to_string()).or_insert((0, diagnosis)).0 += 1;
    }
    let mut causes: Vec<(String, (usize, &Diagnosis))> = causes.into_iter().collect();
    causes.sort_by_key(|(_, (vms, _))| std::cmp::Reverse(*vms));
    let mut all: Vec<(&'static remedy::Remedy, Vec<String>)> = Vec::new();
    for (cause, (vms, diagnosis)) in causes {
        let sentence = format!("{vms} {}: {cause}", if vms == 1 { "VM" } else { "VMs" });
        for remedy in remedy::all(diagnosis) {
            match all.iter_mut().find(|(known, _)| *known == remedy) {
                Some((_, because)) => because.push(sentence.clone()),
                None => all.push((remedy, vec![sentence.clone()])),
            }
        }
    }
    let advice = |(remedy, because): (&'static remedy::Remedy, _)| Advice {
        layer: remedy.layer,
        because,
        hints: remedy.hints.iter().map(|hint| Cow::Borrowed(*hint)).collect(),
    };
    all.into_iter().map(advice).collect()
}

fn throttling(symptoms: &Symptoms<'_>) -> Option<(Layer, String)> {
    let much = symptoms.throttled > 0 && symptoms.throttled * 10 >= symptoms.requests;
    let sentence =
        format!("{} of {} requests were answered 429, too many", symptoms.throttled, symptoms.requests);
    much.then_some((Layer::Hypervisor, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;

    fn diagnosis(waits_for: Component, cause: &str) -> Diagnosis {
        Diagnosis { waits_for, cause: Some(cause.to_owned()) }
    }

    #[test]
    fn each_cause_has_its_own_advice_and_like_ones_share_it() {
        let no_label = diagnosis(
            Component::Scheduling,
            "FailedScheduling: node(s) didn't match Pod's node affinity/selector",
        );
        let crash = diagnosis(Component::Crashing, "CrashLoopBackOff: container compute exited with 1");
        let other = diagnosis(Component::Crashing, "CrashLoopBackOff: container compute exited with 2");
        let diagnoses = vec![crash, no_label.clone(), no_label, other];
        let advice = Advice::on(&Symptoms { diagnoses, ..Symptoms::default() });
        assert_eq!(advice.len(), 2);
        assert_eq!(
            advice[0].because,
            ["2 VMs: FailedScheduling: node(s) didn't match Pod's node affinity/selector"]
        );
        assert_eq!(advice[1].because.len(), 2);
        assert!(advice.iter().all(|advice| advice.layer.is_none()));
        let hints: String = advice.iter().flat_map(|advice| &advice.hints).map(AsRef::as_ref).collect();
        assert!(!hints.contains("worker nodes") && !hints.contains("KubeVirt settings"), "{hints}");
    }

    #[test]
    fn what_is_not_understood_gets_no_advice() {
        let diagnoses = vec![Diagnosis { waits_for: Component::Controller, cause: None }];
        assert_eq!(Advice::on(&Symptoms { diagnoses, ..Symptoms::default() }), []);
        assert_eq!(Advice::on(&Symptoms::default()), []);
    }

    #[test]
    fn throttling_is_named_from_one_in_ten_on() {
        let mut symptoms = Symptoms { requests: 100, throttled: 10, ..Symptoms::default() };
        assert_eq!(Advice::on(&symptoms)[0].layer, Some(Layer::Hypervisor));
        symptoms.throttled = 9;
        assert!(Advice::on(&symptoms).is_empty());
    }
}
