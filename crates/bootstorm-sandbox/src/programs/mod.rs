//! What can be run in simulated containers: no processes, only what they would have said.

mod image;
mod io;
mod lines;
mod netcat;
mod ping;
mod prober;
mod script;
mod shell;
mod user;

use std::sync::Arc;
use std::time::Duration;

pub use self::image::{Image, Tools, is_pullable};
pub use self::io::{Channel, Io};
pub use self::prober::Programs;
pub use self::user::{User, group_range};
use super::model::dice::Roll;
use super::network::Network;

/// What a shell says of a command that does not exist.
pub const NOT_FOUND: i32 = 127;
/// The name that tells our prober from any other script: its shell's `$0`.
const PROBER: &str = "bootstorm-prober";

/// The container in which something is run
#[derive(Debug, Clone)]
pub struct Container {
    /// What its image offers now.
    pub tools: Tools,
    /// What its processes may do.
    pub user: User,
    /// Whether its pod has a second address, of IPv6.
    pub dual_stack: bool,
    /// The machine of its node, as `uname -m` says it.
    pub machine: &'static str,
    /// Folders that can be written to: volumes that are mounted there.
    pub folders: Vec<String>,
    /// Where prober programs were put; of this pod, those whose names begin with this identity.
    pub programs: (String, Programs),
    /// The network it is on.
    pub network: Arc<dyn Network>,
    /// The draws of this run.
    pub roll: Roll,
}

impl Container {
    /// How long an answer travels.
    fn round_trip(&mut self) -> Duration {
        Duration::from_secs_f64(self.roll.between(0.000_25, 0.001_2))
    }
}

/// Runs a command to its end; returns its exit code.
pub async fn run(argv: &[String], mut container: Container, mut io: Io) -> i32 {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let Some(program) = words.first() else { return NOT_FOUND };
    let is_shell = matches!(program.rsplit('/').next(), Some("sh" | "ash" | "dash" | "bash"));
    if !container.tools.shell || !(is_shell || shell::exists(program, container.tools)) {
        let message = format!(
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{program}\": executable file not found in $PATH: unknown\n"
        );
        io.complain(&message).await;
        return NOT_FOUND;
    }
    match words.as_slice() {
        [_, "-c", _, PROBER, arguments @ ..] if is_shell => prober::run(io, container, arguments).await,
        [_, "-c", script, ..] if is_shell => shell::script(script, &mut container, &mut io).await.code(),
        [_, ..] if is_shell => shell::session(&mut container, &mut io).await,
        _ => shell::command(&words, &mut container, &mut io).await.code(),
    }
}
