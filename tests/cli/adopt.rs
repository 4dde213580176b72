//! Storms on existing VMs: their original state is restored, whatever happens.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Cluster, Ran, until};

const LEASE: &str = "bootstorm-boot-storm-test";
/// Name, run strategy, and whether a start request starts it.
const VMS: [(&str, &str, bool); 8] = [
    ("always", r#"{"runStrategy": "Always"}"#, false),
    ("always-2", r#"{"runStrategy": "Always"}"#, false),
    ("rerun", r#"{"runStrategy": "RerunOnFailure"}"#, false),
    ("manual", r#"{"runStrategy": "Manual"}"#, true),
    ("manual-off", r#"{"runStrategy": "Manual"}"#, false),
    ("halted", r#"{"runStrategy": "Halted"}"#, false),
    ("running", r#"{"running": true}"#, false),
    ("running-off", r#"{"running": false}"#, false),
];

fn make(cluster: &Cluster, namespace: &str, name: &str, setting: &Value) {
    let mut spec = json!({"template": {"metadata": {"labels": {"app": name}}, "spec": {
        "terminationGracePeriodSeconds": 30,
        "architecture": "amd64",
        "domain": {"machine": {"type": "q35"}, "memory": {"guest": "256Mi"}, "devices": {"disks": [], "interfaces": [{"name": "default", "masquerade": {}}]}},
        "networks": [{"name": "default", "pod": {}}]}}});
    spec.as_object_mut().unwrap().extend(setting.as_object().unwrap().clone());
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"tier": "web"}});
    let vm =
        json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata, "spec": spec});
    cluster.sandbox.store().create(&kind::VIRTUAL_MACHINES, vm).unwrap();
}

fn namespace(cluster: &Cluster, name: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.sandbox.store().create(&kind::NAMESPACES, namespace).unwrap();
}

fn runs(cluster: &Cluster, namespace: &str, name: &str) -> bool {
    let instance = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINE_INSTANCES, namespace, name);
    instance.is_some_and(|instance| {
        instance.value()["status"]["phase"] == "Running"
            && instance.value()["metadata"].get("deletionTimestamp").is_none()
    })
}

fn status(cluster: &Cluster, namespace: &str, name: &str) -> String {
    let vm = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, namespace, name);
    vm.map(|vm| vm.value()["status"]["printableStatus"].as_str().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

/// VMs with every run strategy in two namespaces, each in its desired state.
fn shop(cluster: &Cluster) {
    for name in ["shop", "bank"] {
        namespace(cluster, name);
        for (vm, setting, start) in VMS {
            make(cluster, name, vm, &serde_json::from_str(setting).unwrap());
            if start {
                until(|| !status(cluster, name, vm).is_empty());
                let wish =
                    |vm: &mut Value| vm["status"]["stateChangeRequests"] = json!([{"action": "Start"}]);
                cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, name, vm, wish).unwrap();
            }
        }
    }
    for name in ["shop", "bank"] {
        for (vm, setting, start) in VMS {
            let on =
                start || setting.contains("Always") || setting.contains("Rerun") || setting.contains("true");
            until(|| {
                runs(cluster, name, vm) == on
                    && status(cluster, name, vm) == if on { "Running" } else { "Stopped" }
            });
        }
    }
}

/// The part of every VM that must be unchanged at the end: everything but status, resourceVersion and managedFields,
/// plus whether it runs.
fn picture(cluster: &Cluster) -> BTreeMap<String, (Value, bool)> {
    let (vms, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, None);
    let one = |vm: &bootstorm_sandbox::store::Object| {
        let mut value = vm.value().clone();
        for key in ["managedFields", "resourceVersion", "generation"] {
            value["metadata"].as_object_mut().unwrap().remove(key);
        }
        value.as_object_mut().unwrap().remove("status");
        let key = format!("{}/{}", vm.namespace(), vm.name());
        (key, (value, runs(cluster, vm.namespace(), vm.name())))
    };
    vms.iter().map(one).collect()
}

/// Asserts that every VM is as it was.
#[track_caller]
fn is_as_before(cluster: &Cluster, before: &BTreeMap<String, (Value, bool)>, when: &str) {
    for (name, now) in picture(cluster) {
        assert_eq!(before.get(&name), Some(&now), "{name} {when}");
    }
    assert_eq!(picture(cluster).len(), before.len());
}

/// Everything of ours in the record's namespace.
fn ours(cluster: &Cluster) -> Vec<String> {
    let store = cluster.sandbox.store();
    kind::all()
        .iter()
        .flat_map(|kind| store.list(kind, None).0)
        .filter(|object| object.value().pointer("/metadata/labels/bootstorm.dev~1run").is_some())
        .map(|object| format!("{}/{}", object.namespace(), object.name()))
        .collect()
}

fn age_lease(cluster: &Cluster) {
    let aged = |lease: &mut Value| lease["spec"]["renewTime"] = json!("2026-01-01T00:00:00.000000Z");
    cluster.sandbox.store().modify(&kind::LEASES, "default", LEASE, aged);
}

const SETUP: [&str; 6] = ["setup", "--adopt", "-l", "tier=web", "-A", "--yes"];

fn adopt(cluster: &Cluster, more: &[&str]) -> Ran {
    cluster.run(&[&SETUP[..], more].concat())
}

fn set(cluster: &Cluster, namespace: &str, name: &str, strategy: &str) {
    let change = |vm: &mut Value| vm["spec"]["runStrategy"] = json!(strategy);
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, namespace, name, change).unwrap();
}

fn strategy(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, namespace, name).unwrap().value()["spec"]["runStrategy"]
        .clone()
}

