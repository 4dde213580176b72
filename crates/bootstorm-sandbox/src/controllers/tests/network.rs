//! Replies at a guest's address over its life.

use super::stage::{Stage, machine};
use crate::network::{Probe, Reply};
use crate::store::kind::PODS;

#[tokio::test(start_paused = true)]
async fn a_pod_answers_first_then_nobody_then_the_guest() {
    let stage = Stage::named("default", 1);
    stage.namespace("a");
    let network = stage.controllers.network();
    stage.create("a", machine("vm", "Always")).await;
    let mut address = String::new();
    stage
        .until("the pod has an address", |stage| {
            let pods = stage.store.list(&PODS, Some("a")).0;
            let found =
                pods.first().and_then(|pod| pod.value()["status"]["podIP"].as_str().map(str::to_owned));
            address = found.unwrap_or_default();
            !address.is_empty()
        })
        .await;
    let (mut pings, mut tries) = (Vec::new(), Vec::new());
    let mut look = || {
        for (probe, seen) in [(Probe::Ping, &mut pings), (Probe::Tcp(22), &mut tries)] {
            let reply = network.answers(&address, probe);
            if seen.last() != Some(&reply) {
                seen.push(reply);
            }
        }
    };
    stage
        .until("the agent has connected", |stage| {
            look();
            stage.vmi("a", "vm").is_some_and(|vmi| vmi["status"]["guestOSInfo"].get("id").is_some())
        })
        .await;
    stage.power("a", "vm", "Halted").await;
    stage
        .until("it is gone", |stage| {
            look();
            stage.vmi("a", "vm").is_none()
        })
        .await;
    look();
    assert_eq!(pings, [Reply::Answered, Reply::Silent, Reply::Answered, Reply::Silent]);
    assert_eq!(tries, [Reply::Refused, Reply::Silent, Reply::Refused, Reply::Answered, Reply::Silent]);
}
