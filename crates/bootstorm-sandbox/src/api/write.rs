//! Creating, replacing and patching objects.

use super::payload::Body;
use crate::value::{Value, json};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::accept::Form;
use super::admission::{self, Strictness, Write};
use super::path::Resource;
use super::query::Query;
use super::rbac::Grants;
use super::status::{Cause, Failure};
use super::{answer, body, patch, table};
use crate::ledger::{Ledger, Power};
use crate::store::kind::{LEASES, MIGRATIONS, VIRTUAL_MACHINES};
use crate::store::{Kind, Object, Store, UpdateError};

/// Context of a write
pub(super) struct Request<'a> {
    pub(super) store: &'a Store,
    pub(super) ledger: &'a Ledger,
    pub(super) user: &'a str,
    pub(super) target: &'a Resource,
    pub(super) query: &'a Query,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) form: Form,
}

impl Request<'_> {
    fn kind(&self) -> &'static Kind {
        self.target.kind
    }

    fn name(&self) -> &str {
        self.target.name.as_deref().unwrap_or_default()
    }

    fn write(&self) -> Write {
        if self.target.subresource.as_deref() == Some("status") { Write::Status } else { Write::Update }
    }

    fn strictness(&self) -> Result<Strictness, Failure> {
        Strictness::parse(self.query.get("fieldValidation"))
    }

    /// Name under which this write owns fields, if any.
    fn manager(&self, before: Option<&Value>) -> Option<String> {
        if let Some(name) = self.query.get("fieldManager") {
            return Some(name.to_owned());
        }
        // Anonymous writers matter only if fields are already managed.
        before?["metadata"].get("managedFields")?;
        let agent = self.headers.get(header::USER_AGENT)?.to_str().ok()?;
        Some(agent.split('/').next().unwrap_or("unknown").to_owned())
    }

    fn respond(&self, code: StatusCode, object: &Value, warnings: &[String]) -> Response<Body> {
        let columns = table::Include::parse(self.query.get("includeObject"));
        let shown = answer::rendered(self.kind(), object, self.form, columns);
        warned(answer::sent(code, self.form, shown), warnings)
    }

    fn respond_stored(&self, code: StatusCode, object: &Object, warnings: &[String]) -> Response<Body> {
        let columns = table::Include::parse(self.query.get("includeObject"));
        let shown = answer::text(self.kind(), object, self.form, columns);
        warned(answer::sent(code, self.form, shown), warnings)
    }
}

/// Adds warnings that `kubectl` prints.
fn warned(mut response: Response<Body>, warnings: &[String]) -> Response<Body> {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// `POST` to a collection.
pub(super) fn create(request: &Request<'_>) -> Result<Response<Body>, Failure> {
    let object = body::object(request.body)?;
    store_new(request, object, None)
}

fn store_new(
    request: &Request<'_>,
    mut object: Value,
    applied_by: Option<&str>,
) -> Result<Response<Body>, Failure> {
    let kind = request.kind();
    check_type(kind, &object)?;
    place(request.target, &mut object)?;
    if kind.has_status
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
    if object["metadata"]["resourceVersion"]
        .as_str()
        .is_some_and(|version| !version.is_empty() && version != "0")
    {
        return Err(Failure::bad_request("resourceVersion should not be set on objects to be created"));
    }
    let warnings = admission::admit(kind, None, &mut object, Write::Create, request.strictness()?)?;
    if let Some(grants) = Grants::of(request.store, request.user, kind) {
        grants.check(kind, None, &object)?;
    }
    if kind.is(&VIRTUAL_MACHINES) {
        admission::infer::infer(request.store, &mut object)?;
    }
    if kind.is(&MIGRATIONS) {
        admission::migration::admit(request.store, &mut object)?;
    }
    body::check_size(&object)?;
    if applied_by.is_none() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        if let Some(manager) = request.manager(None) {
            patch::own(&json!({}), &mut object, &manager, None);
        }
    }
    if request.query.is_dry_run()? {
        let object = request.store.rehearse(kind, object)?;
        return Ok(request.respond(StatusCode::CREATED, &object, &warnings));
    }
    let stored = request.store.create(kind, object)?;
    if kind.is(&VIRTUAL_MACHINES) {
        request.ledger.change(stored.namespace(), stored.name(), Power::Create);
    }
    Ok(request.respond_stored(StatusCode::CREATED, &stored, &warnings))
}

/// `PUT` to an object.
pub(super) fn update(request: &Request<'_>) -> Result<Response<Body>, Failure> {
    let kind = request.kind();
    let mut object = body::object(request.body)?;
    check_type(kind, &object)?;
    place(request.target, &mut object)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name != request.name() {
        let message = format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name()
        );
        return Err(Failure::bad_request(message));
    }
    let unversioned = object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty);
    if unversioned && (!kind.builtin || kind.is(&LEASES)) {
        let message = "Invalid value: 0: must be specified for an update";
        let cause = Cause::invalid("metadata.resourceVersion", message);
        return Err(Failure::invalid(kind, request.name(), &[cause]));
    }
    change(request, |after| {
        // A whole object names every field; it requests a change of power only where it differs.
        if kind.is(&VIRTUAL_MACHINES)
            && let Some(power) = Power::between(after, &object)
        {
            request.ledger.ask(request.target.space(), request.name(), power);
        }
        *after = object;
        Ok(())
    })
}

/// `PATCH` of an object.
pub(super) fn patch(request: &Request<'_>) -> Result<Response<Body>, Failure> {
    let dialect = patch::Dialect::of(request.kind(), request.headers)?;
    let wanted = body::value(request.body)?;
    if dialect == patch::Dialect::Apply {
        return apply(request, &wanted);
    }
    change(request, |after| patch::change(dialect, after, &wanted))
}

