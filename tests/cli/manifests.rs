//! Manifests as people have them: what they name, what belongs to one VM only, templates of other tools.

use bootstorm_sandbox::store::{Kind, Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

pub(super) const VM: &str = "boot-storm-vm";
pub(super) const SECRET: &str = "MARKER-of-a-secret";

pub(super) fn write(cluster: &Cluster, text: &str) {
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
}

pub(super) fn namespace(cluster: &Cluster, name: &str) {
    cluster.sandbox.store().create(&kind::NAMESPACES, json!({"metadata": {"name": name}})).unwrap();
}

fn claim(cluster: &Cluster, namespace: &str, name: &str, mode: &str) {
    let claim = json!({
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "standard"},
    });
    cluster.sandbox.store().create(&kind::PERSISTENT_VOLUME_CLAIMS, claim).unwrap();
    until(|| {
        let found = cluster.sandbox.store().get(&kind::PERSISTENT_VOLUME_CLAIMS, namespace, name).unwrap();
        found.value()["status"]["phase"] == "Bound"
    });
}

pub(super) fn get(cluster: &Cluster, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
    cluster.sandbox.store().get(kind, namespace, name)
}

pub(super) fn run(cluster: &Cluster, args: &[&str]) -> Ran {
    let ran = cluster.plain_program().run(args);
    assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{}\n{}", ran.stdout, ran.stderr);
    ran
}

pub(super) fn setup(cluster: &Cluster, flags: &[&str]) -> Ran {
    run(cluster, &[&["setup", "--probe", "none", "-f", "vm.yaml"], flags].concat())
}

/// A VM with a disk of its own, and a second disk that the test is about.
fn with_disk(disk: &str, volume: &str) -> String {
    format!(
        "apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {{name: web, namespace: shop}}
spec:
  template:
    spec:
      domain:
        devices: {{disks: [{{name: d, disk: {{bus: virtio}}}}, {{name: x, {disk}}}]}}
        resources: {{requests: {{memory: 256Mi}}}}
      volumes:
      - {{name: d, containerDisk: {{image: 'quay.io/containerdisks/fedora:41'}}}}
      - {{name: x, {volume}}}
"
    )
}

#[test]
fn a_disk_of_another_vm_is_not_given_to_a_vm_of_the_run() {
    let cluster = Cluster::instant();
    namespace(&cluster, "team");
    for name in ["data", "disk-1", "disk-2", "disk-60"] {
        claim(&cluster, "team", name, "ReadWriteMany");
    }
    let web = |power: &str| {
        let volumes = json!([
            {"name": "d", "persistentVolumeClaim": {"claimName": "disk-2"}},
            {"name": "far", "persistentVolumeClaim": {"claimName": "disk-60"}},
        ]);
        let spec = json!({"domain": {"devices": {}, "memory": {"guest": "64Mi"}}, "volumes": volumes});
        json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": "web", "namespace": "team"},
            "spec": {"runStrategy": power, "template": {"spec": spec}}})
    };
    let (store, kind) = (cluster.sandbox.store(), &kind::VIRTUAL_MACHINES);
    store.create(kind, web("Always")).unwrap();
    let state = || get(&cluster, kind, "team", "web").unwrap().value()["status"]["printableStatus"].clone();
    until(|| state() == "Running");
    let plain = |name: &str| {
        with_disk("disk: {bus: virtio}", &format!("persistentVolumeClaim: {{claimName: '{name}'}}"))
    };
    let team = ["--vm-namespace", "team", "--dry-run"];
    write(&cluster, &plain("disk-{i}"));
    let refused = setup(&cluster, &[&team[..], &["--end", "2"]].concat()).exits(5);
    refused.complains(&[
        "would write to a disk that another VM of namespace team uses",
        "disk disk-2 belongs to VM web",
    ]);
    setup(&cluster, &[&team[..], &["--end", "2", "--skip-preflight"]].concat()).exits(5);
    // Every VM counts, not only those whose claims are looked up one by one.
    let many = setup(&cluster, &[&team[..], &["--end", "60"]].concat()).exits(5);
    many.complains(&["disk disk-2 belongs to VM web", "disk disk-60 belongs to VM web"]);
    setup(&cluster, &[&team[..], &["--end", "1"]].concat()).exits(0);
    write(&cluster, &plain("data"));
    setup(&cluster, &[&team[..], &["--end", "1"]].concat()).exits(0);
    store.modify(kind, "team", "web", |vm| vm["spec"]["runStrategy"] = "Halted".into());
    until(|| state() == "Stopped");
    write(&cluster, &plain("disk-{i}"));
    let ran = setup(&cluster, &[&team[..], &["--end", "2"]].concat()).exits(0);
    ran.complains(&["VM team/web uses disk-2 too, and must stay off"]);
}

