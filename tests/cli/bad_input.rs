//! Invalid input and a broken environment: one clear message, a next step, and nothing changed.

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use super::refusing::Refusing;
use crate::support::{Cluster, Program};

/// Whether the cluster holds only what it had at the start.
fn is_untouched(cluster: &Cluster) -> bool {
    let store = cluster.sandbox.store();
    let named = |kind| {
        let (objects, _) = store.list(kind, None);
        objects
            .iter()
            .any(|object| object.name().starts_with("bootstorm-") || object.name().starts_with("boot-storm"))
    };
    ![&kind::NAMESPACES, &kind::CONFIG_MAPS, &kind::LEASES, &kind::SECRETS].into_iter().any(named)
}

#[test]
fn no_kubeconfig() {
    let home = tempfile::tempdir().unwrap();
    Program::new(home.path()).run(&["setup"]).exits(1).complains(&[
        "there is no kubeconfig",
        "hint: pass --kubeconfig FILE",
        "run --sandbox",
    ]);
    Program::new(home.path())
        .run(&["setup", "--kubeconfig", "absent"])
        .exits(1)
        .complains(&["absent does not exist"]);
}

#[test]
fn a_kubeconfig_that_is_no_yaml() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("broken"), "a: [b\n").unwrap();
    Program::new(home.path())
        .run(&["status", "--kubeconfig", "broken"])
        .exits(1)
        .complains(&["the kubeconfig cannot be read"]);
}

#[test]
fn unknown_context() {
    let cluster = Cluster::instant();
    cluster
        .run(&["setup", "--context", "nowhere"])
        .exits(1)
        .complains(&["no context \"nowhere\"", "contexts in it: bootstorm-sandbox"]);
    assert!(is_untouched(&cluster));
}

#[test]
fn unreachable_server() {
    let cluster = Cluster::instant();
    let nobody = Refusing::new();
    let url = nobody.url("https");
    let named = format!("{url}/ (context ");
    cluster.run(&["setup", "--server", &url]).exits(1).complains(&["failed to", &named, "cluster-info"]);
}

#[test]
fn a_server_that_never_answers() {
    let cluster = Cluster::instant();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    cluster
        .run(&["status", "--server", &url, "--request-timeout", "200ms"])
        .exits(1)
        .complains(&["no answer within 0.2s"]);
}

#[test]
fn a_certificate_of_somebody_else() {
    let (cluster, other) = (Cluster::instant(), Cluster::instant());
    let url = other.sandbox.url().to_owned();
    cluster.run(&["status", "--server", &url]).exits(1).complains(&["certificate"]);
}

#[test]
fn expired_credentials() {
    let cluster = Cluster::instant();
    let config = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let token = config.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_owned();
    std::fs::write(cluster.kubeconfig(), config.replace(&token, "expired")).unwrap();
    cluster.run(&["setup"]).exits(1).complains(&["Unauthorized", "log in to the cluster again"]);
    assert!(is_untouched(&cluster));
}

#[test]
fn kubevirt_is_not_installed() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let (found, _) = store.list(&kind::KUBEVIRTS, None);
    for object in found {
        assert!(store.remove(&kind::KUBEVIRTS, object.namespace(), object.name(), object.uid()));
    }
    cluster
        .run(&["setup"])
        .exits(5)
        .complains(&["KubeVirt is not installed in this cluster", "--context NAME"]);
    assert!(is_untouched(&cluster));
}

#[test]
fn missing_permissions_are_named() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("patch", "virtualmachines", None);
    cluster.sandbox.faults().deny("create", "configmaps", None);
    cluster.run(&["setup"]).exits(5).complains(&[
        "2 permissions are missing",
        "you cannot patch virtualmachines.kubevirt.io in all namespaces",
        "you cannot create configmaps in namespace default",
        "kubectl auth can-i --list",
    ]);
    assert!(is_untouched(&cluster));
}

#[test]
fn a_permission_that_is_missing_only_later() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.sandbox.faults().deny("watch", "virtualmachineinstances", None);
    cluster.run(&["create"]).exits(1).complains(&[
        "failed to watch virtual machine instances",
        "cannot watch resource",
        "ask for this permission",
    ]);
}

#[test]
fn wrong_ranges_and_names() {
    let cluster = Cluster::instant();
    let cases: [(&[&str], &str); 6] = [
        (&["--start", "5", "--end", "4"], "--start 5 is greater than --end 4"),
        (&["--end", "0"], "--end must be at least 1"),
        (&["--ns-prefix", "Boot_Storm"], "cannot be a namespace prefix"),
        (&["--ns-prefix", &"x".repeat(60), "--end", "1000"], "is too long"),
        (&["--vm-name", "my vm"], "--vm-name"),
        (&["--end", "4000000000"], "at most 50000"),
    ];
    for (flags, word) in cases {
        let args: Vec<&str> = ["setup"].iter().chain(flags).copied().collect();
        cluster.run(&args).exits(2).complains(&[word, "hint:"]);
    }
    cluster.run(&["setup", "--namespace-batch-size", "0"]).exits(2).complains(&["at least 1"]);
    cluster.run(&["storm", "--timeout", "soon"]).exits(2).complains(&["90s, 10m"]);
    cluster.run(&["stom"]).exits(2).complains(&["similar", "storm"]);
    assert!(is_untouched(&cluster));
}

