//! kubectl's connection flags, and credentials that come from a plugin.

use std::process::Command;
use std::time::Duration;

use crate::support::{Cluster, Ran, until};

/// A cluster's kubeconfig as text, and the token in it.
fn config(cluster: &Cluster) -> (String, String) {
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let token = text.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_owned();
    (text, token)
}

#[test]
fn credentials_of_an_exec_plugin_are_used() {
    let cluster = Cluster::instant();
    let (text, token) = config(&cluster);
    let credential = format!(
        r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{token}"}}}}"#
    );
    std::fs::write(cluster.home.path().join("credential.json"), credential).unwrap();
    let file = cluster.home.path().join("credential.json");
    let plugin = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: cat, args: ['{}'], interactiveMode: Never}}",
        file.display()
    );
    let text = text.replace(&format!("token: {token}"), &plugin);
    std::fs::write(cluster.kubeconfig(), text).unwrap();
    cluster.run(&["run", "--end", "1", "--no-storm"]).exits(0);
}

#[test]
fn an_exec_plugin_that_fails_is_told() {
    let cluster = Cluster::instant();
    let (text, token) = config(&cluster);
    let plugin =
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false', interactiveMode: Never}";
    std::fs::write(cluster.kubeconfig(), text.replace(&format!("token: {token}"), plugin)).unwrap();
    cluster.run(&["status"]).exits(1).complains(&["credentials", "hint:"]);
}

/// A cluster whose kubeconfig uses this script as its credential plugin.
fn with_plugin(script: &str, rest: &str) -> Cluster {
    let cluster = Cluster::instant();
    let (text, token) = config(&cluster);
    let path = cluster.home.path().join("plugin");
    std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", cluster.home.path().display())).unwrap();
    bootstorm_model::platform::make_executable(&path).unwrap();
    std::fs::write(cluster.home.path().join("token"), &token).unwrap();
    let plugin = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: Never{rest}}}",
        path.display()
    );
    std::fs::write(cluster.kubeconfig(), text.replace(&format!("token: {token}"), &plugin)).unwrap();
    cluster
}

/// Starts a child and waits forever, like a plugin that opened a browser.
const HANGS: &str = "sleep 600 & echo $! > child.part; mv child.part child; wait";

/// Waits until that plugin's child is gone.
fn child_is_gone(cluster: &Cluster) {
    let child = std::fs::read_to_string(cluster.home.path().join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    // An unreaped one may remain as a zombie.
    until(|| std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")));
}

#[test]
fn an_exec_plugin_that_hangs_is_ended_with_its_children() {
    let cluster = with_plugin(HANGS, "");
    cluster
        .run(&["status", "--request-timeout", "1s"])
        .exits(1)
        .complains(&["plugin did not answer within 1s and was terminated", "--request-timeout"]);
    child_is_gone(&cluster);
    std::fs::remove_file(cluster.home.path().join("child")).unwrap();
    let child = cluster.program().spawn(&["create"]);
    until(|| cluster.home.path().join("child").exists());
    let began = bootstorm_model::observe::clock::monotonic_now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130).complains(&["interrupted"]);
    assert!(began.elapsed() < Duration::from_secs(5));
    child_is_gone(&cluster);
}

#[test]
fn an_exec_plugin_runs_once_and_again_when_its_token_has_expired() {
    let cluster = with_plugin(
        r#"echo x >> runs
until=$(date -u -d "+$(cat seconds) seconds" +%Y-%m-%dT%H:%M:%SZ)
echo "{\"status\": {\"token\": \"$(cat token)\", \"expirationTimestamp\": \"$until\"}}""#,
        "",
    );
    let runs = || std::fs::read_to_string(cluster.home.path().join("runs")).unwrap().lines().count();
    std::fs::write(cluster.home.path().join("seconds"), "25").unwrap();
    cluster.run(&["run", "--end", "2", "--no-storm", "--probe", "none"]).exits(0);
    assert_eq!(runs(), 1, "a token that is good for 25 s is used");
    std::fs::write(cluster.home.path().join("seconds"), "-1").unwrap();
    cluster.run(&["status", "-A"]).exits(0);
    assert!(runs() > 2, "a token that has expired is renewed");
}

#[test]
fn an_exec_plugin_that_is_not_installed_is_named_with_its_hint() {
    let cluster = Cluster::instant();
    let (text, token) = config(&cluster);
    let plugin = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: no-such-plugin, installHint: Install it from the shop, provideClusterInfo: true}";
    std::fs::write(cluster.kubeconfig(), text.replace(&format!("token: {token}"), plugin)).unwrap();
    cluster
        .run(&["status"])
        .exits(1)
        .complains(&["credential plugin no-such-plugin is not installed", "hint: Install it from the shop"]);
}

