//! Boot storms on `KubeVirt`: create VMs, stop them, start them all at once, and time every one.
//!
//! The flow of data is described in `docs/architecture.md`. In short: [`commands`] turn what the user typed into a
//! [`plan`]; [`phases`] launch requests through [`cluster`] and follow what becomes of them; [`observe`] folds that
//! into timelines, [`record`] keeps them, [`stats`] computes, [`report`] formats, [`console`] prints. [`sandbox`] is a
//! simulated cluster that the same client runs against.

pub mod cluster;
pub mod commands;
pub mod console;
pub mod exit;
pub mod failure;
pub mod observe;
pub mod phases;
pub mod plan;
pub mod probe;
pub mod record;
pub mod report;
pub mod sandbox;
mod signals;
pub mod stats;

use clap::Parser;

use exit::Exit;

/// Runs the program with the command line of this process.
pub fn run() -> Exit {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; a closed pipe is no error.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Good };
        }
    };
    // A burst needs one socket per request in flight; where the limit cannot be raised, connections queue.
    let _ = rlimit::increase_nofile_limit(65_536);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = failure::Failure::new("the program cannot start").because(error);
            console::Console::new(console::ColorChoice::Auto, false).fail(&failure);
            return Exit::Failed;
        }
    };
    let exit = runtime.block_on(async { Box::pin(cli.run(signals::listen())).await });
    // Whatever still runs in the background has nothing more to say.
    runtime.shutdown_background();
    exit
}
