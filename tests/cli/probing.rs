//! Network readiness: guests that answer, guests that never do, and prober failures meanwhile.

use bootstorm_prober::Program;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::model::dice::Draw;
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::Value;

use crate::support::{Cluster, Ran, until};

const PROBER: &str = "bootstorm-boot-storm-test-prober-1";

fn rows(report: &Value, phase: usize) -> Vec<Value> {
    report["phases"][phase]["rows"].as_array().unwrap().clone()
}

/// A manifest whose VM misbehaves in some way.
fn manifest(misbehave: &str, interface: &str) -> String {
    format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  annotations: {{sandbox.bootstorm.dev/misbehave: {misbehave}}}\nspec:\n  template:\n    spec:\n      domain: {{memory: {{guest: 256Mi}}, devices: {{interfaces: [{interface}]}}}}\n      networks: [{{name: default, pod: {{}}}}]\n"
    )
}

fn set_up(cluster: &Cluster, misbehave: &str, flags: &[&str]) -> Ran {
    let text = manifest(misbehave, "{name: default, masquerade: {}}");
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    let args: Vec<&str> = ["setup", "--end", "3", "-f", "vm.yaml"].iter().chain(flags).copied().collect();
    cluster.run(&args)
}

#[test]
fn both_numbers_of_the_guide_are_measured_over_one_stream_per_prober() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "20", "--probers", "2"]).exits(0);
    cluster.run(&["create"]).exits(0).prints(&[
        "Ping(s)",
        "Avg Time to Ping:",
        "Probe resolution",
        "2 probers",
    ]);
    cluster.run(&["stop"]).exits(0);
    let report = cluster.run(&["storm", "-o", "json"]).exits(0).json();
    let storm = &report["phases"][2];
    assert_eq!(storm["goal"], "reachable");
    assert_eq!((&storm["probing"]["streams"], &storm["probing"]["probers"]), (&2.into(), &2.into()));
    for row in rows(&report, 2) {
        let seconds = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        assert!(seconds("reachable") >= seconds("running"), "{row}");
        assert_eq!(row["probes"]["ping"]["seconds"], row["milestones"]["reachable"]["seconds"]);
    }
    let milestones = report["comparison"]["milestones"].as_array().unwrap();
    assert_eq!(milestones.len(), 2, "both numbers are compared");
    cluster.run(&["cleanup", "--yes"]).exits(0).prints(&[&format!("pod/{PROBER} -n default deleted")]);
    assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
}

#[test]
fn several_probes_at_once_and_the_first_decides() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3", "--probe", "tcp:22,agent,ping"]).exits(0);
    let report = cluster.run(&["create", "-o", "json"]).exits(0).json();
    for row in rows(&report, 0) {
        let probes = row["probes"].as_object().unwrap();
        assert_eq!(probes.keys().collect::<Vec<_>>(), ["agent", "ping", "tcp:22"]);
        assert_eq!(row["milestones"]["reachable"], probes["tcp:22"]);
    }
    cluster.run(&["report"]).exits(0).prints(&["TCP 22(s)", "by tcp:22, which decides; also agent, ping"]);
}

#[test]
fn probers_are_on_different_nodes_and_have_no_more_vms_than_a_flat_link_bears() {
    let cluster = Cluster::with("instant", 4, 1.0);
    // A node that is much emptier than the others must not attract all of them.
    let large = |node: &mut Value| node["status"]["allocatable"]["cpu"] = "512".into();
    let nodes = cluster.sandbox.store().list(&kind::NODES, None).0;
    cluster.sandbox.store().modify(&kind::NODES, "", nodes[0].name(), large).unwrap();
    cluster.run(&["setup", "--end", "1000", "--vms-per-namespace", "1000"]).exits(0).prints(&["4 pods"]);
    let (pods, _) = cluster.sandbox.store().list(&kind::PODS, Some("default"));
    let nodes: std::collections::BTreeSet<&str> =
        pods.iter().filter_map(|pod| pod.value()["spec"]["nodeName"].as_str()).collect();
    assert_eq!((pods.len(), nodes.len()), (4, 4), "1,000 VMs, a prober for each 250");
}

#[test]
fn a_script_that_has_too_many_vms_says_so() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let pod = format!("default/{PROBER}");
    let args = [
        "setup",
        "--ns-prefix",
        "other",
        "--end",
        "600",
        "--vms-per-namespace",
        "600",
        "--probe-pod",
        &pod,
        "--probe",
        "tcp:22",
    ];
    cluster.run(&args).exits(0).complains(&["up to 600 VMs", "--probe-pod"]);
}

