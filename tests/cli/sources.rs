//! Sources of VMs: every source, every manifest change, placeholders, and how long disks take.

use bootstorm_sandbox::store::{Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran};

const IMAGES: &str = "openshift-virtualization-os-images";

fn plain(cluster: &Cluster, args: &[&str]) -> Ran {
    cluster.plain_program().run(args)
}

fn vm(cluster: &Cluster, number: u32) -> Object {
    let namespace = format!("boot-storm-test-{number}");
    cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, &namespace, "boot-storm-vm").unwrap()
}

fn volume(cluster: &Cluster, number: u32) -> Object {
    let namespace = format!("boot-storm-test-{number}");
    cluster.sandbox.store().get(&kind::DATA_VOLUMES, &namespace, "boot-storm-vm-root").unwrap()
}

/// Runs setup and create; returns the report's create phase.
fn created(cluster: &Cluster, end: &str, flags: &[&str]) -> Value {
    let setup = [&["setup", "--end", end, "--probe", "none"], flags].concat();
    plain(cluster, &setup).exits(0);
    plain(cluster, &["create", "-o", "json"]).exits(0);
    plain(cluster, &["report", "-o", "json"]).exits(0).json()["phases"][0].clone()
}

#[test]
fn by_default_vms_are_clones_of_the_guides_golden_image() {
    let cluster = Cluster::instant();
    let phase = created(&cluster, "3", &[]);
    let second = vm(&cluster, 2);
    let spec = &second.value()["spec"]["dataVolumeTemplates"][0]["spec"];
    assert_eq!(spec["sourceRef"], json!({"kind": "DataSource", "name": "rhel9", "namespace": IMAGES}));
    assert_eq!(spec["storage"]["resources"]["requests"]["storage"], "30Gi");
    // The sandbox's default class copies.
    assert_eq!(phase["volumes"]["kinds"], json!({"host-assisted": 3}));
    for row in phase["rows"].as_array().unwrap() {
        assert_eq!(row["volume"], "host-assisted");
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        // Two watches report them, so the order of changes within moments of each other is not certain.
        assert!(at("accepted") < at("volume") && at("volume") < at("running"), "{row}");
    }
    plain(&cluster, &["report"]).exits(0).prints(&[
        "built-in, cloned from DataSource openshift-virtualization-os-images/rhel9",
        "Disks filled by:",
        "host-assisted",
        "Boot after that:",
    ]);
    plain(&cluster, &["stop"]).exits(0);
    plain(&cluster, &["storm"]).exits(0);
    let storm = plain(&cluster, &["report", "-o", "json"]).json()["phases"][2].clone();
    assert!(storm.get("volumes").is_none() && storm["statistics"].get("volume").is_none());
    plain(&cluster, &["cleanup", "--yes"]).exits(0);
}

#[test]
fn filling_takes_as_long_as_it_truly_took() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.jsonl");
    let cluster = Cluster::with_truth("default", 2.0, &truth);
    let phase = created(&cluster, "4", &["--storage-class", "csi"]);
    let began: i128 = phase["began"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_nanosecond();
    crate::support::until(|| {
        std::fs::read_to_string(&truth).is_ok_and(|text| text.matches("Succeeded").count() >= 4)
    });
    let text = std::fs::read_to_string(&truth).unwrap();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for row in phase["rows"].as_array().unwrap() {
        let done = lines.iter().find(|line| {
            line["kind"] == "datavolumes"
                && line["phase"] == "Succeeded"
                && line["namespace"] == row["namespace"]
        });
        let true_seconds = (i128::from(done.unwrap()["at"].as_i64().unwrap()) - began) as f64 / 1e9;
        let volume = &row["milestones"]["volume"];
        let measured = row["requested_at_seconds"].as_f64().unwrap() + volume["seconds"].as_f64().unwrap();
        assert_eq!((&volume["source"], &row["volume"]), (&json!("seen"), &json!("csi-clone")));
        // The delay depends on the machine, but it must never be seen early.
        assert!(
            measured > true_seconds - 0.05 && measured < true_seconds + 1.0,
            "{measured} for {true_seconds}"
        );
        assert!(volume["seconds"].as_f64().unwrap() > 0.3, "{row}");
    }
}

