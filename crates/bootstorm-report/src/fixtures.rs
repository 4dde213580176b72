//! Test records: deterministic, shaped like the guide's runs.

use bootstorm_model::observe::{
    Findings, LauncherState, Milestone, Offset, Outcome, Timeline, VolumeKind, Warning,
};
use bootstorm_model::plan::{Plan, TemplateSource};
use bootstorm_model::record::{
    ClockDifference, ClusterFacts, ClusterMark, Gap, Gauge, Health, Line, Metric, Metrics, NOT_IN_STORM,
    NodeKind, PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, RateLimit, RunRecord, SeriesKind,
    SetupRecord, StorageClassFacts,
};

/// Durations of the VMs in a phase, in seconds.
#[derive(Clone, Copy)]
struct Pace {
    /// First to last request.
    skew: f64,
    /// The fastest VM.
    fastest: f64,
    /// Additional time of the slowest VM.
    spread: f64,
}

const CREATE: Pace = Pace { skew: 1.9, fastest: 6.4, spread: 9.2 };
const STOP: Pace = Pace { skew: 2.3, fastest: 5.0, spread: 38.0 };
const STORM: Pace = Pace { skew: 2.1, fastest: 9.8, spread: 19.1 };

/// The guide's run: 100 VMs, of which 98 were created and stopped and 96 came back.
pub(crate) fn guide() -> RunRecord {
    let mut record = healthy(100);
    record.facts = ClusterFacts {
        context: Some("prod/admin".into()),
        server: Some("https://api.example.org:6443/".into()),
        kubernetes: Some("v1.34.1".into()),
        kubevirt: Some("v1.6.2".into()),
        kubevirt_generation: Some(3),
        nodes: Some(4),
        schedulable_nodes: Some(3),
        tool: Some("0.1.0".into()),
        cdi: Some("v1.63.1".into()),
        node_kinds: vec![NodeKind {
            nodes: 4,
            schedulable: 3,
            cpu_millis: Some(32_000),
            memory_gib: Some(128),
            architecture: Some("amd64".into()),
            os: Some("Fedora CoreOS 42".into()),
            kernel: Some("6.14.0".into()),
            container_runtime: Some("cri-o://1.34.0".into()),
            kubelet: Some("v1.34.1".into()),
        }],
        storage_classes: vec![StorageClassFacts {
            name: "fast".into(),
            provisioner: "rook-ceph.rbd.csi.ceph.com".into(),
            binding_mode: Some("Immediate".into()),
            default: true,
            used: false,
        }],
        rate_limits: vec![RateLimit { component: "virt-api".into(), qps: 5.0, burst: 10, configured: false }],
        workers: Vec::new(),
        disks: bootstorm_model::plan::Template::container_disk("quay.io/containerdisks/fedora:42").disks(),
    };
    let [create, stop, storm] = &mut record.phases[..] else { unreachable!("healthy has three phases") };
    for index in [36, 70] {
        end(create, index, Outcome::TimedOut, "pod unschedulable: 0/3 nodes have enough memory");
        end(stop, index, Outcome::TimedOut, "the VMI still exists");
        end(storm, index, Outcome::Excluded, "was not stopped");
        storm.timelines[index].moments.clear();
    }
    end(storm, 12, Outcome::TimedOut, "still Scheduling after 600s: FailedMount");
    end(storm, 57, Outcome::Failed, "VMI failed: launcher pod exited with code 1");
    record
}

/// Prometheus measurements: two nodes, one of them busy, for 30 seconds.
pub(crate) fn metrics() -> Metrics {
    let line = |label: &str, values: [Option<f64>; 3]| Line { label: label.into(), values: values.into() };
    let lines = vec![
        line("worker-1", [Some(20.0), Some(97.0), Some(40.0)]),
        line("worker-2", [Some(10.0), None, Some(30.0)]),
    ];
    Metrics {
        source: "http://prometheus.example.org:9090".into(),
        first_seconds: 0.0,
        step_seconds: 10.0,
        clock_ahead_seconds: 0.0,
        gauges: vec![Gauge { metric: Metric::NodeCpu, lines, dropped: 1 }],
        missing: vec!["no data: etcd commit p99".into()],
    }
}