#[test]
fn agent_and_none_need_no_prober() {
    for (probe, goal) in [("agent", "reachable"), ("none", "running")] {
        let cluster = Cluster::instant();
        cluster.run(&["setup", "--end", "2", "--probe", probe]).exits(0);
        assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
        let report = cluster.run(&["create", "-o", "json"]).exits(0).json();
        assert_eq!(report["phases"][0]["goal"], goal);
        assert_eq!(report["phases"][0]["counts"]["reached"], 2);
    }
}

#[test]
fn a_guest_that_never_answers_is_a_row_with_a_reason() {
    let cluster = Cluster::instant();
    set_up(&cluster, "no-network", &[]).exits(0);
    let ran = cluster.run(&["create", "--ping-timeout", "1s", "-o", "json"]).exits(3);
    let report = ran.json();
    for row in rows(&report, 0) {
        assert_eq!(row["outcome"], "timed-out");
        assert!(row["milestones"]["running"].is_object(), "it runs: {row}");
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.starts_with("running, but no answer to ping after 1s"), "{reason}");
    }
    cluster.run(&["report"]).exits(3).prints(&["not reached"]);
}

#[test]
fn an_address_that_goes_away_and_comes_back_is_followed() {
    let cluster = Cluster::instant();
    set_up(&cluster, "agent-before-dhcp", &[]).exits(0);
    cluster.run(&["create", "--ping-timeout", "20s"]).exits(0);
}

#[test]
fn a_broken_stream_is_opened_again_and_nobody_is_forgotten() {
    let cluster = Cluster::with("default", 3, 10.0);
    cluster.run(&["setup", "--end", "10"]).exits(0);
    let child = cluster.program().spawn(&["create", "-o", "json"]);
    let running = || {
        let (vmis, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
        vmis.iter().filter(|vmi| vmi.value()["status"]["phase"] == "Running").count()
    };
    until(|| running() >= 2);
    cluster.sandbox.faults().cut_execs();
    let ran = Ran::of(child).exits(0).complains(&["the stream of prober 1 was interrupted"]);
    let report = ran.json();
    assert_eq!(report["phases"][0]["counts"]["reached"], 10);
    assert_eq!(report["phases"][0]["probing"]["streams"], 2);
    assert_eq!(report["phases"][0]["probing"]["gaps"], 1);
}

#[test]
fn a_prober_pod_that_is_deleted_in_mid_phase_is_made_again() {
    let cluster = Cluster::with("default", 3, 10.0);
    cluster.run(&["setup", "--end", "10"]).exits(0);
    let store = cluster.sandbox.store();
    let pod = store.get(&kind::PODS, "default", PROBER).unwrap();
    let child = cluster.program().spawn(&["create", "-o", "json"]);
    until(|| !store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0.is_empty());
    assert!(store.remove(&kind::PODS, "default", PROBER, pod.uid()));
    let report = Ran::of(child).exits(0).json();
    assert_eq!(report["phases"][0]["counts"]["reached"], 10);
    assert_ne!(store.get(&kind::PODS, "default", PROBER).unwrap().uid(), pod.uid());
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_with_the_way_out() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe-image", "registry.invalid/none:1"]).exits(1).complains(&[
        "does not run",
        "registry.invalid/none:1",
        "--probe-image IMAGE",
        "--probe none",
        "cleanup",
    ]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
}

#[test]
fn an_image_without_a_shell_is_told_at_once() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&["setup", "--end", "2", "--probe-image", "registry.k8s.io/pause:3.10"]).exits(1);
    ran.complains(&["--probe-image IMAGE"]);
}

#[test]
fn exec_that_is_forbidden_is_named_before_anything_is_made() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("create", "pods/exec", None);
    cluster
        .run(&["setup", "--end", "2"])
        .exits(5)
        .complains(&["you cannot create pods/exec in namespace default"]);
    assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
    cluster.run(&["setup", "--end", "2", "--probe", "agent"]).exits(0);
}