#[test]
fn without_the_golden_image_the_ones_that_exist_are_named() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let rhel = store.get(&kind::DATA_SOURCES, IMAGES, "rhel9").unwrap();
    assert!(store.remove(&kind::DATA_SOURCES, IMAGES, "rhel9", rhel.uid()));
    plain(&cluster, &["setup", "--end", "2"]).exits(5).complains(&[
        "DataSource openshift-virtualization-os-images/rhel9 does not exist",
        "there are: openshift-virtualization-os-images/fedora",
        "--source containerdisk:quay.io/containerdisks/fedora:41",
    ]);
    let fedora = ["--source", "datasource:openshift-virtualization-os-images/fedora"];
    plain(&cluster, &[&["setup", "--end", "2"], &fedora[..]].concat()).exits(0);
}

#[test]
fn every_kind_of_clone_and_import_is_named() {
    let cases: [(&[&str], &str); 8] = [
        (&["--storage-class", "csi"], "csi-clone"),
        (&["--storage-class", "snapshots"], "snapshot"),
        (&["--storage-class", "standard"], "host-assisted"),
        (
            &["--source", "pvc:openshift-virtualization-os-images/fedora", "--storage-class", "csi"],
            "csi-clone",
        ),
        (&["--source", "snapshot:openshift-virtualization-os-images/fedora"], "snapshot"),
        (&["--source", "registry:docker://quay.io/containerdisks/fedora:41"], "import"),
        (&["--source", "http:https://example.invalid/disk.qcow2"], "import"),
        (&["--source", "blank"], "blank"),
    ];
    let cluster = Cluster::instant();
    for (number, (flags, kind)) in cases.into_iter().enumerate() {
        let prefix = format!("run-{number}");
        let named = ["--ns-prefix", &prefix];
        let setup = [&["setup", "--end", "1", "--probe", "none"], &named[..], flags].concat();
        plain(&cluster, &setup).exits(0);
        plain(&cluster, &[&["create"], &named[..]].concat()).exits(0).prints(&[kind]);
        let report = plain(&cluster, &[&["report", "-o", "json"], &named[..]].concat()).exits(0).json();
        assert_eq!(report["phases"][0]["volumes"]["kinds"], json!({kind: 1}), "{flags:?}");
        assert_eq!(report["phases"][0]["volumes"]["boot"]["reached"], 1, "{flags:?}");
    }
}

#[test]
fn a_kind_that_nothing_tells_is_unknown() {
    let cluster = Cluster::instant();
    let text = r"
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  dataVolumeTemplates:
  - metadata: {name: vm-disk}
    spec: {source: {gold: {}}, storage: {resources: {requests: {storage: 1Gi}}}}
  template:
    spec:
      domain: {memory: {guest: 256Mi}, devices: {}}
      volumes: [{name: root, dataVolume: {name: vm-disk}}]
";
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    let phase = created(&cluster, "1", &["-f", "vm.yaml"]);
    assert_eq!(phase["volumes"]["kinds"], json!({"unknown": 1}));
}

#[test]
fn the_claims_of_a_pool_are_cloned_in_turn() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let template = store.get(&kind::PERSISTENT_VOLUME_CLAIMS, IMAGES, "rhel9").unwrap();
    let pool = ["--source", "pvc:openshift-virtualization-os-images/golden-{1..3}", "--probe", "none"];
    for number in 1..=2 {
        let mut claim = template.value().clone();
        claim["metadata"] = json!({"name": format!("golden-{number}"), "namespace": IMAGES});
        store.create(&kind::PERSISTENT_VOLUME_CLAIMS, claim).unwrap();
    }
    plain(&cluster, &[&["setup", "--end", "5"], &pool[..]].concat())
        .exits(5)
        .complains(&["claim openshift-virtualization-os-images/golden-3 does not exist"]);
    let mut claim = template.value().clone();
    claim["metadata"] = json!({"name": "golden-3", "namespace": IMAGES});
    store.create(&kind::PERSISTENT_VOLUME_CLAIMS, claim).unwrap();
    created(&cluster, "5", &pool[..2]);
    let source = |number| volume(&cluster, number).value()["spec"]["source"]["pvc"]["name"].clone();
    let found: Vec<Value> = (1..=5).map(source).collect();
    assert_eq!(found, ["golden-1", "golden-2", "golden-3", "golden-1", "golden-2"]);
}

