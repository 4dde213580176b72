//! Parts of a phase that shards have left behind.

use crate::cluster::lease::Held;
use crate::cluster::names::head_name;
use crate::cluster::store::{LoadError, RunStore};
use crate::cluster::{Cluster, Kind};
use crate::phases::shards;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseState, RunRecord};

/// Joins the parts of an open phase whose shards have stopped working; returns its state, or `None` if there is none.
/// The caller holds the lock of the run.
///
/// Fails if they are still working.
pub async fn settle(
    cluster: &Cluster,
    record: &mut RunRecord,
    store: &mut RunStore,
    lock: &Held,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Option<PhaseState>, Failure> {
    let open = record.last_phase().filter(|last| last.state == PhaseState::Open);
    let Some((name, of)) = open.and_then(|last| Some((last.name, last.settings.shards?))) else {
        return Ok(None);
    };
    let prefix = record.plan.prefix.clone();
    let missing = shards::unfinished(cluster, record, name, of).await?;
    if !missing.is_empty() {
        let works = |what: String| {
            Failure::new(format!("{name} of run \"{prefix}\" runs in the cluster: {what}"))
                .hint(format!(
                    "follow it: kubectl bootstorm {} --in-cluster --ns-prefix {prefix}",
                    name.kind.word()
                ))
                .hint(format!("check its progress: kubectl bootstorm status --ns-prefix {prefix}"))
                .hint(format!(
                    "stop it: kubectl delete job {} -n {}",
                    head_name(&prefix),
                    cluster.namespace()
                ))
        };
        match cluster.job_of(&prefix, &record.run_id).await {
            Ok(Some(job)) if job.end.is_none() => return Err(works(format!("job {} works on it", job.name))),
            // Without permission to read Jobs, the locks of the shards decide.
            Ok(_) => {}
            Err(error) if error.kind == Kind::Forbidden => {}
            Err(error) => return Err(error.into()),
        }
        let holders = cluster.holders(&record.run_id).await?;
        let other = holders.into_values().find(|working| working.taken.holder != lock.holder());
        if let Some(other) = other {
            return Err(works(format!("{} works on it", other.taken.holder))
                .hint("the lock of a dead process expires after 65s; then run this command again"));
        }
    }
    let gathered = shards::gather(cluster, record, store, name).await;
    let state = gathered.map_err(|error| match error {
        LoadError::Cluster(error) => error.into(),
        LoadError::Codec(error) => Failure::new(format!("the parts of {name} cannot be read")).because(error),
    })?;
    say(&format!(
        "{name}: joined the parts of {of} shards, {} of which had ended",
        of as usize - missing.len()
    ));
    Ok(Some(state))
}
