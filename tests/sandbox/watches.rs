//! Watches over HTTP.

use std::pin::pin;

use bootstorm_sandbox::store::kind::VIRTUAL_MACHINES;
use bootstorm_sandbox::value::{Value, json};
use futures::{Stream, StreamExt};

use super::cluster::{Cluster, MACHINES, machine};

async fn next(events: &mut (impl Stream<Item = Result<Value, hyper::Error>> + Unpin)) -> (String, Value) {
    let event = events.next().await.unwrap().unwrap();
    (event["type"].as_str().unwrap().to_owned(), event["object"].clone())
}

#[tokio::test]
async fn changes_arrive_as_they_happen() {
    let cluster = Cluster::start().await;
    let version = cluster.get(MACHINES).await.json()["metadata"]["resourceVersion"].clone();
    let path = format!("{MACHINES}?watch=true&resourceVersion={}", version.as_str().unwrap());
    let mut events = pin!(cluster.watch(&path).await);
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let (kind, object) = next(&mut events).await;
    assert_eq!((kind.as_str(), &object["metadata"]["name"]), ("ADDED", &json!("a")));
    cluster.merge(&format!("{MACHINES}/a"), &json!({"spec": {"runStrategy": "Always"}})).await;
    assert_eq!(next(&mut events).await.0, "MODIFIED");
    cluster.send(http::Method::DELETE, &format!("{MACHINES}/a"), &[], "").await.unwrap();
    assert_eq!(next(&mut events).await.0, "DELETED");
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?watch=1&labelSelector=in")).await);
    let label = async |value: Value| {
        cluster.merge(&format!("{MACHINES}/a"), &json!({"metadata": {"labels": {"in": value}}})).await
    };
    label(json!("1")).await;
    assert_eq!(next(&mut events).await.0, "ADDED");
    label(json!("2")).await;
    assert_eq!(next(&mut events).await.0, "MODIFIED");
    let left = label(Value::Null).await.json();
    let (kind, object) = next(&mut events).await;
    assert_eq!((kind.as_str(), &object["metadata"]["labels"]["in"]), ("DELETED", &json!("2")));
    assert_eq!(object["metadata"]["resourceVersion"], left["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn what_exists_comes_first_when_asked() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?{query}")).await);
    assert_eq!(next(&mut events).await.0, "ADDED");
    let (kind, object) = next(&mut events).await;
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(object["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    assert_eq!(object.as_object().unwrap().len(), 3);
    cluster.post(MACHINES, &machine("b", "Halted")).await;
    assert_eq!(next(&mut events).await.0, "ADDED");
}

#[tokio::test]
async fn the_forgotten_past_is_an_error_event() {
    let cluster = Cluster::start().await;
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?watch=1&resourceVersion=1")).await);
    let (kind, status) = next(&mut events).await;
    assert_eq!(
        (kind.as_str(), &status["code"], &status["reason"]),
        ("ERROR", &json!(410), &json!("Expired"))
    );
    assert!(status["message"].as_str().unwrap().starts_with("too old resource version: 1 ("));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_watch_ends_cleanly_in_time_and_with_the_server() {
    let cluster = Cluster::start().await;
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?watch=1&timeoutSeconds=1")).await);
    assert!(events.next().await.is_none());
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?watch=1")).await);
    cluster.server.stop().await;
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_cut_watch_is_broken() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let mut events = pin!(cluster.watch(&format!("{MACHINES}?watch=1")).await);
    next(&mut events).await;
    cluster.faults.cut_watches();
    assert!(events.next().await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_changes_is_seen_whole() {
    let cluster = Cluster::start().await;
    let version = cluster.store.revision();
    let path = format!("/apis/kubevirt.io/v1/virtualmachines?watch=1&resourceVersion={version}");
    let mut events = pin!(cluster.watch(&path).await);
    let store = cluster.store.clone();
    let writing = tokio::task::spawn_blocking(move || {
        for number in 0..1_000 {
            let mut vm = machine(&format!("vm{number}"), "Halted");
            vm["metadata"]["namespace"] = json!("default");
            store.create(&VIRTUAL_MACHINES, vm).unwrap();
            store.modify(&VIRTUAL_MACHINES, "default", &format!("vm{number}"), |vm| {
                vm["status"] = json!({"x": 1});
            });
        }
    });
    let mut last = version;
    for _ in 0..2_000 {
        let (_, object) = next(&mut events).await;
        let revision = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        assert!(revision > last);
        last = revision;
    }
    writing.await.unwrap();
}