#[test]
fn a_disk_is_not_given_to_several_vms() {
    let cluster = Cluster::instant();
    namespace(&cluster, "team");
    claim(&cluster, "team", "one", "ReadWriteOnce");
    claim(&cluster, "team", "many", "ReadWriteMany");
    for number in 1..=3 {
        claim(&cluster, "team", &format!("own-{number}"), "ReadWriteOnce");
    }
    let team = ["--vm-namespace", "team", "--end", "3", "--dry-run"];
    let claimed = |name: &str| format!("persistentVolumeClaim: {{claimName: '{name}'}}");
    let plain = "disk: {bus: virtio}";
    for (name, why) in [("one", "VMs on other nodes would not start"), ("many", "which damages its data")] {
        write(&cluster, &with_disk(plain, &claimed(name)));
        let refused = setup(&cluster, &team).exits(5).complains(&[why, "dataVolumeTemplate", "-{i}"]);
        assert!(refused.stderr.contains(&format!("3 VMs would boot with one disk, claim team/{name}")));
        // The data do not belong to the run, so there is no override.
        setup(&cluster, &[&team[..], &["--skip-preflight"]].concat()).exits(5);
        setup(&cluster, &["--vm-namespace", "team", "--end", "1", "--dry-run"]).exits(0);
    }
    write(&cluster, &with_disk(plain, "dataVolume: {name: many}"));
    setup(&cluster, &team).exits(5).complains(&["3 VMs would boot with one disk, claim team/many"]);
    for (disk, name, code, word) in [
        (
            "shareable: true, disk: {bus: virtio}",
            "many",
            0,
            "all 3 VMs use claim team/many together, with shareable: true",
        ),
        ("shareable: true, disk: {bus: virtio}", "one", 5, "claim team/one cannot be used by 3 VMs at once"),
        ("cdrom: {bus: sata}", "many", 0, "all 3 VMs use claim team/many together, read only"),
        ("cdrom: {bus: sata}", "one", 5, "attached to one node only"),
    ] {
        write(&cluster, &with_disk(disk, &claimed(name)));
        setup(&cluster, &team).exits(code).complains(&[word]);
    }
    // Pods of one node share what only one node may have.
    write(&cluster, &with_disk("cdrom: {bus: sata}", &claimed("one")));
    setup(&cluster, &[&team[..], &["--single-node"]].concat()).exits(0);
    write(&cluster, &with_disk(plain, "hostDisk: {path: /data/x.img, type: Disk}"));
    setup(&cluster, &["--end", "2", "--dry-run"])
        .exits(5)
        .complains(&["would write to one file, /data/x.img"]);
    // A claim per VM, by its index.
    write(&cluster, &with_disk(plain, &claimed("own-{i}")));
    setup(&cluster, &["--vm-namespace", "team", "--end", "4", "--dry-run"])
        .exits(5)
        .complains(&["claim own-4, for volume x"]);
    setup(&cluster, &team[..4]).exits(0);
    run(&cluster, &["create"]).exits(0);
    let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "team", &format!("{VM}-2")).unwrap();
    let volumes = &vm.value()["spec"]["template"]["spec"]["volumes"];
    assert_eq!(volumes[1]["persistentVolumeClaim"]["claimName"], "own-2");
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    for name in ["one", "many", "own-2"] {
        assert!(get(&cluster, &kind::PERSISTENT_VOLUME_CLAIMS, "team", name).is_some());
    }
}

