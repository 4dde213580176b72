//! What kept VMs from the goal: a line per cause, or a page about each.

use super::{Layout, Page, words};
use crate::diagnosis::{DiagnosisBlock, ExampleBlock, WarningBlock};
use crate::paint::Tone;
use crate::phase::PhaseBlock;
use crate::view::Report;
use bootstorm_model::text::line;

/// Causes in a phase's statistics.
const SHOWN: usize = 5;

/// Writes a line per cause, the most frequent ones.
pub(super) fn lines(page: &mut Page, phase: &PhaseBlock) {
    for block in phase.diagnoses.iter().take(SHOWN) {
        page.sentence(None, 4, &block.title());
    }
    if let Some(more) = phase.diagnoses.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        page.line(&format!("    and {}", words::count(more as u64, "other cause")));
    }
}

impl Report {
    /// Everything about the VMs that did not reach the goal, as text for a terminal.
    pub fn failures_table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            page.title(&format!("Failures of run {}", self.run.name));
        }
        let mut any = false;
        for phase in self.phases.iter().rev().filter(|phase| is_of_interest(phase)) {
            any = true;
            of_phase(&mut page, phase);
        }
        if !any {
            page.line("No VM failed, ran out of time, or stood out.");
        }
        page.finish()
    }
}

fn is_of_interest(phase: &PhaseBlock) -> bool {
    phase.counts.unsuccessful() > 0 || phase.outliers.vms.iter().any(|vm| vm.cause.is_some())
}

fn of_phase(page: &mut Page, phase: &PhaseBlock) {
    let counts = &phase.counts;
    let title = format!(
        "{}: {} of {} did not reach {}",
        phase.name,
        counts.unsuccessful(),
        words::vms(counts.participants),
        phase.goal
    );
    page.toned(Tone::Heading, &line(&title));
    if phase.diagnoses.is_empty() {
        // Reports from before causes were looked for.
        for failure in &phase.failures {
            page.sentence(None, 2, &format!("{}: {}", words::vms(failure.vms), failure.reason));
        }
    }
    for block in &phase.diagnoses {
        page.rule('-');
        page.sentence(Some(Tone::Bad), 0, &block.title());
        group(page, block);
    }
    late(page, phase);
    page.blank();
}

fn group(page: &mut Page, block: &DiagnosisBlock) {
    let named = block.namespaces.join(", ");
    let more = block.vms.saturating_sub(block.namespaces.len());
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    page.labelled("VMs", &named);
    page.labelled("Waited for", block.waits_for.words());
    if !block.nodes.is_empty() {
        page.labelled("Nodes", &block.nodes.join(", "));
    }
    example(page, &block.example);
    for (place, command) in block.look.iter().enumerate() {
        let label = if place == 0 { "Look further:" } else { "" };
        // Not broken: it is there to be copied.
        page.line(&format!("  {label:<24}{}", line(command)));
    }
}

fn example(page: &mut Page, example: &ExampleBlock) {
    let far = example.passed.map_or_else(String::new, |milestone| format!(", came as far as {milestone}"));
    page.labelled("For example", &format!("{}/{}{far}", example.namespace, example.name));
    let mut say = |label: &str, text: Option<&str>| {
        if let Some(text) = text {
            page.labelled(label, text);
        }
    };
    say("  ended", example.reason.as_deref());
    say("  status", example.status.as_deref());
    let launcher = example.launcher.as_ref().map(|launcher| format!("{}: {}", launcher.pod, launcher.state));
    say("  launcher pod", launcher.as_deref());
    let restarts =
        (example.restarts > 0).then(|| words::count(example.restarts, "instance") + " ended before");
    say("  restarts", restarts.as_deref());
    for condition in &example.conditions {
        say("  condition", Some(condition));
    }
    for volume in &example.volumes {
        say("  volume", Some(volume));
    }
    for WarningBlock { kind, name, reason, message, count, last } in &example.warnings {
        let times = words::count(*count, "time");
        let text = format!("{reason} {times}, last after {last:.2}s, {kind} {name}: {message}");
        say("  warning", Some(&text));
    }
}

/// VMs that arrived, much later than their crowd, and what they were warned about.
fn late(page: &mut Page, phase: &PhaseBlock) {
    for vm in &phase.outliers.vms {
        let Some(cause) = &vm.cause else { continue };
        let text = format!("late: {}/{} took {}: {cause}", vm.namespace, vm.name, words::seconds(vm.seconds));
        page.sentence(Some(Tone::Fair), 0, &text);
    }
}
