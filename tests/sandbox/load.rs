//! How much the sandbox carries. Measurements, not tests: run them by name, with `--release`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bootstorm::sandbox::store::Store;
use bootstorm::sandbox::store::kind::{NAMESPACES, VIRTUAL_MACHINES};
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use super::cluster::{Cluster, MACHINES, machine};

const CLIENTS: usize = 100;
const REQUESTS: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
async fn patches_a_second() {
    let cluster = Arc::new(Cluster::start().await);
    for number in 0..CLIENTS {
        cluster.post(MACHINES, &machine(&format!("vm{number}"), "Halted")).await;
    }
    let (next, mut clients) = (Arc::new(AtomicUsize::new(0)), Vec::new());
    for number in 0..CLIENTS {
        let mut sender = cluster.connect().await;
        let (cluster, next) = (cluster.clone(), next.clone());
        clients.push(async move {
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                if turn >= REQUESTS {
                    return;
                }
                let body = json!({"spec": {"runStrategy": if (turn / CLIENTS).is_multiple_of(2) { "Always" } else { "Halted" }}});
                let media = [("content-type", "application/merge-patch+json")];
                let path = format!("{MACHINES}/vm{number}");
                let response = sender.send_request(cluster.request(Method::PATCH, &path, &media, &body.to_string())).await;
                let response = response.unwrap();
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.unwrap();
                sender.ready().await.unwrap();
            }
        });
    }
    let began = Instant::now();
    let tasks: Vec<_> = clients.into_iter().map(tokio::spawn).collect();
    for task in tasks {
        task.await.unwrap();
    }
    println!("{:.0} patches a second", REQUESTS as f64 / began.elapsed().as_secs_f64());
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn changes_a_second() {
    let store = Store::new();
    store.create(&NAMESPACES, json!({"metadata": {"name": "default"}})).unwrap();
    let began = Instant::now();
    for number in 0..10_000 {
        let mut vm = machine(&format!("vm{number}"), "Halted");
        vm["metadata"]["namespace"] = json!("default");
        store.create(&VIRTUAL_MACHINES, vm).unwrap();
    }
    for round in 0..15 {
        for number in 0..10_000 {
            store.modify(&VIRTUAL_MACHINES, "default", &format!("vm{number}"), |vm| {
                vm["status"] = json!({"round": round});
            });
        }
    }
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = memory.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned();
    println!("{:.0} changes a second, {memory}", 160_000.0 / began.elapsed().as_secs_f64());
}
