//! Jobs whose pods are local processes, seen by an unmodified kubectl.
#![cfg(unix)]

use std::path::PathBuf;
use std::process::Command;

use bootstorm_model::platform::processes::kill_group;
use bootstorm_sandbox::store::kind::{JOBS, PODS};
use bootstorm_sandbox::store::{Object, seconds};
use bootstorm_sandbox::value::{Value, json};

use super::simulation::Simulation;
use crate::support::{Program, until};

/// The program behind the image `worker`: its first argument says what it does.
const WORKER: &str = r#"#!/bin/sh
case $1 in
say) echo "shard $JOB_COMPLETION_INDEX of $POD on $KUBERNETES_SERVICE_HOST"; echo "to stderr" >&2 ;;
wait) echo "waiting $JOB_COMPLETION_INDEX"; while [ ! -e "$2" ]; do sleep 0.02; done; echo "done" ;;
polite) trap 'echo "asked to end"; exit 7' TERM; echo up; while :; do sleep 0.02; done ;;
stubborn) trap '' TERM; echo up; while :; do sleep 0.02; done ;;
fail) echo "failing"; exit "$2" ;;
ask) shift; exec kubectl "$@" ;;
show) cat "$2" ;;
env) env | sort ;;
esac
"#;

/// A cluster in which images called `worker` run the script.
async fn cluster() -> Simulation {
    let simulation = Simulation::instant().await;
    let program = worker(simulation.home.path());
    simulation.sandbox.run_image("worker", &program);
    simulation
}

fn worker(home: &std::path::Path) -> PathBuf {
    let program = home.join("worker");
    std::fs::write(&program, WORKER).unwrap();
    bootstorm_model::platform::make_executable(&program).unwrap();
    program
}

/// An indexed Job with this many pods that runs the script with these arguments.
fn job(name: &str, completions: usize, args: &[&str]) -> Value {
    let env = json!([{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"},
        "spec": {"completionMode": "Indexed", "completions": completions, "parallelism": completions, "template": {"spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 5,
            "containers": [{"name": "c", "image": "registry.example/team/worker:1", "args": args, "env": env}],
        }}},
    })
}

