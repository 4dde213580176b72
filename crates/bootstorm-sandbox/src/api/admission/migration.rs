//! virt-api's handling of a new migration: it labels it, and rejects impossible ones.
//!
//! After `pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go` and the mutator of
//! `KubeVirt` 1.4.

use crate::value::{Value, json};

use super::super::status::{Cause, Failure};
use crate::controllers::conditions;
use crate::controllers::conditions::is_final;
use crate::controllers::names;
use crate::store::Store;
use crate::store::kind::{MIGRATIONS, VIRTUAL_MACHINE_INSTANCES};

const WEBHOOK: &str = "migration-create-validator.kubevirt.io";

/// Completes a new migration, or rejects it.
pub(in crate::api) fn admit(store: &Store, migration: &mut Value) -> Result<(), Failure> {
    let namespace = migration["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let name = migration["spec"]["vmiName"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(Failure::denied(WEBHOOK, &[Cause::invalid("spec.vmiName", "vmiName is missing")]));
    }
    let denied = |why: &str| {
        let message = format!("admission webhook \"{WEBHOOK}\" denied the request: {why}");
        Err(Failure::new(400, "BadRequest", message))
    };
    let Some(vmi) = store.get(&VIRTUAL_MACHINE_INSTANCES, &namespace, &name) else {
        return denied(&format!("the VMI \"{namespace}/{name}\" does not exist"));
    };
    if is_final(vmi.value()) {
        return denied("Cannot migrate VMI in finalized state.");
    }
    if let Some(no) = conditions::find(vmi.value(), "LiveMigratable").filter(|it| it["status"] == "False") {
        let text = |field: &str| no[field].as_str().unwrap_or_default();
        return denied(&format!(
            "Cannot migrate VMI, Reason: {}, Message: {}",
            text("reason"),
            text("message")
        ));
    }
    let (others, _) = store.list(&MIGRATIONS, Some(&namespace));
    let in_flight =
        others.iter().find(|other| other.value()["spec"]["vmiName"] == *name && !is_final(other.value()));
    if let Some(other) = in_flight {
        return denied(&format!(
            "in-flight migration detected. Active migration job ({}) is currently already in progress for VMI {name}.",
            other.uid()
        ));
    }
    if !migration["metadata"]["labels"].is_object() {
        migration["metadata"]["labels"] = json!({});
    }
    migration["metadata"]["labels"][names::MIGRATED] = json!(name);
    names::add_finalizer(migration, names::MIGRATION_FINALIZER);
    Ok(())
}
