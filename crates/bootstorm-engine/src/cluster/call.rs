//! Single requests, and requests with retries for everything that is not timed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use rand::RngExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{ClusterError, Kind};
use super::{Cluster, decode, names, protobuf};
use bootstorm_model::observe::clock::{continuous_now, elapsed_since, monotonic_now};

/// Maximum number of attempts for an untimed request to a server that has not answered yet.
const ATTEMPTS: u32 = 6;
/// First pause between two attempts; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Maximum pause between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Default time limit for opening a watch or a stream.
const OPENING: Duration = Duration::from_secs(30);

/// Maximum size of an answer: a page of a list has a few megabytes, this is far beyond any.
pub(super) const MOST_BYTES: usize = 256 * 1024 * 1024;

/// An answer with a success code
pub struct Answer {
    /// 200, 201, 202.
    pub code: StatusCode,
    /// Protocol of the connection.
    pub version: http::Version,
    /// The whole body.
    pub body: Bytes,
    /// Whether it is in protocol buffers, which only a request for them gets.
    pub protobuf: bool,
}

impl Answer {
    /// The object in the body; null values count as absent.
    ///
    /// Fails like [`Answer::read`].
    pub fn object<T: DeserializeOwned>(&self, doing: &str) -> Result<T, ClusterError> {
        self.read(doing).or_else(|error| {
            let text = std::str::from_utf8(&self.body).unwrap_or_default();
            decode::object(text).map_err(|_| error)
        })
    }

    /// The decoded body.
    ///
    /// Fails if it was truncated, or has an unexpected form.
    pub fn read<'a, T: Deserialize<'a>>(&'a self, doing: &str) -> Result<T, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            if let Some(error) = ClusterError::from_page(doing, self.code.as_u16(), &self.body) {
                return error;
            }
            let kind = if error.is_eof() { Kind::CutShort } else { Kind::Other };
            // Not the parser's message, which may quote a Secret.
            let place = format!("line {}, column {}", error.line(), error.column());
            ClusterError::new(doing, kind, format!("the answer cannot be read: {place}"))
        })
    }
}

impl Cluster {
    /// Sends one request, once, and reads the whole answer.
    ///
    /// A request rejected because of expired credentials is sent once more with new ones. Fails with the error of the
    /// server or the connection, and if no answer comes in time.
    pub async fn call(&self, doing: &str, request: Request<Vec<u8>>) -> Result<Answer, ClusterError> {
        self.renew_when_expired().await;
        let generation = self.generation();
        match self.exchange(doing, request.clone()).await {
            // Some portals redirect unknown users.
            Err(error) if error.is_about_credentials() && self.renew_credentials(generation).await => {
                self.exchange(doing, request).await
            }
            outcome => outcome,
        }
    }

