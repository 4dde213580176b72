//! `cleanup`: deletes what a run made, and verifies it.

use std::time::Duration;

use clap::Args;

use super::pace_args::{DryRun, DryRunArgs};
use super::plan_args::RunArgs;
use super::presentation::Output;
use super::session::{Context, Session};
use super::values;
use crate::cluster::names::{run_id_selector, run_selector};
use crate::cluster::store::{Head, LoadError};
use crate::console::progress::Progress;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::phases::cleanup::{self, CleanupError, Leftovers};

/// Delete what the run made, and verify that nothing is left
///
/// Deletes the run's VMs and waits until they are gone, then its namespaces, then its record. Everything is found by
/// the run's label and deleted only if it is still the same object. Asks first on a terminal; elsewhere it needs
/// --yes.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # See what would be deleted
  kubectl bootstorm cleanup --dry-run=client

  # Delete a run without being asked, but keep its results
  kubectl bootstorm cleanup --ns-prefix friday --yes --keep-record")]
pub struct CleanupArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Keep the run's record, so that report still works
    #[arg(long)]
    pub keep_record: bool,
    /// Time limit for everything to be gone
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = values::limit)]
    pub timeout: Duration,
    /// API requests in flight at once
    #[arg(long, value_name = "N", default_value = "50", value_parser = values::count)]
    pub concurrency: usize,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
}

/// Runs the command.
pub async fn command(context: &Context, args: &CleanupArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    if let Some(deleted) = run(&session, args).await? {
        print(&session, &deleted, args.keep_record, "deleted")?;
    }
    Ok(Exit::Good)
}

/// Cleans a run up; gives what was deleted, or nothing where nothing was to be done.
pub async fn run(session: &Session, args: &CleanupArgs) -> Result<Option<Leftovers>, Failure> {
    let prefix = &args.run.prefix;
    let run_id = whose(session, prefix).await?;
    let selector = run_id.as_deref().map_or_else(|| run_selector(prefix), run_id_selector);
    let leftovers = cleanup::leftovers(&session.cluster, &selector).await?;
    if leftovers.is_empty() {
        session.console.say(&format!("nothing of run {prefix} is there"));
        return Ok(None);
    }
    if args.dry_run.dry_run == DryRun::Client {
        print(session, &leftovers, args.keep_record, "would be deleted")?;
        return Ok(None);
    }
    if !args.yes {
        ask(session, prefix, &leftovers, args.keep_record)?;
    }
    let lock = session.lock(prefix, run_id.as_deref().unwrap_or_default()).await?;
    let progress = Progress::new(session.console);
    let events = |event: &crate::phases::Event| progress.hear(event);
    let deleting =
        cleanup::run(&session.cluster, &selector, args.keep_record, args.concurrency, args.timeout, &events);
    let mut interrupt = session.interrupt.clone();
    let outcome = tokio::select! {
        outcome = deleting => outcome.map_err(|error| failed(error, prefix, args)),
        () = interrupt.wait() => Err(Failure::interrupted("interrupted; what was deleted is gone, the rest is kept")
            .hint(format!("go on: kubectl bootstorm cleanup --ns-prefix {prefix}"))),
    };
    progress.finish();
    lock.release().await;
    let deleted = outcome?;
    verify(session, &selector, args, prefix).await?;
    Ok(Some(deleted))
}

