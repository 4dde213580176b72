//! The namespaces under a create: a namespace deleted and recreated by others gets no VM of the run.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::task::JoinHandle;

use crate::cluster::metadata::Object;
use crate::cluster::namespaces;
use crate::cluster::ownership::{Estate, Kind};
use crate::cluster::pace::{Idempotency, Timed};
use crate::cluster::watch::{Watch, WatchEvent};
use crate::cluster::{Cluster, ClusterError, Kind as ErrorKind};
use bootstorm_model::record::RunRecord;

/// The namespaces that a run has created, watched while it creates VMs in them
///
/// No request can name the UID of the namespace in which it creates something, so this is tracked separately: it costs
/// no request per VM.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    lost: Arc<RwLock<HashSet<String>>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Ground {
    /// Begins to watch the namespaces that a run has created; watches nothing if they belong to others.
    pub(super) async fn watch(cluster: &Cluster, record: &RunRecord) -> Result<Self, ClusterError> {
        if !record.plan.makes_namespaces() {
            return Ok(Self::default());
        }
        let estate = Estate::of(record);
        let doing = "watch the namespaces of the run";
        let mut watch =
            Watch::<Object>::open(cluster, doing, namespaces::collection(), String::new()).await?;
        let lost = Arc::new(RwLock::new(HashSet::new()));
        // The first delivery is the list, which is available already.
        if let Some(heard) = watch.next().await {
            note(&estate, &lost, heard.event);
        }
        let known = Arc::clone(&lost);
        let task = tokio::spawn(async move {
            while let Some(heard) = watch.next().await {
                note(&estate, &known, heard.event);
            }
        });
        Ok(Self { lost, task: Some(task) })
    }

    /// Fails if a VM would be created in a namespace that does not belong to the run.
    pub(super) fn check(&self, timed: &Timed) -> Result<(), ClusterError> {
        let Idempotency::Create { target, .. } = &timed.meaning else { return Ok(()) };
        if !self.lost.read().unwrap_or_else(PoisonError::into_inner).contains(&target.namespace) {
            return Ok(());
        }
        let message = format!(
            "namespace {} is not the one that setup created: it was deleted, or recreated by somebody else",
            target.namespace
        );
        Err(ClusterError::new(timed.doing, ErrorKind::NotFound, message))
    }
}

fn note(estate: &Estate, lost: &RwLock<HashSet<String>>, told: WatchEvent<Object>) {
    let mut lost = lost.write().unwrap_or_else(PoisonError::into_inner);
    let is_ours = |object: &Object| estate.judge(Kind::Namespace, &object.metadata).is_ok();
    match told {
        WatchEvent::Listed(objects) => {
            let ours: HashSet<String> =
                objects.iter().filter(|object| is_ours(object)).map(|o| o.metadata.name.clone()).collect();
            *lost = estate.namespaces().filter(|name| !ours.contains(*name)).map(str::to_owned).collect();
        }
        WatchEvent::Changed(object) if is_ours(&object) => {
            lost.remove(&object.metadata.name);
        }
        WatchEvent::Changed(object) | WatchEvent::Removed(object) => {
            if estate.is_named(Kind::Namespace, &object.metadata) {
                lost.insert(object.metadata.name);
            }
        }
        WatchEvent::Unreadable(_)
        | WatchEvent::Interrupted { .. }
        | WatchEvent::Restored
        | WatchEvent::Complaint(_) => {}
    }
}
