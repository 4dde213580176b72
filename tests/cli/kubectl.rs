//! The program next to an unmodified kubectl.

use std::path::Path;
use std::process::{Command, Output};

use bootstorm_sandbox::store::{Object, kind};
use bootstorm_sandbox::value::json;

use crate::support::tools::find;
use crate::support::{Cluster, until};

/// Runs kubectl if there is one; otherwise the test is skipped with a notice.
fn kubectl(cluster: &Cluster, args: &[&str]) -> Option<Output> {
    let path = find("kubectl")?;
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-bootstorm")).parent().unwrap();
    let output = Command::new(path)
        .args(args)
        .env_clear()
        .env("HOME", cluster.home.path())
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("PATH", format!("{}:/usr/bin:/bin", plugin.display()))
        .output()
        .unwrap();
    Some(output)
}

#[track_caller]
fn prints(output: &Output, words: &[&str]) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    for word in words {
        assert!(stdout.contains(word), "no `{word}` in:\n{stdout}");
    }
}

#[test]
fn as_a_plugin_with_kubectl_looking_on() {
    let cluster = Cluster::instant();
    let Some(setup) = kubectl(&cluster, &["bootstorm", "setup", "--end", "3"]) else { return };
    prints(&setup, &["run boot-storm-test is set up"]);
    let run = |args: &[&str]| kubectl(&cluster, args).unwrap();
    prints(&run(&["bootstorm", "create"]), &["3/3", "Slowest in create"]);
    prints(
        &run(&["get", "vm,vmi,pod,dv", "-A"]),
        &["boot-storm-test-3", "Running", "virt-launcher-boot-storm-vm"],
    );
    let running = "--for=jsonpath={.status.printableStatus}=Running";
    prints(
        &run(&["wait", running, "vm/boot-storm-vm", "-n", "boot-storm-test-1", "--timeout=10s"]),
        &["condition met"],
    );
    prints(
        &run(&["describe", "vmi", "boot-storm-vm", "-n", "boot-storm-test-1"]),
        &["VirtualMachineInstance started."],
    );
    prints(&run(&["get", "events", "-n", "boot-storm-test-1"]), &["SuccessfulCreate", "Scheduled"]);
    prints(
        &run(&["get", "configmap", "-l", "bootstorm.dev/run=boot-storm-test"]),
        &["bootstorm-boot-storm-test"],
    );
    prints(&run(&["bootstorm", "stop"]), &["gone", "3/3"]);
    prints(&run(&["get", "vm", "-A"]), &["Stopped"]);
    prints(&run(&["bootstorm", "storm"]), &["Verdict"]);
    prints(&run(&["bootstorm", "cleanup", "--yes"]), &["namespace/boot-storm-test-1 deleted"]);
    let left =
        run(&["get", "vm,vmi,pods,namespaces,configmaps", "-A", "-l", "bootstorm.dev/run=boot-storm-test"]);
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

#[test]
fn flags_before_the_plugin_are_kubectls_business_and_exit_codes_come_through() {
    let cluster = Cluster::instant();
    let Some(refused) = kubectl(&cluster, &["bootstorm", "storm"]) else { return };
    assert_eq!(refused.status.code(), Some(1));
    let usage = kubectl(&cluster, &["bootstorm", "setup", "--end", "0"]).unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_drain_restarts_some_vms_elsewhere_and_migrates_others() {
    for (strategy, is_same) in [("None", false), ("LiveMigrate", true)] {
        let cluster = Cluster::instant();
        let store = cluster.sandbox.store().clone();
        store.modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
            kubevirt["spec"]["configuration"]["evictionStrategy"] = json!(strategy);
        });
        cluster.run(&["setup", "--end", "4", "--probe", "none"]).exits(0);
        cluster.run(&["create"]).exits(0);
        let instances = || store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0;
        let before = instances();
        let node = before[0].value()["status"]["nodeName"].as_str().unwrap().to_owned();
        let leaves = |vmi: &Object| vmi.value()["status"]["nodeName"] == *node;
        let (away, stays): (Vec<Object>, Vec<Object>) = before.into_iter().partition(leaves);
        let drain = ["drain", &node, "--pod-selector", "kubevirt.io=virt-launcher", "--delete-emptydir-data"];
        let Some(drained) = kubectl(&cluster, &drain) else { return };
        prints(&drained, &["drained"]);
        let runs_elsewhere = |vmi: &Object| {
            let now = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, vmi.namespace(), vmi.name());
            now.is_some_and(|now| {
                let status = &now.value()["status"];
                status["phase"] == "Running"
                    && status["nodeName"] != *node
                    && status["evacuationNodeName"].is_null()
                    && (now.uid() == vmi.uid()) == is_same
            })
        };
        until(|| away.iter().all(runs_elsewhere));
        for vmi in stays {
            let now = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, vmi.namespace(), vmi.name()).unwrap();
            assert_eq!(
                (now.uid(), &now.value()["status"]["nodeName"]),
                (vmi.uid(), &vmi.value()["status"]["nodeName"])
            );
        }
        prints(&kubectl(&cluster, &["uncordon", &node]).unwrap(), &["uncordoned"]);
        cluster.run(&["cleanup", "--yes"]).exits(0);
    }
}

#[test]
fn a_disruption_budget_holds_back_an_eviction() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store().clone();
    cluster.run(&["setup", "--end", "1", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let pod = &store.list(&kind::PODS, Some("boot-storm-test-1")).0[0];
    let budget = json!({
        "metadata": {"name": "one", "namespace": pod.namespace()},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"kubevirt.io": "virt-launcher"}}},
    });
    store.create(&kind::POD_DISRUPTION_BUDGETS, budget).unwrap();
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap();
    let drain = [
        "drain",
        node,
        "--pod-selector",
        "kubevirt.io=virt-launcher",
        "--delete-emptydir-data",
        "--timeout",
        "2s",
    ];
    let Some(drained) = kubectl(&cluster, &drain) else { return };
    let said = String::from_utf8_lossy(&drained.stderr).into_owned();
    assert!(
        !drained.status.success() && said.contains("would violate the pod's disruption budget"),
        "{said}"
    );
    assert!(store.get(&kind::PODS, pod.namespace(), pod.name()).is_some_and(|pod| !pod.is_deleting()));
}
