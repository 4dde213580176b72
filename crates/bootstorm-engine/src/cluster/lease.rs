//! The lock of a run: a Lease with a holder, renewed while it works.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::GetParams;
use tokio::sync::watch;

use super::call::{built, on, path, post_params};
use super::guard::{DURATION, Guard, Refused, Renewed, Standing};
use super::list::list_all;
use super::names::{self, READY, Role};
use super::process::Process;
use super::{Cluster, ClusterError, Kind};
use crate::phases::interrupt::{Duty, Interrupt};
use bootstorm_model::record::PhaseName;
use bootstorm_model::shards::Shard;

/// Renewal interval.
const RENEWAL: Duration = Duration::from_secs(15);
/// Maximum number of retries for a note on the lock that was renewed concurrently.
const CONFLICTS: u32 = 8;
/// Annotation that identifies the process holding the lock.
const PROCESS: &str = "process";
/// Pause before retrying a failed renewal.
const AGAIN: Duration = Duration::from_secs(1);
/// Time limit for its release.
const RELEASING: Duration = Duration::from_secs(5);
/// Maximum difference between two computers' estimates of the server's time, so that a lease is never broken early.
const MARGIN: i64 = 5;

/// The lock on a run, held until it is released or dropped
#[derive(Debug)]
pub struct Held {
    cluster: Cluster,
    name: String,
    holder: String,
    guard: Guard,
    task: tokio::task::JoinHandle<()>,
    /// An interrupted process releases the lock before it ends.
    _duty: Duty,
}

/// Another process works on the run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// User, host and process of the holder.
    pub holder: String,
    /// Time of acquisition.
    pub since: Option<Timestamp>,
    /// Time of the last renewal.
    pub renewed: Option<Timestamp>,
}

/// A live holder of a lock
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Working {
    /// Holder.
    pub taken: Taken,
    /// Phase for whose common start it waits.
    pub ready: Option<String>,
}

/// Why the lock could not be acquired
#[derive(Debug)]
pub enum LockError {
    /// Another process has it.
    Taken(Taken),
    /// Unexpected answer of the cluster.
    Cluster(ClusterError),
}

impl From<ClusterError> for LockError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// Identity of this process: user, host, process, and a unique suffix.
pub fn identity() -> String {
    let variable = |names: [&str; 2]| names.into_iter().find_map(|name| std::env::var(name).ok());
    let user = variable(["USER", "USERNAME"]).unwrap_or_else(|| "unknown".into());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|host| host.trim().to_owned()).or_else(|| variable(["HOSTNAME", "COMPUTERNAME"]));
    let random = uuid::Uuid::new_v4().simple().to_string();
    let host = host.unwrap_or_else(|| "localhost".into());
    let (user, host) = (shortened(&user), shortened(&host));
    format!("{user}@{host}/{}-{}", std::process::id(), &random[..6])
}

/// A value from the environment, shortened for an annotation.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(64).collect()
}

impl Cluster {
    fn leases(&self) -> String {
        path("coordination.k8s.io/v1", Some(&self.namespace), "leases")
    }

    /// Acquires a run's lock if it is free, or if its holder has not renewed it for the lease's duration.
    pub async fn lock(
        &self,
        prefix: &str,
        run_id: &str,
        holder: &str,
        interrupt: &Interrupt,
    ) -> Result<Held, LockError> {
        Box::pin(self.lock_named(names::head_name(prefix), prefix, run_id, holder, interrupt)).await
    }

    /// Acquires the lock of one shard of a run. The first shard coordinates: its lock is that of the run.
    pub async fn lock_shard(
        &self,
        prefix: &str,
        run_id: &str,
        shard: Shard,
        holder: &str,
        interrupt: &Interrupt,
    ) -> Result<Held, LockError> {
        Box::pin(self.lock_named(shard_lock(prefix, shard), prefix, run_id, holder, interrupt)).await
    }

