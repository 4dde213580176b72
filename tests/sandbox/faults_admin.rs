//! The sandbox's own paths, with `kubectl` and directly.

use bootstorm_sandbox::value::{Value, json};
use http::Method;

use super::cluster::{Cluster, MACHINES, machine};

const FAULTS: &str = "/bootstorm/faults";

#[tokio::test]
async fn faults_are_added_listed_and_taken_back() {
    let cluster = Cluster::start().await;
    let added = cluster.post(FAULTS, &json!({"effect": "conflict", "match": {"verb": "list"}})).await;
    assert_eq!((added.code.as_u16(), &added.json()["id"]), (201, &json!(1)));
    let two = json!({"faults": [{"effect": "cut"}, {"effect": "watch-cut", "after": "1h"}]});
    assert_eq!(cluster.post(FAULTS, &two).await.json()["ids"], json!([2, 3]));
    assert_eq!(cluster.send(Method::DELETE, &format!("{FAULTS}/2"), &[], "").await.unwrap().code, 200);
    assert_eq!(cluster.send(Method::DELETE, &format!("{FAULTS}/2"), &[], "").await.unwrap().code, 404);
    let yaml = "{effect: cut, match: {verb: watch|list}, after: 1h}";
    let added = cluster.send(Method::POST, FAULTS, &[], yaml).await.unwrap();
    assert_eq!(added.json()["id"], 4);
    cluster.send(Method::DELETE, &format!("{FAULTS}/4"), &[], "").await.unwrap();
    assert_eq!(cluster.get(MACHINES).await.code, 409);
    let expected = json!({"denied": [], "faults": [
        {"id": 1, "effect": "answer", "code": 409, "match": {"verb": "list"}, "struck": 1},
        {"id": 3, "effect": "watch-cut", "after": 3600.0, "struck": 0},
    ]});
    assert_eq!(cluster.get(FAULTS).await.json(), expected);
    assert_eq!(cluster.send(Method::DELETE, FAULTS, &[], "").await.unwrap().code, 200);
    assert_eq!(cluster.get(MACHINES).await.code, 200);
}

#[tokio::test]
async fn mistakes_are_refused_in_words() {
    let cluster = Cluster::start().await;
    let wrong = cluster.post(FAULTS, &json!({"effect": "explode"})).await;
    assert_eq!(wrong.code, 400);
    assert!(wrong.message().starts_with("fault 1: unknown effect \"explode\"; known: delay"), "{wrong:?}");
    let word = cluster.post("/bootstorm/faults/now/explode", &json!({})).await;
    assert!(word.code == 400 && word.message().contains("watch-cut, exec-cut"), "{word:?}");
    let time = cluster.post("/bootstorm/faults/now/outage?for=long", &json!({})).await;
    assert!(time.code == 400 && time.message().contains("write it like 90s"), "{time:?}");
    assert_eq!(cluster.get("/bootstorm/nothing").await.code, 404);
    assert_eq!(
        cluster.send(Method::DELETE, "/bootstorm/faults/now/expire", &[], "").await.unwrap().code,
        405
    );
    let nobody = [("authorization", "Bearer nobody")];
    assert_eq!(cluster.send(Method::GET, FAULTS, &nobody, "").await.unwrap().code, 401);
}

#[tokio::test]
async fn faults_never_stand_in_the_way_of_their_own_path() {
    let cluster = Cluster::start().await;
    cluster.post(FAULTS, &json!({"effect": "cut"})).await;
    assert!(cluster.send(Method::GET, "/version", &[], "").await.is_err());
    assert_eq!(cluster.get(FAULTS).await.code, 200);
}

#[tokio::test]
async fn whoever_asks_for_a_restart_is_answered() {
    let cluster = Cluster::start().await;
    let mut other = cluster.connect().await;
    for word in ["restart?for=1ms", "outage?for=1ms", "expire", "watch-cut", "exec-cut"] {
        let answer = cluster.post(&format!("{FAULTS}/now/{word}"), &json!({})).await;
        assert_eq!((answer.code.as_u16(), &answer.json()["status"]), (200, &json!("Success")), "{word}");
        while cluster.faults.is_out() {
            tokio::task::yield_now().await;
        }
    }
    assert!(other.send_request(cluster.request(Method::GET, MACHINES, &[], "")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads_the_books_and_switches_faults() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await.fine();
    let raw = |path: &'static str| {
        let cluster = &cluster;
        async move { cluster.kubectl(&["get", "--raw", path]).await.fine() }
    };
    let books: Value = serde_json::from_str(&raw("/bootstorm/ledger").await).unwrap();
    assert_eq!(books["machines"][0]["creates"], json!({"requests": 1, "changes": 1}));
    assert_eq!(
        (&books["machines"][0]["namespace"], &books["machines"][0]["name"]),
        (&json!("default"), &json!("vm1"))
    );
    let entry =
        json!({"effect": "answer", "code": 403, "message": "not today", "match": {"resource": "nodes"}});
    cluster.kubectl_with(&["create", "--raw", FAULTS, "-f", "-"], &entry).await.fine();
    let refused = cluster.kubectl(&["get", "nodes"]).await;
    assert!(!refused.ok && refused.stderr.contains("not today"), "{}", refused.stderr);
    assert!(raw(FAULTS).await.contains("not today"));
    cluster.kubectl(&["delete", "--raw", FAULTS]).await.fine();
    cluster.kubectl(&["get", "nodes"]).await.fine();
    cluster.kubectl(&["delete", "--raw", "/bootstorm/ledger"]).await.fine();
    let books: Value = serde_json::from_str(&raw("/bootstorm/ledger").await).unwrap();
    assert_eq!(books["machines"], json!([]));
}
