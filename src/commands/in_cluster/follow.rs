//! Follows a Job and reports its progress.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::{job_name, pods};
use crate::commands::session::Session;
use bootstorm_engine::cluster::Kind;
use bootstorm_engine::cluster::jobs::{JobEnd, ShardPod};
use bootstorm_engine::cluster::store::PartHead;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::shards::Assignment;
use bootstorm_model::text::printable;

/// Polling interval
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit for the pods of a deleted Job; their grace period is one minute.
const ENDING: Duration = Duration::from_secs(120);
/// Time limit for an image that cannot be pulled
const PULLING: Duration = Duration::from_secs(60);
/// Waiting reasons of a container without an image
const NO_IMAGE: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

/// Follows a Job until it ends.
///
/// Fails when the user interrupts, the Job is deleted, or its image cannot be pulled.
pub(super) async fn to_the_end(session: &Session, assignment: &Assignment) -> Result<JobEnd, Failure> {
    let Assignment { prefix, run_id, .. } = assignment;
    let mut interrupt = session.interrupt.clone();
    let mut told = Told::default();
    let mut without_image = None;
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
            Ok::<_, Failure>((job, heads, last, pods))
        };
        let (job, heads, last, pods) = tokio::select! {
            biased;
            () = interrupt.wait() => return Err(detached(session, assignment)),
            looked = looking => looked.map_err(|failure| {
                failure.hint("the job goes on without this command; to follow it again, run the same command")
            })?,
        };
        let Some(job) = job else {
            return Err(Failure::new(format!("job {} is not there any more", job_name(prefix)))
                .hint("run the same command again: it goes on from what was saved")
                .hint(format!("see where the run stands: kubectl bootstorm status --ns-prefix {prefix}")));
        };
        let phase = last.map(|(phase, _)| phase).unwrap_or_default();
        told.progress(session, &phase, &heads, assignment);
        told.complaints(session, &pods);
        if let Some(end) = job.end {
            return Ok(end);
        }
        let pulls = pods.iter().find(|pod| lacks_image(pod));
        match pulls.filter(|_| pods.iter().all(|pod| !pod.pod.running)) {
            None => without_image = None,
            Some(pod) if elapsed_since(*without_image.get_or_insert_with(monotonic_now)) > PULLING => {
                let namespace = session.cluster.namespace();
                return Err(Failure::new(format!("the image {} cannot be pulled", job.image))
                    .because(pod.pod.complaint.clone().unwrap_or_default())
                    .hint(format!("delete the job: kubectl delete job {} -n {namespace}", job.name))
                    .hint("then run this command again, with another --runner-image"));
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

fn lacks_image(pod: &ShardPod) -> bool {
    let complaint = pod.pod.complaint.as_deref().unwrap_or_default();
    NO_IMAGE.iter().any(|reason| complaint.starts_with(reason))
}

fn detached(session: &Session, assignment: &Assignment) -> Failure {
    let (prefix, namespace) = (&assignment.prefix, session.cluster.namespace());
    let look = match assignment.observe {
        Some(_) => "see what was observed so far: kubectl bootstorm report",
        None => "see how far it is: kubectl bootstorm status",
    };
    Failure::interrupted(format!("detached; job {} goes on in the cluster", job_name(prefix)))
        .hint("follow it again: run the same command")
        .hint(format!("{look} --ns-prefix {prefix} -n {namespace}"))
        .hint(format!("read what its pods write: kubectl logs -n {namespace} -l {}", pods(prefix)))
        .hint(format!(
            "stop it and delete the run: kubectl bootstorm cleanup --ns-prefix {prefix} -n {namespace}"
        ))
}

/// Waits until a Job that was deleted has no pods any more.
pub(super) async fn pods_gone(session: &Session, prefix: &str) -> Result<(), Failure> {
    let mut interrupt = session.interrupt.clone();
    let began = monotonic_now();
    loop {
        let pods = match session.cluster.shard_pods(prefix).await {
            Err(error) if error.kind == Kind::Forbidden => return Ok(()),
            pods => pods?,
        };
        let Some(first) = pods.first() else { return Ok(()) };
        if elapsed_since(began) > ENDING {
            let (name, namespace) = (printable(&first.pod.name), session.cluster.namespace());
            return Err(Failure::new(format!("pod {name} of the deleted job does not end"))
                .hint(format!("see why: kubectl describe pod {name} -n {namespace}")));
        }
        tokio::select! {
            biased;
            () = interrupt.wait() => return Err(Failure::interrupted("interrupted; pods of the job are ending")),
            () = sleep(LOOK_EVERY) => {}
        }
    }
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

    fn complaints(&mut self, session: &Session, pods: &[ShardPod]) {
        for ShardPod { pod, .. } in pods.iter().filter(|pod| !pod.pod.running) {
            let Some(why) = pod.complaint.as_ref().filter(|why| *why != "Completed") else { continue };
            let text = format!("pod {}: {}", printable(&pod.name), printable(why));
            if self.complaints.insert(text.clone()) {
                session.console.say(&text);
            }
        }
    }
}
