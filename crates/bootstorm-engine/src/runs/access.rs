//! Records and locks of runs, with failures that name the next command.

use crate::cluster::Cluster;
use crate::cluster::lease::{Held, LockError};
use crate::cluster::store::{LoadError, RunStore};
use crate::phases::Interrupt;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_model::text::printable;

/// Description of a copied record.
pub const COPY: &str =
    "its ConfigMap is not the one that setup created: it was restored from a backup, or copied by hand";

/// Similarity from which a name may be a misspelling of another.
const SIMILAR: f64 = 0.85;
/// Number of runs named individually.
const NAMED: usize = 5;

/// The runs of a cluster, for one command
#[derive(Clone, Copy)]
pub struct Runs<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The user's interrupt.
    pub interrupt: &'a Interrupt,
    /// Holder of the command's locks.
    pub holder: &'a str,
}

impl Runs<'_> {
    /// The record of a run, and its store. Fails if there is none, and if it is a copy, which cannot be continued.
    pub async fn load(&self, prefix: &str) -> Result<(RunRecord, RunStore), Failure> {
        match self.find(prefix).await? {
            Some(found) => Ok(found),
            None => Err(self.nothing(prefix).await),
        }
    }

    /// The record of a run, if there is one. Fails if it is a copy.
    pub async fn find(&self, prefix: &str) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        match self.find_any(prefix).await? {
            Some((record, store)) if store.original().is_some() => Err(self.copied(prefix, &record.run_id)),
            found => Ok(found),
        }
    }

    /// The record of a run, if there is one; also a copy.
    pub async fn find_any(&self, prefix: &str) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        self.cluster.load(prefix).await.map_err(|error| match error {
            LoadError::Cluster(error) => error.into(),
            LoadError::Codec(error) => Failure::new(format!("the record of run \"{prefix}\" cannot be read"))
                .because(error)
                .hint(format!(
                    "to delete it with all that belongs to it: kubectl bootstorm cleanup --ns-prefix {prefix}"
                )),
        })
    }

    /// The failure for a missing run: lists existing ones, the most similar one first.
    pub async fn nothing(&self, prefix: &str) -> Failure {
        let failure =
            Failure::new(format!("there is no run \"{prefix}\" in namespace {}", self.cluster.namespace()));
        let others = self.others(prefix).await;
        others
            .into_iter()
            .fold(failure, Failure::hint)
            .hint(format!("create one: kubectl bootstorm setup --ns-prefix {prefix}"))
            .hint("list the runs of all namespaces: kubectl bootstorm status -A")
    }

    /// Hints at existing runs of the namespace, for a name that no run has; none if there are no runs.
    pub async fn others(&self, prefix: &str) -> Vec<String> {
        // Reading by name may be permitted even if listing is not.
        let heads = self.cluster.heads(false).await.unwrap_or_default();
        let mut runs: Vec<(f64, String)> =
            heads.into_iter().map(|head| (strsim::jaro_winkler(&head.prefix, prefix), head.prefix)).collect();
        runs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut hints = Vec::new();
        if let Some((_, name)) = runs.first().filter(|(likeness, _)| *likeness > SIMILAR) {
            hints.push(format!("did you mean --ns-prefix {}?", printable(name)));
        }
        let names: Vec<_> = runs.iter().take(NAMED).map(|(_, name)| printable(name)).collect();
        let more = if runs.len() > NAMED { " and others" } else { "" };
        if !names.is_empty() {
            hints.push(format!("runs of this namespace: {}{more}", names.join(", ")));
        }
        hints
    }

    /// The failure for a record that was restored or copied: the VMs belong to the original.
    pub fn copied(&self, prefix: &str, run_id: &str) -> Failure {
        let place = self.cluster.namespace();
        Failure::new(format!("the record of run \"{prefix}\" in namespace {place} is a copy"))
            .because(COPY)
            .hint("find the original: kubectl bootstorm status -A")
            .hint(format!(
                "the copy can still be read: kubectl bootstorm report --ns-prefix {prefix} -n {place}"
            ))
            .hint(format!(
                "delete the copy: kubectl delete configmap,secret -n {place} -l bootstorm.dev/run-id={run_id}"
            ))
    }

    /// Works on a run while holding its lock.
    pub async fn locked<T>(
        &self,
        prefix: &str,
        run_id: &str,
        work: impl AsyncFnOnce(&Held) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lock = self.lock(prefix, run_id).await?;
        let outcome = Box::pin(work(&lock)).await;
        lock.release().await;
        outcome
    }

    /// Acquires the lock on a run.
    pub async fn lock(&self, prefix: &str, run_id: &str) -> Result<Held, Failure> {
        self.cluster.lock(prefix, run_id, self.holder, self.interrupt).await.map_err(|error| match error {
            LockError::Cluster(error) => error.into(),
            LockError::Taken(taken) => {
                let ago = |at: Option<jiff::Timestamp>| {
                    at.map_or_else(
                        || "an unknown time".into(),
                        |at| format!("{}s", self.cluster.age(at).as_secs()),
                    )
                };
                Failure::new(format!("another process is working on run \"{prefix}\""))
                    .because(format!(
                        "{} has held it for {}, last seen {} ago",
                        taken.holder,
                        ago(taken.since),
                        ago(taken.renewed)
                    ))
                    .hint(format!("watch it: kubectl bootstorm status --ns-prefix {prefix}"))
                    .hint("the lock of a dead process expires after 65s; then run this command again")
            }
        })
    }
}
