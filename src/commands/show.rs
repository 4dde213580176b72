//! Shows results in the format that was asked for.

use super::presentation::Output;
use super::session::Session;
use crate::failure::Failure;
use crate::record::{PhaseKind, RunRecord};
use crate::report::{Layout, Paint, Report, Selection};

/// Shows what one phase found: its own block; the comparison too when it was a storm.
pub(super) fn phase(session: &Session, record: &RunRecord, kind: PhaseKind) -> Result<(), Failure> {
    let last = record.last_phase().filter(|phase| phase.name.kind == kind).map(|phase| phase.name);
    let selection = Selection { only: last, ..Selection::default() };
    write(session, &Report::of(record, &selection), true)
}

/// Shows the storm of a run whose first blocks were shown already.
pub(super) fn rest(session: &Session, record: &RunRecord) -> Result<(), Failure> {
    let last = record.last_of(PhaseKind::Storm).map(|phase| phase.name);
    let selection = Selection { only: last, ..Selection::default() };
    write(session, &Report::of(record, &selection), false)
}

/// Shows a report.
pub(super) fn report(session: &Session, report: &Report) -> Result<(), Failure> {
    write(session, report, true)
}

fn write(session: &Session, report: &Report, title: bool) -> Result<(), Failure> {
    let layout = Layout {
        width: session.console.width(),
        wide: session.output == Output::Wide,
        title,
        headers: session.headers,
        paint: if session.console.paints_stdout() { Paint::Ansi } else { Paint::Plain },
    };
    let unwritable =
        |error: crate::report::Unwritable| Failure::new("the report cannot be shown").because(error);
    let text = match session.output {
        Output::Table | Output::Wide => report.table(&layout),
        Output::Json => report.json().map_err(unwritable)?,
        Output::Yaml => report.yaml().map_err(unwritable)?,
        Output::Name => report.names(),
        Output::Html => report.html(),
    };
    session.console.data(&text)
}
