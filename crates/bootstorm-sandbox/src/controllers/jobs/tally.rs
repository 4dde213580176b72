//! Accounting of a Job's pods.

use crate::value::{Value, json};

use super::super::conditions;
use super::indexes::{self, Indexes};
use super::labels::{INDEX, is_tracked};
use super::policy::{Verdict, judge};

use crate::store::Object;

/// The pods of a Job, counted
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Pods that have neither ended nor are terminating.
    pub(super) active: Vec<Object>,
    /// Number of pods that are terminating and have not ended.
    terminating: usize,
    /// Indexes of those.
    leaving: Indexes,
    /// Pods that are counted and may be released.
    pub(super) counted: Vec<Object>,
    /// Pods that count for the first time: whether they failed, and their index.
    pub(super) fresh: Vec<(bool, Option<u32>)>,
    /// Succeeded indexes.
    pub(super) completed: Indexes,
    /// Indexes that failed for good.
    pub(super) failed_indexes: Indexes,
    succeeded: u64,
    failed: u64,
    uncounted: Uncounted,
    is_indexed: bool,
    /// Reason and message of the failure, if it has failed.
    failure: Option<(String, String)>,
    is_complete: bool,
}

/// UIDs of ended pods whose finalizers may still be present
#[derive(Debug, Default)]
struct Uncounted {
    succeeded: Vec<String>,
    failed: Vec<String>,
}

fn phase(pod: &Object) -> &str {
    pod.value()["status"]["phase"].as_str().unwrap_or_default()
}

/// The completion index of a pod.
fn index(pod: &Object) -> Option<u32> {
    pod.value()["metadata"]["annotations"][INDEX].as_str()?.parse().ok()
}

