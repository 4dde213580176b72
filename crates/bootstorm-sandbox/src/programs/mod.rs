//! Commands of simulated containers: no processes, only their output.

mod container;
mod image;
mod io;
mod lines;
mod netcat;
mod ping;
mod prober;
mod script;
mod shell;
mod user;

pub use self::container::{Container, Programs};
pub use self::image::{Image, Tools, is_pullable};
pub use self::io::{Channel, Io};
pub use self::user::{User, group_range};

/// Exit code of a shell for an unknown command.
pub const NOT_FOUND: i32 = 127;
/// The name that distinguishes our prober from any other script: its shell's `$0`.
const PROBER: &str = "bootstorm-prober";

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
