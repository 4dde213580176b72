//! Watches on launcher pods and events in protocol buffers deliver what those in JSON do, and those on the metadata of
//! instances what a stop needs.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use bootstorm_engine::cluster::changes::{ChangeEvent, Changes};
use bootstorm_engine::cluster::insight::Insight;
use bootstorm_engine::cluster::launchers::Pod;
use bootstorm_engine::cluster::metadata::Watched;
use bootstorm_engine::cluster::scope::Scope;
use bootstorm_engine::cluster::watch::{Needs, Watch, WatchEvent};
use bootstorm_model::observe::Change;
use bootstorm_sandbox::faults::Action;
use bootstorm_sandbox::store::{Store, kind};
use bootstorm_sandbox::value::json;

use local::{Local, on_paused_time};

const VMS: usize = 3;

/// What a watch has delivered so far.
async fn heard<T: Watched>(watch: &mut Watch<T>) -> Vec<WatchEvent<T>> {
    let mut heard = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(1), watch.next()).await {
        heard.push(delivery.event);
    }
    heard
}

/// The changes, in their order.
async fn changes<T: Watched + Debug>(watches: &mut [Watch<T>]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for watch in watches {
        let changes = heard(watch).await.into_iter().filter_map(|event| match event {
            WatchEvent::Changed(object) => Some(format!("{object:?}")),
            WatchEvent::Removed(object) => Some(format!("removed {object:?}")),
            WatchEvent::Unreadable(fault) => panic!("{fault}"),
            _ => None,
        });
        all.push(changes.collect());
    }
    all
}

/// The launchers that are there, and the number of lists.
async fn present(watch: &mut Watch<Pod>) -> (BTreeMap<String, String>, usize) {
    let (mut present, mut lists) = (BTreeMap::new(), 0);
    let launcher =
        |pod: Pod| pod.launcher(false).map(|launcher| (launcher.uid.clone(), format!("{launcher:?}")));
    for event in heard(watch).await {
        match event {
            WatchEvent::Listed(pods) => {
                present = pods.into_iter().filter_map(launcher).collect();
                lists += 1;
            }
            WatchEvent::Changed(pod) => present.extend(launcher(pod)),
            WatchEvent::Removed(pod) => _ = launcher(pod).map(|(uid, _)| present.remove(&uid)),
            WatchEvent::Unreadable(fault) => panic!("{fault}"),
            _ => {}
        }
    }
    (present, lists)
}

/// What a stop needs of the changes of instances, and how many changes came without a node.
async fn stopped(changes: &mut Changes) -> (Vec<String>, usize) {
    let (mut told, mut without_node) = (Vec::new(), 0);
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(1), changes.next()).await {
        let ChangeEvent::Changes(changes) = delivery.event else { continue };
        for change in changes {
            told.push(match change {
                Change::Present(instance) => {
                    without_node += usize::from(instance.node.is_none());
                    format!("{} {:?} {:?}", instance.uid, instance.created, instance.deleted)
                }
                Change::Absent { uid, .. } => format!("{uid} is gone"),
            });
        }
    }
    (told, without_node)
}

fn create(store: &Store) {
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "shop"}})).unwrap();
    for number in 0..VMS {
        let spec = json!({"runStrategy": "Always", "template": {"spec": {
            "domain": {"memory": {"guest": "256Mi"}, "devices": {}}}}});
        let vm = json!({"metadata": {"name": format!("vm-{number}"), "namespace": "shop"}, "spec": spec});
        store.create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    }
}

fn switch(store: &Store, strategy: &str) {
    for number in 0..VMS {
        store.modify(&kind::VIRTUAL_MACHINES, "shop", &format!("vm-{number}"), |vm| {
            vm["spec"]["runStrategy"] = json!(strategy);
        });
    }
}

#[test]
fn a_storm_is_the_same_in_protocol_buffers_and_in_json() {
    on_paused_time(async {
        let local = Local::of("default", 2, 7);
        let store = local.sandbox.store();
        let mut one = Insight::open(&local.cluster(), &Scope::All, None).await;
        let mut other = Insight::open(&local.plain_cluster(), &Scope::All, None).await;
        assert_eq!(local.wire.counted(), one.streams() as u64);
        assert_eq!((&one.missing[..], &other.missing[..]), (&[][..], &[][..]));
        create(store);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        local.act(&Action::CutWatches);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let pods = (changes(&mut one.pods).await, changes(&mut other.pods).await);
        assert!(pods.0[0].len() > 5 * VMS, "{:?}", pods.0);
        assert_eq!(pods.0, pods.1);
        let events = (changes(&mut one.events).await, changes(&mut other.events).await);
        assert!(events.0[0].len() > VMS, "{:?}", events.0);
        assert_eq!(events.0, events.1);

        switch(store, "Halted");
        tokio::time::sleep(Duration::from_secs(2)).await;
        local.act(&Action::Restart(Duration::from_secs(5)));
        tokio::time::sleep(Duration::from_secs(90)).await;
        switch(store, "Always");
        tokio::time::sleep(Duration::from_secs(90)).await;
        let (one, other) = (present(&mut one.pods[0]).await, present(&mut other.pods[0]).await);
        assert!(one.1 > 0 && one.0.len() == VMS, "{one:?}");
        assert_eq!(one.0, other.0);
    });
}

#[test]
fn a_stop_is_the_same_in_metadata_and_in_whole_objects() {
    on_paused_time(async {
        let local = Local::of("default", 2, 7);
        let store = local.sandbox.store();
        create(store);
        tokio::time::sleep(Duration::from_secs(120)).await;
        let cluster = local.cluster();
        let open = |needs| Changes::open(&cluster, &Scope::All, "", needs);
        let mut one = open(Needs::MetadataOfChanges).await.unwrap();
        let mut other = open(Needs::Objects).await.unwrap();
        let (first, second) = (stopped(&mut one).await, stopped(&mut other).await);
        assert_eq!((first.0.len(), first.1), (VMS, 0), "lists are of whole objects: {first:?}");
        assert_eq!(first, second);

        switch(store, "Halted");
        tokio::time::sleep(Duration::from_millis(500)).await;
        local.act(&Action::CutWatches);
        tokio::time::sleep(Duration::from_secs(90)).await;
        let ((metadata, briefly), (whole, at_length)) = (stopped(&mut one).await, stopped(&mut other).await);
        assert_eq!(metadata, whole);
        assert_eq!(metadata.iter().filter(|told| told.ends_with("is gone")).count(), VMS, "{metadata:?}");
        assert_eq!((briefly, at_length), (metadata.len() - VMS, 0), "changes have no status");
    });
}
