//! Confirmation prompts.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Console;
use bootstorm_model::text::line;

/// Whether the cursor is behind a question.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Whether a question was left open, so that the next line has to begin below it; once.
pub(super) fn was_asking() -> bool {
    ASKING.swap(false, Ordering::Relaxed)
}

impl Console {
    /// Asks a question that only `y` or `yes` confirms. Call it only if [`Console::can_ask`].
    pub fn confirm(self, question: &str) -> bool {
        // Not locked while it waits for the answer: an interrupt also prints.
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{} [y/N] ", line(question));
        let _ = stderr.flush();
        ASKING.store(true, Ordering::Relaxed);
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        ASKING.store(false, Ordering::Relaxed);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}
