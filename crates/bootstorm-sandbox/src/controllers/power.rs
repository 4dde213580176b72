//! Nodes that lose power and come back: their guests are dead at once, and nothing on the node reports it.

use std::sync::Arc;

use super::cluster::Cluster;
use super::guests::Exit;
use super::nodes::Node;
use crate::model::misbehaviour::{DOWN, POWER};
use crate::store::Object;
use crate::store::kind::NODES;

/// Whether a node has no power, according to its annotation.
pub fn is_off(node: &Object) -> bool {
    node.value()["metadata"]["annotations"][DOWN] == POWER
}

/// Applies the annotation of a node.
pub fn changed(cluster: &Arc<Cluster>, object: &Object) {
    let Some(node) = cluster.nodes.get(object.name()) else { return };
    match (is_off(object), node.is_up()) {
        (true, true) => cut(cluster, &node),
        (false, false) => cluster.tasks.spawn(boot(cluster.clone(), node)),
        _ => {}
    }
}

fn cut(cluster: &Cluster, node: &Node) {
    if !node.set_up(false) {
        return;
    }
    for launcher in cluster.guests.on(&node.name) {
        if launcher.end(Exit::Crashed) {
            let key = &launcher.key;
            cluster.store.note_guest(&key.namespace, &key.name, &launcher.uid, "lost", &launcher.address);
        }
    }
}

/// Boots a node, unless its power is cut again meanwhile; virt-handler then finds its guests dead.
async fn boot(cluster: Arc<Cluster>, node: Arc<Node>) {
    cluster.clock.sleep(cluster.profile.node_loss.boot).await;
    if cluster.store.get(&NODES, "", &node.name).is_some_and(|object| !is_off(&object)) && node.set_up(true) {
        cluster.guests.on(&node.name).iter().for_each(|launcher| launcher.call_handler());
    }
}
