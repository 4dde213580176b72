//! What a cleanup says when it does not come to its end, and the list of what it deletes.

use super::{CleanupArgs, Output, Session};
use bootstorm_engine::phases::cleanup::{Blocked, CleanupError, Held, Leftovers, Sort};
use bootstorm_model::failure::Failure;
use bootstorm_model::text::printable;

/// Objects named one by one before the rest is only counted.
const NAMED: usize = 10;
/// Objects for which the commands are shown: those of the others read alike.
const EXPLAINED: usize = 2;

/// The command that goes on.
pub(super) fn go_on(args: &CleanupArgs) -> String {
    let keep = if args.keep_record { " --keep-record" } else { "" };
    format!("go on: kubectl bootstorm cleanup --ns-prefix {}{keep}", args.run.prefix)
}

pub(super) fn interrupted(args: &CleanupArgs) -> Failure {
    Failure::interrupted("interrupted; what was deleted is gone, the rest is kept").hint(go_on(args))
}

/// The whole took longer than it may.
pub(super) fn out_of_time(args: &CleanupArgs) -> Failure {
    Failure::new(format!("cleanup did not come to its end within {}s", args.timeout.as_secs()))
        .because("the cluster did not answer in time")
        .hint(go_on(args))
}

pub(super) fn failed(error: CleanupError, args: &CleanupArgs) -> Failure {
    match error {
        CleanupError::Trouble(trouble) => Failure::from(trouble).hint(go_on(args)),
        CleanupError::Blocked(blocked) => stuck(&blocked, args),
    }
}

fn stuck(blocked: &Blocked, args: &CleanupArgs) -> Failure {
    let count = blocked.held.len();
    let verb = if count == 1 { "object is" } else { "objects are" };
    let mut failure = Failure::new(format!("{count} {verb} still there after {}s", args.timeout.as_secs()));
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
        failure.hints.extend(held.look().map(|command| format!("look at it: {command}")));
        failure.hints.extend(held.content().map(|command| format!("see what is in it: {command}")));
        failure.hints.extend(held.clear().into_iter().map(|command| format!("free it: {command}")));
    }
    if blocked.held.iter().any(|held| !held.clear().is_empty()) {
        failure = failure.hint(
            "free it only if whatever set that finalizer is gone for good: what it was to clean up then stays behind",
        );
    }
    failure.hint(format!("then {}", go_on(args)))
}

/// Something is there that verification should not have found.
pub(super) fn left(left: &Leftovers, args: &CleanupArgs) -> Failure {
    let prefix = &args.run.prefix;
    let mut failure = Failure::new(format!("something of run \"{prefix}\" is still there"));
    let all = Sort::ALL.into_iter().flat_map(|sort| left.of(sort).iter().map(move |found| (sort, found)));
    for (sort, found) in all.clone().take(NAMED) {
        let place =
            if found.namespace.is_empty() { String::new() } else { format!(" -n {}", found.namespace) };
        failure = failure.because(format!("{}/{}{place}", sort.word(), found.name));
    }
    let count = all.count();
    if count > NAMED {
        failure = failure.because(format!("and {} more", count - NAMED));
    }
    failure.hint(go_on(args))
}

/// Kinds that could not be looked at, in one line.
pub(super) fn skipped(session: &Session, leftovers: &Leftovers) {
    let parts: Vec<String> =
        leftovers.skipped.iter().map(|(sort, why)| format!("{} ({why})", sort.words())).collect();
    if !parts.is_empty() {
        session.console.say(&format!("not looked at: {}", parts.join(", ")));
    }
}

/// Asks for a yes; `also` is what is done besides deleting.
pub(super) fn ask(
    session: &Session,
    args: &CleanupArgs,
    leftovers: &Leftovers,
    also: &str,
) -> Result<(), Failure> {
    let record = [Sort::Maps, Sort::Secrets].map(|sort| leftovers.of(sort).len()).iter().sum::<usize>();
    let record = if args.keep_record { 0 } else { record };
    let outside: usize = [Sort::Instances, Sort::Volumes, Sort::Claims, Sort::Pods]
        .map(|sort| leftovers.outside(sort).len())
        .iter()
        .sum();
    let outside = if outside == 0 { String::new() } else { format!("{outside} objects beside them, ") };
    let what = format!(
        "{} VMs, {} namespaces with everything in them, {outside}and {record} record objects of run {} on {}",
        leftovers.of(Sort::Machines).len(),
        leftovers.of(Sort::Namespaces).len(),
        args.run.prefix,
        session.cluster.server(),
    );
    if !session.console.can_ask() {
        return Err(Failure::usage(format!("cleanup would {also}delete {what}"))
            .because("it cannot ask, because there is no terminal")
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

pub(super) fn print(
    session: &Session,
    found: Leftovers,
    keep_record: bool,
    verb: &str,
) -> Result<(), Failure> {
    let found = if keep_record { found.without_record() } else { found };
    let verb = if session.output == Output::Name { String::new() } else { format!(" {verb}") };
    let line = |(name, namespace): (String, String)| {
        let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
        format!("{}{verb}\n", printable(&format!("{name}{place}")))
    };
    let text: String = found.names().into_iter().map(line).collect();
    session.console.data(&text)
}
