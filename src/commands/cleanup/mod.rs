//! `cleanup`: deletes what a run created, and verifies it.

mod args;
mod wording;

pub use args::CleanupArgs;

use super::front::Front;
use super::pace_args::DryRun;
use super::session::{Context, Session};
use bootstorm_engine::phases::cleanup::Leftovers;
use bootstorm_engine::runs::cleanup::{self, CleanupOptions, Prepared, check_kept};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Runs the command.
pub async fn command(context: &Context, args: &CleanupArgs) -> Result<Exit, Failure> {
    let (session, options) = (context.connect().await?, args.options());
    if args.dry_run.dry_run == DryRun::Client {
        if let Some(found) = find(&session, &options, &Front::new(session.console)).await? {
            wording::rehearse(&session, &options, &found)?;
        }
    } else if let Some(deleted) = Box::pin(run(&session, &options, args.yes)).await? {
        wording::print(&session, &deleted, options.choice, "deleted")?;
        check_kept(&deleted, &options)?;
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
    let Some(found) = find(session, options, &front).await? else { return Ok(None) };
    if !yes {
        wording::ask(session, options, &found)?;
    }
    let deleted = Box::pin(cleanup::run(session.runs(), options, found, &front)).await?;
    wording::skipped(session, &deleted);
    Ok(Some(deleted))
}

/// Finds what a run has created, and shows what is not its own; `None` if nothing exists.
async fn find(
    session: &Session,
    options: &CleanupOptions,
    front: &Front<'_>,
) -> Result<Option<Prepared>, Failure> {
    let found = Box::pin(cleanup::prepare(session.runs(), options, front)).await?;
    wording::strangers(session, &found.leftovers);
    if found.is_empty() {
        session.console.say(&format!("nothing of run {} exists", options.prefix));
        wording::skipped(session, &found.leftovers);
        found.name_strays(session.runs(), options, front).await;
        return Ok(None);
    }
    wording::foreign(session, options, &found.leftovers);
    Ok(Some(found))
}
