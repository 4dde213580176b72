//! Presence of `KubeVirt` and CDI, and the effect of their settings on results.

use super::{Findings, Problem, Wanted};
use crate::cluster::facts::KubeVirtState;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::sizing::Settings;

/// Oldest release against whose API this program was checked (major and minor).
///
/// Earlier ones are not known to lack anything required, but stopping and restarting passed through other states.
const OLDEST: (u32, u32) = (1, 0);

/// Judges the state; returns the settings that affect the sizes of VMs.
pub(super) fn judge(cluster: &Cluster, state: KubeVirtState, findings: &mut Findings) -> Settings {
    match state {
        KubeVirtState::Deployed { version, settings, limits, workers, generation, .. } => {
            let shown = version.as_deref().unwrap_or("of unknown version");
            findings.good.push(format!("KubeVirt {shown}"));
            if let Some((major, minor)) = version.as_deref().and_then(release).filter(|found| *found < OLDEST)
            {
                findings.warnings.push(format!(
                    "KubeVirt {major}.{minor} is older than {}.{}, the oldest that is supported",
                    OLDEST.0, OLDEST.1
                ));
            }
            if settings.emulation {
                findings.warnings.push(
                    "KubeVirt emulates its guests (useEmulation): they boot many times slower than with KVM"
                        .into(),
                );
            }
            findings.facts.kubevirt = version;
            findings.facts.kubevirt_generation = generation;
            findings.facts.rate_limits = limits;
            findings.facts.workers = workers;
            settings
        }
        KubeVirtState::Unfinished(phase) => {
            findings.problems.push(
                Problem::new(format!("KubeVirt is not deployed here, its phase is {phase}"))
                    .hint("see what it waits for: kubectl get kubevirt -A -o yaml"),
            );
            Settings::default()
        }
        KubeVirtState::Absent => {
            let problem = Problem::new("KubeVirt is not installed in this cluster")
                .because(format!("{} has no KubeVirt object", cluster.server()))
                .hint("choose another cluster with --context NAME")
                .hint("without a cluster, try: kubectl bootstorm run --sandbox --end 20");
            findings.problems.push(Problem { unavoidable: true, ..problem });
            Settings::default()
        }
    }
}

/// Release before which the UUID of a guest was derived from the name of its VM alone (major and minor).
const RANDOM_UUIDS: (u32, u32) = (1, 6);

/// Whether VMs of one name, in namespaces of their own, will have UUIDs of their own.
pub(super) fn check_uuids(wanted: &Wanted<'_>, findings: &mut Findings) {
    let version = findings.facts.kubevirt.as_deref();
    let is_older = version.and_then(release).is_some_and(|found| found < RANDOM_UUIDS);
    let given = &wanted.manifest["spec"]["template"]["spec"]["domain"]["firmware"]["uuid"];
    if !is_older || given.is_string() || wanted.plan.size() < 2 {
        return;
    }
    let targets = wanted.plan.targets();
    let mut names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        findings.warnings.push(
            "guests will share a SMBIOS UUID, which this KubeVirt derives from the name of the VM (1.6 and later do \
             not); for guests that depend on it, name VMs apart: --vm-name 'boot-storm-vm-{i}'"
                .into(),
        );
    }
}

/// Whether the disks that the VMs bring along can be created.
pub(super) async fn disks(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    let templates = wanted.manifest["spec"]["dataVolumeTemplates"].as_array();
    if templates.is_some_and(|templates| !templates.is_empty()) && !cluster.has_cdi().await? {
        findings.problems.push(
            Problem::new("CDI is not installed in this cluster")
                .because("the manifest has dataVolumeTemplates, and CDI creates their disks")
                .hint("install CDI, or choose a manifest with a container disk"),
        );
    }
    Ok(findings)
}

/// Major and minor of `v1.9.0`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::plan::{Plan, Template, source};

    #[test]
    fn older_releases_give_vms_of_one_name_one_uuid() {
        let template = Template::container_disk("x");
        let warned = |name: &str, version: &str| {
            let source = source::parse("blank").unwrap().shown;
            let plan = Plan::resolve("p", 1, 2, name, source).unwrap();
            let wanted = Wanted {
                plan: &plan,
                manifest: template.manifest(),
                run_id: None,
                fresh: true,
                via: None,
                disks: &[],
                beside: &[],
            };
            let mut findings = Findings::default();
            findings.facts.kubevirt = Some(version.into());
            check_uuids(&wanted, &mut findings);
            !findings.warnings.is_empty()
        };
        assert!(warned("vm", "v1.5.2") && warned("vm", "v1.0.0"));
        assert!(!warned("vm", "v1.6.0") && !warned("vm", "devel"));
    }

    #[test]
    fn releases_are_read() {
        assert_eq!(release("v1.9.0"), Some((1, 9)));
        assert_eq!(release("v0.59.2-dirty"), Some((0, 59)));
        assert_eq!(release("devel"), None);
        assert!(release("v0.59.0") < Some(OLDEST));
    }
}
