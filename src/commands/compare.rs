//! `compare`: comparison of runs.

use std::path::Path;

use clap::Args;

use super::presentation::Output;
use super::results;
use super::session::{Context, Session};
use super::threshold_args::FailIfArgs;
use bootstorm_engine::cluster::Connection;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord};
use bootstorm_report::compare::{CompareReport, Subject, leave_out_invalid, refusal};
use bootstorm_report::thresholds::Expected;
use bootstorm_report::{Graded, Layout, Paint, ThresholdBlock, Unwritable};

/// Compare runs: their differences, and by how much their times changed
///
/// A run is the name of one in the cluster (its prefix, or NAMESPACE/PREFIX), or saved results: run.json, a report as
/// JSON or YAML, or a folder of results, including those of virtbench and kube-burner. Every other run is compared with
/// the first: mean and percentiles of each phase with 99 % confidence intervals. Storms are the unit of sampling: the
/// times of a side with fewer than three storms are described but not judged, so repeat storms (storm --repeat 5). For a
/// single run with several storms, the spread over them is shown.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # Two runs in the cluster
  kubectl bootstorm compare monday friday

  # A saved run against one in another namespace
  kubectl bootstorm compare results/1-disk/20260304-100000_monday_1-50 perf/friday

  # For a pipeline: exit code 4 where anything got slower by 10 % and more
  kubectl bootstorm compare baseline.json friday --min-effect 10% --fail-if-worse")]
pub struct CompareArgs {
    /// Runs: names, NAMESPACE/NAME, files or folders; the first is the baseline
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
    /// Smallest change of a time to count as a difference
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub min_effect: f64,
    /// Exit with code 4 if any run is worse than the first, or cannot be judged
    #[arg(long)]
    pub fail_if_worse: bool,
    /// Also compare runs with different numbers of VMs or with invalid times
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
}

/// Hint for invalid times.
const MEASURE_AGAIN: &str = "storms with invalid times are left out once there is a valid one; measure another: \
    kubectl bootstorm stop, then storm";

/// `5%` or `5`, as a share.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let percent: Option<f64> = number.parse().ok();
    percent
        .filter(|percent| (0.0..1000.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| "write it like 5%".to_owned())
}