#[test]
fn what_is_not_ready_or_not_there_is_told_before_anything_is_made() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let unready = |source: &mut Value| {
        source["status"]["conditions"][0]["status"] = json!("False");
        source["status"]["conditions"][0]["reason"] = json!("NotFound");
        Ok::<(), bootstorm_sandbox::store::StoreError>(())
    };
    store.update(&kind::DATA_SOURCES, IMAGES, "rhel9", unready).unwrap();
    plain(&cluster, &["setup"]).exits(5).complains(&["rhel9 is not ready", "NotFound"]);
    let container = ["--source", "containerdisk:x/y:1"];
    let fedora = ["--source", "datasource:fedora"];
    let cases: [(&[&str], &[&str], &str); 5] = [
        (&fedora, &["--storage-class", "none"], "storage class none does not exist"),
        (&container, &["--instancetype", "huge"], "instance type huge does not exist"),
        (&container, &["--preference", "mine"], "preference mine does not exist"),
        (&container, &["--network", "wan"], "network default/wan does not exist"),
        (&["--source", "snapshot:a/b"], &[], "snapshot a/b does not exist"),
    ];
    for (source, flags, complaint) in cases {
        plain(&cluster, &[&["setup"], source, flags].concat()).exits(5).complains(&[complaint, "hint: "]);
    }
    plain(
        &cluster,
        &[
            &["setup", "--disk-size", "10Gi"],
            &["--source", "pvc:openshift-virtualization-os-images/fedora"][..],
        ]
        .concat(),
    )
    .exits(5)
    .complains(&["smaller than claim", "add --disk-size 30Gi"]);
    let golden = ["--source", "datasource:openshift-virtualization-os-images/fedora"];
    plain(&cluster, &[&["setup", "--disk-size", "10Gi"], &golden[..]].concat()).exits(5).complains(&[
        "smaller than DataSource openshift-virtualization-os-images/fedora (claim openshift-virtualization-os-images/",
        "add --disk-size 30Gi",
    ]);
    assert!(
        store.list(&kind::NAMESPACES, None).0.iter().all(|found| !found.name().starts_with("boot-storm"))
    );
}

#[test]
fn who_may_not_clone_is_told_what_to_ask_for() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("create", "datavolumes/source", Some(IMAGES));
    plain(&cluster, &["setup", "--end", "1"]).exits(5).complains(&[
        "the VMs may not clone from namespace openshift-virtualization-os-images",
        "service account default of namespace boot-storm-test-1",
        "kubectl create role bootstorm-clone -n openshift-virtualization-os-images --verb=create --resource=datavolumes.cdi.kubevirt.io/source",
        "--group=system:serviceaccounts",
    ]);
    // The cluster enforces it.
    plain(&cluster, &["setup", "--end", "1", "--probe", "none", "--skip-preflight"]).exits(0);
    let ran = plain(&cluster, &["create", "--timeout", "2s"]).exits(3);
    ran.complains(&["not running after 2s"]);
    plain(&cluster, &["report"]).prints(&["Not authorized to create DataVolume"]);
}

#[test]
fn who_may_not_follow_disks_loses_that_milestone_only() {
    let cluster = Cluster::instant();
    for verb in ["list", "watch"] {
        cluster.sandbox.faults().deny(verb, "datavolumes", None);
    }
    cluster.sandbox.faults().deny("create", "subjectaccessreviews", None);
    plain(&cluster, &["setup", "--end", "2", "--probe", "none"]).exits(0);
    plain(&cluster, &["create"]).exits(0).complains(&["the time to fill the disks is not measured"]);
    let phase = plain(&cluster, &["report", "-o", "json"]).json()["phases"][0].clone();
    assert!(phase.get("volumes").is_none() && phase["counts"]["reached"] == 2);
    plain(&cluster, &["setup", "--end", "2", "--probe", "none", "--ns-prefix", "other"]).exits(0);
    plain(&cluster, &["create", "--halted", "--ns-prefix", "other"])
        .exits(1)
        .complains(&["failed to watch the disks of the VMs"]);
}