/// Twelve VMs without any failure.
pub(crate) fn small() -> RunRecord {
    healthy(12)
}

/// Twelve VMs with every outcome, one with a hostile reason, and an interrupted watch.
pub(crate) fn with_failures() -> RunRecord {
    let mut record = healthy(12);
    let storm = &mut record.phases[2];
    end(storm, 1, Outcome::Failed, "Warning\u{1b}[2J FailedScheduling\r\nno nodes available");
    end(storm, 4, Outcome::TimedOut, "still Scheduling after 600s");
    end(storm, 6, Outcome::Excluded, "was not stopped");
    storm.timelines[6].moments.clear();
    storm.timelines[2].attempts = 3;
    storm.timelines[2].throttled = 2;
    storm.timelines[2].throttled_for = Offset::from_seconds(1.25);
    storm.watch.restarts = 1;
    storm.watch.gaps.push(Gap {
        from: Offset::from_seconds(4.0),
        to: Offset::from_seconds(6.5),
        ..Gap::default()
    });
    record
}

/// Twelve VMs, one of whose storm times was missed and filled in from the server.
pub(crate) fn stamped() -> RunRecord {
    let mut record = healthy(12);
    let timeline = &mut record.phases[2].timelines[3];
    timeline.moments.remove(&Milestone::Running);
    timeline.fill(Milestone::Running, Offset::from_seconds(14.0));
    record
}

/// Twelve VMs whose guests were probed in the create phase and the storm.
pub(crate) fn probed() -> RunRecord {
    let mut record = healthy(12);
    for phase in record.phases.iter_mut().filter(|phase| phase.name.kind != PhaseKind::Stop) {
        phase.goal = Milestone::Reachable;
        for timeline in &mut phase.timelines {
            let running = timeline.at(Milestone::Running).unwrap();
            timeline.see(Milestone::Reachable, Offset(running.0 + 3_250_000));
        }
        phase.ended = phase.ended.map(|ended| Offset(ended.0 + 3_250_000));
    }
    record
}

/// Twelve VMs whose disks were cloned, two of them in another way, with overrides of the manifest.
pub(crate) fn provisioned() -> RunRecord {
    let mut record = healthy(12);
    record.plan.template = TemplateSource::golden();
    record.plan.overrides.storage_class = Some("fast".into());
    record.plan.overrides.cpu = Some(2);
    for (index, timeline) in record.phases[0].timelines.iter_mut().enumerate() {
        let accepted = timeline.at(Milestone::Accepted).unwrap();
        timeline.see(Milestone::Volume, Offset(accepted.0 + 500_000));
        timeline.volume_kind = Some(if index < 10 { VolumeKind::CsiClone } else { VolumeKind::HostAssisted });
    }
    record
}

/// Twelve VMs that were created without a start, then stormed.
pub(crate) fn unstarted() -> RunRecord {
    let mut record = provisioned();
    record.phases.remove(1);
    let create = &mut record.phases[0];
    create.goal = Milestone::Volume;
    create.settings.halted = true;
    for timeline in &mut create.timelines {
        timeline.moments.retain(|milestone, _| *milestone <= Milestone::Volume);
    }
    record
}

/// Three storms, each slower than the one before; in the last one a VM did not come back.
pub(crate) fn repeated() -> RunRecord {
    let mut record = healthy(12);
    for number in 2..=3 {
        for index in [1, 2] {
            let mut again = record.phases[index].clone();
            again.name.number = number;
            for timeline in &mut again.timelines {
                for (milestone, moment) in &mut timeline.moments {
                    let slower =
                        if *milestone > Milestone::Accepted { i64::from(number) * 100_000 } else { 0 };
                    moment.at = Offset(moment.at.0 + slower);
                }
            }
            record.phases.push(again);
        }
    }
    end(&mut record.phases[6], 4, Outcome::TimedOut, "not running after 600s");
    record
}

