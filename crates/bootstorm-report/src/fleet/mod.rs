//! A fleet: the storm of many clusters as one, and a comparison of the clusters.
//!
//! The whole is the report of the merged runs, and has every format of a report. Fleet-specific blocks come before it.

use jiff::Timestamp;
use serde::Serialize;

use bootstorm_model::fleet::{FleetRecord, Member, MemberState, Merged, Part, first_request};
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, PhaseState, RunRecord};
use bootstorm_model::stats::{Curve, Grade, Level, Quantile, Sample, Summary, Validity, maybe_micros};

use super::compare::{CompareReport, Subject};
use super::{Counts, Graded, Report, Selection, ThresholdBlock, Unwritable, build, document};

/// Version of the document, described in `docs/fleet-schema.json`
pub const FLEET_SCHEMA_VERSION: u32 = 1;

/// Minimum effect that counts as a difference between clusters, as for `compare`.
const MIN_EFFECT: f64 = 0.05;

/// A member, and its run if it could be read
#[derive(Debug, Clone, Copy)]
pub struct MemberRun<'a> {
    /// State of the member.
    pub member: &'a Member,
    /// Record of its run, or the reason why it could not be read.
    pub run: Result<&'a RunRecord, &'a str>,
}

/// Everything a report shows about a fleet
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetReport {
    /// [`FLEET_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Identity of the fleet.
    pub fleet: FleetBlock,
    /// Phase for which members are shown; absent while nothing was measured.
    pub phase: Option<PhaseName>,
    /// Instants at which members began that phase together.
    pub starts: Vec<StartBlock>,
    /// The members, in the order of the fleet.
    pub members: Vec<MemberBlock>,
    /// Worst member; absent with fewer than two measured members.
    pub worst: Option<WorstBlock>,
    /// Comparison of each cluster with the first one that has the phase, with the statistics of `compare`; absent with
    /// fewer than two.
    pub differences: Option<CompareReport>,
    /// The VMs of all members as one run, whose recovery counts from the common start; absent while no run can be read.
    pub whole: Option<Report>,
}

/// Identity of a fleet
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetBlock {
    /// Name.
    pub name: String,
    /// UUID.
    pub id: String,
    /// Time of its first use.
    pub created: Timestamp,
}

/// One common start
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StartBlock {
    /// Time, by the clock of the computer that released the members.
    pub at: Timestamp,
    /// Members that began then.
    pub members: Vec<String>,
    /// Time between the first requests of the first and the last cluster; absent while any of their runs cannot be
    /// read.
    #[serde(rename = "skew_seconds", serialize_with = "maybe_micros")]
    pub skew: Option<f64>,
}

/// One member, for display
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberBlock {
    /// Name in the fleet.
    pub name: String,
    /// Context of the kubeconfig.
    pub context: String,
    /// Address of the API server.
    pub server: Option<String>,
    /// Name of its run.
    pub run: String,
    /// UUID of its run.
    pub run_id: Option<String>,
    /// Namespace of its record.
    pub namespace: Option<String>,
    /// State of the member.
    pub state: MemberState,
    /// Reason why it failed, was left out, or cannot be read.
    pub why: Option<String>,
    /// VMs of its run, if known.
    pub vms: Option<usize>,
    /// Its part in the phase; absent if it took none, or cannot be read.
    pub result: Option<MemberResult>,
}

/// Result of a phase in one cluster
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberResult {
    /// Whether the phase has ended.
    pub state: PhaseState,
    /// Milestone that each VM had to reach.
    pub goal: Milestone,
    /// Outcomes of its VMs.
    pub counts: Counts,
    /// Median time to the goal, from each VM's own request.
    #[serde(rename = "p50_seconds")]
    pub p50: Quantile,
    /// 95th percentile.
    #[serde(rename = "p95_seconds")]
    pub p95: Quantile,
    /// The slowest VM.
    #[serde(rename = "max_seconds", serialize_with = "maybe_micros")]
    pub max: Option<f64>,
    /// From its first request until all of its VMs were there.
    #[serde(rename = "t100_seconds")]
    pub t100: Quantile,
    /// Its first request, after the common start.
    #[serde(rename = "first_request_seconds", serialize_with = "maybe_micros")]
    pub first_request: Option<f64>,
    /// Ratio of its mean time to the goal to that of the first cluster.
    #[serde(serialize_with = "maybe_micros")]
    pub ratio: Option<f64>,
    /// How far its times can be trusted.
    pub validity: Option<Validity>,
    /// Verdict of its own run.
    pub verdict: Option<Grade>,
}

/// Worst member
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorstBlock {
    /// Name.
    pub member: String,
    /// Deciding value, in a few words.
    pub why: String,
}