/// Whether pods are replaced only after failing, not when deleted.
fn replaces_failed_only(job: &Value) -> bool {
    job["spec"]["podReplacementPolicy"] == "Failed"
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn identities(status: &Value, field: &str) -> Vec<String> {
    let list = status["uncountedTerminatedPods"][field].as_array().into_iter().flatten();
    list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

impl Tally {
    /// Counts the pods of a Job.
    pub(super) fn of(job: &Value, pods: &[Object]) -> Self {
        let status = &job["status"];
        let is_indexed = job["spec"]["completionMode"] == "Indexed";
        let completions = number(&job["spec"]["completions"]);
        let text = |field: &str| indexes::parse(status[field].as_str().unwrap_or_default());
        let target = conditions::find(job, "FailureTarget").filter(|found| found["status"] == "True");
        let said = |found: &Value, field: &str| found[field].as_str().unwrap_or_default().to_owned();
        let mut tally = Self {
            completed: if is_indexed { text("completedIndexes") } else { Indexes::new() },
            failed_indexes: text("failedIndexes"),
            failure: target.map(|found| (said(found, "reason"), said(found, "message"))),
            is_complete: conditions::is(job, "SuccessCriteriaMet", "True"),
            succeeded: status["succeeded"].as_u64().unwrap_or(0),
            failed: status["failed"].as_u64().unwrap_or(0),
            is_indexed,
            ..Self::default()
        };
        // Pods recorded and released since are counted.
        let held = |uid: &String| pods.iter().any(|pod| pod.uid() == uid && is_tracked(pod));
        let (kept, done): (Vec<_>, Vec<_>) = identities(status, "succeeded").into_iter().partition(held);
        tally.succeeded += done.len() as u64;
        tally.uncounted.succeeded = kept;
        let (kept, done): (Vec<_>, Vec<_>) = identities(status, "failed").into_iter().partition(held);
        tally.failed += done.len() as u64;
        tally.uncounted.failed = kept;
        for pod in pods {
            tally.add(job, pod, completions);
        }
        tally
    }

    fn add(&mut self, job: &Value, pod: &Object, completions: Option<usize>) {
        let index = index(pod).filter(|_| self.is_indexed);
        let is_valid = !self.is_indexed
            || index.is_some_and(|index| completions.is_none_or(|all| (index as usize) < all));
        // A pod that never got a node has no kubelet to report its failure.
        let never_ran = pod.value()["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
        let is_over = matches!(phase(pod), "Succeeded" | "Failed") || pod.is_deleting() && never_ran;
        if pod.is_deleting() && !is_over {
            self.terminating += 1;
            self.leaving.extend(index);
        }
        let has_failed =
            phase(pod) != "Succeeded" && (is_over || pod.is_deleting() && !replaces_failed_only(job));
        if !is_over && !has_failed {
            if !pod.is_deleting() {
                self.active.push(pod.clone());
            }
            return;
        }
        if !is_tracked(pod) {
            return;
        }
        self.counted.push(pod.clone());
        let uid = pod.uid().to_owned();
        if self.uncounted.failed.contains(&uid) || self.uncounted.succeeded.contains(&uid) || !is_valid {
            return;
        }
        if !has_failed {
            match index {
                // The index suffices to count it once.
                Some(index) => {
                    if self.completed.insert(index) {
                        self.fresh.push((false, Some(index)));
                    }
                }
                None => {
                    self.fresh.push((false, None));
                    self.uncounted.succeeded.push(uid);
                }
            }
            return;
        }
        match judge(job, pod.value()) {
            Verdict::Ignore => {
                // It delays the next pod nevertheless.
                self.fresh.push((true, None));
                return;
            }
            Verdict::FailIndex => self.failed_indexes.extend(index),
            Verdict::FailJob(message) => self.fail("PodFailurePolicy", &message),
            Verdict::Count => {}
        }
        self.fresh.push((true, index));
        self.uncounted.failed.push(uid);
    }

    /// Records that the Job has failed, unless it has ended before.
    pub(super) fn fail(&mut self, reason: &str, message: &str) {
        if self.failure.is_none() && !self.is_complete {
            self.failure = Some((reason.to_owned(), message.to_owned()));
        }
    }

    /// Whether the Job has ended, or is about to.
    pub(super) fn is_ending(&self) -> bool {
        self.is_complete || self.failure.is_some()
    }

    fn succeeded(&self) -> u64 {
        if self.is_indexed {
            self.completed.len() as u64
        } else {
            self.succeeded + self.uncounted.succeeded.len() as u64
        }
    }

    fn failed(&self) -> u64 {
        self.failed + self.uncounted.failed.len() as u64
    }

    /// Decides whether the Job has failed too often.
    pub(super) fn judge_failures(&mut self, job: &Value) {
        let spec = &job["spec"];
        let limit = spec["backoffLimit"].as_u64().unwrap_or(6);
        let restarts = |pod: &Object| {
            let lists = ["containerStatuses", "initContainerStatuses"];
            let all = lists.iter().filter_map(|list| pod.value()["status"][*list].as_array()).flatten();
            all.filter_map(|one| one["restartCount"].as_u64()).sum::<u64>()
        };
        let restarted: u64 = if spec["template"]["spec"]["restartPolicy"] == "OnFailure" {
            self.active.iter().map(restarts).sum()
        } else {
            0
        };
        if self.failed() > limit || restarted > 0 && restarted >= limit {
            self.fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }
    }

    /// Decides whether the Job has succeeded, or its indexes have failed.
    pub(super) fn judge_indexes(&mut self, job: &Value) {
        let spec = &job["spec"];
        if !self.failed_indexes.is_empty() {
            let most = spec["maxFailedIndexes"].as_u64();
            if most.is_some_and(|most| self.failed_indexes.len() as u64 > most) {
                let message = "Job has exceeded the specified maximal number of failed indexes";
                self.fail("MaxFailedIndexesExceeded", message);
            }
            let all = number(&spec["completions"]).unwrap_or(0);
            if self.completed.len() + self.failed_indexes.len() >= all {
                self.fail("FailedIndexes", "Job has failed indexes");
            }
        }
        let is_enough = match number(&spec["completions"]) {
            Some(all) => self.succeeded() >= all as u64,
            // A work queue: once one pod has found it empty, the others finish their work.
            None => self.succeeded() > 0 && self.active.is_empty() && self.terminating == 0,
        };
        if is_enough && self.failure.is_none() && job["spec"]["suspend"] != true {
            self.is_complete = true;
        }
    }

    /// The status derived from the pods; the rest is kept.
    pub(super) fn status(&self, job: &Value, mut status: Value) -> Value {
        if !status.is_object() {
            status = json!({});
        }
        let counts = [
            ("active", self.active.len()),
            ("succeeded", if self.is_indexed { self.completed.len() } else { self.succeeded as usize }),
            ("failed", self.failed as usize),
        ];
        for (field, count) in counts {
            put(&mut status, field, (count > 0).then(|| json!(count)));
        }
        let is_ready = |pod: &&Object| conditions::is(pod.value(), "Ready", "True");
        status["ready"] = json!(self.active.iter().filter(is_ready).count());
        status["terminating"] = json!(self.terminating);
        let mut uncounted = json!({});
        for (field, list) in [("succeeded", &self.uncounted.succeeded), ("failed", &self.uncounted.failed)] {
            if !list.is_empty() {
                uncounted[field] = json!(list);
            }
        }
        status["uncountedTerminatedPods"] = uncounted;
        if self.is_indexed {
            let shown = indexes::format(&self.completed);
            put(&mut status, "completedIndexes", (!shown.is_empty()).then(|| json!(shown)));
        }
        if job["spec"]["backoffLimitPerIndex"].is_integer() {
            status["failedIndexes"] = json!(indexes::format(&self.failed_indexes));
        }
        status
    }

    /// Records in a status that the Job is about to end.
    pub(super) fn announce(&self, status: &mut Value, stamp: &str) {
        if let Some((reason, message)) = &self.failure {
            mark(status, "FailureTarget", "True", reason, message, stamp);
        } else if self.is_complete {
            mark(status, "SuccessCriteriaMet", "True", REACHED.0, REACHED.1, stamp);
        }
    }

    /// Updates a status after pods were created, deleted and released; the Job ends when none is left.
    pub(super) fn settle(&mut self, job: &Value, status: &mut Value, stamp: &str) {
        self.succeeded += self.uncounted.succeeded.drain(..).count() as u64;
        self.failed += self.uncounted.failed.drain(..).count() as u64;
        if self.is_ending() {
            self.terminating += self.active.drain(..).count();
        }
        *status = self.status(job, status.take());
        if !self.is_ending() || self.terminating > 0 {
            return;
        }
        if let Some((reason, message)) = &self.failure {
            mark(status, "Failed", "True", reason, message, stamp);
        } else {
            mark(status, "Complete", "True", REACHED.0, REACHED.1, stamp);
            status["completionTime"] = json!(stamp);
        }
    }

    /// Desired number of active pods.
    pub(super) fn wanted(&self, job: &Value) -> usize {
        let spec = &job["spec"];
        let parallelism = number(&spec["parallelism"]).unwrap_or(1);
        match number(&spec["completions"]) {
            Some(all) => {
                let done = self.succeeded() as usize + self.failed_indexes.len();
                parallelism.min(all.saturating_sub(done))
            }
            // Without a number of completions, nothing new begins once one has succeeded.
            None if self.succeeded() > 0 => self.active.len().min(parallelism),
            None => parallelism,
        }
    }

    /// Number of occupied slots.
    pub(super) fn occupied(&self, job: &Value) -> usize {
        self.active.len() + if replaces_failed_only(job) { self.terminating } else { 0 }
    }

    /// Indexes that need a pod, in order; `None` if the Job is not indexed.
    pub(super) fn free_indexes(&self, job: &Value) -> Option<Vec<u32>> {
        if !self.is_indexed {
            return None;
        }
        let all = u32::try_from(number(&job["spec"]["completions"])?).ok()?;
        let busy: Indexes = self.active.iter().filter_map(index).collect();
        let leaving = |one: &u32| replaces_failed_only(job) && self.leaving.contains(one);
        let is_free = |one: &u32| {
            !busy.contains(one)
                && !self.completed.contains(one)
                && !self.failed_indexes.contains(one)
                && !leaving(one)
        };
        Some((0..all).filter(is_free).collect())
    }

    /// Pods to delete first: those not running yet, then the highest indexes.
    pub(super) fn excess(&self, count: usize) -> Vec<Object> {
        let mut pods = self.active.clone();
        pods.sort_by_key(|pod| (phase(pod) == "Running", std::cmp::Reverse(index(pod))));
        pods.truncate(count);
        pods
    }

    /// Records that a pod has been deleted.
    pub(super) fn forget(&mut self, pod: &Object) {
        self.active.retain(|active| active.uid() != pod.uid());
        self.terminating += 1;
    }
}

/// Reason and message of a Job that has succeeded.
const REACHED: (&str, &str) = ("CompletionsReached", "Reached expected number of succeeded pods");

fn put(status: &mut Value, field: &str, value: Option<Value>) {
    let Some(fields) = status.as_object_mut() else { return };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

/// Sets a condition in a status.
pub(super) fn mark(status: &mut Value, kind: &str, word: &str, reason: &str, message: &str, stamp: &str) {
    let mut object = json!({"status": status.take()});
    conditions::mark(&mut object, kind, word, reason, message, stamp);
    *status = object["status"].take();
}
