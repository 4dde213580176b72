//! What stands beside the VMs: Secrets, ConfigMaps, networks and the namespaces' own labels.

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use super::manifests::{SECRET, VM, get, namespace, run, setup, write};
use crate::support::{Cluster, until};

/// A VM that refers to an object of every kind in its own namespace.
const NEEDY: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      accessCredentials:
      - sshPublicKey: {source: {secret: {secretName: keys}}, propagationMethod: {noCloud: {}}}
      domain:
        devices:
          disks: [{name: d, disk: {bus: virtio}}, {name: init, disk: {bus: virtio}}]
          interfaces: [{name: lan, bridge: {}}]
        resources: {requests: {memory: 256Mi}}
      networks: [{name: lan, multus: {networkName: own-lan}}]
      volumes:
      - {name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:41'}}
      - {name: init, cloudInitNoCloud: {secretRef: {name: init}, networkDataSecretRef: {name: net}}}
      - {name: answers, sysprep: {configMap: {name: answers}}}
";

fn secret(cluster: &Cluster, namespace: &str, name: &str) {
    let secret = json!({"metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "stringData": {}, "data": {"userdata": "TUFSS0VSLW9mLWEtc2VjcmV0"}});
    cluster.sandbox.store().create(&kind::SECRETS, secret).unwrap();
}

/// The objects that [`NEEDY`] needs, in namespace `shop`.
fn shop(cluster: &Cluster) {
    namespace(cluster, "shop");
    for name in ["keys", "init", "net"] {
        secret(cluster, "shop", name);
    }
    let store = cluster.sandbox.store();
    let place = |name: &str| json!({"name": name, "namespace": "shop", "annotations": {"argocd.argoproj.io/tracking-id": "shop"}});
    store
        .create(&kind::CONFIG_MAPS, json!({"metadata": place("answers"), "data": {"unattend.xml": "x"}}))
        .unwrap();
    let network = json!({"metadata": place("own-lan"), "spec": {"config": "{}"}});
    store.create(&kind::NETWORK_ATTACHMENTS, network).unwrap();
}

#[test]
fn what_the_namespaces_will_not_have_is_told_at_once() {
    let cluster = Cluster::instant();
    let more = NEEDY
        .replace(
            "    spec:\n      accessCredentials",
            "    spec:\n      serviceAccountName: robot\n      accessCredentials",
        )
        .replace(
            "spec:\n  template",
            "spec:\n  preference: {name: mine, kind: VirtualMachinePreference}\n  template",
        )
        .replace(
            "      - {name: answers",
            "      - {name: data, persistentVolumeClaim: {claimName: disk}}\n      - {name: answers",
        );
    write(&cluster, &more);
    setup(&cluster, &["--end", "2"]).exits(5).complains(&[
        "the manifest names 8 objects that the namespaces of the run will not have",
        "claim disk, for volume data",
        "service account robot, for serviceAccountName",
        "Secret init, for volume init",
        "Secret keys, for accessCredentials",
        "Secret net, for volume init",
        "ConfigMap answers, for volume answers",
        "network own-lan, for network lan",
        "preference mine, for preference",
        "--copy-from shop",
        "dataVolumeTemplate",
        "--vm-namespace shop",
    ]);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
    shop(&cluster);
    write(&cluster, NEEDY);
    setup(&cluster, &["--end", "2", "--vm-namespace", "shop", "--dry-run"]).exits(0);
    let keys = get(&cluster, &kind::SECRETS, "shop", "keys").unwrap();
    assert!(cluster.sandbox.store().remove(&kind::SECRETS, "shop", "keys", keys.uid()));
    setup(&cluster, &["--end", "2", "--vm-namespace", "shop", "--dry-run"]).exits(5).complains(&[
        "names 1 object that namespace shop does not have",
        "Secret keys, for accessCredentials",
    ]);
    setup(&cluster, &["--end", "2", "--copy-from", "shop"])
        .exits(5)
        .complains(&["namespace shop does not have all objects to copy", "Secret keys"]);
}

#[test]
fn small_objects_are_copied_into_each_namespace_and_go_with_it() {
    let cluster = Cluster::instant();
    shop(&cluster);
    write(&cluster, NEEDY);
    let flags = ["--end", "2", "--copy-from", "shop"];
    let shown = setup(&cluster, &[&flags[..], &["--dry-run"]].concat()).exits(0);
    shown.prints(&["POST /api/v1/namespaces/boot-storm-test-2/secrets init"]);
    setup(&cluster, &flags).exits(0).complains(&["5 small objects to copy from shop"]);
    let copy = get(&cluster, &kind::SECRETS, "boot-storm-test-2", "init").unwrap();
    let original = get(&cluster, &kind::SECRETS, "shop", "init").unwrap();
    assert_eq!(copy.value()["data"], original.value()["data"]);
    assert_eq!(copy.label("bootstorm.dev/run"), Some("boot-storm-test"));
    let map = get(&cluster, &kind::CONFIG_MAPS, "boot-storm-test-1", "answers").unwrap();
    assert!(
        map.value()["metadata"].get("annotations").is_none_or(|map| map == &json!({})),
        "{:?}",
        map.value()
    );
    assert!(get(&cluster, &kind::NETWORK_ATTACHMENTS, "boot-storm-test-1", "own-lan").is_some());
    // Again: it continues and creates nothing twice.
    setup(&cluster, &flags).exits(0);
    setup(&cluster, &["--end", "2"]).exits(1).complains(&["--copy-from was shop, now it is none"]);
    run(&cluster, &["create"]).exits(0);
    run(&cluster, &["report", "-o", "json"]).exits(0);
    // One is replaced by a third party: then the run may not delete its namespace.
    let store = cluster.sandbox.store();
    assert!(store.remove(&kind::SECRETS, "boot-storm-test-2", "init", copy.uid()));
    let mut replaced = original.to_value();
    replaced["metadata"] = json!({"name": "init", "namespace": "boot-storm-test-2", "labels": copy.value()["metadata"]["labels"]});
    store.create(&kind::SECRETS, replaced).unwrap();
    run(&cluster, &["cleanup", "--yes"]).exits(3);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
    assert!(get(&cluster, &kind::SECRETS, "boot-storm-test-2", "init").is_some());
    assert!(get(&cluster, &kind::SECRETS, "boot-storm-test-2", "net").is_none());
    run(&cluster, &["cleanup", "--yes", "--delete-foreign"]).exits(0);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-2").is_none());
    for name in ["keys", "init", "net"] {
        assert!(get(&cluster, &kind::SECRETS, "shop", name).is_some());
    }
}

#[test]
fn an_interrupted_setup_goes_on_with_what_it_made() {
    let cluster = Cluster::instant();
    shop(&cluster);
    write(&cluster, NEEDY);
    let flags = ["--end", "3", "--copy-from", "shop"];
    // The response to one request is lost, another request is rejected.
    let matching = |resource: &str, namespace: &str| Match {
        namespace: namespace.into(),
        ..Match::on("create", resource)
    };
    let faults = cluster.sandbox.faults();
    let lost = matching("secrets", "boot-storm-test-1");
    faults.add(Rule { matching: lost, effect: Effect::CutAfter, remaining: Some(1) });
    let refused = matching("configmaps", "boot-storm-test-2");
    faults.add(Rule {
        matching: refused,
        effect: Effect::Answer { code: 403, retry_after: None },
        remaining: Some(1),
    });
    setup(&cluster, &flags).exits(1);
    let made = get(&cluster, &kind::SECRETS, "boot-storm-test-1", "init").map(|made| made.uid().to_owned());
    setup(&cluster, &flags).exits(0);
    let now = get(&cluster, &kind::SECRETS, "boot-storm-test-1", "init").unwrap();
    assert!(made.is_none_or(|made| made == now.uid()));
    run(&cluster, &["create"]).exits(0);
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

/// A VM with its Secret and network next to it.
const BUNDLE: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: init, namespace: shop}
  stringData: {userdata: 'password: MARKER-of-a-secret'}
- apiVersion: kubevirt.io/v1
  kind: VirtualMachine
  metadata: {name: web, namespace: shop}
  spec:
    template:
      spec:
        domain:
          devices: {interfaces: [{name: lan, bridge: {}}]}
          resources: {requests: {memory: 256Mi}}
        networks: [{name: lan, multus: {networkName: shop/own-lan}}]
        volumes:
        - {name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:41'}}
        - {name: init, cloudInitNoCloud: {secretRef: {name: init}}}
- {apiVersion: v1, kind: Service, metadata: {name: web}}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: own-lan, namespace: shop}
spec: {config: '{}'}
";

#[test]
fn what_stands_beside_the_vm_is_made_in_each_namespace() {
    let cluster = Cluster::instant();
    write(&cluster, BUNDLE);
    setup(&cluster, &["--end", "2", "--dry-run", "-o", "yaml"]).exits(0);
    let logged =
        ["--end", "2", "--log-level", "trace,hyper=trace,kube=trace,tower=trace", "--log-file", "log"];
    setup(&cluster, &logged).exits(0).complains(&["manifest: left out", "Service web"]);
    let log = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    assert!(log.len() > 1_000 && !log.contains(SECRET) && !log.contains("TUFSS0VSLW9mLWEtc2VjcmV0"), "{log}");
    for place in ["boot-storm-test-1", "boot-storm-test-2"] {
        assert!(get(&cluster, &kind::SECRETS, place, "init").is_some());
        assert!(get(&cluster, &kind::NETWORK_ATTACHMENTS, place, "own-lan").is_some());
    }
    run(&cluster, &["create"]).exits(0);
    let vm = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).unwrap();
    assert_eq!(vm.value()["spec"]["template"]["spec"]["networks"][0]["multus"]["networkName"], "own-lan");
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    // In a user's namespace, which stays.
    namespace(&cluster, "team");
    secret(&cluster, "team", "other");
    let team = ["--end", "2", "--vm-namespace", "team"];
    setup(&cluster, &team).exits(0);
    run(&cluster, &["create"]).exits(0);
    assert!(get(&cluster, &kind::SECRETS, "team", "init").is_some());
    run(&cluster, &["cleanup", "--dry-run"]).exits(0).prints(&["secret/init"]);
    run(&cluster, &["cleanup", "--yes", "--keep-record"]).exits(0);
    assert!(get(&cluster, &kind::SECRETS, "team", "init").is_none());
    assert!(get(&cluster, &kind::NETWORK_ATTACHMENTS, "team", "own-lan").is_none());
    assert!(get(&cluster, &kind::SECRETS, "team", "other").is_some());
    run(&cluster, &["cleanup", "--yes"]).exits(0);
    // A foreign object of that name is left alone.
    secret(&cluster, "team", "init");
    let theirs = get(&cluster, &kind::SECRETS, "team", "init").unwrap();
    setup(&cluster, &team).exits(5).complains(&[
        "namespace team has 1 object of the manifest already",
        "Secret init",
        "omit them from the file",
    ]);
    assert_eq!(get(&cluster, &kind::SECRETS, "team", "init").unwrap().uid(), theirs.uid());
    // Without permission to create them, nothing is created at all.
    cluster.sandbox.faults().deny("create", "secrets", Some("team"));
    setup(&cluster, &team).exits(5).complains(&["you cannot create secrets in namespace team"]);
}

#[test]
fn without_a_record_what_stands_beside_the_vms_goes_by_its_label() {
    let cluster = Cluster::instant();
    write(&cluster, BUNDLE);
    setup(&cluster, &["--end", "2"]).exits(0);
    secret(&cluster, "boot-storm-test-2", "theirs");
    let store = cluster.sandbox.store();
    let spoil = |map: &mut Value| map["data"] = json!({});
    store.modify(&kind::CONFIG_MAPS, "default", "bootstorm-boot-storm-test", spoil).unwrap();
    run(&cluster, &["cleanup", "--yes"]).exits(3).complains(&["relying on its label"]);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
    assert!(get(&cluster, &kind::SECRETS, "boot-storm-test-2", "theirs").is_some());
    assert!(get(&cluster, &kind::SECRETS, "boot-storm-test-2", "init").is_none());
}

#[test]
fn namespaces_carry_the_labels_and_annotations_that_policies_ask_for() {
    let cluster = Cluster::instant();
    let flags = [
        "setup",
        "--end",
        "1",
        "--probe",
        "none",
        "--namespace-label",
        "team=blue",
        "--namespace-label",
        "pod-security.kubernetes.io/enforce=privileged",
        "--namespace-annotation",
        "example.org/owner=a = b",
    ];
    let plan = cluster.run(&[&flags[..], &["--dry-run", "-o", "yaml"]].concat()).exits(0);
    std::fs::write(cluster.home.path().join("plan.yaml"), &plan.stdout).unwrap();
    cluster.plain_program().run(&["setup", "-f", "plan.yaml"]).exits(0);
    let made = get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").unwrap();
    assert_eq!(made.label("team"), Some("blue"));
    assert_eq!(made.label("pod-security.kubernetes.io/enforce"), Some("privileged"));
    assert_eq!(made.label("bootstorm.dev/run"), Some("boot-storm-test"));
    assert_eq!(made.value()["metadata"]["annotations"]["example.org/owner"], "a = b");
    cluster
        .run(&flags[..7])
        .exits(1)
        .complains(&["--namespace-annotation was example.org/owner=a = b, now it is none"]);
    for odd in ["bootstorm.dev/run=x", "app.kubernetes.io/name=x", "team", "a b=c"] {
        cluster.run(&["setup", "--namespace-label", odd]).exits(2);
    }
    cluster.run(&["setup", "--vm-namespace", "default", "--namespace-label", "a=b"]).exits(2);
}

#[test]
fn a_vm_whose_secret_is_missing_waits_and_says_so() {
    let cluster = Cluster::instant();
    shop(&cluster);
    write(&cluster, NEEDY);
    setup(&cluster, &["--end", "1", "--vm-namespace", "shop"]).exits(0);
    let init = get(&cluster, &kind::SECRETS, "shop", "init").unwrap();
    assert!(cluster.sandbox.store().remove(&kind::SECRETS, "shop", "init", init.uid()));
    run(&cluster, &["create", "--timeout", "3s"]).exits(3);
    run(&cluster, &["report"])
        .prints(&["MountVolume.SetUp failed for volume \"init-udata\" : secret \"init\" not found"]);
    secret(&cluster, "shop", "init");
    until(|| {
        let vmi = get(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES, "shop", &format!("{VM}-1"));
        vmi.is_some_and(|vmi| vmi.value()["status"]["phase"] == "Running")
    });
}
