//! Preparation: reaches every cluster, tells them apart, and determines the state of each run.

use std::time::Duration;

use super::Action;
use super::members::Chosen;
use super::work::STEPS;
use crate::commands::session::{Context, Session};
use crate::commands::threshold_args::will_be;
use crate::console::member::{Board, Member};
use bootstorm_engine::cluster::Connection;
use bootstorm_engine::phases::Interrupter;
use bootstorm_engine::phases::gate::Policy;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord, StormKind, lifecycle};
use bootstorm_model::text::printable;
use bootstorm_report::thresholds::Expected;

/// Pause before an unreachable cluster is retried
const AGAIN: Duration = Duration::from_secs(5);

/// A reached cluster
pub(super) struct Joined {
    /// The member, with its flags.
    pub(super) chosen: Chosen,
    /// Connection.
    pub(super) session: Session,
    /// Interrupts only this member's work.
    pub(super) interrupter: Interrupter,
    /// UID of `kube-system`, if it may be read.
    pub(super) uid: Option<String>,
    /// Its run, if it exists; without timelines.
    pub(super) run: Option<Run>,
}

/// State of a run before the work begins
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// UUID.
    pub(super) id: String,
    /// Number of VMs.
    pub(super) vms: u32,
    /// Whether the phase of the command is done, or may run.
    pub(super) standing: Standing,
    /// Its phases at the end of the command.
    pub(super) expected: Vec<Expected>,
}

/// State of a run with respect to the phase of a command
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// This phase would run now.
    Ready(PhaseName),
    /// This phase is already done.
    Done(PhaseName),
    /// It cannot run, for this reason; with the command to run instead.
    Refused(String, &'static str),
}

/// Result of reaching each chosen cluster, in order
pub(super) type Reached = Vec<Result<Joined, (Chosen, Failure)>>;

/// How clusters are reached
pub(super) struct Joining<'a> {
    pub(super) context: &'a Context,
    pub(super) board: &'a Board,
    pub(super) action: Action,
    pub(super) policy: Policy,
    pub(super) limit: Duration,
}

