//! Access to the terminal, for the whole program: streams, colour and verbosity.
//!
//! stdout is for data, stderr for messages. Colour and animation depend on the stream, never on the content. Messages
//! are made printable here, once: callers pass names and messages of a cluster unchanged.

pub mod address;
mod journal;
pub mod logging;
pub mod member;
pub mod progress;
pub mod prompt;
pub mod style;

use std::io::{BufWriter, IsTerminal, Write};

use anstream::AutoStream;

pub use anstream::ColorChoice;

use bootstorm_model::failure::Failure;
use bootstorm_model::text::line;

/// Width assumed without a terminal.
const DEFAULT_WIDTH: u16 = 80;

/// Console for data and messages
#[derive(Debug, Clone, Copy)]
pub struct Console {
    color: ColorChoice,
    quiet: bool,
    /// Member of the fleet whose messages these are, if there are several clusters.
    member: Option<&'static member::Member>,
}

/// Data could not be written because the reader closed the pipe, which is not an error
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeClosed;

impl Console {
    /// A console with the user's choice of colour; a quiet one prints only data and errors.
    pub fn new(color: ColorChoice, quiet: bool) -> Self {
        Self { color, quiet, member: None }
    }

    /// A console for messages of a member of a fleet.
    #[must_use]
    pub fn of_member(self, member: &'static member::Member) -> Self {
        Self { member: Some(member), ..self }
    }

    /// The member of a fleet whose messages these are.
    pub fn member(self) -> Option<&'static member::Member> {
        self.member
    }

    /// Whether only data and errors are printed.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether output to stdout is coloured.
    pub fn paints_stdout(self) -> bool {
        let choice = match self.color {
            ColorChoice::Auto => AutoStream::choice(&std::io::stdout()),
            choice => choice,
        };
        !matches!(choice, ColorChoice::Never)
    }

    /// Columns of the terminal, `COLUMNS`, or 80.
    pub fn width(self) -> usize {
        let from_env = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let from_terminal = || terminal_size::terminal_size().map(|(width, _)| width.0);
        usize::from(from_env.or_else(from_terminal).unwrap_or(DEFAULT_WIDTH)).clamp(40, 400)
    }

    /// Whether wider lines are cut: on a terminal, and if `COLUMNS` sets the width.
    pub fn cuts(self) -> bool {
        std::io::stdout().is_terminal() || std::env::var_os("COLUMNS").is_some()
    }

    /// Whether stderr is a terminal that can be drawn on.
    pub fn is_interactive(self) -> bool {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        std::io::stderr().is_terminal() && !dumb && !self.quiet
    }

    /// Whether the user can be asked.
    pub fn can_ask(self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Writes data to stdout. It must have been made safe by its format.
    ///
    /// A closed pipe is reported as such; other errors of stdout become a failure.
    pub fn data(self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(std::io::stdout(), self.color).lock();
        written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Writes data without colors incrementally, like [`Self::data`].
    pub fn written(self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        written(write(&mut stdout).and_then(|()| stdout.flush()))
    }

    /// Prints a message, unless quiet.
    pub fn say(self, text: &str) {
        tracing::info!(target: logging::SAID, "{text}");
        self.progress(text);
    }

    /// Prints progress; a log has its own messages for that.
    pub fn progress(self, text: &str) {
        if !self.quiet {
            self.stderr(&line(&address::completed(text)));
        }
    }

    /// Prints a warning, also when quiet.
    pub fn warn(self, text: &str) {
        tracing::warn!(target: logging::SAID, "{text}");
        self.stderr(&format!(
            "{}warning:{} {}",
            style::WARNING,
            style::WARNING.render_reset(),
            line(&address::completed(text))
        ));
    }

    /// Prints that and why the command failed, and what to do next.
    pub fn fail(self, failure: &Failure) {
        tracing::error!(target: logging::SAID, causes = ?failure.causes, "{}", failure.message);
        let (error, hint) = (style::ERROR, style::HINT);
        self.stderr(&format!("{error}error:{error:#} {}", line(&failure.message)));
        for cause in &failure.causes {
            self.stderr(&format!("  {}", line(&address::completed(cause))));
        }
        for text in &failure.hints {
            self.stderr(&format!("{hint}hint:{hint:#} {}", line(&address::completed(text))));
        }
    }

    fn stderr(self, text: &str) {
        let write = |begin: &str| {
            let mut stderr = AutoStream::new(std::io::stderr(), self.color).lock();
            // A failure of stderr cannot be reported.
            let _ = writeln!(stderr, "{begin}{text}");
        };
        match self.member {
            None if prompt::was_asking() => write("\n"),
            None => write(""),
            Some(member) => member.suspend(|| write(&format!("{}: ", line(member.name())))),
        }
    }
}

/// Outcome of writing to stdout; a closed pipe is not an error.
fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new("the output cannot be written").because(error))
        }
        _ => Ok(()),
    }
}
