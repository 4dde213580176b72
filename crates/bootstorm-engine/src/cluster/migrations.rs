//! `VirtualMachineInstanceMigrations`: the requests that begin live migrations, and the watch that follows them.

use std::collections::HashMap;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use kube::api::GetParams;
use serde::Deserialize;
use serde_json::json;

use super::call::{built, on, path, post_params};
use super::changes::MigrationState;
use super::error::clip;
use super::list::list_once;
use super::metadata::{Condition, Metadata, Object, Watched};
use super::names::{PHASE, Role, labels, phase_selector};
use super::pace::{Idempotency, Timed};
use super::scope::Scope;
use super::watch::{Delivery, Watch};
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::{Migration, MigrationPhase};
use bootstorm_model::plan::Target;
use bootstorm_model::record::{PhaseName, RunRecord};

/// Name in paths.
pub const PLURAL: &str = "virtualmachineinstancemigrations";
const GROUP: &str = "kubevirt.io/v1";
/// Time limit for each page of a list.
const LISTED_WITHIN: Duration = Duration::from_secs(30);
/// Maximum length of a condition.
const MOST_TOLD: usize = 300;
/// Conditions of a migration that report a problem (`KubeVirt` v1.0 to v1.9, `types.go` of `kubevirt.io/api`).
const OF_TROUBLE: [(&str, &str); 2] = [
    ("migrationRejectedByResourceQuota", "a resource quota leaves no room for the target pod"),
    ("migrationAbortRequested", "it was cancelled: its migration object was deleted"),
];

