//! The only definitions of the tool's labels, annotations, field manager and object names.

use std::collections::BTreeMap;

/// The domain of our labels and annotations.
pub const DOMAIN: &str = "bootstorm.dev";
/// Label: the run, by its namespace prefix.
pub const RUN: &str = "bootstorm.dev/run";
/// Label: the UUID of the run that created the object.
pub const RUN_ID: &str = "bootstorm.dev/run-id";
/// Label: role of the object.
pub const ROLE: &str = "bootstorm.dev/role";
/// Label on parts of a record: the phase that they hold. On migrations: the phase that made them.
pub const PHASE: &str = "bootstorm.dev/phase";
/// Field manager, as it appears in managed fields.
pub const FIELD_MANAGER: &str = "kubectl-bootstorm";
/// Key of the readable plan in the head of a record.
pub const PLAN_KEY: &str = "plan.json";
/// Key of the index of parts in the head of a record.
pub const PARTS_KEY: &str = "parts.json";
/// Key of the index of the parts that list adopted VMs, in the head of a record.
pub const ADOPTED_KEY: &str = "adopted.json";
/// Key of the index of the parts that list the UIDs of namespaces, in the head of a record.
pub const NAMESPACES_KEY: &str = "namespaces.json";
/// Key of the index of an observation, in the head of a shard's part of it.
pub const OBSERVATION_KEY: &str = "observation.json";
/// Label value on the parts of an observation.
pub const OBSERVATION: &str = "observation";
/// Label value on parts that list the UIDs of namespaces.
pub const NAMESPACES: &str = "namespaces";
/// Annotation word at the head of a record: state of adopted VMs.
pub const ADOPTED: &str = "adopted";
/// Annotation word on an adopted VM: the run that adopted it.
pub const ADOPTED_BY: &str = "adopted-by";
/// Key of the packed bytes in a part of a record.
pub const CHUNK_KEY: &str = "phase.json.gz";
/// Key of the common start of a phase with several shards.
pub const START_KEY: &str = "start.json";
/// Key of the UIDs of prober pods that a shard has recreated.
pub const PROBERS_KEY: &str = "probers.json";
/// Annotation word on the lock of a shard: the phase for whose start it waits.
pub const READY: &str = "ready";
/// Key of the user's VM manifest in the run's Secret.
pub const TEMPLATE_KEY: &str = "template.yaml";

/// Role of an object
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A VM, and the namespace around it.
    Target,
    /// The record of the run.
    Record,
    /// A pod that probes guests.
    Prober,
    /// The lock that keeps a second process away.
    Lock,
    /// A request for a live migration.
    Migration,
    /// A process inside the cluster, and the objects it needs.
    Shard,
}

impl Role {
    /// The label's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Record => "record",
            Self::Prober => "prober",
            Self::Lock => "lock",
            Self::Migration => "migration",
            Self::Shard => "shard",
        }
    }
}

/// Labels of an object that belongs to a run.
pub fn labels(prefix: &str, run_id: &str, role: Role) -> BTreeMap<String, String> {
    [
        (RUN, prefix),
        (RUN_ID, run_id),
        (ROLE, role.word()),
        ("app.kubernetes.io/name", "bootstorm"),
        ("app.kubernetes.io/managed-by", FIELD_MANAGER),
        ("app.kubernetes.io/part-of", "bootstorm"),
        ("app.kubernetes.io/instance", prefix),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// Selector for everything that one run created, by its UUID.
pub fn run_id_selector(run_id: &str) -> String {
    format!("{RUN_ID}={run_id}")
}

/// Selector for everything that one phase of a run created.
pub fn phase_selector(run_id: &str, phase: &str) -> String {
    format!("{RUN_ID}={run_id},{PHASE}={phase}")
}

/// Selector for everything with the name of a run, whichever run created it.
pub fn run_selector(prefix: &str) -> String {
    format!("{RUN}={prefix}")
}

/// Selector for the locks of a run: of the run itself and of its shards.
pub fn lock_selector(run_id: &str) -> String {
    format!("{RUN_ID}={run_id},{ROLE}={}", Role::Lock.word())
}

/// Selector for the heads of all records.
pub fn head_selector() -> String {
    format!("{ROLE}={},!{PHASE}", Role::Record.word())
}

/// Name of the head of a record, of its Secret and of its Lease.
pub fn head_name(prefix: &str) -> String {
    format!("bootstorm-{prefix}")
}

/// Name of a part of a record.
pub fn part_name(prefix: &str, ending: &str) -> String {
    format!("bootstorm-{prefix}.{ending}")
}

/// Name of a shard's own objects: its lock, and with the phase after a dot the head of its part.
pub fn shard_name(prefix: &str, index: u32) -> String {
    format!("bootstorm-{prefix}.shard-{index}")
}

/// Name of the object that holds the common start of a phase.
pub fn start_name(prefix: &str, phase: &str) -> String {
    format!("bootstorm-{prefix}.start.{phase}")
}

/// One of the tool's annotations.
pub fn annotation(word: &str) -> String {
    format!("{DOMAIN}/{word}")
}

/// User agent of the client.
pub fn user_agent() -> String {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("kubectl-bootstorm/{} ({os}/{arch})", env!("CARGO_PKG_VERSION"))
}
