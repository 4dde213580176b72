//! The Job controller.
//!
//! After `pkg/controller/job` and `pkg/controller/ttlafterfinished` of Kubernetes. Pauses and deadlines are in
//! simulated time, and begin when the controller notices the event from which they count.

mod indexes;
pub mod labels;
mod pod_spec;
mod policy;
mod tally;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::value::{Value, json};

use self::indexes::Indexes;
use self::labels::is_tracked;
pub use self::labels::{INDEX, INDEX_FAILURES, NAME, TRACKING};
use self::tally::{Tally, mark};
use super::client::Client;
use super::cluster::Cluster;
use super::conditions;
use super::events::Source;
use super::key::Key;
use super::names;
use super::worker::{Outcome, Reconciler};
use crate::model::lock;
use crate::store::kind::{JOBS, PODS};
use crate::store::{DeleteOptions, Entry, Object, Propagation, StoreError};

const CONTROLLER: Source<'static> = Source { component: "job-controller", host: None };
/// Maximum pause before a failed pod is replaced, as a multiple of the first one (k8s: 10 s to 600 s).
const LONGEST_PAUSE: f64 = 60.0;
/// Workers (k8s default).
const WORKERS: usize = 5;

/// State of a Job beyond its status
#[derive(Debug, Default)]
struct Memory {
    /// Start time.
    started: Option<f64>,
    /// Finish time.
    finished: Option<f64>,
    failures: Failures,
    /// Failures per index, if there is a limit per index.
    by_index: HashMap<u32, Failures>,
}

/// Consecutive failures
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: f64,
}

impl Failures {
    fn add(&mut self, now: f64) {
        *self = Self { count: self.count + 1, last: now };
    }

    /// Earliest time for the next pod, with this pause after the first failure.
    fn due(self, pause: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let doublings = i32::try_from(self.count - 1).unwrap_or(i32::MAX).min(16);
        self.last + pause * 2.0_f64.powi(doublings).min(LONGEST_PAUSE)
    }
}

/// The Job controller
#[derive(Debug)]
pub struct Jobs {
    cluster: Arc<Cluster>,
    known: Mutex<HashMap<Box<str>, Memory>>,
}

/// Starts the workers.
pub fn start(cluster: &Arc<Cluster>) {
    let figures = &cluster.profile.controller_manager;
    let bucket = cluster.bucket(figures.qps, figures.burst);
    let jobs = Arc::new(Jobs { cluster: cluster.clone(), known: Mutex::default() });
    for number in 0..WORKERS {
        let client = cluster.client(&format!("job-{number}"), &bucket);
        cluster.tasks.work(cluster.queues.jobs.clone(), jobs.clone(), client);
    }
}

/// Queues the Job of a pod that has changed.
pub fn pod_changed(cluster: &Cluster, entry: &Entry) {
    let references = entry.object.value()["metadata"]["ownerReferences"].as_array();
    let is_owner = |one: &&Value| one["kind"] == JOBS.kind && one["controller"] == true;
    if let Some(owner) = references.and_then(|list| list.iter().find(is_owner)) {
        let name = owner["name"].as_str().unwrap_or_default();
        // A status update that changes nothing for the Job is cheap.
        cluster.queues.jobs.add(Key::new(entry.object.namespace(), name));
    }
}

impl Reconciler for Jobs {
    type Key = Key;

    async fn reconcile(&self, client: &mut Client, key: &Key) -> Outcome {
        let job = client.store().get(&JOBS, &key.namespace, &key.name);
        self.release_orphans(client, key, job.as_ref()).await;
        let Some(job) = job else { return Outcome::Done };
        if is_finished(job.value()) {
            return self.expire(client, &job).await;
        }
        self.sync(client, &job).await
    }
}

impl Jobs {
    /// Removes the finalizer of pods whose Job is gone.
    async fn release_orphans(&self, client: &mut Client, key: &Key, job: Option<&Object>) {
        let (pods, _) = client.store().list(&PODS, Some(&key.namespace));
        let is_orphan = |pod: &&Object| {
            pod.label(NAME) == Some(&key.name)
                && is_tracked(pod)
                && job.is_none_or(|job| !pod.owners().any(|owner| owner == job.uid()))
        };
        for pod in pods.iter().filter(is_orphan) {
            let _ = client.patch(&PODS, pod, |pod| names::drop_finalizer(pod, TRACKING)).await;
        }
        if job.is_none() {
            let keep: Vec<Box<str>> =
                client.store().list(&JOBS, None).0.iter().map(|job| job.uid().into()).collect();
            lock(&self.known).retain(|uid, _| keep.contains(uid));
        }
    }