/// Runs the command.
pub async fn command(context: &Context, args: &CompareArgs) -> Result<Exit, Failure> {
    if let Some(twice) = args.runs.iter().enumerate().find(|(at, run)| args.runs[..*at].contains(run)) {
        return Err(Failure::usage(format!("{} is named twice", twice.1)));
    }
    if args.fail_if_worse && args.runs.len() < 2 {
        return Err(Failure::usage(
            "--fail-if-worse compares a run with the first one, and only one is named",
        )
        .hint("name the baseline first: kubectl bootstorm compare BASELINE RUN --fail-if-worse"));
    }
    let mut records = Vec::new();
    for run in &args.runs {
        records.push(load(context, args, run).await?);
    }
    let mut left_out = Vec::new();
    if records.len() > 1 && !args.force {
        for (label, (record, validity)) in args.runs.iter().zip(&mut records) {
            let notes = leave_out_invalid(label, record, validity);
            left_out.extend(notes.into_iter().map(|note| (label, note)));
        }
    }
    let subjects: Vec<Subject<'_>> = args
        .runs
        .iter()
        .zip(&records)
        .map(|(label, (record, validity))| Subject { label, record, validity })
        .collect();
    let several = records[0].0.phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm).count() > 1;
    if subjects.len() == 1 && !several {
        return Err(Failure::usage(format!("{} is one run with fewer than two storms", args.runs[0]))
            .hint("name two runs, or repeat its storm: kubectl bootstorm stop, then storm"));
    }
    if let Some(refusal) = refusal(&subjects).filter(|_| !args.force) {
        let failure = Failure::new(&refusal);
        let failure = if refusal.contains("are invalid") { failure.hint(MEASURE_AGAIN) } else { failure };
        return Err(failure.hint("to compare them anyway: --force"));
    }
    // For a single run the run itself is judged, otherwise every run but the baseline.
    let judged = &subjects[usize::from(subjects.len() > 1)..];
    for subject in judged {
        let expected: Vec<Expected> = subject.record.phases.iter().map(Expected::from).collect();
        args.fail_if.check(&expected, last(subject.record))?;
    }
    let mut report = CompareReport::of(&subjects, args.min_effect);
    for versus in &mut report.comparisons {
        let is_in = |label: &str| label == versus.baseline || label == versus.candidate;
        let notes = left_out.iter().filter(|(label, _)| is_in(label)).map(|(_, note)| note.clone());
        versus.notes.splice(0..0, notes.collect::<Vec<_>>());
    }
    for subject in judged {
        let blocks =
            args.fail_if.judge_graded(subject.record, last(subject.record), subject.validity).into_iter();
        let of_run = |block| ThresholdBlock { run: Some(subject.label.to_owned()), ..block };
        report.thresholds.extend(blocks.map(of_run));
    }
    show(context, &report)?;
    for versus in &report.comparisons {
        let differences: Vec<&str> = versus.differences.iter().map(|difference| difference.what).collect();
        if !differences.is_empty() && !is_for_people(context) {
            let (one, other) = (&versus.baseline, &versus.candidate);
            let text = format!("{one} and {other} differ in more than time: {}", differences.join(", "));
            context.console().warn(&text);
        }
    }
    let crossed = report.thresholds.iter().any(ThresholdBlock::fails);
    let undecided: Vec<&str> = if args.fail_if_worse {
        report.unjudged().map(|versus| versus.candidate.as_str()).collect()
    } else {
        Vec::new()
    };
    if !undecided.is_empty() {
        let runs = undecided.join(", ");
        context.console().say(&format!(
            "--fail-if-worse is undecided: the data do not suffice to judge {runs}; repeat the storms on \
             both sides: storm --repeat 5"
        ));
        return Ok(Exit::Threshold);
    }
    Ok(if crossed || args.fail_if_worse && report.is_worse() { Exit::Threshold } else { Exit::Good })
}

/// Default phase of thresholds.
fn last(record: &RunRecord) -> Option<PhaseName> {
    record.last_of(PhaseKind::Storm).or(record.last_phase()).map(|phase| phase.name)
}

/// Loads a run by name: an existing file or folder takes precedence.
async fn load(context: &Context, args: &CompareArgs, run: &str) -> Result<(RunRecord, Vec<Graded>), Failure> {
    let path = Path::new(run);
    let is_file = path.exists() || path.extension().is_some_and(|extension| extension == "json");
    if is_file {
        let document = results::read(path)?;
        args.fail_if.check_spread(&document)?;
        return Ok((document.run().into_owned(), document.graded()));
    }
    let mut connection = Connection::from(&context.connection);
    let prefix = match run.split_once('/') {
        Some((namespace, prefix)) if !namespace.is_empty() && !prefix.contains('/') => {
            connection.namespace = Some(namespace.to_owned());
            prefix
        }
        Some(_) => return Err(Failure::new(format!("there is no file or folder {run}"))),
        None => run,
    };
    let session: Session = context.connect_with(&connection).await?;
    let record = session.read(prefix).await?;
    let graded = Graded::of_run(&record);
    Ok((record, graded))
}

fn is_for_people(context: &Context) -> bool {
    context.presentation.output.is_for_people()
}

fn show(context: &Context, report: &CompareReport) -> Result<(), Failure> {
    let console = context.console();
    let layout = Layout {
        width: console.width(),
        cut: console.cuts(),
        wide: context.presentation.output == Output::Wide,
        title: true,
        headers: !context.presentation.no_headers,
        paint: if console.paints_stdout() { Paint::Ansi } else { Paint::Plain },
    };
    let unwritable = |error: Unwritable| Failure::new("the comparison cannot be shown").because(error);
    let text = match context.presentation.output {
        Output::Json => report.json().map_err(unwritable)?,
        Output::Yaml => report.yaml().map_err(unwritable)?,
        Output::Name => report.names(),
        _ => report.table(&layout),
    };
    console.data(&text)
}