#[test]
fn the_users_own_pod_can_be_used_and_is_left_alone() {
    let cluster = Cluster::instant();
    let pod = bootstorm_sandbox::value::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "docker.io/library/alpine:3.22", "command": ["sleep", "9999"]}]}});
    let store = cluster.sandbox.store();
    store.create(&kind::PODS, pod).unwrap();
    until(|| {
        store
            .get(&kind::PODS, "default", "mine")
            .is_some_and(|pod| pod.value()["status"]["phase"] == "Running")
    });
    cluster.run(&["setup", "--end", "2", "--probe-pod", "default/mine"]).exits(0);
    cluster.run(&["create"]).exits(0).prints(&["Ping(s)"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(store.get(&kind::PODS, "default", "mine").is_some());
    assert!(store.get(&kind::PODS, "default", PROBER).is_none());
}

#[test]
fn the_default_probe_needs_nothing_of_the_image_but_a_shell() {
    let cluster = Cluster::instant();
    for (prefix, image) in [("one", None), ("two", Some("quay.io/x/no-ping-no-nc:1"))] {
        let mut args = vec!["setup", "--end", "2", "--ns-prefix", prefix];
        args.extend(image.iter().flat_map(|image| ["--probe-image", image]));
        let said = "the probers use the prober program: ping over IPv4, TCP over IPv4, nothing over IPv6";
        cluster.run(&args).exits(0).complains(&[said]);
        let report = cluster.run(&["create", "--ns-prefix", prefix, "-o", "json"]).exits(0).json();
        assert_eq!(report["phases"][0]["probing"]["interval_seconds"], 0.05);
        assert_eq!(report["phases"][0]["probing"]["neighbor_seconds"], 0.0);
    }
}

#[test]
fn each_node_gets_the_program_of_its_architecture() {
    for (architecture, machine) in [("arm64", "aarch64"), ("s390x", "s390x")] {
        let cluster = Cluster::instant();
        let store = cluster.sandbox.store();
        for node in store.list(&kind::NODES, None).0 {
            store.modify(&kind::NODES, "", node.name(), |node| {
                node["status"]["nodeInfo"]["architecture"] = architecture.into();
                node["metadata"]["labels"]["kubernetes.io/arch"] = architecture.into();
            });
        }
        // The VMs would not fit the nodes, but their probers do.
        let args = ["setup", "--end", "2", "--probe", "ping,tcp:22", "--skip-preflight"];
        if Program::of(machine).is_some() {
            let said = "the probers use the prober program: ping over IPv4";
            cluster.run(&args).exits(0).complains(&[said]);
        } else {
            // The image's tools do not suffice: its ping needs a capability.
            let why = format!("this build has no prober program for {machine}");
            cluster.run(&args).exits(1).complains(&["cannot probe by ping", &why, "--probe tcp:22"]);
        }
    }
}

/// A running user pod that meets the restricted pod security standard.
fn restricted_pod(cluster: &Cluster, name: &str, image: &str) {
    let pod = bootstorm_sandbox::value::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "securityContext": {"runAsUser": 65534, "runAsGroup": 65534,
                "sysctls": [{"name": "net.ipv4.ping_group_range", "value": "0 65535"}]},
            "containers": [{"name": "c", "image": image, "securityContext": {"capabilities": {"drop": ["ALL"]}}}]}});
    let store = cluster.sandbox.store();
    store.create(&kind::PODS, pod).unwrap();
    let phase = || store.get(&kind::PODS, "default", name).map(|pod| pod.value()["status"]["phase"].clone());
    until(|| phase().is_some_and(|phase| phase == "Running"));
}

#[test]
fn an_image_that_cannot_ping_is_refused_before_anything_is_made_with_the_ways_out() {
    let cluster = Cluster::instant();
    restricted_pod(&cluster, "mine", "docker.io/library/busybox:1.37.0");
    cluster.run(&["setup", "--end", "2", "--probe-pod", "default/mine"]).exits(1).complains(&[
        "pod default/mine cannot probe by ping",
        "ping over IPv4: ping: permission denied (are you root?)",
        "ping over IPv6: no address of this family",
        "--probe tcp:22",
        "leave out --probe-pod",
        "--probe agent",
    ]);
    let (namespaces, _) = cluster.sandbox.store().list(&kind::NAMESPACES, None);
    assert!(
        namespaces.iter().all(|namespace| !namespace.name().starts_with("boot-storm")),
        "nothing was made"
    );
    let other =
        ["setup", "--end", "2", "--ns-prefix", "other", "--probe-pod", "default/mine", "--probe", "tcp:22"];
    cluster
        .run(&other)
        .exits(0)
        .complains(&["the probers use the tools of their image: TCP over IPv4, no ping"]);
    restricted_pod(&cluster, "iputils", "debian:12");
    let third = ["setup", "--end", "2", "--ns-prefix", "third", "--probe-pod", "default/iputils"];
    cluster.run(&third).exits(0).complains(&["the tools of their image: ping over IPv4"]);
    let report = cluster.run(&["create", "--ns-prefix", "third", "-o", "json"]).exits(0).json();
    assert_eq!(report["phases"][0]["probing"]["interval_seconds"], 0.2);
}