#[test]
fn disks_that_wait_for_their_consumer_are_filled_between_pod_and_running() {
    let cluster = Cluster::instant();
    let phase = created(&cluster, "2", &["--storage-class", "csi-local"]);
    assert_eq!(phase["volumes"]["kinds"], json!({"csi-clone": 2}));
    for row in phase["rows"].as_array().unwrap() {
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        assert!(at("pod") < at("volume") && at("volume") < at("running"), "{row}");
    }
    let stages: Vec<&str> =
        phase["stages"].as_array().unwrap().iter().filter_map(|stage| stage["to"].as_str()).collect();
    assert_eq!(
        stages,
        [
            "accepted",
            "instance",
            "pod",
            "placed",
            "volume",
            "attached",
            "prepared",
            "initialized",
            "started",
            "scheduled",
            "running"
        ]
    );
}

#[test]
fn changes_reach_the_vms_and_are_shown() {
    let cluster = Cluster::instant();
    let flags = [
        "--storage-class",
        "csi",
        "--disk-size",
        "40Gi",
        "--access-mode",
        "RWO",
        "--volume-mode",
        "filesystem",
        "--instancetype",
        "u1.micro",
        "--preference",
        "rhel.9",
        "--network",
        "lan",
        "--termination-grace-period",
        "5s",
    ];
    created(&cluster, "1", &flags);
    let vm = vm(&cluster, 1);
    let spec = &vm.value()["spec"];
    let storage = &spec["dataVolumeTemplates"][0]["spec"]["storage"];
    assert_eq!(
        *storage,
        json!({"storageClassName": "csi", "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem", "resources": {"requests": {"storage": "40Gi"}}})
    );
    assert_eq!(
        (&spec["instancetype"]["name"], &spec["preference"]["name"]),
        (&json!("u1.micro"), &json!("rhel.9"))
    );
    assert_eq!(spec["template"]["spec"]["networks"][1]["multus"]["networkName"], "default/lan");
    assert_eq!(spec["template"]["spec"]["terminationGracePeriodSeconds"], 5);
    let vmi = cluster
        .sandbox
        .store()
        .get(&kind::VIRTUAL_MACHINE_INSTANCES, "boot-storm-test-1", "boot-storm-vm")
        .unwrap();
    assert_eq!(vmi.value()["spec"]["domain"]["memory"]["guest"], "1Gi", "the instance type decides");
    let report = plain(&cluster, &["report", "-o", "json"]).json();
    assert_eq!(report["plan"]["overrides"]["storage_class"], "csi");
    plain(&cluster, &["report"]).prints(&["Changed by:", "--disk-size 40Gi"]);
    plain(&cluster, &["setup", "--end", "1", "--probe", "none", "--storage-class", "standard"])
        .exits(1)
        .complains(&["--storage-class was csi, now it is standard"]);
}

#[test]
fn sizes_change_a_manifest_from_a_file() {
    let cluster = Cluster::instant();
    let text = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}\n";
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    created(&cluster, "1", &["-f", "vm.yaml", "--cpu", "3", "--memory", "1Gi"]);
    let vm = vm(&cluster, 1);
    let domain = &vm.value()["spec"]["template"]["spec"]["domain"];
    assert_eq!((&domain["cpu"]["cores"], &domain["memory"]["guest"]), (&json!(3), &json!("1Gi")));
    for (flags, why) in [
        (["--storage-class", "csi"], "the manifest has no dataVolumeTemplates"),
        (["--disk-size", "1Gi"], "the manifest has no disk to boot from"),
    ] {
        plain(&cluster, &[&["setup", "-f", "vm.yaml", "--ns-prefix", "x"], &flags[..]].concat())
            .exits(2)
            .complains(&[flags[0], "cannot be applied", why]);
    }
    plain(&cluster, &["setup", "--cpu", "1", "--instancetype", "x"]).exits(2);
    plain(&cluster, &["setup", "--memory", "lots"]).exits(2).complains(&["write it like 30Gi"]);
    plain(&cluster, &["setup", "--source", "rhel9"]).exits(2).complains(&["datasource:NAMESPACE/NAME"]);
}