    async fn exchange(&self, doing: &str, request: Request<Vec<u8>>) -> Result<Answer, ClusterError> {
        let exchange = async {
            let sent = continuous_now();
            let response = self
                .transport()
                .requests
                .send(request.map(Body::from))
                .await
                .map_err(|error| ClusterError::from_client(doing, &error))?;
            let (head, body) = response.into_parts();
            self.learn_server_time(head.headers.get(DATE), sent, continuous_now());
            let body = Limited::new(body, MOST_BYTES)
                .collect()
                .await
                .map_err(|error| unread(doing, &*error))?
                .to_bytes();
            if head.status.is_success() {
                self.shared.proved.store(true, Ordering::Relaxed);
                self.shared.let_in.store(true, Ordering::Relaxed);
                let protobuf = protobuf::is_announced_by(head.headers.get(CONTENT_TYPE));
                return Ok(Answer { code: head.status, version: head.version, body, protobuf });
            }
            Err(self.refused(doing, &head, &body))
        };
        match self.request_timeout {
            None => exchange.await,
            Some(limit) => tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
                let message = format!("no answer within {}s", limit.as_secs_f64());
                Err(ClusterError::new(doing, Kind::TimedOut, message))
            }),
        }
    }

    /// Sends one request, once, whose answer is read incrementally.
    pub(super) async fn open(
        &self,
        doing: &str,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Body>, ClusterError> {
        let sent = continuous_now();
        let response = self
            .transport()
            .streams
            .send(request.map(Body::from))
            .await
            .map_err(|error| ClusterError::from_client(doing, &error))?;
        let (head, body) = response.into_parts();
        self.learn_server_time(head.headers.get(DATE), sent, continuous_now());
        if head.status.is_success() {
            return Ok(Response::from_parts(head, body));
        }
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| unread(doing, &*error))?;
        Err(self.refused(doing, &head, &body.to_bytes()))
    }

    /// Error of an answer that is not a success.
    fn refused(&self, doing: &str, head: &Parts, body: &[u8]) -> ClusterError {
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let mut error = ClusterError::from_answer(doing, head.status.as_u16(), body, retry_after);
        if let (true, Some(place)) = (head.status.is_redirection(), redirect(&head.headers)) {
            error.message =
                format!("HTTP {} redirects to {place}, as no Kubernetes API does", head.status.as_u16());
        }
        error.message = self.without_secrets(&error.message);
        error
    }

    /// Sends a request that may be repeated safely, until it succeeds or fails for good.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        doing: &str,
        request: &Request<Vec<u8>>,
    ) -> Result<T, ClusterError> {
        self.ask_for(doing, request, |answer| answer.object(doing)).await
    }

    /// Like [`Cluster::ask`], without decoding the answer.
    pub async fn ask_raw(&self, doing: &str, request: &Request<Vec<u8>>) -> Result<Answer, ClusterError> {
        self.ask_for(doing, request, Ok).await
    }

    /// Like [`Cluster::ask`], with an answer decoded by `read`; a truncated one is requested again.
    pub(super) async fn ask_for<T>(
        &self,
        doing: &str,
        request: &Request<Vec<u8>>,
        read: impl Fn(Answer) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let began = monotonic_now();
        let mut attempt = 1;
        loop {
            match self.call(doing, request.clone()).await.and_then(&read) {
                Err(error) => self.pause(error, &mut attempt, began).await?,
                Ok(found) => return Ok(found),
            }
        }
    }

    /// Time limit for opening a watch or a stream, and for each page of a list: `--request-timeout`, or 30 s.
    pub(super) fn opening_limit(&self) -> Duration {
        self.request_timeout.unwrap_or(OPENING)
    }

    /// Total time limit of a request with retries, or of anything that depends on one.
    pub fn longest_wait(&self) -> Duration {
        self.patience + self.request_timeout.unwrap_or(self.patience)
    }

    /// Waits before the next attempt of a request that may be repeated safely. Returns the error when retries are
    /// exhausted.
    pub(super) async fn pause(
        &self,
        error: ClusterError,
        attempt: &mut u32,
        began: Instant,
    ) -> Result<(), ClusterError> {
        let Some(wait) = self.next_try(&error, *attempt, began) else { return Err(self.located(error)) };
        tracing::debug!(attempt, %error, "retrying");
        self.count_retry();
        tokio::time::sleep(wait).await;
        *attempt += 1;
        Ok(())
    }

    /// The error with the address that never answered: it is most likely wrong.
    fn located(&self, mut error: ClusterError) -> ClusterError {
        if !self.is_proved() && matches!(error.kind, Kind::Unreachable | Kind::TimedOut) {
            let context = self.context.as_ref().map(|name| format!(" (context {name})")).unwrap_or_default();
            error.message = format!("{}{context}: {}", self.server, error.message);
        }
        error
    }

    fn is_proved(&self) -> bool {
        self.shared.proved.load(Ordering::Relaxed)
    }

    /// Whether the same request may succeed later. A server that has let this process in before refuses it while what
    /// it asks about users is away, and while new credentials cannot be had.
    pub fn may_pass(&self, error: &ClusterError) -> bool {
        error.is_transient() || error.is_about_credentials() && self.is_proved()
    }

    /// Pause before the next attempt, the last one at the end of `--retry-timeout`; `None` if there is none.
    ///
    /// A server that has answered before gets time to come back; one that never did is most likely a wrong address.
    fn next_try(&self, error: &ClusterError, attempt: u32, began: Instant) -> Option<Duration> {
        if !self.may_pass(error) {
            return None;
        }
        let next = wait(attempt, error.retry_after);
        // A server that answers "not now" exists; an address without any answer is most likely wrong.
        let has_answered = matches!(error.kind, Kind::Throttled | Kind::Unavailable);
        let is_proved = self.is_proved();
        if has_answered && !is_proved && attempt == ATTEMPTS {
            tracing::warn!(%error, "retrying for up to {}s (--retry-timeout)", self.patience.as_secs());
        }
        if has_answered || is_proved {
            let left = self.patience.saturating_sub(elapsed_since(began));
            return match error.retry_after {
                // A time requested by the server is never shortened.
                Some(_) => (next < left).then_some(next),
                // No remainder is left that is too short for another pause.
                None => (!left.is_zero()).then(|| if next + FIRST_WAIT < left { next } else { left }),
            };
        }
        (attempt < if error.kind == Kind::Unreachable { 3 } else { ATTEMPTS }).then_some(next)
    }
}

