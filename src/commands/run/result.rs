//! Shows and saves what a run measured.

use super::clean::clean_up;
use crate::commands::presentation::Output;
use crate::commands::run_args::RunCommand;
use crate::commands::session::Session;
use crate::commands::show;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_engine::runs::whole::Outline;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseName, RunRecord};
use bootstorm_report::{Selection, ThresholdBlock};

/// Saves and shows a phase before the first stop when it has ended, if requested; the last report shows the others.
pub(super) fn show_first(
    session: &Session,
    args: &RunCommand,
    outline: &Outline,
    record: &RunRecord,
) -> Result<(), Failure> {
    let Some(name) = record.last_phase().map(|phase| phase.name).filter(|name| outline.precedes_stop(*name))
    else {
        return Ok(());
    };
    if args.beside.save.save_results {
        args.beside.save.save(session.console, record)?;
    }
    let in_blocks = matches!(session.output, Output::Guide | Output::Wide);
    if in_blocks && !(args.no_storm && name == outline.baseline) {
        show::phase(session, record, name.kind, Vec::new())?;
    }
    Ok(())
}

/// Thresholds, judged or still to be judged
pub(super) enum Judged {
    /// Already judged.
    Done(Vec<ThresholdBlock>),
    /// To be judged for this phase, if any.
    At(Option<PhaseName>),
}

/// Shows and saves the result of a whole run, and cleans up; returns its exit code.
pub(super) async fn report(
    session: &Session,
    args: &RunCommand,
    record: RunRecord,
    judged: Judged,
    measured: bool,
) -> Result<Exit, Failure> {
    let thresholds = match judged {
        Judged::Done(thresholds) => thresholds,
        Judged::At(judged) => args.beside.fail_if.judge(&record, judged),
    };
    let baseline = args.options().outline(Some(&record)).baseline;
    let in_blocks = matches!(session.output, Output::Guide | Output::Wide);
    match (in_blocks, args.no_storm) {
        (true, true) => show::phase(session, &record, baseline.kind, thresholds.clone())?,
        (true, false) if measured => show::rest(session, &record, thresholds.clone())?,
        _ => {
            let report = show::of(session.output, &record, &Selection::default());
            // After an immediate cleanup there are no next commands.
            let next = if args.cleanup || args.sandbox { Vec::new() } else { show::next(&record) };
            show::report(session, &report.with_thresholds(thresholds.clone()), &next)?;
        }
    }
    args.beside.finish(session, &record, &thresholds).await?;
    if args.cleanup
        && let Some(count) = clean_up(session, args).await?
    {
        session.console.say(&format!("cleaned up: {count} objects deleted, nothing is left"));
    }
    let exit = record.phases.iter().map(|phase| exit_of(&phase.look())).max().unwrap_or(Exit::Good);
    Ok(args.beside.fail_if.exit(session, &thresholds, exit))
}
