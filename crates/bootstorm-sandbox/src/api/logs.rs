//! `pods/log`: output of containers, at once or followed.

use std::collections::VecDeque;
use std::io;

use crate::value::Value;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, header};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::call::Call;
use super::exec::{choose, is_unplugged};
use super::path::Resource;
use super::payload::{self, Body};
use super::shared::Api;
use super::status::{Cause, Failure};
use crate::processes::logs::{Line, Log};
use crate::store::kind::PODS;

/// Whether a request is for a log.
pub(super) fn is_log(target: &Resource) -> bool {
    target.kind.is(&PODS) && target.subresource.as_deref() == Some("log")
}

/// Requested options
struct Wanted {
    follow: bool,
    previous: bool,
    timestamps: bool,
    since: Option<Timestamp>,
    tail: Option<usize>,
    limit: Option<usize>,
}

/// Opens a log.
pub(super) fn open(api: &Api, target: &Resource, call: &Call) -> Result<Response<Body>, Failure> {
    if call.method != Method::GET {
        return Err(Failure::method_not_allowed());
    }
    let wanted = wanted(api, call)?;
    let name = target.name.as_deref().unwrap_or_default();
    let pod =
        api.store.get(&PODS, target.space(), name).ok_or_else(|| Failure::not_found(target.kind, name))?;
    let container = choose(pod.value(), name, call.query.get("container"))?;
    if pod.value()["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        // A pod without a node has no output yet.
        return Ok(text(payload::full("")));
    }
    if is_unplugged(&api.store, &pod) {
        let message = "Get \"https://192.168.0.1:10250/containerLogs/\": dial tcp 192.168.0.1:10250: connect: no route to host";
        return Err(Failure::new(500, "InternalError", message));
    }
    if let Some(log) = api.logs.find(pod.uid(), container, wanted.previous) {
        return Ok(text(stream(log, wanted, api.stop.clone())));
    }
    if wanted.previous {
        let message = format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return Err(Failure::bad_request(message));
    }
    let waiting =
        status_of(pod.value(), container).and_then(|status| status["state"]["waiting"]["reason"].as_str());
    if let Some(reason) = waiting {
        let message = format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}");
        return Err(Failure::bad_request(message));
    }
    // A simulated pod runs nothing that would write.
    Ok(text(payload::full("")))
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["containerStatuses", "initContainerStatuses"];
    let mut all = lists.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    all.find(|status| status["name"] == container)
}

fn wanted(api: &Api, call: &Call) -> Result<Wanted, Failure> {
    let query = &call.query;
    let mut causes = Vec::new();
    let mut at_least = |field: &str, least: i64| -> Result<Option<i64>, Failure> {
        let number = query.number::<i64>(field)?;
        if let Some(number) = number.filter(|number| *number < least) {
            let message = format!("Invalid value: {number}: must be greater than or equal to {least}");
            causes.push(Cause::invalid(field, message));
        }
        Ok(number)
    };
    let tail = at_least("tailLines", 0)?;
    let limit = at_least("limitBytes", 1)?;
    let seconds = at_least("sinceSeconds", 1)?;
    let time = query.get("sinceTime");
    if seconds.is_some() && time.is_some() {
        let message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned();
        causes.push(Cause { reason: "FieldValueForbidden", field: String::new(), message });
    }
    if !causes.is_empty() {
        let said: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let message = format!("PodLogOptions \"\" is invalid: {}", said.join(", "));
        return Err(Failure::new(422, "Invalid", message));
    }
    let since = match (seconds, time) {
        (Some(seconds), _) => api.store.now().checked_sub(SignedDuration::from_secs(seconds)).ok(),
        (None, Some(text)) => {
            let parsed = text.parse::<Timestamp>();
            Some(parsed.map_err(|error| Failure::bad_request(format!("sinceTime \"{text}\": {error}")))?)
        }
        (None, None) => None,
    };
    let number = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
    Ok(Wanted {
        follow: query.is_on("follow"),
        previous: query.is_on("previous"),
        timestamps: query.is_on("timestamps"),
        since,
        tail: number(tail),
        limit: number(limit),
    })
}

fn text(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A log being read
struct Reading {
    log: Log,
    wanted: Wanted,
    changes: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
    next: usize,
    left: Option<usize>,
    is_first: bool,
}

fn stream(log: Log, wanted: Wanted, stop: watch::Receiver<bool>) -> Body {
    let (changes, left) = (log.changes(), wanted.limit);
    let reading = Reading { log, wanted, changes, stop, next: 0, left, is_first: true };
    payload::streamed(futures::stream::unfold(reading, |mut reading| async {
        let piece = reading.next().await?;
        Some((Ok::<_, io::Error>(piece), reading))
    }))
}

impl Reading {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.left == Some(0) || *self.stop.borrow() {
                return None;
            }
            self.changes.borrow_and_update();
            let (lines, next, more) = self.log.after(self.next);
            self.next = next;
            let is_first = std::mem::take(&mut self.is_first);
            let piece = self.show(lines, is_first);
            if !piece.is_empty() {
                return Some(piece);
            }
            if !more || !self.wanted.follow {
                return None;
            }
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { return None },
                _ = self.stop.changed() => return None,
            }
        }
    }

    fn show(&mut self, lines: Vec<Line>, is_first: bool) -> Bytes {
        let fits = |line: &Line| self.wanted.since.is_none_or(|since| line.at >= since);
        let mut lines: VecDeque<Line> = lines.into_iter().filter(fits).collect();
        if let Some(tail) = self.wanted.tail.filter(|_| is_first) {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut shown = BytesMut::new();
        for line in lines {
            if self.wanted.timestamps {
                shown.extend_from_slice(line.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string().as_bytes());
            }
            shown.extend_from_slice(&line.text);
        }
        if let Some(left) = &mut self.left {
            shown.truncate(*left);
            *left -= shown.len();
        }
        shown.freeze()
    }
}
