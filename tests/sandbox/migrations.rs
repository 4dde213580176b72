//! Live migrations through the API: what virt-api adds and rejects, and where the VM is afterwards.

use bootstorm_sandbox::store::kind::{MIGRATIONS, VIRTUAL_MACHINE_INSTANCES};
use bootstorm_sandbox::value::{Value, json};

use super::cluster::{Answer, Cluster};

const PATH: &str = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations";

fn migration(name: &str, vm: &str) -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"vmiName": vm},
    })
}

fn instance(cluster: &Cluster, name: &str, conditions: &Value) {
    let object = json!({"metadata": {"namespace": "default", "name": name}, "spec": {},
        "status": {"phase": "Running", "conditions": conditions}});
    cluster.store.create(&VIRTUAL_MACHINE_INSTANCES, object).unwrap();
}

fn denied(answer: &Answer, why: &str) {
    assert_eq!(answer.code, 400, "{}", answer.message());
    let webhook = "admission webhook \"migration-create-validator.kubevirt.io\" denied the request: ";
    assert_eq!(answer.message(), format!("{webhook}{why}"));
}

#[tokio::test]
async fn a_migration_is_labelled_and_a_second_one_is_refused() {
    let cluster = Cluster::start().await;
    instance(&cluster, "a", &json!([]));
    let made = cluster.post(PATH, &migration("one", "a")).await;
    assert_eq!(made.code, 201, "{}", made.message());
    let made = cluster.store.get(&MIGRATIONS, "default", "one").unwrap();
    assert_eq!(made.label("kubevirt.io/vmi-name"), Some("a"));
    assert_eq!(made.value()["metadata"]["finalizers"], json!(["kubevirt.io/migrationJobFinalize"]));
    let why = format!(
        "in-flight migration detected. Active migration job ({}) is currently already in progress for VMI a.",
        made.uid()
    );
    denied(&cluster.post(PATH, &migration("two", "a")).await, &why);
    cluster.store.modify(&MIGRATIONS, "default", "one", |one| one["status"] = json!({"phase": "Succeeded"}));
    assert_eq!(cluster.post(PATH, &migration("two", "a")).await.code, 201);
}

#[tokio::test]
async fn what_cannot_migrate_is_refused_with_the_reason() {
    let cluster = Cluster::start().await;
    denied(&cluster.post(PATH, &migration("m", "x")).await, "the VMI \"default/x\" does not exist");
    let condition = json!([{"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable",
        "message": "PVC a is not shared"}]);
    instance(&cluster, "a", &condition);
    let why = "Cannot migrate VMI, Reason: DisksNotLiveMigratable, Message: PVC a is not shared";
    denied(&cluster.post(PATH, &migration("m", "a")).await, why);
    let nameless = cluster.post(PATH, &migration("m", "")).await;
    assert!(nameless.message().contains("vmiName is missing"), "{}", nameless.message());
}
