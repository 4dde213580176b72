//! The few styles in use, by meaning.

use anstyle::{AnsiColor, Style};

/// Something failed.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Something deserves attention.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What to do next.
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Something is all right.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();

/// The styles of the help.
pub const HELP: clap::builder::Styles = clap::builder::Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());
