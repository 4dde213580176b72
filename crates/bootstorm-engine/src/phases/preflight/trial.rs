//! Whether the cluster accepts a VM: one is created in a dry run, which passes admission and is not stored.

use std::time::Duration;

use super::{Findings, Problem};
use crate::cluster::{Cluster, ClusterError, Kind};
use crate::phases::errand;
use bootstorm_model::plan::Template;
use bootstorm_model::record::RunRecord;

/// A webhook that is just being restarted answers again within this many attempts.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Creates the first VM of a run in a dry run.
pub async fn check(cluster: &Cluster, record: &RunRecord, template: &Template) -> Findings {
    let mut findings = Findings::default();
    let Some(target) = record.plan.targets().into_iter().next() else { return findings };
    let manifest = errand::manifest(record, template, 0, &target, true);
    let mut attempt = 1;
    let refused = loop {
        match cluster.try_create(&target, &manifest).await {
            Ok(()) => break None,
            // An earlier process of this run has created it.
            Err(error) if error.kind == Kind::AlreadyExists => break None,
            Err(error) if error.is_transient() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => break Some(error),
        }
        tokio::time::sleep(PAUSE).await;
    };
    match refused {
        None => findings.good.push("a VM is accepted".to_owned()),
        Some(error) => findings.problems.push(problem(&error)),
    }
    findings
}

fn problem(error: &ClusterError) -> Problem {
    let problem = Problem::new("the cluster does not accept the VMs").because(error.message.clone());
    if error.message.contains("failed calling webhook") {
        return problem.hint("check virt-api: kubectl get pods -A -l kubevirt.io=virt-api");
    }
    problem.hint("try the manifest by itself: kubectl create --dry-run=server -f FILE")
}