/// A storm of 11 of 12 VMs in waves of 5, in reverse order; one did not come back.
pub(crate) fn waves() -> RunRecord {
    let mut record = healthy(12);
    let storm = &mut record.phases[2];
    storm.settings.shape = "wave 5/10s".parse().ok();
    storm.settings.order = "random:42".parse().unwrap();
    storm.queue = (1..12).rev().collect();
    end(storm, 0, Outcome::Excluded, "it was not stopped: its instance still exists");
    storm.timelines[0].moments.clear();
    for (place, vm) in storm.queue.clone().into_iter().enumerate() {
        let timeline = &mut storm.timelines[vm as usize];
        let wanted = Offset::from_seconds(0.05 + 10.0 * (place / 5) as f64);
        let shift = wanted.0 - timeline.at(Milestone::Requested).unwrap().0;
        for moment in timeline.moments.values_mut() {
            moment.at = Offset(moment.at.0 + shift);
        }
    }
    end(storm, 4, Outcome::TimedOut, "not running after 600s");
    record
}

/// The search for the largest storm of 12 VMs after this many storms; those of more than 7 VMs are too slow.
pub(crate) fn searched(storms: usize) -> RunRecord {
    let mut record = healthy(12);
    let (stop, storm) = (record.phases[1].clone(), record.phases[2].clone());
    record.phases.truncate(1);
    record.begin_series(SeriesKind::FindMax {
        goals: vec!["running.max<100s".into(), "failed<=0".into()],
        min: 3,
        max: 12,
        budget_seconds: Some(36_000),
        most_storms: 25,
    });
    for (number, size) in (1..).zip([3, 12, 7, 9, 8, 7].into_iter().take(storms)) {
        let (mut stop, mut storm) = (stop.clone(), storm.clone());
        (stop.name.number, storm.name.number) = (number, number);
        storm.settings.size = Some(size);
        for timeline in &mut storm.timelines {
            if timeline.target >= size {
                timeline.outcome = Outcome::Excluded;
                timeline.reason = Some(NOT_IN_STORM.to_owned());
                timeline.moments.clear();
            } else if let (true, Some(moment)) = (size > 7, timeline.moments.get_mut(&Milestone::Running)) {
                moment.at = Offset(moment.at.0 + 100_000_000);
            }
        }
        record.phases.extend([stop, storm]);
    }
    record
}

/// The first `phases` phases of twelve VMs; the last one interrupted halfway.
pub(crate) fn interrupted(phases: usize) -> RunRecord {
    let mut record = healthy(12);
    record.phases.truncate(phases);
    if let Some(last) = record.phases.last_mut() {
        last.state = PhaseState::Interrupted;
        for timeline in &mut last.timelines[5..] {
            timeline.moments.retain(|milestone, _| *milestone < Milestone::Instance);
            timeline.outcome = Outcome::Pending;
        }
    }
    record
}

/// A run without phases.
pub(crate) fn fresh() -> RunRecord {
    interrupted(0)
}

/// Twelve VMs, none of which ever came up.
pub(crate) fn hopeless() -> RunRecord {
    let mut record = healthy(12);
    record.phases.truncate(1);
    for index in 0..12 {
        end(&mut record.phases[0], index, Outcome::Failed, "quota exceeded");
    }
    record
}

