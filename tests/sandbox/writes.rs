//! Creating, changing and deleting over HTTP, with the exact rejections.

use bootstorm_sandbox::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use bootstorm_sandbox::value::{Value, json};
use http::Method;

use super::cluster::{Cluster, MACHINES, machine};

#[tokio::test]
async fn a_new_machine_gets_its_defaults() {
    let cluster = Cluster::start().await;
    let mut vm = machine("a", "Halted");
    vm["status"] = json!({"printableStatus": "Running"});
    let created = cluster.post(MACHINES, &vm).await;
    assert_eq!(created.code, 201);
    let vm = created.json();
    assert_eq!(vm.get("status"), None);
    assert_eq!(vm["metadata"]["generation"], 1);
    let spec = &vm["spec"]["template"]["spec"];
    assert_eq!((&spec["architecture"], &spec["domain"]["machine"]["type"]), (&json!("amd64"), &json!("q35")));
    assert!(spec["domain"]["firmware"]["uuid"].is_string());
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let cluster = Cluster::start().await;
    let elsewhere = "/apis/kubevirt.io/v1/namespaces/nosuch/virtualmachines";
    let missing = cluster.post(elsewhere, &machine("a", "Halted")).await;
    assert_eq!((missing.code.as_u16(), missing.message()), (404, "namespaces \"nosuch\" not found".into()));
    let mut vm = machine("a", "Halted");
    vm["metadata"]["namespace"] = json!("other");
    assert_eq!(cluster.post(MACHINES, &vm).await.code, 400);
    assert_eq!(cluster.post(MACHINES, &machine("VM", "Halted")).await.code, 422);
    assert_eq!(cluster.post(MACHINES, &machine(&"a".repeat(64), "Halted")).await.code, 201);
    let denied = cluster.post(MACHINES, &machine("b", "Bogus")).await;
    assert_eq!((denied.code.as_u16(), &denied.json()["reason"]), (422, &json!("Invalid")));
    assert_eq!(denied.json()["details"]["causes"][0]["reason"], "FieldValueInvalid");
    let anonymous =
        cluster.send(Method::GET, MACHINES, &[("authorization", "Bearer wrong")], "").await.unwrap();
    assert_eq!((anonymous.code.as_u16(), anonymous.message()), (401, "Unauthorized".into()));
    assert_eq!(cluster.get("/apis/nothing/v1/things").await.body, "404 page not found\n");
    assert_eq!(cluster.post(&format!("{MACHINES}/a"), &json!({})).await.code, 405);
}

#[tokio::test]
async fn a_stale_write_is_a_conflict() {
    let cluster = Cluster::start().await;
    let old = cluster.post(MACHINES, &machine("a", "Halted")).await.json();
    let path = format!("{MACHINES}/a");
    let mut new = old.clone();
    new["spec"]["runStrategy"] = json!("Always");
    let updated = cluster.put(&path, &new).await;
    assert_eq!((updated.code.as_u16(), &updated.json()["metadata"]["generation"]), (200, &json!(2)));
    let stale = cluster.put(&path, &old).await;
    assert_eq!(stale.code, 409);
    assert_eq!(
        stale.message(),
        "Operation cannot be fulfilled on virtualmachines.kubevirt.io \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let version = old["metadata"]["resourceVersion"].clone();
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"runStrategy": "Halted"}});
    assert_eq!(cluster.merge(&path, &patch).await.code, 409);
    new["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let unversioned = cluster.put(&path, &new).await;
    assert_eq!(unversioned.code, 422);
    assert!(
        unversioned
            .message()
            .ends_with("metadata.resourceVersion: Invalid value: 0: must be specified for an update")
    );
}

