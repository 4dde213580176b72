//! Tokens of service accounts, as `kubectl create token` asks for them.

use super::payload::Body;
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::call::Call;
use super::path::Resource;
use super::shared::Api;
use super::status::Failure;
use super::{answer, body, rbac};
use crate::store::kind::SERVICE_ACCOUNTS;
use crate::store::seconds;
use bootstorm_model::observe::clock::wall_now;

/// How long a token is said to be good, in seconds; it is good as long as the sandbox runs.
const GOOD_FOR: i64 = 3_600;

/// Whether a request is about such a token.
pub(super) fn is_token(target: &Resource) -> bool {
    target.kind.is(&SERVICE_ACCOUNTS) && target.subresource.as_deref() == Some("token")
}

/// Issues one.
pub(super) fn issue(api: &Api, call: &Call, target: &Resource) -> Result<Response<Body>, Failure> {
    if call.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let name = target.name.as_deref().unwrap_or_default();
    if api.store.get(target.kind, target.space(), name).is_none() {
        return Err(Failure::not_found(target.kind, name));
    }
    // kubectl asks in protocol buffers. Nothing in the request but the time matters, and that has a default.
    let mut request = body::object(&call.body).unwrap_or_else(|_| json!({"spec": {}}));
    let good_for = request["spec"]["expirationSeconds"].as_i64().unwrap_or(GOOD_FOR);
    let end = wall_now() + jiff::SignedDuration::from_secs(good_for);
    request["apiVersion"] = json!("authentication.k8s.io/v1");
    request["kind"] = json!("TokenRequest");
    request["status"] = json!({
        "token": api.tokens.issue(rbac::user_of(target.space(), name)),
        "expirationTimestamp": seconds(end),
    });
    Ok(answer::value(StatusCode::CREATED, &request))
}
