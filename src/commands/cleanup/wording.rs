//! Messages of a cleanup that does not complete, and the list of what it deletes.

use std::collections::BTreeMap;

use super::{CleanupArgs, Output, Session};
use bootstorm_engine::cluster::jobs::Piece;
use bootstorm_engine::phases::cleanup::{Blocked, Choice, CleanupError, Found, Held, Leftovers, Sort};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Small;
use bootstorm_model::text::printable;

/// Number of objects named individually before the rest is only counted.
const NAMED: usize = 10;
/// Number of objects for which commands are shown: those for the others are analogous.
const EXPLAINED: usize = 2;

/// The command that continues.
pub(super) fn go_on(args: &CleanupArgs) -> String {
    let keep = if args.keep_record { " --keep-record" } else { "" };
    let foreign = if args.delete_foreign { " --delete-foreign" } else { "" };
    format!("to continue: kubectl bootstorm cleanup --ns-prefix {}{keep}{foreign}", args.run.prefix)
}

pub(super) fn interrupted(args: &CleanupArgs) -> Failure {
    Failure::interrupted("interrupted; some objects may be deleted, the rest is kept").hint(go_on(args))
}

/// The failure for an expired time limit.
pub(super) fn out_of_time(args: &CleanupArgs) -> Failure {
    Failure::new(format!("cleanup did not finish within {}s", args.timeout.as_secs()))
        .because("the cluster did not answer in time")
        .hint(go_on(args))
}

pub(super) fn failed(error: CleanupError, args: &CleanupArgs) -> Failure {
    match error {
        CleanupError::Cluster(error) => Failure::from(error).hint(go_on(args)),
        CleanupError::Blocked(blocked) => stuck(&blocked, args),
        CleanupError::Unanswered => out_of_time(args),
    }
}

fn stuck(blocked: &Blocked, args: &CleanupArgs) -> Failure {
    let count = blocked.held.len();
    let verb = if count == 1 { "object still exists" } else { "objects still exist" };
    let mut failure = missed(format!("{count} {verb} after {}s", args.timeout.as_secs()));
    for line in blocked.held.iter().take(NAMED).flat_map(Held::lines) {
        failure = failure.because(line);
    }
    if count > NAMED {
        failure = failure.because(format!("and {} more", count - NAMED));
    }
    if blocked.sort == Sort::Machines {
        failure =
            failure.hint("a guest that ignores its shutdown keeps its VM until the grace period is over");
    }
    for held in blocked.held.iter().take(EXPLAINED) {
        failure.hints.extend(held.look().map(|command| format!("inspect it: {command}")));
        failure.hints.extend(held.content().map(|command| format!("list its content: {command}")));
        failure
            .hints
            .extend(held.clear().into_iter().map(|command| format!("remove its finalizer: {command}")));
    }
    if blocked.held.iter().any(|held| !held.clear().is_empty()) {
        failure = failure.hint(
            "remove a finalizer only if the controller that set it is gone for good: what it would clean up \
             stays behind",
        );
    }
    failure.hint(format!("then {}", go_on(args)))
}

/// The failure for something left behind.
fn missed(message: String) -> Failure {
    Failure { exit: Exit::Missed, ..Failure::new(message) }
}

/// An object as kubectl names it.
fn name(sort: Sort, found: &Found) -> String {
    let place = if found.namespace.is_empty() { String::new() } else { format!(" -n {}", found.namespace) };
    printable(&format!("{}/{}{place}", sort.word(), found.name)).into_owned()
}

/// The failure for objects that the verification should not have found.
pub(super) fn left(left: &Leftovers, args: &CleanupArgs) -> Failure {
    let prefix = &args.run.prefix;
    let mut failure = missed(format!("objects of run \"{prefix}\" still exist"));
    let all = Sort::ALL.into_iter().flat_map(|sort| left.of(sort).iter().map(move |found| (sort, found)));
    for (sort, found) in all.clone().take(NAMED) {
        failure = failure.because(name(sort, found));
    }
    let count = all.count();
    if count > NAMED {
        failure = failure.because(format!("and {} more", count - NAMED));
    }
    failure.hint(go_on(args))
}