    async fn lock_named(
        &self,
        name: String,
        prefix: &str,
        run_id: &str,
        holder: &str,
        interrupt: &Interrupt,
    ) -> Result<Held, LockError> {
        let doing = "acquire the lock of the run";
        let renewed = Renewed::now();
        let fresh = self.lease(&name, prefix, run_id, holder);
        let body = serde_json::to_vec(&fresh).unwrap_or_default();
        let request = built(doing, on(&self.leases()).create(&post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => {}
            Err(error) if error.kind == Kind::AlreadyExists => {
                self.take_over(doing, &name, fresh).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let duty = interrupt.duty();
        let (standing, guard) = watch::channel(Standing::Held(renewed));
        let refused = Refused::default();
        let renewer = Renewer {
            cluster: self.clone(),
            name: name.clone(),
            holder: holder.to_owned(),
            standing,
            refused: Arc::clone(&refused),
        };
        let task = tokio::spawn(renewer.renew());
        Ok(Held {
            cluster: self.clone(),
            name,
            holder: holder.to_owned(),
            guard: Guard { standing: guard, refused },
            task,
            _duty: duty,
        })
    }

    fn lease(&self, name: &str, prefix: &str, run_id: &str, holder: &str) -> Lease {
        let now = Some(MicroTime(self.server_now()));
        Lease {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(self.namespace.clone()),
                labels: Some(names::labels(prefix, run_id, Role::Lock)),
                annotations: Process::ours()
                    .map(|process| [(names::annotation(PROCESS), process.name().to_owned())].into()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(DURATION.as_secs() as i32),
                acquire_time: now.clone(),
                renew_time: now,
                ..LeaseSpec::default()
            }),
        }
    }

    async fn take_over(&self, doing: &str, name: &str, mut fresh: Lease) -> Result<(), LockError> {
        let Some(found) = self.read_lease(doing, name).await? else {
            let message = "the lock was released at this moment; try again";
            return Err(ClusterError::new(doing, Kind::Conflict, message).into());
        };
        if !is_lock(&found) {
            let message = format!("lease {name} in namespace {} is not a lock of this tool", self.namespace);
            return Err(ClusterError::new(doing, Kind::AlreadyExists, message).into());
        }
        fresh.metadata.resource_version.clone_from(&found.metadata.resource_version);
        let ours = fresh.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        if let Some(taken) = self.living(found).filter(|taken| Some(taken.holder.as_str()) != ours) {
            return Err(LockError::Taken(taken));
        }
        let body = serde_json::to_vec(&fresh).unwrap_or_default();
        let request = built(doing, on(&self.leases()).replace(name, &post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::Conflict => {
                let spec =
                    self.read_lease(doing, name).await?.and_then(|lease| lease.spec).unwrap_or_default();
                // An earlier attempt, whose answer was lost, has taken it.
                if spec.holder_identity.as_deref() == ours {
                    return Ok(());
                }
                Err(LockError::Taken(Taken {
                    holder: spec.holder_identity.unwrap_or_default(),
                    since: spec.acquire_time.map(|time| time.0),
                    renewed: spec.renew_time.map(|time| time.0),
                }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The live process that holds the lock of a run, if there is one.
    pub async fn holder(&self, prefix: &str) -> Result<Option<Taken>, ClusterError> {
        let doing = "read the lock of the run";
        let found = self.read_lease(doing, &names::head_name(prefix)).await?;
        Ok(found.filter(is_lock).and_then(|lease| self.living(lease)))
    }

    /// The live processes that hold locks of a run, by name of the lock, and the phase for whose start each waits.
    pub async fn holders(&self, run_id: &str) -> Result<BTreeMap<String, Working>, ClusterError> {
        let selector = names::lock_selector(run_id);
        let (leases, _) =
            list_all::<Lease>(self, "read the lock of the run", &self.leases(), &selector).await?;
        let working = |mut lease: Lease| {
            let name = lease.metadata.name.clone()?;
            let ready =
                lease.metadata.annotations.as_mut().and_then(|all| all.remove(&names::annotation(READY)));
            Some((name, Working { taken: self.living(lease)?, ready }))
        };
        Ok(leases.into_iter().filter_map(working).collect())
    }

    /// The holder of a lock, unless it has released it, or is known to be dead.
    fn living(&self, lease: Lease) -> Option<Taken> {
        let spec = lease.spec.unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let renewed = spec.renew_time.map(|time| time.0);
        let good_for = i64::from(spec.lease_duration_seconds.unwrap_or(DURATION.as_secs() as i32));
        let now = self.server_now().as_second();
        let stale = renewed.is_none_or(|renewed| now - renewed.as_second() > good_for + MARGIN);
        let process = lease.metadata.annotations.unwrap_or_default().remove(&names::annotation(PROCESS));
        let dead = process.is_some_and(|process| Process::is_dead(&process));
        let since = spec.acquire_time.map(|time| time.0);
        (!holder.is_empty() && !stale && !dead).then_some(Taken { holder, since, renewed })
    }

    async fn read_lease(&self, doing: &str, name: &str) -> Result<Option<Lease>, ClusterError> {
        let request = built(doing, on(&self.leases()).get(name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Name of the lock of a shard.
pub fn shard_lock(prefix: &str, shard: Shard) -> String {
    if shard.coordinates() { names::head_name(prefix) } else { names::shard_name(prefix, shard.index()) }
}

/// Whether a lease is one of this tool's locks.
fn is_lock(lease: &Lease) -> bool {
    let role = lease.metadata.labels.as_ref().and_then(|labels| labels.get(names::ROLE));
    role.map(String::as_str) == Some(Role::Lock.word())
}

struct Renewer {
    cluster: Cluster,
    name: String,
    holder: String,
    standing: watch::Sender<Standing>,
    refused: Refused,
}

impl Renewer {
    /// Renews forever, through any outage: the lock is lost only when another process has it or took it away.
    async fn renew(self) {
        let mut pause = RENEWAL;
        loop {
            tokio::time::sleep(pause).await;
            let at = Renewed::now();
            let renewed = self.renew_once().await;
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = renewed.as_ref().err().cloned();
            pause = match renewed {
                Ok(true) => {
                    let _ = self.standing.send(Standing::Held(at));
                    RENEWAL
                }
                Ok(false) => break,
                Err(error) => {
                    tracing::debug!(%error, "lock not renewed");
                    AGAIN
                }
            };
        }
        let _ = self.standing.send(Standing::Lost);
        // Waiters must see `Lost`, not a closed channel.
        std::future::pending::<()>().await;
    }

    async fn renew_once(&self) -> Result<bool, ClusterError> {
        let doing = "renew the lock of the run";
        let leases = self.cluster.leases();
        let request = built(doing, on(&leases).get(&self.name, &GetParams::default()))?;
        let mut lease: Lease = match self.cluster.call(doing, request).await {
            Ok(answer) => answer.read(doing)?,
            Err(error) if error.kind == Kind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_ref() != Some(&self.holder) {
            return Ok(false);
        }
        spec.renew_time = Some(MicroTime(self.cluster.server_now()));
        let body = serde_json::to_vec(&lease).unwrap_or_default();
        let request = built(doing, on(&leases).replace(&self.name, &post_params(), body))?;
        self.cluster.call(doing, request).await.map(|_| true)
    }
}

impl Held {
    /// Identity under which this process holds it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Guard to check before anything is sent or saved.
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Records that the holder waits for the common start of a phase; it is ready as long as it holds the lock.
    pub async fn set_ready(&self, phase: PhaseName) -> Result<(), ClusterError> {
        let doing = "report that the shard is ready";
        let leases = self.cluster.leases();
        let mut tries = 0;
        loop {
            let lease = self.cluster.read_lease(doing, &self.name).await?;
            let lost = || ClusterError::new(doing, Kind::Conflict, "the lock of the shard was lost");
            let mut lease = lease.ok_or_else(lost)?;
            if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) != Some(&self.holder) {
                return Err(lost());
            }
            let annotations = lease.metadata.annotations.get_or_insert_default();
            annotations.insert(names::annotation(READY), phase.to_string());
            let body = serde_json::to_vec(&lease).unwrap_or_default();
            let request = built(doing, on(&leases).replace(&self.name, &post_params(), body))?;
            match self.cluster.ask_raw(doing, &request).await {
                Ok(_) => return Ok(()),
                // It was renewed concurrently.
                Err(error) if error.kind == Kind::Conflict && tries < CONFLICTS => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Releases the lock, within 5 s. Best effort: an abandoned lock becomes stale by itself.
    pub async fn release(self) {
        self.task.abort();
        let _ = tokio::time::timeout(RELEASING, self.give_back()).await;
    }

    async fn give_back(&self) {
        let doing = "release the lock of the run";
        let name = &self.name;
        if let Ok(Some(lease)) = self.cluster.read_lease(doing, name).await
            && lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.holder)
            && let Some(uid) = lease.metadata.uid
        {
            let _ = self.cluster.delete_exactly(doing, &self.cluster.leases(), name, &uid).await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::Method;

    use super::*;
    use crate::cluster::scripted::{Reply, cluster};
    use crate::phases::Interrupter;

    #[tokio::test(start_paused = true)]
    async fn a_stale_lock_is_taken_over_also_if_the_answer_is_lost() {
        let puts = AtomicUsize::new(0);
        let cluster = cluster(move |request| match *request.method() {
            Method::POST => Reply::Answer(409, r#"{"reason": "AlreadyExists"}"#.to_owned()),
            // The first one is stored, and the second one meets its version.
            Method::PUT if puts.fetch_add(1, Ordering::Relaxed) == 0 => Reply::Broken,
            Method::PUT => Reply::Answer(409, r#"{"reason": "Conflict"}"#.to_owned()),
            _ => {
                let holder = if puts.load(Ordering::Relaxed) == 0 { "other" } else { "me" };
                let labels = names::labels("p", "id", Role::Lock);
                let time = "2020-01-01T00:00:00.000000Z";
                let lease = serde_json::json!({
                    "metadata": {"name": "p", "labels": labels, "resourceVersion": "1"},
                    "spec": {"holderIdentity": holder, "acquireTime": time, "renewTime": time},
                });
                Reply::Answer(200, lease.to_string())
            }
        });
        let (_interrupter, interrupt) = Interrupter::new();
        let held = cluster.lock("p", "id", "me", &interrupt).await;
        assert_eq!(held.map(|held| held.holder().to_owned()).map_err(|_| ()), Ok("me".to_owned()));
    }
}