/// A `VirtualMachineInstanceMigration`, with only the used fields decoded
#[derive(Debug, Clone, Deserialize)]
pub struct Vmim {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    vmi_name: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
    phase_transition_timestamps: Vec<Transition>,
    migration_state: Option<MigrationState>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transition {
    phase: String,
    phase_transition_timestamp: Option<Timestamp>,
}

impl Watched for Vmim {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

fn phase(text: &str) -> MigrationPhase {
    match text {
        "Scheduling" => MigrationPhase::Scheduling,
        "Scheduled" => MigrationPhase::Scheduled,
        "PreparingTarget" => MigrationPhase::PreparingTarget,
        "TargetReady" => MigrationPhase::TargetReady,
        "Running" => MigrationPhase::Running,
        "Succeeded" => MigrationPhase::Succeeded,
        "Failed" => MigrationPhase::Failed,
        // Migrations between two clusters have additional earlier phases; none of ours does.
        _ => MigrationPhase::Pending,
    }
}

impl Vmim {
    /// The migration converted for the fold.
    pub fn migration(self, gone: bool) -> Migration {
        let Status { phase: word, conditions, phase_transition_timestamps, migration_state } = self.status;
        let transition = |t: &Transition| Some((phase(&t.phase), t.phase_transition_timestamp?));
        let condition = || {
            let of = |(kind, words): &(&str, &'static str)| {
                conditions.iter().find(|condition| condition.is(kind, "True")).map(|found| {
                    match &found.message {
                        message if message.is_empty() => (*words).to_owned(),
                        message => clip(&format!("{words}: {message}"), MOST_TOLD),
                    }
                })
            };
            OF_TROUBLE.iter().find_map(of)
        };
        Migration {
            phase: phase(&word),
            transitions: phase_transition_timestamps.iter().filter_map(transition).collect(),
            failure: migration_state.and_then(|state| state.failure()).or_else(condition),
            vm: Target {
                namespace: self.metadata.namespace.clone(),
                name: clip(&self.spec.vmi_name, MOST_TOLD),
            },
            created: self.metadata.creation_timestamp,
            written: self.metadata.written(),
            committed: None,
            is_repeated: false,
            object: Target { namespace: self.metadata.namespace, name: self.metadata.name },
            uid: self.metadata.uid,
            gone,
        }
    }
}

/// The names of the migration objects of a phase, in the order of the plan's VMs.
///
/// A name is determined by run, phase and VM, so that an object whose answer was lost can be found again.
pub fn objects(record: &RunRecord, phase: PhaseName) -> Vec<Target> {
    let stem = stem(&record.run_id);
    let name = |place: usize| format!("{stem}{phase}-{place}");
    let targets = record.plan.targets().into_iter().enumerate();
    targets.map(|(place, target)| Target { namespace: target.namespace, name: name(place) }).collect()
}

/// Whether a run may have created the migration object of that name.
pub(super) fn is_named(run_id: &str, name: &str) -> bool {
    name.starts_with(&stem(run_id))
}

/// Prefix of the names of a run's migration objects.
fn stem(run_id: &str) -> String {
    format!("bootstorm-{}-", run_id.split('-').next().unwrap_or_default())
}

/// The request that migrates exactly this VM, whose instance has that UID, by an object of that name.
pub fn create(
    record: &RunRecord,
    phase: PhaseName,
    target: &Target,
    instance: &str,
    object: &Target,
) -> Result<Timed, ClusterError> {
    let doing = "migrate the virtual machine";
    let mut labels = labels(&record.plan.prefix, &record.run_id, Role::Migration);
    labels.insert(PHASE.to_owned(), phase.to_string());
    let body = json!({
        "apiVersion": GROUP,
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": object.name, "namespace": object.namespace, "labels": labels},
        "spec": {"vmiName": target.name},
    });
    let collection = path(GROUP, Some(&object.namespace), PLURAL);
    let request = built(doing, on(&collection).create(&post_params(), body.to_string().into_bytes()))?;
    let (run_id, instance) = (record.run_id.clone(), instance.to_owned());
    let meaning = Idempotency::Migrate { target: target.clone(), instance, object: object.clone(), run_id };
    Ok(Timed { doing, request, meaning })
}

impl Cluster {
    /// `metadata` of a migration object, if it exists.
    pub async fn migration(&self, object: &Target) -> Result<Option<Metadata>, ClusterError> {
        let doing = "read the migration";
        let collection = path(GROUP, Some(&object.namespace), PLURAL);
        let request = built(doing, on(&collection).get(&object.name, &GetParams::default()))?;
        match self.ask::<Object>(doing, &request).await {
            Ok(found) => Ok(Some(found.metadata)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The watches on the migration objects relevant to one phase
#[derive(Debug)]
pub struct Migrations {
    watches: Vec<Watch<Vmim>>,
    /// Collection of each watch, for lists.
    paths: Vec<String>,
    selector: String,
}

impl Migrations {
    /// Opens the watches; existing objects are already delivered, and no later change is missed.
    ///
    /// A phase that creates no migrations watches all: `KubeVirt` creates them, without our labels.
    pub async fn open(
        cluster: &Cluster,
        scope: &Scope,
        ours: Option<(&str, PhaseName)>,
    ) -> Result<Self, ClusterError> {
        let selector = ours.map(|(run_id, phase)| phase_selector(run_id, &phase.to_string()));
        let (doing, selector) = ("watch migrations", selector.unwrap_or_default());
        let paths = scope.collections(PLURAL);
        let opening = paths.iter().map(|path| Watch::open(cluster, doing, path.clone(), selector.clone()));
        Ok(Self { watches: try_join_all(opening).await?, paths, selector })
    }

    /// The next delivery, and the number of its watch.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Delivery<Vmim>)>> {
        for (number, watch) in self.watches.iter_mut().enumerate() {
            if let Poll::Ready(heard) = watch.poll_next(cx) {
                return Poll::Ready(heard.map(|heard| (number, heard)));
            }
        }
        Poll::Pending
    }

    /// Number of watches.
    pub fn watches(&self) -> usize {
        self.watches.len()
    }

    /// Opens a watch anew.
    pub fn reopen(&self, number: usize) {
        if let Some(watch) = self.watches.get(number) {
            watch.reopen();
        }
    }

    /// Lists the objects that a watch covers, separately from it.
    pub fn list(
        &self,
        cluster: &Cluster,
        number: usize,
    ) -> impl Future<Output = Result<Vec<Migration>, ClusterError>> + Send + use<> {
        let (cluster, selector) = (cluster.clone(), self.selector.clone());
        let path = self.paths.get(number).cloned().unwrap_or_default();
        async move { listed(&cluster, &path, &selector).await }
    }
}

/// The migration objects of a phase that exist now.
pub async fn existing(
    cluster: &Cluster,
    scope: &Scope,
    run_id: &str,
    phase: PhaseName,
) -> Result<Vec<Migration>, ClusterError> {
    let selector = phase_selector(run_id, &phase.to_string());
    let found = cluster.list_in::<Vmim, Vmim>("list migrations", scope, PLURAL, &selector, Some).await?;
    Ok(found.into_iter().map(|one| one.migration(false)).collect())
}

/// VMs with a migration in progress or waiting, by any creator, and the name of that migration.
pub async fn under_way(cluster: &Cluster, scope: &Scope) -> Result<HashMap<Target, String>, ClusterError> {
    let found = cluster.list_in::<Vmim, Vmim>("list migrations", scope, PLURAL, "", Some).await?;
    let goes_on =
        |one: &Vmim| !matches!(phase(&one.status.phase), MigrationPhase::Succeeded | MigrationPhase::Failed);
    let named = found.into_iter().filter(goes_on).map(|one| {
        let vm = Target { namespace: one.metadata.namespace, name: one.spec.vmi_name };
        (vm, clip(&one.metadata.name, MOST_TOLD))
    });
    Ok(named.collect())
}

async fn listed(cluster: &Cluster, path: &str, selector: &str) -> Result<Vec<Migration>, ClusterError> {
    let (listed, _) = list_once::<Vmim>(cluster, "list migrations", path, selector, LISTED_WITHIN).await?;
    let mut migrations = Vec::with_capacity(listed.len());
    for one in listed {
        match one {
            Ok(one) => migrations.push(one.migration(false)),
            Err(fault) => tracing::debug!(%fault, "omitted from a list"),
        }
    }
    Ok(migrations)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(status: &Value) -> Migration {
        let object = json!({"metadata": {"name": "m", "namespace": "p-1", "uid": "u"}, "status": status});
        serde_json::from_value::<Vmim>(object).unwrap().migration(false)
    }

    #[test]
    fn a_migration_is_read_from_its_first_moment_to_its_failure() {
        assert_eq!(read(&json!({})).phase, MigrationPhase::Pending);
        let at = "2026-01-01T00:00:05Z";
        let ready = read(&json!({"phase": "TargetReady",
            "phaseTransitionTimestamps": [{"phase": "Pending", "phaseTransitionTimestamp": null},
                {"phase": "TargetReady", "phaseTransitionTimestamp": at}]}));
        assert_eq!(ready.transitions, [(MigrationPhase::TargetReady, at.parse().unwrap())]);
        let failed =
            read(&json!({"phase": "Failed", "migrationState": {"failed": true, "failureReason": " no "}}));
        assert_eq!((failed.phase, failed.failure.as_deref()), (MigrationPhase::Failed, Some("no")));
        let quota = json!([{"type": "migrationRejectedByResourceQuota", "status": "True"}]);
        let waits = read(&json!({"phase": "Pending", "conditions": quota}));
        assert_eq!(waits.failure.as_deref(), Some("a resource quota leaves no room for the target pod"));
    }
}
