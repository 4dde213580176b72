//! Faults of the whole server: cuts, outages, restarts, lost history, a new token.

use std::time::Duration;

use bootstorm_sandbox::faults::{Action, Fault, read_text};
use bootstorm_sandbox::value::{Value, json};
use futures::{Stream, StreamExt};
use http::Method;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::cluster::{Cluster, MACHINES, machine};

fn fault(text: &str) -> Fault {
    read_text(text).unwrap().remove(0)
}

/// Whether a connection is reset before anything is sent.
async fn is_reset(cluster: &Cluster) -> bool {
    let address = cluster.server.url.trim_start_matches("https://");
    let Ok(mut stream) = TcpStream::connect(address).await else { return true };
    let mut byte = [0];
    // A live server waits for the client to start.
    match tokio::time::timeout(Duration::from_millis(100), stream.read(&mut byte)).await {
        Ok(read) => !matches!(read, Ok(1)),
        Err(_) => false,
    }
}

async fn until_back(cluster: &Cluster) {
    while is_reset(cluster).await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads a watch to its end; true if it was cut.
async fn breaks(mut watch: impl Stream<Item = Result<Value, hyper::Error>> + Unpin) -> bool {
    while let Some(event) = watch.next().await {
        if event.is_err() {
            return true;
        }
    }
    false
}

async fn version(cluster: &Cluster) -> String {
    let list = cluster.get(MACHINES).await.json();
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

fn watch_from(version: &str) -> String {
    format!("{MACHINES}?watch=1&resourceVersion={version}")
}

#[tokio::test]
async fn watches_are_cut_by_the_clock() {
    let cluster = Cluster::start().await;
    let path = watch_from(&version(&cluster).await);
    cluster.faults.add(fault("{effect: watch-cut, after: 50ms, every: 50ms}"));
    for _ in 0..2 {
        assert!(breaks(Box::pin(cluster.watch(&path).await)).await);
    }
}

#[tokio::test]
async fn lost_history_is_gone() {
    let cluster = Cluster::start().await;
    let old = version(&cluster).await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    cluster.faults.add(fault("{effect: expire, count: 1, match: {verb: get, resource: nodes}}"));
    cluster.get("/api/v1/nodes/node-1").await;
    let mut watch = Box::pin(cluster.watch(&watch_from(&old)).await);
    let event = watch.next().await.unwrap().unwrap();
    assert_eq!((&event["type"], &event["object"]["code"]), (&json!("ERROR"), &json!(410)));
}

#[tokio::test]
async fn an_outage_cuts_what_is_open_and_resets_what_comes() {
    let cluster = Cluster::start().await;
    let old = version(&cluster).await;
    let watch = Box::pin(cluster.watch(&watch_from(&old)).await);
    let mut idle = cluster.connect().await;
    cluster.faults.outage(Duration::from_secs(3_600));
    assert!(breaks(watch).await);
    assert!(idle.send_request(cluster.request(Method::GET, MACHINES, &[], "")).await.is_err());
    assert!(is_reset(&cluster).await);
    cluster.faults.clear();
    assert!(!is_reset(&cluster).await);
    // The server was unreachable, not restarted: its state is kept.
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let mut watch = Box::pin(cluster.watch(&watch_from(&old)).await);
    assert_eq!(watch.next().await.unwrap().unwrap()["type"], "ADDED");
}

#[tokio::test]
async fn a_restart_comes_back_on_its_port_without_history() {
    let cluster = Cluster::start().await;
    let old = version(&cluster).await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    cluster.faults.add(fault("{effect: restart, for: 150ms, count: 1, match: {verb: patch}}"));
    let media = [("content-type", "application/merge-patch+json")];
    let path = format!("{MACHINES}/a");
    assert!(cluster.send(Method::PATCH, &path, &media, "{}").await.is_err());
    until_back(&cluster).await;
    assert_eq!(cluster.get(&path).await.code, 200);
    let mut watch = Box::pin(cluster.watch(&watch_from(&old)).await);
    assert_eq!(watch.next().await.unwrap().unwrap()["object"]["code"], 410);
}

#[tokio::test]
async fn an_outage_comes_and_goes_by_the_clock() {
    let cluster = Cluster::start().await;
    let watch = Box::pin(cluster.watch(&watch_from(&version(&cluster).await)).await);
    cluster.faults.add(fault("{effect: outage, after: 20ms, for: 100ms}"));
    assert!(breaks(watch).await);
    until_back(&cluster).await;
    assert_eq!(cluster.get(MACHINES).await.code, 200);
}

#[tokio::test]
async fn an_old_token_opens_nothing() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.get(MACHINES).await.code, 200);
    cluster.server.act(&Action::Rotate);
    let refused = cluster.get(MACHINES).await;
    assert_eq!((refused.code.as_u16(), refused.message()), (401, "Unauthorized".to_owned()));
    let header = format!("Bearer {}", cluster.server.current_token());
    let headers = [("authorization", header.as_str())];
    assert_eq!(cluster.send(Method::GET, MACHINES, &headers, "").await.unwrap().code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconfigs_follow_the_token() {
    let cluster = Cluster::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    cluster.server.write_exec_kubeconfig(&path).unwrap();
    let config = std::fs::read_to_string(&path).unwrap();
    let token = |cluster: &Cluster| cluster.server.current_token();
    let credential = folder.path().join("config.credential.json");
    let told = || {
        let text = std::fs::read_to_string(&credential).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["status"]["token"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(), token(&cluster));
    let before = told();
    cluster.faults.add(fault("{effect: unauthorized, count: 1, match: {verb: get, resource: nodes}}"));
    // The request that triggers it has already shown the token.
    assert_eq!(cluster.get("/api/v1/nodes/node-1").await.code, 200);
    assert!(told() != before && told() == token(&cluster));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), config);
    // The plain kubeconfig was rewritten, and the other one reads the file.
    cluster.kubectl(&["get", "nodes"]).await.fine();
    cluster.kubectl(&["get", "nodes", "--kubeconfig", &path.to_string_lossy()]).await.fine();
    cluster.server.stop().await;
    assert!(!credential.exists());
}
