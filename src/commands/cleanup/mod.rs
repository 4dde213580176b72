//! `cleanup`: deletes what a run created, and verifies it.

mod args;
mod wording;

pub use args::CleanupArgs;

use super::front::Front;
use super::pace_args::DryRun;
use super::session::{Context, Session};
use bootstorm_engine::phases::cleanup::Leftovers;
use bootstorm_engine::runs::cleanup::{Cleanup, CleanupOptions, Prepared};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Runs the command.
pub async fn command(context: &Context, args: &CleanupArgs) -> Result<Exit, Failure> {
    let (session, options) = (context.connect().await?, args.options());
    if args.dry_run.dry_run == DryRun::Client {
        let front = Front::new(session.console);
        let cleanup = Cleanup { runs: session.runs(), options: &options, caller: &front };
        if let Some(found) = find(&session, cleanup).await? {
            wording::rehearse(&session, &options, &found)?;
        }
    } else if let Some(deleted) = Box::pin(run(&session, &options, args.yes)).await? {
        wording::print(&session, &deleted, options.choice, "deleted")?;
        options.check_kept(&deleted)?;
    }
    Ok(Exit::Good)
}

/// Cleans up a run; returns what was deleted and what stays, or `None` if there was nothing to do.
///
/// Asks for confirmation, unless `yes` is set.
pub async fn run(
    session: &Session,
    options: &CleanupOptions,
    yes: bool,
) -> Result<Option<Leftovers>, Failure> {
    let front = Front::new(session.console);
    let cleanup = Cleanup { runs: session.runs(), options, caller: &front };
    let Some(found) = find(session, cleanup).await? else { return Ok(None) };
    // What is in the run's own namespaces goes with them, whether it could be listed or not.
    wording::skipped(session, &found.leftovers, &[]);
    let told = found.leftovers.skipped.clone();
    if !yes {
        wording::ask(session, options, &found)?;
    }
    let deleted = Box::pin(cleanup.run(found)).await?;
    wording::skipped(session, &deleted, &told);
    Ok(Some(deleted))
}

/// Finds what a run has created, and shows what is not its own; `None` if nothing exists.
async fn find(session: &Session, cleanup: Cleanup<'_>) -> Result<Option<Prepared>, Failure> {
    let found = Box::pin(cleanup.prepare()).await?;
    wording::strangers(session, &found.leftovers);
    if found.is_empty() {
        let options = cleanup.options;
        session
            .console
            .say(&format!("nothing of run {} exists", options.run_id.as_deref().unwrap_or(&options.prefix)));
        for hint in session.runs().others(&options.prefix).await {
            session.console.say(&format!("hint: {hint}"));
        }
        wording::skipped(session, &found.leftovers, &[]);
        if found.is_unknown() {
            cleanup.name_strays().await;
        }
        return Ok(None);
    }
    wording::foreign(session, cleanup.options, &found.leftovers);
    Ok(Some(found))
}