/// A run of any size in which every VM came back.
pub(crate) fn healthy(size: u32) -> RunRecord {
    let began = |minute: u32| format!("2026-03-04T10:{minute:02}:00Z").parse().unwrap();
    let plan = Plan {
        prefix: "boot-storm-test".into(),
        start: 1,
        end: size,
        vm_name: "rhel-9-vm".into(),
        layout: bootstorm_model::plan::Layout::default(),
        pinning: bootstorm_model::plan::Pinning::default(),
        template: TemplateSource::ContainerDisk { image: "quay.io/containerdisks/fedora:42".into() },
        overrides: bootstorm_model::plan::Overrides::default(),
        sealed: None,
        probe: bootstorm_model::probe::ProbePlan::default(),
        extras: Vec::new(),
        copy_from: None,
        namespace_labels: std::collections::BTreeMap::new(),
        namespace_annotations: std::collections::BTreeMap::new(),
        adopted: Vec::new(),
    };
    let mut record = RunRecord::new("6f1e0c1c-0d6a-4c7e-9c55-1b2f4a9d7e10".into(), began(0), plan);
    record.setup =
        SetupRecord { namespaces: size, took: Offset::from_seconds(2.1), batch_size: 20, done: true };
    let storm = PhaseName { kind: PhaseKind::Storm, number: 1 };
    let stop = PhaseName { kind: PhaseKind::Stop, number: 1 };
    for (name, minute, pace) in [(PhaseName::CREATE, 1, CREATE), (stop, 2, STOP), (storm, 4, STORM)] {
        let settings = PhaseSettings::default();
        record.phases.push(phase(PhaseRecord::new(name, began(minute), settings, size), pace));
    }
    record
}

/// Completes a phase: every VM reaches its goal.
fn phase(mut phase: PhaseRecord, pace: Pace) -> PhaseRecord {
    let size = phase.timelines.len();
    for (index, timeline) in phase.timelines.iter_mut().enumerate() {
        let requested = 0.05 + pace.skew * index as f64 / size as f64;
        // Shares that look random but are constant; the square makes a few VMs much slower than most.
        let share = ((index as u64 * 2_654_435_761 + 97) % 1_009) as f64 / 1_009.0;
        let whole = pace.fastest + pace.spread * share * share;
        pass(timeline, phase.goal, requested, whole);
        timeline.node = Some(format!("worker-{}", index % 3 + 1));
        timeline.instance_uid = Some(format!("00000000-0000-4000-8000-{index:012}"));
        timeline.attempts = 1;
        timeline.outcome = Outcome::Reached;
    }
    let last = phase.timelines.iter().filter_map(|timeline| timeline.at(phase.goal)).max().unwrap();
    phase.ended = Some(Offset(last.0 + 40_000));
    phase.state = PhaseState::Done;
    phase
}

fn pass(timeline: &mut Timeline, goal: Milestone, requested: f64, whole: f64) {
    let shares: &[(Milestone, f64)] = match goal {
        Milestone::Gone => &[(Milestone::Stopping, 0.05), (Milestone::Gone, 1.0)],
        _ => &[
            (Milestone::Instance, 0.10),
            (Milestone::Pod, 0.25),
            (Milestone::Scheduled, 0.70),
            (Milestone::Running, 1.0),
            (Milestone::Ready, 1.05),
        ],
    };
    timeline.see(Milestone::Requested, Offset::from_seconds(requested));
    timeline.see(Milestone::Accepted, Offset::from_seconds(requested + 0.021));
    for (milestone, share) in shares {
        timeline.see(*milestone, Offset::from_seconds(requested + whole * share));
    }
}

/// Gives a VM another outcome: it gets no further than its pod.
fn end(phase: &mut PhaseRecord, index: usize, outcome: Outcome, reason: &str) {
    let timeline = &mut phase.timelines[index];
    timeline.moments.retain(|milestone, _| *milestone < Milestone::Scheduled);
    timeline.outcome = outcome;
    timeline.reason = Some(reason.to_owned());
}

/// A storm that was killed and continued: the time of the first VM's request is lost.
pub(crate) fn continued() -> RunRecord {
    let mut record = small();
    let storm = &mut record.phases[2];
    storm.continued = 2;
    storm.watch.gaps =
        vec![Gap { from: Offset::from_seconds(1.0), to: Offset::from_seconds(13.3), ..Gap::default() }];
    storm.timelines[0].moments.remove(&Milestone::Requested);
    storm.timelines[0].untimed = true;
    record
}

