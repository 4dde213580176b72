//! `--dry-run` prints what would be sent and sends nothing.

use bootstorm_sandbox::store::kind;

use crate::support::Cluster;

#[test]
fn every_mutating_command_can_be_tried_first() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    cluster.run(&["setup", "--end", "2", "--dry-run=client"]).exits(0).prints(&[
        "POST /api/v1/namespaces boot-storm-test-2",
        "POST /api/v1/namespaces/default/pods bootstorm-boot-storm-test-prober-1",
    ]);
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-2").is_none());
    assert!(store.get(&kind::CONFIG_MAPS, "default", "bootstorm-boot-storm-test").is_none());
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster
        .run(&["create", "--dry-run=client"])
        .exits(0)
        .prints(&["POST /apis/kubevirt.io/v1/namespaces/boot-storm-test-1/virtualmachines boot-storm-vm"]);
    assert!(store.list(&kind::VIRTUAL_MACHINES, None).0.is_empty());
    cluster.run(&["create"]).exits(0);
    cluster.run(&["stop", "--dry-run=client"]).exits(0).prints(&[
        "PATCH /apis/kubevirt.io/v1/namespaces/boot-storm-test-1/virtualmachines/boot-storm-vm",
        r#""/spec/runStrategy""#,
        r#""/metadata/uid""#,
    ]);
    assert_eq!(store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0.len(), 2);
    cluster.run(&["stop"]).exits(0);
    let plan = cluster.run(&["storm", "--dry-run=client", "-o", "json"]).exits(0).json();
    assert_eq!(plan.as_array().unwrap().len(), 2);
    let patch = plan[0]["body"].as_array().unwrap();
    assert!(
        patch.iter().any(|step| step["path"] == "/spec/runStrategy" && step["value"] == "Always"),
        "{plan}"
    );
    assert!(store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0.is_empty());
}
