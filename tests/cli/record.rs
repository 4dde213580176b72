//! The record in the cluster: readable, guarded, rejected if newer, reported by name if damaged.

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use crate::support::Cluster;

const HEAD: &str = "bootstorm-boot-storm-test";

#[test]
fn the_head_tells_people_where_the_run_stands() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let head = cluster.sandbox.store().get(&kind::CONFIG_MAPS, "default", HEAD).unwrap();
    let annotations = &head.value()["metadata"]["annotations"];
    for (word, value) in
        [("phase", "create"), ("state", "done"), ("targets", "2"), ("reached", "2"), ("failed", "0")]
    {
        assert_eq!(annotations[format!("bootstorm.dev/{word}")], value);
    }
    let plan: bootstorm_sandbox::value::Value =
        serde_json::from_str(head.value()["data"]["plan.json"].as_str().unwrap()).unwrap();
    assert_eq!(plan["plan"]["end"], 2);
    let (maps, _) = cluster.sandbox.store().list(&kind::CONFIG_MAPS, Some("default"));
    let parts: Vec<_> = maps.iter().filter(|map| map.name().starts_with(&format!("{HEAD}.create"))).collect();
    assert_eq!(parts.len(), 1, "old versions of a part are deleted");
    assert_eq!(parts[0].value()["immutable"], true);
    assert_eq!(parts[0].value()["metadata"]["ownerReferences"][0]["uid"], head.uid());
}

#[test]
fn a_newer_format_is_refused() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let newer =
        |head: &mut bootstorm_sandbox::value::Value| head["data"]["plan.json"] = json!(r#"{"format": 99}"#);
    cluster.sandbox.store().modify(&kind::CONFIG_MAPS, "default", HEAD, newer);
    cluster.run(&["create"]).exits(1).complains(&["format 99", "newer kubectl-bootstorm"]);
}

#[test]
fn a_missing_part_is_named() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let store = cluster.sandbox.store();
    let (maps, _) = store.list(&kind::CONFIG_MAPS, Some("default"));
    let part = maps.iter().find(|map| map.name().starts_with(&format!("{HEAD}."))).unwrap();
    store.remove(&kind::CONFIG_MAPS, "default", part.name(), part.uid());
    cluster.run(&["report"]).exits(1).complains(&["is missing", part.name()]);
}

#[test]
fn a_second_process_is_told_who_works_on_the_run() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let now = jiff_now();
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": HEAD, "namespace": "default", "labels": {"bootstorm.dev/role": "lock"}},
        "spec": {"holderIdentity": "alice@laptop/4711", "leaseDurationSeconds": 60, "acquireTime": now, "renewTime": now}});
    cluster.sandbox.store().create(&kind::LEASES, lease).unwrap();
    cluster
        .run(&["create"])
        .exits(1)
        .complains(&["another process is working on run \"boot-storm-test\"", "alice@laptop/4711"]);
    let status = cluster.run(&["status"]).exits(0);
    status.prints(&["alice@laptop/4711 has been working on it for", "Next: wait for it"]);
    let stale = |lease: &mut bootstorm_sandbox::value::Value| {
        lease["spec"]["renewTime"] = json!("2026-01-01T00:00:00.000000Z");
    };
    cluster.sandbox.store().modify(&kind::LEASES, "default", HEAD, stale);
    cluster.run(&["create"]).exits(0);
    assert!(cluster.sandbox.store().get(&kind::LEASES, "default", HEAD).is_none(), "it is given back");
}

fn jiff_now() -> String {
    bootstorm_model::observe::clock::wall_now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