#[test]
fn every_strategy_is_stopped_stormed_and_given_back_as_it_was() {
    for more in [&[][..], &["--via", "subresource"][..]] {
        let cluster = Cluster::instant();
        shop(&cluster);
        let before = picture(&cluster);
        adopt(&cluster, &["--include-halted"])
            .exits(0)
            .complains(&["16 VMs to be adopted", "running: true", "RerunOnFailure"])
            .prints(&[
                "has adopted 16 VMs",
                "VMs with tier=web in all namespaces",
                "next: kubectl bootstorm stop",
            ]);
        // They got only the label; it is removed when they are handed back.
        for (name, (vm, runs)) in picture(&cluster) {
            let mark = vm["metadata"]["annotations"]["bootstorm.dev/adopted-by"].as_str().unwrap_or_default();
            assert!(
                mark.starts_with("default/boot-storm-test/") || !vm["metadata"]["labels"]["tier"].is_string(),
                "{vm}"
            );
            assert_eq!((&vm["spec"], runs), (&before[&name].0["spec"], before[&name].1), "{name}");
        }
        cluster.run(&["status"]).exits(0).prints(&["none has been changed yet", "kubectl bootstorm stop"]);
        cluster.run(&["create"]).exits(1).complains(&["they were adopted", "kubectl bootstorm stop"]);
        cluster.run(&["storm"]).exits(1).complains(&["have not been stopped yet"]);
        for _ in 0..2 {
            cluster.run(&[&["stop"], more].concat()).exits(0);
            assert!(picture(&cluster).values().all(|(_, runs)| !runs), "all are off");
            cluster.run(&[&["storm"], more].concat()).exits(0);
            assert!(picture(&cluster).values().all(|(_, runs)| *runs), "all are on");
        }
        cluster
            .run(&["status"])
            .exits(0)
            .prints(&["may not be in their original state", "kubectl bootstorm cleanup"]);
        let report = cluster.run(&["report", "-o", "json"]).exits(0).json();
        assert_eq!(report["plan"]["template"]["kind"], "adopted");
        assert_eq!(report["comparison"]["baseline"], "storm-1");
        assert_eq!(report["comparison"]["verdict"], Value::Null);
        let was_off = |(vm, runs): &&(Value, bool)| vm["metadata"]["labels"]["tier"] == "web" && !runs;
        let off = before.values().filter(was_off).count();
        let excluded = |phase: &str| {
            let phases = report["phases"].as_array().unwrap();
            phases.iter().find(|it| it["name"] == phase).unwrap()["counts"]["excluded"].clone()
        };
        assert_eq!(
            (excluded("stop-1"), excluded("storm-1"), excluded("stop-2")),
            (off.into(), 0.into(), 0.into())
        );
        assert!(off > 0, "what is off already is not stopped");
        cluster.run(&["report"]).exits(0).prints(&["none: adopted VMs", "storm-1 is a storm too"]);
        cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["16 adopted VMs are restored"]);
        is_as_before(&cluster, &before, "at the end");
        assert_eq!(ours(&cluster), Vec::<String>::new());
    }
}

/// Gives the next instance of a VM a different network binding.
fn connect(cluster: &Cluster, name: &str, interface: &Value) {
    let change = |vm: &mut Value| {
        vm["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"] = json!([interface]);
    };
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "shop", name, change).unwrap();
}

