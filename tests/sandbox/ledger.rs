//! The sandbox's ledger.

use bootstorm_sandbox::faults::read_text;
use bootstorm_sandbox::ledger::{Account, Count, Tally};
use bootstorm_sandbox::value::json;
use http::Method;

use super::cluster::{Cluster, MACHINES, machine};

const START: &str = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/a/start";

fn tally(requests: u64, changes: u64) -> Tally {
    Tally { requests, changes }
}

#[tokio::test]
async fn a_repeated_patch_is_a_request_and_no_change() {
    let cluster = Cluster::start().await;
    let ledger = cluster.server.ledger();
    let path = format!("{MACHINES}/a");
    assert_eq!(cluster.post(MACHINES, &machine("a", "Halted")).await.code, 201);
    assert_eq!(cluster.post(MACHINES, &machine("a", "Halted")).await.code, 409);
    for strategy in ["Always", "Always", "Halted"] {
        let patch = json!({"spec": {"runStrategy": strategy}});
        assert_eq!(cluster.merge(&path, &patch).await.code, 200);
    }
    // A patch of something else is no start.
    assert_eq!(cluster.merge(&path, &json!({"metadata": {"labels": {"a": "b"}}})).await.code, 200);
    assert_eq!(cluster.put(START, &json!({"dryRun": ["All"]})).await.code, 202);
    assert_eq!(cluster.put(START, &json!({})).await.code, 202);
    assert_eq!(cluster.put(START, &json!({})).await.code, 409);
    let mut vm = cluster.get(&path).await.json();
    vm["spec"]["runStrategy"] = json!("Halted");
    assert_eq!(cluster.put(&path, &vm).await.code, 200);
    for code in [200, 404] {
        assert_eq!(cluster.send(Method::DELETE, &path, &[], "").await.unwrap().code, code);
    }
    let expected = Account {
        creates: tally(2, 1),
        starts: tally(5, 2),
        stops: tally(2, 2),
        restarts: tally(0, 0),
        deletes: tally(2, 1),
    };
    assert_eq!(ledger.machine("default", "a"), expected);
    assert_eq!(ledger.count("create", "virtualmachines"), Count { received: 2, carried_out: 1 });
    assert_eq!(ledger.count("patch", "virtualmachines"), Count { received: 4, carried_out: 4 });
    let starts = ledger.count_of("update", "virtualmachines/start", "default", "a");
    assert_eq!(starts, Count { received: 3, carried_out: 2 });
}

#[tokio::test]
async fn lost_and_refused_requests_are_told_apart() {
    let cluster = Cluster::start().await;
    let text = "
- {effect: cut, count: 1, match: {verb: create}}
- {effect: cut-after, count: 1, match: {verb: create}}
";
    for fault in read_text(text).unwrap() {
        cluster.faults.add(fault);
    }
    let vm = machine("a", "Always").to_string();
    for _ in 0..2 {
        // The first one is cut before it is carried out; both rules match it.
        let _ = cluster.send(Method::POST, MACHINES, &[], &vm).await;
    }
    let ledger = cluster.server.ledger();
    assert_eq!(ledger.machine("default", "a").creates, tally(2, 1));
    assert_eq!(ledger.machine("default", "a").starts, tally(0, 0));
    assert_eq!(ledger.count("create", "virtualmachines"), Count { received: 2, carried_out: 1 });
}

#[tokio::test]
async fn a_collection_is_deleted_machine_by_machine() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        cluster.post(MACHINES, &machine(name, "Halted")).await;
    }
    assert_eq!(cluster.send(Method::DELETE, MACHINES, &[], "").await.unwrap().code, 200);
    let machines = cluster.server.ledger().machines();
    let deletes: Vec<Tally> = machines.values().map(|account| account.deletes).collect();
    assert_eq!(deletes, [tally(1, 1), tally(1, 1)]);
    assert_eq!(cluster.server.ledger().count("deletecollection", "virtualmachines").carried_out, 1);
}
