//! Tokens of service accounts, as requested by `kubectl create token`.

use super::payload::Body;
use crate::value::json;
use http::{Method, Response, StatusCode};

use super::call::Call;
use super::path::Resource;
use super::shared::Api;
use super::status::Failure;
use super::{answer, body, rbac};
use crate::store::kind::SERVICE_ACCOUNTS;
use crate::store::seconds;
use bootstorm_model::observe::clock::wall_now;

/// Stated lifetime of a token in seconds; it is actually valid as long as the sandbox runs.
const GOOD_FOR: i64 = 3_600;
/// The longest lifetime that the API server accepts, in seconds.
const LONGEST: i64 = 1 << 32;

/// Whether a request is for such a token.
pub(super) fn is_token(target: &Resource) -> bool {
    target.kind.is(&SERVICE_ACCOUNTS) && target.subresource.as_deref() == Some("token")
}

/// Issues a token.
pub(super) fn issue(api: &Api, call: &Call, target: &Resource) -> Result<Response<Body>, Failure> {
    if call.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let name = target.name.as_deref().unwrap_or_default();
    if api.store.get(target.kind, target.space(), name).is_none() {
        return Err(Failure::not_found(target.kind, name));
    }
    // kubectl sends protocol buffers. Only the lifetime matters in the request, and it has a default.
    let mut request = body::object(&call.body).unwrap_or_else(|_| json!({"spec": {}}));
    let good_for = request["spec"]["expirationSeconds"].as_i64().unwrap_or(GOOD_FOR).clamp(0, LONGEST);
    let end = wall_now() + jiff::SignedDuration::from_secs(good_for);
    request["apiVersion"] = json!("authentication.k8s.io/v1");
    request["kind"] = json!("TokenRequest");
    request["status"] = json!({
        "token": api.tokens.issue(rbac::user_of(target.space(), name)),
        "expirationTimestamp": seconds(end),
    });
    Ok(answer::value(StatusCode::CREATED, &request))
}
