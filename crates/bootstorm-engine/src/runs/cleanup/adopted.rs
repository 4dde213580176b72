//! Restores adopted VMs before anything of the run is deleted.

use std::time::Instant;

use super::failures::GRACE;
use super::options::{Cleanup, CleanupOptions};
use crate::cluster::lease::Held;
use crate::cluster::names;
use crate::cluster::store::{Head, LoadError, RunStore};
use crate::phases::adoption;
use crate::phases::restore::{self, Order, RestoreError, Restored};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::plan::Target;
use bootstorm_model::record::RunRecord;

/// Number of VMs named individually before the rest is only counted.
const NAMED: usize = 20;

impl Cleanup<'_> {
    /// The record of the run; `None` if there is none, or if it is unreadable and not required.
    ///
    /// Fails if it is unreadable and VMs may have to be restored: only the record has their previous state.
    pub(super) async fn find_record(&self) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        let prefix = &self.options.prefix;
        let error = match self.runs.cluster.load(prefix).await {
            Ok(found) => return Ok(found),
            Err(LoadError::Cluster(error)) => return Err(error.into()),
            Err(LoadError::Codec(error)) => error,
        };
        // An unreadable record must not prevent the cleanup; its label still identifies its run.
        self.caller.warn(&format!("the record cannot be read ({error}); relying on its label"));
        let heads = self.runs.cluster.heads(false).await?;
        let is_changed = |head: &Head| head.facts.get(names::ADOPTED).is_some_and(|is| is == "changed");
        if self.options.leave_adopted || !heads.iter().any(|head| head.prefix == *prefix && is_changed(head))
        {
            return Ok(None);
        }
        Err(Failure::new(format!("the record of run \"{prefix}\" cannot be read, and it has adopted VMs"))
            .because(error)
            .because("only the record holds which VMs were stopped, and their original state")
            .hint(format!("inspect it: kubectl get configmap -l bootstorm.dev/run={prefix} -o yaml"))
            .hint("a newer kubectl-bootstorm may be able to read it")
            .hint("to delete it anyway, and leave the VMs as they are: --leave-adopted"))
    }

    /// Restores the VMs, unless that was done or declined, and records it.
    pub(super) async fn restore(&self, deadline: Instant, lock: &Held) -> Result<(), Failure> {
        // The record may have changed between the first read and the lock.
        let Some((mut record, mut store)) = self.find_record().await? else { return Ok(()) };
        if self.options.leave_adopted || !record.has_to_restore() {
            return self.unmark(deadline, &record).await;
        }
        let events = |event: &_| self.caller.hear(event);
        let (mut interrupt, mut lost, guard) = (self.runs.interrupt.clone(), lock.guard(), lock.guard());
        let order = Order { concurrency: self.options.concurrency, deadline };
        let restoring = restore::run(self.runs.cluster, &record, order, &guard, &events);
        let outcome = tokio::select! {
            biased;
            () = interrupt.wait() => {
                Err(Failure::interrupted("interrupted; some adopted VMs may not be restored yet")
                    .hint(self.options.again()))
            }
            () = lost.lost() => {
                Err(Failure::new("the lock on the run was lost; nothing has been restored since")
                    .hint(self.options.again()))
            }
            outcome = tokio::time::timeout_at((deadline + GRACE).into(), restoring) => match outcome {
                Ok(outcome) => outcome.map_err(|error| failed(error, self.options)),
                Err(_) => Err(self.options.out_of_time()),
            },
        };
        self.caller.finish();
        self.told(&outcome?);
        self.unmark(deadline, &record).await?;
        record.restored = Some(wall_now());
        if store.original().is_some() {
            return Ok(());
        }
        store.set_holder(lock.holder());
        Ok(store.save(&record, None).await?)
    }

    /// Removes the marks from the VMs, so that another run may adopt them.
    async fn unmark(&self, deadline: Instant, record: &RunRecord) -> Result<(), Failure> {
        let unmarking = adoption::unmark(self.runs.cluster, record);
        tokio::time::timeout_at((deadline + GRACE).into(), unmarking)
            .await
            .map_err(|_| self.options.out_of_time())?
            .map_err(|error| Failure::from(error).hint(self.options.again()))
    }

    fn told(&self, restored: &Restored) {
        let count = restored.as_before;
        let (vms, are) = if count == 1 { ("VM", "is restored") } else { ("VMs", "are restored") };
        self.caller.say(&format!("{count} adopted {vms} {are}"));
        for (target, why) in restored.left.iter().take(NAMED) {
            self.caller.warn(&format!("{target} is left alone: {why}"));
        }
        if restored.left.len() > NAMED {
            self.caller.warn(&format!("{} more VMs are left alone", restored.left.len() - NAMED));
        }
    }
}

fn failed(error: RestoreError, options: &CleanupOptions) -> Failure {
    let late = match error {
        RestoreError::Cluster(error) => return Failure::from(error).hint(options.again()),
        RestoreError::Late(late) => late,
    };
    let (seconds, count) = (options.timeout.as_secs(), late.len());
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
        .hint(options.again())
        .hint("to leave them as they are now, and discard their original state: --leave-adopted")
}
