//! Watches on launcher pods and events, which explain the time between a VM's milestones.
//!
//! They complement the watch on instances that every timed phase has. Pods are selected by the run's label, or for
//! adopted VMs by namespace; events carry no labels, so they are selected by kind of object and filtered here. Earlier
//! objects are not listed. Kinds that may not be watched are left out, with their stages.

use futures::future::join_all;

use super::Cluster;
use super::launchers::{LAUNCHERS, Pod};
use super::metadata::Watched;
use super::notices::{CoreEvent, OF_OTHERS, OF_PODS};
use super::scope::Scope;
use super::watch::{View, Watch};

/// The open watches
pub struct Insight {
    /// On launcher pods.
    pub pods: Vec<Watch<Pod>>,
    /// On events.
    pub events: Vec<Watch<CoreEvent>>,
    /// Kinds that are not watched and the reason, one sentence each.
    pub missing: Vec<String>,
}

impl Insight {
    /// Opens the watches; later changes are not missed. A kind that cannot be watched is left out.
    ///
    /// `selector` selects the run's own pods among the launcher pods; without one, all pods in the scope are watched.
    pub async fn open(cluster: &Cluster, scope: &Scope, selector: Option<&str>) -> Self {
        let labels = selector.map_or_else(|| LAUNCHERS.to_owned(), |one| format!("{LAUNCHERS},{one}"));
        let pods = scope.collections_of("v1", "pods").into_iter();
        let pods = pods.map(|path| View { path, labels: labels.clone(), ..View::default() });
        let events = scope.collections_of("v1", "events").into_iter().flat_map(|path| {
            let view = move |fields: &str| View {
                path: path.clone(),
                fields: fields.to_owned(),
                only_new: true,
                ..View::default()
            };
            [OF_PODS, OF_OTHERS].map(view)
        });
        let mut missing = Vec::new();
        let (pods, events) = futures::join!(
            open_all(cluster, "watch launcher pods", pods.collect()),
            open_all(cluster, "watch events", events.collect()),
        );
        let mut kept = |what: &str, why: String| missing.push(format!("{what}: {why}"));
        let pods = pods.unwrap_or_else(|why| {
            kept("the stages of launcher pods are not measured", why);
            Vec::new()
        });
        let events = events.unwrap_or_else(|why| {
            kept("warnings, attached volumes and pulled images are not recorded", why);
            Vec::new()
        });
        Self { pods, events, missing }
    }

    /// Number of streams.
    pub fn streams(&self) -> usize {
        self.pods.len() + self.events.len()
    }
}

/// Opens related watches, or returns the reason for the failure.
async fn open_all<T: Watched>(
    cluster: &Cluster,
    doing: &str,
    views: Vec<View>,
) -> Result<Vec<Watch<T>>, String> {
    let opening = views.into_iter().map(|view| Watch::on(cluster, doing, view));
    let mut watches = Vec::new();
    for opened in join_all(opening).await {
        match opened {
            Ok(watch) => watches.push(watch),
            Err(error) => return Err(error.message),
        }
    }
    Ok(watches)
}