#[tokio::test]
async fn patches_that_change_nothing_are_no_event() {
    let cluster = Cluster::start().await;
    let old = cluster.post(MACHINES, &machine("a", "Halted")).await.json();
    let path = format!("{MACHINES}/a");
    let same = cluster.merge(&path, &json!({"spec": {"runStrategy": "Halted"}})).await.json();
    assert_eq!(same["metadata"]["resourceVersion"], old["metadata"]["resourceVersion"]);
    let dry = cluster.merge(&format!("{path}?dryRun=All"), &json!({"spec": {"runStrategy": "Always"}})).await;
    assert_eq!((dry.code.as_u16(), &dry.json()["spec"]["runStrategy"]), (200, &json!("Always")));
    assert_eq!(cluster.get(&path).await.json()["spec"]["runStrategy"], "Halted");
    let dry = cluster.post(&format!("{MACHINES}?dryRun=All"), &machine("b", "Halted")).await;
    assert_eq!((dry.code.as_u16(), cluster.get(&format!("{MACHINES}/b")).await.code.as_u16()), (201, 404));
    let media = [("content-type", "application/strategic-merge-patch+json")];
    assert_eq!(cluster.send(Method::PATCH, &path, &media, "{}").await.unwrap().code, 415);
    let media = [("content-type", "application/json-patch+json")];
    let test = r#"[{"op":"test","path":"/spec/runStrategy","value":"Always"}]"#;
    let failed = cluster.send(Method::PATCH, &path, &media, test).await.unwrap();
    assert_eq!(
        (failed.code.as_u16(), failed.message()),
        (422, "the server rejected our request due to an error in our request".into())
    );
}

#[tokio::test]
async fn status_is_a_world_of_its_own() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let path = format!("{MACHINES}/a");
    let status = json!({"spec": {"runStrategy": "Always"}, "status": {"printableStatus": "Stopped"}});
    let written = cluster.merge(&format!("{path}/status"), &status).await.json();
    assert_eq!(
        (&written["spec"]["runStrategy"], &written["status"]["printableStatus"]),
        (&json!("Halted"), &json!("Stopped"))
    );
    assert_eq!(written["metadata"]["generation"], 1);
    let written = cluster.merge(&path, &json!({"status": {"printableStatus": "Running"}})).await.json();
    assert_eq!(written["status"]["printableStatus"], "Stopped");
}

#[tokio::test]
async fn instances_are_not_for_users_to_change() {
    let cluster = Cluster::start().await;
    let vmi = json!({"metadata": {"namespace": "default", "name": "a"}, "spec": {"x": 1}, "status": {"phase": "Running"}});
    cluster.store.create(&VIRTUAL_MACHINE_INSTANCES, vmi).unwrap();
    let path = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/a";
    let reverted = cluster.merge(path, &json!({"status": {"phase": "Failed"}})).await;
    assert_eq!((reverted.code.as_u16(), &reverted.json()["status"]["phase"]), (200, &json!("Running")));
    let refused = cluster.merge(path, &json!({"spec": {"x": 2}})).await;
    assert_eq!(refused.code, 422);
    assert!(refused.message().ends_with("denied the request: update of VMI object is restricted"));
    assert_eq!(cluster.get(&format!("{path}/status")).await.code, 404);
}

