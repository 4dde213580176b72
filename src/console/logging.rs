//! Diagnostic logs: to a file, or to stderr on request.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use bootstorm_model::failure::Failure;
use bootstorm_model::platform::output;
use bootstorm_model::text::line;

/// Target of messages that are also printed to stderr.
pub(super) const SAID: &str = "bootstorm::said";

/// First line of a log file; logs are appended only to files that begin with it.
const HEADER: &str = "# log of kubectl-bootstorm\n";

/// Starts logging. `filter` is a level or a filter expression; without a file, logs go to stderr and only if there is a
/// filter.
///
/// Fails if the file cannot be opened or the filter is invalid.
pub fn start(filter: Option<&str>, file: Option<&Path>) -> Result<(), Failure> {
    let default = if file.is_some() { "info" } else { "off" };
    let text = filter.unwrap_or(default);
    let directives = if text.contains('=') || text.contains(',') {
        text.to_owned()
    } else {
        // On stderr they are visible already.
        let said = if file.is_some() { "" } else { ",bootstorm::said=off" };
        format!("off,bootstorm={text}{said}")
    };
    let filter: Targets = directives
        .parse()
        .map_err(|error| Failure::usage(format!("--log-level `{text}` is not understood")).because(error))?;
    let out: Box<dyn Write + Send> = match file {
        Some(path) => Box::new(output::append(path, HEADER).map_err(|error| {
            Failure::new(format!("the log file {} cannot be opened", path.display()))
                .because(error)
                .hint("name another file with --log-file FILE, or move this one away")
        })?),
        None => Box::new(io::stderr()),
    };
    let layer = fmt::layer().with_ansi(false).with_writer(Lines::new(out)).with_filter(filter);
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(())
}

/// Writes each event as one printable line of limited length, whatever its fields hold
#[derive(Clone)]
struct Lines {
    out: Arc<Mutex<Box<dyn Write + Send>>>,
}

impl Lines {
    fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Arc::new(Mutex::new(out)) }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    /// The subscriber formats a whole event before it writes it, so that this is one line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let event = line(text.trim_end_matches('\n'));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(format!("{event}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log for tests
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_printable_line_of_limited_length() {
        let memory = Memory::default();
        let layer = fmt::layer().with_ansi(false).with_writer(Lines::new(Box::new(memory.clone())));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(why = %"\u{1b}[2J\nforged: line\u{202e}\0", "first");
            tracing::info!("{}", "x".repeat(1_000_000));
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.chars().all(|c| c == '\n' || !bootstorm_model::text::is_unsafe(c)), "{text:?}");
        assert!(text.len() < 5_000 && text.contains("forged: line"));
    }
}
