//! Status of runs: one run phase by phase, or a list of runs.

use std::fmt::Write as _;

use serde::Serialize;

use super::color::{Paint, Tone};
use super::people::terminal::{Column, Grid};
use super::phase::Counts;
use super::{Layout, printable};
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::{CleanupMark, PhaseName, PhaseState, RunRecord, lifecycle};

/// Status of one run
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Name of the run.
    pub run: String,
    /// Whether `setup` completed.
    pub setup_done: bool,
    /// Number of VMs.
    pub targets: usize,
    /// The phases so far.
    pub phases: Vec<Standing>,
    /// Finished phases after which a hook has yet to run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after_due: Vec<PhaseName>,
    /// Subcommand to run next.
    pub next: String,
    /// Process that works on the run; absent if there is none, or if it may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Job that runs its phases in the cluster; absent if there is none, or if it may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStanding>,
    /// Cleanup, once begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<CleanupMark>,
    /// State of adopted VMs; absent for runs that created their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<AdoptedStanding>,
}

/// A process working on a run
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// User, host and process id.
    pub holder: String,
    /// Seconds since it acquired the lock.
    pub since_seconds: Option<u64>,
    /// Seconds since its last renewal of the lock, which is due every 15 s.
    pub renewed_seconds: Option<u64>,
}

/// The Job of a run
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobStanding {
    /// Name.
    pub name: String,
    /// How it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Pods that are running or about to.
    pub active: i32,
    /// Shards that have completed.
    pub succeeded: i32,
    /// Pods that failed and were replaced.
    pub failed: i32,
    /// Parts of the current phase.
    pub shards: Vec<ShardStanding>,
}

/// A shard's part of a phase
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardStanding {
    /// Index of the shard.
    pub index: u32,
    /// Phase.
    pub phase: String,
    /// State of the part.
    pub state: String,
    /// VMs that reached the goal.
    pub reached: Option<u64>,
    /// VMs that failed or timed out.
    pub failed: Option<u64>,
    /// Process that saved it last.
    pub holder: String,
}

/// State of adopted VMs
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdoptedStanding {
    /// Whether some may be in a different state than when they were adopted.
    pub changed: bool,
    /// Time at which they were restored.
    pub restored: Option<jiff::Timestamp>,
    /// Command that restores them.
    pub restore: String,
}

/// Status of one phase
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Name.
    pub name: PhaseName,
    /// Whether it has ended.
    pub state: PhaseState,
    /// Milestone that each VM has to reach.
    pub goal: Milestone,
    /// Outcomes of its VMs.
    pub counts: Counts,
}

/// One run in a list of runs
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusRow {
    /// Namespace of the record, if several are listed.
    pub namespace: Option<String>,
    /// Name of the run.
    pub name: String,
    /// Last phase; `setup` before the first one.
    pub phase: String,
    /// State of that phase.
    pub state: String,
    /// VMs of the run.
    pub targets: u64,
    /// VMs that reached the goal of that phase; absent for steps without VMs.
    pub reached: Option<u64>,
    /// VMs that failed or timed out in it; absent for steps without VMs.
    pub failed: Option<u64>,
    /// Seconds since the run was set up.
    pub age_seconds: Option<i64>,
}

impl Status {
    /// Status of a run.
    pub fn of(record: &RunRecord) -> Self {
        let phases = record.phases.iter().map(|phase| Standing {
            name: phase.name,
            state: phase.state,
            goal: phase.goal,
            counts: Counts::of(&phase.look()),
        });
        Self {
            run: record.plan.prefix.clone(),
            setup_done: record.setup.done,
            targets: record.plan.targets().len(),
            phases: phases.collect(),
            after_due: due(record),
            next: next(record),
            process: None,
            job: None,
            cleanup: record.cleanup,
            adopted: record.plan.is_adopted().then(|| AdoptedStanding {
                changed: record.has_to_restore(),
                restored: record.restored,
                restore: format!("kubectl bootstorm cleanup --ns-prefix {}", record.plan.prefix),
            }),
        }
    }

    /// Adds the process that works on the run; the next step is then to wait for it.
    #[must_use]
    pub fn with_process(self, process: Option<Process>) -> Self {
        match process {
            Some(_) => {
                Self { next: format!("kubectl bootstorm status --ns-prefix {}", self.run), process, ..self }
            }
            None => self,
        }
    }

