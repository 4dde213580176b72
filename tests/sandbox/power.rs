//! Starting and stopping through `KubeVirt`'s own API.

use bootstorm_sandbox::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use bootstorm_sandbox::value::{Value, json};
use http::Method;

use super::cluster::{Answer, Cluster, MACHINES, machine};

const POWER: &str = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines";

async fn act(cluster: &Cluster, name: &str, action: &str, body: &str) -> Answer {
    cluster.send(Method::PUT, &format!("{POWER}/{name}/{action}"), &[], body).await.unwrap()
}

fn instance(cluster: &Cluster, name: &str, phase: &str) {
    let object =
        json!({"metadata": {"namespace": "default", "name": name}, "spec": {}, "status": {"phase": phase}});
    cluster.store.create(&VIRTUAL_MACHINE_INSTANCES, object).unwrap();
}

fn stored(cluster: &Cluster, name: &str) -> Value {
    cluster.store.get(&VIRTUAL_MACHINES, "default", name).unwrap().value().clone()
}

fn refused(answer: &Answer, name: &str, why: &str) {
    assert_eq!(answer.code, 409, "{}", answer.message());
    let expected = format!("Operation cannot be fulfilled on virtualmachine.kubevirt.io \"{name}\": {why}");
    assert_eq!(answer.message(), expected);
    assert_eq!(answer.json()["details"]["kind"], "virtualmachine");
}

#[tokio::test]
async fn success_is_an_empty_202() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let answer = act(&cluster, "a", "start", "").await;
    assert_eq!((answer.code.as_u16(), answer.body.len()), (202, 0));
    assert_eq!(answer.headers.get("content-length").unwrap(), "0");
    assert!(!answer.headers.contains_key("content-type"));
    assert_eq!(stored(&cluster, "a")["spec"]["runStrategy"], "Always");
    refused(&act(&cluster, "a", "start", "{}").await, "a", "Always does not support manual start requests");
    assert_eq!(act(&cluster, "a", "stop", "").await.code, 202);
    assert_eq!(stored(&cluster, "a")["spec"]["runStrategy"], "Halted");
    refused(&act(&cluster, "a", "stop", "").await, "a", "VM is not running");
}

#[tokio::test]
async fn a_live_instance_decides() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    instance(&cluster, "a", "Running");
    refused(&act(&cluster, "a", "start", "").await, "a", "VM is already running");
    let why = "Halted only supports manual stop requests with a shorter graceperiod";
    refused(&act(&cluster, "a", "stop", "").await, "a", why);
    assert_eq!(act(&cluster, "a", "stop", "{\"gracePeriod\":1}").await.code, 202);
    let vmi = cluster.store.get(&VIRTUAL_MACHINE_INSTANCES, "default", "a").unwrap();
    assert_eq!(vmi.value()["spec"]["terminationGracePeriodSeconds"], 1);
    assert_eq!(
        stored(&cluster, "a")["status"]["stateChangeRequests"],
        json!([{"action": "Stop", "uid": vmi.uid()}])
    );
    refused(
        &act(&cluster, "a", "restart", "").await,
        "a",
        "RunStategy Halted does not support manual restart requests",
    );
}

#[tokio::test]
async fn other_strategies_queue_requests() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("m", "Manual")).await;
    assert_eq!(act(&cluster, "m", "start", "").await.code, 202);
    assert_eq!(stored(&cluster, "m")["status"]["stateChangeRequests"], json!([{"action": "Start"}]));
    assert_eq!(stored(&cluster, "m")["spec"]["runStrategy"], "Manual");
    let underway = act(&cluster, "m", "start", "").await;
    assert_eq!(underway.code, 500);
    assert_eq!(
        underway.message(),
        "Internal error occurred: unable to complete request: stop/start already underway"
    );
    cluster.post(MACHINES, &machine("r", "RerunOnFailure")).await;
    instance(&cluster, "r", "Failed");
    let why = "RerunOnFailure does not support starting VM from failed state";
    refused(&act(&cluster, "r", "start", "").await, "r", why);
    cluster.post(MACHINES, &machine("al", "Always")).await;
    refused(&act(&cluster, "al", "restart", "").await, "al", "VM is not running: Halted");
    instance(&cluster, "al", "Running");
    assert_eq!(act(&cluster, "al", "restart", "").await.code, 202);
    assert_eq!(stored(&cluster, "al")["status"]["stateChangeRequests"][1], json!({"action": "Start"}));
}

#[tokio::test]
async fn running_machines_keep_their_field() {
    let cluster = Cluster::start().await;
    let mut vm = machine("a", "");
    vm["spec"]["runStrategy"] = json!(null);
    vm["spec"]["running"] = json!(false);
    assert_eq!(cluster.post(MACHINES, &vm).await.code, 201);
    assert_eq!(act(&cluster, "a", "start", "").await.code, 202);
    assert_eq!(stored(&cluster, "a")["spec"]["running"], true);
}

#[tokio::test]
async fn of_two_simultaneous_starts_one_fails() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let (mut one, mut two) = (cluster.connect().await, cluster.connect().await);
    let request = || cluster.request(Method::PUT, &format!("{POWER}/a/start"), &[], "");
    let (one, two) = tokio::join!(one.send_request(request()), two.send_request(request()));
    let mut codes = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    codes.sort_unstable();
    assert_eq!(codes, [202, 500]);
}

#[tokio::test]
async fn the_edges_answer_as_virt_api_does() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("a", "Halted")).await;
    let path = format!("{POWER}/a/start");
    let narrow = cluster.send(Method::PUT, &path, &[("accept", "application/json")], "").await.unwrap();
    assert_eq!(narrow.code, 406);
    assert_eq!(narrow.body, "406: Not Acceptable\n\nAvailable representations: ");
    assert_eq!(stored(&cluster, "a")["spec"]["runStrategy"], "Halted");
    assert_eq!(cluster.post(&path, &json!({})).await.code, 405);
    assert_eq!(act(&cluster, "a", "explode", "").await.body, "404: Page Not Found");
    let missing = act(&cluster, "none", "start", "").await;
    assert_eq!(
        (missing.code.as_u16(), missing.message()),
        (404, "virtualmachine.kubevirt.io \"none\" not found".into())
    );
    let malformed = act(&cluster, "a", "start", "{\"paused\": ").await;
    assert_eq!(malformed.code, 400);
    assert!(malformed.message().starts_with("Can not unmarshal Request body to struct, error: json: "));
    assert_eq!(act(&cluster, "a", "start", "{\"dryRun\":[\"All\"]}").await.code, 202);
    assert_eq!(stored(&cluster, "a")["spec"]["runStrategy"], "Halted");
    let version = cluster.get("/apis/subresources.kubevirt.io/v1/version").await.json();
    assert_eq!(version["gitVersion"], "v1.9.0");
}
