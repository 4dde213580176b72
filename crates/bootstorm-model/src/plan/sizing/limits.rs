//! Whether a limit range admits the pod of a VM.

use serde_json::Value;

use super::needs::Needs;
use super::quantity::{Amounts, Quantity};
use super::quota::storage;
use super::settings::Container;

/// A `LimitRange`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitRange {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Limits for containers, pods and claims.
    pub limits: Vec<Limit>,
}

/// One entry of a limit range
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limit {
    /// `Container`, `Pod` or `PersistentVolumeClaim`.
    pub kind: String,
    /// Maximum limit.
    pub max: Amounts,
    /// Minimum request.
    pub min: Amounts,
    /// Limit of containers that have none.
    pub default: Amounts,
    /// Maximum ratio of limit to request.
    pub ratio: Amounts,
}

impl LimitRange {
    /// Reasons why the API server would refuse a VM's pod or disks, one line each; empty if it would not.
    pub fn violations(&self, needs: Option<&Needs>, manifest: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for limit in &self.limits {
            match (limit.kind.as_str(), needs) {
                ("Container", Some(needs)) => {
                    for container in &needs.containers {
                        let who = format!("container {}", container.name);
                        limit.judge(&who, &container.requests, &container.limits, true, &mut found);
                    }
                }
                ("Pod", Some(needs)) => {
                    let limits = self.pod_limits(needs);
                    limit.judge("the VM's pod", &needs.requests(), &limits, false, &mut found);
                }
                ("PersistentVolumeClaim", _) => {
                    let disks = manifest["spec"]["dataVolumeTemplates"].as_array();
                    for disk in disks.into_iter().flatten() {
                        let who = format!("disk {}", disk["metadata"]["name"].as_str().unwrap_or_default());
                        let size = Amounts::from([("storage".to_owned(), storage(disk))]);
                        limit.judge(&who, &size, &size, false, &mut found);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Limits of the whole pod, including defaults; a resource that is not limited in every container has none.
    fn pod_limits(&self, needs: &Needs) -> Amounts {
        let defaults = || self.limits.iter().filter(|limit| limit.kind == "Container");
        let default = |resource: &String| defaults().find_map(|limit| limit.stand_in(resource));
        let mut sum = Amounts::new();
        for resource in needs.limits().keys().chain(defaults().flat_map(|limit| limit.default.keys())) {
            let of =
                |container: &Container| container.limits.get(resource).copied().or_else(|| default(resource));
            let whole = needs.containers.iter().map(of).try_fold(Quantity::ZERO, |sum, one| Some(sum + one?));
            if let Some(whole) = whole {
                sum.insert(resource.clone(), whole);
            }
        }
        sum
    }
}

impl Limit {
    /// Limit given to a container without one: the default, or the maximum if there is no default.
    fn stand_in(&self, resource: &str) -> Option<Quantity> {
        self.default.get(resource).or(self.max.get(resource)).copied()
    }

    fn judge(
        &self,
        who: &str,
        requests: &Amounts,
        limits: &Amounts,
        completed: bool,
        found: &mut Vec<String>,
    ) {
        let filled = |resource: &String| {
            let given = limits.get(resource).copied();
            given.or_else(|| self.stand_in(resource).filter(|_| completed))
        };
        for (resource, min) in &self.min {
            if let Some(request) = requests.get(resource).filter(|request| *request < min) {
                found.push(format!("{who} requests {request} of {resource}, at least {min} is required"));
            }
        }
        for (resource, request) in requests {
            let explicit = limits.get(resource).copied().unwrap_or_default().max(*request);
            if let Some(max) = self.max.get(resource).filter(|max| explicit > **max) {
                found.push(format!("{who} asks for {explicit} of {resource}, at most {max} is allowed"));
                continue;
            }
            let Some(limit) = filled(resource) else { continue };
            if limit < *request {
                found.push(format!(
                    "{who} requests {request} of {resource}, but would be limited to {limit} by default"
                ));
            }
            let ratio = limit.ratio(*request).unwrap_or(f64::INFINITY);
            let most = self.ratio.get(resource).and_then(|most| most.ratio(Quantity::whole(1)));
            if let Some(most) = most.filter(|most| ratio > *most) {
                found.push(format!("{who} is limited to {ratio:.1} times its request of {resource}, at most {most} times is allowed"));
            }
        }
        if !completed {
            for (resource, max) in self.max.iter().filter(|(resource, _)| filled(resource).is_none()) {
                found.push(format!("{who} has no limit of {resource}, one of at most {max} is required"));
            }
        }
    }
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

    fn violations(limit: Limit) -> Vec<String> {
        let manifest = Template::container_disk("example.org/disk:1").manifest().clone();
        let needs = Needs::of(&manifest, &Settings::default());
        LimitRange { limits: vec![limit], ..LimitRange::default() }.violations(needs.as_ref(), &manifest)
    }

    fn container() -> Limit {
        Limit { kind: "Container".into(), ..Limit::default() }
    }

    #[test]
    fn containers_may_be_too_large_or_too_small() {
        assert_eq!(
            violations(Limit { max: amounts(&[("memory", "1Gi"), ("cpu", "1")]), ..container() }),
            [""; 0]
        );
        assert_eq!(
            violations(Limit { max: amounts(&[("memory", "512Mi")]), ..container() }),
            ["container compute asks for 800Mi of memory, at most 512Mi is allowed"]
        );
        assert_eq!(
            violations(Limit { min: amounts(&[("cpu", "50m")]), ..container() }),
            [
                "container guest-console-log requests 5m of cpu, at least 50m is required",
                "container volumeroot requests 1m of cpu, at least 50m is required"
            ]
        );
    }

    #[test]
    fn defaults_may_be_too_low() {
        assert_eq!(
            violations(Limit { default: amounts(&[("memory", "256Mi")]), ..container() }),
            ["container compute requests 800Mi of memory, but would be limited to 256Mi by default"]
        );
    }

    #[test]
    fn limits_may_be_too_far_from_requests() {
        let limit =
            Limit { default: amounts(&[("cpu", "1")]), ratio: amounts(&[("cpu", "10")]), ..container() };
        assert_eq!(violations(limit), [""; 0]);
        let limit =
            Limit { default: amounts(&[("cpu", "2")]), ratio: amounts(&[("cpu", "15")]), ..container() };
        assert_eq!(
            violations(limit),
            ["container compute is limited to 20.0 times its request of cpu, at most 15 times is allowed"]
        );
    }

    #[test]
    fn pods_are_judged_as_a_whole() {
        let pod = |max: &[(&str, &str)]| Limit { kind: "Pod".into(), max: amounts(max), ..Limit::default() };
        let found = violations(pod(&[("memory", "512Mi")]));
        assert_eq!(found[0], "the VM's pod asks for 834Mi of memory, at most 512Mi is allowed");
        let without = violations(pod(&[("memory", "4Gi")]));
        assert_eq!(without, ["the VM's pod has no limit of memory, one of at most 4Gi is required"]);
        let manifest = Template::container_disk("example.org/disk:1").manifest().clone();
        let needs = Needs::of(&manifest, &Settings::default());
        let default = Limit { default: amounts(&[("memory", "1Gi")]), ..container() };
        let range = LimitRange { limits: vec![default, pod(&[("memory", "4Gi")])], ..LimitRange::default() };
        assert_eq!(range.violations(needs.as_ref(), &manifest), [""; 0]);
    }

    #[test]
    fn disks_have_sizes() {
        let disk = json!({"metadata": {"name": "root"}, "spec": {"storage": {"resources": {"requests": {"storage": "30Gi"}}}}});
        let manifest = json!({"spec": {"dataVolumeTemplates": [disk]}});
        let limit = Limit {
            kind: "PersistentVolumeClaim".into(),
            max: amounts(&[("storage", "20Gi")]),
            ..Limit::default()
        };
        let range = LimitRange { limits: vec![limit], ..LimitRange::default() };
        assert_eq!(
            range.violations(None, &manifest),
            ["disk root asks for 30Gi of storage, at most 20Gi is allowed"]
        );
    }
}