    /// Adds the Job of the run.
    #[must_use]
    pub fn with_job(self, job: Option<JobStanding>) -> Self {
        Self { job, ..self }
    }

    /// The status as text for a terminal.
    pub fn table(&self, layout: &Layout) -> String {
        let mut text = String::new();
        let setup = match self.cleanup {
            Some(CleanupMark { done: Some(at), .. }) => format!("cleaned up {at:.0}, record kept"),
            Some(CleanupMark { began, done: None }) => format!("cleanup started {began:.0}, not finished"),
            None if self.setup_done => "set up".to_owned(),
            None => "not completely set up".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Run {}: {} VMs, {setup}", printable(&self.run), self.targets);
        if !self.phases.is_empty() {
            text.push('\n');
            text.push_str(&self.phases(layout));
        }
        if let Some(job) = &self.job {
            text.push('\n');
            text.push_str(&job.table(layout));
        }
        if let Some(adopted) = &self.adopted {
            let _ = match (adopted.changed, adopted.restored) {
                (true, _) => writeln!(
                    text,
                    "\nThese VMs are adopted, and may not be in their original state.\nTo restore them: {}",
                    printable(&adopted.restore)
                ),
                (false, Some(at)) => writeln!(text, "\nThese VMs are adopted; they were restored {at:.0}."),
                (false, None) => writeln!(text, "\nThese VMs are adopted; none has been changed yet."),
            };
        }
        for phase in self.after_due.iter().filter(|_| self.process.is_none()) {
            let _ = writeln!(
                text,
                "\nThe hook after {phase} has failed.\nTo run it again: repeat the command with the same \
                 flags"
            );
        }
        if let Some(process) = &self.process {
            let ago = |seconds: Option<u64>| match seconds {
                Some(seconds) => age(seconds as i64),
                None => "an unknown time".to_owned(),
            };
            let _ = writeln!(
                text,
                "\n{} has been working on it for {}, last seen {} ago",
                printable(&process.holder),
                ago(process.since_seconds),
                ago(process.renewed_seconds)
            );
        }
        let _ = match &self.process {
            Some(_) => writeln!(text, "\nNext: wait for it, then check again: {}", printable(&self.next)),
            None => writeln!(text, "\nNext: {}", printable(&self.next)),
        };
        if self.cleanup.is_some_and(|cleanup| cleanup.done.is_some()) && self.process.is_none() {
            let _ = writeln!(
                text,
                "      kubectl bootstorm cleanup --ns-prefix {} deletes the record too",
                printable(&self.run)
            );
        }
        text
    }

    fn phases(&self, layout: &Layout) -> String {
        let mut columns = vec![Column::words("PHASE"), Column::words("STATE"), Column::words("GOAL")];
        columns.extend(["TARGETS", "REACHED", "NOT REACHED", "EXCLUDED", "PENDING"].map(Column::numbers));
        let with_unknown = self.phases.iter().any(|phase| phase.counts.unknown > 0);
        columns.extend(with_unknown.then(|| Column::numbers("UNKNOWN")));
        let mut grid = Grid::new(columns);
        for phase in &self.phases {
            let counts = &phase.counts;
            let mut cells = vec![phase.name.to_string(), phase.state.word().into(), phase.goal.to_string()];
            let numbers =
                [counts.vms, counts.reached, counts.unsuccessful(), counts.excluded, counts.pending];
            cells.extend(numbers.map(|number| number.to_string()));
            cells.extend(with_unknown.then(|| counts.unknown.to_string()));
            grid.push(tone(phase.state == PhaseState::Done, counts.unsuccessful() as u64), cells);
        }
        text(grid, layout.headers, layout.paint)
    }
}

impl JobStanding {
    fn table(&self, layout: &Layout) -> String {
        let ended = self.ended.as_ref().map_or_else(String::new, |ended| format!(", {}", printable(ended)));
        let mut head = format!(
            "Job {}{ended}: {} active, {} done, {} failed pods\n",
            printable(&self.name),
            self.active,
            self.succeeded,
            self.failed
        );
        if !self.shards.is_empty() {
            let mut grid = Grid::new(
                ["SHARD", "PHASE", "STATE", "REACHED", "NOT REACHED", "PROCESS"].map(Column::words).into(),
            );
            for shard in &self.shards {
                let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
                let cells = vec![
                    shard.index.to_string(),
                    printable(&shard.phase).into_owned(),
                    printable(&shard.state).into_owned(),
                    number(shard.reached),
                    number(shard.failed),
                    printable(&shard.holder).into_owned(),
                ];
                grid.push(tone(shard.state == PhaseState::Done.word(), shard.failed.unwrap_or(0)), cells);
            }
            head.push_str(&text(grid, layout.headers, layout.paint));
        }
        head
    }
}

/// A list of runs, as kubectl would print it; the column NAMESPACE appears if any row has one.
pub fn listing(rows: &[StatusRow], headers: bool, paint: Paint) -> String {
    let with_namespace = rows.iter().any(|row| row.namespace.is_some());
    let mut columns = Vec::new();
    if with_namespace {
        columns.push(Column::words("NAMESPACE"));
    }
    columns.extend(["NAME", "PHASE", "STATE", "TARGETS", "REACHED", "NOT REACHED", "AGE"].map(Column::words));
    let mut grid = Grid::new(columns);
    for row in rows {
        let mut cells = Vec::new();
        if with_namespace {
            cells.push(row.namespace.clone().unwrap_or_else(|| "-".to_owned()));
        }
        cells.extend([&row.name, &row.phase, &row.state].map(String::clone));
        let counts = [Some(row.targets), row.reached, row.failed];
        cells.extend(counts.map(|count| count.map_or_else(|| "-".to_owned(), |count| count.to_string())));
        cells.push(row.age_seconds.map_or_else(|| "<unknown>".to_owned(), age));
        grid.push(tone(row.state == PhaseState::Done.word(), row.failed.unwrap_or(0)), cells);
    }
    text(grid, headers, paint)
}

fn text(grid: Grid, headers: bool, paint: Paint) -> String {
    let (header, lines) = grid.lines(headers, paint);
    let header = header.map(|header| paint.apply(Tone::Heading, &header));
    header.into_iter().chain(lines).map(|line| line + "\n").collect()
}

fn tone(is_done: bool, failed: u64) -> Option<Tone> {
    match (is_done, failed) {
        (_, failed) if failed > 0 => Some(Tone::Bad),
        (false, _) => Some(Tone::Fair),
        (true, _) => None,
    }
}

/// Finished phases after which a hook has yet to run.
fn due(record: &RunRecord) -> Vec<PhaseName> {
    let is_over = |name: &PhaseName| record.phase(*name).is_some_and(|phase| phase.state == PhaseState::Done);
    record.after_due.iter().copied().filter(is_over).collect()
}

/// Subcommand that continues a run.
fn next(record: &RunRecord) -> String {
    let verb = lifecycle::suggestion(record);
    format!("kubectl bootstorm {verb} --ns-prefix {}", record.plan.prefix)
}

/// An age as kubectl writes it: `45s`, `5m10s`, `42m`, `5h30m`, `12h`, `3d4h`, `90d`, `3y`.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit, small: i64, smaller| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{smaller}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use bootstorm_model::observe::Outcome;