#[test]
fn probes_that_prove_nothing_about_adopted_vms_are_refused() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    let names = ["a", "b", "c"];
    for name in names {
        make(&cluster, "shop", name, &json!({"runStrategy": "Always"}));
    }
    until(|| names.iter().all(|name| runs(&cluster, "shop", name)));
    connect(&cluster, "b", &json!({"name": "default", "binding": {"name": "passt"}}));
    connect(&cluster, "c", &json!({"name": "default", "masquerade": {}, "ports": [{"port": 22}]}));
    adopt(&cluster, &[]).exits(5).complains(&[
        "ping proves nothing about 2 of 3 VMs",
        "shop/b: interface default is bound by passt",
        "shop/c: interface default forwards only listed ports",
        "--probe agent",
        "or select the other VMs only",
        "--skip-preflight",
    ]);
    adopt(&cluster, &["--probe", "tcp:22"]).exits(5).complains(&["tcp:22 proves nothing about 1 of 3 VMs"]);
    for name in names {
        connect(&cluster, name, &json!({"name": "default", "slirp": {}}));
    }
    // There is nothing to measure.
    adopt(&cluster, &["--skip-preflight"]).exits(5).complains(&["ping proves nothing about 3 of 3 VMs"]);
    assert_eq!(ours(&cluster), Vec::<String>::new());
    adopt(&cluster, &["--probe", "agent"]).exits(0);
}

