//! Phases as an indexed Job whose pods share the VMs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bootstorm_sandbox::store::{DeleteOptions, Object, kind};
use bootstorm_sandbox::value::{Value, json};

use super::observe::{comes_back, instance, outages, saved, shop, take_down};
use crate::support::{Cluster, Ran, until, until_within};

const IMAGE: &str = "registry.example.org/kubectl-bootstorm:test";
const VMS: usize = 7;

/// A cluster in which pods with the program's image run it, and the flags of a Job.
fn cluster() -> Cluster {
    let cluster = Cluster::instant();
    cluster.sandbox.run_image("kubectl-bootstorm", Path::new(env!("CARGO_BIN_EXE_kubectl-bootstorm")));
    cluster.run(&["setup", "--end", "7", "--probe", "none"]).exits(0);
    cluster
}

fn flags(shards: &'static str) -> [&'static str; 5] {
    ["--in-cluster", "--shards", shards, "--runner-image", IMAGE]
}

fn report(cluster: &Cluster) -> Value {
    cluster.run(&["report", "-o", "json"]).exits(0).json()
}

/// Names of objects of a kind in the record's namespace.
fn names(cluster: &Cluster, kind: &'static bootstorm_sandbox::store::Kind) -> Vec<String> {
    let (objects, _) = cluster.sandbox.store().list(kind, None);
    let name = |object: &Object| object.value()["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    objects.iter().map(name).filter(|name| name.starts_with("bootstorm-")).collect()
}

/// Asserts that each VM got one request in each of these phases.
fn assert_asked_once(cluster: &Cluster, phases: &[&str]) {
    let ledger = cluster.sandbox.ledger().json();
    let machines = ledger["machines"].as_array().unwrap();
    assert_eq!(machines.len(), VMS);
    for machine in machines {
        for phase in phases {
            assert_eq!(machine[*phase], json!({"requests": 1, "changes": 1}), "{phase}: {machine}");
        }
    }
}

/// Asserts that nothing of a Job is left.
fn assert_no_job(cluster: &Cluster) {
    for kind in [&kind::JOBS, &kind::SERVICE_ACCOUNTS, &kind::LEASES] {
        assert_eq!(names(cluster, kind), Vec::<String>::new(), "{}", kind.plural);
    }
    let maps = names(cluster, &kind::CONFIG_MAPS);
    assert!(!maps.iter().any(|name| name.contains(".shard-") || name.contains(".start.")), "{maps:?}");
}

#[test]
fn three_shards_do_what_one_process_does() {
    let cluster = cluster();
    let run = |phase: &str| cluster.run(&[&[phase], &flags("3")[..]].concat()).exits(0);
    run("create")
        .complains(&["job bootstorm-boot-storm-test with 3 shards was created in namespace default"]);
    run("stop");
    run("storm").prints(&["storm-1", "7/7"]);
    let report = report(&cluster);
    for phase in report["phases"].as_array().unwrap() {
        assert_eq!((&phase["state"], &phase["counts"]["reached"]), (&json!("done"), &json!(VMS)), "{phase}");
        assert_eq!(phase["settings"]["shards"], 3);
    }
    assert_asked_once(&cluster, &["creates", "stops", "starts"]);
    assert_no_job(&cluster);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(names(&cluster, &kind::CONFIG_MAPS).is_empty());
}

#[test]
fn a_whole_run_is_one_job_and_needs_no_laptop() {
    let cluster = Cluster::instant();
    cluster.sandbox.run_image("kubectl-bootstorm", Path::new(env!("CARGO_BIN_EXE_kubectl-bootstorm")));
    let args = [&["run", "--end", "7", "--probe", "none"], &flags("2")[..]].concat();
    let mut child = cluster.program().spawn(&args);
    until(|| !names(&cluster, &kind::JOBS).is_empty());
    // Otherwise the pods would wait until the dead process's lock has expired.
    let holders = || {
        let (leases, _) = cluster.sandbox.store().list(&kind::LEASES, None);
        let holder = |lease: &Object| lease.value()["spec"]["holderIdentity"].clone();
        leases.iter().map(holder).collect::<Vec<_>>()
    };
    let before = holders();
    until(|| holders() != before);
    child.kill().unwrap();
    child.wait().unwrap();
    let is_complete = || {
        let job = cluster.sandbox.store().get(&kind::JOBS, "default", "bootstorm-boot-storm-test").unwrap();
        let conditions = job.value()["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Complete" && one["status"] == "True")
    };
    // Each phase has its own common start, three seconds ahead.
    until_within(Duration::from_secs(60), is_complete);
    // No one has looked since; the same command shows the result.
    cluster.run(&args).exits(0).complains(&["following job bootstorm-boot-storm-test"]).prints(&["storm-1"]);
    assert_eq!(report(&cluster)["phases"].as_array().unwrap().len(), 3);
    assert_asked_once(&cluster, &["creates", "stops", "starts"]);
    assert_no_job(&cluster);
}

#[test]
fn a_job_that_was_left_is_deleted_by_cleanup() {
    let cluster = cluster();
    let mut child = cluster.program().spawn(&[&["create"], &flags("2")[..]].concat());
    until(|| !names(&cluster, &kind::JOBS).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let dry = cluster.run(&["cleanup", "--dry-run=client"]).exits(0);
    assert!(dry.stderr.contains("job/bootstorm-boot-storm-test would be deleted"), "{}", dry.stderr);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_no_job(&cluster);
    for kind in [&kind::CONFIG_MAPS, &kind::VIRTUAL_MACHINES] {
        assert_eq!(names(&cluster, kind), Vec::<String>::new());
    }
}

#[test]
fn one_signal_ends_a_cleanup_that_waits_for_the_lock_after_the_job() {
    let cluster = cluster();
    let mut child = cluster.program().spawn(&[&["create"], &flags("2")[..]].concat());
    until(|| !names(&cluster, &kind::JOBS).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    for verb in ["create", "update"] {
        cluster.sandbox.faults().deny(verb, "leases", None);
    }
    let child = cluster.program().spawn(&["cleanup", "--yes"]);
    // Deleted last, after the pods; then comes the lock.
    let accounts = || names(&cluster, &kind::SERVICE_ACCOUNTS);
    until_within(Duration::from_secs(60), || !accounts().iter().any(|name| name.contains("bootstorm")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130).complains(&["deleted the job of the run", "some objects may be deleted"]);
}

#[test]
fn what_cannot_be_run_in_the_cluster_is_refused() {
    let cluster = cluster();
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        cluster.run(args).exits(code).complains(words);
    };
    refused(&["create", "--shards", "2"], 2, &["--in-cluster"]);
    refused(&["create", "--in-cluster", "--shards", "0"], 2, &["--shards"]);
    refused(&["create", "--in-cluster"], 2, &["--in-cluster needs an image", "--runner-image"]);
    refused(&[&["create"], &flags("8")[..]].concat(), 2, &["8 shards are more than 7 VMs", "--shards 7"]);
    let hook = [&["create", "--before", "create=true"], &flags("2")[..]].concat();
    refused(&hook, 2, &["--before cannot be combined with --in-cluster"]);
    let until = [&["observe", "-A", "--until", "all=ready"], &flags("2")[..]].concat();
    refused(&until, 2, &["--until cannot be combined with several shards"]);
    let here = [&["observe", "-A", "--probe-from", "here"], &flags("1")[..]].concat();
    refused(&here, 2, &["--probe-from cannot be combined with --in-cluster"]);
    let limit = [&["create", "--abort-if-failed", "2"], &flags("2")[..]].concat();
    refused(&limit, 2, &["create cannot run in the cluster with these flags"]);
    assert_no_job(&cluster);
}

#[test]
fn ctrl_c_leaves_the_job_alone_and_says_how_to_stop_it() {
    let cluster = cluster();
    let child = cluster.program().spawn(&[&["create"], &flags("2")[..]].concat());
    let id = child.id().to_string();
    until(|| !cluster.sandbox.store().list(&kind::PODS, None).0.is_empty());
    Command::new("kill").args(["-INT", &id]).stdin(Stdio::null()).status().unwrap();
    Ran::of(child).exits(130).complains(&["detached; job bootstorm-boot-storm-test continues", "cleanup"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_no_job(&cluster);
}

/// A cluster with foreign VMs, in which pods with the program's image run it.
fn cluster_of_others() -> Cluster {
    let cluster = Cluster::instant();
    cluster.sandbox.run_image("kubectl-bootstorm", Path::new(env!("CARGO_BIN_EXE_kubectl-bootstorm")));
    shop(&cluster);
    cluster
}

const OBSERVE: [&str; 9] =
    ["observe", "-l", "tier=web", "--namespace", "shop", "--save", "seen.json", "-o", "json"];

/// The indexes of the shards of an observation that have saved.
fn parts(cluster: &Cluster) -> Vec<Value> {
    let (maps, _) = cluster.sandbox.store().list(&kind::CONFIG_MAPS, None);
    let part = |map: &Object| {
        let text = map.value()["data"]["observation.json"].as_str()?;
        serde_json::from_str::<Value>(text).ok()
    };
    maps.iter().filter_map(part).collect()
}

/// Waits until this many shards observe.
fn until_observed(cluster: &Cluster, shards: usize) {
    let is_saved = |part: &Value| part["chunks"].as_array().is_some_and(|chunks| !chunks.is_empty());
    until(|| parts(cluster).iter().filter(|part| is_saved(part)).count() == shards);
}

fn uids(cluster: &Cluster) -> Vec<Value> {
    let (machines, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, None);
    machines.iter().map(|machine| machine.value()["metadata"]["uid"].clone()).collect()
}

#[test]
fn an_observation_in_the_cluster_needs_no_laptop() {
    let cluster = cluster_of_others();
    let before = uids(&cluster);
    let args = [&OBSERVE[..], &["--until", "all=ready", "--settle", "1s"], &flags("1")].concat();
    let mut child = cluster.program().spawn(&args);
    until_observed(&cluster, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let uid = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &uid);
    until(|| parts(&cluster).iter().any(|part| part["ended"].is_integer()));
    let ran = cluster.run(&args).exits(0).complains(&["saved to seen.json"]);
    let seen = outages(&ran.json());
    assert_eq!((seen.len(), &seen[0]["name"], &seen[0]["sign"]), (1, &json!("web-1"), &json!("deleting")));
    assert_eq!(
        saved(&cluster.home.path().join("seen.json"))["observation"]["outages"].as_array().unwrap().len(),
        1
    );
    assert_no_job(&cluster);
    assert_eq!(names(&cluster, &kind::CONFIG_MAPS), Vec::<String>::new(), "it is in the file");
    assert_eq!(uids(&cluster), before);
}

#[test]
fn shards_observe_their_shares_and_a_pod_that_is_deleted_is_continued() {
    let cluster = cluster_of_others();
    let args = [&OBSERVE[..], &["--for", "12s"], &flags("2")].concat();
    let child = cluster.program().spawn(&args);
    until_observed(&cluster, 2);
    let first = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &first);
    until(|| parts(&cluster).iter().any(|part| part["over"] == 1));
    let (pods, _) = cluster.sandbox.store().list(&kind::PODS, Some("shop"));
    let of_job = pods.iter().find(|pod| pod.value()["metadata"]["labels"]["bootstorm.dev/role"] == "shard");
    let name = of_job.unwrap().value()["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.sandbox.store().delete(&kind::PODS, "shop", &name, &DeleteOptions::default()).unwrap();
    let second = take_down(&cluster, "web-2");
    comes_back(&cluster, "web-2", &second);
    let ran = Ran::of(child).exits(0);
    let report = ran.json();
    let names: BTreeSet<String> =
        outages(&report).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["web-1", "web-2"].map(str::to_owned).into());
    assert_eq!(outages(&report).len(), 2);
    assert_eq!(report["observation"]["continued"], 1);
    assert!(instance(&cluster, "web-3").is_some());
    assert_no_job(&cluster);
}

#[test]
fn an_observation_is_shown_and_deleted_like_a_run_and_changes_no_vm() {
    let cluster = cluster_of_others();
    let before = uids(&cluster);
    let child = cluster.program().spawn(&[&OBSERVE[..], &flags("1")].concat());
    until_observed(&cluster, 1);
    let uid = take_down(&cluster, "web-3");
    comes_back(&cluster, "web-3", &uid);
    until(|| parts(&cluster).iter().any(|part| part["over"] == 1));
    let id = child.id().to_string();
    Command::new("kill").args(["-INT", &id]).stdin(Stdio::null()).status().unwrap();
    let detached =
        Ran::of(child).exits(130).complains(&["continues in the cluster", "kubectl bootstorm report"]);
    let run =
        detached.stderr.split("--ns-prefix ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let of_run = ["--ns-prefix", &run, "-n", "shop"];
    let report = cluster.run(&[&["report", "-o", "json"], &of_run[..]].concat()).exits(0).json();
    assert_eq!(outages(&report).len(), 1);
    cluster
        .run(&[&["status"], &of_run[..]].concat())
        .exits(0)
        .prints(&[&format!("Job bootstorm-{run}"), "observation"]);
    let ran = cluster.run(&[&["storm"], &of_run[..]].concat()).exits(1);
    ran.complains(&["is an observation, which changes no VM"]);
    cluster.run(&[&["cleanup", "--yes"], &of_run[..]].concat()).exits(0);
    assert_no_job(&cluster);
    assert_eq!(names(&cluster, &kind::CONFIG_MAPS), Vec::<String>::new());
    assert_eq!(uids(&cluster), before);
    assert!(instance(&cluster, "web-1").is_some(), "it runs on");
}

/// A role's permissions: verbs and resources.
fn granted(role: &Value) -> BTreeSet<(String, String)> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let rules = role["rules"].as_array().unwrap().iter();
    rules
        .flat_map(|rule| {
            let resources = words(rule, "resources");
            let pairs = move |verb: String| resources.clone().into_iter().map(move |one| (verb.clone(), one));
            words(rule, "verbs").into_iter().flat_map(pairs).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_command_that_cannot_look_any_more_says_that_the_job_goes_on() {
    let cluster = cluster();
    let child = cluster.program().spawn(&[&["create"], &flags("2")[..]].concat());
    until(|| !names(&cluster, &kind::JOBS).is_empty());
    cluster.sandbox.faults().deny("get", "jobs", None);
    Ran::of(child).exits(1).complains(&["the job continues without this command"]);
}

/// Permissions that pods need only after a lost response, to explain a failed VM, or for disks and probers that this
/// run has not got.
fn is_for_failures((verb, resource): &(String, String)) -> bool {
    matches!(
        (verb.as_str(), resource.as_str()),
        ("get", "virtualmachines" | "virtualmachineinstances" | "datavolumes" | "persistentvolumeclaims")
            | ("update", "leases")
            | ("list", "resourcequotas" | "persistentvolumeclaims" | "events" | "datavolumes")
            | ("watch", "datavolumes")
    )
}

/// Permissions granted by the roles of a Job's pods: one for the record's namespace, and one for all namespaces.
fn granted_to_pods(cluster: &Cluster) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for kind in [&kind::ROLES, &kind::CLUSTER_ROLES] {
        let (roles, _) = cluster.sandbox.store().list(kind, None);
        let ours = |role: &&Object| role.value()["metadata"]["labels"]["bootstorm.dev/role"] == "shard";
        let roles: Vec<_> = roles.iter().filter(ours).collect();
        assert_eq!(roles.len(), 1, "{}", kind.plural);
        all.extend(granted(roles[0].value()));
    }
    all
}

/// Asserts that an account may do what it did, and no more. That its permissions suffice is shown by the end of the
/// Job: the simulated cluster enforces the roles.
fn assert_least(cluster: &Cluster, granted: &BTreeSet<(String, String)>, account: &str) {
    let used = cluster.sandbox.ledger().asked_by(&format!("system:serviceaccount:{account}"));
    let unused: Vec<_> = granted.difference(&used).filter(|one| !is_for_failures(one)).collect();
    assert!(unused.is_empty(), "granted and not used: {unused:?}");
    assert!(!granted.iter().any(|(verb, resource)| verb == "*" || resource == "*"), "{granted:?}");
    assert!(!granted.contains(&("delete".to_owned(), "virtualmachines".to_owned())), "{granted:?}");
}

#[test]
fn the_account_of_the_pods_may_do_what_they_do_and_no_more() {
    let cluster = cluster();
    let mut all = BTreeSet::new();
    for phase in ["create", "stop", "storm"] {
        let child = cluster.program().spawn(&[&[phase], &flags("2")[..]].concat());
        until(|| !names(&cluster, &kind::JOBS).is_empty());
        all.extend(granted_to_pods(&cluster));
        Ran::of(child).exits(0);
    }
    assert_least(&cluster, &all, "default:bootstorm-boot-storm-test");
}

#[test]
fn the_account_of_an_observation_may_read_and_keep_its_record_and_no_more() {
    let cluster = cluster_of_others();
    let child = cluster.program().spawn(&[&OBSERVE[..], &["--for", "6s"], &flags("2")].concat());
    until_observed(&cluster, 2);
    let granted = granted_to_pods(&cluster);
    let of_vms = granted.iter().filter(|(_, resource)| resource.starts_with("virtualmachine"));
    assert!(of_vms.clone().all(|(verb, _)| verb == "list" || verb == "watch"), "{granted:?}");
    let uid = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &uid);
    // A VM that stays down is read.
    cluster
        .sandbox
        .store()
        .delete(&kind::VIRTUAL_MACHINES, "shop", "web-2", &DeleteOptions::default())
        .unwrap();
    Ran::of(child).exits(0);
    let account = {
        let ledger = cluster.sandbox.ledger().json();
        let users = ledger["users"].as_array().unwrap().clone();
        let mut names = users.iter().filter_map(|one| one["user"].as_str());
        let name = names.find_map(|user| user.strip_prefix("system:serviceaccount:"));
        name.unwrap().to_owned()
    };
    assert_least(&cluster, &granted, &account);
}

#[test]
fn pods_that_are_refused_and_pods_that_lack_rights_are_explained() {
    let cluster = cluster();
    let account = ["--service-account", "ghost"];
    let child = cluster.program().spawn(&[&["create"], &flags("2")[..], &account].concat());
    let is_refused = |event: &Object| event.value()["reason"] == "FailedCreate";
    until(|| cluster.sandbox.store().list(&kind::EVENTS, None).0.iter().any(is_refused));
    // The command reports its findings before it polls again.
    let looks = || cluster.sandbox.ledger().count("list", "events").received;
    let before = looks();
    until(|| looks() >= before + 2);
    let ghost = json!({"metadata": {"name": "ghost", "namespace": "default"}});
    cluster.sandbox.store().create(&kind::SERVICE_ACCOUNTS, ghost).unwrap();
    Ran::of(child).exits(1).complains(&[
        "pods are refused: ",
        "serviceaccount \"ghost\" not found",
        "failed to acquire the lock of the run: leases.coordination.k8s.io is forbidden",
        "create was not finished: job bootstorm-boot-storm-test has failed",
        "PodFailurePolicy",
    ]);
}

#[test]
fn shards_of_adopted_vms_need_a_role_in_their_namespace_only() {
    let cluster = cluster_of_others();
    let before = uids(&cluster);
    let run = ["--ns-prefix", "night", "--namespace", "shop"];
    let adopt = ["setup", "--adopt", "-l", "tier=web", "--probe", "none", "--yes"];
    cluster.run(&[&adopt, &run[..]].concat()).exits(0);
    let child = cluster.program().spawn(&[&["stop"], &run[..], &flags("2")].concat());
    until(|| !names(&cluster, &kind::JOBS).is_empty());
    let (roles, _) = cluster.sandbox.store().list(&kind::CLUSTER_ROLES, None);
    let ours = |role: &&Object| role.value()["metadata"]["labels"]["bootstorm.dev/role"] == "shard";
    let everywhere = granted(roles.iter().find(ours).unwrap().value());
    let of_vms = everywhere.iter().filter(|(_, resource)| resource.starts_with("virtualmachine"));
    assert_eq!(of_vms.count(), 0, "{everywhere:?}");
    Ran::of(child).exits(0);
    cluster.run(&[&["storm"], &run[..], &flags("2")].concat()).exits(0).prints(&["3/3"]);
    cluster.run(&[&["cleanup", "--yes"], &run[..]].concat()).exits(0);
    assert_eq!(uids(&cluster), before);
    assert!(instance(&cluster, "web-1").is_some(), "it runs on");
    assert_no_job(&cluster);
}
