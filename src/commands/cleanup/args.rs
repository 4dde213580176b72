//! Flags of `cleanup`.

use std::time::Duration;

use clap::Args;

use crate::commands::pace_args::DryRunArgs;
use crate::commands::plan_args::RunArgs;
use crate::commands::values;
use bootstorm_engine::phases::cleanup::Choice;
use bootstorm_engine::runs::cleanup::CleanupOptions;
use bootstorm_model::duration::told;

/// Delete what the run created, and verify that nothing is left
///
/// Deletes the run's VMs and waits until they are gone, then its namespaces, then its record. Objects belong to the run
/// by name and UID, as recorded at their creation: a copy with the run's labels is listed and kept. A namespace with
/// objects of others is kept, with exit code 3, unless --delete-foreign is given. Adopted VMs are not deleted: each gets
/// back its original run strategy and power state, unless someone else has changed it in the meantime. An interrupted
/// cleanup can be repeated at any time. Asks for confirmation on a terminal; elsewhere it needs --yes.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # See what would be deleted
  kubectl bootstorm cleanup --dry-run=client

  # Delete a run without confirmation, but keep its results
  kubectl bootstorm cleanup --ns-prefix friday --yes --keep-record")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct CleanupArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Delete without confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Keep the run's record, so that report still works
    #[arg(long)]
    pub keep_record: bool,
    /// Delete the run's namespaces with everything that others keep in them; --dry-run lists it
    #[arg(long)]
    pub delete_foreign: bool,
    /// Clean up the run with this UUID if its record is lost
    #[arg(long, value_name = "UUID", value_parser = values::run_id)]
    pub run_id: Option<String>,
    /// Leave adopted VMs in their current state and discard their original one
    #[arg(long)]
    pub leave_adopted: bool,
    /// Time limit for the deletion and for restoring adopted VMs
    #[arg(long, value_name = "DURATION", default_value = told(CleanupOptions::TIMEOUT), value_parser = values::limit)]
    pub timeout: Duration,
    /// Limit on API requests in flight
    #[arg(long, value_name = "N", default_value_t = CleanupOptions::CONCURRENCY, value_parser = values::count)]
    pub concurrency: usize,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
}

impl CleanupArgs {
    /// The requested cleanup.
    pub(super) fn options(&self) -> CleanupOptions {
        CleanupOptions {
            prefix: self.run.prefix.clone(),
            choice: Choice { keep_record: self.keep_record, delete_foreign: self.delete_foreign },
            run_id: self.run_id.clone(),
            leave_adopted: self.leave_adopted,
            timeout: self.timeout,
            concurrency: self.concurrency,
        }
    }
}