#[test]
fn a_namespace_that_is_not_ours() {
    let cluster = Cluster::instant();
    let namespace = bootstorm_sandbox::value::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "boot-storm-test-3"}});
    cluster.sandbox.store().create(&kind::NAMESPACES, namespace).unwrap();
    cluster
        .run(&["setup"])
        .exits(5)
        .complains(&["1 namespace exists already, outside of this run: boot-storm-test-3", "--ns-prefix"]);
    let (namespaces, _) = cluster.sandbox.store().list(&kind::NAMESPACES, None);
    assert_eq!(namespaces.iter().filter(|n| n.name().starts_with("boot-storm-test")).count(), 1);
}

#[test]
fn templates_that_are_none() {
    let cluster = Cluster::instant();
    let cases = [
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "not a VirtualMachine"),
        ("apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: [\n", "line"),
        ("", "it holds no document"),
        ("apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n", "spec.template.spec is missing"),
    ];
    for (text, word) in cases {
        std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
        cluster
            .run(&["setup", "-f", "vm.yaml"])
            .exits(1)
            .complains(&["vm.yaml is not a usable VM manifest", word]);
    }
    cluster.run(&["setup", "-f", "absent.yaml"]).exits(1).complains(&["absent.yaml cannot be read"]);
    assert!(is_untouched(&cluster));
}

#[test]
fn a_second_setup_with_other_settings() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3"]).exits(0);
    cluster.run(&["setup", "--end", "3"]).exits(0);
    cluster.run(&["setup", "--end", "4"]).exits(1).complains(&[
        "was set up with different settings",
        "--end was 3, now it is 4",
        "cleanup",
    ]);
    cluster
        .run(&["create", "--end", "4"])
        .exits(2)
        .complains(&["--end 4 contradicts the setup", "which has --end 3"]);
}

#[test]
fn phases_without_setup_and_in_the_wrong_order() {
    let cluster = Cluster::instant();
    for phase in ["create", "stop", "storm", "report", "status"] {
        cluster
            .run(&[phase])
            .exits(1)
            .complains(&["there is no run \"boot-storm-test\"", "kubectl bootstorm setup"]);
    }
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["storm"]).exits(1).complains(&["have not been created yet", "kubectl bootstorm create"]);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["storm"]).exits(1).complains(&["a storm starts stopped VMs", "kubectl bootstorm stop"]);
    // A script that repeats a command after a crash gets through, with one line of output.
    for (command, next) in [("create", "kubectl bootstorm stop"), ("stop", "kubectl bootstorm storm")] {
        cluster.run(&[command]).exits(0);
        let again = cluster.run(&[command]).exits(0).complains(&["was done at", "nothing to do", next]);
        let document = cluster.run(&[command, "-o", "json"]).exits(0).json();
        let mut phases = document["phases"].as_array().unwrap().iter();
        assert!(phases.any(|phase| phase["name"].as_str().unwrap().starts_with(command)), "for programs");
        assert_eq!((again.stdout.as_str(), again.stderr.lines().count()), ("", 1));
        let crossed = [command, "--fail-if", "failed>=0"];
        cluster.run(&crossed).exits(4).complains(&["nothing to do", "threshold crossed"]);
    }
}

#[test]
fn cleanup_asks_first_and_cannot_without_a_terminal() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["cleanup"]).exits(2).complains(&[
        "cleanup would delete",
        "confirmation requires a terminal",
        "--yes",
    ]);
    let (namespaces, _) = cluster.sandbox.store().list(&kind::NAMESPACES, None);
    assert_eq!(namespaces.iter().filter(|n| n.name().starts_with("boot-storm-test")).count(), 2);
}

#[test]
fn an_overloaded_server_is_waited_for() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "4"]).exits(0);
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("create", "virtualmachines"),
        effect: Effect::Answer { code: 429, retry_after: Some(1) },
        remaining: Some(3),
    });
    let report = cluster.run(&["create", "-o", "json"]).exits(0).json();
    let rows = report["phases"][0]["rows"].as_array().unwrap();
    let attempts: u64 = rows.iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(attempts, 7, "{report}");
}