impl FleetReport {
    /// Report of this fleet. `storm` names the phase for which members are shown, by default the last storm; without
    /// `all_rows`, phases that are one line in tables have no row per VM.
    pub fn of(fleet: &FleetRecord, members: &[MemberRun<'_>], selection: &Selection, all_rows: bool) -> Self {
        let merged = merged(fleet, members);
        let phase = merged.as_ref().and_then(|merged| shown(&merged.record, selection));
        let mut blocks: Vec<MemberBlock> =
            members.iter().map(|of| MemberBlock::of(fleet, of, phase, selection)).collect();
        let measured: Vec<(&str, &RunRecord)> = members
            .iter()
            .zip(&blocks)
            .filter(|(_, block)| block.result.is_some())
            .filter_map(|(of, block)| Some((block.name.as_str(), of.run.ok()?)))
            .collect();
        let differences = (measured.len() > 1).then(|| compared(&measured));
        ratios(&mut blocks, members, phase);
        Self {
            schema_version: FLEET_SCHEMA_VERSION,
            fleet: FleetBlock { name: fleet.name.clone(), id: fleet.id.clone(), created: fleet.created },
            starts: phase.map_or_else(Vec::new, |phase| StartBlock::all(fleet, members, phase)),
            worst: worst(&blocks),
            phase,
            members: blocks,
            differences,
            whole: merged.map(|merged| whole(&merged, selection, all_rows)),
        }
    }

    /// Adds thresholds judged over the whole fleet.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: Vec<ThresholdBlock>) -> Self {
        self.whole = self.whole.map(|whole| whole.with_thresholds(thresholds));
        self
    }

    /// Members that did not take part, or cannot be read.
    pub fn missing(&self) -> impl Iterator<Item = &MemberBlock> {
        self.members.iter().filter(|member| member.result.is_none())
    }

    /// The document as indented JSON with a final line end.
    pub fn json(&self) -> Result<String, Unwritable> {
        document::json(self)
    }

    /// The document as YAML.
    pub fn yaml(&self) -> Result<String, Unwritable> {
        document::yaml(self)
    }
}

/// The readable runs merged into one; `None` if there are none.
pub fn merged(fleet: &FleetRecord, members: &[MemberRun<'_>]) -> Option<Merged> {
    let parts: Vec<Part<'_>> = members.iter().filter_map(MemberRun::part).collect();
    Merged::of(fleet, &parts)
}

impl<'a> MemberRun<'a> {
    fn part(&self) -> Option<Part<'a>> {
        Some(Part { name: &self.member.name, state: self.member.state, record: self.run.ok()? })
    }
}

fn whole(merged: &Merged, selection: &Selection, all_rows: bool) -> Report {
    let mut report = build::report_on(&merged.record, &merged.targets, selection, all_rows);
    // Indexes belong to one cluster; the rows name the VMs.
    (report.plan.start, report.plan.end) = (0, 0);
    report
}

/// Phase for which members are shown: the requested storm, the last storm, else the last phase.
fn shown(record: &RunRecord, selection: &Selection) -> Option<PhaseName> {
    let last = || record.last_of(PhaseKind::Storm).or(record.last_phase()).map(|phase| phase.name);
    selection.storm.or_else(last)
}

/// Compares each run with the first.
fn compared(measured: &[(&str, &RunRecord)]) -> CompareReport {
    let validity: Vec<Vec<Graded>> = measured.iter().map(|(_, record)| Graded::of_run(record)).collect();
    let subject = |((label, record), validity)| -> Subject<'_> { Subject { label, record, validity } };
    let pairs = measured.iter().copied().zip(validity.iter().map(Vec::as_slice));
    let subjects: Vec<Subject<'_>> = pairs.map(subject).collect();
    CompareReport::of(&subjects, MIN_EFFECT)
}

/// Fills in the ratio of each cluster's mean to that of the first.
fn ratios(blocks: &mut [MemberBlock], members: &[MemberRun<'_>], phase: Option<PhaseName>) {
    let Some(name) = phase else { return };
    let mean = |of: &MemberRun<'_>| summary(of.run.ok()?.phase(name)?).mean;
    let mut first = None;
    for (block, of) in blocks.iter_mut().zip(members) {
        let Some(result) = &mut block.result else { continue };
        let Some(mean) = mean(of) else { continue };
        match first {
            None => first = Some(mean),
            Some(first) => result.ratio = Some(mean / first).filter(|ratio| ratio.is_finite()),
        }
    }
}

fn summary(phase: &PhaseRecord) -> Summary {
    Summary::of(&Sample::to_milestone(&*phase.timelines.read(), phase.goal, phase.goal))
}

/// The member with the largest share of VMs that did not arrive, then the one with the longest 95th percentile.
fn worst(members: &[MemberBlock]) -> Option<WorstBlock> {
    let measured: Vec<(&MemberBlock, &MemberResult)> =
        members.iter().filter_map(|member| Some((member, member.result.as_ref()?))).collect();
    if measured.len() < 2 {
        return None;
    }
    let share = |result: &MemberResult| {
        let counts = &result.counts;
        counts.unsuccessful() as f64 / (counts.participants.max(1)) as f64
    };
    let p95 = |result: &MemberResult| result.p95.seconds().unwrap_or(f64::INFINITY);
    let (member, result) = measured
        .into_iter()
        .max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)).then_with(|| p95(a).total_cmp(&p95(b))))?;
    let why = match (result.counts.unsuccessful(), result.p95) {
        (0, Quantile::At(seconds)) => format!("95 % of its VMs were {} after {seconds:.2}s", result.goal),
        (0, Quantile::NotReached) => format!("fewer than 95 % of its VMs are {}", result.goal.state()),
        (0, Quantile::Unknown) => format!("it is unknown when 95 % of its VMs were {}", result.goal),
        (failed, _) => {
            format!("{failed} of {} VMs did not reach {}", result.counts.participants, result.goal)
        }
    };
    Some(WorstBlock { member: member.name.clone(), why })
}

