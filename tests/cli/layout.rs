//! How VMs are spread over namespaces, and how both are named.

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran};

fn run(cluster: &Cluster, args: &[&str]) -> Ran {
    cluster.run(args)
}

/// Every VM as `namespace/name`, in report order.
fn vms(report: &Value) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = report["phases"][0]["rows"].as_array().unwrap();
    rows.iter().map(|row| format!("{}/{}", text(row, "namespace"), text(row, "name"))).collect()
}

fn namespaces(cluster: &Cluster) -> Vec<String> {
    let (all, _) = cluster.sandbox.store().list(&kind::NAMESPACES, None);
    all.iter().map(|one| one.name().to_owned()).filter(|name| name.starts_with("boot-storm-test")).collect()
}

#[test]
fn several_vms_share_a_namespace_from_setup_to_cleanup() {
    let cluster = Cluster::instant();
    let setup =
        ["setup", "--end", "5", "--vms-per-namespace", "2", "--index-width", "2", "--vm-name", "db-{i}-x"];
    run(&cluster, &setup).exits(0).prints(&[
        "VMs         5 named db-{i}-x",
        "namespaces  boot-storm-test-01 to boot-storm-test-03, with 2 VMs each",
    ]);
    assert_eq!(namespaces(&cluster), ["boot-storm-test-01", "boot-storm-test-02", "boot-storm-test-03"]);
    for phase in ["create", "stop", "storm"] {
        run(&cluster, &[phase]).exits(0);
    }
    let report = run(&cluster, &["report", "-o", "json"]).exits(0).json();
    assert_eq!(
        vms(&report),
        [
            "boot-storm-test-01/db-01-x",
            "boot-storm-test-01/db-02-x",
            "boot-storm-test-02/db-03-x",
            "boot-storm-test-02/db-04-x",
            "boot-storm-test-03/db-05-x",
        ]
    );
    assert_eq!(report["plan"]["layout"]["vms_per_namespace"], 2);
    run(&cluster, &["report"]).prints(&["Namespace            Name", "db-05-x"]);
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    assert!(namespaces(&cluster).is_empty());
}

#[test]
fn disks_of_vms_in_one_namespace_have_names_of_their_own() {
    let cluster = Cluster::instant();
    let disk = json!({"metadata": {"name": "root"}, "spec": {"source": {"blank": {}},
        "storage": {"resources": {"requests": {"storage": "1Gi"}}}}});
    let vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": {
        "dataVolumeTemplates": [disk],
        "template": {"spec": {
            "domain": {"memory": {"guest": "512Mi"}, "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}},
            "volumes": [{"name": "root", "dataVolume": {"name": "root"}}]}}}});
    std::fs::write(cluster.home.path().join("vm.yaml"), vm.to_string()).unwrap();
    let args =
        ["run", "--end", "4", "--vms-per-namespace", "4", "-f", "vm.yaml", "--probe", "none", "--no-storm"];
    run(&cluster, &args).exits(0);
    let (volumes, _) = cluster.sandbox.store().list(&kind::DATA_VOLUMES, Some("boot-storm-test-1"));
    let mut names: Vec<&str> = volumes.iter().map(|volume| volume.name()).collect();
    names.sort_unstable();
    assert_eq!(names, [1, 2, 3, 4].map(|number| format!("boot-storm-vm-{number}-root")));
    // The golden image too.
    let args = [
        "run",
        "--ns-prefix",
        "b",
        "--end",
        "3",
        "--vms-per-namespace",
        "3",
        "--probe",
        "none",
        "--no-storm",
    ];
    cluster.plain_program().run(&args).exits(0);
}

