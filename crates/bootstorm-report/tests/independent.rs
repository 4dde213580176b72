//! Every number of a report against an independent implementation, based on the documentation and not on the code.
//!
//! Seeded runs with every kind of ending are written as `run.json`; the numbers are recomputed from that text in the
//! simplest way and compared with the report's JSON.
#![expect(
    clippy::unwrap_used,
    clippy::trivially_copy_pass_by_ref,
    reason = "a test; filters pass references"
)]

use bootstorm_model::observe::{Milestone, Offset, Outcome, Timeline};
use bootstorm_model::plan::{Plan, TemplateSource};
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, PhaseSettings, PhaseState, RunRecord};
use bootstorm_report::{Report, Selection};
use serde_json::Value;

/// Pseudo-random numbers, the same each time (xorshift64*).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, share: f64) -> bool {
        self.next() < share
    }
}

/// One VM on its way through these milestones; some end early, some have unknown times.
fn timeline(target: u32, path: &[(Milestone, f64)], trouble: f64, random: &mut Seeded) -> Timeline {
    let mut timeline = Timeline::new(target);
    let requested = random.next() * 3.0;
    timeline.see(Milestone::Requested, Offset::from_seconds(requested));
    timeline.attempts = 1;
    timeline.node = random.chance(0.95).then(|| format!("node-{}", (random.next() * 4.0) as u32));
    let (pace, mut at) = (0.5 + random.next() + 2.0 * random.next().powi(4), requested);
    let stop = random.chance(trouble).then(|| (random.next() * path.len() as f64) as usize);
    for (index, (milestone, length)) in path.iter().enumerate() {
        at += pace * length * (0.5 + random.next());
        match random.next() {
            _ if stop.is_some_and(|stop| index >= stop) => break,
            // Intermediate milestones may be missed.
            odd if odd < 0.03 && index + 1 < path.len() => {}
            odd if odd < 0.06 => {
                timeline.fill(*milestone, Offset::from_seconds(at.floor()));
            }
            odd if odd < 0.07 => {
                timeline.notice(*milestone, Offset::from_seconds(at));
            }
            _ => {
                timeline.see(*milestone, Offset::from_seconds(at));
            }
        }
    }
    timeline.outcome = match random.next() {
        odd if stop.is_some() && odd < 0.4 => Outcome::Failed,
        odd if stop.is_some() && odd < 0.8 => Outcome::TimedOut,
        odd if stop.is_some() && odd < 0.9 => Outcome::Unknown,
        _ if stop.is_some() => Outcome::Excluded,
        _ => Outcome::Reached,
    };
    if timeline.outcome == Outcome::Reached && random.chance(trouble / 3.0) {
        timeline.moments.remove(&Milestone::Requested);
        timeline.untimed = true;
    }
    timeline
}

/// A run with a create, a stop and a storm; in two of three runs the create fills disks.
fn run(seed: u64) -> RunRecord {
    use Milestone::{
        Accepted, Address, Gone, Instance, Pod, Reachable, Ready, Running, Scheduled, Stopping, Volume,
    };
    let mut random = Seeded(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9));
    let vms = 1 + (random.next() * random.next() * 150.0) as u32;
    let trouble = [0.0, 0.05, 0.3][seed as usize % 3];
    let (fills, probed) = (!seed.is_multiple_of(3), seed.is_multiple_of(2));
    let template = TemplateSource::ContainerDisk { image: "i".into() };
    let plan = Plan::resolve("p", 1, vms, "vm", template).unwrap();
    let began = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut record = RunRecord::new(format!("00000000-0000-4000-8000-{seed:012}"), began, plan);
    record.setup.done = true;
    let boot = [(Instance, 0.5), (Pod, 0.5), (Scheduled, 2.0), (Running, 1.0), (Ready, 0.1), (Address, 0.2)];
    let mut start = vec![(Accepted, 0.1)];
    start.extend(boot);
    start.extend(probed.then_some((Reachable, 3.0)));
    let mut create = start.clone();
    if fills {
        create.insert(1, (Volume, 8.0));
    }
    let stop = vec![(Accepted, 0.1), (Stopping, 0.5), (Gone, 4.0)];
    for (kind, path) in [(PhaseKind::Create, create), (PhaseKind::Stop, stop), (PhaseKind::Storm, start)] {
        let mut phase = PhaseRecord::new(PhaseName { kind, number: 1 }, began, PhaseSettings::default(), 0);
        phase.goal = match kind {
            PhaseKind::Stop => Gone,
            _ if probed => Reachable,
            _ => Running,
        };
        phase.timelines = (0..vms).map(|vm| timeline(vm, &path, trouble, &mut random)).collect();
        phase.ended = Some(Offset::from_seconds(600.0));
        phase.state = PhaseState::Done;
        record.phases.push(phase);
    }
    record
}