/// Target of a redirect, without potential secrets.
fn redirect(headers: &http::HeaderMap) -> Option<String> {
    let location: http::Uri = headers.get(http::header::LOCATION)?.to_str().ok()?.parse().ok()?;
    let host = location.host()?;
    Some(format!("{}://{host}{}", location.scheme_str().unwrap_or("https"), location.path()))
}

/// A body that broke off, or that has no end.
fn unread(doing: &str, error: &(dyn std::error::Error + Send + Sync + 'static)) -> ClusterError {
    if error.is::<LengthLimitError>() {
        let message = format!("the answer has more than {} MiB", MOST_BYTES / 1024 / 1024);
        return ClusterError::new(doing, Kind::Other, message);
    }
    ClusterError::new(doing, Kind::CutShort, error.to_string())
}

/// Pause before the attempt after `attempt`: as requested by the server, else doubling, jittered.
pub fn wait(attempt: u32, asked: Option<Duration>) -> Duration {
    // Without any pause, a server in trouble would get as many requests as it can refuse.
    let asked = asked.filter(|asked| !asked.is_zero());
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(attempt.saturating_sub(1).min(10));
    let base =
        asked.unwrap_or(doubled).min(LONGEST_WAIT.max(asked.unwrap_or_default().min(LONGEST_WAIT * 6)));
    base.mul_f64(rand::rng().random_range(1.0..1.3))
}

/// Request builder for a collection: kube's, with our paths.
pub fn on(path: &str) -> kube::core::Request {
    kube::core::Request::new(path)
}

/// Path of a namespaced collection.
pub fn path(group: &str, namespace: Option<&str>, plural: &str) -> String {
    let root = match group {
        "v1" => "/api/v1".to_owned(),
        group => format!("/apis/{group}"),
    };
    match namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{plural}"),
    }
}

/// Parameters of a create: field manager.
pub fn post_params() -> kube::api::PostParams {
    kube::api::PostParams { dry_run: false, field_manager: Some(names::FIELD_MANAGER.to_owned()) }
}

/// Converts the builder's error, which only a bug of ours can cause, into a `ClusterError`.
pub fn built(
    doing: &str,
    request: Result<Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Request<Vec<u8>>, ClusterError> {
    request.map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_are_bounded_and_obey_the_server() {
        for attempt in 1..20 {
            let expected = FIRST_WAIT * 2_u32.saturating_pow((attempt - 1).min(10));
            let waited = wait(attempt, None);
            assert!(
                waited >= expected.min(LONGEST_WAIT) && waited <= LONGEST_WAIT.mul_f64(1.3),
                "{waited:?}"
            );
        }
        assert!(wait(1, Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        assert!(wait(1, Some(Duration::ZERO)) >= FIRST_WAIT, "Retry-After: 0");
    }
}
