//! Findings of a preflight.

use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Pinning;
use bootstorm_model::plan::sizing::Needs;
use bootstorm_model::record::ClusterFacts;

/// Something that would spoil the run
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// One sentence without a full stop.
    pub what: String,
    /// Details, one line each.
    pub details: Vec<String>,
    /// Hints.
    pub hints: Vec<String>,
    /// Whether the run cannot continue even with `--skip-preflight`.
    pub unavoidable: bool,
}

/// Findings of a preflight
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Facts about the cluster, for the record.
    pub facts: ClusterFacts,
    /// Resources of one VM, if the manifest states them.
    pub needs: Option<Needs>,
    /// Nodes on which the VMs are to run, by name; absent if not checked.
    pub pinning: Option<Pinning>,
    /// Passed checks, a few words each.
    pub good: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// Warnings: conditions that degrade the results.
    pub warnings: Vec<String>,
    /// Problems that would spoil the run.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// A problem.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// Adds a detail.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl Findings {
    /// Takes over the findings of another check.
    pub fn absorb(&mut self, other: Self) {
        self.good.extend(other.good);
        self.notes.extend(other.notes);
        self.warnings.extend(other.warnings);
        self.problems.extend(other.problems);
        self.pinning = self.pinning.take().or(other.pinning);
        self.facts.nodes = self.facts.nodes.or(other.facts.nodes);
        self.facts.schedulable_nodes = self.facts.schedulable_nodes.or(other.facts.schedulable_nodes);
        self.facts.node_kinds.extend(other.facts.node_kinds);
    }

    /// Problems that `skip` overrides: all that do not make the run impossible.
    pub fn passed_over(&self, skip: bool) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |problem| skip && !problem.unavoidable)
    }

    /// All problems as one failure; `None` if the run is not refused.
    pub fn refusal(&self, skip: bool) -> Option<Failure> {
        let standing: Vec<&Problem> =
            self.problems.iter().filter(|problem| !skip || problem.unavoidable).collect();
        let mut failure = match standing.as_slice() {
            [] => return None,
            [only] => {
                let failure = Failure::preflight(&only.what);
                only.details.iter().fold(failure, Failure::because)
            }
            several => {
                let failure = Failure::preflight(format!("the preflight found {} problems", several.len()));
                several.iter().fold(failure, |failure, problem| {
                    let failure = failure.because(&problem.what);
                    problem
                        .details
                        .iter()
                        .fold(failure, |failure, detail| failure.because(format!("  {detail}")))
                })
            }
        };
        for hint in standing.iter().flat_map(|problem| &problem.hints) {
            if !failure.hints.contains(hint) {
                failure = failure.hint(hint);
            }
        }
        if standing.iter().all(|problem| !problem.unavoidable) {
            failure = failure.hint("to continue anyway: --skip-preflight");
        }
        Some(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::exit::Exit;

    fn findings(problems: Vec<Problem>) -> Findings {
        Findings { problems, ..Findings::default() }
    }

    #[test]
    fn one_problem_is_the_message_itself() {
        assert_eq!(findings(vec![]).refusal(false), None);
        let failure = findings(vec![Problem::new("no room").because("memory").hint("buy some")]);
        let failure = failure.refusal(false).unwrap();
        assert_eq!(failure.exit, Exit::Preflight);
        assert_eq!((failure.message.as_str(), failure.causes), ("no room", vec!["memory".to_owned()]));
        assert_eq!(failure.hints, ["buy some", "to continue anyway: --skip-preflight"]);
    }

    #[test]
    fn several_problems_are_told_together_and_hints_once() {
        let problem = |what: &str| Problem::new(what).because("why").hint("the same");
        let failure = findings(vec![problem("a"), problem("b")]).refusal(false).unwrap();
        assert_eq!(failure.message, "the preflight found 2 problems");
        assert_eq!(failure.causes, ["a", "  why", "b", "  why"]);
        assert_eq!(failure.hints.len(), 2);
    }

    #[test]
    fn what_is_impossible_cannot_be_skipped() {
        let hard = Problem { unavoidable: true, ..Problem::new("not ours") };
        let both = findings(vec![Problem::new("no room"), hard]);
        let failure = both.refusal(true).unwrap();
        assert_eq!(failure.message, "not ours");
        assert!(failure.hints.is_empty());
        assert_eq!(both.passed_over(true).count(), 1);
        assert_eq!(both.passed_over(false).count(), 0);
        assert_eq!(findings(vec![Problem::new("no room")]).refusal(true), None);
    }
}
