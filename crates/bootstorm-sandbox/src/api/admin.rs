//! The sandbox's own paths below `/bootstorm`: the faults in force, and the record of requests.

use std::sync::atomic::{AtomicBool, Ordering};

use super::payload::Body;
use crate::value::{Value, json};
use http::{Method, Response, StatusCode};

use super::answer;
use super::call::Call;
use super::shared::Api;
use super::status::Failure;
use crate::faults::{self, Action, RuleId};

/// Serves a path below `/bootstorm`.
pub(super) fn serve(
    api: &Api,
    call: &Call,
    path: &[String],
    spared: &AtomicBool,
) -> Result<Response<Body>, Failure> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let value = match (&call.method, path.as_slice()) {
        (&Method::GET, ["ledger"]) => api.ledger.json(),
        (&Method::DELETE, ["ledger"]) => {
            api.ledger.clear();
            success()
        }
        (&Method::GET, ["faults"]) => api.faults.list(),
        (&Method::POST, ["faults"]) => return add(api, call),
        (&Method::DELETE, ["faults"]) => {
            api.faults.clear();
            success()
        }
        (&Method::DELETE, ["faults", id]) => {
            let known = id.parse().is_ok_and(|id| api.faults.remove(RuleId(id)));
            if !known {
                return Err(Failure::new(
                    404,
                    "NotFound",
                    format!("fault {id} does not exist, or no longer does"),
                ));
            }
            success()
        }
        (&Method::POST, ["faults", "now", word]) => {
            // The caller's own connection ends after the answer, not before.
            spared.store(true, Ordering::Release);
            now(api, call, word)?
        }
        (_, ["ledger"] | ["faults", ..]) => return Err(Failure::method_not_allowed()),
        _ => return Err(Failure::page_not_found()),
    };
    Ok(answer::value(StatusCode::OK, &value))
}

fn add(api: &Api, call: &Call) -> Result<Response<Body>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::bad_request(error.to_string());
    let text = std::str::from_utf8(&call.body).map_err(|error| wrong(&error))?;
    let faults = faults::read_text(text).map_err(|error| wrong(&error))?;
    let ids: Vec<u64> = faults.into_iter().map(|fault| api.faults.add(fault).0).collect();
    let mut value = json!({"ids": ids});
    if let [id] = ids.as_slice() {
        value["id"] = json!(id);
    }
    Ok(answer::value(StatusCode::CREATED, &value))
}

/// Performs an action at once; `?for=5s` sets its duration, if it has one. A power cut applies to each `node` named,
/// and they come back `apart`.
fn now(api: &Api, call: &Call, word: &str) -> Result<Value, Failure> {
    let time = call.query.get("for").map(faults::time).transpose();
    let mut action = time.and_then(|time| faults::action_named(word, time)).map_err(Failure::bad_request)?;
    if let Action::PowerCut(cut) = &mut action {
        if let Some(apart) = call.query.get("apart") {
            cut.apart = faults::time(apart).map_err(Failure::bad_request)?;
        }
        cut.nodes = call.query.all("node");
    }
    api.hand.perform(&action);
    Ok(success())
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}