#[test]
fn a_prober_that_is_evicted_while_it_is_set_up_is_made_again() {
    let cluster = Cluster::instant();
    let faults = cluster.sandbox.faults();
    let effect = Effect::Answer { code: 503, retry_after: None };
    let busy = faults.add(Rule { matching: Match::on("*", "pods/exec"), effect, remaining: None });
    let child = cluster.program().spawn(&["setup", "--end", "2"]);
    let store = cluster.sandbox.store();
    let running = || {
        let pod = store.get(&kind::PODS, "default", PROBER)?;
        (pod.value()["status"]["phase"] == "Running").then(|| pod.uid().to_owned())
    };
    until(|| running().is_some());
    let first = running().unwrap();
    store.modify(&kind::PODS, "default", PROBER, |pod| {
        pod["status"]["phase"] = "Failed".into();
        pod["status"]["reason"] = "Evicted".into();
    });
    until(|| running().is_some_and(|uid| uid != first));
    assert!(faults.remove(busy));
    Ran::of(child).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0).prints(&[&format!("pod/{PROBER} -n default deleted")]);
}

#[test]
fn of_several_containers_the_default_one_is_used() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let tool = |name: &str, image: &str| bootstorm_sandbox::value::json!({"name": name, "image": image});
    let proxy = tool("proxy", "registry.k8s.io/pause:3.10");
    for (name, annotations, containers) in [
        ("first", bootstorm_sandbox::value::json!({}), [tool("c", "debian:12"), proxy.clone()]),
        (
            "named",
            bootstorm_sandbox::value::json!({"kubectl.kubernetes.io/default-container": "c"}),
            [proxy, tool("c", "debian:12")],
        ),
    ] {
        let pod = bootstorm_sandbox::value::json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations},
            "spec": {"containers": containers}});
        store.create(&kind::PODS, pod).unwrap();
        let phase =
            || store.get(&kind::PODS, "default", name).map(|pod| pod.value()["status"]["phase"].clone());
        until(|| phase().is_some_and(|phase| phase == "Running"));
        let pod = format!("default/{name}");
        cluster.run(&["setup", "--end", "2", "--ns-prefix", name, "--probe-pod", &pod]).exits(0);
    }
}