fn apply(request: &Request<'_>, intent: &Value) -> Result<Response<Body>, Failure> {
    let kind = request.kind();
    let Some(manager) = request.query.get("fieldManager") else {
        let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        return Err(Failure::new(422, "Invalid", message));
    };
    if !intent.is_object() || !intent["metadata"].is_object() {
        return Err(Failure::bad_request("the object provided is unrecognized (must be of type Object)"));
    }
    let mut intent = intent.clone();
    check_type(kind, &intent)?;
    if intent["metadata"].get("name").is_none() {
        intent["metadata"]["name"] = json!(request.name());
    }
    let force = request.query.is_on("force");
    let subresource = request.target.subresource.as_deref();
    let found = request.store.get(kind, request.target.space(), request.name());
    if found.is_none() && subresource.is_none() {
        let mut object = json!({});
        patch::apply(kind, &mut object, &intent, manager, force, subresource)?;
        return store_new(request, object, Some(manager));
    }
    change(request, |after| patch::apply(kind, after, &intent, manager, force, subresource))
}

/// Reads, changes, admits and writes.
fn change(
    request: &Request<'_>,
    edit: impl FnOnce(&mut Value) -> Result<(), Failure>,
) -> Result<Response<Body>, Failure> {
    let kind = request.kind();
    let strictness = request.strictness()?;
    let applying = request.query.get("fieldManager").is_some()
        && patch::Dialect::of(kind, request.headers).is_ok_and(|dialect| dialect == patch::Dialect::Apply);
    let mut warnings = Vec::new();
    let mut power = None;
    // Read beforehand: the object is changed under the lock of the store.
    let grants = Grants::of(request.store, request.user, kind);
    let admitted = |after: &mut Value| -> Result<(), Failure> {
        let before = after.clone();
        edit(after)?;
        check_unmoved(kind, &before, after)?;
        keep_the_other_half(kind, request.write(), &before, after);
        warnings = admission::admit(kind, Some(&before), after, request.write(), strictness)?;
        body::check_size(after)?;
        if let Some(grants) = &grants {
            grants.check(kind, Some(&before), after)?;
        }
        if !applying {
            match before["metadata"].get("managedFields") {
                Some(managers) => after["metadata"]["managedFields"] = managers.clone(),
                None => {
                    after["metadata"].as_object_mut().map(|metadata| metadata.remove("managedFields"));
                }
            }
            if let Some(manager) = request.manager(Some(&before))
                && before != *after
            {
                patch::own(&before, after, &manager, request.target.subresource.as_deref());
            }
        }
        if kind.is(&VIRTUAL_MACHINES) {
            power = Power::between(&before, after);
        }
        Ok(())
    };
    let missing = || Failure::not_found(kind, request.name());
    let space = request.target.space();
    if request.query.is_dry_run()? {
        let found = request.store.get(kind, space, request.name()).ok_or_else(missing)?;
        let mut object = found.value().clone();
        admitted(&mut object)?;
        return Ok(request.respond(StatusCode::OK, &object, &warnings));
    }
    match request.store.update(kind, space, request.name(), admitted) {
        Ok(stored) => {
            request.ledger.write(stored.uid());
            if let Some(power) = power {
                request.ledger.change(space, request.name(), power);
            }
            Ok(request.respond_stored(StatusCode::OK, &stored, &warnings))
        }
        Err(UpdateError::NotFound) => Err(missing()),
        Err(UpdateError::Refused(failure)) => Err(failure),
    }
}

/// Fails unless the caller refers to this object in this version.
fn check_unmoved(kind: &Kind, before: &Value, after: &Value) -> Result<(), Failure> {
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    let text =
        |object: &Value, field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let (uid, wanted) = (text(before, "uid"), text(after, "uid"));
    if !wanted.is_empty() && wanted != uid {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}");
        return Err(Failure::conflict(kind, name, &why));
    }
    let version = text(after, "resourceVersion");
    if !version.is_empty() && version != text(before, "resourceVersion") {
        return Err(Failure::stale(kind, name));
    }
    Ok(())
}

/// A write to the object preserves its status, a write to the status everything else.
fn keep_the_other_half(kind: &Kind, write: Write, before: &Value, after: &mut Value) {
    match write {
        Write::Status => {
            let status = after.get("status").cloned();
            let managers = after["metadata"].get("managedFields").cloned();
            *after = before.clone();
            put(after, "status", status);
            put(&mut after["metadata"], "managedFields", managers);
        }
        Write::Update if kind.has_status => put(after, "status", before.get("status").cloned()),
        Write::Update | Write::Create => {}
    }
}

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(fields) = object.as_object_mut() else { return };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

fn check_type(kind: &Kind, object: &Value) -> Result<(), Failure> {
    let said = |field: &str| object[field].as_str().filter(|text| !text.is_empty());
    if let Some(version) = said("apiVersion")
        && version != kind.api_version()
    {
        let message = format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            kind.api_version()
        );
        return Err(Failure::bad_request(message));
    }
    match said("kind") {
        Some(name) if name != kind.kind => {
            let message =
                format!("the kind in the data ({name}) does not match the expected kind ({})", kind.kind);
            Err(Failure::bad_request(message))
        }
        _ => Ok(()),
    }
}

/// Sets namespace and name from the path.
fn place(target: &Resource, object: &mut Value) -> Result<(), Failure> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    let Some(namespace) = &target.namespace else { return Ok(()) };
    let said = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if !said.is_empty() && said != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    object["metadata"]["namespace"] = json!(namespace);
    Ok(())
}
