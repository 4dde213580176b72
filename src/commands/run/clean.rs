//! Deletes what a run created: at its end, or before it is measured again.

use crate::commands::cleanup;
use crate::commands::run_args::RunCommand;
use crate::commands::session::Session;
use bootstorm_engine::runs::cleanup::CleanupOptions;
use bootstorm_model::failure::Failure;

/// Deletes what the run created, so that it can be measured again.
pub(super) async fn start_over(session: &Session, args: &RunCommand) -> Result<(), Failure> {
    if let Some(count) = clean_up(session, args).await? {
        session.console.say(&format!("deleted the previous run: {count} objects"));
    }
    match session.find(&args.run.prefix).await? {
        None => Ok(()),
        Some(_) => Err(Failure::new("the run was not deleted, so it cannot be measured again")),
    }
}

/// Cleans up, and fails if something is kept; returns the number of deleted objects.
pub(super) async fn clean_up(session: &Session, args: &RunCommand) -> Result<Option<usize>, Failure> {
    let options = CleanupOptions::of(&args.run.prefix);
    let cleaning = cleanup::run(session, &options, args.yes || args.sandbox);
    let Some(deleted) = Box::pin(cleaning).await? else { return Ok(None) };
    options.check_kept(&deleted)?;
    Ok(Some(deleted.going(options.choice).len()))
}
