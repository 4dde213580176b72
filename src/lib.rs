//! Boot storms on `KubeVirt`: create VMs, stop them, start them all at once, and time every one.
//!
//! The flow of data is described in `docs/architecture.md`. In short: [`commands`] turn the command line into a plan;
//! the engine sends requests and follows their effects; the model folds observations into timelines, and keeps and
//! analyses them; the report formats; [`console`] prints. The sandbox is a simulated cluster for the same client.

pub mod commands;
pub mod console;
pub mod live;
pub mod platform;

use bootstorm_model::exit::Exit;
use bootstorm_model::failure;
use commands::config::Environment;
use commands::start::{self, Start};

/// Number of open files that a large storm needs.
const OPEN_FILES: u64 = 65_536;

/// Runs the program with this process's command line.
pub fn run() -> Exit {
    let environment = Environment::of_process();
    let start = start::start(std::env::args_os().collect(), &environment);
    if let Start::Done(exit) = start {
        return exit;
    }
    platform::allow_open_files(OPEN_FILES);
    // Without a simulation in this process, one thread does all the work: waking others costs more than they save.
    let mut builder = match &start {
        Start::Command(cli) if !cli.simulates() => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = failure::Failure::new("the program cannot start").because(error);
            console::Console::new(console::ColorChoice::Auto, false).fail(&failure);
            return Exit::Failed;
        }
    };
    let exit = match start {
        Start::Done(exit) => exit,
        Start::Command(cli) => {
            runtime.block_on(async { Box::pin(cli.run(platform::signals::listen())).await })
        }
        Start::Complete(words) => {
            let answer = commands::completion::answer(&words, &environment, runtime.handle());
            // A closed pipe has no reader left to inform.
            let _ = console::Console::new(console::ColorChoice::Never, true).data(&answer);
            Exit::Good
        }
    };
    // Background tasks have no more output.
    runtime.shutdown_background();
    exit
}
