//! Diagnostic logs: to a file, or to stderr when asked for.

use std::fs::OpenOptions;
use std::path::Path;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::failure::Failure;

/// Starts logging. `filter` is a level or a filter expression; without a file, logs go to stderr and only when
/// there is a filter.
///
/// Fails when the file cannot be opened or the filter not understood.
pub fn start(filter: Option<&str>, file: Option<&Path>) -> Result<(), Failure> {
    let default = if file.is_some() { "info" } else { "off" };
    let text = filter.unwrap_or(default);
    let directives = if text.contains('=') || text.contains(',') {
        text.to_owned()
    } else {
        format!("off,bootstorm={text}")
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| Failure::usage(format!("--log-level `{text}` is not understood")).because(error))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                Failure::new(format!("the log file {} cannot be opened", path.display())).because(error)
            })?;
            registry.with(fmt::layer().with_ansi(false).with_writer(std::sync::Mutex::new(file))).try_init()
        }
        None => registry.with(fmt::layer().with_ansi(false).with_writer(std::io::stderr)).try_init(),
    };
    // A second start in one process (tests) keeps the first.
    let _ = started;
    Ok(())
}
