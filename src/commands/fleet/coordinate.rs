//! Coordinates all members of a fleet: one task each, one barrier, one record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::join::{self, Joined, Joining, Reached, Standing as RunStanding};
use super::members::{self, Chosen};
use super::record_file::{self, RecordFile};
use super::work::{STEPS, SetUp, Worker};
use super::{Action, FleetArgs, PolicyArg, show};
use crate::commands::session::Context;
use crate::console::Console;
use crate::console::member::Board;
use bootstorm_engine::phases::Interrupter;
use bootstorm_engine::phases::gate::{Barrier, Opening, Passed, Policy, Standing};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::fleet::{FleetRecord, MemberState, Released};
use bootstorm_model::observe::clock::{monotonic_now, wall_now};
use bootstorm_model::record::{PhaseKind, PhaseName};
use bootstorm_model::text::printable;

/// A working member, as known to the coordinator
struct Working {
    name: String,
    interrupter: Interrupter,
    console: Console,
    /// Phase before which its gate stands.
    phase: PhaseName,
    outcome: Option<Result<(), Failure>>,
    left_out: bool,
}

/// The coordinator of one command
struct Coordinator<'a> {
    args: &'a FleetArgs,
    console: Console,
    record: FleetRecord,
    file: &'a RecordFile,
    working: Vec<Working>,
}

/// Runs the command.
pub(super) async fn command(context: &Context, args: &FleetArgs, path: &Path) -> Result<Exit, Failure> {
    check(context, args)?;
    let known = record_file::read(path)?;
    let chosen = members::choose(context, args, known.as_ref())?;
    confirm(context, args, &chosen)?;
    let file = RecordFile::lock(path)?;
    // Another process may have changed it before the lock was acquired.
    let known = record_file::read(path)?;
    let fresh = || FleetRecord::new(uuid::Uuid::new_v4().to_string(), args.prefix().to_owned(), wall_now());
    let record = known.unwrap_or_else(fresh);
    let _duty = context.interrupt.duty();
    let board = Board::new(context.console().is_interactive());
    let names: Vec<String> = chosen.iter().map(|one| one.name.clone()).collect();
    let joining = Joining {
        context,
        board: &board,
        action: args.action,
        policy: args.members.if_member_fails.into(),
        limit: args.members.member_timeout,
    };
    let reached = Box::pin(joining.all(chosen)).await;
    join::check_apart(&reached)?;
    check_thresholds(args, &reached)?;
    let mut coordinator =
        Coordinator { args, console: context.console(), record, file: &file, working: Vec::new() };
    let workers = coordinator.assign(reached)?;
    let outcome = Box::pin(coordinator.work(context, workers)).await;
    board.clear();
    outcome?;
    let record = coordinator.record.clone();
    let exit = coordinator.outcome(context)?;
    if args.action == Action::Cleanup {
        return cleaned(context, args, &record, file, exit);
    }
    let shown = Box::pin(show::all(context, args, &record, &names)).await?;
    if let Some(record) = &shown.record {
        file.save(record)?;
    }
    Ok(shown.exit.max(exit))
}

/// Checks that need only the command line.
fn check(context: &Context, args: &FleetArgs) -> Result<(), Failure> {
    if args.action == Action::Run {
        if args.kind != crate::commands::storm::KindArg::Start {
            return Err(Failure::usage("fleet run starts stopped VMs")
                .hint("for another kind, run afterwards: kubectl bootstorm fleet storm --kind KIND"));
        }
        args.plan.resolve(&args.run)?;
    }
    if args.kind == crate::commands::storm::KindArg::Drain {
        return Err(Failure::usage("--kind drain names nodes, which belong to one cluster")
            .hint("drain nodes of one cluster: kubectl bootstorm storm --drain NODE --context NAME"));
    }
    if args.action == Action::Cleanup && !args.yes && !context.console().can_ask() {
        return Err(Failure::usage("cleanup needs confirmation, and there is no terminal").hint("pass --yes"));
    }
    Ok(())
}

