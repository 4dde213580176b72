//! Whether the cluster accepts a VM: one is created in a dry run, which passes admission and is not stored.

use std::time::Duration;

use serde_json::Value;

use super::{Findings, Problem};
use crate::cluster::{Cluster, ClusterError, Kind, names};
use crate::phases::errand;
use bootstorm_model::plan::Template;
use bootstorm_model::record::RunRecord;

/// A webhook that is just being restarted answers again within this many attempts.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Where a VM and its instances have the labels of the run.
const PLACES: [&str; 2] = ["/metadata/labels", "/spec/template/metadata/labels"];

/// Creates the first VM of a run in a dry run.
pub async fn check(cluster: &Cluster, record: &RunRecord, template: &Template) -> Findings {
    let mut findings = Findings::default();
    let Some(target) = record.plan.targets().into_iter().next() else { return findings };
    let manifest = errand::manifest(record, template, 0, &target, true);
    let mut attempt = 1;
    let refused = loop {
        match cluster.try_create(&target, &manifest).await {
            Ok(admitted) => {
                findings.problems.extend(unlabelled(&admitted, &record.run_id));
                break None;
            }
            // An earlier process of this run has created it.
            Err(error) if error.kind == Kind::AlreadyExists => break None,
            Err(error) if error.is_transient() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => break Some(error),
        }
        tokio::time::sleep(PAUSE).await;
    };
    match refused {
        None if !findings.problems.is_empty() => {}
        None => findings.good.push("a VM is accepted".to_owned()),
        Some(error) => findings.problems.push(problem(&error)),
    }
    findings
}

/// What is wrong with a VM whose labels admission has removed: its instance would never be seen, and nothing of it would
/// be found again.
fn unlabelled(admitted: &Value, run_id: &str) -> Option<Problem> {
    let is_vm = admitted.pointer("/spec/template").is_some();
    let lacks =
        |place: &&&str| is_vm && admitted.pointer(place).is_none_or(|labels| labels[names::RUN_ID] != run_id);
    let lost: Vec<&str> = PLACES.iter().filter(lacks).map(|place| place.trim_start_matches('/')).collect();
    if lost.is_empty() {
        return None;
    }
    let lost: Vec<String> = lost.iter().map(|place| place.replace('/', ".")).collect();
    let problem = Problem::new(format!("admission removes the label {} from the VMs", names::RUN_ID))
        .because(format!("a webhook or a policy changes their {}", lost.join(" and ")))
        .because("by this label their instances are observed, and they are deleted by cleanup")
        .hint("find it: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies");
    Some(Problem { unavoidable: true, ..problem })
}

fn problem(error: &ClusterError) -> Problem {
    let problem = Problem::new("the cluster does not accept the VMs").because(error.message.clone());
    // failed calling webhook "NAME": …
    if let Some((_, of)) = error.message.split_once("failed calling webhook \"") {
        return match of.split_once('"') {
            Some((name, _)) if !name.ends_with("kubevirt.io") && !name.contains("virt-api") => problem
                .hint("see where it runs: kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml"),
            _ => problem.hint("check virt-api: kubectl get pods -A -l kubevirt.io=virt-api"),
        };
    }
    problem.hint("try the manifest by itself: kubectl create --dry-run=server -f FILE")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_vm_without_its_labels_is_refused() {
        let vm = |own: &str, template: &Value| json!({"metadata": {"labels": {names::RUN_ID: own}}, "spec": {"template": {"metadata": template}}});
        let whole = json!({"labels": {names::RUN_ID: "u", "team": "x"}});
        assert!(unlabelled(&vm("u", &whole), "u").is_none());
        let problem = unlabelled(&vm("u", &json!({"labels": {"team": "x"}})), "u").unwrap();
        assert!(problem.unavoidable);
        assert!(problem.details[0].ends_with("their spec.template.metadata.labels"), "{:?}", problem.details);
        assert!(unlabelled(&vm("u", &json!({})), "u").is_some());
        assert!(unlabelled(&vm("other", &whole), "u").is_some());
        // A server that answers something else is none of this.
        assert!(unlabelled(&Value::Null, "u").is_none());
    }

    #[test]
    fn a_webhook_that_fails_is_looked_for_where_it_is() {
        let hint = |name: &str| {
            let message = format!("Internal error occurred: failed calling webhook \"{name}\": timeout");
            problem(&ClusterError::new("create", Kind::Internal, message)).hints[0].clone()
        };
        assert!(hint("virtualmachine-validator.kubevirt.io").contains("virt-api"));
        assert!(hint("vm.guard.example.org").contains("validatingwebhookconfigurations"));
    }
}