/// A time: seconds, not reached, unknown, unknown and longer than these seconds, or unknown whether it was reached.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    After(f64),
    NotReached,
    Unknown,
    Later(f64),
    Undecided,
}

/// The milestones in order.
const ORDER: [&str; 18] = [
    "requested",
    "accepted",
    "volume",
    "instance",
    "pod",
    "placed",
    "attached",
    "prepared",
    "initialized",
    "started",
    "scheduled",
    "running",
    "ready",
    "address",
    "agent",
    "reachable",
    "stopping",
    "gone",
];
/// Milestones that a VM may pass after its goal.
const AFTER: [&str; 4] = ["ready", "address", "agent", "reachable"];
/// Milestones that every VM passes.
const INEVITABLE: [&str; 5] = ["accepted", "instance", "pod", "scheduled", "running"];

fn place(milestone: &str) -> usize {
    ORDER.iter().position(|known| *known == milestone).unwrap()
}

fn at(vm: &Value, milestone: &str) -> Option<f64> {
    Some(vm["moments"][milestone]["at"].as_f64()? / 1e6)
}

fn took_part(vm: &&Value) -> bool {
    vm["outcome"] != "excluded"
}

/// A VM's time to a milestone, from `zero` on.
fn time(vm: &Value, milestone: &str, goal: &str, zero: Option<f64>) -> Time {
    let reached = vm["outcome"] == "reached";
    if milestone == goal && !reached {
        return if vm["outcome"] == "unknown" { Time::Undecided } else { Time::NotReached };
    }
    let passed =
        reached && (milestone == goal || place(milestone) < place(goal) && INEVITABLE.contains(&milestone));
    match (at(vm, milestone), zero) {
        (Some(at), Some(zero)) => Time::After((at - zero).max(0.0)),
        (Some(_), None) => Time::Unknown,
        _ if passed => Time::Unknown,
        _ if reached && AFTER.contains(&milestone) => match (at(vm, goal), zero) {
            (Some(goal), Some(zero)) => Time::Later((goal - zero).max(0.0)),
            _ => Time::Unknown,
        },
        _ if reached => Time::Unknown,
        _ if vm["outcome"] == "unknown" => Time::Undecided,
        _ => Time::NotReached,
    }
}

/// When a VM's disks were filled, if its phase filled any, or its request if that was later.
fn boot_zero(vm: &Value, phase: &[&Value]) -> Option<f64> {
    if phase.iter().all(|vm| at(vm, "volume").is_none()) {
        return at(vm, "requested");
    }
    let filled = at(vm, "volume").filter(|_| vm["moments"]["volume"]["source"] != "late")?;
    Some(at(vm, "requested").map_or(filled, |requested| requested.max(filled)))
}

/// Statistics as defined in the documentation.
struct Statistics {
    values: Vec<f64>,
    n: usize,
    unknown: usize,
    later: Vec<f64>,
    undecided: usize,
}

impl Statistics {
    fn of(times: impl Iterator<Item = Time>) -> Self {
        let times: Vec<Time> = times.collect();
        let mut values = Vec::new();
        for time in &times {
            if let Time::After(seconds) = time {
                values.push(*seconds);
            }
        }
        values.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let bound = |time: &Time| if let Time::Later(bound) = time { Some(*bound) } else { None };
        let later: Vec<f64> = times.iter().filter_map(bound).collect();
        let count = |what: Time| times.iter().filter(|time| **time == what).count();
        let undecided = count(Time::Undecided);
        let unknown = count(Time::Unknown) + later.len() + undecided;
        Self { n: times.len() - unknown, values, unknown, later, undecided }
    }

    fn mean(&self) -> Option<f64> {
        let sum: f64 = self.values.iter().rev().sum();
        (!self.values.is_empty()).then(|| sum / self.values.len() as f64)
    }

    /// By Welford's recurrence, which has nothing in common with two passes.
    fn stddev(&self) -> Option<f64> {
        let (mut mean, mut squares) = (0.0, 0.0);
        for (index, value) in self.values.iter().enumerate() {
            let delta = value - mean;
            mean += delta / (index + 1) as f64;
            squares += delta * (value - mean);
        }
        (self.values.len() > 1).then(|| (squares / (self.values.len() - 1) as f64).sqrt())
    }

    /// The smallest value with at least this percentage of all values at or below it; unknown if VMs that were not
    /// waited for could change it. VMs of which nobody knows whether they arrived come after all that did.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let all = self.n + self.later.len() + self.undecided;
        let rank = (1..=all).find(|rank| rank * 100 >= percent * all)?;
        let latest = self.values.get(rank - 1).copied()?;
        let before = self.later.iter().filter(|bound| **bound < latest).count();
        let below = self.values.iter().filter(|value| **value < latest).count();
        (before == 0 || below + before < rank).then_some(latest)
    }
}