impl Simulation {
    /// `kubectl` with nothing of this machine's user in its environment.
    async fn kubectl(&self, args: &[&str], input: &Value) -> (bool, String) {
        let mut command = Command::new("kubectl");
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("KUBECONFIG", self.kubeconfig());
        if !input.is_null() {
            let path = self.home.path().join(format!("input-{}.json", seconds(self.sandbox.store().now())));
            std::fs::write(&path, input.to_string()).unwrap();
            command.stdin(std::fs::File::open(path).unwrap());
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    async fn fine(&self, args: &[&str]) -> String {
        let (ok, text) = self.kubectl(args, &Value::Null).await;
        assert!(ok, "kubectl {args:?}: {text}");
        text
    }

    async fn create(&self, object: &Value) {
        let (ok, text) = self.kubectl(&["create", "-f", "-"], object).await;
        assert!(ok, "{text}");
    }

    fn pods_of(&self, job: &str) -> Vec<Object> {
        let (pods, _) = self.sandbox.store().list(&PODS, Some("default"));
        pods.into_iter().filter(|pod| pod.label("batch.kubernetes.io/job-name") == Some(job)).collect()
    }

    /// The processes of a Job's running pods.
    fn processes(&self, job: &str) -> Vec<u32> {
        let pods = self.pods_of(job);
        let running = pods.iter().map(|pod| &pod.value()["status"]["containerStatuses"][0]);
        let running = running.filter(|status| status["state"]["running"].is_object());
        running
            .filter_map(|one| one["containerID"].as_str()?.strip_prefix("process://")?.parse().ok())
            .collect()
    }

    fn status(&self, job: &str) -> Value {
        self.value(&JOBS, job)["status"].clone()
    }

    async fn log_of(&self, job: &str) -> String {
        let name = self.pods_of(job).first().map(|pod| pod.name().to_owned()).unwrap();
        self.fine(&["logs", &name]).await
    }
}

fn lives(process: u32) -> bool {
    // A killed child that was not reaped yet has an empty command line.
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.into_iter().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexed_job_runs_its_shards_and_completes() {
    let cluster = cluster().await;
    cluster.create(&job("shards", 3, &["say"])).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/shards", "--timeout=15s"]).await;
    let shown = cluster.fine(&["get", "job", "shards"]).await;
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(words[..8], ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE", "shards", "Complete", "3/3"]);
    let pods = cluster.pods_of("shards");
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        let index = pod.label("batch.kubernetes.io/job-completion-index").unwrap();
        assert!(pod.name().starts_with(&format!("shards-{index}-")), "{}", pod.name());
        assert_eq!(pod.value()["spec"]["hostname"], format!("shards-{index}"));
        assert_eq!(pod.value()["status"]["phase"], "Succeeded");
        let log = cluster.fine(&["logs", pod.name()]).await;
        let said = format!("shard {index} of {} on 127.0.0.1\n", pod.name());
        assert!(log.contains(&said) && log.contains("to stderr\n"), "{log}");
    }
    let status = cluster.status("shards");
    assert_eq!((&status["succeeded"], &status["completedIndexes"]), (&json!(3), &json!("0-2")));
    assert_eq!(condition(&status, "Complete")["reason"], "CompletionsReached");
    assert!(cluster.fine(&["logs", "job/shards"]).await.contains("shard "));
    let described = cluster.fine(&["describe", "job", "shards"]).await;
    for word in ["Completed Indexes:  0-2", "SuccessfulCreate", "Job completed", "3 Succeeded"] {
        assert!(described.contains(word), "no `{word}` in\n{described}");
    }
    cluster.fine(&["explain", "job"]).await;
    cluster.fine(&["delete", "job", "shards"]).await;
    cluster.until(|| cluster.pods_of("shards").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_makes_jobs_roles_and_bindings_by_itself() {
    let cluster = cluster().await;
    cluster.fine(&["create", "job", "pi", "--image=busybox", "--", "sh", "-c", "echo 3.14"]).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/pi", "--timeout=15s"]).await;
    assert_eq!(cluster.fine(&["logs", "job/pi"]).await, "3.14\n");
    cluster.fine(&["create", "serviceaccount", "me"]).await;
    cluster.fine(&["create", "role", "r", "--verb=get,list", "--resource=pods"]).await;
    cluster.fine(&["create", "rolebinding", "b", "--role=r", "--serviceaccount=default:me"]).await;
    let me = ["--as", "system:serviceaccount:default:me"];
    cluster.fine(&[&["get", "pods"], &me[..]].concat()).await;
    // Permission to read pods does not allow granting permission to delete them.
    let more = ["create", "role", "more", "--verb=delete", "--resource=pods"];
    let (ok, text) = cluster.kubectl(&[&more, &me[..]].concat(), &Value::Null).await;
    assert!(!ok && text.contains("cannot create resource \"roles\""), "{text}");
    cluster.fine(&["create", "clusterrole", "maker", "--verb=create", "--resource=roles"]).await;
    cluster
        .fine(&["create", "clusterrolebinding", "m", "--clusterrole=maker", "--serviceaccount=default:me"])
        .await;
    let (ok, text) = cluster.kubectl(&[&more, &me[..]].concat(), &Value::Null).await;
    assert!(!ok && text.contains("is attempting to grant RBAC permissions not currently held"), "{text}");
    cluster.fine(&[&["create", "role", "same", "--verb=get", "--resource=pods"], &me[..]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_run_again_under_its_index() {
    let cluster = cluster().await;
    let go = cluster.home.path().join("go");
    cluster.create(&job("killed", 2, &["wait", &go.to_string_lossy()])).await;
    cluster.until(|| cluster.processes("killed").len() == 2).await;
    let first = cluster.pods_of("killed").into_iter().next().unwrap();
    let index = first.label("batch.kubernetes.io/job-completion-index").unwrap().to_owned();
    let process = first.value()["status"]["containerStatuses"][0]["containerID"].as_str().unwrap();
    kill_group(process.trim_start_matches("process://").parse().unwrap());
    cluster.until(|| cluster.pods_of("killed").len() == 3 && cluster.processes("killed").len() == 2).await;
    let dead = cluster.value(&PODS, first.name());
    assert_eq!(dead["status"]["phase"], "Failed");
    assert_eq!(dead["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
    let of_index = |pod: &&Object| pod.label("batch.kubernetes.io/job-completion-index") == Some(&index);
    assert_eq!(cluster.pods_of("killed").iter().filter(of_index).count(), 2);
    assert_eq!(cluster.status("killed")["failed"], 1);
    std::fs::write(&go, "").unwrap();
    cluster.fine(&["wait", "--for=condition=complete", "job/killed", "--timeout=15s"]).await;
    assert_eq!(cluster.status("killed")["succeeded"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_is_asked_to_end_and_replaced() {
    let cluster = cluster().await;
    cluster.create(&job("polite", 1, &["polite"])).await;
    cluster.until(|| cluster.processes("polite").len() == 1).await;
    let pod = cluster.pods_of("polite").remove(0);
    let follow = {
        let (name, kubeconfig) = (pod.name().to_owned(), cluster.kubeconfig());
        let run = move || {
            Command::new("kubectl").args(["logs", "-f", &name]).env("KUBECONFIG", kubeconfig).output()
        };
        tokio::task::spawn_blocking(run)
    };
    // The trap is set once this is written.
    cluster.until(|| cluster.sandbox.store().get(&PODS, "default", pod.name()).is_some()).await;
    while !cluster.log_of("polite").await.contains("up") {}
    cluster.fine(&["delete", "pod", pod.name()]).await;
    let followed = follow.await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&followed.stdout), "up\nasked to end\n");
    cluster
        .until(|| cluster.processes("polite").len() == 1 && cluster.pods_of("polite")[0].name() != pod.name())
        .await;
    cluster.fine(&["delete", "job", "polite", "--cascade=foreground"]).await;
    assert!(cluster.pods_of("polite").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_killed() {
    let cluster = cluster().await;
    cluster.create(&job("stubborn", 1, &["stubborn"])).await;
    cluster.until(|| cluster.processes("stubborn").len() == 1).await;
    let process = cluster.processes("stubborn")[0];
    let pod = cluster.pods_of("stubborn").remove(0);
    cluster.fine(&["delete", "job", "stubborn", "--cascade=orphan"]).await;
    cluster.until(|| cluster.value(&PODS, pod.name())["metadata"].get("finalizers").is_none()).await;
    assert!(lives(process), "an orphan goes on");
    cluster.fine(&["delete", "pod", pod.name(), "--grace-period=1"]).await;
    cluster.until(|| !lives(process)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_acts_with_its_account_and_no_more() {
    let cluster = cluster().await;
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "me"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "me", "namespace": "default"}]}),
    ] {
        cluster.create(&object).await;
    }
    let asking = |name: &str, words: &[&str]| {
        let mut job = job(name, 1, &[&["ask"], words].concat());
        job["spec"]["template"]["spec"]["serviceAccountName"] = json!("me");
        job["spec"]["backoffLimit"] = json!(0);
        job
    };
    cluster.create(&asking("list", &["get", "pods", "-o", "name"])).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/list", "--timeout=15s"]).await;
    assert!(cluster.log_of("list").await.contains("pod/list-0-"));
    cluster.create(&asking("who", &["auth", "whoami"])).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/who", "--timeout=15s"]).await;
    assert!(cluster.log_of("who").await.contains("system:serviceaccount:default:me"));
    cluster.create(&asking("steal", &["get", "secrets"])).await;
    cluster.fine(&["wait", "--for=condition=failed", "job/steal", "--timeout=15s"]).await;
    assert!(
        cluster
            .log_of("steal")
            .await
            .contains("secrets is forbidden: User \"system:serviceaccount:default:me\"")
    );
    assert_eq!(condition(&cluster.status("steal"), "Failed")["reason"], "BackoffLimitExceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_finds_its_volumes_and_nothing_of_this_machines_user() {
    let cluster = cluster().await;
    cluster.fine(&["create", "configmap", "plan", "--from-literal=plan.yaml=vms: 3"]).await;
    let mut shows = job("shows", 1, &["show", "/etc/plan/plan.yaml"]);
    let spec = &mut shows["spec"]["template"]["spec"];
    spec["volumes"] = json!([{"name": "v", "configMap": {"name": "plan"}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/plan"}]);
    cluster.create(&shows).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/shows", "--timeout=15s"]).await;
    assert_eq!(cluster.log_of("shows").await, "vms: 3");
    cluster.create(&job("env", 1, &["env"])).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/env", "--timeout=15s"]).await;
    let log = cluster.log_of("env").await;
    let names: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let known = [
        "HOME",
        "HOSTNAME",
        "JOB_COMPLETION_INDEX",
        "KUBECONFIG",
        "KUBERNETES_PORT",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "KUBERNETES_SERVICE_PORT_HTTPS",
        "PATH",
        "POD",
        "PWD",
        "TMPDIR",
    ];
    assert_eq!(
        names.iter().filter(|name| !["OLDPWD", "SHLVL", "_"].contains(name)).collect::<Vec<_>>(),
        known.iter().collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_ends_processes_at_once() {
    let cluster = cluster().await;
    cluster.create(&job("cut", 1, &["stubborn"])).await;
    cluster.until(|| cluster.processes("cut").len() == 1).await;
    let (process, pod) = (cluster.processes("cut")[0], cluster.pods_of("cut").remove(0));
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap().to_owned();
    cluster.fine(&["annotate", "node", &node, "sandbox.bootstorm.dev/down=power"]).await;
    cluster.until(|| !lives(process)).await;
    let (ok, text) = cluster.kubectl(&["logs", pod.name()], &Value::Null).await;
    assert!(!ok && text.contains("no route to host"), "{text}");
    // It runs again on the other node when its pod is given up; the first pod still appears to run.
    let others = || cluster.processes("cut").into_iter().filter(|one| *one != process).count();
    cluster.until(|| others() == 1).await;
    let other = cluster.pods_of("cut").into_iter().find(|one| one.uid() != pod.uid()).unwrap();
    assert_ne!(other.value()["spec"]["nodeName"], node);
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_containers_restart_where_the_policy_says_so() {
    let cluster = cluster().await;
    let mut failing = job("failing", 1, &["fail", "3"]);
    failing["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
    failing["spec"]["backoffLimit"] = json!(1_000);
    cluster.create(&failing).await;
    let restarts = || {
        let pods = cluster.pods_of("failing");
        pods.first().and_then(|pod| pod.value()["status"]["containerStatuses"][0]["restartCount"].as_i64())
    };
    cluster.until(|| restarts() >= Some(2)).await;
    let pod = cluster.pods_of("failing").remove(0);
    let last = &pod.value()["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(3), &json!("Error")));
    assert!(cluster.fine(&["logs", pod.name(), "--previous"]).await.contains("failing"));
    cluster.fine(&["patch", "job", "failing", "-p", "{\"spec\":{\"backoffLimit\":1}}"]).await;
    cluster.fine(&["wait", "--for=condition=failed", "job/failing", "--timeout=15s"]).await;
    assert_eq!(condition(&cluster.status("failing"), "Failed")["reason"], "BackoffLimitExceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_moves_a_shard_to_another_node() {
    let cluster = cluster().await;
    cluster.create(&job("drained", 1, &["polite"])).await;
    cluster.until(|| cluster.processes("drained").len() == 1).await;
    let pod = cluster.pods_of("drained").remove(0);
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap().to_owned();
    cluster.fine(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=15s"]).await;
    cluster.until(|| cluster.processes("drained").len() == 1).await;
    let other = cluster.pods_of("drained").remove(0);
    assert!(other.uid() != pod.uid() && other.value()["spec"]["nodeName"] != *node);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_until_what_it_refers_to_is_there() {
    let cluster = cluster().await;
    let mut waits = job("waits", 1, &["say"]);
    waits["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "late"}}]);
    cluster.create(&waits).await;
    let reason = || {
        let pods = cluster.pods_of("waits");
        pods.first().map(|pod| pod.value()["status"]["containerStatuses"][0]["state"]["waiting"].clone())
    };
    cluster.until(|| reason().is_some_and(|waiting| waiting["reason"] == "CreateContainerConfigError")).await;
    assert_eq!(reason().unwrap()["message"], "configmap \"late\" not found");
    let (ok, text) = cluster.kubectl(&["logs", "job/waits"], &Value::Null).await;
    assert!(!ok && text.contains("is waiting to start: CreateContainerConfigError"), "{text}");
    cluster.fine(&["create", "configmap", "late"]).await;
    cluster.fine(&["wait", "--for=condition=complete", "job/waits", "--timeout=15s"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_kills_the_process_of_a_shard_again_and_again() {
    let cluster = cluster().await;
    let go = cluster.home.path().join("go");
    let mut struck = job("struck", 3, &["wait", &go.to_string_lossy()]);
    struck["spec"]["backoffLimit"] = json!(1_000);
    cluster.create(&struck).await;
    cluster.until(|| cluster.processes("struck").len() == 3).await;
    let faults = "[{effect: second-writer, what: kill-pod, every: 100ms, match: {namespace: default}}]";
    for fault in bootstorm_sandbox::faults::read_text(faults).unwrap() {
        cluster.sandbox.faults().add(fault);
    }
    cluster.until(|| cluster.status("struck")["failed"].as_u64() >= Some(2)).await;
    cluster.sandbox.faults().clear();
    std::fs::write(&go, "").unwrap();
    cluster.fine(&["wait", "--for=condition=complete", "job/struck", "--timeout=15s"]).await;
    let status = cluster.status("struck");
    assert_eq!((&status["succeeded"], &status["completedIndexes"]), (&json!(3), &json!("0-2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_needs_too_much_memory_says_so() {
    let cluster = cluster().await;
    cluster.create(&job("hungry", 1, &["stubborn"])).await;
    cluster.until(|| cluster.processes("hungry").len() == 1).await;
    let pod = cluster.pods_of("hungry").remove(0);
    cluster.fine(&["annotate", "pod", pod.name(), "sandbox.bootstorm.dev/kill=out-of-memory"]).await;
    let state = || cluster.value(&PODS, pod.name())["status"]["containerStatuses"][0]["state"].clone();
    cluster.until(|| state()["terminated"]["reason"] == "OOMKilled").await;
    assert_eq!(state()["terminated"]["exitCode"], 137);
}

#[test]
fn a_killed_sandbox_leaves_no_process_behind() {
    let home = tempfile::tempdir().unwrap();
    let program = worker(home.path());
    let image = format!("worker={}", program.display());
    let kubeconfig = home.path().join("kubeconfig");
    let flags = ["sandbox", "--profile", "instant", "--run-image", &image, "--write-kubeconfig"];
    let place = kubeconfig.to_string_lossy().into_owned();
    let arguments = [&flags[..], &[&place]].concat();
    let mut sandbox = Program::new(home.path()).spawn(&arguments);
    until(|| kubeconfig.is_file());
    let kubectl =
        |args: &[&str]| Command::new("kubectl").args(args).env("KUBECONFIG", &kubeconfig).output().unwrap();
    std::fs::write(home.path().join("job.json"), job("left", 2, &["stubborn"]).to_string()).unwrap();
    let made = kubectl(&["create", "-f", &home.path().join("job.json").to_string_lossy()]);
    assert!(made.status.success(), "{made:?}");
    let path = "jsonpath={.items[*].status.containerStatuses[*].containerID}";
    let mut processes: Vec<u32> = Vec::new();
    while processes.len() < 2 {
        let shown = kubectl(&["get", "pods", "-o", path]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        processes =
            text.split_whitespace().filter_map(|one| one.strip_prefix("process://")?.parse().ok()).collect();
    }
    assert!(processes.iter().all(|process| lives(*process)));
    let folders = || {
        std::fs::read_dir(home.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("bootstorm-pods-"))
            .count()
    };
    assert_eq!(folders(), 1);
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    until(|| processes.iter().all(|process| !lives(*process)) && folders() == 0);
}
