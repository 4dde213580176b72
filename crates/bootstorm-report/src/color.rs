//! Colour by meaning; every output is also readable without it.

use anstyle::{AnsiColor, Style};

use bootstorm_model::observe::Outcome;
use bootstorm_model::stats::Grade;

/// Meaning of a piece of text
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Titles.
    Heading,
    /// As expected.
    Good,
    /// Worth attention.
    Fair,
    /// Wrong.
    Bad,
    /// Less important.
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Heading => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Fair => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

impl From<Grade> for Tone {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Good => Self::Good,
            Grade::Fair => Self::Fair,
            Grade::Poor | Grade::Critical => Self::Bad,
        }
    }
}

/// Tone of a row; successes have none, so that the others stand out.
pub(super) fn of_outcome(outcome: Outcome) -> Option<Tone> {
    match outcome {
        Outcome::Reached => None,
        Outcome::Failed | Outcome::TimedOut => Some(Tone::Bad),
        Outcome::Unknown | Outcome::Excluded | Outcome::Pending => Some(Tone::Fair),
    }
}

/// Whether styles are written
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    #[default]
    Plain,
    /// ANSI escape sequences.
    Ansi,
}

impl Paint {
    /// The text in a tone.
    pub fn apply(self, tone: Tone, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => {
                let style = tone.style();
                format!("{style}{text}{style:#}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_adds_nothing_and_ansi_resets_what_it_sets() {
        assert_eq!(Paint::Plain.apply(Tone::Bad, "x"), "x");
        assert_eq!(Paint::Ansi.apply(Tone::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