#[test]
fn a_vm_whose_answers_prove_nothing_is_unknown_and_not_reachable() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    for name in ["plain", "proxied"] {
        make(&cluster, "shop", name, &json!({"runStrategy": "Always"}));
    }
    until(|| runs(&cluster, "shop", "plain") && runs(&cluster, "shop", "proxied"));
    adopt(&cluster, &[]).exits(0);
    // After every VM has been checked.
    connect(&cluster, "proxied", &json!({"name": "default", "passtBinding": {}}));
    cluster.run(&["stop"]).exits(0);
    let report = cluster.run(&["storm", "-o", "json"]).exits(3).json();
    let rows = report["phases"][1]["rows"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("plain")["outcome"], "reached");
    let proxied = row("proxied");
    assert_eq!(proxied["outcome"], "unknown", "{proxied}");
    assert!(proxied["milestones"]["running"].is_object() && !proxied["milestones"]["reachable"].is_object());
    let reason = proxied["reason"].as_str().unwrap();
    assert!(reason.contains("is bound by passt, which answers ping even if the guest is dead"), "{reason}");
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn vms_that_are_off_are_left_alone_unless_asked_for() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let before = picture(&cluster);
    let shown =
        cluster.run(&["setup", "--adopt", "-l", "tier=web", "-A", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(shown["adopted"].as_array().unwrap().len(), 10);
    assert_eq!(shown["excluded"].as_array().unwrap().len(), 6);
    assert!(shown["excluded"][0]["reason"].as_str().unwrap().starts_with("it is off"));
    assert_eq!(ours(&cluster), Vec::<String>::new());
    cluster.run(&SETUP[..5]).exits(2).complains(&[
        "confirmation requires a terminal",
        "--dry-run=client to see them",
        "10 VMs in 2 namespaces",
    ]);
    adopt(&cluster, &["--probe", "none"]).exits(0);
    adopt(&cluster, &["--probe", "none"]).exits(0).complains(&["has adopted these VMs already"]);
    adopt(&cluster, &["--probe", "agent"]).exits(1).complains(&["set up with different settings"]);
    cluster
        .run(&["setup", "--adopt", "--ns-prefix", "other", "-A", "--yes"])
        .exits(1)
        .complains(&["run boot-storm-test has adopted it", "nothing to adopt"]);
    let planned = cluster.run(&["stop", "--dry-run=client", "-o", "json"]).exits(0).json();
    assert_eq!(planned.as_array().unwrap().len(), 10);
    cluster.run(&["stop"]).exits(0);
    cluster
        .run(&["cleanup", "--dry-run=client"])
        .exits(0)
        .prints(&["virtualmachine/manual -n shop would be restored"]);
    cluster.run(&["cleanup", "--yes", "--keep-record"]).exits(0);
    is_as_before(&cluster, &before, "at the end");
    cluster.run(&["stop"]).exits(1).complains(&["were restored"]);
    // A VM that its owner stops after that is found stopped.
    set(&cluster, "shop", "always", "Halted");
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(strategy(&cluster, "shop", "always"), "Halted");
    assert_eq!(ours(&cluster), Vec::<String>::new());
}

#[test]
fn killed_anywhere_they_come_back_as_they_were() {
    let mut dice = StdRng::seed_from_u64(7);
    let cluster = Cluster::with("default", 3, 40.0);
    shop(&cluster);
    let before = picture(&cluster);
    for (verb, resource) in [
        ("patch", "virtualmachines"),
        ("update", "virtualmachines/stop"),
        ("update", "virtualmachines/start"),
    ] {
        let effect = Effect::Delay(Duration::from_millis(30));
        cluster.sandbox.faults().add(Rule { matching: Match::on(verb, resource), effect, remaining: None });
    }
    let adopt: Vec<&str> = [&SETUP[..], &["--include-halted", "--probe", "none"]].concat();
    let mut kills = 0;
    for last in ["stop", "storm", "cleanup"] {
        for command in [&adopt[..], &["stop"], &["storm"], &["cleanup", "--yes"]] {
            // The last command before cleanup is killed and never continued.
            let is_last = command[0] == last;
            let slow = if command[0] == "setup" {
                command.to_vec()
            } else {
                [command, &["--concurrency", "2"]].concat()
            };
            for _ in 0..3 {
                let mut child = cluster.program().spawn(&slow);
                let instant = Duration::from_millis(dice.random_range(60..500));
                let began = monotonic_now();
                while began.elapsed() < instant && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let over = child.try_wait().unwrap().is_some();
                child.kill().unwrap();
                child.wait().unwrap();
                kills += usize::from(!over);
                age_lease(&cluster);
                if over {
                    break;
                }
            }
            if is_last {
                break;
            }
            if command[0] == "cleanup" || !ours(&cluster).is_empty() || command[0] == "setup" {
                let ran = cluster.run(command);
                let behind = ["already", "instead", "finished"].iter().any(|word| ran.stderr.contains(word));
                assert!(ran.code == 0 || behind, "{command:?}: {}", ran.stderr);
            }
        }
        age_lease(&cluster);
        cluster.run(&["cleanup", "--yes"]).exits(0);
        is_as_before(&cluster, &before, &format!("after a kill in {last}"));
        assert_eq!(ours(&cluster), Vec::<String>::new());
    }
    assert!(kills > 5, "{kills} kills");
}

#[test]
fn what_somebody_else_did_meanwhile_is_left() {
    let cluster = Cluster::instant();
    shop(&cluster);
    adopt(&cluster, &["--probe", "none"]).exits(0);
    let store = cluster.sandbox.store();
    // Before stop: one VM is recreated, one is deleted, one changes its run strategy.
    let anew = |namespace: &str, name: &str| {
        let uid = store.get(&kind::VIRTUAL_MACHINES, namespace, name).unwrap().uid().to_owned();
        store.remove(&kind::VIRTUAL_MACHINES, namespace, name, &uid);
        until(|| store.get(&kind::VIRTUAL_MACHINE_INSTANCES, namespace, name).is_none());
    };
    anew("shop", "always");
    make(&cluster, "shop", "always", &json!({"runStrategy": "Always"}));
    anew("shop", "always-2");
    set(&cluster, "shop", "rerun", "Manual");
    until(|| runs(&cluster, "shop", "always"));
    cluster.run(&["stop"]).exits(3).complains(&[
        "shop/always is left out: it is another VM of the same name",
        "shop/always-2 is left out: the VM no longer exists",
        "shop/rerun is left out: somebody changed its run strategy to Manual",
    ]);
    assert!(runs(&cluster, "shop", "always") && runs(&cluster, "shop", "rerun"));
    // After stop, likewise: the run stopped these.
    anew("bank", "always");
    make(&cluster, "bank", "always", &json!({"runStrategy": "Halted"}));
    set(&cluster, "bank", "always-2", "Manual");
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[
        "bank/always is left alone: it is another VM of the same name",
        "bank/always-2 is left alone: somebody changed its run strategy to Manual; it was Always",
    ]);
    assert_eq!(strategy(&cluster, "bank", "always"), "Halted");
    assert_eq!(strategy(&cluster, "bank", "always-2"), "Manual");
    assert_eq!(strategy(&cluster, "bank", "rerun"), "RerunOnFailure");
    assert!(runs(&cluster, "bank", "rerun") && runs(&cluster, "bank", "manual"));
    assert_eq!(ours(&cluster), Vec::<String>::new());
}

#[test]
fn who_halts_a_vm_after_the_storm_finds_it_halted() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    for name in ["a", "b"] {
        make(&cluster, "shop", name, &json!({"runStrategy": "Always"}));
        until(|| status(&cluster, "shop", name) == "Running");
    }
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm"]).exits(0);
    set(&cluster, "shop", "a", "Halted");
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[
        "shop/a is left alone: somebody changed its run strategy to Halted",
        "1 adopted VM is restored",
    ]);
    assert_eq!(strategy(&cluster, "shop", "a"), "Halted");
}

