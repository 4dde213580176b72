//! Follows a Job and reports its progress.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::{job_name, pods};
use crate::commands::session::Session;
use bootstorm_engine::cluster::jobs::{JobEnd, JobState, ShardPod};
use bootstorm_engine::cluster::probers::Prober;
use bootstorm_engine::cluster::store::PartHead;
use bootstorm_engine::cluster::{ClusterError, Kind};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::shards::Assignment;
use bootstorm_model::text::printable;

/// Polling interval
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit for pods that cannot be created, or whose image cannot be pulled
const STUCK: Duration = Duration::from_secs(60);
/// Waiting reasons of a container without an image
const NO_IMAGE: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

/// Follows a Job until it ends.
///
/// Fails when the user interrupts, the Job is deleted, or its pods cannot run.
pub(super) async fn to_the_end(session: &Session, assignment: &Assignment) -> Result<JobEnd, Failure> {
    let Assignment { prefix, run_id, .. } = assignment;
    let mut interrupt = session.interrupt.clone();
    let mut told = Told::default();
    let mut stuck_since = None;
    loop {
        let looking = async {
            let job = session.cluster.job_of(prefix, run_id).await?;
            let heads = session.cluster.part_heads(prefix, run_id).await?;
            let last = session.cluster.last_phase(prefix, run_id).await?;
            let pods = match session.cluster.shard_pods(prefix).await {
                // Their waiting reasons are optional.
                Err(error) if error.kind == Kind::Forbidden => Vec::new(),
                pods => pods?,
            };
            let obstacle = match &job {
                Some(job) => obstacle(session, job, &pods).await?,
                None => None,
            };
            Ok::<_, Failure>((job, heads, last, pods, obstacle))
        };
        let (job, heads, last, pods, obstacle) = tokio::select! {
            biased;
            () = interrupt.wait() => return Err(detached(session, assignment)),
            looked = looking => looked.map_err(|failure| {
                failure.hint("the job continues without this command; to follow it again, run the same \
                    command")
            })?,
        };
        let Some(job) = job else {
            return Err(Failure::new(format!("job {} no longer exists", job_name(prefix)))
                .hint("run the same command again: it continues from what was saved")
                .hint(format!("see where the run stands: kubectl bootstorm status --ns-prefix {prefix}")));
        };
        let phase = last.map(|(phase, _)| phase).unwrap_or_default();
        told.progress(session, &phase, &heads, assignment);
        told.complaints(session, &pods, obstacle.as_ref());
        if let Some(end) = job.end {
            return Ok(end);
        }
        match obstacle {
            None => stuck_since = None,
            Some(obstacle) if elapsed_since(*stuck_since.get_or_insert_with(monotonic_now)) > STUCK => {
                return Err(obstacle.failure(session, &job));
            }
            Some(_) => {}
        }
        tokio::select! {
            biased;
            () = interrupt.wait() => return Err(detached(session, assignment)),
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

/// Why no pod of a Job runs
enum Obstacle {
    /// The image cannot be pulled.
    Image(String),
    /// Pods are refused: by a quota, by admission, or because of a missing service account.
    Refused(String),
}

/// Why none of a Job's pods can run; `None` if unknown.
async fn obstacle(
    session: &Session,
    job: &JobState,
    pods: &[ShardPod],
) -> Result<Option<Obstacle>, ClusterError> {
    if pods.iter().any(|pod| pod.pod.running) {
        return Ok(None);
    }
    if let Some(pod) = pods.iter().find(|pod| lacks_image(pod)) {
        return Ok(Some(Obstacle::Image(pod.pod.complaint.clone().unwrap_or_default())));
    }
    let is_bare = job.end.is_none() && job.active == 0 && pods.iter().all(|pod| pod.is_ending);
    if !is_bare {
        return Ok(None);
    }
    Ok(session.cluster.refused_pods(job).await?.map(Obstacle::Refused))
}

impl Obstacle {
    fn failure(self, session: &Session, job: &JobState) -> Failure {
        let delete = format!("kubectl delete job {} -n {}", job.name, session.cluster.namespace());
        match self {
            Self::Image(why) => Failure::new(format!("the image {} cannot be pulled", job.image))
                .because(why)
                .hint(format!("delete the job: {delete}"))
                .hint("then run this command again, with another --runner-image"),
            Self::Refused(why) => Failure::new(format!("the pods of job {} are refused", job.name))
                .because(why)
                .hint(
                    "the job continues by itself once they are accepted; to follow it again, run the same \
                    command",
                )
                .hint(format!("or abandon it: {delete}")),
        }
    }
}

/// The error in the last lines of a log, which are a failed pod's message; otherwise the whole text.
fn essence(complaint: &str) -> String {
    let Some((reason, log)) = complaint.split_once(": ") else { return complaint.to_owned() };
    let Some(at) = log.rfind("error: ") else { return complaint.to_owned() };
    let lines = log[at + "error: ".len()..].lines().map(str::trim);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("hint: ")).collect();
    format!("{reason}: {}", lines.join(": "))
}

fn lacks_image(pod: &ShardPod) -> bool {
    let complaint = pod.pod.complaint.as_deref().unwrap_or_default();
    NO_IMAGE.iter().any(|reason| complaint.starts_with(reason))
}

fn detached(session: &Session, assignment: &Assignment) -> Failure {
    let (prefix, namespace) = (&assignment.prefix, session.cluster.namespace());
    let look = match assignment.observe {
        Some(_) => "see what was observed so far: kubectl bootstorm report",
        None => "check its progress: kubectl bootstorm status",
    };
    Failure::interrupted(format!("detached; job {} continues in the cluster", job_name(prefix)))
        .hint("follow it again: run the same command")
        .hint(format!("{look} --ns-prefix {prefix} -n {namespace}"))
        .hint(format!("read the logs of its pods: kubectl logs -n {namespace} -l {}", pods(prefix)))
        .hint(format!(
            "stop it and delete the run: kubectl bootstorm cleanup --ns-prefix {prefix} -n {namespace}"
        ))
}

/// Reported so far
#[derive(Default)]
struct Told {
    line: String,
    complaints: BTreeSet<String>,
}

impl Told {
    fn progress(&mut self, session: &Session, phase: &str, heads: &[PartHead], assignment: &Assignment) {
        let heads: Vec<_> = heads.iter().filter(|head| head.phase == phase).collect();
        let sum = |word: &str| -> u64 {
            heads.iter().filter_map(|head| head.facts.get(word)?.parse::<u64>().ok()).sum()
        };
        let (begun, shards) = (heads.len(), assignment.shards);
        if begun == 0 {
            return;
        }
        let of = if begun < shards as usize {
            format!(" ({begun} of {shards} shards have begun)")
        } else {
            String::new()
        };
        let line = if assignment.observe.is_some() {
            let (down, over) = (sum("down"), sum("over"));
            let vms = if down == 1 { "VM is" } else { "VMs are" };
            let s = if over == 1 { "" } else { "s" };
            format!("{down} {vms} down now, {over} outage{s} over{of}")
        } else {
            let failed = match sum("failed") {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            format!("{}: {} VMs reached the goal{failed}{of}", printable(phase), sum("reached"))
        };
        if line != self.line {
            session.console.progress(&line);
            self.line = line;
        }
    }

    /// Reports each problem once, however many pods have it.
    fn complaints(&mut self, session: &Session, pods: &[ShardPod], obstacle: Option<&Obstacle>) {
        if let Some(Obstacle::Refused(why)) = obstacle
            && self.complaints.insert("refused".to_owned())
        {
            session.console.say(&format!("pods are refused: {}", printable(why)));
        }
        for pod in pods.iter().filter(|pod| !pod.pod.running && !pod.is_ending) {
            let ShardPod { pod: Prober { name, complaint, .. }, .. } = pod;
            let Some(why) = complaint.as_ref().filter(|why| !why.starts_with("Completed")) else { continue };
            let why = essence(why);
            let topic = if lacks_image(pod) { "image" } else { &why };
            if self.complaints.insert(topic.to_owned()) {
                session.console.say(&format!("pod {}: {}", printable(name), printable(&why)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_log_of_a_pod_that_failed_the_error_is_shown() {
        let log = "Error: shard 0 of 2\nerror: an earlier one\nerror: failed to acquire the lock\n  leases \
            is forbidden\nhint: ask\n";
        assert_eq!(essence(log), "Error: failed to acquire the lock: leases is forbidden");
        for other in ["OOMKilled", "ErrImagePull: rpc error", "Error: killed"] {
            assert_eq!(essence(other), other);
        }
    }
}