#[test]
fn a_sandbox_touches_no_file_that_no_sandbox_wrote() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name);
    std::fs::write(place("mine"), "apiVersion: v1\n").unwrap();
    std::fs::write(place("notes"), "milk\n").unwrap();
    let program = || Program::new(home.path()).env("BOOTSTORM_KUBECONFIG", "mine");
    for args in [
        &["sandbox", "--write-kubeconfig", "mine"][..],
        &["sandbox", "--truth", "notes"],
        &["run", "--sandbox", "--truth", "notes"],
    ] {
        program().run(args).exits(1).complains(&["it exists already"]);
    }
    Program::new(home.path())
        .run(&["sandbox", "--kubeconfig", "k"])
        .exits(2)
        .complains(&["--write-kubeconfig FILE"]);
    assert_eq!(std::fs::read_to_string(place("mine")).unwrap(), "apiVersion: v1\n");
    assert_eq!(std::fs::read_to_string(place("notes")).unwrap(), "milk\n");
    assert!(!place("sandbox.kubeconfig").exists());
}

#[test]
fn files_that_are_read_have_a_size_limit() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["status", "--config", "/dev/zero"][..],
        &["run", "--sandbox", "--faults", "/dev/zero"],
        &["run", "--sandbox", "--profile", "/dev/zero"],
    ] {
        Program::new(home.path()).run(args).exits(2).complains(&["it has more than"]);
    }
}

#[test]
fn a_flag_that_would_have_no_effect_is_refused_whatever_else_is_given() {
    let cluster = Cluster::instant();
    // clap does not ask for --adopt here, since it conflicts with --end.
    let select =
        ["setup", "--end", "2", "--container-disk", "x/y:1", "-l", "tier=web", "--adopt-namespace", "shop"];
    cluster.run(&select).exits(2).complains(&["--selector has an effect only with --adopt"]);
    let cases: [(&[&str], &str); 6] = [
        (&["setup", "--include-halted"], "--include-halted has an effect only with --adopt or --adopt-file"),
        (&["setup", "--source", "blank", "--set", "A=b"], "--set has an effect only with --filename"),
        (
            &["storm", "--find-max", "--goal", "failed<=0", "--rest", "10s"],
            "--rest has an effect only with --repeat",
        ),
        (
            &["storm", "--repeat", "1", "--goal", "failed<=0", "--max", "1"],
            "--goal has an effect only with --find-max",
        ),
        (&["storm", "--max-storms", "3"], "--max-storms has an effect only with --find-max"),
        (&["stop", "--runner-image", "x"], "--runner-image has an effect only with --in-cluster"),
    ];
    for (words, fault) in cases {
        cluster.run(words).exits(2).complains(&[fault]);
    }
    assert!(is_untouched(&cluster));
    // What is not typed may be for another command.
    let folder = cluster.home.path().join("defaults.yaml");
    std::fs::write(&folder, "storm:\n  max-storms: 3\n").unwrap();
    cluster.run(&["storm", "--config", "defaults.yaml"]).exits(1).complains(&["there is no run"]);
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_happens() {
    let cluster = Cluster::instant();
    cluster.run(&["storm", "--drain", "node-1", "--kind", "start"]).exits(2).complains(&["--kind start"]);
    cluster.run(&["storm", "--drain", ""]).exits(2);
    cluster.run(&["compare", "a", "--fail-if-worse"]).exits(2).complains(&["name the baseline first"]);
    let missing = ["observe", "--namespace", "default", "--probe-pod", "tools/nope", "--for", "1s"];
    cluster.run(&missing).exits(1);
    cluster.run(&["setup", "--end", "1", "--probe-pod", "tools/nope"]).complains(&["there is no such pod"]);
}

#[test]
fn suggested_commands_reach_the_same_cluster_and_namespace() {
    let cluster = Cluster::instant();
    cluster.sandbox.store().create(&kind::NAMESPACES, json!({"metadata": {"name": "tools"}})).unwrap();
    let next = "next: kubectl bootstorm create --ns-prefix boot-storm-test -n tools\n";
    cluster.run(&["setup", "-n", "tools", "--end", "1"]).exits(0).prints(&[next]);
    let create = cluster.run(&["create", "-n", "tools", "-o", "summary"]).exits(0);
    create.prints(&["kubectl bootstorm stop --ns-prefix boot-storm-test -n tools"]);
    let storm = cluster.run(&["storm", "-n", "tools"]).exits(1);
    storm.complains(&["kubectl bootstorm stop --ns-prefix boot-storm-test -n tools"]);
    cluster.run(&["status", "-n", "tools"]).prints(&["--ns-prefix boot-storm-test -n tools"]);
}

#[test]
fn a_dry_run_of_a_run_tells_what_that_run_would_do() {
    let cluster = Cluster::instant();
    let first = cluster.run(&["run", "--end", "2", "--dry-run"]).exits(0);
    // A VM may take its limit to run, and another one to answer.
    first.complains(&["then create: 2 requests, at most 20m", "then stop-1: 2 requests, at most 10m"]);
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let again = cluster.run(&["run", "--end", "2", "--dry-run"]).exits(0);
    let again = again.complains(&["is set up already", "then create"]);
    assert!(!again.stdout.contains("namespaces"), "{}", again.stdout);
    cluster.run(&["run", "--end", "2", "-q"]).exits(0);
    cluster.run(&["run", "--end", "2", "--dry-run"]).exits(1).complains(&["was finished at"]);
}
