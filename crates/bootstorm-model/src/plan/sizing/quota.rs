//! Whether a quota leaves enough for a VM.

use std::fmt;

use serde_json::Value;

use super::needs::Needs;
use super::quantity::{Amounts, Quantity};

/// Ratio of memory limit to request that `KubeVirt` gives a launcher if a quota demands a limit.
const MEMORY_LIMIT_RATIO: u64 = 2;
/// Scopes that match a launcher pod.
const SCOPES: [&str; 2] = ["NotTerminating", "NotBestEffort"];

/// A `ResourceQuota`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Maximum amounts.
    pub hard: Amounts,
    /// Amounts in use.
    pub used: Amounts,
    /// Scopes of the objects that it counts; empty means all objects.
    pub scopes: Vec<String>,
}

/// A resource of which a quota leaves too little
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Resource, as the quota names it.
    pub resource: String,
    /// Maximum amount.
    pub hard: Quantity,
    /// Amount in use.
    pub used: Quantity,
    /// Amount that the VMs need.
    pub needed: Quantity,
    /// Number of VMs.
    pub vms: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, hard, used, needed, vms } = self;
        write!(f, "{resource} is limited to {hard}, {used} used, ")?;
        match vms {
            1 => write!(f, "the VM needs {needed}"),
            vms => write!(f, "its {vms} VMs need {needed}"),
        }
    }
}

impl Quota {
    /// Shortages for this number of VMs; empty if they fit.
    pub fn shortages(&self, vms: u64, needs: Option<&Needs>, manifest: &Value) -> Vec<Shortage> {
        if !self.scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
            return Vec::new();
        }
        let is_short = |(resource, hard): (&String, &Quantity)| {
            let needed = demand(resource, needs, manifest)?.times(vms);
            let used = self.used.get(resource).copied().unwrap_or_default();
            let short = !needed.is_zero() && used + needed > *hard;
            short.then(|| Shortage { resource: resource.clone(), hard: *hard, used, needed, vms })
        };
        self.hard.iter().filter_map(is_short).collect()
    }
}

/// Amount of a quota's resource that a VM needs; `None` if unknown.
fn demand(resource: &str, needs: Option<&Needs>, manifest: &Value) -> Option<Quantity> {
    let one = Quantity::whole(1);
    let disks = manifest["spec"]["dataVolumeTemplates"].as_array().map_or(&[][..], Vec::as_slice);
    Some(match resource {
        "pods" | "count/pods" => one,
        "count/virtualmachines.kubevirt.io" | "count/virtualmachineinstances.kubevirt.io" => one,
        "persistentvolumeclaims" | "count/persistentvolumeclaims" | "count/datavolumes.cdi.kubevirt.io" => {
            one.times(disks.len() as u64)
        }
        "requests.storage" => disks.iter().map(storage).fold(Quantity::ZERO, |sum, size| sum + size),
        "limits.cpu" | "limits.memory" => limit(resource.trim_start_matches("limits."), needs?),
        "limits.ephemeral-storage" => needs?.limits().get("ephemeral-storage").copied()?,
        _ => {
            let plain = resource.strip_prefix("requests.").unwrap_or(resource);
            needs?.requests().get(plain).copied()?
        }
    })
}

/// Size of a disk that a VM brings along.
pub(super) fn storage(template: &Value) -> Quantity {
    let sizes = ["storage", "pvc"]
        .map(|kind| Quantity::of(&template["spec"][kind]["resources"]["requests"]["storage"]));
    sizes.into_iter().flatten().next().unwrap_or_default()
}

/// If a quota demands limits, `KubeVirt` sets those that the manifest leaves open (`WithAutoMemoryLimits`).
fn limit(resource: &str, needs: &Needs) -> Quantity {
    let of = |container: &super::Container| {
        container.limits.get(resource).copied().unwrap_or_else(|| match resource {
            "cpu" => Quantity::whole(needs.vcpus),
            _ => container.requests.get(resource).copied().unwrap_or_default().times(MEMORY_LIMIT_RATIO),
        })
    };
    needs.containers.iter().map(of).fold(Quantity::ZERO, |sum, limit| sum + limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Template;
    use crate::plan::sizing::Settings;
    use serde_json::json;

    fn amounts(list: &[(&str, &str)]) -> Amounts {
        list.iter().map(|(name, amount)| ((*name).to_owned(), Quantity::parse(amount).unwrap())).collect()
    }

    /// The built-in VM: 106m, 800 MiB and 36 MB.
    fn short(hard: &[(&str, &str)], used: &[(&str, &str)]) -> Vec<String> {
        let manifest = Template::container_disk("example.org/disk:1").manifest().clone();
        let needs = Needs::of(&manifest, &Settings::default());
        let quota = Quota { hard: amounts(hard), used: amounts(used), ..Quota::default() };
        quota.shortages(1, needs.as_ref(), &manifest).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_short_is_told_with_its_figures() {
        assert_eq!(short(&[("requests.memory", "1Gi"), ("requests.cpu", "1"), ("pods", "1")], &[]), [""; 0]);
        assert_eq!(
            short(&[("requests.memory", "512Mi")], &[]),
            ["requests.memory is limited to 512Mi, 0 used, the VM needs 834Mi"]
        );
        assert_eq!(
            short(&[("cpu", "1"), ("pods", "3")], &[("cpu", "900m"), ("pods", "3")]),
            [
                "cpu is limited to 1, 900m used, the VM needs 106m",
                "pods is limited to 3, 3 used, the VM needs 1"
            ]
        );
        assert_eq!(short(&[("services", "0"), ("persistentvolumeclaims", "0")], &[]), [""; 0]);
    }

    #[test]
    fn limits_that_kubevirt_adds_itself() {
        assert_eq!(short(&[("limits.memory", "2Gi"), ("limits.cpu", "2")], &[]), [""; 0]);
        assert_eq!(
            short(&[("limits.memory", "1Gi"), ("limits.cpu", "1")], &[]),
            [
                "limits.cpu is limited to 1, 0 used, the VM needs 1025m",
                "limits.memory is limited to 1Gi, 0 used, the VM needs 1695Mi"
            ]
        );
    }

    #[test]
    fn disks_count_too() {
        let manifest = json!({"spec": {"instancetype": {"name": "x"}, "dataVolumeTemplates": [
            {"spec": {"storage": {"resources": {"requests": {"storage": "30Gi"}}}}},
            {"spec": {"pvc": {"resources": {"requests": {"storage": "10Gi"}}}}}]}});
        let hard = amounts(&[("requests.storage", "35Gi"), ("persistentvolumeclaims", "1"), ("cpu", "0")]);
        let quota = Quota { hard, ..Quota::default() };
        let found: Vec<_> = quota.shortages(1, None, &manifest).into_iter().map(|s| s.resource).collect();
        assert_eq!(found, ["persistentvolumeclaims", "requests.storage"]);
    }

    #[test]
    fn quotas_about_other_pods_do_not_matter() {
        let quota = |scope: &str| {
            let quota =
                Quota { hard: amounts(&[("pods", "0")]), scopes: vec![scope.into()], ..Quota::default() };
            quota.shortages(1, None, &json!({})).len()
        };
        assert_eq!(["Terminating", "BestEffort", "NotTerminating"].map(quota), [0, 0, 1]);
    }
}
