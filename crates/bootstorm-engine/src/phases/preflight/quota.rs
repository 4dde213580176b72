//! Whether quotas and limit ranges that came with the new namespaces leave enough for a VM in each.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::future::join;
use serde_json::Value;

use super::{Findings, Problem, count, optional, some};
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::Plan;
use bootstorm_model::plan::sizing::{LimitRange, Needs, Quota};

/// Lists the quotas and limit ranges of the run's namespaces and checks them.
pub async fn check(
    cluster: &Cluster,
    plan: &Plan,
    manifest: &Value,
    needs: Option<&Needs>,
) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    let place = plan.layout.namespace.as_deref();
    let (quotas, ranges) = join(cluster.quotas(place), cluster.limit_ranges(place)).await;
    let quotas = optional(quotas, "quotas are", &mut findings)?.unwrap_or_default();
    let ranges = optional(ranges, "limit ranges are", &mut findings)?.unwrap_or_default();
    findings.problems.extend(judge(plan, manifest, needs, &quotas, &ranges));
    Ok(findings)
}

fn judge(
    plan: &Plan,
    manifest: &Value,
    needs: Option<&Needs>,
    quotas: &[Quota],
    ranges: &[LimitRange],
) -> Option<Problem> {
    let targets = plan.targets();
    let mut ours: HashMap<&str, u64> = HashMap::new();
    for target in &targets {
        *ours.entry(&target.namespace).or_default() += 1;
    }
    // The same quota exists in every namespace, so lines are reported once.
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for quota in quotas {
        let Some(vms) = ours.get(quota.namespace.as_str()) else { continue };
        for shortage in quota.shortages(*vms, needs, manifest) {
            let line = format!("quota {}: {shortage}", quota.name);
            lines.entry(line).or_default().push(quota.namespace.clone());
        }
    }
    for range in ranges.iter().filter(|range| ours.contains_key(range.namespace.as_str())) {
        for violation in range.violations(needs, manifest) {
            let line = format!("limit range {}: {violation}", range.name);
            lines.entry(line).or_default().push(range.namespace.clone());
        }
    }
    let refused: HashSet<&String> = lines.values().flatten().collect();
    // In the order of the plan, not alphabetically.
    let position: BTreeMap<&str, usize> =
        targets.iter().enumerate().map(|(position, target)| (target.namespace.as_str(), position)).collect();
    let in_order = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_by_key(|name| position.get(name.as_str()).copied());
        names
    };
    let first =
        in_order(&refused.iter().map(|name| (*name).clone()).collect::<Vec<_>>()).into_iter().next()?;
    let what = if ours.values().all(|vms| *vms == 1) { "a VM" } else { "the VMs" };
    let namespaces = count(refused.len(), "namespace", "namespaces");
    let mut problem = Problem::new(format!("the limits of {namespaces} leave no room for {what}"));
    for (line, namespaces) in &lines {
        problem = problem.because(format!("{line} ({})", some(&in_order(namespaces))));
    }
    Some(
        problem
            .hint(format!("see them: kubectl describe quota,limits -n {first}"))
            .hint("raise them, or use smaller VMs; then run this command again, it continues")
            .hint(format!("to give up: kubectl bootstorm cleanup --ns-prefix {}", plan.prefix)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::plan::sizing::limits::Limit;
    use bootstorm_model::plan::sizing::{Amounts, Quantity, Settings};
    use bootstorm_model::plan::{Template, TemplateSource};

    #[test]
    fn equal_lines_are_told_once_and_strangers_not_at_all() {
        let template = Template::container_disk("example.org/disk:1");
        let plan =
            Plan::resolve("p", 9, 13, "vm", TemplateSource::ContainerDisk { image: String::new() }).unwrap();
        let needs = Needs::of(template.manifest(), &Settings::default());
        let half = Amounts::from([("memory".to_owned(), Quantity::mebibytes(512))]);
        let quota = |namespace: &str| Quota {
            namespace: namespace.into(),
            name: "q".into(),
            hard: half.clone(),
            ..Quota::default()
        };
        let limit = Limit { kind: "Container".into(), max: half.clone(), ..Limit::default() };
        let range = LimitRange { namespace: "p-9".into(), name: "r".into(), limits: vec![limit] };
        let quotas: Vec<Quota> = ["p-10", "p-11", "p-12", "p-9", "other"].map(quota).into();
        let problem = judge(&plan, template.manifest(), needs.as_ref(), &quotas, &[range]).unwrap();
        assert_eq!(problem.what, "the limits of 4 namespaces leave no room for a VM");
        assert_eq!(
            problem.details,
            [
                "limit range r: container compute asks for 800Mi of memory, at most 512Mi is allowed (p-9)",
                "quota q: memory is limited to 512Mi, 0 used, the VM needs 834Mi (p-9, p-10, p-11 and 1 more)",
            ]
        );
        assert!(problem.hints[0].ends_with("-n p-9"));
        assert_eq!(judge(&plan, template.manifest(), needs.as_ref(), &quotas[4..], &[]), None);
    }
}
