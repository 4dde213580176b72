//! Whether the names of the run are free.

use std::collections::HashSet;

use futures::future::join;

use super::{Findings, Problem, Wanted, count, optional, some};
use crate::cluster::{Cluster, Trouble, names};

/// Looks for namespaces of these names that are not ours, and for records of the same name elsewhere.
pub(super) async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, Trouble> {
    let mut findings = Findings::default();
    let (namespaces, heads) = join(cluster.namespaces(""), cluster.heads(true)).await;
    if let Some(namespaces) = optional(namespaces, "the names of namespaces are", &mut findings)? {
        let names: HashSet<String> =
            wanted.plan.targets().into_iter().map(|target| target.namespace).collect();
        let mut foreign: Vec<String> = Vec::new();
        for namespace in namespaces {
            let labels = namespace.metadata.labels.unwrap_or_default();
            let name = namespace.metadata.name.unwrap_or_default();
            let ours =
                wanted.run_id.is_some() && labels.get(names::RUN_ID).map(String::as_str) == wanted.run_id;
            if names.contains(&name) && !ours {
                let run = labels.get(names::RUN).map(|run| format!(" (made by another run \"{run}\")"));
                foreign.push(format!("{name}{}", run.unwrap_or_default()));
            }
        }
        findings.problems.extend(clash(foreign));
    }
    if let Some(heads) = optional(heads, "records elsewhere are", &mut findings)? {
        let others = heads
            .into_iter()
            .filter(|head| head.prefix == wanted.plan.prefix && head.namespace != cluster.namespace());
        for other in others {
            let (prefix, namespace) = (other.prefix, other.namespace);
            findings.notes.push(format!("another run \"{prefix}\" has its record in namespace {namespace}"));
        }
    }
    Ok(findings)
}

fn clash(mut foreign: Vec<String>) -> Option<Problem> {
    if foreign.is_empty() {
        return None;
    }
    foreign.sort_unstable();
    let exist = count(foreign.len(), "namespace exists", "namespaces exist");
    let problem = Problem::new(format!("{exist} already and not ours: {}", some(&foreign)))
        .hint("choose another prefix with --ns-prefix NAME, or other indexes with --start and --end");
    Some(Problem { unavoidable: true, ..problem })
}