#[test]
fn limits_of_a_namespace_are_for_all_of_its_vms() {
    let cluster = Cluster::changed(3, |profile| {
        profile.namespace_defaults.quota.insert("count/virtualmachines.kubevirt.io".into(), "2".into());
    });
    let args = |ks: &'static str| {
        ["setup", "--ns-prefix", ks, "--end", "6", "--probe", "none", "--vms-per-namespace"]
    };
    run(&cluster, &[&args("a")[..], &["2"]].concat()).exits(0);
    run(&cluster, &[&args("b")[..], &["3"]].concat()).exits(5).complains(&[
        "the limits of 2 namespaces leave no room for the VMs",
        "count/virtualmachines.kubevirt.io is limited to 2, 0 used, its 3 VMs need 3",
    ]);
}

#[test]
fn a_namespace_of_somebody_else_is_used_and_left() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let args = ["setup", "--end", "3", "--vm-namespace", "team", "-n", "team"];
    run(&cluster, &args)
        .exits(5)
        .complains(&["namespace team does not exist", "hint: create it: kubectl create namespace team"]);
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "team"}})).unwrap();
    let theirs = json!({"metadata": {"name": "boot-storm-vm-2", "namespace": "team"}, "spec": {"runStrategy": "Halted",
        "template": {"spec": {"domain": {"devices": {}}}}}});
    store.create(&kind::VIRTUAL_MACHINES, theirs).unwrap();
    run(&cluster, &args)
        .exits(5)
        .complains(&["1 VM exists already, outside of this run: team/boot-storm-vm-2"]);
    // A user of this namespace has no permissions anywhere else.
    let faults = cluster.sandbox.faults();
    for (verb, resource) in [
        ("list", "virtualmachines"),
        ("list", "virtualmachineinstances"),
        ("watch", "virtualmachineinstances"),
        ("list", "datavolumes"),
        ("watch", "datavolumes"),
        ("list", "persistentvolumeclaims"),
        ("list", "pods"),
        ("watch", "pods"),
        ("list", "events"),
        ("watch", "events"),
        ("list", "resourcequotas"),
        ("list", "limitranges"),
        ("list", "configmaps"),
        ("list", "namespaces"),
        ("create", "namespaces"),
        ("delete", "namespaces"),
    ] {
        // Only for requests across all namespaces.
        faults.deny(verb, resource, Some("|"));
    }
    let args = [&args[..], &["--vm-name", "db"]].concat();
    let ran = run(&cluster, &args).exits(0);
    let ran = ran.prints(&[
        "namespaces  team, which is not the run's own",
        "configmap/bootstorm-boot-storm-test in namespace team",
    ]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    for phase in ["create", "stop", "storm"] {
        let ran = run(&cluster, &[phase, "-n", "team"]).exits(0);
        assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    }
    let report = run(&cluster, &["report", "-o", "json", "-n", "team"]).exits(0).json();
    assert_eq!(vms(&report), ["team/db-1", "team/db-2", "team/db-3"]);
    let deleted = run(&cluster, &["cleanup", "--yes", "-n", "team"]).exits(0);
    assert!(!deleted.stdout.contains("namespace/team"), "{}", deleted.stdout);
    assert!(store.get(&kind::NAMESPACES, "", "team").is_some());
    let (left, _) = store.list(&kind::VIRTUAL_MACHINES, Some("team"));
    assert_eq!(left.iter().map(|vm| vm.name().to_owned()).collect::<Vec<_>>(), ["boot-storm-vm-2"]);
    assert_eq!(store.list(&kind::PODS, Some("team")).0.len(), 0);
}

#[test]
fn names_that_cannot_be_are_refused_with_the_flag() {
    let cluster = Cluster::instant();
    for (flags, words) in [
        (&["--vms-per-namespace", "0"][..], "--vms-per-namespace"),
        (&["--vm-name", "Db-{i}"], "--vm-name `Db-{i}` cannot name a VM"),
        (&["--vm-namespace", "a", "--vms-per-namespace", "2"], "cannot be used with"),
        (&["--vm-namespace", "../x"], "cannot be a namespace"),
        (&["--index-width", "12"], "--index-width"),
    ] {
        run(&cluster, &[&["setup", "--end", "3"], flags].concat()).exits(2).complains(&[words]);
    }
}
