//! Shows results in the requested format.

use serde::Serialize;

use super::presentation::Output;
use super::session::{Context, Session};
use crate::console::{Console, address};
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, lifecycle};
use bootstorm_report::{Layout, Paint, Report, Selection, ThresholdBlock, Unwritable, document};

/// Destination and format of a result
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    pub(super) console: Console,
    pub(super) output: Output,
    headers: bool,
}

impl From<&Session> for Screen {
    fn from(session: &Session) -> Self {
        Self { console: session.console, output: session.output, headers: session.headers }
    }
}

impl From<&Context> for Screen {
    fn from(context: &Context) -> Self {
        let presentation = &context.presentation;
        Self { console: context.console(), output: presentation.output, headers: !presentation.no_headers }
    }
}

/// The report of a run, with the detail that a format shows.
pub(super) fn of(output: Output, record: &RunRecord, selection: &Selection) -> Report {
    if output.is_for_people() { Report::for_tables(record, selection) } else { Report::of(record, selection) }
}

/// Shows the result of one phase: its own block, and the comparison if it was a storm.
pub(super) fn phase(
    session: &Session,
    record: &RunRecord,
    kind: PhaseKind,
    thresholds: Vec<ThresholdBlock>,
) -> Result<(), Failure> {
    let last = record.last_phase().filter(|phase| phase.name.kind == kind).map(|phase| phase.name);
    let selection = Selection { only: last, ..Selection::default() };
    let report = of(session.output, record, &selection).with_thresholds(thresholds);
    write(session.into(), &report, true, &next(record))
}

/// Shows a phase that was done before to programs, which wait for a document; people are told where they are.
pub(super) fn again(
    session: &Session,
    record: &RunRecord,
    name: PhaseName,
    thresholds: Vec<ThresholdBlock>,
) -> Result<(), Failure> {
    if session.output.is_for_people() {
        return Ok(());
    }
    let selection = Selection { only: Some(name), ..Selection::default() };
    let report = of(session.output, record, &selection).with_thresholds(thresholds);
    write(session.into(), &report, true, &[])
}

/// Shows the storm of a run whose first blocks were already shown.
pub(super) fn rest(
    session: &Session,
    record: &RunRecord,
    thresholds: Vec<ThresholdBlock>,
) -> Result<(), Failure> {
    let last = record.last_of(PhaseKind::Storm).map(|phase| phase.name);
    let selection = Selection { only: last, ..Selection::default() };
    let report = of(session.output, record, &selection).with_thresholds(thresholds);
    write(session.into(), &report, false, &[])
}

/// Shows the result of the search for the largest storm: for people only that block, for programs everything.
pub(super) fn capacity(session: &Session, record: &RunRecord) -> Result<(), Failure> {
    let report = of(session.output, record, &Selection::default());
    if !session.output.is_for_people() {
        return write(session.into(), &report, true, &[]);
    }
    session.console.data(&report.capacity_table(&layout(session.into(), true)))
}

/// Shows a report; `next` are suggested commands.
pub(super) fn report(screen: impl Into<Screen>, report: &Report, next: &[String]) -> Result<(), Failure> {
    write(screen.into(), report, true, next)
}

/// Suggested commands for the state of a run.
pub(super) fn next(record: &RunRecord) -> Vec<String> {
    let run = |verb: &str, more: &str| {
        let command = format!("kubectl bootstorm {verb} --ns-prefix {}{more}", record.plan.prefix);
        address::completed(&command).into_owned()
    };
    match lifecycle::suggestion(record) {
        "report" => vec![run("report", " -o guide"), run("cleanup", "")],
        verb => vec![run(verb, "")],
    }
}

/// Shows a report; for people only its failures, if requested.
pub(super) fn report_or_failures(
    screen: impl Into<Screen>,
    report: &Report,
    failures: bool,
    next: &[String],
) -> Result<(), Failure> {
    let screen = screen.into();
    if failures && screen.output.is_for_people() {
        return screen.console.data(&report.failures_table(&layout(screen, true)));
    }
    write(screen, report, true, next)
}

fn write(screen: Screen, report: &Report, title: bool, next: &[String]) -> Result<(), Failure> {
    if let Some(compared) = &report.comparison {
        match &compared.verdict {
            Some(verdict) => tracing::info!(grade = ?verdict.grade, rule = ?verdict.rule, "verdict"),
            None => tracing::info!(why = compared.unjudged, "no verdict"),
        }
    }
    if screen.output == Output::Json {
        return screen.console.written(|stdout| report.write_json(stdout));
    }
    screen.console.data(&rendered(report, screen.output, &layout(screen, title), next)?)
}

/// A value as a document, or as `text` in formats without one; `what` is shown.
pub(super) fn value<T: Serialize + ?Sized>(
    output: Output,
    what: &str,
    value: &T,
    text: impl FnOnce() -> String,
) -> Result<String, Failure> {
    let document = match output {
        Output::Json => document::json(value),
        Output::Yaml => document::yaml(value),
        _ => Ok(text()),
    };
    document.map_err(|error| Failure::new(format!("the {what} cannot be shown")).because(error))
}

/// A report in a format; `next` are suggested commands.
pub(super) fn rendered(
    report: &Report,
    format: Output,
    layout: &Layout,
    next: &[String],
) -> Result<String, Failure> {
    let text = match format {
        Output::Summary => Ok(report.summary(layout, next)),
        Output::Guide | Output::Wide => Ok(report.table(layout)),
        Output::Json => report.json(),
        Output::Yaml => report.yaml(),
        Output::Csv => report.csv(layout.headers),
        Output::Markdown => Ok(report.markdown()),
        Output::Junit => Ok(report.junit()),
        Output::Prometheus => Ok(report.prometheus()),
        Output::Openmetrics => Ok(report.openmetrics()),
        Output::Benchmark => report.benchmark(),
        Output::KubeBurner => report.kube_burner(),
        Output::Html => Ok(report.html()),
        Output::Name => Ok(report.names()),
    };
    text.map_err(|error: Unwritable| Failure::new("the report cannot be shown").because(error))
}

pub(super) fn layout(screen: Screen, title: bool) -> Layout {
    Layout {
        width: screen.console.width(),
        cut: screen.console.cuts(),
        wide: screen.output == Output::Wide,
        title,
        headers: screen.headers,
        paint: if screen.console.paints_stdout() { Paint::Ansi } else { Paint::Plain },
    }
}
