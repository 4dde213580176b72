//! One process at a time works on a run: a Lease with a holder, renewed while it works.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::GetParams;
use tokio::sync::watch;

use super::call::{built, on, path, post_params};
use super::names::{self, Role};
use super::{Cluster, Kind, Trouble};
use crate::observe::clock::{monotonic_now, wall_now};

/// How long a lease is good for without being renewed.
const DURATION: Duration = Duration::from_secs(60);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);

/// The lock on a run, held until it is released or dropped
#[derive(Debug)]
pub struct Held {
    cluster: Cluster,
    prefix: String,
    holder: String,
    lost: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Somebody else works on the run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Who: user, host and process.
    pub holder: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it last showed a sign of life.
    pub renewed: Option<Timestamp>,
}

/// Why the lock was not got
#[derive(Debug)]
pub enum LockError {
    /// Somebody else has it.
    Taken(Taken),
    /// The cluster did not answer as needed.
    Trouble(Trouble),
}

impl From<Trouble> for LockError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Who we are: user, host, process, and something that no other process has.
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

/// What the environment says, in a form that is good for an annotation that people read.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(64).collect()
}

impl Cluster {
    fn leases(&self) -> String {
        path("coordination.k8s.io/v1", Some(&self.namespace), "leases")
    }

    /// Takes the lock on a run, from nobody or from a process that gave no sign of life for its lease's duration.
    pub async fn lock(&self, prefix: &str, run_id: &str, holder: &str) -> Result<Held, LockError> {
        let doing = "take the lock of the run";
        let name = names::head_name(prefix);
        let fresh = self.lease(prefix, run_id, holder);
        let body = serde_json::to_vec(&fresh).unwrap_or_default();
        let request = built(doing, on(&self.leases()).create(&post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => {}
            Err(trouble) if trouble.kind == Kind::AlreadyExists => {
                self.take_over(doing, &name, fresh).await?;
            }
            Err(trouble) => return Err(trouble.into()),
        }
        let (lost, is_lost) = watch::channel(false);
        let renewer = Renewer { cluster: self.clone(), name, holder: holder.to_owned(), lost };
        let task = tokio::spawn(renewer.renew());
        Ok(Held {
            cluster: self.clone(),
            prefix: prefix.to_owned(),
            holder: holder.to_owned(),
            lost: is_lost,
            task,
        })
    }

    fn lease(&self, prefix: &str, run_id: &str, holder: &str) -> Lease {
        let now = Some(MicroTime(wall_now()));
        Lease {
            metadata: ObjectMeta {
                name: Some(names::head_name(prefix)),
                namespace: Some(self.namespace.clone()),
                labels: Some(names::labels(prefix, run_id, Role::Lock)),
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
            return Err(Trouble::new(doing, Kind::Conflict, message).into());
        };
        let spec = found.spec.unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let renewed = spec.renew_time.as_ref().map(|time| time.0);
        let good_for = i64::from(spec.lease_duration_seconds.unwrap_or(DURATION.as_secs() as i32));
        // Both clocks may differ by some seconds; a lease is never broken early because of that.
        let now = wall_now().as_second();
        let stale = renewed.is_none_or(|renewed| now - renewed.as_second() > good_for + 5);
        let ours = spec.holder_identity == fresh.spec.as_ref().and_then(|s| s.holder_identity.clone());
        if !holder.is_empty() && !ours && !stale {
            let since = spec.acquire_time.map(|time| time.0);
            return Err(LockError::Taken(Taken { holder, since, renewed }));
        }
        fresh.metadata.resource_version = found.metadata.resource_version;
        let body = serde_json::to_vec(&fresh).unwrap_or_default();
        let request = built(doing, on(&self.leases()).replace(name, &post_params(), body))?;
        match self.ask_raw(doing, &request).await {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.kind == Kind::Conflict => {
                let spec =
                    self.read_lease(doing, name).await?.and_then(|lease| lease.spec).unwrap_or_default();
                Err(LockError::Taken(Taken {
                    holder: spec.holder_identity.unwrap_or_default(),
                    since: spec.acquire_time.map(|time| time.0),
                    renewed: spec.renew_time.map(|time| time.0),
                }))
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn read_lease(&self, doing: &str, name: &str) -> Result<Option<Lease>, Trouble> {
        let request = built(doing, on(&self.leases()).get(name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(lease) => Ok(Some(lease)),
            Err(trouble) if trouble.kind == Kind::NotFound => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

struct Renewer {
    cluster: Cluster,
    name: String,
    holder: String,
    lost: watch::Sender<bool>,
}

impl Renewer {
    async fn renew(self) {
        let mut last = monotonic_now();
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.renew_once().await {
                Ok(true) => last = monotonic_now(),
                Ok(false) => break,
                Err(trouble) => tracing::debug!(%trouble, "lock not renewed"),
            }
            if last.elapsed() > DURATION {
                break;
            }
        }
        let _ = self.lost.send(true);
        // The receiver must see `true`, not a closed channel.
        std::future::pending::<()>().await;
    }

    async fn renew_once(&self) -> Result<bool, Trouble> {
        let doing = "renew the lock of the run";
        let Some(mut lease) = self.cluster.read_lease(doing, &self.name).await? else { return Ok(false) };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_ref() != Some(&self.holder) {
            return Ok(false);
        }
        spec.renew_time = Some(MicroTime(wall_now()));
        let body = serde_json::to_vec(&lease).unwrap_or_default();
        let request = built(doing, on(&self.cluster.leases()).replace(&self.name, &post_params(), body))?;
        self.cluster.ask_raw(doing, &request).await.map(|_| true)
    }
}

impl Held {
    /// Who holds it: us.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Turns true when the lock was lost; nothing may be written from then on.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Gives the lock back. Best effort: an abandoned lock becomes stale by itself.
    pub async fn release(self) {
        self.task.abort();
        let doing = "release the lock of the run";
        let name = names::head_name(&self.prefix);
        if let Ok(Some(lease)) = self.cluster.read_lease(doing, &name).await
            && lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.holder)
            && let Some(uid) = lease.metadata.uid
        {
            let _ = self.cluster.delete_exactly(doing, &self.cluster.leases(), &name, &uid).await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}