/// Compares numbers and counts them.
struct Check {
    seed: u64,
    numbers: u64,
}

impl Check {
    fn same(&mut self, what: &str, found: &Value, expected: Option<f64>) {
        self.numbers += 1;
        match (found.as_f64(), expected) {
            (None, None) => {}
            (Some(found), Some(expected)) if (found - expected).abs() <= 1.5e-6 * expected.abs().max(1.0) => {
            }
            (found, expected) => {
                panic!("run {}, {what}: the report has {found:?}, it is {expected:?}", self.seed)
            }
        }
    }

    fn count(&mut self, what: &str, found: &Value, expected: usize) {
        self.same(what, found, Some(expected as f64));
    }

    fn summary(&mut self, what: &str, found: &Value, expected: &Statistics) {
        self.count(&format!("{what} n"), &found["n"], expected.n);
        self.count(&format!("{what} reached"), &found["reached"], expected.values.len());
        self.count(&format!("{what} unknown"), &found["unknown"], expected.unknown);
        self.same(&format!("{what} min"), &found["min_seconds"], expected.values.first().copied());
        self.same(&format!("{what} max"), &found["max_seconds"], expected.values.last().copied());
        self.same(&format!("{what} mean"), &found["mean_seconds"], expected.mean());
        self.same(&format!("{what} stddev"), &found["stddev_seconds"], expected.stddev());
        for percent in [50, 90, 95, 99] {
            let found = &found[format!("p{percent}_seconds").as_str()];
            self.same(&format!("{what} p{percent}"), found, expected.percentile(percent));
        }
    }

    fn change(&mut self, what: &str, found: &Value, before: Option<f64>, after: Option<f64>) {
        self.same(&format!("{what} of the baseline"), &found["baseline_seconds"], before);
        self.same(&format!("{what} of the storm"), &found["storm_seconds"], after);
        let both = before.zip(after).filter(|(before, _)| *before > 0.0);
        self.same(&format!("{what} ratio"), &found["ratio"], both.map(|(before, after)| after / before));
    }

    fn phase(&mut self, run: &Value, block: &Value) {
        let vms: Vec<&Value> = run["timelines"].as_array().unwrap().iter().collect();
        let participants: Vec<&Value> = vms.iter().copied().filter(took_part).collect();
        let (goal, name) = (run["goal"].as_str().unwrap(), run["name"].as_str().unwrap());
        for (key, word) in [
            ("reached", "reached"),
            ("failed", "failed"),
            ("timed_out", "timed-out"),
            ("excluded", "excluded"),
        ] {
            let count = vms.iter().filter(|vm| vm["outcome"] == word).count();
            self.count(&format!("{name} {word}"), &block["counts"][key], count);
        }
        self.count(&format!("{name} participants"), &block["counts"]["participants"], participants.len());
        let shown = block["statistics"].as_object().unwrap();
        for milestone in &ORDER[1..] {
            let passed = participants.iter().any(|vm| at(vm, milestone).is_some());
            assert_eq!(shown.contains_key(*milestone), passed || *milestone == goal, "{name} {milestone}");
            if let Some(found) = shown.get(*milestone) {
                let times = participants.iter().map(|vm| time(vm, milestone, goal, at(vm, "requested")));
                self.summary(&format!("{name} {milestone}"), found, &Statistics::of(times));
            }
        }
        self.crowd(name, goal, &vms, block);
        for stage in block["stages"].as_array().unwrap() {
            let (from, to) = (stage["from"].as_str().unwrap(), stage["to"].as_str().unwrap());
            let length = |vm: &&Value| Some(Time::After((at(vm, to)? - at(vm, from)?).max(0.0)));
            let lengths = Statistics::of(participants.iter().filter_map(length));
            self.summary(&format!("{name} {from} -> {to}"), &stage["summary"], &lengths);
        }
        for node in block["nodes"].as_array().unwrap() {
            let is_here = |vm: &&&Value| vm.get("node").unwrap_or(&Value::Null) == &node["node"];
            let here: Vec<&&Value> = participants.iter().filter(is_here).collect();
            let what = format!("{name} on {}", node["node"]);
            self.count(&what, &node["vms"], here.len());
            let times = here.iter().map(|vm| time(vm, goal, goal, at(vm, "requested")));
            self.summary(&what, &node["summary"], &Statistics::of(times));
        }
    }

