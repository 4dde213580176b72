//! Restores adopted VMs before anything of the run is deleted.

use std::time::Instant;

use super::{CleanupArgs, GRACE, Output, Session, wording};
use crate::console::progress::Progress;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::names;
use bootstorm_engine::cluster::store::{LoadError, RunStore};
use bootstorm_engine::phases::adoption;
use bootstorm_engine::phases::restore::{self, Order, RestoreError, Restored};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::Target;
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::printable;

/// Number of VMs named individually before the rest is only counted.
const NAMED: usize = 20;

/// The record of the run; `None` if there is none, or if it is unreadable and not required.
///
/// Fails if it is unreadable and VMs may have to be restored: only the record has their previous state.
pub(super) async fn find(
    session: &Session,
    args: &CleanupArgs,
) -> Result<Option<(RunRecord, RunStore)>, Failure> {
    let prefix = &args.run.prefix;
    let error = match session.cluster.load(prefix).await {
        Ok(found) => return Ok(found),
        Err(LoadError::Cluster(error)) => return Err(error.into()),
        Err(LoadError::Codec(error)) => error,
    };
    // An unreadable record must not prevent the cleanup; its label still identifies its run.
    session.console.warn(&format!("the record cannot be read ({error}); relying on its label"));
    let heads = session.cluster.heads(false).await?;
    let is_changed = |head: &bootstorm_engine::cluster::store::Head| {
        head.facts.get(names::ADOPTED).is_some_and(|is| is == "changed")
    };
    if args.leave_adopted || !heads.iter().any(|head| head.prefix == *prefix && is_changed(head)) {
        return Ok(None);
    }
    Err(Failure::new(format!("the record of run \"{prefix}\" cannot be read, and it has adopted VMs"))
        .because(error)
        .because("only the record holds which VMs were stopped, and their original state")
        .hint(format!("inspect it: kubectl get configmap -l bootstorm.dev/run={prefix} -o yaml"))
        .hint("a newer kubectl-bootstorm may be able to read it")
        .hint("to delete it anyway, and leave the VMs as they are: --leave-adopted"))
}

/// The number of VMs to restore, as part of a question.
pub(super) fn question(args: &CleanupArgs, record: &RunRecord) -> String {
    let count = restore::touched(record).len();
    match (record.has_to_restore(), args.leave_adopted) {
        (false, _) => String::new(),
        (true, false) => format!("restore {count} adopted VMs, then "),
        (true, true) => {
            format!("leave {count} adopted VMs as they are now, discard their original state, and ")
        }
    }
}

/// Reports for a dry run which VMs would be restored.
pub(super) fn announce(session: &Session, args: &CleanupArgs, record: &RunRecord) -> Result<(), Failure> {
    if !record.has_to_restore() || args.leave_adopted {
        return Ok(());
    }
    let verb = if session.output == Output::Name { "" } else { " would be restored" };
    let line = |target: Target| {
        format!("{}{verb}\n", printable(&format!("virtualmachine/{} -n {}", target.name, target.namespace)))
    };
    session.console.data(&restore::touched(record).into_iter().map(line).collect::<String>())
}

/// Restores the VMs, unless that was done or declined, and records it.
pub(super) async fn restore(
    session: &Session,
    args: &CleanupArgs,
    deadline: Instant,
    lock: &Held,
) -> Result<(), Failure> {
    // The record may have changed between the first read and the lock.
    let Some((mut record, mut store)) = find(session, args).await? else { return Ok(()) };
    if args.leave_adopted || !record.has_to_restore() {
        return unmark(session, args, deadline, &record).await;
    }
    let progress = Progress::new(session.console);
    let events = |event: &bootstorm_engine::phases::Event| progress.hear(event);
    let (mut interrupt, mut lost, guard) = (session.interrupt.clone(), lock.guard(), lock.guard());
    let order = Order { concurrency: args.concurrency, deadline };
    let restoring = restore::run(&session.cluster, &record, order, &guard, &events);
    let outcome = tokio::select! {
        biased;
        () = interrupt.wait() => {
            Err(Failure::interrupted("interrupted; some adopted VMs may not be restored yet")
                .hint(wording::go_on(args)))
        }
        () = lost.lost() => {
            Err(Failure::new("the lock on the run was lost; nothing has been restored since")
                .hint(wording::go_on(args)))
        }
        outcome = tokio::time::timeout_at((deadline + GRACE).into(), restoring) => match outcome {
            Ok(outcome) => outcome.map_err(|error| failed(error, args)),
            Err(_) => Err(wording::out_of_time(args)),
        },
    };
    progress.finish();
    told(session, &outcome?);
    unmark(session, args, deadline, &record).await?;
    record.restored = Some(wall_now());
    if store.original().is_some() {
        return Ok(());
    }
    store.set_holder(lock.holder());
    Ok(store.save(&record, None).await?)
}

/// Removes the marks from the VMs, so that another run may adopt them.
async fn unmark(
    session: &Session,
    args: &CleanupArgs,
    deadline: Instant,
    record: &RunRecord,
) -> Result<(), Failure> {
    let unmarking = adoption::unmark(&session.cluster, record);
    tokio::time::timeout_at((deadline + GRACE).into(), unmarking)
        .await
        .map_err(|_| wording::out_of_time(args))?
        .map_err(|error| Failure::from(error).hint(wording::go_on(args)))
}

fn told(session: &Session, restored: &Restored) {
    let count = restored.as_before;
    let (vms, are) = if count == 1 { ("VM", "is restored") } else { ("VMs", "are restored") };
    session.console.say(&format!("{count} adopted {vms} {are}"));
    for (target, why) in restored.left.iter().take(NAMED) {
        session.console.warn(&format!("{target} is left alone: {why}"));
    }
    if restored.left.len() > NAMED {
        session.console.warn(&format!("{} more VMs are left alone", restored.left.len() - NAMED));
    }
}

fn failed(error: RestoreError, args: &CleanupArgs) -> Failure {
    let late = match error {
        RestoreError::Cluster(error) => return Failure::from(error).hint(wording::go_on(args)),
        RestoreError::Late(late) => late,
    };
    let (seconds, count) = (args.timeout.as_secs(), late.len());
    let (vms, are) = if count == 1 { ("VM", "is not restored") } else { ("VMs", "are not restored") };
    let mut failure = Failure::new(format!("{count} adopted {vms} {are} after {seconds}s"));
    for (target, why) in late.iter().take(NAMED) {
        failure = failure.because(format!("{target}: {why}"));
    }
    if count > NAMED {
        failure = failure.because(format!("and {} more", count - NAMED));
    }
    if let Some((target, _)) = late.first() {
        let Target { namespace, name } = target;
        failure = failure.hint(format!("inspect one: kubectl describe virtualmachine {name} -n {namespace}"));
    }
    failure
        .hint(wording::go_on(args))
        .hint("to leave them as they are now, and discard their original state: --leave-adopted")
}
