//! Jobs of simulated commands, in paused time.

use crate::value::{Value, json};

use super::stage::Stage;
use crate::controllers::conditions;
use crate::controllers::jobs::{INDEX, TRACKING};
use crate::model::misbehaviour::{DOWN, POWER};
use crate::store::kind::{JOBS, NODES, PODS};
use crate::store::{DeleteOptions, Object, Propagation};

/// An indexed Job whose containers run a script.
fn job(name: &str, completions: usize, script: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a"},
        "spec": {
            "completionMode": "Indexed", "completions": completions, "parallelism": completions, "backoffLimit": 6,
            "template": {"spec": {"restartPolicy": "Never", "containers": [
                {"name": "c", "image": "busybox", "command": ["sh", "-c", script]},
            ]}},
        },
    })
}

fn stage() -> Stage {
    let stage = Stage::named("default", 2);
    stage.namespace("a");
    stage
}

fn create(stage: &Stage, job: Value) {
    stage.store.create(&JOBS, job).expect("a Job");
}

fn pods(stage: &Stage) -> Vec<Object> {
    stage.store.list(&PODS, Some("a")).0
}

fn running(stage: &Stage) -> Vec<Object> {
    let is_running = |pod: &Object| pod.value()["status"]["phase"] == "Running" && !pod.is_deleting();
    pods(stage).into_iter().filter(is_running).collect()
}

fn status(stage: &Stage, name: &str) -> Value {
    stage.store.get(&JOBS, "a", name).map(|job| job.value().clone()).unwrap_or_default()
}

fn delete(stage: &Stage, pod: &Object) {
    stage.store.delete(&PODS, "a", pod.name(), &DeleteOptions::default()).expect("a pod");
}

async fn ends(stage: &Stage, name: &str, kind: &str) -> Value {
    stage.until(&format!("{name} {kind}"), |stage| conditions::is(&status(stage, name), kind, "True")).await;
    status(stage, name)
}

