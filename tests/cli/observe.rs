//! Observed outages caused by others: recognised, timed, saved while they last; nothing is changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::{DeleteOptions, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

const NAMES: [&str; 3] = ["web-1", "web-2", "web-3"];

pub(super) fn instance(cluster: &Cluster, name: &str) -> Option<Value> {
    let found = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name);
    found.map(|instance| instance.value().clone())
}

fn is_ready(instance: &Value) -> bool {
    let conditions = instance["status"]["conditions"].as_array();
    instance["status"]["phase"] == "Running"
        && instance["metadata"].get("deletionTimestamp").is_none()
        && conditions
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

/// Running foreign VMs.
pub(super) fn shop(cluster: &Cluster) {
    let store = cluster.sandbox.store();
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    store.create(&kind::NAMESPACES, shop).unwrap();
    for name in NAMES {
        // With the defaults of the webhook, which would otherwise change the template when the VM is marked.
        let spec = json!({"runStrategy": "Always", "template": {"spec": {"architecture": "amd64",
            "domain": {"machine": {"type": "q35"}, "memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
            "networks": [{"name": "default", "pod": {}}]}}});
        let metadata = json!({"name": name, "namespace": "shop", "labels": {"tier": "web"}});
        store.create(&kind::VIRTUAL_MACHINES, json!({"metadata": metadata, "spec": spec})).unwrap();
    }
    until(|| NAMES.iter().all(|name| instance(cluster, name).is_some_and(|instance| is_ready(&instance))));
}

/// Deletes a VM's instance, as a third party might, and returns its UID.
pub(super) fn take_down(cluster: &Cluster, name: &str) -> String {
    let uid = instance(cluster, name).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let store = cluster.sandbox.store();
    store.delete(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name, &DeleteOptions::default()).unwrap();
    uid
}

/// Waits until a VM has a new instance that is ready.
pub(super) fn comes_back(cluster: &Cluster, name: &str, before: &str) {
    until(|| instance(cluster, name).is_some_and(|vmi| vmi["metadata"]["uid"] != before && is_ready(&vmi)));
}

struct Observer {
    /// `None` once it was waited for.
    child: Option<Child>,
    file: PathBuf,
}

impl Observer {
    /// Starts to observe the shop's VMs and waits until it does.
    fn begin(cluster: &Cluster, file: &str, more: &[&str]) -> Self {
        Self::begin_with(cluster, file, more, NAMES.len())
    }

    /// The same with this many of its VMs up.
    fn begin_with(cluster: &Cluster, file: &str, more: &[&str], up: usize) -> Self {
        let file = cluster.home.path().join(file);
        let known = saved(&file)["observation"]["continued"].as_u64();
        let path = file.to_string_lossy().into_owned();
        let mut args =
            vec!["observe", "-l", "tier=web", "--namespace", "shop", "--save", &path, "-o", "json"];
        args.extend(more);
        let child = cluster.program().spawn(&args);
        until(|| {
            let observation = &saved(&file)["observation"];
            let vms = observation["vms"].as_array().map(Vec::as_slice).unwrap_or_default();
            let again = file.exists() && known.is_none() || observation["continued"].as_u64() > known;
            again && !vms.is_empty() && vms.iter().filter(|vm| vm["was_up"] == true).count() == up
        });
        Self { child: Some(child), file }
    }

    /// Waits until this many outages are over and saved.
    fn sees(&self, outages: usize) {
        until(|| {
            saved(&self.file)["observation"]["outages"].as_array().is_some_and(|all| all.len() >= outages)
        });
    }

    /// Ctrl-C.
    fn end(self) -> Ran {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.ends()
    }

    /// Waits until it exits on its own.
    fn ends(mut self) -> Ran {
        Ran::of(self.child.take().unwrap())
    }

    /// kill -9.
    fn dies(mut self) {
        self.child.as_mut().unwrap().kill().unwrap();
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// An observation's file; null if there is none.
pub(super) fn saved(file: &Path) -> Value {
    std::fs::read(file).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
}

pub(super) fn outages(report: &Value) -> Vec<Value> {
    report["observation"]["outages"].as_array().unwrap().clone()
}

/// Verbs and resources of all requests.
fn requests(cluster: &Cluster) -> BTreeSet<(String, String)> {
    let ledger = cluster.sandbox.ledger().json();
    let text = |word: &Value| word.as_str().unwrap().to_owned();
    let totals = ledger["totals"].as_array().unwrap().clone();
    totals.iter().map(|one| (text(&one["verb"]), text(&one["resource"]))).collect()
}

fn pairs(all: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    all.iter().map(|(verb, resource)| ((*verb).to_owned(), (*resource).to_owned())).collect()
}

/// The permissions in `examples/observe/role.yaml`.
fn role(name: &str) -> BTreeSet<(String, String)> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/observe/role.yaml")).unwrap();
    let parts = text.split("\n---\n").map(|part| serde_saphyr::from_str::<Value>(part).unwrap());
    let words = |value: &Value| {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut allowed = BTreeSet::new();
    for part in parts.filter(|part| part["metadata"]["name"] == name && part["rules"].is_array()) {
        for rule in part["rules"].as_array().unwrap() {
            for verb in words(&rule["verbs"]) {
                allowed
                    .extend(words(&rule["resources"]).into_iter().map(|resource| (verb.clone(), resource)));
            }
        }
    }
    allowed
}

#[test]
fn outages_one_after_the_other_are_recoveries_and_only_reads_are_sent() {
    let cluster = Cluster::instant();
    shop(&cluster);
    cluster.sandbox.ledger().clear();
    let observer = Observer::begin(&cluster, "o.json", &[]);
    let one = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &one);
    observer.sees(1);
    let (two, three) = (take_down(&cluster, "web-2"), take_down(&cluster, "web-3"));
    comes_back(&cluster, "web-2", &two);
    comes_back(&cluster, "web-3", &three);
    observer.sees(3);
    let second = cluster.run(&["observe", "-n", "shop", "--save", "o.json"]).exits(1);
    second.complains(&["another process is observing these VMs", "--save FILE"]);
    let report = observer.end().exits(0).json();
    let all = outages(&report);
    assert_eq!(all.len(), 3, "{all:?}");
    for outage in &all {
        assert_eq!((&outage["sign"], &outage["cause"]), (&json!("deleting"), &json!("deleted")), "{outage}");
        assert_eq!((&outage["exact"], &outage["outcome"]), (&json!("seen"), &json!("reached")), "{outage}");
        assert!(outage["took"].as_f64().unwrap() > 0.0, "{outage}");
    }
    let phases = report["phases"].as_array().unwrap();
    assert_eq!(phases[0]["settings"]["kind"], "observed");
    let reached: u64 = phases.iter().map(|phase| phase["counts"]["reached"].as_u64().unwrap()).sum();
    assert_eq!(reached, 3, "each outage is in one recovery");
    let rows = phases[0]["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "web-1").unwrap();
    let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
    assert!(
        at("gone") <= at("instance") && at("instance") <= at("running") && at("running") <= at("ready"),
        "{row}"
    );

    let (sent, allowed) = (requests(&cluster), role("bootstorm-observer"));
    assert!(sent.is_subset(&allowed), "{sent:?} is more than the role allows: {allowed:?}");
    assert_eq!(sent, allowed, "the role allows no more than what is used");

    // The file is a run like any other.
    let wide = cluster.run(&["report", "--from", "o.json", "-o", "wide"]).exits(0);
    wide.prints(&[
        "Outages",
        "shop/web-1",
        "#",
        "the instance was deleted",
        "Recovery Performance Test Results",
    ]);
    cluster
        .run(&["report", "--from", "o.json", "-o", "summary"])
        .exits(0)
        .prints(&["3 outages of 3 VMs, 3 back"]);
    let page = cluster.run(&["report", "--from", "o.json", "-o", "html"]).exits(0).stdout;
    assert!(page.contains("band-down") && page.contains("id=\"outages\""));
    for format in ["markdown", "csv", "junit", "openmetrics", "yaml"] {
        cluster.run(&["report", "--from", "o.json", "-o", format]).exits(0);
    }
    let too_slow = cluster.run(&["report", "--from", "o.json", "--fail-if", "ready.max>0.001s"]).exits(4);
    too_slow.prints(&["ready.max>0.001s"]);
    std::fs::copy(cluster.home.path().join("o.json"), cluster.home.path().join("copy.json")).unwrap();
    cluster.run(&["compare", "o.json", "copy.json"]).exits(0).prints(&["Ready mean", "storm-1"]);
    // It has ended: the file is neither continued nor overwritten.
    let again = cluster.run(&["observe", "-l", "tier=web", "-n", "shop", "--save", "o.json"]).exits(1);
    again.complains(&["its observation has ended", "report --from"]);
}

#[test]
fn times_agree_with_the_truth_within_the_exactness_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth");
    let cluster = Cluster::with_truth("instant", 1.0, &truth);
    shop(&cluster);
    let observer = Observer::begin(&cluster, "o.json", &[]);
    let seen = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &seen);
    observer.sees(1);
    // The API server is unreachable for the whole of the next outage.
    cluster.sandbox.faults().outage(Duration::from_secs(4));
    let unseen = take_down(&cluster, "web-2");
    comes_back(&cluster, "web-2", &unseen);
    assert!(cluster.sandbox.faults().is_out(), "it is over before the server is back");
    observer.sees(2);
    // The observer dies, and the next outage happens meanwhile.
    observer.dies();
    let missed = take_down(&cluster, "web-3");
    comes_back(&cluster, "web-3", &missed);
    let observer = Observer::begin(&cluster, "o.json", &[]);
    observer.sees(3);
    let report = observer.end().exits(0).json();
    let observation = &report["observation"];
    assert_eq!(
        (&observation["continued"], observation["gaps"].as_array().unwrap().len() >= 2),
        (&json!(1), true)
    );
    let began: jiff::Timestamp = observation["began"].as_str().unwrap().parse().unwrap();
    cluster.sandbox.store().close_truth();
    let truth = std::fs::read_to_string(&truth).unwrap();
    let deleted = |uid: &str| -> f64 {
        let lines = truth.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lines = lines.filter(|line| line["kind"] == "virtualmachineinstances" && line["uid"] == uid);
        let line = lines.find(|line| line["deleting"] == true || line["action"] == "deleted").unwrap();
        (line["at"].as_i64().unwrap() - i64::try_from(began.as_nanosecond()).unwrap()) as f64 / 1e9
    };
    let all = outages(&report);
    assert_eq!(all.len(), 3, "{all:?}");
    for (name, uid) in [("web-1", &seen), ("web-2", &unseen), ("web-3", &missed)] {
        let outage = all.iter().find(|outage| outage["name"] == name).unwrap();
        let (earliest, at) = (outage["earliest"].as_f64().unwrap(), outage["at"].as_f64().unwrap());
        let truth = deleted(uid);
        // Server times are truncated to whole seconds, and a busy machine may deliver late.
        let late = if name == "web-1" { 2.0 } else { 0.1 };
        assert!(truth >= earliest - 1.0 - late && truth <= at + 1.1, "{truth}: {outage}");
        assert_eq!(outage["outcome"], "reached", "{outage}");
        let exact = outage["exact"].as_str().unwrap();
        // After a short interruption, the server replays missed events with their timestamps.
        assert!(exact != "seen" || name != "web-3", "{outage}");
        assert!(exact == "seen" || name != "web-1", "{outage}");
        assert!(["seen", "stamped, ±1s"].contains(&exact) || exact.starts_with("between "), "{outage}");
    }
}

#[test]
fn a_selection_of_nothing_says_what_there_is() {
    let cluster = Cluster::instant();
    cluster
        .run(&["observe", "-A"])
        .exits(1)
        .complains(&["there are no VMs in all namespaces", "no VM is visible"]);
    shop(&cluster);
    cluster.run(&["observe", "-l", "tier=db", "-n", "shop"]).exits(1).complains(&[
        "there are no VMs with tier=db in namespace shop",
        "labels of VMs there: tier=web (3)",
        "namespaces with VMs: shop (3)",
    ]);
    std::fs::write(cluster.home.path().join("list"), "shop/none\n").unwrap();
    cluster.run(&["observe", "--vm-file", "list"]).exits(1).complains(&["shop/none does not exist"]);
    cluster
        .run(&["observe", "--until", "all=reachable"])
        .exits(2)
        .complains(&["needs probes", "--probe-pod"]);
    cluster.run(&["observe", "--until", "soon"]).exits(2).complains(&["all=ready"]);
    cluster
        .run(&["observe", "--probe", "agent", "--probe-pod", "a/b"])
        .exits(2)
        .complains(&["--probe agent"]);
    cluster.run(&["observe", "-n", "shop", "--fail-if", "ready.p95"]).exits(2);
}

#[test]
fn it_ends_when_every_vm_is_back_or_its_time_is_up() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let args = ["--until", "all=ready", "--settle", "500ms", "--fail-if", "ready.max>0.001s"];
    let observer = Observer::begin(&cluster, "o.json", &args);
    take_down(&cluster, "web-1");
    let ran = observer.ends().exits(4);
    assert_eq!(outages(&ran.json()).len(), 1);
    ran.complains(
        &["1 of 3 VMs are up", "threshold"]
            .map(|text| if text.starts_with('1') { "3 of 3 VMs are up" } else { text }),
    );

    // A VM that does not come back.
    let observer = Observer::begin(&cluster, "p.json", &["--for", "4s"]);
    let store = cluster.sandbox.store();
    let nowhere = |vm: &mut Value| vm["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "none"});
    store.modify(&kind::VIRTUAL_MACHINES, "shop", "web-2", nowhere).unwrap();
    take_down(&cluster, "web-2");
    let ran = observer.ends().exits(3);
    let report = ran.json();
    assert_eq!((&report["observation"]["down"], &report["observation"]["done"]), (&json!(1), &json!(true)));
    assert_eq!(outages(&report)[0]["outcome"], "timed-out");
    assert!(report["observation"]["watched_seconds"].as_f64().unwrap() >= 3.9);
    cluster.run(&["report", "--from", "p.json", "-o", "summary"]).exits(3).prints(&["1 VM not back"]);
}

#[test]
fn vms_that_somebody_wants_to_be_down_are_not_waited_for_and_timed_when_they_are_started() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let store = cluster.sandbox.store();
    let strategy = |name: &str, word: &str| {
        let set = |vm: &mut Value| vm["spec"]["runStrategy"] = word.into();
        store.modify(&kind::VIRTUAL_MACHINES, "shop", name, set).unwrap();
    };
    let observer = Observer::begin(&cluster, "o.json", &["--until", "all=ready", "--settle", "500ms"]);
    strategy("web-1", "Halted");
    store.delete(&kind::VIRTUAL_MACHINES, "shop", "web-2", &DeleteOptions::default()).unwrap();
    let ran = observer.ends().exits(0);
    let report = ran.json();
    ran.complains(&[
        "stopped on purpose, not waited for: shop/web-1",
        "deleted on purpose, not waited for: shop/web-2",
    ]);
    assert_eq!((&report["observation"]["down"], &report["observation"]["resting"]), (&json!(0), &json!(2)));
    assert!(outages(&report).iter().all(|outage| outage["outcome"] == "excluded"));
    assert_eq!(report["phases"], json!([]), "nobody waits for them, so that there is no recovery");
    let lines = ["no outage", "2 VMs stopped or deleted on purpose, and not waited for"];
    cluster.run(&["report", "--from", "o.json", "-o", "summary"]).exits(0).prints(&lines);

    // Maintenance: one is stopped and started again later.
    let observer = Observer::begin_with(&cluster, "p.json", &["--until", "all=ready", "--settle", "10s"], 1);
    strategy("web-3", "Halted");
    until(|| saved(&observer.file)["observation"]["vms"][1]["rests"] == "stopped");
    strategy("web-3", "Always");
    let report = observer.ends().exits(0).json();
    let outages = outages(&report);
    let facts: Vec<_> = outages.iter().map(|outage| (&outage["sign"], &outage["outcome"])).collect();
    assert_eq!(facts[1..], [(&json!("started"), &json!("reached"))], "{outages:?}");
    assert_eq!((facts[0].1, report["phases"].as_array().unwrap().len()), (&json!("excluded"), 1));
    assert_eq!(outages[1]["cause"], "stopped");
}

/// A user's pod on a node.
fn pod(cluster: &Cluster) -> String {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shell", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "docker.io/library/alpine:3.22", "command": ["sleep", "9999"]}]}});
    let store = cluster.sandbox.store();
    store.create(&kind::PODS, pod).unwrap();
    let found = || store.get(&kind::PODS, "default", "shell").map(|pod| pod.value().clone());
    until(|| found().is_some_and(|pod| pod["status"]["phase"] == "Running"));
    found().unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned()
}

#[test]
fn guests_are_probed_and_the_silence_that_clients_see_is_told() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let node = pod(&cluster);
    cluster.sandbox.ledger().clear();
    let observer = Observer::begin(&cluster, "o.json", &["--probe-pod", "default/shell"]);
    let answers = |count: usize| {
        until(|| {
            let vms = saved(&observer.file)["observation"]["vms"].as_array().cloned().unwrap_or_default();
            vms.iter().filter(|vm| vm["answered"] == true).count() == count
        });
    };
    answers(3);
    let before = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &before);
    observer.sees(1);
    // Another VM's node loses power.
    let on =
        |name: &str| instance(&cluster, name).unwrap()["status"]["nodeName"].as_str().unwrap().to_owned();
    let lost = NAMES.iter().find(|name| on(name) != node);
    if let Some(name) = lost {
        let (there, store) = (on(name), cluster.sandbox.store());
        let down = "sandbox.bootstorm.dev/down";
        store
            .modify(&kind::NODES, "", &there, |node| node["metadata"]["annotations"][down] = "power".into())
            .unwrap();
        until(|| {
            let vms = saved(&observer.file)["observation"]["vms"].as_array().cloned().unwrap_or_default();
            vms.iter().any(|vm| vm["open"]["outage"]["cause"] == "node-lost")
        });
        let on_again = |node: &mut Value| {
            node["metadata"]["annotations"].as_object_mut().unwrap().remove(down);
        };
        store.modify(&kind::NODES, "", &there, on_again).unwrap();
        observer.sees(2);
        until(|| {
            let vms = saved(&observer.file)["observation"]["vms"].as_array().cloned().unwrap_or_default();
            vms.iter().all(|vm| vm["open"].is_null())
        });
    }
    let report = observer.end().exits(0).json();
    let all = outages(&report);
    let first = &all[0];
    assert_eq!((&first["name"], &first["sign"]), (&json!("web-1"), &json!("deleting")), "{first}");
    let (silence, took) = (first["silence"].as_f64().unwrap(), first["took"].as_f64().unwrap());
    assert!(silence > 0.0 && took > 0.0, "{first}");
    if lost.is_some() {
        let other = all.iter().find(|outage| outage["cause"] == "node-lost").unwrap();
        let sign = other["sign"].as_str().unwrap();
        assert!(["silent", "node-not-ready", "not-ready"].contains(&sign), "{other}");
        assert!(other["silence"].as_f64().unwrap() > 0.3, "{other}");
    }
    assert_eq!(report["phases"][0]["goal"], "reachable");
    let sent = requests(&cluster);
    let allowed = &role("bootstorm-observer") | &role("bootstorm-observer-prober");
    assert!(sent.is_subset(&allowed), "{sent:?} {allowed:?}");
    assert!(!pairs(&[("create", "pods/exec"), ("get", "pods/exec")]).is_disjoint(&sent), "{sent:?}");
}