#[test]
fn a_service_that_would_take_the_vms_for_its_own_is_a_problem() {
    let cluster = Cluster::instant();
    namespace(&cluster, "team");
    let store = cluster.sandbox.store();
    for (name, selector) in [("shop", json!({"app": "web"})), ("other", json!({"app": "web", "tier": "db"}))]
    {
        let service =
            json!({"metadata": {"name": name, "namespace": "team"}, "spec": {"selector": selector}});
        store.create(&kind::SERVICES, service).unwrap();
    }
    let labelled = with_disk("disk: {bus: virtio}", "emptyDisk: {capacity: 1Gi}")
        .replace("  template:\n", "  template:\n    metadata: {labels: {app: web}}\n");
    write(&cluster, &labelled);
    let there = ["--vm-namespace", "team", "--end", "2", "--dry-run"];
    setup(&cluster, &there).exits(5).complains(&[
        "Service shop in namespace team would send its clients to the VMs of the run",
        "its selector matches labels of the manifest: app",
        "omit --vm-namespace",
    ]);
    setup(&cluster, &["--end", "2", "--dry-run"]).exits(0);
}

#[test]
fn disks_that_cdi_refuses_are_told_before_anything_is_created() {
    let cluster = Cluster::instant();
    let upload = with_disk("disk: {bus: virtio}", "dataVolume: {name: data}").replace(
        "spec:\n  template:",
        "spec:\n  dataVolumeTemplates:\n  - metadata: {name: data}\n    spec: {source: {upload: {}}, storage: {resources: \
         {requests: {storage: 1Gi}}}}\n  template:",
    );
    write(&cluster, &upload);
    setup(&cluster, &["--end", "2"])
        .exits(5)
        .complains(&["1 disk of the VMs will not be created", "DataVolume data: it waits for an upload"]);
}

#[test]
fn a_network_takes_its_device_on_a_node() {
    let cluster = Cluster::instant();
    let network = json!({
        "metadata": {"name": "fast", "namespace": "default", "annotations": {"k8s.v1.cni.cncf.io/resourceName": "intel.com/sriov"}},
        "spec": {"config": "{\"type\": \"sriov\"}"},
    });
    cluster.sandbox.store().create(&kind::NETWORK_ATTACHMENTS, network).unwrap();
    let vm = with_disk("disk: {bus: virtio}", "emptyDisk: {capacity: 1Gi}")
        .replace("        devices: {", "        devices: {interfaces: [{name: fast, sriov: {}}], ")
        .replace(
            "      volumes:",
            "      networks: [{name: fast, multus: {networkName: default/fast}}]\n      volumes:",
        );
    write(&cluster, &vm);
    setup(&cluster, &["--end", "2", "--dry-run"]).exits(5).complains(&["intel.com/sriov"]);
}

#[test]
fn exactly_one_vm_is_the_template() {
    let cluster = Cluster::instant();
    let vm = with_disk("disk: {}", "emptyDisk: {capacity: 1Gi}");
    write(&cluster, &format!("{vm}---\n{vm}"));
    setup(&cluster, &[]).exits(1).complains(&["it holds 2 VirtualMachines", "kubectl get vm NAME -o yaml"]);
    write(&cluster, "apiVersion: v1\nkind: List\nitems: []\n");
    setup(&cluster, &[]).exits(1).complains(&["exactly one VirtualMachine is required"]);
}

#[test]
fn no_two_vms_have_the_same_identity() {
    let cluster = Cluster::instant();
    let text = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web, labels: {argocd.argoproj.io/instance: shop}}
