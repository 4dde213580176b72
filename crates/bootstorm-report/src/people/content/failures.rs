//! Failures with reasons, grouped.

use bootstorm_model::observe::Outcome;
use bootstorm_model::stats::reason;

use crate::Row;
use crate::color::{Tone, of_outcome};
use crate::diagnosis::{DiagnosisBlock, ExampleBlock, WarningBlock};
use crate::people::document::{Block, Case, Fact, Note};
use crate::people::words;
use crate::phase::PhaseBlock;

/// VMs named per reason.
const NAMED: usize = 5;

/// VMs that did not succeed, by outcome and reason: phases in order, the most frequent reason first.
pub(crate) fn groups<'a>(phases: impl Iterator<Item = &'a PhaseBlock>) -> Vec<Case> {
    let mut groups = Vec::new();
    for phase in phases {
        let mut alike = Vec::new();
        for outcome in [Outcome::Failed, Outcome::TimedOut, Outcome::Unknown, Outcome::Excluded] {
            let rows: Vec<&Row> =
                phase.rows.iter().filter(|row| row.outcome == outcome && !row.had_no_outage()).collect();
            for group in reason::group(rows.iter().map(|row| row.reason.as_deref())) {
                let which: Vec<&Row> =
                    group.members.iter().filter_map(|member| rows.get(*member).copied()).collect();
                alike.push(Case {
                    vms: which.len(),
                    phase: phase.name.to_string(),
                    what: which.first().map_or("", |row| row.status()).to_owned(),
                    tone: of_outcome(outcome).unwrap_or(Tone::Good),
                    reason: group.reason,
                    which: words::some(which.iter().map(|row| row.namespace.as_str()), NAMED),
                    look: Vec::new(),
                });
            }
        }
        alike.sort_by_key(|group| std::cmp::Reverse(group.vms));
        groups.extend(alike);
    }
    groups
}

/// Causes that kept VMs from the goal, and commands for further diagnosis.
pub(crate) fn diagnosed<'a>(phases: impl Iterator<Item = &'a PhaseBlock>) -> Vec<Case> {
    let case = |phase: &PhaseBlock, block: &DiagnosisBlock| {
        let example = &block.example;
        let state = example.launcher.as_ref().map(|launcher| launcher.state.as_str());
        let state = state.or(example.status.as_deref());
        let state = state.map_or_else(String::new, |state| format!(": {state}"));
        Case {
            vms: block.vms,
            phase: phase.name.to_string(),
            what: format!("Waited for {}", block.waits_for.awaited()),
            tone: Tone::Bad,
            reason: block.cause.clone(),
            which: format!("{}/{}{state}", example.namespace, example.name),
            look: block.look.clone(),
        }
    };
    phases.flat_map(|phase| phase.diagnoses.iter().map(move |block| case(phase, block))).collect()
}

/// A title for each cause of a phase, most frequent first; in reports from before causes were diagnosed, for each
/// reason.
pub(crate) fn titles(phase: &PhaseBlock) -> Vec<String> {
    if phase.diagnoses.is_empty() {
        let title =
            |of: &crate::FailureBlock| format!("{}: {}", words::vms(of.vms), reason::shown(&of.reason));
        return phase.failures.iter().map(title).collect();
    }
    phase.diagnoses.iter().map(DiagnosisBlock::title).collect()
}

/// Full details about the VMs of a phase that did not reach the goal, or reached it late with warnings.
pub(crate) fn in_full(phase: &PhaseBlock) -> Vec<Block> {
    let mut blocks = Vec::new();
    if phase.diagnoses.is_empty() {
        blocks.push(Block::List(titles(phase).into_iter().map(Note::new).collect()));
    }
    for block in &phase.diagnoses {
        blocks.extend([Block::Break, Block::Note(Note::toned(Tone::Bad, block.title()))]);
        blocks.push(Block::Facts(facts(block)));
        blocks.push(Block::Commands(block.look.clone()));
    }
    let late = phase.outliers.vms.iter().filter_map(|vm| {
        let cause = vm.cause.as_ref()?;
        let text = format!("{}/{} took {}: {cause}", vm.namespace, vm.name, words::seconds(vm.seconds));
        Some(Note::toned(Tone::Fair, text).about("late"))
    });
    blocks.push(Block::List(late.collect()));
    blocks
}

fn facts(block: &DiagnosisBlock) -> Vec<Fact> {
    let more = block.vms.saturating_sub(block.first.len());
    let named = block.first.join(", ");
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    let mut facts = vec![Fact::new("VMs", named), Fact::new("Waited for", block.waits_for.awaited())];
    if !block.nodes.is_empty() {
        facts.push(Fact::new("Nodes", block.nodes.join(", ")));
    }
    example(&block.example, &mut facts);
    facts
}

fn example(example: &ExampleBlock, facts: &mut Vec<Fact>) {
    let far = example.passed.map_or_else(String::new, |milestone| format!(", reached {milestone}"));
    facts.push(Fact::new("For example", format!("{}/{}{far}", example.namespace, example.name)));
    let launcher = example.launcher.as_ref().map(|launcher| format!("{}: {}", launcher.pod, launcher.state));
    let restarts =
        (example.restarts > 0).then(|| words::count(example.restarts, "instance") + " ended before");
    let one = [
        ("  ended", example.reason.clone()),
        ("  status", example.status.clone()),
        ("  launcher pod", launcher),
        ("  restarts", restarts),
    ];
    facts.extend(one.into_iter().filter_map(|(label, value)| Some(Fact::new(label, value?))));
    facts.extend(example.conditions.iter().map(|condition| Fact::new("  condition", condition)));
    facts.extend(example.volumes.iter().map(|volume| Fact::new("  volume", volume)));
    for WarningBlock { kind, name, reason, message, count, last } in &example.warnings {
        let times = words::count(*count, "time");
        let text = format!("{reason} {times}, last after {last:.2}s, {kind} {name}: {message}");
        facts.push(Fact::new("  warning", text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    #[test]
    fn alike_vms_share_a_line_and_phases_keep_their_order() {
        let report = Report::of(&fixtures::guide(), &Selection::default());
        let groups = groups(report.phases.iter().rev());
        assert_eq!(groups[0].phase, "storm-1");
        assert_eq!(groups[0].vms, 2, "the two excluded ones are the most alike: {groups:?}");
        let last = groups.last().unwrap();
        assert_eq!(
            (last.phase.as_str(), last.which.as_str()),
            ("create", "boot-storm-test-37, boot-storm-test-71")
        );
    }
}