    /// Figures that count from the first request of all.
    fn crowd(&mut self, name: &str, goal: &str, vms: &[&Value], block: &Value) {
        let requests: Vec<f64> = vms.iter().filter_map(|vm| at(vm, "requested")).collect();
        // Nothing says when the lost ones were sent.
        let is_lost = vms.iter().any(|vm| took_part(vm) && vm["untimed"] == true);
        let first = requests.iter().copied().reduce(f64::min).filter(|_| !is_lost);
        let last = requests.iter().copied().reduce(f64::max);
        let participants = vms.iter().copied().filter(took_part);
        let back = Statistics::of(participants.map(|vm| time(vm, goal, goal, first)));
        for percent in [50, 90, 95, 99, 100] {
            let found = &block["recovery"][format!("t{percent}_seconds").as_str()];
            let expected = back.percentile(percent).filter(|_| !is_lost);
            self.same(&format!("{name} t{percent}"), found, expected);
        }
        self.same(&format!("{name} goal span"), &block["spans"]["goal_seconds"], back.values.last().copied());
        let skew = first.zip(last).map(|(first, last)| last - first);
        self.same(&format!("{name} skew"), &block["spans"]["request_skew_seconds"], skew);
    }

    fn comparison(&mut self, run: &Value, report: &Value) {
        let phase = |index: usize| -> (Vec<&Value>, &str) {
            let phase = &run["phases"][index];
            (phase["timelines"].as_array().unwrap().iter().collect(), phase["goal"].as_str().unwrap())
        };
        let ((create, create_goal), (storm, storm_goal)) = (phase(0), phase(2));
        for (list, boots) in [("milestones", true), ("with_filling", false)] {
            for comparison in report["comparison"][list].as_array().into_iter().flatten() {
                let milestone = comparison["milestone"].as_str().unwrap();
                let zero = |vm: &Value| if boots { boot_zero(vm, &create) } else { at(vm, "requested") };
                let before = |vm: &Value| time(vm, milestone, create_goal, zero(vm));
                let after = |vm: &Value| time(vm, milestone, storm_goal, at(vm, "requested"));
                let first = Statistics::of(create.iter().copied().filter(took_part).map(before));
                let second = Statistics::of(storm.iter().copied().filter(took_part).map(after));
                let what = format!("{list} {milestone}");
                self.change(&format!("{what} mean"), &comparison["mean"], first.mean(), second.mean());
                let (one, other) = (first.values.last().copied(), second.values.last().copied());
                self.change(&format!("{what} max"), &comparison["max"], one, other);
                for percent in [50, 90, 95, 99] {
                    let found = &comparison[format!("p{percent}").as_str()];
                    self.change(&what, found, first.percentile(percent), second.percentile(percent));
                }
                let mut pairs = Vec::new();
                for vm in create.iter().filter(|vm| took_part(vm)) {
                    let same = storm.iter().find(|other| other["target"] == vm["target"]).unwrap();
                    if !took_part(same) {
                        continue;
                    }
                    if let (Time::After(one), Time::After(other)) = (before(vm), after(same)) {
                        pairs.push((one, other));
                    }
                }
                let slower = pairs.iter().filter(|(one, other)| other > one).count();
                self.count(&format!("{what} pairs"), &comparison["paired"]["n"], pairs.len());
                self.count(&format!("{what} slower"), &comparison["paired"]["slower"], slower);
                let known = pairs.iter().filter(|(one, _)| *one > 0.0);
                let ratios = Statistics::of(known.map(|(one, other)| Time::After(other / one)));
                let found = &comparison["paired"]["median_ratio"];
                self.same(&format!("{what} median"), found, ratios.percentile(50));
            }
        }
        let judged = report["comparison"]["judged"].as_str().unwrap();
        let participants = storm.iter().copied().filter(took_part);
        let times = participants.map(|vm| time(vm, judged, storm_goal, at(vm, "requested")));
        if let Some(parts) =
            report["comparison"]["breakdown"]["parts"].as_array().filter(|all| !all.is_empty())
        {
            let whole: f64 = parts.iter().filter_map(|part| part["storm_seconds"].as_f64()).sum();
            let mean = Statistics::of(times).mean();
            let gap = whole - mean.unwrap();
            // Each part is rounded to the microsecond.
            assert!(gap.abs() < 1e-5, "run {}: the stretches are {gap} longer than the mean", self.seed);
        }
    }
}

#[test]
fn every_number_is_what_the_documentation_says() {
    // BOOTSTORM_RUNS=2000 for a thorough check.
    let runs = std::env::var("BOOTSTORM_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut check = Check { seed: 0, numbers: 0 };
    for seed in 0..runs {
        check.seed = seed;
        let record = run(seed);
        let run: Value = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        let report = Report::of(&record, &Selection::default()).json().unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let blocks = report["phases"].as_array().unwrap();
        for (run, block) in run["phases"].as_array().unwrap().iter().zip(blocks) {
            check.phase(run, block);
        }
        check.comparison(&run, &report);
    }
    assert!(check.numbers > 500 * runs, "{} numbers were checked", check.numbers);
}
