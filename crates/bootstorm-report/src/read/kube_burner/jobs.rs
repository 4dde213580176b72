//! Jobs as phases, and their documents as timelines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::Unreadable;
use super::documents::{Documents, Summary, Vm};
use crate::{ValidityBlock, natural};
use bootstorm_model::observe::{Milestone, Moment, Offset, Outcome, Source, Timeline};
use bootstorm_model::plan::{MOST_TARGETS, Target};
use bootstorm_model::record::{MOST_PHASES, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState};
use bootstorm_model::stats::validity::{self, Conditions, Doubt, Trust, Validity};
use bootstorm_model::stats::{Level, Quantile, Sample};

/// How much older than its job an instance may seem, in milliseconds: clocks of two machines, and whole seconds.
const CLOCKS: i64 = 2_000;
/// Maximum latency: 31 years, in milliseconds. kube-burner writes -9223372036854 for what it has not seen.
const MOST_MILLIS: i64 = 1_000_000_000_000;

/// A job with its VMs
pub(super) struct Job<'a> {
    pub(super) name: String,
    summary: Option<&'a Summary>,
    vms: Vec<&'a Vm>,
    began: Timestamp,
}

impl<'a> Job<'a> {
    /// The jobs, in the order in which they began.
    pub(super) fn all(documents: &'a Documents) -> Result<Vec<Self>, Unreadable> {
        let mut by_name: BTreeMap<&str, Vec<&Vm>> = BTreeMap::new();
        for vm in &documents.vms {
            by_name.entry(&vm.job_name).or_default().push(vm);
        }
        for job in &documents.summaries {
            by_name.entry(&job.job_config.name).or_default();
        }
        if by_name.len() > MOST_PHASES {
            return Err(Unreadable::damaged(&format!("it has more than {MOST_PHASES} jobs")));
        }
        let job = |(name, vms): (&str, Vec<&'a Vm>)| {
            // A reused folder has a summary per use; the last one belongs to the existing documents.
            let of_name = |job: &&&Summary| job.job_config.name == name;
            let summary = documents.summaries.iter().collect::<Vec<_>>();
            let summary = summary.iter().rev().find(of_name).copied();
            let first = vms.iter().map(|vm| vm.timestamp).min();
            let began = summary.map(|summary| summary.timestamp).or(first)?;
            Some(Job { name: name.to_owned(), summary, vms, began })
        };
        let mut jobs: Vec<Self> = by_name.into_iter().filter_map(job).collect();
        jobs.sort_by(|a, b| a.began.cmp(&b.began).then_with(|| a.name.cmp(&b.name)));
        Ok(jobs)
    }

    fn creates(&self) -> bool {
        self.summary.is_none_or(|summary| matches!(summary.job_config.job_type.as_str(), "create" | ""))
    }

    fn is_ours(&self) -> bool {
        self.vms.iter().any(|vm| vm.metadata.ours)
    }

    /// VMs whose instances were created in this job: a job that stops VMs shows the state before.
    fn started(&self) -> Vec<&'a Vm> {
        let is_new = |vm: &&&Vm| {
            let created = vm.vmi_created_latency.filter(|created| is_seen(*created));
            // Microseconds: those of a year far away have no instant as their sum.
            created.is_some_and(|created| {
                between(self.began, vm.timestamp).0.saturating_add(created * 1_000) >= -CLOCKS * 1_000
            })
        };
        if self.creates() || self.is_ours() {
            return self.vms.clone();
        }
        self.vms.iter().filter(is_new).copied().collect()
    }

    fn ended(&self) -> Option<Timestamp> {
        self.summary?.end_timestamp
    }
}

/// One phase from one job, or from all that create
pub(super) struct Phase<'a> {
    name: PhaseName,
    pub(super) began: Timestamp,
    ended: Option<Timestamp>,
    vms: Vec<&'a Vm>,
    /// Number of omitted documents: VMs that were recreated while the job churned.
    again: usize,
    /// VMs that the summary counts; only in our own documents.
    counted: Option<usize>,
    errors: Vec<&'a str>,
    passed: bool,
    /// Names of VMs that exist in several namespaces: kube-burner does not distinguish their pods.
    shared: BTreeSet<&'a str>,
}