/// What `virtctl start` or `virtctl stop` of a Manual VM writes.
fn ask(cluster: &Cluster, name: &str, action: &str) {
    let uid = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name);
    let mut request = json!({"action": action});
    if let (Some(instance), "Stop") = (uid, action) {
        request["uid"] = json!(instance.uid());
    }
    let wish = |vm: &mut Value| vm["status"]["stateChangeRequests"] = json!([request]);
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "shop", name, wish).unwrap();
}

/// Three VMs with run strategy Always and one with Manual, all running and adopted.
fn adopted_shop(cluster: &Cluster) {
    namespace(cluster, "shop");
    for name in ["web-1", "web-2", "web-3"] {
        make(cluster, "shop", name, &json!({"runStrategy": "Always"}));
    }
    make(cluster, "shop", "man-1", &json!({"runStrategy": "Manual"}));
    until(|| !status(cluster, "shop", "man-1").is_empty());
    ask(cluster, "man-1", "Start");
    until(|| ["web-1", "web-2", "web-3", "man-1"].iter().all(|vm| status(cluster, "shop", vm) == "Running"));
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
}

/// Asserts that these VMs, and no others, are off, and that the first of them is Halted.
#[track_caller]
fn are_off(cluster: &Cluster, off: &[&str]) {
    for name in ["web-1", "web-2", "web-3", "man-1"] {
        assert_eq!(runs(cluster, "shop", name), !off.contains(&name), "{name}");
    }
    assert_eq!(strategy(cluster, "shop", off[0]), "Halted");
}

#[test]
fn what_its_owner_stopped_before_the_stop_is_not_started() {
    let cluster = Cluster::instant();
    adopted_shop(&cluster);
    set(&cluster, "shop", "web-3", "Halted");
    ask(&cluster, "man-1", "Stop");
    until(|| !runs(&cluster, "shop", "web-3") && status(&cluster, "shop", "man-1") == "Stopped");
    let left_out = [
        "shop/web-3 is left out: somebody stopped it since it was adopted",
        "shop/man-1 is left out: somebody stopped it since it was adopted",
    ];
    cluster.run(&["stop"]).exits(3).complains(&left_out);
    let planned = cluster.run(&["storm", "--dry-run=client", "-o", "name"]).exits(0);
    assert!(!planned.stdout.contains("web-3") && !planned.stdout.contains("man-1"), "{}", planned.stdout);
    cluster.run(&["storm"]).exits(3).complains(&left_out);
    are_off(&cluster, &["web-3", "man-1"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    are_off(&cluster, &["web-3", "man-1"]);
}

#[test]
fn what_its_owner_stops_between_repeated_storms_stays_off() {
    let cluster = Cluster::instant();
    adopted_shop(&cluster);
    let halt = format!(
        "test $BOOTSTORM_PHASE = storm-1 && touch '{0}' && while test -e '{0}'; do sleep 0.05; done || true",
        cluster.home.path().join("now").display()
    );
    let now = cluster.home.path().join("now");
    let child = cluster.program().spawn(&["storm", "--repeat", "2", "--after", &format!("storm={halt}")]);
    until(|| now.exists());
    set(&cluster, "shop", "web-3", "Halted");
    until(|| status(&cluster, "shop", "web-3") == "Stopped");
    std::fs::remove_file(&now).unwrap();
    Ran::of(child).exits(3).complains(&["shop/web-3 is left out: somebody stopped it since it was adopted"]);
    are_off(&cluster, &["web-3"]);
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[
        "shop/web-3 is left alone: somebody changed its run strategy to Halted",
        "3 adopted VMs are restored",
    ]);
    are_off(&cluster, &["web-3"]);
}

#[test]
fn what_its_owner_stops_during_a_restart_is_not_started_by_cleanup() {
    let cluster = Cluster::instant();
    adopted_shop(&cluster);
    let restarts = || cluster.sandbox.ledger().count("update", "virtualmachines/restart").received;
    let child = cluster.program().spawn(&["storm", "--kind", "restart", "--rate", "1/60s"]);
    until(|| restarts() == 1);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130);
    set(&cluster, "shop", "web-3", "Halted");
    until(|| status(&cluster, "shop", "web-3") == "Stopped");
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[
        "shop/web-3 is left alone: somebody changed its run strategy to Halted; it was Always",
        "3 adopted VMs are restored",
    ]);
    are_off(&cluster, &["web-3"]);
}