impl Joining<'_> {
    /// Reaches all clusters concurrently. Each gets the time limit; with the policy `wait` it is retried indefinitely.
    pub(super) async fn all(&self, chosen: Vec<Chosen>) -> Reached {
        let widest = chosen.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
        let each = chosen.into_iter().map(|one| {
            let member = self.board.member(&one.name, widest);
            async move {
                let joined = self.one(&one, member).await;
                joined.map_err(|failure| (one, failure))
            }
        });
        futures::future::join_all(each).await
    }

    async fn one(&self, chosen: &Chosen, member: &'static Member) -> Result<Joined, Failure> {
        loop {
            let reached = tokio::time::timeout(self.limit, Box::pin(self.attempt(chosen, member))).await;
            let reached = reached.unwrap_or_else(|_| {
                Err(Failure::new(format!("the cluster did not answer within {}s", self.limit.as_secs())))
            });
            let failure = match reached {
                Err(failure) if self.policy == Policy::Wait && failure.exit == Exit::Failed => failure,
                other => return other,
            };
            self.context.console().of_member(member).warn(&format!("{failure}; retrying"));
            let mut interrupt = self.context.interrupt.clone();
            tokio::select! {
                biased;
                () = interrupt.wait() => return Err(Failure::interrupted("interrupted; nothing was done yet")),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn attempt(&self, chosen: &Chosen, member: &'static Member) -> Result<Joined, Failure> {
        let (interrupter, interrupt) = self.context.interrupt.part();
        let context = Context { interrupt, connection: chosen.connection.clone(), ..self.context.clone() };
        let mut user = self.context.interrupt.clone();
        let mut session = context.connect_with(&Connection::from(&chosen.connection)).await?;
        session.console = session.console.of_member(member);
        let looking = async {
            let uid = session.cluster.identity().await?;
            let record = session.find(&chosen.args.run.prefix).await?;
            let run = record.map(|(record, _)| {
                let standing = standing(&record, self.action, chosen);
                let steps = steps(self.action, &standing);
                let phases = record.phases.iter().map(Expected::from).collect();
                let expected = with_steps(phases, &record.plan, steps, storm(self.action, chosen));
                Run { id: record.run_id.clone(), vms: record.plan.size(), standing, expected }
            });
            Ok::<_, Failure>((uid, run))
        };
        let (uid, run) = tokio::select! {
            biased;
            () = user.wait() => return Err(Failure::interrupted("interrupted; nothing was done yet")),
            looked = looking => looked?,
        };
        Ok(Joined { chosen: chosen.clone(), session, interrupter, uid, run })
    }
}

/// The kind of the storm of a command.
fn storm(action: Action, chosen: &Chosen) -> StormKind {
    if action == Action::Storm { chosen.args.kind.storm() } else { StormKind::Start }
}

/// Phases that a command measures, if they are not done yet.
fn steps(action: Action, standing: &Standing) -> &[PhaseName] {
    match standing {
        _ if action == Action::Run => &STEPS,
        Standing::Ready(name) => std::slice::from_ref(name),
        Standing::Done(_) | Standing::Refused(..) => &[],
    }
}

fn with_steps(
    mut phases: Vec<Expected>,
    plan: &Plan,
    steps: &[PhaseName],
    storm: StormKind,
) -> Vec<Expected> {
    for step in steps {
        if phases.iter().all(|phase| phase.name != *step) {
            phases.push(will_be(plan, *step, storm));
        }
    }
    phases
}

/// The phases of the merged runs at the end of a command, as [`Merged`](bootstorm_model::fleet::Merged) has them: a
/// phase has the first goal of any member. Members that cannot measure the target are not part of it.
pub(super) fn expected(reached: &Reached, action: Action, target: Option<PhaseName>) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    for one in reached.iter().filter_map(|one| one.as_ref().ok()) {
        let phases = match &one.run {
            Some(run) if action == Action::Run || run.expected.iter().any(|of| Some(of.name) == target) => {
                run.expected.clone()
            }
            // A plan that cannot be used is the failure of its member, which setup reports.
            None if action == Action::Run => match one.chosen.args.plan.resolve(&one.chosen.args.run) {
                Ok(resolved) => with_steps(Vec::new(), &resolved.plan, &STEPS, StormKind::Start),
                Err(_) => continue,
            },
            _ => continue,
        };
        for phase in phases {
            match all.iter_mut().find(|known| known.name == phase.name) {
                Some(known) => known.goal = known.goal.min(phase.goal),
                None => all.push(phase),
            }
        }
    }
    all
}

/// State of a run with respect to the phase of a command.
fn standing(record: &RunRecord, action: Action, chosen: &Chosen) -> Standing {
    let storm = chosen.args.kind.storm();
    let kind = match action {
        Action::Stop => PhaseKind::Stop,
        _ => PhaseKind::Storm,
    };
    let next = lifecycle::next_of(record, kind, storm);
    let last = record.last_phase().filter(|last| last.name.kind == kind && last.state == PhaseState::Done);
    match (next, last) {
        (Ok(step), _) => Standing::Ready(step.name()),
        (Err(_), Some(last)) => Standing::Done(last.name),
        (Err(refusal), None) => Standing::Refused(refusal.why, refusal.instead),
    }
}

/// Fails if two members are the same cluster and would work on the same run.
pub(super) fn check_apart(reached: &Reached) -> Result<(), Failure> {
    let joined: Vec<&Joined> = reached.iter().filter_map(|one| one.as_ref().ok()).collect();
    for (at, one) in joined.iter().enumerate() {
        let is_same = |other: &&&Joined| {
            let known = one.uid.as_ref().zip(other.uid.as_ref()).map(|(one, other)| one == other);
            let same_cluster =
                known.unwrap_or_else(|| one.session.cluster.server() == other.session.cluster.server());
            same_cluster && one.chosen.args.run.prefix == other.chosen.args.run.prefix
        };
        if let Some(other) = joined[at + 1..].iter().find(is_same) {
            let prefix = &one.chosen.args.run.prefix;
            return Err(Failure::usage(format!(
                "\"{}\" and \"{}\" are the same cluster, and both have the prefix {prefix}",
                printable(&one.chosen.name),
                printable(&other.chosen.name)
            ))
            .because(format!("both point to {}", other.session.cluster.server()))
            .hint("leave one out")
            .hint("or give each its own ns-prefix in a fleet file"));
        }
    }
    Ok(())
}

/// The storm or stop to run: the highest number that any run has reached.
pub(super) fn target(reached: &Reached) -> Option<PhaseName> {
    let runs = reached.iter().filter_map(|one| one.as_ref().ok()?.run.as_ref());
    let name = |run: &Run| match run.standing {
        Standing::Ready(name) | Standing::Done(name) => Some(name),
        Standing::Refused(..) => None,
    };
    runs.filter_map(name).max_by_key(|name| name.number)
}