#[test]
fn this_computer_probes_guests_that_it_reaches() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let store = cluster.sandbox.store();
    // The agent's report replaces the addresses again.
    let is_told = |name: &str| {
        let source = instance(&cluster, name).unwrap()["status"]["interfaces"][0]["infoSource"].clone();
        source.as_str().is_some_and(|source| source.contains("guest-agent"))
    };
    until(|| NAMES.into_iter().all(is_told));
    let here = |vmi: &mut Value| vmi["status"]["interfaces"][0]["ipAddress"] = "127.0.0.1".into();
    for name in NAMES {
        store.modify(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name, here).unwrap();
    }
    let probe = format!("tcp:{}", address.port());
    let observer = Observer::begin(&cluster, "o.json", &["--probe-from", "here", "--probe", &probe]);
    let vms = || saved(&observer.file)["observation"]["vms"].as_array().cloned().unwrap_or_default();
    until(|| vms().iter().any(|vm| vm["answered"] == true));
    let probed = vms().iter().filter(|vm| vm["answered"] == true).count();
    drop(listener);
    until(|| vms().iter().filter(|vm| vm["open"]["outage"]["sign"] == "silent").count() >= probed);
    let _listener = std::net::TcpListener::bind(address).unwrap();
    observer.sees(probed);
    let report = observer.end().exits(0).json();
    for outage in outages(&report) {
        assert_eq!((&outage["cause"], &outage["outcome"]), (&json!("silent"), &json!("reached")), "{outage}");
        assert!(outage["exact"].as_str().unwrap().starts_with("between two probes"), "{outage}");
        assert!(outage["silence"].as_f64().unwrap() >= 1.0, "{outage}");
    }
}

