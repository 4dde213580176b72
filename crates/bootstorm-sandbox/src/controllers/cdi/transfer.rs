//! Filling one data volume, phase by phase.

use super::super::client::Client;
use super::super::cluster::Cluster;
use super::super::events::Source;
use super::super::key::Key;
use super::plan::{self, Plan};
use super::{bind, status};
use crate::store::Object;
use crate::store::kind::DATA_VOLUMES;

/// Fills a data volume and binds its claim; ends early if the data volume is gone.
pub async fn run(cluster: &Cluster, mut client: Client, volume: &Object, claim: &Object, plan: Plan) {
    let key = Key::of(volume).to_string();
    let figures = &cluster.profile.cdi;
    let seconds = |step: &str, draw| {
        cluster.dice.roll(&key, 0, step).draw_with_stragglers(draw, cluster.profile.stragglers)
    };
    for phase in plan.phases() {
        if !enter(cluster, &mut client, volume, plan, phase).await {
            return;
        }
        match *phase {
            "SnapshotForSmartCloneInProgress" | "CSICloneInProgress" => {
                // One lock per source: clones of the same image are made one by one.
                cluster.clones.acquire().await;
                cluster.clock.sleep(seconds("snapshot", figures.snapshot_clone)).await;
            }
            "CloneFromSnapshotSourceInProgress" => {
                if plan == Plan::FromSnapshot {
                    cluster.clones.acquire().await;
                }
                cluster.clock.sleep(seconds("clone", figures.snapshot_clone) / 2.0).await;
            }
            "ImportInProgress" | "CloneInProgress" => {
                if !copy(cluster, &mut client, volume, claim).await {
                    return;
                }
            }
            "PrepClaimInProgress" | "RebindInProgress" => {
                cluster.clock.sleep(figures.provision.median / 4.0).await;
            }
            _ => cluster.clock.sleep(seconds(phase, figures.provision)).await,
        }
    }
    if bind::bind(cluster, &mut client, claim).await.is_err() {
        return;
    }
    if enter(cluster, &mut client, volume, plan, "Succeeded").await {
        let (reason, message) = if plan.clone_type().is_some() {
            ("CloneSucceeded", format!("Successfully cloned into {}", volume.name()))
        } else {
            ("ImportSucceeded", format!("Successfully imported into PVC {}", volume.name()))
        };
        let source = Source { component: component(plan), host: None };
        cluster.recorder.normal(source, volume, reason, &message);
    }
}

/// Copies all of the image into the pool of the claim, and reports progress.
async fn copy(cluster: &Cluster, client: &mut Client, volume: &Object, claim: &Object) -> bool {
    let figures = &cluster.profile.cdi;
    let chunk = (figures.transfer * figures.progress).max(1.0);
    // A larger disk holds more data.
    let image = figures.image * plan::gib(client.store(), volume) / plan::IMAGE_GIB;
    let class = super::class::class_of(client.store(), &claim.value()["spec"]).unwrap_or_default();
    let pool = cluster.pools.of(&class);
    let mut moved = 0.0;
    while moved < image {
        let part = chunk.min(image - moved);
        tokio::join!(pool.serve(part, 1.0), cluster.clock.sleep(part / figures.transfer));
        moved += part;
        let share = moved / image;
        if client.patch(&DATA_VOLUMES, volume, |volume| status::progress(volume, share)).await.is_err() {
            return false;
        }
    }
    true
}

async fn enter(cluster: &Cluster, client: &mut Client, volume: &Object, plan: Plan, phase: &str) -> bool {
    let stamp = cluster.clock.stamp();
    client.patch(&DATA_VOLUMES, volume, |volume| status::enter(volume, plan, phase, &stamp)).await.is_ok()
}

fn component(plan: Plan) -> &'static str {
    if plan.clone_type().is_some() {
        "datavolume-pvc-clone-controller"
    } else {
        "datavolume-import-controller"
    }
}