    #[test]
    fn ages_read_like_kubectls() {
        let ages = [0, 119, 120, 310, 600, 10_799, 19_800, 43_200, 273_600, 7_776_000, 94_608_000];
        let words = ["0s", "119s", "2m", "5m10s", "10m", "179m", "5h30m", "12h", "3d4h", "90d", "3y"];
        assert_eq!(ages.map(age), words);
    }

    #[test]
    fn the_next_command_follows_the_phases() {
        let next = |record: &RunRecord| next(record).split(' ').nth(2).unwrap().to_owned();
        let mut record = fixtures::fresh();
        assert_eq!(next(&record), "create");
        record.setup.done = false;
        assert_eq!(next(&record), "setup");
        assert_eq!(next(&fixtures::interrupted(1)), "create");
        assert_eq!(next(&fixtures::interrupted(2)), "stop");
        assert_eq!(next(&fixtures::interrupted(3)), "storm");
        assert_eq!(next(&fixtures::small()), "report");
    }

    #[test]
    fn vms_with_an_unknown_outcome_have_a_column_once_there_are_any() {
        let mut record = fixtures::with_failures();
        let shown = |record: &RunRecord| Status::of(record).table(&Layout::default());
        assert!(!shown(&record).contains("UNKNOWN"));
        record.phases[2].timelines[8].outcome = Outcome::Unknown;
        let table = shown(&record);
        let numbers = |line: &str| -> Vec<usize> {
            table
                .lines()
                .find(|row| row.starts_with(line))
                .unwrap()
                .split_whitespace()
                .filter_map(|cell| cell.parse().ok())
                .collect()
        };
        assert!(table.lines().any(|row| row.starts_with("PHASE") && row.ends_with("UNKNOWN")), "{table}");
        assert_eq!(numbers("storm-1"), [12, 8, 2, 1, 0, 1]);
        assert_eq!(numbers("create"), [12, 12, 0, 0, 0, 0]);
    }