#[test]
fn of_a_lost_node_it_tells_when_it_was_noticed_and_when_its_vms_ran_elsewhere() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let observer = Observer::begin(&cluster, "loss.json", &[]);
    let text = |name: &str, pointer: &str| {
        instance(&cluster, name).unwrap().pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let node = text(NAMES[0], "/status/nodeName");
    let lost: Vec<(&str, String)> = NAMES
        .into_iter()
        .filter(|name| text(name, "/status/nodeName") == node)
        .map(|name| (name, text(name, "/metadata/uid")))
        .collect();
    let store = cluster.sandbox.store();
    store.modify(&kind::NODES, "", &node, |node| {
        node["metadata"]["annotations"]["sandbox.bootstorm.dev/down"] = json!("power");
    });
    let is_evicted = |name: &str| {
        let vmi = instance(&cluster, name).unwrap();
        let mut conditions = vmi["status"]["conditions"].as_array().unwrap().iter();
        conditions.any(|one| one["type"] == "Ready" && one["reason"] == "PodTerminating")
    };
    until(|| lost.iter().all(|(name, _)| is_evicted(name)));
    store.modify(&kind::NODES, "", &node, |node| {
        let taint = json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
        node["spec"]["taints"].as_array_mut().unwrap().push(taint);
    });
    for (name, before) in &lost {
        comes_back(&cluster, name, before);
    }
    observer.sees(lost.len());
    let report = observer.end().exits(0).json();
    let wide = cluster.run(&["report", "--from", "loss.json", "-o", "wide"]).exits(0);
    wide.prints(&["Lost node", "Noticed(s)", &node]);
    let loss = &report["observation"]["node_losses"][0];
    let all = json!(lost.len());
    assert_eq!((&loss["node"], &loss["vms"], &loss["elsewhere"]), (&json!(node), &all, &all));
    let times = ["noticed", "evicted", "instance", "running"].map(|word| loss[word].as_f64().unwrap());
    assert!(times.is_sorted() && times[1] > times[0] + 0.5, "tolerated for a second: {loss}");
    for outage in outages(&report) {
        assert_eq!((&outage["cause"], &outage["left_node"]), (&json!("node-lost"), &json!(node)));
    }
}