/// Twelve VMs on the guide's cluster, measured by a program that kept up.
pub(crate) fn measured() -> RunRecord {
    let mut record = small();
    record.facts = guide().facts;
    let mark = ClusterMark::from(&record.facts);
    for phase in &mut record.phases {
        let mut health = Health {
            processor: Some(Offset(900_000)),
            measured: phase.ended.unwrap(),
            processors: 8,
            retries: 1,
            clock: Some(ClockDifference { least: Offset(80_000), most: Offset(120_000) }),
            before: Some(mark.clone()),
            after: Some(mark.clone()),
            ..Health::default()
        };
        (0..100).for_each(|n| health.timer.add(Offset(100 + 10 * n)));
        (0..24).for_each(|n| health.watch.add(Offset(300 * n)));
        phase.health = Some(health);
    }
    record
}

/// Twelve VMs, of which three found no node in the storm, and one could not pull its image.
pub(crate) fn diagnosed() -> RunRecord {
    let mut record = measured();
    let storm = &mut record.phases[2];
    let lack = "0/3 nodes are available: 3 Insufficient memory. preemption: none.";
    for index in [1, 4, 7] {
        end(storm, index, Outcome::TimedOut, &format!("not running after 600s: ErrorUnschedulable: {lack}"));
        let timeline = &mut storm.timelines[index];
        let pod = format!("virt-launcher-rhel-9-vm-{}", ["x7k2p", "b9dfz", "q4w5t"][index / 3]);
        timeline.warn(Warning {
            kind: "Pod".into(),
            name: pod.clone(),
            reason: "FailedScheduling".into(),
            message: lack.into(),
            count: 9,
            first: Offset::from_seconds(1.0),
            last: Offset::from_seconds(300.0),
        });
        timeline.launcher = Some(LauncherState { pod, state: format!("Unschedulable: {lack}") }.into());
        timeline.findings = Some(Box::new(Findings {
            at: Offset::from_seconds(600.0),
            status: "ErrorUnschedulable".into(),
            conditions: vec![format!("Unschedulable: {lack}")],
            volumes: vec!["DataVolume root: ImportInProgress 30%".into()],
        }));
    }
    end(storm, 9, Outcome::TimedOut, "not running after 600s: Starting");
    let timeline = &mut storm.timelines[9];
    let at = timeline.at(Milestone::Pod).unwrap();
    timeline.see(Milestone::Placed, at);
    timeline.launcher = Some(Box::new(LauncherState {
        pod: "virt-launcher-rhel-9-vm-k8s2z".into(),
        state: "ImagePullBackOff: Back-off pulling image \"quay.io/a/b:1\"".into(),
    }));
    record
}

/// Copies of a document, each with one number or instant replaced by one at the end of its range. Of a list, the field
/// of only one entry is changed.
pub(crate) fn extremes(document: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut places = Vec::new();
    leaves(document, String::new(), &mut places);
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|(place, _)| {
        let fields = place.split('/').filter(|part| part.parse::<usize>().is_err());
        seen.insert(fields.collect::<Vec<_>>().join("/"))
    });
    let numbers = || serde_json::json!([i64::MIN, i64::MAX, u64::MAX, -1e308, 1e308]);
    let instants = || serde_json::json!(["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00.999999999Z"]);
    let replaced = |(place, is_number): (String, bool)| {
        let all = if is_number { numbers() } else { instants() };
        let one = move |extreme: &serde_json::Value| {
            let mut copy = document.clone();
            *copy.pointer_mut(&place).unwrap() = extreme.clone();
            copy
        };
        all.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    places.into_iter().flat_map(replaced).collect()
}

/// Pointers to the numbers (`true`) and instants in a document.
fn leaves(value: &serde_json::Value, place: String, into: &mut Vec<(String, bool)>) {
    use serde_json::Value;
    match value {
        Value::Number(_) => into.push((place, true)),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => into.push((place, false)),
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(n, one)| leaves(one, format!("{place}/{n}"), into));
        }
        Value::Object(all) => all.iter().for_each(|(key, one)| {
            leaves(one, format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), into);
        }),
        _ => {}
    }
}