impl StartBlock {
    fn all(fleet: &FleetRecord, members: &[MemberRun<'_>], phase: PhaseName) -> Vec<Self> {
        let phase_of = |name: &str, phase: PhaseName| {
            members.iter().find(|of| of.member.name == name)?.run.ok()?.phase(phase)
        };
        let mut fleet = fleet.clone();
        fleet.note_skews(phase_of);
        let block = |start: &bootstorm_model::fleet::Start| {
            let began = start.members.iter().filter(|(_, of)| of.phase == phase);
            let members: Vec<String> = began.map(|(name, _)| name.clone()).collect();
            let skew = start.skew.map(bootstorm_model::observe::Offset::seconds);
            (!members.is_empty()).then_some(Self { at: start.at, members, skew })
        };
        fleet.starts.iter().filter_map(block).collect()
    }

    /// `3 clusters, first requests within 4.2 ms`
    pub fn words(&self) -> String {
        let clusters = self.members.len();
        let s = if clusters == 1 { "" } else { "s" };
        let skew = match self.skew {
            Some(skew) if clusters > 1 => format!(", first requests within {:.1} ms", skew * 1000.0),
            None if clusters > 1 => ", skew unknown".to_owned(),
            _ => String::new(),
        };
        format!("{clusters} cluster{s}{skew}")
    }
}

impl MemberBlock {
    fn of(fleet: &FleetRecord, of: &MemberRun<'_>, phase: Option<PhaseName>, selection: &Selection) -> Self {
        let member = of.member;
        let known = of.run.ok();
        let found = known.zip(phase).and_then(|(record, name)| Some((record, record.phase(name)?)));
        let took_part =
            |(_, phase): &(&RunRecord, &PhaseRecord)| of.part().is_some_and(|part| part.took_part(phase));
        let result = found.filter(took_part).map(|(record, phase)| {
            let zero = fleet.start_of(&member.name, phase.name).map(|(_, released)| released.zero);
            let selection = Selection { storm: Some(phase.name), ..*selection };
            MemberResult::of(record, phase, &selection)
                .begun(first_request(phase).zip(zero).map(|(first, zero)| first.since(zero).seconds()))
        });
        let took_none = || phase.filter(|_| known.is_some()).map(|phase| format!("took no part in {phase}"));
        Self {
            name: member.name.clone(),
            context: member.context.clone(),
            server: member.server.clone(),
            run: member.prefix.clone(),
            run_id: known.map(|record| record.run_id.clone()).or_else(|| member.run_id.clone()),
            namespace: member.namespace.clone(),
            state: member.state,
            why: match (&member.why, of.run) {
                (why, Err(unread)) => Some(why.clone().unwrap_or_else(|| unread.to_owned())),
                (Some(why), Ok(_)) => Some(why.clone()),
                (None, Ok(_)) => took_none().filter(|_| result.is_none()),
            },
            vms: known.map(|record| record.plan.size() as usize).or(member.vms.map(|vms| vms as usize)),
            result,
        }
    }
}

impl MemberResult {
    fn of(record: &RunRecord, phase: &PhaseRecord, selection: &Selection) -> Self {
        let look = phase.look();
        let summary = summary(&look);
        let curve = Curve::of_phase(&look);
        let validity = Graded::of_run(record).into_iter().find(|graded| graded.phase == look.name);
        let is_storm = look.name.kind == PhaseKind::Storm;
        let compared = is_storm.then(|| build::compared(record, selection)).flatten();
        Self {
            state: look.state,
            goal: look.goal,
            counts: Counts::of(&look),
            p50: summary.p50,
            p95: summary.p95,
            max: summary.max,
            t100: curve.time_to(Level::P100),
            first_request: None,
            ratio: None,
            validity: validity.map(|graded| graded.grade),
            verdict: compared.and_then(|compared| compared.verdict).map(|verdict| verdict.grade),
        }
    }

    fn begun(self, first_request: Option<f64>) -> Self {
        Self { first_request, ..self }
    }
}

#[cfg(test)]
mod tests;