#[tokio::test(start_paused = true)]
async fn every_index_completes_once() {
    let stage = stage();
    let mut three = job("j", 5, "sleep 3");
    three["spec"]["parallelism"] = json!(2);
    create(&stage, three);
    let done = ends(&stage, "j", "Complete").await;
    assert_eq!(done["status"]["completedIndexes"], "0-4");
    assert_eq!(done["status"]["succeeded"], 5);
    assert!(done["status"].get("active").is_none() && done["status"]["uncountedTerminatedPods"] == json!({}));
    let most =
        stage.history(&JOBS, "j", "/status/active").into_iter().filter_map(|text| text.parse::<u32>().ok());
    assert_eq!(most.max(), Some(2));
    let kinds: Vec<&str> = done["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    assert_eq!(kinds, ["SuccessCriteriaMet", "Complete"]);
    assert!(pods(&stage).iter().all(|pod| pod.finalizers().all(|held| held != TRACKING)));
}

#[tokio::test(start_paused = true)]
async fn failures_are_repeated_later_each_time_until_there_are_too_many() {
    let stage = stage();
    let mut failing = job("j", 1, "exit 1");
    failing["spec"]["backoffLimit"] = json!(3);
    let began = stage.clock.now();
    create(&stage, failing);
    let failed = ends(&stage, "j", "Failed").await;
    let took = stage.clock.now() - began;
    assert!((70.0..100.0).contains(&took), "10, 20 and 40 s between four pods: {took}");
    assert_eq!(failed["status"]["failed"], 4);
    assert_eq!(conditions::reason(&failed, "Failed"), "BackoffLimitExceeded");
    assert_eq!(pods(&stage).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_replaced_while_it_ends_or_after() {
    for policy in ["TerminatingOrFailed", "Failed"] {
        let stage = stage();
        let mut patient = job("j", 1, "sleep infinity");
        patient["spec"]["podReplacementPolicy"] = json!(policy);
        create(&stage, patient);
        stage.until("it runs", |stage| running(stage).len() == 1).await;
        let first = running(&stage).remove(0);
        // Its kubelet is inactive for a while, so that it stays terminating.
        let node = first.value()["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
        stage
            .store
            .modify(&NODES, "", &node, |node| node["metadata"]["annotations"][DOWN] = json!("kubelet"));
        delete(&stage, &first);
        stage.clock.sleep(30.0).await;
        let replaced = pods(&stage).iter().any(|pod| pod.uid() != first.uid());
        assert_eq!(replaced, policy == "TerminatingOrFailed", "{policy}");
        assert_eq!(status(&stage, "j")["status"]["terminating"], 1, "{policy}");
        stage.store.modify(&NODES, "", &node, |node| node["metadata"]["annotations"] = json!({}));
        stage.until("another runs", |stage| running(stage).iter().any(|pod| pod.uid() != first.uid())).await;
        stage.until("the first is gone", |stage| pods(stage).len() == 1).await;
        assert_eq!(status(&stage, "j")["status"]["failed"], 1, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_lost_node_are_replaced_elsewhere() {
    let stage = stage();
    create(&stage, job("j", 2, "sleep infinity"));
    stage.until("both run", |stage| running(stage).len() == 2).await;
    let on = |stage: &Stage, node: &str| {
        running(stage).iter().filter(|pod| pod.value()["spec"]["nodeName"] == *node).count()
    };
    assert_eq!((on(&stage, "node1"), on(&stage, "node2")), (1, 1));
    stage.store.modify(&NODES, "", "node1", |node| node["metadata"]["annotations"][DOWN] = json!(POWER));
    let began = stage.clock.now();
    stage.until("both run elsewhere", |stage| on(stage, "node2") == 2).await;
    let took = stage.clock.now() - began;
    assert!((345.0..380.0).contains(&took), "50 s to notice, 300 s of patience: {took}");
    let indexes: Vec<String> =
        running(&stage).iter().filter_map(|pod| pod.label(INDEX).map(str::to_owned)).collect();
    assert!(indexes.contains(&"0".to_owned()) && indexes.contains(&"1".to_owned()), "{indexes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_tells_disruptions_from_failures() {
    let stage = stage();
    let mut strict = job("j", 1, "exit 42");
    strict["spec"]["podFailurePolicy"] = json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]});
    strict["spec"]["podReplacementPolicy"] = json!("Failed");
    create(&stage, strict.clone());
    let failed = ends(&stage, "j", "Failed").await;
    assert_eq!(conditions::reason(&failed, "Failed"), "PodFailurePolicy");
    strict["metadata"]["name"] = json!("k");
    strict["spec"]["backoffLimit"] = json!(0);
    strict["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sleep", "infinity"]);
    create(&stage, strict);
    stage.until("it runs", |stage| running(stage).len() == 1).await;
    let first = running(&stage).remove(0);
    let target = json!({"type": "DisruptionTarget", "status": "True"});
    stage.store.modify(&PODS, "a", first.name(), |pod| conditions::set(pod, target.clone()));
    delete(&stage, &first);
    stage.until("another runs", |stage| running(stage).iter().any(|pod| pod.uid() != first.uid())).await;
    let job = status(&stage, "k");
    assert!(job["status"].get("failed").is_none() && conditions::find(&job, "FailureTarget").is_none());
}

#[tokio::test(start_paused = true)]
async fn each_index_can_have_a_limit_of_its_own() {
    let stage = stage();
    let mut each = job("j", 3, "exit 1");
    each["spec"]["backoffLimitPerIndex"] = json!(1);
    each["spec"]["backoffLimit"] = json!(1_000);
    create(&stage, each);
    let failed = ends(&stage, "j", "Failed").await;
    assert_eq!(conditions::reason(&failed, "Failed"), "FailedIndexes");
    assert_eq!((&failed["status"]["failedIndexes"], &failed["status"]["failed"]), (&json!("0-2"), &json!(6)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_a_suspension_and_a_time_to_live() {
    let stage = stage();
    let mut short = job("short", 1, "sleep infinity");
    short["spec"]["activeDeadlineSeconds"] = json!(60);
    create(&stage, short);
    let failed = ends(&stage, "short", "Failed").await;
    assert_eq!(conditions::reason(&failed, "Failed"), "DeadlineExceeded");
    let mut resting = job("resting", 1, "sleep 1");
    resting["spec"]["suspend"] = json!(true);
    resting["spec"]["ttlSecondsAfterFinished"] = json!(100);
    create(&stage, resting);
    stage.until("it rests", |stage| conditions::is(&status(stage, "resting"), "Suspended", "True")).await;
    stage.clock.sleep(60.0).await;
    assert!(
        stage
            .store
            .owned_by(&PODS, status(&stage, "resting")["metadata"]["uid"].as_str().unwrap())
            .is_empty()
    );
    stage.store.modify(&JOBS, "a", "resting", |job| job["spec"]["suspend"] = json!(false));
    let done = ends(&stage, "resting", "Complete").await;
    assert_eq!(conditions::reason(&done, "Suspended"), "JobResumed");
    let began = stage.clock.now();
    stage.until("it is gone with its pods", |stage| status(stage, "resting").is_null()).await;
    let took = stage.clock.now() - began;
    assert!((99.0..110.0).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_job_takes_its_pods_along_or_leaves_them() {
    for propagation in [Propagation::Background, Propagation::Foreground, Propagation::Orphan] {
        let stage = stage();
        create(&stage, job("j", 2, "sleep infinity"));
        stage.until("both run", |stage| running(stage).len() == 2).await;
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        stage.store.delete(&JOBS, "a", "j", &options).expect("a Job");
        stage.until("it is gone", |stage| status(stage, "j").is_null()).await;
        let left = if propagation == Propagation::Orphan { 2 } else { 0 };
        stage.until("its pods are as wanted", |stage| pods(stage).len() == left).await;
        stage
            .until("nothing holds them", |stage| {
                pods(stage)
                    .iter()
                    .all(|pod| pod.finalizers().next().is_none() && pod.owners().next().is_none())
            })
            .await;
        assert_eq!(running(&stage).len(), left, "{propagation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_or_fewer_pods_at_once_are_made_so() {
    let stage = stage();
    create(&stage, job("j", 4, "sleep infinity"));
    stage.until("all run", |stage| running(stage).len() == 4).await;
    stage.store.modify(&JOBS, "a", "j", |job| job["spec"]["parallelism"] = json!(1));
    stage.until("one runs", |stage| pods(stage).len() == 1).await;
    assert_eq!(pods(&stage)[0].label(INDEX), Some("0"));
    stage.store.modify(&JOBS, "a", "j", |job| job["spec"]["parallelism"] = json!(3));
    stage.until("three run", |stage| running(stage).len() == 3).await;
}