    /// Deletes a finished Job once its time to live has passed.
    async fn expire(&self, client: &mut Client, job: &Object) -> Outcome {
        let now = self.cluster.clock.now();
        let finished = *lock(&self.known).entry(job.uid().into()).or_default().finished.get_or_insert(now);
        let Some(ttl) = job.value()["spec"]["ttlSecondsAfterFinished"].as_f64() else { return Outcome::Done };
        if job.is_deleting() {
            return Outcome::Done;
        }
        if finished + ttl > now {
            return Outcome::Again(finished + ttl - now);
        }
        let options = DeleteOptions {
            uid: Some(job.uid().to_owned()),
            propagation: Propagation::Foreground,
            ..DeleteOptions::default()
        };
        client.pay(&JOBS).await;
        // It may be gone already.
        let _ = client.store().delete(&JOBS, job.namespace(), job.name(), &options);
        Outcome::Done
    }

    async fn sync(&self, client: &mut Client, job: &Object) -> Outcome {
        let now = self.cluster.clock.now();
        let stamp = self.cluster.clock.stamp();
        let pods = client.store().owned_by(&PODS, job.uid());
        let mut tally = Tally::of(job.value(), &pods);
        self.remember(job, &tally, now);
        let is_suspended = job.value()["spec"]["suspend"] == true;
        self.judge(job, &mut tally, is_suspended, now);
        let mut status = tally.status(job.value(), job.value()["status"].clone());
        if status["startTime"].is_null() && !is_suspended {
            status["startTime"] = json!(stamp);
        }
        self.suspend(job, &mut status, is_suspended, &stamp);
        tally.announce(&mut status, &stamp);
        // The status names pods before their finalizers go, so that each is counted exactly once.
        let Some(job) = write(client, job, &status).await else { return Outcome::Retry };
        for pod in &tally.counted {
            if client.patch(&PODS, pod, |pod| names::drop_finalizer(pod, TRACKING)).await.is_err()
                && client
                    .store()
                    .get(&PODS, pod.namespace(), pod.name())
                    .is_some_and(|now| now.uid() == pod.uid())
            {
                return Outcome::Retry;
            }
        }
        let mut outcome = Outcome::Done;
        if tally.is_ending() || is_suspended {
            for pod in &tally.active {
                self.delete(client, &job, pod).await;
            }
        } else if !job.is_deleting() {
            outcome = self.manage(client, &job, &mut tally, now).await;
        }
        tally.settle(job.value(), &mut status, &stamp);
        let before = is_finished(job.value());
        let Some(job) = write(client, &job, &status).await else { return Outcome::Retry };
        if !before && is_finished(job.value()) {
            self.tell_end(&job);
        }
        self.deadline(&job, outcome, now)
    }

    /// Records which pods have ended since the last reconciliation.
    fn remember(&self, job: &Object, tally: &Tally, now: f64) {
        let mut known = lock(&self.known);
        let memory = known.entry(job.uid().into()).or_default();
        if job.value()["spec"]["suspend"] == true {
            memory.started = None;
        } else {
            memory.started.get_or_insert(now);
        }
        for (failed, index) in &tally.fresh {
            if *failed {
                memory.failures.add(now);
                if let Some(index) = index {
                    memory.by_index.entry(*index).or_default().add(now);
                }
            } else {
                memory.failures = Failures::default();
            }
        }
    }

    /// Decides whether the Job has ended, and why.
    fn judge(&self, job: &Object, tally: &mut Tally, is_suspended: bool, now: f64) {
        tally.judge_failures(job.value());
        let known = lock(&self.known);
        let memory = known.get(job.uid());
        let started = memory.and_then(|memory| memory.started).unwrap_or(now);
        if let Some(limit) = job.value()["spec"]["activeDeadlineSeconds"].as_f64()
            && !is_suspended
            && now - started >= limit
        {
            tally.fail("DeadlineExceeded", "Job was active longer than specified deadline");
        }
        if let Some(limit) = job.value()["spec"]["backoffLimitPerIndex"].as_u64() {
            let is_spent =
                |(index, failures): (&u32, &Failures)| (u64::from(failures.count) > limit).then_some(*index);
            let spent: Indexes =
                memory.into_iter().flat_map(|memory| memory.by_index.iter().filter_map(is_spent)).collect();
            tally.failed_indexes.extend(spent);
            let completed = tally.completed.clone();
            tally.failed_indexes.retain(|index| !completed.contains(index));
        }
        tally.judge_indexes(job.value());
    }