#[test]
fn a_node_that_refuses_the_sysctl_is_told_at_once() {
    let cluster = Cluster::changed(3, |profile| {
        profile.kubelet.forbidden_sysctls = vec!["net.ipv4.ping_group_range".into()];
    });
    let ran = cluster.run(&["setup", "--end", "2"]).exits(1);
    ran.complains(&["does not run", "SysctlForbidden", "not allowlisted", "--probe agent", "cleanup"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
}

#[test]
fn a_policy_that_gives_pods_user_namespaces_is_no_hindrance() {
    let cluster = Cluster::changed(3, |profile| profile.kubelet.user_namespaces = true);
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0).prints(&["Ping(s)"]);
}

#[test]
fn an_answer_that_proves_nothing_is_not_taken_for_a_guest() {
    let cluster = Cluster::instant();
    for (interface, probe, words) in [
        (
            "{name: default, masquerade: {}, ports: [{port: 22}]}",
            "ping",
            ["forwards only listed ports", "--probe tcp:PORT"],
        ),
        ("{name: default, binding: {name: passt}}", "ping", ["is bound by passt", "--probe agent"]),
        ("{name: default, passt: {}}", "tcp:22", ["is bound by passt", "--probe agent"]),
        ("{name: default, slirp: {}}", "agent,ping", ["QEMU's user network", "--probe agent"]),
    ] {
        std::fs::write(cluster.home.path().join("vm.yaml"), manifest("", interface)).unwrap();
        let args = ["setup", "--end", "1", "-f", "vm.yaml", "--probe", probe, "--skip-preflight"];
        cluster.run(&args).exits(5).complains(&[&["proves nothing about these VMs"], &words[..]].concat());
    }
    assert!(cluster.sandbox.store().get(&kind::PODS, "default", PROBER).is_none());
    let text = manifest("", "{name: default, masquerade: {}, ports: [{port: 22}]}");
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    cluster.run(&["setup", "--end", "1", "-f", "vm.yaml", "--probe", "tcp:22"]).exits(0);
}

#[test]
fn an_answer_in_words_is_the_guests_behind_any_binding() {
    let cluster = Cluster::changed(3, |profile| profile.guest.ports = vec![22, 8080]);
    for (prefix, interface) in [("a", "{name: default, masquerade: {}}"), ("b", "{name: default, passt: {}}")]
    {
        std::fs::write(cluster.home.path().join("vm.yaml"), manifest("", interface)).unwrap();
        let probes = "ssh,http:8080/healthz,agent";
        let args =
            ["run", "--ns-prefix", prefix, "--end", "2", "-f", "vm.yaml", "--probe", probes, "-o", "json"];
        let report = cluster.run(&args).exits(0).json();
        let row = &rows(&report, 2)[0];
        for probe in ["ssh", "http:8080/healthz", "agent"] {
            assert!(row["probes"][probe]["seconds"].is_number(), "{row}");
        }
        assert_eq!(row["milestones"]["reachable"], row["probes"]["ssh"], "the first one decides");
    }
    // HTTP sent to an SSH server gets no response.
    let args = ["run", "--ns-prefix", "c", "--end", "1", "--probe", "http:22", "--ping-timeout", "3s"];
    cluster.run(&args).exits(3);
}

#[test]
fn cloud_init_is_done_when_the_vms_readiness_probe_says_so() {
    let cluster = Cluster::changed(3, |profile| profile.guest.cloud_init = Draw::new(5.0, 0.0));
    std::fs::write(cluster.home.path().join("vm.yaml"), manifest("", "{name: default, masquerade: {}}"))
        .unwrap();
    let args = ["run", "--end", "2", "-f", "vm.yaml", "--probe", "cloud-init,ping", "-o", "json"];
    let report = cluster.run(&args).exits(0).json();
    let vm = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, None).0[0].value().clone();
    let probe = &vm["spec"]["template"]["spec"]["readinessProbe"];
    assert_eq!(probe["exec"]["command"][2], "/run/cloud-init/result.json", "{vm}");
    for phase in [0, 2] {
        for row in rows(&report, phase) {
            let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
            assert!(
                at("reachable") > at("agent") && row["milestones"]["reachable"] == row["milestones"]["ready"],
                "{row}"
            );
        }
    }
    let own = manifest("", "{name: default, masquerade: {}}")
        .replace("      networks:", "      readinessProbe: {tcpSocket: {port: 22}}\n      networks:");
    std::fs::write(cluster.home.path().join("vm.yaml"), own).unwrap();
    let args = ["setup", "--ns-prefix", "own", "--end", "1", "-f", "vm.yaml", "--probe", "cloud-init"];
    cluster.run(&args).exits(5).complains(&["a readiness probe of its own", "--probe agent"]);
    let args = ["setup", "--adopt", "-A", "--ns-prefix", "x", "--yes", "--probe", "cloud-init"];
    cluster.run(&args).exits(2).complains(&["is never changed"]);
}

#[test]
fn guests_that_no_prober_reaches_are_said_before_anything_is_made() {
    let cluster = Cluster::instant();
    let lan = manifest("", "{name: lan, bridge: {}}")
        .replace("{name: default, pod: {}}", "{name: lan, multus: {networkName: default/lan}}");
    std::fs::write(cluster.home.path().join("vm.yaml"), lan).unwrap();
    let args = ["setup", "--end", "1", "-f", "vm.yaml"];
    cluster.run(&args).exits(5).complains(&["ping cannot reach these VMs", "pod network", "--probe agent"]);
    let ran = cluster.run(&[&args[..], &["--probe", "agent"]].concat());
    assert!(!ran.stderr.contains("cannot reach"), "{}", ran.stderr);
}

#[test]
fn probes_that_are_none() {
    let cluster = Cluster::instant();
    for (flags, word) in [
        (
            ["--probe", "pong"],
            "there are ping, tcp:PORT, http:PORT[/PATH], ssh[:PORT], agent, cloud-init and none",
        ),
        (["--probe", "tcp:0"], "not a port"),
        (["--probe", "http:80/a b"], "%20"),
        (["--probe", "https:443"], "https is not probed"),
        (["--probe-pod", "mine"], "NAMESPACE/NAME"),
    ] {
        let args: Vec<&str> = ["setup"].iter().chain(&flags).copied().collect();
        cluster.run(&args).exits(2).complains(&[word]);
    }
}