#[test]
fn a_manual_vm_that_its_owner_stops_during_a_restart_is_not_started_by_cleanup() {
    let cluster = Cluster::instant();
    adopted_shop(&cluster);
    cluster.run(&["storm", "--kind", "restart"]).exits(0);
    set(&cluster, "shop", "web-3", "Halted");
    ask(&cluster, "man-1", "Stop");
    until(|| ["web-3", "man-1"].iter().all(|vm| status(&cluster, "shop", vm) == "Stopped"));
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[
        "shop/man-1 is left alone: it is off, and this run did not stop it",
        "2 adopted VMs are restored",
    ]);
    are_off(&cluster, &["web-3", "man-1"]);
}

/// Changes the template of a running VM.
fn require_restart(cluster: &Cluster, name: &str) {
    let change = |vm: &mut Value| vm["spec"]["template"]["spec"]["domain"]["cpu"] = json!({"cores": 2});
    let store = cluster.sandbox.store();
    store.modify(&kind::VIRTUAL_MACHINES, "shop", name, change).unwrap();
    let is_seen = |vm: &Value| {
        let conditions = vm["status"]["conditions"].as_array().unwrap();
        conditions.iter().any(|one| one["type"] == "RestartRequired" && one["status"] == "True")
    };
    until(|| is_seen(store.get(&kind::VIRTUAL_MACHINES, "shop", name).unwrap().value()));
}

#[test]
fn vms_that_would_return_as_different_ones_are_left_alone() {
    let cluster = Cluster::instant();
    adopted_shop(&cluster);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    require_restart(&cluster, "web-1");
    let volumes = |vmi: &mut Value| {
        let condition = json!({"type": "VolumesChange", "status": "True"});
        vmi["status"]["conditions"].as_array_mut().unwrap().push(condition);
    };
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", "web-2", volumes).unwrap();
    let setup = ["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"];
    cluster.run(&setup).exits(0).complains(&[
        "2 VMs to be adopted",
        "a change of its template waits for a restart (RestartRequired): it would return as a different VM",
        "a change of its template waits for a restart (VolumesChange): it would return as a different VM",
    ]);
    // After the adoption, likewise.
    require_restart(&cluster, "web-3");
    cluster
        .run(&["storm", "--kind", "restart"])
        .exits(3)
        .complains(&["shop/web-3 is left out: a change of its template waits for a restart"]);
    cluster
        .run(&["stop"])
        .exits(3)
        .complains(&["shop/web-3 is left out: a change of its template waits for a restart"]);
    assert!(["web-1", "web-2", "web-3"].iter().all(|name| runs(&cluster, "shop", name)));
    assert!(!runs(&cluster, "shop", "man-1"));
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn vms_that_a_repository_describes_are_marked_with_what_it_would_do() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    let marks = [
        (
            "argo",
            "annotations",
            "argocd.argoproj.io/tracking-id",
            "Argo CD: with selfHeal it starts the VM again",
        ),
        ("argo-label", "labels", "argocd.argoproj.io/instance", "pause auto-sync of the Application first"),
        ("flux", "labels", "kustomize.toolkit.fluxcd.io/name", "flux suspend kustomization"),
        ("flux-helm", "labels", "helm.toolkit.fluxcd.io/name", "flux suspend helmrelease"),
        ("fleet", "labels", "fleet.cattle.io/bundle-name", "Fleet: with correctDrift it starts the VM again"),
        ("rancher", "labels", "objectset.rio.cattle.io/hash", "a Rancher controller"),
        ("helm", "annotations", "meta.helm.sh/release-name", "Helm: nothing heals a stop"),
    ];
    for (name, field, key, _) in marks {
        make(&cluster, "shop", name, &json!({"runStrategy": "Always"}));
        let mark = |vm: &mut Value| {
            let metadata = vm["metadata"].as_object_mut().unwrap();
            metadata.entry(field).or_insert_with(|| json!({}))[key] = json!("x");
        };
        cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "shop", name, mark).unwrap();
        until(|| status(&cluster, "shop", name) == "Running");
    }
    make(&cluster, "shop", "plain", &json!({"runStrategy": "Always"}));
    until(|| status(&cluster, "shop", "plain") == "Running");
    let listed = ["setup", "--adopt", "--adopt-namespace", "shop", "--dry-run", "-o", "json"];
    let adopted = cluster.run(&listed).exits(0).json()["adopted"].clone();
    for row in adopted.as_array().unwrap() {
        let mark = marks.iter().find(|(name, ..)| row["name"] == *name);
        match mark {
            Some((.., words)) => assert!(row["warning"].as_str().unwrap().contains(words), "{row}"),
            None => assert!(row.get("warning").is_none_or(Value::is_null), "{row}"),
        }
    }
    cluster.run(&[&listed[..5], &["-o", "wide"]].concat()).exits(0).prints(&["selfHeal"]);
}

