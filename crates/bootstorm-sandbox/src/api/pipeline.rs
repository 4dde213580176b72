//! Handling of every request, in order: identity, faults, permission, and then its work.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::payload::{self, Body};
use crate::value::json;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use thiserror::Error;

use super::call::Call;
use super::fault_injection::{self, Fate};
use super::path::{Resource, Target};
use super::query::Query;
use super::selector::Selector;
use super::shared::Api;
use super::status::Failure;
use super::{
    accept, access, account, admin, answer, body, deletion, discovery, eviction, exec, logs, openapi, paging,
    power, rbac, streams, table, watching, write,
};
use crate::faults::Attributes;
use crate::model::admission::Write as Admitted;
use crate::store::Store;

/// How long an API server waits for a version that it has not reached yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// The connection ends here, without an answer.
#[derive(Debug, Error)]
#[error("connection cut on purpose")]
pub(super) struct Cut;

/// Serves one request.
///
/// `spared` is set if the answer has to arrive although all connections are about to be cut.
pub(super) async fn serve(
    api: Arc<Api>,
    request: Request<Incoming>,
    spared: &AtomicBool,
) -> Result<Response<Body>, Cut> {
    let mut request = request;
    let upgrade = exec::Upgrade::of(&mut request);
    let (parts, incoming) = request.into_parts();
    let call = match prepare(&api, parts.method, &parts.uri, parts.headers, incoming).await {
        Ok(call) => call,
        Err(failure) => return Ok(audited(failure.response())),
    };
    if let Target::Admin(path) = &call.target {
        return Ok(audited(
            admin::serve(&api, &call, path, spared).unwrap_or_else(|failure| failure.response()),
        ));
    }
    call.with_subject(|request| api.ledger.receive(request, &call.user, call.asked(), call.body.len()));
    let fate = fault_injection::strike(&api, &call).await;
    let (lost, truncated) = match fate {
        Fate::Answered(failure) => return Ok(audited(refusal(&call, &failure))),
        Fate::Cut => return Err(Cut),
        Fate::Served { lost, truncated } => (lost, truncated),
    };
    let done = match permit(&api, &call) {
        Ok(()) => {
            admit(&api, &call).await;
            dispatch(&api, &call, upgrade).await
        }
        Err(failure) => Err(failure),
    };
    if done.is_ok() {
        call.with_subject(|request| api.ledger.carry_out(request));
    }
    if lost {
        return Err(Cut);
    }
    let response = audited(done.unwrap_or_else(|failure| refusal(&call, &failure)));
    Ok(if truncated { fault_injection::truncate(response) } else { response })
}

/// A refusal in the form in which the object would be sent.
fn refusal(call: &Call, failure: &Failure) -> Response<Body> {
    match &call.target {
        Target::Resource(target)
            if accept::form(&call.headers, target.kind) == Ok(accept::Form::Protobuf) =>
        {
            failure.response_in_protobuf()
        }
        _ => failure.response(),
    }
}

fn audited(mut response: Response<Body>) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        response.headers_mut().insert("audit-id", id);
    }
    response
}

async fn prepare(
    api: &Api,
    method: Method,
    uri: &Uri,
    headers: HeaderMap,
    incoming: Incoming,
) -> Result<Call, Failure> {
    let target = Target::parse(uri.path());
    let open = matches!(target, Target::Version | Target::Health);
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let known =
        token.and_then(|token| token.strip_prefix("Bearer ")).and_then(|token| api.tokens.user(token.trim()));
    // The tokens of a deleted account are invalid.
    let known = known.filter(|user| rbac::is_there(&api.store, user));
    if known.is_none() && !open {
        return Err(Failure::unauthorized());
    }
    let played = headers.get("impersonate-user").and_then(|value| value.to_str().ok());
    let user = played.map(str::to_owned).or(known).unwrap_or_else(|| access::USER.to_owned());
    let query = Query::parse(uri);
    let body = body::read(incoming).await?;
    Ok(Call::new(method, headers, target, query, user, body))
}

fn permit(api: &Api, call: &Call) -> Result<(), Failure> {
    let ask = |request: &Attributes<'_>| {
        if api.faults.denies(request) || !rbac::allows(&api.store, &call.user, request) {
            return Err(access::forbidden(&call.user, request));
        }
        // Running a command with GET is more than reading, so newer API servers require both permissions.
        let create = Attributes { verb: "create", ..*request };
        let denied = || api.faults.denies(&create) || !rbac::allows(&api.store, &call.user, &create);
        if request.resource == "pods/exec" && denied() {
            return Err(access::forbidden(&call.user, &create));
        }
        Ok(())
    };
    call.with_attributes(ask).unwrap_or(Ok(()))
}

