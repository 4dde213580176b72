//! Messages of a member of a fleet: every line begins with its name, and on a terminal each member has one live line.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shared display of the members of a fleet
#[derive(Debug, Clone)]
pub struct Board {
    lines: MultiProgress,
    live: bool,
}

/// A member of a fleet, for display
#[derive(Debug)]
pub struct Member {
    name: String,
    board: Board,
    line: ProgressBar,
}

impl Board {
    /// A board with live lines, or without any.
    pub fn new(live: bool) -> Self {
        let target = if live { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Self { lines: MultiProgress::with_draw_target(target), live }
    }

    /// Adds a member. It is never freed, so that a console that refers to it can be copied: a fleet has few members,
    /// and a process one fleet.
    pub fn member(&self, name: &str, widest: usize) -> &'static Member {
        let line = self.lines.add(ProgressBar::new(0));
        let template = "{prefix:.bold} {bar:16.cyan/dim} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            line.set_style(style.progress_chars("━╸─"));
        }
        let shown = bootstorm_model::text::line(name).into_owned();
        line.set_prefix(format!("{shown:<widest$}"));
        if self.live {
            line.enable_steady_tick(Duration::from_millis(200));
        }
        Box::leak(Box::new(Member { name: name.to_owned(), board: self.clone(), line }))
    }

    /// Writes something above the live lines.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.live { self.lines.suspend(write) } else { write() }
    }

    /// Removes the live lines.
    pub fn clear(&self) {
        // Lines that cannot be removed do no harm.
        let _ = self.lines.clear();
    }
}

impl Member {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes something above the live lines.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.board.suspend(write)
    }

    /// Sets its live line.
    pub fn show(&self, through: usize, total: usize, text: &str) {
        self.line.set_length(total as u64);
        self.line.set_position(through as u64);
        self.line.set_message(bootstorm_model::text::line(text).into_owned());
    }
}
