//! An unmodified `kubectl` against the sandbox.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bootstorm_sandbox::value::json;

use super::cluster::{Cluster, machine};
use bootstorm_sandbox::store::kind::{EVENTS, VIRTUAL_MACHINES};

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_created_shown_and_deleted() {
    let cluster = Cluster::start().await;
    let created = cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await.fine();
    assert_eq!(created, "virtualmachine.kubevirt.io/vm1 created\n");
    let again = cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await;
    assert!(
        again.stderr.contains("(AlreadyExists)")
            && again.stderr.contains("virtualmachines.kubevirt.io \"vm1\" already exists"),
        "{}",
        again.stderr
    );
    cluster.store.modify(&VIRTUAL_MACHINES, "default", "vm1", |vm| {
        vm["status"] = json!({"printableStatus": "Stopped"});
    });
    let shown = cluster.kubectl(&["get", "vm"]).await.fine();
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(words[..5], ["NAME", "AGE", "STATUS", "READY", "vm1"]);
    assert_eq!(words[6], "Stopped");
    let described = cluster.kubectl(&["describe", "vm", "vm1"]).await.fine();
    assert!(
        described.contains("Printable Status:  Stopped") && described.contains("Run Strategy:  Halted"),
        "{described}"
    );
    let deleted = cluster.kubectl(&["delete", "vm", "vm1"]).await.fine();
    assert!(deleted.starts_with("virtualmachine.kubevirt.io \"vm1\" deleted"), "{deleted}");
    let gone = cluster.kubectl(&["get", "vm", "vm1"]).await;
    assert_eq!(gone.stderr, "Error from server (NotFound): virtualmachines.kubevirt.io \"vm1\" not found\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_kinds_are_shown_at_once() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await.fine();
    let shown = cluster.kubectl(&["get", "vm,vmi,pod,dv,pvc,kubevirt,cdi,sc,das", "-A"]).await.fine();
    for expected in [
        "virtualmachine.kubevirt.io/vm1",
        "kubevirt.kubevirt.io/kubevirt",
        "storageclass.storage.k8s.io/standard (default)",
        "datasource.cdi.kubevirt.io/fedora",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    let nodes = cluster.kubectl(&["get", "nodes", "-o", "wide"]).await.fine();
    assert!(nodes.contains("Ready") && nodes.contains("worker") && nodes.contains("v1.36.0"), "{nodes}");
    assert!(cluster.kubectl(&["get", "all"]).await.fine().contains("virtualmachine.kubevirt.io/vm1"));
    cluster.kubectl(&["describe", "node", "node-1"]).await.fine();
    cluster.kubectl(&["describe", "namespace", "default"]).await.fine();
    let names = cluster.kubectl(&["get", "ns", "-o", "name"]).await.fine();
    assert!(names.contains("namespace/kubevirt\n"), "{names}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_works_on_the_client_and_on_the_server() {
    let cluster = Cluster::start().await;
    let vm = machine("vm1", "Halted");
    assert!(cluster.kubectl_with(&["apply", "-f", "-"], &vm).await.fine().ends_with("created\n"));
    assert!(cluster.kubectl_with(&["apply", "-f", "-"], &vm).await.fine().ends_with("unchanged\n"));
    assert!(
        cluster
            .kubectl_with(&["apply", "-f", "-"], &machine("vm1", "Always"))
            .await
            .fine()
            .ends_with("configured\n")
    );
    let serverside = ["apply", "--server-side", "--field-manager", "other", "-f", "-"];
    let refused = cluster.kubectl_with(&serverside, &machine("vm1", "Halted")).await;
    assert!(
        refused
            .stderr
            .contains("conflict with \"kubectl-client-side-apply\" using kubevirt.io/v1: .spec.runStrategy"),
        "{}",
        refused.stderr
    );
    let forced = ["apply", "--server-side", "--force-conflicts", "--field-manager", "other", "-f", "-"];
    cluster.kubectl_with(&forced, &machine("vm1", "Halted")).await.fine();
    let strategy = cluster.kubectl(&["get", "vm", "vm1", "-o", "jsonpath={.spec.runStrategy}"]).await.fine();
    assert_eq!(strategy, "Halted");
    let new =
        cluster.kubectl_with(&["apply", "--server-side", "-f", "-"], &machine("vm2", "Halted")).await.fine();
    assert_eq!(new, "virtualmachine.kubevirt.io/vm2 serverside-applied\n");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
    cluster.kubectl_with(&["apply", "-f", "-"], &map).await.fine();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"b": "2"}});
    cluster.kubectl_with(&["apply", "-f", "-"], &map).await.fine();
    assert_eq!(cluster.kubectl(&["get", "cm", "c", "-o", "jsonpath={.data}"]).await.fine(), "{\"b\":\"2\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_explained() {
    let cluster = Cluster::start().await;
    let mut vm = machine("vm1", "Halted");
    vm["spec"]["bogus"] = json!(1);
    let strict = cluster.kubectl_with(&["create", "-f", "-"], &vm).await;
    assert!(
        strict.stderr.contains("strict decoding error: unknown field \"spec.bogus\""),
        "{}",
        strict.stderr
    );
    let warned = cluster.kubectl_with(&["create", "--validate=warn", "-f", "-"], &vm).await;
    assert!(
        warned.ok && warned.stderr.contains("Warning: unknown field \"spec.bogus\""),
        "{}",
        warned.stderr
    );
    let refused = cluster.kubectl_with(&["create", "-f", "-"], &machine("vm2", "Bogus")).await;
    assert!(refused.stderr.contains("Invalid RunStrategy (Bogus)"), "{}", refused.stderr);
    let mut running = machine("vm3", "");
    running["spec"]["runStrategy"] = json!(null);
    running["spec"]["running"] = json!(true);
    let warned = cluster.kubectl_with(&["create", "-f", "-"], &running).await;
    assert!(
        warned.stderr.contains("Warning: spec.running is deprecated, please use spec.runStrategy instead."),
        "{}",
        warned.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_labels_and_annotations_work() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await.fine();
    cluster
        .kubectl(&["patch", "vm", "vm1", "--type=merge", "-p", r#"{"spec":{"runStrategy":"Always"}}"#])
        .await
        .fine();
    let strategic =
        cluster.kubectl(&["patch", "vm", "vm1", "-p", r#"{"spec":{"runStrategy":"Halted"}}"#]).await;
    assert!(
        strategic.stderr.contains("UnsupportedMediaType")
            || strategic.stderr.contains("unsupported")
            || strategic.stderr.contains("not supported"),
        "{}",
        strategic.stderr
    );
    let json_patch = r#"[{"op":"test","path":"/spec/runStrategy","value":"Halted"},{"op":"remove","path":"/spec/runStrategy"}]"#;
    let failed = cluster.kubectl(&["patch", "vm", "vm1", "--type=json", "-p", json_patch]).await;
    assert!(!failed.ok, "{}", failed.stdout);
    cluster.kubectl(&["label", "vm", "vm1", "a=b"]).await.fine();
    cluster.kubectl(&["annotate", "node", "node-1", "a=b"]).await.fine();
    cluster.kubectl(&["cordon", "node-1"]).await.fine();
    assert!(cluster.kubectl(&["get", "nodes"]).await.fine().contains("Ready,SchedulingDisabled"));
    let selected = cluster.kubectl(&["get", "vm", "-l", "a in (b,c)", "-o", "name"]).await.fine();
    assert_eq!(selected, "virtualmachine.kubevirt.io/vm1\n");
    assert_eq!(cluster.kubectl(&["delete", "vm", "-l", "a=b"]).await.fine().lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_sees_what_happens() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Always")).await.fine();
    let waiting = cluster.kubectl(&[
        "wait",
        "vm/vm1",
        "--for=jsonpath={.status.printableStatus}=Running",
        "--timeout=15s",
    ]);
    let happening = async {
        cluster.store.modify(&VIRTUAL_MACHINES, "default", "vm1", |vm| {
            vm["status"] = json!({"printableStatus": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        });
    };
    let (waited, ()) = tokio::join!(waiting, happening);
    assert_eq!(waited.fine(), "virtualmachine.kubevirt.io/vm1 condition met\n");
    cluster.kubectl(&["wait", "vm/vm1", "--for=condition=Ready", "--timeout=15s"]).await.fine();
    let waiting = cluster.kubectl(&["wait", "vm/vm1", "--for=delete", "--timeout=15s"]);
    let (waited, _) = tokio::join!(waiting, cluster.kubectl(&["delete", "vm", "vm1"]));
    waited.fine();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_rows_as_they_change() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Always")).await.fine();
    let mut command = cluster.command(&["get", "vm", "-w"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let store = cluster.store.clone();
    let rows = tokio::task::spawn_blocking(move || {
        let mut rows = vec![lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()];
        store.modify(&VIRTUAL_MACHINES, "default", "vm1", |vm| {
            vm["status"] = json!({"printableStatus": "Starting"});
        });
        rows.push(lines.next().unwrap().unwrap());
        rows
    });
    let rows = rows.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(rows[0].starts_with("NAME") && rows[2].contains("Starting"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed() {
    let cluster = Cluster::start().await;
    cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Always")).await.fine();
    let vm = cluster.store.get(&VIRTUAL_MACHINES, "default", "vm1").unwrap();
    let event = json!({
        "metadata": {"name": "vm1.17", "namespace": "default"},
        "involvedObject": {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "vm1", "namespace": "default", "uid": vm.uid()},
        "type": "Normal", "reason": "SuccessfulCreate", "message": "Started the virtual machine", "count": 1,
        "source": {"component": "virtualmachine-controller"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    });
    cluster.store.create(&EVENTS, event).unwrap();
    let shown = cluster.kubectl(&["get", "events"]).await.fine();
    assert!(shown.contains("SuccessfulCreate") && shown.contains("virtualmachine/vm1"), "{shown}");
    assert!(cluster.kubectl(&["events", "--for", "vm/vm1"]).await.fine().contains("SuccessfulCreate"));
    let described = cluster.kubectl(&["describe", "vm", "vm1"]).await.fine();
    assert!(described.contains("virtualmachine-controller  Started the virtual machine"), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_describes_itself() {
    let cluster = Cluster::start().await;
    let resources = cluster.kubectl(&["api-resources"]).await.fine();
    let line = resources.lines().find(|line| line.starts_with("virtualmachines ")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["virtualmachines", "vm,vms", "kubevirt.io/v1", "true", "VirtualMachine"]
    );
    assert!(cluster.kubectl(&["api-versions"]).await.fine().contains("cdi.kubevirt.io/v1beta1"));
    assert!(cluster.kubectl(&["version"]).await.fine().contains("v1.36.0+bootstorm-sandbox"));
    assert!(cluster.kubectl(&["cluster-info"]).await.fine().contains("127.0.0.1"));
    let explained = cluster.kubectl(&["explain", "vm"]).await.fine();
    assert!(explained.contains("KIND:       VirtualMachine"), "{explained}");
    assert_eq!(cluster.kubectl(&["get", "--raw", "/readyz"]).await.fine(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_can_be_asked_and_denied() {
    let cluster = Cluster::start().await;
    assert!(cluster.kubectl(&["auth", "whoami"]).await.fine().contains("bootstorm-sandbox"));
    assert_eq!(cluster.kubectl(&["auth", "can-i", "create", "vm"]).await.fine(), "yes\n");
    assert!(cluster.kubectl(&["auth", "can-i", "--list"]).await.fine().contains("*.*"));
    cluster.faults.deny("create", "virtualmachines", Some("default"));
    assert_eq!(cluster.kubectl(&["auth", "can-i", "create", "vm"]).await.stdout, "no\n");
    let refused = cluster.kubectl_with(&["create", "-f", "-"], &machine("vm1", "Halted")).await;
    assert!(refused.stderr.contains("virtualmachines.kubevirt.io is forbidden: User \"bootstorm-sandbox\" cannot create resource \"virtualmachines\" in API group \"kubevirt.io\" in the namespace \"default\""), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_come_and_begin_to_go() {
    let cluster = Cluster::start().await;
    cluster.kubectl(&["create", "namespace", "storm-1"]).await.fine();
    cluster.kubectl(&["create", "configmap", "c", "-n", "storm-1", "--from-literal=a=b"]).await.fine();
    cluster.kubectl(&["create", "quota", "q", "--hard=pods=3"]).await.fine();
    let quota = cluster.kubectl(&["get", "quota", "q", "-o", "jsonpath={.spec.hard.pods}"]).await.fine();
    assert_eq!(quota, "3");
    cluster.kubectl(&["create", "secret", "generic", "s", "--from-literal=a=b"]).await.fine();
    let secret = cluster.kubectl(&["get", "secret", "s", "-o", "jsonpath={.data.a}"]).await.fine();
    assert_eq!(secret, "Yg==");
    cluster.kubectl(&["delete", "namespace", "storm-1", "--wait=false"]).await.fine();
    assert!(cluster.kubectl(&["get", "ns", "storm-1"]).await.fine().contains("Terminating"));
    let refused =
        cluster.kubectl_with(&["create", "-n", "storm-1", "-f", "-"], &machine("vm1", "Halted")).await;
    assert!(refused.stderr.contains("because it is being terminated"), "{}", refused.stderr);
    let kept = cluster.kubectl(&["delete", "namespace", "default"]).await;
    assert!(kept.stderr.contains("this namespace may not be deleted"), "{}", kept.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_pods_are_refused_clearly() {
    let cluster = Cluster::start().await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    cluster.kubectl_with(&["create", "-f", "-"], &pod).await.fine();
    let refused = cluster.kubectl(&["get", "--raw", "/api/v1/namespaces/default/pods/p/portforward"]).await;
    assert!(refused.stderr.contains("the sandbox has no portforward of pods"), "{}", refused.stderr);
    assert_eq!(cluster.kubectl(&["logs", "p"]).await.fine(), "", "it has no node yet");
}