/// Fails if namespaces of the run stay because others keep something in them.
pub fn kept(leftovers: &Leftovers, args: &CleanupArgs) -> Result<(), Failure> {
    let kept = leftovers.kept(args.choice());
    if kept.is_empty() {
        return Ok(());
    }
    let (prefix, count) = (&args.run.prefix, kept.len());
    let (namespaces, hold) = if count == 1 { ("namespace", "holds") } else { ("namespaces", "hold") };
    let mut failure = missed(format!(
        "{count} {namespaces} of run \"{prefix}\" {hold} objects of others, and stay with its record"
    ));
    let held: Vec<String> = kept
        .iter()
        .filter_map(|namespace| leftovers.foreign.get(&namespace.name))
        .flatten()
        .map(|(sort, found)| name(*sort, found))
        .collect();
    for line in held.iter().take(NAMED) {
        failure = failure.because(line);
    }
    if held.len() > NAMED {
        failure = failure.because(format!("and {} more", held.len() - NAMED));
    }
    Err(failure
        .hint(format!("move them away, then repeat: kubectl bootstorm cleanup --ns-prefix {prefix}"))
        .hint(format!(
            "or delete them with the namespaces: kubectl bootstorm cleanup --ns-prefix {prefix} \
             --delete-foreign"
        )))
}

/// Lists objects that carry the run's label or a name of its plan, and are left alone.
pub(super) fn strangers(session: &Session, leftovers: &Leftovers) {
    for (sort, found, why) in leftovers.strangers.iter().take(NAMED) {
        session
            .console
            .warn(&format!("{} does not belong to the run and is kept: {why}", name(*sort, found)));
    }
    if leftovers.strangers.len() > NAMED {
        session.console.warn(&format!("{} more objects are kept", leftovers.strangers.len() - NAMED));
    }
}

/// Lists objects of others in the run's namespaces, and their fate.
pub(super) fn foreign(session: &Session, leftovers: &Leftovers, args: &CleanupArgs) {
    let all: Vec<&(Sort, Found)> = leftovers.foreign.values().flatten().collect();
    let fate = if args.delete_foreign {
        "goes with the run's namespace"
    } else {
        "does not belong to the run, and keeps its namespace"
    };
    for (sort, found) in all.iter().take(NAMED) {
        session.console.warn(&format!("{} {fate}", name(*sort, found)));
    }
    if all.len() > NAMED {
        session
            .console
            .warn(&format!("{} more objects of others are in the run's namespaces", all.len() - NAMED));
    }
}

/// Kinds that could not be listed, in one line.
pub(super) fn skipped(session: &Session, leftovers: &Leftovers) {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (sort, why) in &leftovers.skipped {
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

/// Asks for confirmation; `also` describes actions besides deletion.
pub(super) fn ask(
    session: &Session,
    args: &CleanupArgs,
    leftovers: &Leftovers,
    also: &str,
) -> Result<(), Failure> {
    let choice = args.choice();
    let count = |sort: Sort| leftovers.of(sort).len();
    let record = if leftovers.keeps_record(choice) { 0 } else { count(Sort::Maps) + count(Sort::Secrets) };
    let beside = [Sort::Instances, Sort::Volumes, Sort::Claims, Sort::Pods].into_iter();
    let beside = beside.chain(Small::ALL.map(Sort::Extras));
    let outside = match beside.map(|sort| leftovers.outside(sort, choice).len()).sum::<usize>() {
        0 => String::new(),
        many => format!("{} beside them, ", counted(many, "object")),
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
        args.run.prefix,
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
    let ours = leftovers.going(choice).into_iter().map(|(sort, found)| (name(sort, &found), ""));
    let note = if session.output == Output::Name { "" } else { " (not the run's)" };
    let others = leftovers.going_along(choice).into_iter().map(|(sort, found)| (name(sort, &found), note));
    let text: String = ours.chain(others).map(|(name, note)| format!("{name}{verb}{note}\n")).collect();
    session.console.data(&text)
}

/// Lists the objects of a Job that would be deleted.
pub(super) fn gear(session: &Session, gear: &[Piece]) {
    for piece in gear {
        session.console.say(&format!("{}/{} would be deleted", piece.gear.word(), piece.name));
    }
}