spec:
  template:
    spec:
      hostname: HOST
      domain:
        devices: {interfaces: [{name: default, masquerade: {}, macAddress: 'MAC'}]}
        firmware: {uuid: 63ef9194-4737-428a-81fd-98f1fae35896, serial: 'SERIAL'}
        resources: {requests: {memory: 256Mi}}
      networks: [{name: default, pod: {}}]
      volumes:
      - {name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:41'}}
      - {name: init, cloudInitNoCloud: {networkData: \"version: 2\\nethernets: {eth0: {addresses: ['ADDRESS']}}\\n\"}}
";
    let fill = |values: [&str; 4]| {
        let keys = ["HOST", "MAC", "SERIAL", "ADDRESS"];
        keys.iter().zip(values).fold(text.to_owned(), |text, (key, value)| text.replace(key, value))
    };
    let spec = |cluster: &Cluster, number: u32| -> Value {
        let vm = get(cluster, &kind::VIRTUAL_MACHINES, &format!("boot-storm-test-{number}"), VM).unwrap();
        assert!(vm.label("argocd.argoproj.io/instance").is_none());
        vm.value()["spec"]["template"]["spec"].clone()
    };
    write(&cluster, &fill(["web", "02:00:00:aa:bb:02", "s-1", "10.9.9.9/24"]));
    setup(&cluster, &["--end", "2"]).exits(0).complains(&[
        "dropped, since no two VMs may share it",
        "macAddress of interface default, firmware.uuid, firmware.serial, hostname",
        "warning: all VMs will share the static address in the network data of volume init",
    ]);
    run(&cluster, &["create"]).exits(0);
    let [one, two] = [1, 2].map(|number| spec(&cluster, number));
    for made in [&one, &two] {
        assert!(made.get("hostname").is_none());
        assert_eq!(made["domain"]["devices"]["interfaces"][0], json!({"name": "default", "masquerade": {}}));
    }
    assert_ne!(one["domain"]["firmware"]["uuid"], two["domain"]["firmware"]["uuid"]);
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    write(&cluster, &fill(["web-{i}", "02:00:00:aa:bb:{i}", "s-{i}", "10.9.9.{i}/24"]));
    setup(&cluster, &["--end", "300", "--dry-run"])
        .exits(2)
        .complains(&["index 300 does not fit into 1 octets"]);
    let told = setup(&cluster, &["--end", "2"]).exits(0);
    assert!(!told.stderr.contains("in common"), "{}", told.stderr);
    run(&cluster, &["create"]).exits(0);
    let two = spec(&cluster, 2);
    assert_eq!((&two["hostname"], &two["domain"]["firmware"]["serial"]), (&json!("web-2"), &json!("s-2")));
    assert_eq!(two["domain"]["devices"]["interfaces"][0]["macAddress"], "02:00:00:aa:bb:02");
    assert!(two["volumes"][1]["cloudInitNoCloud"]["networkData"].as_str().unwrap().contains("10.9.9.2/24"));
}

#[test]
fn templates_of_other_tools_are_named() {
    let cluster = Cluster::instant();
    let vm = |value: &str| {
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec:\n  template:\n    spec:\n      domain: {{memory: {{guest: {value}}}}}\n"
        )
    };
    for (text, words) in [
        (vm("{{ .Values.memory }}"), ["line 6: it is a template of Helm", "helm template"]),
        (vm("{{.mem}}"), ["line 6: it is a Go template", "render it first"]),
        (vm("\"{{ memory }}\""), ["line 6: it is a Jinja template", "render it first"]),
        (
            format!("{{% if x %}}\n{}{{% endif %}}\n", vm("1Gi")),
            ["line 1: it is a Jinja template", "render it first"],
        ),
        (vm("\"${MEMORY}\""), ["line 6: it is a template with variables", "oc process"]),
    ] {
        write(&cluster, &text);
        setup(&cluster, &[]).exits(1).complains(&words);
    }
    // Data for the guest may contain such placeholders.
    let script =
        with_disk("disk: {}", "cloudInitNoCloud: {userData: '## template: jinja {{ v1.name }} ${HOME}'}");
    write(&cluster, &script);
    setup(&cluster, &["--dry-run"]).exits(0);
}

#[test]
fn a_template_of_openshift_is_rendered() {
    let cluster = Cluster::instant();
    let template = "
apiVersion: template.openshift.io/v1
kind: Template
parameters:
- {name: NAME, required: true}
- {name: MEMORY, value: 256Mi}
- {name: PASSWORD, generate: expression, from: 'MARKER-of-a-secret-[a-z]{12}'}
objects:
- apiVersion: v1
  kind: Secret
  metadata: {name: '${NAME}-init'}
  stringData: {userdata: 'password: ${PASSWORD}'}
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata: {name: '${NAME}'}
  spec:
    template:
      spec:
        domain: {devices: {}, memory: {guest: '${MEMORY}'}}
        volumes:
        - {name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:41'}}
        - {name: init, cloudInitNoCloud: {secretRef: {name: '${NAME}-init'}}}
";
    write(&cluster, template);
    setup(&cluster, &[])
        .exits(1)
        .complains(&["the Template requires a value for NAME; pass --param NAME=VALUE"]);
    setup(&cluster, &["--param", "NAMES=x"])
        .exits(1)
        .complains(&["no such parameter; it has NAME, MEMORY, PASSWORD"]);
    let flags = ["--end", "2", "--param", "NAME=web", "--param", "MEMORY=512Mi"];
    setup(&cluster, &flags).exits(0);
    let data =
        |place: &str| get(&cluster, &kind::SECRETS, place, "web-init").unwrap().value()["data"].clone();
    let drawn = data("boot-storm-test-1");
    assert_eq!(drawn, data("boot-storm-test-2"));
    // Again: drawn values are kept; another value means another plan.
    setup(&cluster, &flags).exits(0);
    assert_eq!(drawn, data("boot-storm-test-1"));
    setup(&cluster, &["--end", "2", "--param", "NAME=web"])
        .exits(1)
        .complains(&["was set up with different settings"]);
    run(&cluster, &["create"]).exits(0);
    let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-2", VM).unwrap();
    assert_eq!(vm.value()["spec"]["template"]["spec"]["domain"]["memory"]["guest"], "512Mi");
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    write(&cluster, &with_disk("disk: {}", "emptyDisk: {capacity: 1Gi}"));
    setup(&cluster, &["--param", "A=b"])
        .exits(1)
        .complains(&["--param A: the file holds no OpenShift Template"]);
}

#[test]
fn a_claim_that_one_node_holds_keeps_vms_on_others_waiting() {
    let cluster = Cluster::instant();
    namespace(&cluster, "team");
    claim(&cluster, "team", "one", "ReadWriteOnce");
    claim(&cluster, "team", "pod", "ReadWriteOncePod");
    let vm = |name: &str, claim: &str, node: &str| {
        let volumes = json!([{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]);
        let spec = json!({"nodeSelector": {"kubernetes.io/hostname": node}, "domain": {"devices": {}, "memory": {"guest": "64Mi"}}, "volumes": volumes});
        let vm = json!({"metadata": {"name": name, "namespace": "team"}, "spec": {"runStrategy": "Always", "template": {"spec": spec}}});
        cluster.sandbox.store().create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    };
    let runs = |name: &str| {
        get(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES, "team", name)
            .is_some_and(|vmi| vmi.value()["status"]["phase"] == "Running")
    };
    let has_event = |words: &str| {
        let (events, _) = cluster.sandbox.store().list(&kind::EVENTS, Some("team"));
        events.iter().any(|event| event.value()["message"].as_str().is_some_and(|text| text.contains(words)))
    };
    for (claim, words) in [("one", "Multi-Attach error"), ("pod", "ReadWriteOncePod access mode")] {
        let [first, second] = [format!("{claim}-1"), format!("{claim}-2")];
        vm(&first, claim, "node-1");
        until(|| runs(&first));
        vm(&second, claim, "node-2");
        until(|| has_event(words));
        assert!(!runs(&second));
        let halt = |vm: &mut Value| vm["spec"]["runStrategy"] = json!("Halted");
        cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "team", &first, halt).unwrap();
        until(|| runs(&second));
    }
}

#[test]
fn a_guest_that_is_created_paused_is_running_and_does_not_boot() {
    let cluster = Cluster::instant();
    namespace(&cluster, "shop");
    let spec = json!({"runStrategy": "Always", "template": {"spec": {"startStrategy": "Paused",
        "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
        "networks": [{"name": "default", "pod": {}}]}}});
    let vm = json!({"metadata": {"name": VM, "namespace": "shop"}, "spec": spec});
    cluster.sandbox.store().create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    until(|| {
        let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "shop", VM).unwrap();
        vm.value()["status"]["printableStatus"] == "Paused"
    });
    let vmi = get(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES, "shop", VM).unwrap();
    let conditions = vmi.value()["status"]["conditions"].as_array().unwrap().clone();
    assert!(
        conditions.iter().any(|one| one["type"] == "Paused" && one["status"] == "True"),
        "{conditions:?}"
    );
    assert_eq!(vmi.value()["status"]["phase"], "Running");
    assert!(!conditions.iter().any(|one| one["type"] == "AgentConnected"), "{conditions:?}");
}

#[test]
fn an_inferred_preference_comes_from_what_the_disk_is_made_from() {
    let cluster = Cluster::instant();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/instancetype-vm.yaml");
    let text = std::fs::read_to_string(example).unwrap();
    write(&cluster, &text);
    setup(&cluster, &["--end", "1"]).exits(0);
    run(&cluster, &["create"]).exits(0);
    let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).unwrap();
    assert_eq!(vm.value()["spec"]["preference"]["name"], "fedora");
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    write(
        &cluster,
        &text.replace("kind: DataSource", "kind: DataSource # none").replace("name: fedora", "name: bare"),
    );
    let images = "openshift-virtualization-os-images";
    let mut bare = get(&cluster, &kind::DATA_SOURCES, images, "fedora").unwrap().to_value();
    bare["metadata"] = json!({"name": "bare", "namespace": images});
    cluster.sandbox.store().create(&kind::DATA_SOURCES, bare).unwrap();
    setup(&cluster, &["--end", "1"]).exits(5).complains(&[
        "the cluster does not accept the VMs",
        "instancetype.kubevirt.io/default-preference label",
    ]);
}