/// A pod with nothing but a shell and its tools.
#[test]
fn an_interrupt_is_heard_while_the_api_server_hangs_and_what_is_known_is_reported() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let observer = Observer::begin(&cluster, "run.json", &[]);
    let before = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &before);
    observer.sees(1);
    observer.dies();
    let rule = Rule { matching: Match::default(), effect: Effect::Hang, remaining: None };
    cluster.sandbox.faults().add(rule);
    let file = cluster.home.path().join("run.json").to_string_lossy().into_owned();
    let args = ["observe", "-l", "tier=web", "--namespace", "shop", "--save", &file, "-o", "json"];
    let child = cluster.program().spawn(&args);
    let asked = || cluster.sandbox.ledger().count("list", "virtualmachineinstances").received;
    let lists = asked();
    until(|| asked() > lists);
    let began = monotonic_now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let report = Ran::of(child).exits(0).json();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(outages(&report).len(), 1);
    let gaps = saved(&cluster.home.path().join("run.json"))["observation"]["gaps"].clone();
    assert_eq!(gaps.as_array().unwrap().last().unwrap()["open"], true, "{gaps}");
}

fn shell(cluster: &Cluster) {
    let store = cluster.sandbox.store();
    let tools = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tools"}});
    store.create(&kind::NAMESPACES, tools).unwrap();
    let spec = json!({"containers": [{"name": "c", "image": "docker.io/library/alpine:3.22", "command": ["sleep", "9999"]}]});
    let pod = json!({"metadata": {"name": "shell", "namespace": "tools"}, "spec": spec});
    store.create(&kind::PODS, pod).unwrap();
    let found = || store.get(&kind::PODS, "tools", "shell").map(|pod| pod.value().clone());
    until(|| found().is_some_and(|pod| pod["status"]["phase"] == "Running"));
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/recoveries.md")).unwrap();
    let cluster = Cluster::instant();
    shop(&cluster);
    shell(&cluster);
    let mut kinds = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("kubectl bootstorm ")) {
        let mut args: Vec<&str> = line.split(' ').collect();
        if args[0] != "observe" {
            cluster.run(&args).exits(0);
            kinds.insert(args[..args.len().min(3)].join(" "));
            continue;
        }
        // Waiting for another outage has to end at some point.
        match args.iter().position(|arg| *arg == "--for") {
            Some(place) => args[place + 1] = "2s",
            None => args.extend(["--for", "2s"]),
        }
        let ran = cluster.run(&args);
        assert!([0, 3].contains(&ran.code), "{line}: {} {}", ran.code, ran.stderr);
        kinds.insert("observe".to_owned());
    }
    for kind in [
        "create",
        "stop",
        "storm",
        "storm --kind restart",
        "storm --kind migrate",
        "storm --drain node-2",
        "observe",
    ] {
        assert!(kinds.contains(kind), "{kind} is not on the page: {kinds:?}");
    }
}
