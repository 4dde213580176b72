//! The Job of a run.

use std::time::Duration;

use super::Runs;
use crate::cluster::Kind;
use crate::cluster::jobs::{Gear, Piece};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::text::printable;

/// Interval at which ending pods are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit for the pods of a deleted Job; their grace period is one minute.
const ENDING: Duration = Duration::from_secs(120);

/// Deletes the Job of a run, then the objects that its pods needed.
pub async fn remove(runs: Runs<'_>, prefix: &str, run_id: &str) -> Result<(), Failure> {
    let cluster = runs.cluster;
    let pieces = cluster.gear_of(prefix, run_id).await?;
    let (jobs, rest): (Vec<Piece>, Vec<Piece>) =
        pieces.into_iter().partition(|piece| piece.gear == Gear::Job);
    cluster.delete_gear(&jobs).await?;
    if !jobs.is_empty() {
        pods_gone(runs, prefix).await?;
    }
    Ok(cluster.delete_gear(&rest).await?)
}

/// Waits until a Job that was deleted has no pods any more.
async fn pods_gone(runs: Runs<'_>, prefix: &str) -> Result<(), Failure> {
    let mut interrupt = runs.interrupt.clone();
    let began = monotonic_now();
    loop {
        let pods = match runs.cluster.shard_pods(prefix).await {
            Err(error) if error.kind == Kind::Forbidden => return Ok(()),
            pods => pods?,
        };
        let Some(first) = pods.first() else { return Ok(()) };
        if elapsed_since(began) > ENDING {
            let (name, namespace) = (printable(&first.pod.name), runs.cluster.namespace());
            return Err(Failure::new(format!("pod {name} of the deleted job does not terminate"))
                .hint(format!("see why: kubectl describe pod {name} -n {namespace}")));
        }
        tokio::select! {
            biased;
            () = interrupt.wait() => return Err(Failure::interrupted("interrupted; pods of the job are ending")),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