    fn suspend(&self, job: &Object, status: &mut Value, is_suspended: bool, stamp: &str) {
        let was = conditions::is(job.value(), "Suspended", "True");
        if is_suspended == was {
            return;
        }
        let (word, reason, message) = if is_suspended {
            status["startTime"] = Value::Null;
            ("True", "JobSuspended", "Job suspended")
        } else {
            status["startTime"] = json!(stamp);
            ("False", "JobResumed", "Job resumed")
        };
        mark(status, "Suspended", word, reason, message, stamp);
        let event = if is_suspended { "Suspended" } else { "Resumed" };
        self.cluster.recorder.normal(CONTROLLER, job, event, message);
    }

    /// Creates and deletes pods until the wanted number is active.
    async fn manage(&self, client: &mut Client, job: &Object, tally: &mut Tally, now: f64) -> Outcome {
        let wanted = tally.wanted(job.value());
        let excess = tally.active.len().saturating_sub(wanted);
        for pod in tally.excess(excess) {
            self.delete(client, job, &pod).await;
            tally.forget(&pod);
        }
        let missing = wanted.saturating_sub(tally.occupied(job.value()));
        if missing == 0 {
            return Outcome::Done;
        }
        let mut later: Option<f64> = None;
        let indexes = tally.free_indexes(job.value());
        let places: Vec<Option<u32>> = match indexes {
            Some(free) => free.into_iter().map(Some).collect(),
            None => vec![None; missing],
        };
        let mut made = 0;
        for index in places {
            if made == missing {
                break;
            }
            let (due, failures) = self.due(job, index);
            if due > now {
                later = Some(later.map_or(due, |known| known.min(due)));
                if index.is_some() && failures.is_some() {
                    continue;
                }
                break;
            }
            match client.create(&PODS, pod_spec::pod(job, index, failures)).await {
                Ok(pod) => {
                    let message = format!("Created pod: {}", pod.name());
                    self.cluster.recorder.normal(CONTROLLER, job, "SuccessfulCreate", &message);
                    made += 1;
                    tally.active.push(pod);
                }
                Err(StoreError::NoNamespace { .. } | StoreError::NamespaceTerminating { .. }) => {
                    return Outcome::Done;
                }
                Err(error) => {
                    let message = format!("Error creating: {error}");
                    self.cluster.recorder.warning(CONTROLLER, job, "FailedCreate", &message);
                    return Outcome::Retry;
                }
            }
        }
        later.map_or(Outcome::Done, |at| Outcome::Again(at - now))
    }

    /// Earliest time for the next pod, and the number of failures of its index if they are limited per index.
    fn due(&self, job: &Object, index: Option<u32>) -> (f64, Option<u32>) {
        let pause = self.cluster.profile.controller_manager.job_back_off;
        let known = lock(&self.known);
        let Some(memory) = known.get(job.uid()) else { return (0.0, None) };
        match index.filter(|_| job.value()["spec"]["backoffLimitPerIndex"].is_integer()) {
            Some(index) => {
                let failures = memory.by_index.get(&index).copied().unwrap_or_default();
                (failures.due(pause), Some(failures.count))
            }
            None => (memory.failures.due(pause), None),
        }
    }

    async fn delete(&self, client: &mut Client, job: &Object, pod: &Object) {
        if client.delete(&PODS, pod, None).await.is_ok() {
            let message = format!("Deleted pod: {}", pod.name());
            self.cluster.recorder.normal(CONTROLLER, job, "SuccessfulDelete", &message);
        }
    }

    fn tell_end(&self, job: &Object) {
        if conditions::is(job.value(), "Complete", "True") {
            self.cluster.recorder.normal(CONTROLLER, job, "Completed", "Job completed");
        } else if let Some(failed) = conditions::find(job.value(), "Failed") {
            let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
            self.cluster.recorder.warning(CONTROLLER, job, &text("reason"), &text("message"));
        }
    }

    /// Schedules the next reconciliation no later than the deadline of the Job.
    fn deadline(&self, job: &Object, outcome: Outcome, now: f64) -> Outcome {
        let Some(limit) = job.value()["spec"]["activeDeadlineSeconds"].as_f64() else { return outcome };
        let started = lock(&self.known).get(job.uid()).and_then(|memory| memory.started);
        let Some(left) = started.map(|started| started + limit - now).filter(|left| *left > 0.0) else {
            return outcome;
        };
        match outcome {
            Outcome::Done => Outcome::Again(left),
            Outcome::Again(seconds) => Outcome::Again(seconds.min(left)),
            Outcome::Retry => Outcome::Retry,
        }
    }
}

/// Writes the status; `None` if the Job is a different one by now.
async fn write(client: &mut Client, job: &Object, status: &Value) -> Option<Object> {
    client.patch(&JOBS, job, |job| job["status"] = status.clone()).await.ok()
}

/// Whether a Job has ended.
pub(super) fn is_finished(job: &Value) -> bool {
    conditions::is(job, "Complete", "True") || conditions::is(job, "Failed", "True")
}