#[tokio::test]
async fn deletion_returns_what_it_left() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let path = format!("{MACHINES}/a");
    let delete = |options: Value| {
        let (cluster, path) = (&cluster, &path);
        async move { cluster.send(Method::DELETE, path, &[], &options.to_string()).await.unwrap() }
    };
    let other = delete(json!({"preconditions": {"uid": "other"}})).await;
    assert_eq!(other.code, 409);
    assert!(
        other.message().contains("Precondition failed: UID in precondition: other, UID in object meta: ")
    );
    cluster.store.modify(&VIRTUAL_MACHINES, "default", "a", |vm| vm["metadata"]["finalizers"] = json!(["x"]));
    let marked = delete(json!({"propagationPolicy": "Foreground"})).await;
    assert_eq!((marked.code.as_u16(), &marked.json()["kind"]), (200, &json!("VirtualMachine")));
    assert!(marked.json()["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked.json()["metadata"]["finalizers"], json!(["x", "foregroundDeletion"]));
    let more =
        cluster.merge(&path, &json!({"metadata": {"finalizers": ["x", "foregroundDeletion", "y"]}})).await;
    assert_eq!(more.code, 422);
    assert_eq!(cluster.merge(&path, &json!({"metadata": {"finalizers": null}})).await.code, 200);
    assert_eq!(delete(json!({})).await.code, 404);
    for name in ["b", "c"] {
        let mut vm = machine(name, "Halted");
        vm["metadata"]["labels"] = json!({"run": "1"});
        cluster.post(MACHINES, &vm).await;
    }
    cluster.post(MACHINES, &machine("d", "Halted")).await;
    let many =
        cluster.send(Method::DELETE, &format!("{MACHINES}?labelSelector=run%3D1"), &[], "").await.unwrap();
    assert_eq!(many.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(cluster.get(MACHINES).await.json()["items"][0]["metadata"]["name"], "d");
}

#[tokio::test]
async fn applying_needs_a_manager_and_respects_the_others() {
    let cluster = Cluster::start().await;
    let path = format!("{MACHINES}/w");
    let apply = |query: &str, strategy: &str| {
        let (cluster, path) = (&cluster, format!("{path}?{query}"));
        let body = machine("w", strategy).to_string();
        async move {
            let media = [("content-type", "application/apply-patch+yaml")];
            cluster.send(Method::PATCH, &path, &media, &body).await.unwrap()
        }
    };
    assert_eq!(apply("", "Halted").await.code, 422);
    assert_eq!(apply("fieldManager=me", "Halted").await.code, 201);
    let first = apply("fieldManager=me", "Halted").await;
    assert_eq!(first.code, 200);
    let second = apply("fieldManager=me", "Halted").await;
    assert_eq!(first.json()["metadata"]["resourceVersion"], second.json()["metadata"]["resourceVersion"]);
    cluster
        .merge(&format!("{path}?fieldManager=other-manager"), &json!({"spec": {"runStrategy": "Always"}}))
        .await;
    let refused = apply("fieldManager=me", "Halted").await;
    assert_eq!(refused.code, 409);
    assert_eq!(
        refused.message(),
        "Apply failed with 1 conflict: conflict with \"other-manager\" using kubevirt.io/v1: .spec.runStrategy"
    );
    assert_eq!(apply("fieldManager=me&force=true", "Halted").await.json()["spec"]["runStrategy"], "Halted");
}

#[tokio::test]
async fn a_quota_refuses_pods_and_counts_those_that_are_there() {
    let cluster = Cluster::start().await;
    let hard = json!({"pods": "1", "requests.cpu": "1"});
    let quota = json!({"metadata": {"name": "small"}, "spec": {"hard": hard}});
    assert_eq!(cluster.post("/api/v1/namespaces/default/resourcequotas", &quota).await.code, 201);
    let pod = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {"containers": [
            {"name": "a", "image": "example.org/a:1", "resources": {"requests": {"cpu": "600m"}}}]}})
    };
    let pods = "/api/v1/namespaces/default/pods";
    assert_eq!(cluster.post(pods, &pod("first")).await.code, 201);
    let refused = cluster.post(pods, &pod("second")).await;
    assert_eq!((refused.code.as_u16(), &refused.json()["reason"]), (403, &json!("Forbidden")));
    assert_eq!(
        refused.message(),
        "pods \"second\" is forbidden: exceeded quota: small, requested: pods=1,requests.cpu=600m, used: pods=1,requests.cpu=600m, limited: pods=1,requests.cpu=1"
    );
    let silent = json!({"metadata": {"name": "third"}, "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]}});
    let refused = cluster.post(pods, &silent).await.message();
    assert_eq!(refused, "pods \"third\" is forbidden: failed quota: small: must specify requests.cpu");
}
