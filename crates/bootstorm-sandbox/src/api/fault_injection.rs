//! Effects of faults on requests.

use super::payload::Body;
use bytes::Bytes;
use http::{Response, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::call::Call;
use super::power;
use super::shared::Api;
use super::status::Failure;
use crate::faults::{Action, Attributes, Effect, Refusal};

/// What remains of a request after its faults
pub(super) enum Fate {
    /// Carried out.
    Served {
        /// Whether its answer is dropped.
        lost: bool,
        /// Whether its answer is truncated.
        truncated: bool,
    },
    /// Answered without being carried out.
    Answered(Failure),
    /// Its connection is cut.
    Cut,
}

/// Applies the faults in force to a request, in their order.
pub(super) async fn strike(api: &Api, call: &Call) -> Fate {
    let (mut lost, mut truncated) = (false, false);
    for effect in struck(api, call) {
        match effect {
            Effect::Delay(time) => tokio::time::sleep(time).await,
            Effect::Answer { code, retry_after } => {
                return Fate::Answered(refusal(&Refusal { code, retry_after, ..Refusal::default() }));
            }
            Effect::Refuse(words) => return Fate::Answered(refusal(&words)),
            Effect::PatchRace => return Fate::Answered(power::lost_race()),
            Effect::Cut => return Fate::Cut,
            Effect::Hang => {
                // Until the client or the server gives up.
                let _ = api.stop.clone().changed().await;
                return Fate::Cut;
            }
            Effect::CutAfter => lost = true,
            Effect::Truncate => truncated = true,
            Effect::Act(Action::Write(writer)) => {
                call.with_subject(|request| api.hand.write(&writer, request.namespace, request.name));
            }
            Effect::Act(action) => {
                api.hand.perform(&action);
                if matches!(action, Action::Outage(_) | Action::Restart(_)) {
                    return Fate::Cut;
                }
            }
            // Handled by the permission check.
            Effect::Deny => {}
        }
    }
    Fate::Served { lost, truncated }
}

fn struck(api: &Api, call: &Call) -> Vec<Effect> {
    let everything = Attributes { verb: "get", group: "", resource: "", namespace: "", name: "" };
    let labels = || call.labels(&api.store);
    call.with_subject(|request| api.faults.strike_labelled(request, &labels))
        .unwrap_or_else(|| api.faults.strike(&everything))
}

/// Content of an injected error: that of a real server with the same code, unless given.
fn refusal(words: &Refusal) -> Failure {
    let (reason, message) = match words.code {
        400 => ("BadRequest", "the server rejected our request for an unknown reason"),
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden by the sandbox"),
        404 => ("NotFound", "the server could not find the requested resource"),
        409 => (
            "Conflict",
            "the object has been modified; please apply your changes to the latest version and try again",
        ),
        410 => ("Expired", "The resourceVersion for the provided list is too old."),
        422 => ("Invalid", "the server rejected our request due to an error in our request"),
        429 => ("TooManyRequests", "Too many requests, please try again later.\n"),
        500 => ("InternalError", "Internal error occurred: injected by the sandbox"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be processing the request",
        ),
        _ => ("Unknown", "injected by the sandbox"),
    };
    let failure = if words.code == 429 && words.reason.is_none() && words.message.is_none() {
        // The API server's own limit answers before it can produce Status objects.
        Failure::text(429, message)
    } else {
        let message = words.message.clone().unwrap_or_else(|| message.to_owned());
        Failure::new(words.code, words.reason.clone().unwrap_or_else(|| reason.to_owned()), message)
    };
    failure.retry_after(words.retry_after)
}

/// Sends half of an answer, and cuts the connection.
pub(super) fn truncate(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.size_hint().exact();
    if let Some(length) = whole {
        // The client is told the full length.
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let half = async move {
        let mut body = body;
        let frame = body.frame().await;
        let data = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok()).unwrap_or_default();
        data.slice(..data.len() / 2)
    };
    let cut = || Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let pieces = futures::stream::unfold((Some(half), false), move |(half, over)| async move {
        match half {
            Some(half) => Some((Ok(half.await), (None, false))),
            None if over => None,
            None => {
                // The first half is sent before the connection is cut.
                tokio::task::yield_now().await;
                Some((cut(), (None, true)))
            }
        }
    });
    Response::from_parts(parts, super::payload::streamed(pieces))
}
