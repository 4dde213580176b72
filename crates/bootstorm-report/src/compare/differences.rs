//! Differences between two runs that may explain a difference in their times.

use serde::Serialize;

use bootstorm_model::plan::TemplateSource;
use bootstorm_model::record::{PhaseKind, PhaseSettings, RunRecord};

/// Consequence of a difference between two runs
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The runs cannot be compared.
    Refused,
    /// The probes cannot be compared.
    NotProbed,
    /// It may explain a difference in time.
    Warned,
}

/// A difference between two runs
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Compared property.
    pub what: &'static str,
    /// Value in the baseline.
    pub baseline: String,
    /// Value in the candidate.
    pub candidate: String,
    /// Consequence.
    pub weight: Weight,
}

/// Every difference. Facts that a run does not know are not compared.
pub(super) fn all(first: &RunRecord, second: &RunRecord) -> Vec<Difference> {
    let (one, two) = (facts(first), facts(second));
    let differs = one.into_iter().zip(two).filter_map(|((what, weight, one), (_, _, two))| {
        let (baseline, candidate) = one.zip(two)?;
        (baseline != candidate).then_some(Difference { what, baseline, candidate, weight })
    });
    differs.collect()
}

fn facts(record: &RunRecord) -> Vec<(&'static str, Weight, Option<String>)> {
    let (plan, cluster) = (&record.plan, &record.facts);
    let probe = super::deciding(record).map_or_else(|| "none".to_owned(), |probe| probe.to_string());
    let number = |number: Option<usize>| number.map(|number| number.to_string());
    // Results of another tool have no request settings.
    let setting = |of: fn(&PhaseSettings) -> String| {
        let phase = record.last_of(PhaseKind::Storm).or(record.last_phase())?;
        (phase.settings.concurrency > 0).then(|| of(&phase.settings))
    };
    vec![
        ("number of VMs", Weight::Refused, Some(plan.size().to_string())),
        ("probe", Weight::NotProbed, Some(probe)),
        ("VM manifest", Weight::Warned, template(&plan.template)),
        ("kind of storm", Weight::Warned, setting(|settings| settings.kind.word().to_owned())),
        ("power switched", Weight::Warned, setting(|settings| format!("{:?}", settings.via).to_lowercase())),
        ("requests at once", Weight::Warned, setting(|settings| settings.concurrency.to_string())),
        (
            "time limit to Running",
            Weight::Warned,
            setting(|settings| format!("{}s", settings.timeout_seconds)),
        ),
        ("nodes", Weight::Warned, number(cluster.nodes)),
        ("nodes for VMs", Weight::Warned, number(cluster.schedulable_nodes)),
        ("Kubernetes", Weight::Warned, cluster.kubernetes.clone()),
        ("KubeVirt", Weight::Warned, cluster.kubevirt.clone()),
        ("kubectl-bootstorm", Weight::Warned, cluster.tool.clone()),
    ]
}

/// Source of the VMs: a file by its content, whatever its name is.
fn template(template: &TemplateSource) -> Option<String> {
    match template {
        TemplateSource::ContainerDisk { image } => Some(format!("built-in, {image}")),
        TemplateSource::File { sha256, .. } if sha256.is_empty() => None,
        TemplateSource::File { sha256, .. } => {
            Some(format!("sha256 {}", sha256.chars().take(12).collect::<String>()))
        }
        adopted @ (TemplateSource::Adopted { .. } | TemplateSource::Observed { .. }) => {
            Some(adopted.to_string())
        }
        source => Some(format!("built-in, {source}")),
    }
}
