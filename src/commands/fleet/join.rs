//! Preparation: reaches every cluster, tells them apart, and determines the state of each run.

use std::time::Duration;

use super::Action;
use super::members::Chosen;
use crate::commands::session::{Context, Session};
use crate::console::member::{Board, Member};
use bootstorm_engine::cluster::Connection;
use bootstorm_engine::phases::Interrupter;
use bootstorm_engine::phases::gate::Policy;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord, lifecycle};
use bootstorm_model::text::printable;

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
            let standing = |record: &RunRecord| standing(record, self.action, chosen);
            let run = record.map(|(record, _)| Run {
                id: record.run_id.clone(),
                vms: record.plan.size(),
                standing: standing(&record),
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