#[test]
fn placeholders_are_replaced_or_refused() {
    let cluster = Cluster::instant();
    let text = r"
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: {{VM_NAME}}}
spec:
  dataVolumeTemplates:
  - metadata: {name: {{VM_NAME}}-volume}
    spec:
      sourceRef: {kind: DataSource, name: {{DATASOURCE_NAME}}, namespace: {{DATASOURCE_NAMESPACE}}}
      storage: {storageClassName: {{STORAGE_CLASS_NAME}}, resources: {requests: {storage: {{STORAGE_SIZE}}}}}
  template:
    spec:
      domain: {cpu: {cores: {{VM_CPU_CORES}}}, memory: {guest: {{VM_MEMORY}}}, devices: {}}
      volumes: [{name: root, dataVolume: {name: {{VM_NAME}}-volume}}]
";
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    let setup = ["setup", "--end", "1", "--probe", "none", "-f", "vm.yaml"];
    plain(&cluster, &setup).exits(1).complains(&[
        "vm.yaml is not a usable VM manifest",
        "line 10: {{STORAGE_CLASS_NAME}} has no value; pass --storage-class, or --set STORAGE_CLASS_NAME=VALUE",
    ]);
    plain(&cluster, &[&setup[..], &["--storage-class", "csi", "--set", "COLOUR=red"]].concat())
        .exits(1)
        .complains(&["--set COLOUR: the manifest has no {{COLOUR}}", "{{VM_MEMORY}}"]);
    plain(&cluster, &["setup", "--set", "VM_MEMORY=1Gi"]).exits(2).complains(&["--filename"]);
    let flags =
        ["-f", "vm.yaml", "--storage-class", "csi", "--set", "VM_MEMORY=1Gi", "--set", "VM_CPU_CORES=2"];
    let phase = created(&cluster, "1", &flags);
    assert_eq!(phase["volumes"]["kinds"], json!({"csi-clone": 1}));
    let vm = vm(&cluster, 1);
    let domain = &vm.value()["spec"]["template"]["spec"]["domain"];
    assert_eq!((&domain["cpu"]["cores"], &domain["memory"]["guest"]), (&json!(2), &json!("1Gi")));
    assert_eq!(vm.value()["spec"]["dataVolumeTemplates"][0]["metadata"]["name"], "boot-storm-vm-volume");
}

