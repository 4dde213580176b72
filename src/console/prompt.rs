//! Confirmation prompts.

use std::io::{BufRead, Write};

use super::Console;
use bootstorm_model::text::line;

impl Console {
    /// Asks a question that only `y` or `yes` confirms. Call it only if [`Console::can_ask`].
    pub fn confirm(self, question: &str) -> bool {
        // Not locked while it waits for the answer: an interrupt also prints.
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{} [y/N] ", line(question));
        let _ = stderr.flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}