#[test]
fn vms_that_must_not_be_touched_are_left_alone_with_the_reason() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    let always = json!({"runStrategy": "Always"});
    let store = cluster.sandbox.store();
    for name in ["good", "owned", "paused", "migrating", "asleep"] {
        make(&cluster, "shop", name, &always);
        until(|| status(&cluster, "shop", name) == "Running");
    }
    make(&cluster, "shop", "once", &json!({"runStrategy": "Once"}));
    make(&cluster, "kube-system", "system", &always);
    until(|| status(&cluster, "kube-system", "system") == "Running");
    let owner = json!([{"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool", "name": "pool", "uid": "x", "controller": true}]);
    let owned = |vm: &mut Value| vm["metadata"]["ownerReferences"] = owner;
    store.modify(&kind::VIRTUAL_MACHINES, "shop", "owned", owned).unwrap();
    let kept = |vm: &mut Value| vm["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = json!("x");
    store.modify(&kind::VIRTUAL_MACHINES, "shop", "good", kept).unwrap();
    let asleep = |vm: &mut Value| vm["spec"]["template"]["spec"]["startStrategy"] = json!("Paused");
    store.modify(&kind::VIRTUAL_MACHINES, "shop", "asleep", asleep).unwrap();
    let paused = |vmi: &mut Value| {
        let condition = json!({"type": "Paused", "status": "True"});
        vmi["status"]["conditions"].as_array_mut().unwrap().push(condition);
    };
    store.modify(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", "paused", paused).unwrap();
    let migrating = |vmi: &mut Value| vmi["status"]["migrationState"] = json!({"sourceNode": "a"});
    store.modify(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", "migrating", migrating).unwrap();
    cluster.run(&["setup", "--adopt", "-A", "--dry-run", "-o", "wide"]).exits(0).prints(&[
        "1 VM to be adopted",
        "Flux: its next reconciliation starts the VM again",
        "it belongs to VirtualMachinePool/pool, which would undo changes to it",
        "it is paused",
        "its start strategy is Paused",
        "it is being migrated",
        "its run strategy is Once",
        "its namespace is the cluster's own",
    ]);
    let named = ["setup", "--adopt", "--adopt-namespace", "kube-system", "--dry-run", "-o", "name"];
    assert_eq!(cluster.run(&named).exits(0).stdout, "virtualmachine/system\n");
    let list = cluster.home.path().join("list");
    std::fs::write(&list, "# the good one\nshop/good\nshop/nobody\n").unwrap();
    cluster
        .run(&["setup", "--adopt-file", "list", "--dry-run"])
        .exits(0)
        .prints(&["1 VM to be adopted", "there is no such VM"]);
    std::fs::write(&list, "good\n").unwrap();
    cluster.run(&["setup", "--adopt-file", "list"]).exits(1).complains(&["line 1: it is not NAMESPACE/NAME"]);
    cluster.run(&["setup", "--adopt", "--end", "5"]).exits(2);
    cluster.run(&["setup", "-l", "a=b"]).exits(2);
}

#[test]
fn permissions_where_the_vms_are_are_enough_and_their_lack_is_told() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let before = picture(&cluster);
    // Permissions that an ordinary run needs and this one does not.
    for (verb, resource) in [
        ("create", "virtualmachines"),
        ("delete", "virtualmachines"),
        ("watch", "virtualmachines"),
        ("create", "namespaces"),
        ("list", "namespaces"),
        ("list", "datavolumes"),
        ("list", "secrets"),
    ] {
        cluster.sandbox.faults().deny(verb, resource, None);
    }
    cluster.sandbox.faults().deny("patch", "virtualmachines", Some("bank"));
    let adopt = [
        "setup",
        "--adopt",
        "--adopt-namespace",
        "shop",
        "--adopt-namespace",
        "bank",
        "--yes",
        "--probe",
        "none",
    ];
    cluster.run(&adopt).exits(0).complains(&[
        "you cannot patch virtualmachines.kubevirt.io in namespace bank",
        "5 VMs to be adopted",
    ]);
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    is_as_before(&cluster, &before, "at the end");
    cluster.sandbox.faults().deny("list", "virtualmachines", Some("bank"));
    cluster.run(&adopt).exits(1).complains(&["failed to list virtual machines"]);
}

#[test]
fn a_record_that_cannot_be_read_is_not_thrown_away_while_vms_are_stopped() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    make(&cluster, "shop", "a", &json!({"runStrategy": "Always"}));
    until(|| status(&cluster, "shop", "a") == "Running");
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
    cluster.run(&["stop"]).exits(0);
    let store = cluster.sandbox.store();
    let (maps, _) = store.list(&kind::CONFIG_MAPS, Some("default"));
    let list = maps.iter().find(|map| map.name().contains(".adopted.")).unwrap();
    store.remove(&kind::CONFIG_MAPS, "default", list.name(), list.uid());
    cluster
        .run(&["cleanup", "--yes"])
        .exits(1)
        .complains(&["cannot be read, and it has adopted VMs", "--leave-adopted"]);
    cluster.run(&["cleanup", "--yes", "--leave-adopted"]).exits(0);
    assert_eq!(ours(&cluster), Vec::<String>::new());
    assert_eq!(strategy(&cluster, "shop", "a"), "Halted");
}

