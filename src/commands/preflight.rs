//! Output of the preflight, and the flag that overrides it.

use clap::Args;

use crate::console::Console;
use bootstorm_engine::phases::preflight::Findings;

/// The flag that overrides the preflight
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct PreflightArgs {
    /// Report preflight problems as warnings instead of refusing
    #[arg(long)]
    pub skip_preflight: bool,
}

/// Shows the findings of a preflight; `skips` tells whether its problems are only warnings.
pub(super) fn show(console: Console, findings: &Findings, skips: bool) {
    let width = if console.is_interactive() { console.width() } else { usize::MAX };
    for line in lines(&findings.good, width) {
        console.say(&line);
    }
    for note in &findings.notes {
        console.say(&format!("preflight: {note}"));
    }
    for warning in &findings.warnings {
        console.warn(warning);
    }
    for problem in findings.passed_over(skips) {
        console.warn(&problem.what);
        for detail in &problem.details {
            console.warn(&format!("  {detail}"));
        }
    }
}

/// Passed checks, in lines that fit the width.
fn lines(good: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in good {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => lines.push(format!("preflight: {part}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_parts() {
        let good = ["KubeVirt v1.9.0", "3 nodes", "permissions complete"].map(str::to_owned);
        assert_eq!(lines(&good, usize::MAX), ["preflight: KubeVirt v1.9.0, 3 nodes, permissions complete"]);
        assert_eq!(
            lines(&good, 40),
            ["preflight: KubeVirt v1.9.0, 3 nodes", "preflight: permissions complete"]
        );
        assert!(lines(&[], 40).is_empty());
    }
}