    #[test]
    fn failures_tell_of_vms_that_could_not_be_observed() {
        let mut record = fixtures::small();
        let told = |record: &RunRecord| {
            crate::Report::of(record, &crate::Selection::default()).failures_table(&Layout::default())
        };
        assert!(told(&record).contains("No VM failed, ran out of time, or stood out."));
        record.phases[2].timelines[8].outcome = Outcome::Unknown;
        record.phases[2].timelines[8].reason = Some("the watch was interrupted".into());
        let text = told(&record);
        assert!(
            text.contains("storm-1: whether 1 of 12 VMs reached the goal (running) could not be observed")
        );
        assert!(
            text.contains("the first of them: the watch was interrupted") && !text.contains("No VM failed")
        );
    }

    #[test]
    fn a_run_stands_where_its_phases_stand() {
        let mut record = fixtures::with_failures();
        record.phases[2].state = PhaseState::Interrupted;
        insta::assert_snapshot!(Status::of(&record).table(&Layout::default()), @r#"
        Run boot-storm-test: 12 VMs, set up

        PHASE     STATE         GOAL      TARGETS   REACHED   NOT REACHED   EXCLUDED   PENDING
        create    done          running        12        12             0          0         0
        stop-1    done          gone           12        12             0          0         0
        storm-1   interrupted   running        12         9             2          1         0

        Next: kubectl bootstorm storm --ns-prefix boot-storm-test
        "#);
    }

    #[test]
    fn a_run_that_is_worked_on_or_cleaned_up_says_so() {
        let mut record = fixtures::interrupted(2);
        let process = Process { holder: "a@b/1".into(), since_seconds: Some(150), renewed_seconds: Some(9) };
        let text = Status::of(&record).with_process(Some(process)).table(&Layout::default());
        assert!(text.contains("a@b/1 has been working on it for 2m30s, last seen 9s ago"), "{text}");
        assert!(
            text.ends_with("then check again: kubectl bootstorm status --ns-prefix boot-storm-test\n"),
            "{text}"
        );
        let began = "2026-01-02T03:04:05Z".parse().unwrap();
        record.cleanup = Some(CleanupMark { began, done: None });
        let text = Status::of(&record).table(&Layout::default());
        assert!(
            text.starts_with(
                "Run boot-storm-test: 12 VMs, cleanup started 2026-01-02T03:04:05Z, not finished"
            ),
            "{text}"
        );
        assert!(text.ends_with("Next: kubectl bootstorm cleanup --ns-prefix boot-storm-test\n"), "{text}");
        record.cleanup = Some(CleanupMark { began, done: Some(began) });
        let text = Status::of(&record).table(&Layout::default());
        assert!(text.contains("cleaned up 2026-01-02T03:04:05Z, record kept"), "{text}");
        assert!(text.contains("Next: kubectl bootstorm report"), "{text}");
    }

    #[test]
    fn a_list_of_runs_looks_like_kubectls() {
        let row = |name: &str, state: &str, age_seconds| StatusRow {
            namespace: None,
            name: name.into(),
            phase: "storm-1".into(),
            state: state.into(),
            targets: 100,
            reached: Some(98),
            failed: Some(2),
            age_seconds,
        };
        let rows = [row("boot-storm-test", "done", Some(310)), row("friday", "open", None)];
        insta::assert_snapshot!(listing(&rows, true, Paint::Plain), @r#"
        NAME              PHASE     STATE   TARGETS   REACHED   NOT REACHED   AGE
        boot-storm-test   storm-1   done    100       98        2             5m10s
        friday            storm-1   open    100       98        2             <unknown>
        "#);
        let mut rows = rows;
        rows[0].namespace = Some("perf".into());
        insta::assert_snapshot!(listing(&rows, false, Paint::Plain), @r#"
        perf   boot-storm-test   storm-1   done   100   98   2   5m10s
        -      friday            storm-1   open   100   98   2   <unknown>
        "#);
        assert_eq!(listing(&[], true, Paint::Plain).lines().count(), 1);
    }
}