#[test]
fn a_vm_that_does_not_come_back_is_named_and_can_be_left() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    make(&cluster, "shop", "a", &json!({"runStrategy": "Always"}));
    until(|| status(&cluster, "shop", "a") == "Running");
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
    cluster.run(&["stop"]).exits(0);
    let huge = |vm: &mut Value| vm["spec"]["template"]["spec"]["domain"]["memory"]["guest"] = json!("64Ti");
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "shop", "a", huge).unwrap();
    cluster.run(&["cleanup", "--yes", "--timeout", "2s"]).exits(1).complains(&[
        "1 adopted VM is not restored after 2s",
        "shop/a: it does not run yet",
        "to continue: kubectl bootstorm cleanup",
        "--leave-adopted",
    ]);
    assert_eq!(strategy(&cluster, "shop", "a"), "Always", "its strategy is back at least");
    cluster.run(&["cleanup", "--yes", "--leave-adopted"]).exits(0);
    assert_eq!(ours(&cluster), Vec::<String>::new());
}

#[test]
fn adopted_guests_are_probed() {
    let cluster = Cluster::instant();
    shop(&cluster);
    adopt(&cluster, &[]).exits(0);
    cluster.run(&["stop"]).exits(0);
    let storm = cluster.run(&["storm", "-o", "json"]).exits(0).json();
    let phase = &storm["phases"][1];
    assert_eq!((&phase["goal"], &phase["counts"]["reached"]), (&json!("reachable"), &json!(10)));
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(ours(&cluster), Vec::<String>::new());
}

#[test]
fn a_run_with_its_record_elsewhere_does_not_adopt_the_same_vms() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let before = picture(&cluster);
    adopt(&cluster, &[]).exits(0);
    cluster.run(&["stop"]).exits(0);
    adopt(&cluster, &["-n", "kube-public"]).exits(1).complains(&["has adopted it"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    is_as_before(&cluster, &before, "after the cleanup of the first run");
    // A label whose record is gone no longer counts.
    adopt(&cluster, &["-n", "kube-public"]).exits(0);
    let store = cluster.sandbox.store();
    for map in store.list(&kind::CONFIG_MAPS, Some("kube-public")).0 {
        if map.name().starts_with(LEASE) {
            store.remove(&kind::CONFIG_MAPS, "kube-public", map.name(), map.uid());
        }
    }
    adopt(&cluster, &[]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    is_as_before(&cluster, &before, "after the cleanup of the last run");
}

#[test]
fn a_vm_that_was_powered_off_inside_is_off_although_its_instance_stays() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    for vm in ["manual", "always"] {
        let setting = VMS.iter().find(|(name, ..)| *name == vm).unwrap().1;
        make(&cluster, "shop", vm, &serde_json::from_str(setting).unwrap());
    }
    until(|| runs(&cluster, "shop", "always") && status(&cluster, "shop", "manual") == "Stopped");
    let vm = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, "shop", "manual").unwrap();
    let owner = json!([{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "manual",
        "uid": vm.uid(), "controller": true}]);
    let instance = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
        "metadata": {"name": "manual", "namespace": "shop", "ownerReferences": owner,
            "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"]},
        "spec": vm.value()["spec"]["template"]["spec"], "status": {"phase": "Succeeded"}});
    cluster.sandbox.store().create(&kind::VIRTUAL_MACHINE_INSTANCES, instance).unwrap();
    adopt(&cluster, &["--include-halted"]).exits(0);
    let stop = cluster.run(&["stop", "--timeout", "5s", "-o", "json"]).exits(0).json();
    let counts = &stop["phases"][0]["counts"];
    assert_eq!((&counts["reached"], &counts["excluded"]), (&json!(1), &json!(1)), "one is off already");
    let left = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", "manual").unwrap();
    assert_eq!(left.value()["status"]["phase"], "Succeeded", "nobody has deleted it");
    cluster.run(&["storm"]).exits(0);
}