/// The UUID of the run whose record is here; nothing when no record of that name is anywhere.
///
/// Fails when the record is in another namespace, or may be: then the run is somebody else's to clean up.
async fn whose(session: &Session, prefix: &str) -> Result<Option<String>, Failure> {
    match session.cluster.load(prefix).await {
        Ok(Some((record, _))) => return Ok(Some(record.run_id)),
        Ok(None) => {}
        // A record that cannot be read must not keep anybody from cleaning up; its label still says whose it is.
        Err(LoadError::Codec(error)) => {
            session.console.warn(&format!("the record cannot be read ({error}); going by its label"));
        }
        Err(LoadError::Trouble(trouble)) => return Err(trouble.into()),
    }
    let is_it = |head: &Head| head.prefix == prefix;
    if let Some(head) = session.cluster.heads(false).await?.into_iter().find(is_it) {
        return Ok(Some(head.run_id));
    }
    let elsewhere = session.cluster.heads(true).await.map_err(|trouble| {
        Failure::from(trouble)
            .because(format!("run \"{prefix}\" has no record here, and may have one in another namespace"))
            .hint("name the namespace of its record with --namespace")
    })?;
    let places: Vec<String> = elsewhere.into_iter().filter(is_it).map(|head| head.namespace).collect();
    if places.is_empty() {
        return Ok(None);
    }
    Err(Failure::new(format!(
        "the record of run \"{prefix}\" is in another namespace: {}",
        places.join(", ")
    ))
    .hint(format!("clean it up from there: kubectl bootstorm cleanup --ns-prefix {prefix} -n {}", places[0])))
}

/// Lists again: what is there now was not deleted.
async fn verify(session: &Session, selector: &str, args: &CleanupArgs, prefix: &str) -> Result<(), Failure> {
    let mut left = cleanup::leftovers(&session.cluster, selector).await?;
    if args.keep_record {
        left.config_maps.clear();
        left.secrets.clear();
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(format!("something of run \"{prefix}\" is still there"));
    for (name, namespace) in left.names().into_iter().take(10) {
        failure = failure.because(format!("{name} {namespace}"));
    }
    Err(failure.hint(format!("try again: kubectl bootstorm cleanup --ns-prefix {prefix}")))
}

fn ask(session: &Session, prefix: &str, leftovers: &Leftovers, keep_record: bool) -> Result<(), Failure> {
    let record = if keep_record { 0 } else { leftovers.config_maps.len() + leftovers.secrets.len() };
    let what = format!(
        "{} VMs, {} namespaces with everything in them, and {record} record objects of run {prefix} on {}",
        leftovers.machines.len(),
        leftovers.namespaces.len(),
        session.cluster.server(),
    );
    if !session.console.can_ask() {
        return Err(Failure::usage(format!("cleanup would delete {what}"))
            .because("it cannot ask, because there is no terminal")
            .hint("pass --yes to delete them, or --dry-run=client to see them"));
    }
    if session.console.confirm(&format!("Delete {what}?")) {
        Ok(())
    } else {
        Err(Failure::new("nothing was deleted"))
    }
}

fn failed(error: CleanupError, prefix: &str, args: &CleanupArgs) -> Failure {
    match error {
        CleanupError::Trouble(trouble) => {
            Failure::from(trouble).hint(format!("go on: kubectl bootstorm cleanup --ns-prefix {prefix}"))
        }
        CleanupError::Blocked(blocked) => {
            let mut failure = Failure::new(format!(
                "{} {} still there after {}s",
                blocked.remaining.len(),
                if blocked.remaining.len() == 1 { "object is" } else { "objects are" },
                args.timeout.as_secs()
            ));
            for name in blocked.remaining.iter().take(10) {
                failure = failure.because(format!("{}: {name}", blocked.what));
            }
            failure
                .hint("a guest that ignores its shutdown keeps its VM until the grace period is over")
                .hint("see what a namespace waits for: kubectl get namespace NAME -o jsonpath='{.status.conditions}'")
                .hint(format!("then go on: kubectl bootstorm cleanup --ns-prefix {prefix}"))
        }
    }
}

fn print(session: &Session, found: &Leftovers, keep_record: bool, verb: &str) -> Result<(), Failure> {
    let mut found = found.clone();
    if keep_record {
        found.config_maps.clear();
        found.secrets.clear();
    }
    let verb = if session.output == Output::Name { String::new() } else { format!(" {verb}") };
    let line = |(name, namespace): (String, String)| {
        let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
        format!("{name}{place}{verb}\n")
    };
    let text: String = found.names().into_iter().map(line).collect();
    session.console.data(&text)
}
