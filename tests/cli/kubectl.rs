//! The program with an unmodified kubectl beside it.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::Cluster;
use crate::support::tools::find;

/// Runs kubectl, where there is one; without it the test says so and ends.
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
