//! What a cleanup shows and asks.

use std::collections::BTreeMap;

use crate::commands::presentation::Output;
use crate::commands::session::Session;
use bootstorm_engine::phases::cleanup::{Choice, Found, Leftovers, Sort};
use bootstorm_engine::phases::restore;
use bootstorm_engine::runs::cleanup::{CleanupOptions, Prepared};
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::{Small, Target};
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::printable;

/// Number of objects named individually before the rest is only counted.
const NAMED: usize = 10;

/// Lists objects that carry the run's label or a name of its plan, and are left alone.
pub(super) fn strangers(session: &Session, leftovers: &Leftovers) {
    for (sort, found, why) in leftovers.strangers.iter().take(NAMED) {
        session
            .console
            .warn(&format!("{} does not belong to the run and is kept: {why}", found.shown(*sort)));
    }
    if leftovers.strangers.len() > NAMED {
        session.console.warn(&format!("{} more objects are kept", leftovers.strangers.len() - NAMED));
    }
}

/// Lists objects of others in the run's namespaces, and their fate.
pub(super) fn foreign(session: &Session, options: &CleanupOptions, leftovers: &Leftovers) {
    let all: Vec<&(Sort, Found)> = leftovers.foreign.values().flatten().collect();
    let fate = if options.choice.delete_foreign {
        "goes with the run's namespace"
    } else {
        "does not belong to the run, and keeps its namespace"
    };
    for (sort, found) in all.iter().take(NAMED) {
        session.console.warn(&format!("{} {fate}", found.shown(*sort)));
    }
    if all.len() > NAMED {
        session
            .console
            .warn(&format!("{} more objects of others are in the run's namespaces", all.len() - NAMED));
    }
}

/// Kinds that could not be listed, in one line; without those that were told before.
pub(super) fn skipped(session: &Session, leftovers: &Leftovers, told: &[(Sort, String)]) {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (sort, why) in leftovers.skipped.iter().filter(|one| !told.contains(one)) {
        kinds.entry(why).or_default().push(sort.words());
    }
    let parts: Vec<String> =
        kinds.iter().map(|(why, sorts)| format!("{} ({why})", sorts.join(", "))).collect();
    if !parts.is_empty() {
        session.console.say(&format!("not checked: {}", parts.join("; ")));
    }
}

/// `1 VM`, `2 VMs`.
fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Asks for confirmation.
pub(super) fn ask(session: &Session, options: &CleanupOptions, found: &Prepared) -> Result<(), Failure> {
    let (leftovers, choice) = (&found.leftovers, options.choice);
    let also = found.adopted.as_ref().map(|record| restoring(options, record)).unwrap_or_default();
    let count = |sort: Sort| leftovers.of(sort).len();
    let record = if leftovers.keeps_record(choice) { 0 } else { count(Sort::Maps) + count(Sort::Secrets) };
    let beside = [Sort::Instances, Sort::Volumes, Sort::Claims, Sort::Pods].into_iter();
    let beside = beside.chain(Small::ALL.map(Sort::Extras));
    let outside = match beside.map(|sort| leftovers.outside(sort, choice).len()).sum::<usize>() {
        0 => String::new(),
        many => format!("{} beside the VMs, ", counted(many, "object")),
    };
    let foreign = match leftovers.going_along(choice).len() {
        0 => String::new(),
        many => format!(" (including {} of others)", counted(many, "object")),
    };
    let kept = match leftovers.kept(choice).len() {
        0 => String::new(),
        1 => "; 1 namespace stays, since it holds objects of others".to_owned(),
        many => format!("; {many} namespaces stay, since they hold objects of others"),
    };
    let what = format!(
        "{}, {} with everything inside{foreign}, {outside}and {} of run {} on {}{kept}",
        counted(count(Sort::Machines), "VM"),
        counted(leftovers.namespaces(choice).len(), "namespace"),
        counted(record, "record object"),
        options.prefix,
        session.cluster.server(),
    );
    if !session.console.can_ask() {
        return Err(Failure::usage(format!("cleanup would {also}delete {what}"))
            .because("confirmation requires a terminal")
            .hint("pass --yes to delete them, or --dry-run=client to see them"));
    }
    if session.console.confirm(&format!("{}?", capital(&format!("{also}delete {what}")))) {
        Ok(())
    } else {
        Err(Failure::new("nothing was deleted"))
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Prints what is deleted, one object per line.
pub(super) fn print(
    session: &Session,
    leftovers: &Leftovers,
    choice: Choice,
    verb: &str,
) -> Result<(), Failure> {
    let verb = if session.output == Output::Name { String::new() } else { format!(" {verb}") };
    let ours = leftovers.going(choice).into_iter().map(|(sort, found)| (found.shown(sort), ""));
    let note = if session.output == Output::Name { "" } else { " (not the run's)" };
    let others = leftovers.going_along(choice).into_iter().map(|(sort, found)| (found.shown(sort), note));
    let text: String = ours.chain(others).map(|(name, note)| format!("{name}{verb}{note}\n")).collect();
    session.console.data(&text)
}

/// Shows what a cleanup would do.
pub(super) fn rehearse(session: &Session, options: &CleanupOptions, found: &Prepared) -> Result<(), Failure> {
    skipped(session, &found.leftovers, &[]);
    for cordon in &found.cordons {
        session
            .console
            .say(&format!("node {} would be uncordoned, if the run still cordons it", cordon.node));
    }
    for piece in &found.gear {
        session.console.say(&format!("{}/{} would be deleted", piece.gear.word(), piece.name));
    }
    let touched = match &found.adopted {
        Some(record) if record.has_to_restore() && !options.leave_adopted => restore::touched(record),
        _ => Vec::new(),
    };
    let verb = if session.output == Output::Name { "" } else { " would be restored" };
    let line = |target: Target| {
        format!("{}{verb}\n", printable(&format!("virtualmachine/{} -n {}", target.name, target.namespace)))
    };
    session.console.data(&touched.into_iter().map(line).collect::<String>())?;
    print(session, &found.leftovers, options.choice, "would be deleted")
}

/// The number of VMs to restore, as part of a question.
fn restoring(options: &CleanupOptions, record: &RunRecord) -> String {
    let count = restore::touched(record).len();
    match (record.has_to_restore(), options.leave_adopted) {
        (false, _) => String::new(),
        (true, false) => format!("restore {count} adopted VMs, then "),
        (true, true) => {
            format!("leave {count} adopted VMs as they are now, discard their original state, and ")
        }
    }
}