impl<'a> Phase<'a> {
    /// The phases of jobs that measured VMs.
    pub(super) fn all(jobs: &[Job<'a>]) -> Result<Vec<Self>, Unreadable> {
        let (creating, others): (Vec<&Job<'a>>, Vec<&Job<'a>>) = jobs.iter().partition(|job| job.creates());
        let mut phases: Vec<Self> = Self::of(PhaseName::CREATE, &creating).into_iter().collect();
        for job in others {
            let storms = phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm).count();
            let number = storms as u32 + 1;
            phases.extend(Self::of(PhaseName { kind: PhaseKind::Storm, number }, &[job]));
        }
        if phases.iter().any(|phase| phase.vms.len() > MOST_TARGETS as usize) {
            return Err(Unreadable::damaged(&format!("it has more than {MOST_TARGETS} VMs")));
        }
        Ok(phases)
    }

    fn of(name: PhaseName, jobs: &[&Job<'a>]) -> Option<Self> {
        let measured: Vec<(&Job<'a>, Vec<&'a Vm>)> =
            jobs.iter().map(|job| (*job, job.started())).filter(|(_, vms)| !vms.is_empty()).collect();
        let (first, _) = measured.first()?;
        let summaries = || measured.iter().filter_map(|(job, _)| job.summary);
        let errors = summaries().filter_map(|summary| summary.execution_errors.as_deref());
        let (mut vms, mut again, mut seen) = (Vec::new(), 0, BTreeSet::new());
        for vm in measured.iter().flat_map(|(_, vms)| vms) {
            if vm.churn_metric || !seen.insert((vm.namespace.as_str(), vm.name())) {
                again += 1;
            } else {
                vms.push(*vm);
            }
        }
        let (mut names, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for vm in vms.iter().filter(|vm: &&&Vm| !vm.metadata.ours) {
            if !names.insert(vm.name()) {
                shared.insert(vm.name());
            }
        }
        Some(Self {
            name,
            shared,
            began: first.began,
            ended: measured.iter().filter_map(|(job, _)| job.ended()).max(),
            vms,
            again,
            counted: summaries().find_map(|summary| summary.vms),
            errors: errors.filter(|errors| !errors.is_empty()).collect(),
            passed: summaries().all(|summary| summary.passed != Some(false)),
        })
    }

    pub(super) fn is_ours(&self) -> bool {
        !self.vms.is_empty() && self.vms.iter().all(|vm| vm.metadata.ours)
    }

    /// Whether every participant has a document.
    pub(super) fn is_complete(&self) -> bool {
        self.counted.is_some_and(|counted| counted <= self.vms.len())
    }

    pub(super) fn is_probed(&self) -> bool {
        self.vms.iter().any(|vm| vm.metadata.vm_reachable_latency.is_some())
    }

    fn goal(&self) -> Milestone {
        let reachable = self.vms.iter().any(|vm| vm.metadata.goal.as_deref() == Some("reachable"));
        if reachable { Milestone::Reachable } else { Milestone::Running }
    }

    /// The phase as a record, with `targets` in natural order.
    pub(super) fn record(&self, targets: &[Target]) -> PhaseRecord {
        let settings = PhaseSettings {
            concurrency: 0,
            timeout_seconds: 0,
            ping_timeout_seconds: 0,
            ..PhaseSettings::default()
        };
        let mut record = PhaseRecord::new(self.name, self.began, settings, 0);
        record.goal = self.goal();
        record.state = PhaseState::Done;
        record.ended = self.ended.map(|ended| between(self.began, ended));
        record.timelines = self.vms.iter().filter_map(|vm| self.timeline(vm, targets)).collect();
        record
    }

    fn timeline(&self, vm: &Vm, targets: &[Target]) -> Option<Timeline> {
        let found = targets.binary_search_by(|target| order(target, &vm.namespace, vm.name()));
        let mut timeline = Timeline::new(u32::try_from(found.ok()?).ok()?);
        let ours = vm.metadata.ours;
        // A start counts from the instance: the creation time of the VM is irrelevant to it.
        let zero = match self.name.kind {
            PhaseKind::Storm if !ours => vm.vmi_created_latency.unwrap_or_default(),
            _ => 0,
        };
        let start = if ours { between(self.began, vm.timestamp) } else { Offset::ZERO };
        timeline.see(Milestone::Requested, start);
        let has_pod = !self.shared.contains(vm.name());
        let of_pod = |latency: Option<i64>| latency.filter(|_| has_pod);
        let latencies = [
            (Milestone::Instance, vm.vmi_created_latency),
            (Milestone::Pod, of_pod(vm.pod_created_latency)),
            (Milestone::Placed, of_pod(vm.pod_scheduled_latency)),
            (Milestone::Prepared, of_pod(vm.pod_ready_to_start_containers_latency)),
            (Milestone::Initialized, of_pod(vm.pod_initialized_latency)),
            (Milestone::Scheduled, vm.vmi_scheduled_latency),
            (Milestone::Running, vm.vmi_running_latency),
            (Milestone::Ready, vm.vm_ready_latency),
            (Milestone::Reachable, vm.metadata.vm_reachable_latency),
        ];
        for (milestone, latency) in latencies {
            let Some(millis) = latency.and_then(|latency| latency.checked_sub(zero)) else { continue };
            // Times well before the beginning belong to an earlier boot, or were never seen.
            if !(-CLOCKS..=MOST_MILLIS).contains(&millis) {
                continue;
            }
            let is_seen = ours && !vm.metadata.not_seen.iter().any(|word| word == milestone.word());
            let source = if is_seen { Source::Seen } else { Source::Stamped };
            timeline.moments.insert(milestone, Moment { at: Offset(start.0 + millis * 1_000), source });
        }
        timeline.node = Some(vm.node_name.clone()).filter(|node| has_pod && !node.is_empty());
        timeline.outcome = outcome(vm, &timeline, self.goal());
        Some(timeline)
    }

    /// How far the times can be trusted, by our own rules, and what kube-burner omits.
    pub(super) fn validity(&self, record: &PhaseRecord) -> ValidityBlock {
        let sample = Sample::to_milestone(&record.timelines, record.goal, record.goal);
        let is_stamped = |timeline: &&Timeline| timeline.is_stamped(Milestone::Running);
        let stamped = record.timelines.iter().filter(is_stamped).count();
        let conditions = Conditions {
            vms: record.timelines.len(),
            median: Quantile::of(&sample.without_missing(), Level::P50).seconds(),
            stamped,
            unseen: stamped,
            ..Conditions::default()
        };
        let mut findings = validity::judge(&conditions);
        findings.retain(|finding| matches!(finding.rule, Doubt::Watch));
        findings.push(Trust {
            rule: Doubt::Unknown,
            grade: (!self.is_complete()).then_some(Validity::Qualified),
            measured: self.left_out(),
        });
        ValidityBlock { grade: validity::worst(&findings), findings, client: None }
    }

    /// What the documents lack, in one sentence.
    fn left_out(&self) -> String {
        let mut parts = match self.counted {
            Some(counted) => vec![format!("{} of {counted} VMs have a document", self.vms.len())],
            None => vec![
                "kube-burner has no document of a VM that did not run; how many did not is unknown"
                    .to_owned(),
            ],
        };
        if !self.shared.is_empty() {
            parts.push(
                "pods and nodes of VMs that share a name are left out, since kube-burner mixes them up"
                    .to_owned(),
            );
        }
        if self.again > 0 {
            parts.push(format!("{} documents of recreated VMs are left out", self.again));
        }
        if !self.passed {
            let why =
                if self.errors.is_empty() { "without a reason".to_owned() } else { self.errors.join("; ") };
            parts.push(format!("the job failed: {why}"));
        }
        parts.join("; ")
    }
}

/// A VM with a document of kube-burner ran; our documents have the outcome.
fn outcome(vm: &Vm, timeline: &Timeline, goal: Milestone) -> Outcome {
    match vm.metadata.outcome.as_deref() {
        Some("failed") => Outcome::Failed,
        Some("timed-out") => Outcome::TimedOut,
        Some("unknown") => Outcome::Unknown,
        _ if timeline.has(goal) => Outcome::Reached,
        _ => Outcome::Unknown,
    }
}

/// Every VM of any phase once, in natural order.
pub(super) fn targets(phases: &[Phase<'_>]) -> Vec<Target> {
    let all: BTreeSet<(&str, &str)> =
        phases.iter().flat_map(|phase| &phase.vms).map(|vm| (vm.namespace.as_str(), vm.name())).collect();
    let target =
        |(namespace, name): (&str, &str)| Target { namespace: namespace.to_owned(), name: name.to_owned() };
    let mut targets: Vec<Target> = all.into_iter().map(target).collect();
    targets.sort_by(|a, b| order(a, &b.namespace, &b.name));
    targets
}

fn order(target: &Target, namespace: &str, name: &str) -> std::cmp::Ordering {
    natural::compare(&target.namespace, namespace).then_with(|| natural::compare(&target.name, name))
}

/// Whether a latency is that of an event which kube-burner has seen.
fn is_seen(millis: i64) -> bool {
    millis.unsigned_abs() < MOST_MILLIS.unsigned_abs()
}

fn between(from: Timestamp, to: Timestamp) -> Offset {
    Offset(to.as_microsecond().saturating_sub(from.as_microsecond()))
}