#[test]
fn keys_and_user_data_are_in_the_secret_and_in_the_vms_only() {
    const MARKER: &str = "hunter2-MARKER";
    let cluster = Cluster::instant();
    let file = |name: &str, text: String| std::fs::write(cluster.home.path().join(name), text).unwrap();
    file("key.pub", format!("ssh-ed25519 AAAA{MARKER} me@host\n"));
    file("user.yaml", format!("#cloud-config\npassword: {MARKER}\n"));
    file("key", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{MARKER}\n"));
    let silent = |args: &[&str]| {
        let logged = [args, &["--log-level", "trace,kube=trace,hyper=trace", "--log-file", "log"]].concat();
        let ran = plain(&cluster, &logged);
        assert!(!ran.stdout.contains(MARKER) && !ran.stderr.contains(MARKER), "{ran:?}");
        ran
    };
    let url = format!("http:https://me:{MARKER}@example.invalid/disk?sig={MARKER}");
    let flags = [
        "--end",
        "2",
        "--probe",
        "none",
        "--ssh-key",
        "key.pub",
        "--user-data",
        "user.yaml",
        "--source",
        &url,
    ];
    silent(&["setup", "--ssh-key", "key"]).exits(2).complains(&["private key"]);
    for format in ["table", "json", "yaml"] {
        silent(&[&["setup", "--dry-run=client", "-o", format], &flags[..]].concat()).exits(0);
    }
    silent(&[&["setup"], &flags[..]].concat()).exits(0);
    silent(&[&["setup"], &flags[..]].concat()).exits(0);
    silent(&["create", "--dry-run=client", "-o", "yaml"]).exits(0).prints(&["(redacted)"]);
    silent(&["create"]).exits(0);
    for format in ["table", "json", "yaml"] {
        silent(&["report", "-o", format, "--save-results"]).exits(0);
    }
    let log = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    assert!(log.len() > 1_000 && !log.contains(MARKER));
    let store = cluster.sandbox.store();
    for kind in [&kind::CONFIG_MAPS, &kind::LEASES, &kind::EVENTS] {
        assert!(store.list(kind, None).0.iter().all(|found| !found.value().to_string().contains(MARKER)));
    }
    assert!(!store.list(&kind::SECRETS, None).0.is_empty());
    let user_data =
        vm(&cluster, 1).value()["spec"]["template"]["spec"]["volumes"][1]["cloudInitNoCloud"]["userData"]
            .clone();
    assert_eq!(
        user_data,
        format!(
            "#cloud-config\npassword: {MARKER}\nssh_authorized_keys:\n- 'ssh-ed25519 AAAA{MARKER} me@host'\n"
        )
    );
    file("user.yaml", "#cloud-config\npassword: another\n".to_owned());
    plain(&cluster, &[&["setup"], &flags[..]].concat())
        .exits(1)
        .complains(&["was set up with different settings"]);
}

#[test]
fn vms_made_without_a_start_are_stormed_for_their_first_boot() {
    for class in ["csi", "csi-local"] {
        let cluster = Cluster::instant();
        plain(&cluster, &["setup", "--end", "3", "--probe", "none", "--storage-class", class]).exits(0);
        plain(&cluster, &["create", "--halted"]).exits(0).prints(&["Volume(s)", "csi-clone"]);
        for number in 1..=3 {
            assert_eq!(vm(&cluster, number).value()["spec"]["runStrategy"], "Halted");
            assert_eq!(volume(&cluster, number).value()["status"]["phase"], "Succeeded");
        }
        assert!(cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0.is_empty());
        plain(&cluster, &["stop"]).exits(1).complains(&["kubectl bootstorm storm"]);
        plain(&cluster, &["status"]).exits(0);
        plain(&cluster, &["storm", "--dry-run=client"]).exits(0).complains(&["3 requests would be sent"]);
        plain(&cluster, &["storm"]).exits(0);
        let report = plain(&cluster, &["report", "-o", "json"]).exits(0).json();
        let phase = |place: usize| &report["phases"][place];
        assert_eq!((&phase(0)["goal"], &phase(0)["settings"]["halted"]), (&json!("volume"), &json!(true)));
        assert!(phase(0)["volumes"].get("boot").is_none());
        assert_eq!((&phase(1)["name"], &phase(1)["counts"]["reached"]), (&json!("storm-1"), &json!(3)));
        assert_eq!(report["comparison"]["baseline"], Value::Null);
        assert_eq!(report["comparison"]["unjudged"], "there is no baseline to compare with");
        plain(&cluster, &["report"]).exits(0).prints(&["there is no baseline"]);
        plain(&cluster, &["stop"]).exits(0);
        plain(&cluster, &["storm"]).exits(0);
    }
}

#[test]
fn a_halted_create_without_disks_ends_with_the_answers() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create", "--halted"]).exits(0);
    let report = cluster.run(&["report", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&report["phases"][0]["goal"], &report["phases"][0]["counts"]["reached"]),
        (&json!("accepted"), &json!(2))
    );
    cluster.run(&["storm"]).exits(0);
}

#[test]
fn a_create_that_starts_vms_does_not_turn_into_one_that_does_not() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "1", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["create", "--halted"]).exits(2).complains(&["--halted cannot be added"]);
}

#[test]
fn a_manifest_is_read_as_kubectl_reads_it() {
    let cluster = Cluster::instant();
    let text = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: mine
  labels: &labels {on: 'x', 010: 'eight'}
spec:
  runStrategy: Always
  template:
    metadata:
      labels:
        on: 'y'
        <<: *labels
    spec:
      terminationGracePeriodSeconds: 010
      domain: {cpu: {cores: 1e0}, memory: {guest: 128Mi}, devices: {}}
";
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    let setup = ["setup", "--end", "1", "--probe", "none", "-f", "vm.yaml"];
    plain(&cluster, &setup).exits(0).complains(&["manifest, line 13: `<<` follows keys"]);
    plain(&cluster, &["create"]).exits(0);
    let vm = vm(&cluster, 1);
    let spec = &vm.value()["spec"]["template"];
    assert_eq!(spec["spec"]["terminationGracePeriodSeconds"], json!(8));
    assert_eq!(spec["spec"]["domain"]["cpu"]["cores"], json!(1));
    assert_eq!(
        (&spec["metadata"]["labels"]["true"], &spec["metadata"]["labels"]["8"]),
        (&json!("x"), &json!("eight"))
    );
}