/// Checks, before any work, that the thresholds can be judged on what the clusters will have measured.
fn check_thresholds(args: &FleetArgs, reached: &Reached) -> Result<(), Failure> {
    let target = match args.action {
        Action::Run => STEPS.last().copied(),
        _ => join::target(reached),
    };
    let expected = join::expected(reached, args.action, target);
    // If no cluster has any work, the reason for that is what matters.
    if args.action == Action::Cleanup || target.is_none() || expected.is_empty() {
        return Ok(());
    }
    args.fail_if.check(&expected, target)
}

fn confirm(context: &Context, args: &FleetArgs, chosen: &[Chosen]) -> Result<(), Failure> {
    if args.action != Action::Cleanup || args.yes {
        return Ok(());
    }
    let names: Vec<String> =
        chosen.iter().map(|one| format!("{} ({})", one.name, one.args.run.prefix)).collect();
    let question =
        format!("delete everything that the runs of {} clusters created: {}?", names.len(), names.join(", "));
    if context.console().confirm(&question) {
        return Ok(());
    }
    Err(Failure::new("nothing was deleted"))
}

impl Coordinator<'_> {
    /// Records the participants, and assigns a task to every member with work to do.
    ///
    /// Fails if the policy is to abort and a member cannot take part, and if no member has work to do.
    fn assign(&mut self, reached: Reached) -> Result<Vec<Joined>, Failure> {
        let target = join::target(&reached);
        let mut workers = Vec::new();
        let (mut failures, mut done) = (Vec::new(), Vec::new());
        for one in reached {
            let checked = match one {
                Ok(joined) => self.checked(joined, target),
                Err((chosen, failure)) => Err((chosen.name, failure)),
            };
            match checked {
                Ok(Some(joined)) => workers.push(joined),
                Ok(None) => done.extend(target),
                Err((name, failure)) => {
                    self.console.warn(&format!("{}: {failure}", printable(&name)));
                    let member = self.record.member_mut(&name);
                    (member.state, member.why) = (MemberState::LeftOut, Some(failure.to_string()));
                    failures.push((name, failure));
                }
            }
        }
        self.file.save(&self.record)?;
        let (name, failure) = match failures.into_iter().next() {
            Some(first) if workers.is_empty() || self.aborts() => first,
            _ if workers.is_empty() => return Err(self.nothing_to_do(&done)),
            _ => return Ok(workers),
        };
        let status = format!("kubectl bootstorm fleet status --ns-prefix {}", self.record.name);
        let failure = failure.hint(format!("see where the clusters stand: {status}"));
        Err(Failure { message: format!("{}: {}", printable(&name), failure.message), ..failure })
    }

    fn aborts(&self) -> bool {
        self.args.members.if_member_fails == PolicyArg::Abort
    }

    fn nothing_to_do(&self, done: &[PhaseName]) -> Failure {
        let what = done.first().map_or_else(|| "this".to_owned(), ToString::to_string);
        let next = if self.args.action == Action::Stop { "storm" } else { "stop" };
        let name = &self.record.name;
        Failure::new(format!("{what} is done in every cluster of fleet \"{name}\""))
            .because("nothing is measured again")
            .hint(format!("show what was measured: kubectl bootstorm fleet report --ns-prefix {name}"))
            .hint(format!("to continue: kubectl bootstorm fleet {next} --ns-prefix {name}"))
            .hint(format!("delete it: kubectl bootstorm fleet cleanup --ns-prefix {name}"))
    }

    /// Records what is known of a member; `None` if it has no work left.
    fn checked(
        &mut self,
        joined: Joined,
        target: Option<PhaseName>,
    ) -> Result<Option<Joined>, (String, Failure)> {
        let name = joined.chosen.name.clone();
        let Joined { chosen, session, run, .. } = &joined;
        let known = self.record.member_mut(&name);
        let refused = |failure: Failure| Err((name.clone(), failure));
        let is_other = known.run_id.as_ref().zip(run.as_ref()).is_some_and(|(known, run)| *known != run.id);
        if is_other && self.args.action != Action::Run {
            return refused(
                Failure::new(format!(
                    "the run {} in it does not belong to the fleet",
                    chosen.args.run.prefix
                ))
                .because("it was set up again outside of the fleet; it is left alone")
                .hint(format!("inspect it: kubectl bootstorm status --context {}", chosen.name)),
            );
        }
        if known.server.is_none() && self.args.action == Action::Cleanup && known.run_id.is_none() {
            return refused(Failure::new("the fleet never ran in it; nothing is deleted"));
        }
        known.context = chosen.connection.context.clone().unwrap_or_default();
        known.kubeconfig.clone_from(&chosen.connection.kubeconfig);
        known.server = Some(session.cluster.server().to_owned());
        known.cluster_uid.clone_from(&joined.uid);
        known.namespace = Some(session.cluster.namespace().to_owned());
        known.prefix.clone_from(&chosen.args.run.prefix);
        known.run_id = run.as_ref().map(|run| run.id.clone()).or(known.run_id.take());
        known.vms = run.as_ref().map(|run| run.vms).or(known.vms);
        known.why = None;
        known.state = MemberState::Working;
        match (self.args.action, run.as_ref().map(|run| &run.standing)) {
            (Action::Stop | Action::Storm, None) => {
                known.state = MemberState::Failed;
                let prefix = &chosen.args.run.prefix;
                return refused(
                    Failure::new(format!("there is no run \"{prefix}\" in it"))
                        .hint(format!("set one up: kubectl bootstorm fleet run --ns-prefix {prefix}")),
                );
            }
            (Action::Stop | Action::Storm, Some(RunStanding::Refused(why, instead))) => {
                return refused(
                    Failure::new(why.clone()).hint(format!("run kubectl bootstorm fleet {instead}")),
                );
            }
            (Action::Stop | Action::Storm, Some(RunStanding::Done(done))) => {
                if target.is_some_and(|target| target.number > done.number) {
                    return refused(
                        Failure::new(format!(
                            "its last {} is {done}, and other clusters are ahead",
                            done.kind.word()
                        ))
                        .hint(format!("let it catch up: kubectl bootstorm stop --context {name}")),
                    );
                }
                known.state = MemberState::Done;
                return Ok(None);
            }
            // For a run, storm-1 is the last step; later storms are not part of it.
            (Action::Run, Some(RunStanding::Done(_))) => {
                known.state = MemberState::Done;
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some(joined))
    }

    /// Starts all members, and opens the barrier.
    async fn work(&mut self, context: &Context, joined: Vec<Joined>) -> Result<(), Failure> {
        let starts = matches!(self.args.action, Action::Run | Action::Storm);
        let barrier = Barrier::new(joined.len());
        let policy: Policy = self.args.members.if_member_fails.into();
        let (sender, mut news) = mpsc::unbounded_channel();
        let mut tasks = FuturesUnordered::new();
        for (member, joined) in joined.into_iter().enumerate() {
            let Joined { chosen, session, interrupter, run, .. } = joined;
            let first = PhaseName { kind: PhaseKind::Storm, number: 1 };
            let phase = match run.map(|run| run.standing) {
                Some(RunStanding::Ready(name)) => name,
                _ => first,
            };
            let (name, outcome) = (chosen.name.clone(), None);
            let console = session.console;
            self.working.push(Working { name, interrupter, console, phase, outcome, left_out: false });
            let gate = starts.then(|| barrier.gate(member));
            let worker = Worker { member, chosen, session, gate, policy, news: sender.clone() };
            tasks.push(async move { (member, Box::pin(worker.run()).await) });
        }
        drop(sender);
        let mut user = context.interrupt.clone();
        let mut opening = Box::pin(barrier.run(policy, self.args.members.member_timeout));
        let (mut waits, mut is_interrupted) = (starts, false);
        let mut seen = barrier.standings();
        loop {
            tokio::select! {
                biased;
                () = user.wait(), if !is_interrupted => {
                    is_interrupted = true;
                    self.working.iter().for_each(|one| one.interrupter.interrupt());
                }
                Some(known) = news.recv() => self.set_up(known)?,
                opened = &mut opening, if waits => {
                    waits = false;
                    self.opened(opened, &barrier)?;
                }
                () = barrier.changed(&seen), if waits => {
                    let before = std::mem::replace(&mut seen, barrier.standings());
                    self.arrived(&before, &seen);
                }
                ended = tasks.next() => match ended {
                    None => break,
                    Some(ended) => self.ended(ended)?,
                },
            }
        }
        Ok(())
    }

    /// Reports which members are ready, and how many are not.
    fn arrived(&self, before: &[Standing], now: &[Standing]) {
        let coming = now.iter().filter(|standing| **standing == Standing::Coming).count();
        for (one, (before, now)) in self.working.iter().zip(before.iter().zip(now)) {
            if before != now && *now == Standing::Arrived {
                let waits = match coming {
                    0 => String::new(),
                    1 => "; one cluster is not".to_owned(),
                    more => format!("; {more} clusters are not"),
                };
                let text = format!("ready for {}{waits}", one.phase);
                match one.console.member().filter(|_| one.console.is_interactive()) {
                    Some(member) => member.show(0, 1, &text),
                    None => one.console.progress(&text),
                }
            }
        }
    }

    /// Records that a member has its run.
    fn set_up(&mut self, known: SetUp) -> Result<(), Failure> {
        let Some(one) = self.working.get(known.member) else { return Ok(()) };
        let member = self.record.member_mut(&one.name);
        (member.run_id, member.vms) = (Some(known.run_id), Some(known.vms));
        self.file.save(&self.record)
    }

    /// Records the decision of the barrier: the common instant, and members left out because they were not ready.
    fn opened(&mut self, opening: Opening, barrier: &Arc<Barrier>) -> Result<(), Failure> {
        match opening {
            Opening::Start { at, members } => {
                let now = (wall_now(), monotonic_now());
                let ahead =
                    jiff::SignedDuration::try_from(at.saturating_duration_since(now.1)).unwrap_or_default();
                let passed: BTreeMap<usize, Passed> = barrier.passed().clone();
                let part = |(member, passed): (&usize, &Passed)| {
                    let one = self.working.get(*member)?;
                    Some((one.name.clone(), Released { phase: one.phase, zero: passed.zero }))
                };
                let released: BTreeMap<String, Released> = passed.iter().filter_map(part).collect();
                let is_fresh = |(member, passed): (&usize, &Passed)| {
                    passed.fresh.then(|| self.working.get(*member).map(|one| one.name.clone())).flatten()
                };
                let fresh: Vec<String> = passed.iter().filter_map(is_fresh).collect();
                self.record.release(now.0 + ahead, released, &fresh);
                self.console.say(&format!("{} clusters start together", members.len()));
                let late = self.args.members.member_timeout.as_secs();
                for (member, one) in self.working.iter_mut().enumerate() {
                    if !members.contains(&member) && one.outcome.is_none() {
                        one.left_out = true;
                        one.interrupter.interrupt();
                        let why = format!("it was not ready within {late}s after the first cluster");
                        let name = printable(&one.name).into_owned();
                        self.console.warn(&format!("{name} is left out: {why}"));
                        let member = self.record.member_mut(&one.name);
                        (member.state, member.why) = (MemberState::LeftOut, Some(why));
                    }
                }
                self.file.save(&self.record)
            }
            Opening::Nobody => Ok(()),
            Opening::Aborted(member) => {
                let name =
                    self.working.get(member).map(|one| printable(&one.name).into_owned()).unwrap_or_default();
                self.console
                    .warn(&format!("{name} is not ready, so no cluster starts (--if-member-fails abort)"));
                self.working.iter().for_each(|one| one.interrupter.interrupt());
                Ok(())
            }
        }
    }

    /// Records the end of a member.
    fn ended(&mut self, (member, outcome): (usize, Result<(), Failure>)) -> Result<(), Failure> {
        let aborts = self.aborts();
        let started = self.record.starts.last().cloned();
        let Some(one) = self.working.get_mut(member) else { return Ok(()) };
        let known = self.record.member_mut(&one.name);
        let has_started = started.is_some_and(|start| start.members.contains_key(&one.name));
        match &outcome {
            Ok(()) if self.args.action == Action::Cleanup => known.state = MemberState::Cleaned,
            Ok(()) => known.state = MemberState::Done,
            Err(_) if one.left_out => {}
            Err(failure) if failure.exit == Exit::Interrupted => known.state = MemberState::Interrupted,
            Err(failure) => {
                let starts = matches!(self.args.action, Action::Run | Action::Storm);
                known.state = if starts && !has_started { MemberState::LeftOut } else { MemberState::Failed };
                known.why = Some(failure.to_string());
                self.console.warn(&format!("{}: {failure}", printable(&one.name)));
            }
        }
        one.outcome = Some(outcome);
        if aborts && one.outcome.as_ref().is_some_and(Result::is_err) {
            self.working.iter().for_each(|one| one.interrupter.interrupt());
        }
        self.file.save(&self.record)
    }

    /// Overall result: the exit code of what can be shown.
    ///
    /// Fails if the user interrupted, if no member got anywhere, and if the policy was to do everything or nothing.
    fn outcome(self, context: &Context) -> Result<Exit, Failure> {
        let failed = |one: &Working| matches!(&one.outcome, Some(Err(_)));
        let again =
            format!("to continue: kubectl bootstorm fleet {} with the same flags", word(self.args.action));
        if context.interrupt.is_set() {
            let through = self.working.iter().filter(|one| !failed(one)).count();
            let all = self.working.len();
            return Err(Failure::interrupted(format!(
                "interrupted; {through} of {all} clusters had finished, everything is saved"
            ))
            .hint(again));
        }
        let nobody = self.working.iter().all(failed);
        let aborted = self.aborts() && self.working.iter().any(failed);
        let is_cause = |failure: &&Failure| failure.exit != Exit::Interrupted;
        let failures =
            || self.working.iter().filter_map(|one| Some((one, one.outcome.as_ref()?.as_ref().err()?)));
        if nobody || aborted {
            let first = failures().find(|(_, failure)| is_cause(failure)).or_else(|| failures().next());
            let Some((one, failure)) = first else { return Ok(Exit::Good) };
            let failure = failure.clone().hint(again);
            return Err(Failure {
                message: format!("{}: {}", printable(&one.name), failure.message),
                ..failure
            });
        }
        for (one, failure) in failures() {
            for hint in &failure.hints {
                self.console.say(&format!("{}: {hint}", printable(&one.name)));
            }
        }
        let missing = |state| matches!(state, MemberState::LeftOut | MemberState::Failed);
        let any = self.record.members.iter().any(|member| missing(member.state));
        Ok(if any { Exit::Missed } else { Exit::Good })
    }
}