#[test]
fn what_a_namespace_does_not_take_is_refused_as_a_cluster_does() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})).unwrap();
    let pod = json!({"metadata": {"name": "p", "namespace": "strict"}, "spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": true}}]}});
    let refused = store.create(&kind::PODS, pod).unwrap_err().to_string();
    assert!(
        refused
            .starts_with("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": privileged"),
        "{refused}"
    );
    let range = json!({"metadata": {"name": "r", "namespace": "strict"}, "spec": {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]}});
    store.create(&kind::LIMIT_RANGES, range).unwrap();
    write(&cluster, &with_disk("disk: {}", "emptyDisk: {capacity: 1Gi}"));
    let flags = ["--end", "1", "--vm-namespace", "strict", "--skip-preflight"];
    setup(&cluster, &flags).exits(0);
    run(&cluster, &["create", "--timeout", "2s"]).exits(3);
    run(&cluster, &["report", "-o", "json"]).prints(&["maximum memory usage per Container is 64Mi"]);
}

#[test]
fn every_example_runs_to_its_end() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-vm.yaml") || name == "openshift-template.yaml")
        .collect();
    names.sort();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let cluster = Cluster::instant();
        let file = folder.join(&name).to_string_lossy().into_owned();
        let flags = ["run", "-f", &file, "--end", "2", "--probe", "none", "--fresh", "-o", "json"];
        let report = run(&cluster, &flags).exits(0).json();
        let phases = report["phases"].as_array().unwrap();
        assert_eq!(phases.len(), 3, "{name}");
        for phase in phases {
            assert_eq!(phase["counts"]["reached"], 2, "{name}: {}", phase["name"]);
        }
        run(&cluster, &["cleanup", "--yes"]).exits(0);
        let left = cluster.sandbox.store().list(&kind::NAMESPACES, None).0;
        assert!(left.iter().all(|one| !one.name().starts_with("boot-storm")), "{name}");
    }
}

#[test]
fn a_guest_that_would_never_boot_is_not_created_paused() {
    let cluster = Cluster::instant();
    write(
        &cluster,
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec:\n  template:\n    spec:\n      startStrategy: Paused\n      domain: {memory: {guest: 256Mi}, devices: {interfaces: [{name: default, masquerade: {}}]}}\n      networks: [{name: default, pod: {}}]\n",
    );
    let ran = run(&cluster, &["run", "--end", "2", "-f", "vm.yaml"]).exits(0);
    ran.complains(&["dropped: startStrategy Paused, since a guest that is paused never boots"]);
    let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).unwrap();
    assert!(vm.value()["spec"]["template"]["spec"].get("startStrategy").is_none(), "{}", vm.value());
}
