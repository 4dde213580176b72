//! Failures of a cleanup that does not complete.

use std::time::Duration;

use super::options::CleanupOptions;
use crate::phases::cleanup::{Blocked, CleanupError, Held, Leftovers, Sort};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// Waits end by themselves in time and are reported; this ends whatever hangs beyond that.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Number of objects named individually before the rest is only counted.
const NAMED: usize = 10;
/// Number of objects for which commands are shown: those for the others are analogous.
const EXPLAINED: usize = 2;

impl CleanupOptions {
    pub(super) fn interrupted(&self) -> Failure {
        Failure::interrupted("interrupted; some objects may be deleted, the rest is kept").hint(self.again())
    }

    /// The failure for an expired time limit.
    pub(super) fn out_of_time(&self) -> Failure {
        Failure::new(format!("cleanup did not finish within {}s", self.timeout.as_secs()))
            .because("the cluster did not answer in time")
            .hint(self.again())
    }

    pub(super) fn failed(&self, error: CleanupError) -> Failure {
        match error {
            CleanupError::Cluster(error) => Failure::from(error).hint(self.again()),
            CleanupError::Blocked(blocked) => self.stuck(&blocked),
            CleanupError::Unanswered => self.out_of_time(),
        }
    }

    fn stuck(&self, blocked: &Blocked) -> Failure {
        let count = blocked.held.len();
        let verb = if count == 1 { "object still exists" } else { "objects still exist" };
        let mut failure = missed(format!("{count} {verb} after {}s", self.timeout.as_secs()));
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
        failure.hint(format!("then {}", self.again()))
    }

    /// The failure for objects that the verification should not have found.
    pub(super) fn left(&self, left: &Leftovers) -> Failure {
        let prefix = &self.prefix;
        let mut failure = missed(format!("objects of run \"{prefix}\" still exist"));
        let all = Sort::ALL.into_iter().flat_map(|sort| left.of(sort).iter().map(move |found| (sort, found)));
        for (sort, found) in all.clone().take(NAMED) {
            failure = failure.because(found.shown(sort));
        }
        let count = all.count();
        if count > NAMED {
            failure = failure.because(format!("and {} more", count - NAMED));
        }
        failure.hint(self.again())
    }

    /// Fails if namespaces of the run stay because others keep something in them.
    pub fn check_kept(&self, leftovers: &Leftovers) -> Result<(), Failure> {
        let kept = leftovers.kept(self.choice);
        if kept.is_empty() {
            return Ok(());
        }
        let (prefix, count) = (&self.prefix, kept.len());
        let (namespaces, hold) = if count == 1 { ("namespace", "holds") } else { ("namespaces", "hold") };
        let mut failure = missed(format!(
            "{count} {namespaces} of run \"{prefix}\" {hold} objects of others, and stay with its record"
        ));
        let held: Vec<String> = kept
            .iter()
            .filter_map(|namespace| leftovers.foreign.get(&namespace.name))
            .flatten()
            .map(|(sort, found)| found.shown(*sort))
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
}

/// The failure for something left behind.
fn missed(message: String) -> Failure {
    Failure { exit: Exit::Missed, ..Failure::new(message) }
}