/// After a cleanup, deletes the record of the fleet if nothing is left of it.
fn cleaned(
    context: &Context,
    args: &FleetArgs,
    record: &FleetRecord,
    file: RecordFile,
    exit: Exit,
) -> Result<Exit, Failure> {
    let console = context.console();
    let left: Vec<&str> = record
        .members
        .iter()
        .filter(|member| member.state != MemberState::Cleaned)
        .filter(|member| member.server.is_some() || member.run_id.is_some())
        .map(|member| member.name.as_str())
        .collect();
    if !left.is_empty() {
        console.say(&format!("objects may be left in: {}; repeat the command", printable(&left.join(", "))));
        return Ok(exit.max(Exit::Missed));
    }
    let clusters = record.members.len();
    if args.keep_record {
        console.say(&format!("cleaned up {clusters} clusters; the records are kept"));
        return Ok(Exit::Good);
    }
    file.delete()?;
    console.say(&format!("cleaned up {clusters} clusters, nothing is left"));
    Ok(Exit::Good)
}

/// Word as typed.
fn word(action: Action) -> &'static str {
    match action {
        Action::Run => "run",
        Action::Stop => "stop",
        Action::Storm => "storm",
        Action::Report => "report",
        Action::Status => "status",
        Action::Cleanup => "cleanup",
    }
}
