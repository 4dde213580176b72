//! Faults of single responses, with entries as in a file.

use std::time::Duration;

use bootstorm_sandbox::faults::read_text;
use bootstorm_sandbox::value::json;
use http::Method;

use super::cluster::{Cluster, MACHINES, machine};

/// A cluster with one VM and these faults.
async fn with(text: &str) -> Cluster {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.post(MACHINES, &machine("a", "Halted")).await.code, 201);
    for fault in read_text(text).unwrap() {
        cluster.faults.add(fault);
    }
    cluster
}

fn a() -> String {
    format!("{MACHINES}/a")
}

#[tokio::test]
async fn an_answer_may_say_anything() {
    let text = "
effect: answer
match: {verb: get, resource: virtualmachines, name: 'a*'}
code: 503
retryAfter: 3
reason: Overloaded
message: \"red \\e[31m bell \\a line\\nend\"
count: 1
";
    let cluster = with(text).await;
    let answer = cluster.get(&a()).await;
    assert_eq!((answer.code.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "3"));
    assert_eq!(answer.message(), "red \u{1b}[31m bell \u{7} line\nend");
    assert_eq!(answer.json()["reason"], "Overloaded");
    assert_eq!(cluster.get(&a()).await.code, 200);
}

#[tokio::test]
async fn the_known_answers_have_words() {
    let text = "
- {effect: throttled, count: 1, match: {verb: get}}
- {effect: throttled, count: 1, retryAfter: 1s, message: slow down, match: {verb: list}}
- {effect: conflict, count: 1, match: {verb: patch}}
- {effect: patch-race, count: 1, match: {resource: virtualmachines/start}}
";
    let cluster = with(text).await;
    let plain = cluster.get(&a()).await;
    assert_eq!((plain.code.as_u16(), plain.headers.get("retry-after")), (429, None));
    assert_eq!(plain.body, "Too many requests, please try again later.\n");
    let worded = cluster.get(MACHINES).await;
    assert_eq!((worded.code.as_u16(), worded.message()), (429, "slow down".to_owned()));
    assert_eq!(worded.json()["details"]["retryAfterSeconds"], 1);
    let conflict = cluster.merge(&a(), &json!({"spec": {"runStrategy": "Always"}})).await;
    assert_eq!((conflict.code.as_u16(), &conflict.json()["reason"]), (409, &json!("Conflict")));
    assert!(conflict.message().starts_with("the object has been modified"));
    let start = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/a/start";
    let race = cluster.put(start, &json!({})).await;
    let said = "Internal error occurred: the server rejected our request due to an error in our request";
    assert_eq!((race.code.as_u16(), race.message()), (500, said.to_owned()));
    assert_eq!(cluster.get(&a()).await.json()["spec"]["runStrategy"], "Halted");
    assert_eq!(cluster.put(start, &json!({})).await.code, 202);
}

#[tokio::test]
async fn an_answer_may_end_in_the_middle() {
    let cluster = with("{effect: truncate, count: 1, match: {verb: patch}}").await;
    let mut sender = cluster.connect().await;
    let media = [("content-type", "application/merge-patch+json")];
    let request = cluster.request(Method::PATCH, &a(), &media, r#"{"spec":{"runStrategy":"Always"}}"#);
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = response.into_body();
    let mut read = 0;
    let error = loop {
        match http_body_util::BodyExt::frame(&mut body).await.expect("an end by error") {
            Ok(frame) => read += frame.data_ref().map_or(0, hyper::body::Bytes::len),
            Err(error) => break error,
        }
    };
    assert!(read > 0 && read < promised, "{read} of {promised}: {error}");
    // It was carried out nevertheless.
    assert_eq!(cluster.get(&a()).await.json()["spec"]["runStrategy"], "Always");
}

#[tokio::test]
async fn a_request_may_hang_until_its_client_gives_up() {
    let cluster = with("{effect: hang, count: 1, match: {verb: delete}}").await;
    let path = a();
    let answer = cluster.send(Method::DELETE, &path, &[], "");
    assert!(tokio::time::timeout(Duration::from_millis(300), answer).await.is_err());
    assert_eq!(cluster.get(&a()).await.code, 200);
    // A server that stops does not wait for hanging requests.
    cluster.faults.add(read_text("{effect: hang}").unwrap().remove(0));
    let mut sender = cluster.connect().await;
    let hanging = tokio::spawn(sender.send_request(cluster.request(Method::GET, &a(), &[], "")));
    while cluster.server.ledger().count("get", "virtualmachines").received < 2 {
        tokio::task::yield_now().await;
    }
    cluster.server.stop().await;
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn permissions_may_be_missing_for_a_while() {
    let cluster = with("{effect: deny, match: {verb: patch, resource: virtualmachines, name: a}}").await;
    let patch = json!({"spec": {"runStrategy": "Always"}});
    assert_eq!(cluster.merge(&a(), &patch).await.code, 403);
    let asked = json!({"spec": {"resourceAttributes": {
        "verb": "patch", "group": "kubevirt.io", "resource": "virtualmachines", "namespace": "default", "name": "a",
    }}});
    let review = cluster.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &asked).await;
    assert_eq!(review.json()["status"]["allowed"], false);
    cluster.faults.clear();
    assert_eq!(cluster.merge(&a(), &patch).await.code, 200);
}

#[tokio::test]
async fn roles_pick_out_objects_new_ones_and_collections() {
    let cluster = with("{effect: conflict, match: {role: target}}").await;
    assert_eq!(cluster.get(&a()).await.code, 200);
    let mut target = machine("b", "Halted");
    target["metadata"]["labels"] = json!({"bootstorm.dev/role": "target"});
    assert_eq!(cluster.post(MACHINES, &target).await.code, 409);
    let selected = format!("{MACHINES}?labelSelector=x%3Dy%2Cbootstorm.dev%2Frole%3Dtarget");
    assert_eq!(cluster.get(&selected).await.code, 409);
    assert_eq!(cluster.get(MACHINES).await.code, 200);
}

#[tokio::test]
async fn a_creation_has_the_name_of_what_it_creates() {
    let cluster = with("{effect: cut, match: {verb: create, name: 'vm-*'}}").await;
    let send = |name: &str| {
        let text = machine(name, "Halted").to_string();
        let cluster = &cluster;
        async move { cluster.send(Method::POST, MACHINES, &[], &text).await }
    };
    assert!(send("vm-1").await.is_err());
    assert_eq!(send("other").await.unwrap().code, 201);
}