/// Waits as long as the API server and virt-api take for a write, if they are modelled.
async fn admit(api: &Api, call: &Call) {
    let Some(admission) = &api.admission else { return };
    if matches!(call.method, Method::GET | Method::HEAD) {
        return;
    }
    let (write, identity) = match &call.target {
        Target::Resource(target) => {
            let machine = target.kind.plural == "virtualmachines";
            let write = match call.method {
                Method::POST if machine => Admitted::CreateMachine,
                Method::PUT | Method::PATCH if machine => Admitted::ChangeMachine,
                _ => Admitted::Plain,
            };
            (write, format!("{}/{}", target.space(), target.name.as_deref().unwrap_or_default()))
        }
        Target::KubeVirt(path) => (Admitted::ChangeMachine, path.join("/")),
        _ => return,
    };
    admission.admit(write, &identity).await;
}

async fn dispatch(api: &Api, call: &Call, upgrade: Option<exec::Upgrade>) -> Result<Response<Body>, Failure> {
    match &call.target {
        Target::Version => Ok(answer::value(StatusCode::OK, &version())),
        Target::Health => Ok(plain("ok")),
        Target::Discovery(level) => discovery::serve(level, &call.headers, &api.address, &api.store),
        Target::OpenApi(path) => openapi::serve(path, &call.headers),
        Target::Review(plural) => {
            let who = access::Asker {
                faults: &api.faults,
                store: &api.store,
                ledger: &api.ledger,
                user: &call.user,
            };
            access::review(&who, plural, &call.method, &call.body)
        }
        Target::KubeVirt(path) => {
            let latency = api.virt_api_latency;
            let call = power::Call {
                store: &api.store,
                ledger: &api.ledger,
                method: &call.method,
                headers: &call.headers,
                latency,
                body: &call.body,
            };
            power::serve(&call, path).await
        }
        Target::Resource(target) if account::is_token(target) => account::issue(api, call, target),
        Target::Resource(target) if eviction::is_eviction(target) => eviction::evict(api, call, target),
        Target::Resource(target) if exec::is_exec(target) => exec::open(api, target, &call.query, upgrade),
        Target::Resource(target) if logs::is_log(target) => logs::open(api, target, call),
        Target::Resource(target) => resource(api, call, target).await,
        Target::Admin(_) | Target::Unknown => Err(Failure::page_not_found()),
    }
}

async fn resource(api: &Api, call: &Call, target: &Resource) -> Result<Response<Body>, Failure> {
    if streams::is_stream(target) {
        return Err(streams::refuse(target));
    }
    match target.subresource.as_deref() {
        None => {}
        Some("status") if target.kind.has_status => {}
        Some(_) => return Err(Failure::page_not_found()),
    }
    let form = accept::form(&call.headers, target.kind)?;
    let columns = table::Include::parse(call.query.get("includeObject"));
    let request = write::Request {
        store: &api.store,
        ledger: &api.ledger,
        user: &call.user,
        target,
        query: &call.query,
        headers: &call.headers,
        body: &call.body,
        form,
    };
    let status = target.subresource.is_some();
    match call.verb(target) {
        "watch" => {
            let selector = Selector::parse(target.kind, target.name.as_deref(), &call.query)?;
            let subject = watching::Subject {
                kind: target.kind,
                namespace: target.namespace.clone(),
                selector,
                form,
                columns,
            };
            let (stop, cut) = (api.stop.clone(), api.faults.watch_cuts());
            let ends = watching::Ends { stop, cut, ledger: api.ledger.clone() };
            watching::open(&api.store, subject, &call.query, ends)
        }
        "get" => {
            let name = target.name.as_deref().unwrap_or_default();
            let found = api.store.get(target.kind, target.space(), name);
            let object = found.ok_or_else(|| Failure::not_found(target.kind, name))?;
            Ok(answer::sent(StatusCode::OK, form, answer::text(target.kind, &object, form, columns)))
        }
        "list" => {
            reach(&api.store, &call.query).await?;
            let selector = Selector::parse(target.kind, None, &call.query)?;
            let namespace = target.namespace.as_deref();
            let (objects, meta) = paging::read(&api.store, target.kind, namespace, &selector, &call.query)?;
            Ok(answer::list(target.kind, &objects, &meta, form, columns))
        }
        "create" if target.name.is_none() && target.kind.namespaced == target.namespace.is_some() => {
            write::create(&request)
        }
        "update" if target.name.is_some() => write::update(&request),
        "patch" if target.name.is_some() => write::patch(&request),
        "delete" if !status => deletion::one(&request),
        "deletecollection" if target.kind.namespaced == target.namespace.is_some() => {
            deletion::many(&request)
        }
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Waits for the version that a list requests, as long as an API server would.
async fn reach(store: &Store, query: &Query) -> Result<(), Failure> {
    let Some(asked) = query.number::<u64>("resourceVersion")? else { return Ok(()) };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while store.revision() < asked {
        if tokio::time::Instant::now() >= deadline {
            return Err(paging::too_large(asked, store.revision()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn version() -> crate::value::Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "gitVersion": "v1.36.0+bootstorm-sandbox",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-04-22T00:00:00Z",
        "goVersion": "go1.26.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn plain(text: &'static str) -> Response<Body> {
    let mut response = Response::new(payload::full(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