#[test]
fn the_record_lives_where_the_context_or_the_flag_says() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "1", "--probe", "none", "-n", "kubevirt"]).exits(0);
    cluster.run(&["status"]).exits(1).complains(&["in namespace default"]);
    cluster.run(&["status", "-n", "kubevirt"]).exits(0);
    cluster.run(&["status", "-A"]).exits(0).prints(&["kubevirt", "boot-storm-test"]);
}

#[test]
fn an_impersonated_user_is_the_one_who_may_not() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("get", "configmaps", None);
    cluster
        .run(&["status", "--as", "jane"])
        .exits(1)
        .complains(&["User \"jane\" cannot get resource \"configmaps\""]);
}

#[test]
fn a_server_name_that_the_certificate_lacks_is_refused_unless_told_otherwise() {
    let cluster = Cluster::instant();
    cluster
        .run(&["status", "-A", "--tls-server-name", "elsewhere.example"])
        .exits(1)
        .complains(&["certificate"]);
    cluster
        .run(&["status", "-A", "--tls-server-name", "elsewhere.example", "--insecure-skip-tls-verify"])
        .exits(0)
        .complains(&["there are no runs"]);
}

#[test]
fn a_policy_is_not_a_missing_permission() {
    let refused = |resource: &str, code: u16, message: &str| {
        let cluster = Cluster::instant();
        let fault = bootstorm_sandbox::value::json!([{
            "match": {"verb": "create", "resource": resource},
            "effect": "answer", "code": code, "reason": if code == 403 { "Forbidden" } else { "" }, "message": message,
        }]);
        for fault in bootstorm_sandbox::faults::read(&fault).unwrap() {
            cluster.sandbox.faults().add(fault);
        }
        let ran = cluster.run(&["run", "--end", "2", "--no-storm", "--timeout", "20s"]);
        assert!(ran.code != 0 && !ran.stderr.contains("ask for this permission"), "{ran:?}");
        ran.stderr
    };
    let webhook =
        "admission webhook \"validate.kyverno.svc-fail\" denied the request: label team is required";
    for code in [400, 403] {
        let told = refused("namespaces", code, webhook);
        assert!(
            told.contains("label team is required") && told.contains("a policy of the cluster refused it"),
            "{told}"
        );
    }
    let told =
        refused("pods", 403, "pods \"prober\" is forbidden: violates PodSecurity \"restricted:latest\"");
    assert!(told.contains("pod-security.kubernetes.io/enforce=privileged"), "{told}");
}

#[test]
fn rights_in_one_namespace_only_have_a_way() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("create", "namespaces", None);
    let setup = ["setup", "--end", "2", "--probe", "none"];
    cluster.run(&setup).exits(5).complains(&["--vm-namespace NAME", "ask for these permissions"]);
    let there = ["-n", "kubevirt"];
    cluster.run(&[&setup[..], &there].concat()).exits(5).complains(&["--vm-namespace kubevirt"]);
    cluster.run(&[&setup[..], &there, &["--vm-namespace", "kubevirt"]].concat()).exits(0);
}
