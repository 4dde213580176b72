//! Deletion of one object or a whole selection.

use super::payload::Body;
use crate::value::{Value, json};
use http::{Response, StatusCode};

use super::answer::{self, ListMeta};
use super::selector::Selector;
use super::status::Failure;
use super::write::Request;
use super::{body, table};
use crate::ledger::Power;
use crate::store::kind::{
    NAMESPACES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, SERVICE_ACCOUNTS, VIRTUAL_MACHINES,
};
use crate::store::{DeleteOptions, Deleted, Kind, Object, Propagation, StoreError};

/// Namespaces that a cluster never deletes.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// `DELETE` of an object.
pub(super) fn one(request: &Request<'_>) -> Result<Response<Body>, Failure> {
    let (kind, namespace) = (request.target.kind, request.target.space());
    let name = request.target.name.as_deref().unwrap_or_default();
    if kind.is(&NAMESPACES) && IMMORTAL.contains(&name) {
        return Err(Failure::forbidden(kind, name, "this namespace may not be deleted"));
    }
    let (options, dry_run) = options(request)?;
    if dry_run {
        let object =
            request.store.get(kind, namespace, name).ok_or_else(|| Failure::not_found(kind, name))?;
        return Ok(answer::json(StatusCode::OK, object.json()));
    }
    let deleted = delete(request, kind, namespace, name, &options)?;
    let columns = table::Include::parse(request.query.get("includeObject"));
    Ok(match &deleted {
        Deleted::Removed(object) if !returns_object(kind) => {
            answer::status(StatusCode::OK, request.form, &success(kind, object))
        }
        other => {
            let shown = answer::text(kind, other.object(), request.form, columns);
            answer::sent(StatusCode::OK, request.form, shown)
        }
    })
}

/// `DELETE` of a collection.
pub(super) fn many(request: &Request<'_>) -> Result<Response<Body>, Failure> {
    let kind = request.target.kind;
    if kind.is(&NAMESPACES) {
        return Err(Failure::method_not_allowed());
    }
    let selector = Selector::parse(kind, None, request.query)?;
    let (options, dry_run) = options(request)?;
    let (objects, revision) = request.store.list(kind, request.target.namespace.as_deref());
    let mut gone: Vec<Object> = Vec::new();
    for object in objects.into_iter().filter(|object| selector.fits(object)) {
        if dry_run {
            gone.push(object);
        } else if let Ok(deleted) = delete(request, kind, object.namespace(), object.name(), &options) {
            // An object that vanished in the meantime is deleted, too.
            if kind.is(&VIRTUAL_MACHINES) {
                request.ledger.ask(object.namespace(), object.name(), Power::Delete);
            }
            gone.push(deleted.object().clone());
        }
    }
    let meta = ListMeta { revision, ..ListMeta::default() };
    Ok(answer::list(kind, &gone, &meta, request.form, table::Include::default()))
}

/// Deletes an object, and records the deletion of a machine that was not being deleted yet.
fn delete(
    request: &Request<'_>,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Deleted, StoreError> {
    let machine = kind.is(&VIRTUAL_MACHINES);
    let fresh = machine && request.store.get(kind, namespace, name).is_some_and(|vm| !vm.is_deleting());
    let deleted = request.store.delete(kind, namespace, name, options)?;
    request.ledger.write(deleted.object().uid());
    if fresh {
        request.ledger.delete(namespace, name, deleted.object().uid());
    }
    Ok(deleted)
}

fn options(request: &Request<'_>) -> Result<(DeleteOptions, bool), Failure> {
    let said = if request.body.is_empty() { json!({}) } else { body::value(request.body)? };
    let query = request.query;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let policy =
        text(&said["propagationPolicy"]).or_else(|| query.get("propagationPolicy").map(str::to_owned));
    let orphan = said["orphanDependents"]
        .as_bool()
        .or_else(|| query.get("orphanDependents").map(|text| text == "true"));
    let propagation = match policy.as_deref() {
        Some("Foreground") => Propagation::Foreground,
        Some("Orphan") => Propagation::Orphan,
        None if orphan == Some(true) => Propagation::Orphan,
        None | Some("Background") => Propagation::Background,
        Some(other) => {
            let message = format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            return Err(Failure::new(422, "Invalid", message));
        }
    };
    let grace_period = match said["gracePeriodSeconds"].as_i64() {
        Some(seconds) => Some(seconds),
        None => query.number("gracePeriodSeconds")?,
    };
    let dry_run =
        query.is_dry_run()? || said["dryRun"].as_array().is_some_and(|list| list.contains(&json!("All")));
    let options = DeleteOptions {
        uid: text(&said["preconditions"]["uid"]),
        resource_version: text(&said["preconditions"]["resourceVersion"]),
        propagation,
        grace_period,
    };
    Ok((options, dry_run))
}

/// A few built-in kinds return the deleted object even if it is gone already.
fn returns_object(kind: &Kind) -> bool {
    [&PODS, &PERSISTENT_VOLUME_CLAIMS, &PERSISTENT_VOLUMES, &SERVICE_ACCOUNTS]
        .iter()
        .any(|known| known.is(kind))
}

fn success(kind: &Kind, object: &Object) -> Value {
    let mut details = json!({"name": object.name(), "kind": kind.plural, "uid": object.uid()});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
