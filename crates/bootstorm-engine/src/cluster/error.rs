//! Errors of requests, classified by the required reaction.

use std::borrow::Cow;
use std::error::Error as _;
use std::time::Duration;

use kube::core::Status;
use thiserror::Error;

use super::protobuf;
use bootstorm_model::failure::Failure;

/// Kind of error
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection: refused, no such host, proxy error.
    Unreachable,
    /// Our certificate or the server's was not accepted.
    Certificate,
    /// The request got no answer in time.
    TimedOut,
    /// Unauthenticated (401), or no credentials could be obtained.
    Credentials,
    /// Not permitted (403).
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the object exists.
    AlreadyExists,
    /// 409: the object changed meanwhile, or its state does not permit the request.
    Conflict,
    /// 410: the resource version is too old.
    Expired,
    /// 400, 405, 406, 415, 422: the request is wrong and will stay wrong.
    Invalid,
    /// 429.
    Throttled,
    /// 500: server error.
    Internal,
    /// 502, 503, 504: not now.
    Unavailable,
    /// A web page or a redirect instead of an answer of the API.
    Portal,
    /// The connection was closed too early.
    CutShort,
    /// Anything else.
    Other,
}

/// A failed request
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to {doing}: {message}")]
pub struct ClusterError {
    /// Action; completes "failed to …".
    pub doing: String,
    /// Kind of error.
    pub kind: Kind,
    /// Message of the server or the connection.
    pub message: String,
    /// Wait requested by the server.
    pub retry_after: Option<Duration>,
}

/// Message of a lost race between two JSON patches, which virt-api reports as a server error.
const PATCH_RACE: &str = "the server rejected our request due to an error in our request";
/// Message of a lost race between two API servers that count against the same `ResourceQuota`.
const QUOTA_RACE: &str = "on resourcequotas";
/// Reason in the `Status` of a server error that admission or virt-api has decided on.
const DELIBERATE: &str = "InternalError";
/// Messages of such errors that pass.
const PASSING: [&str; 5] =
    [PATCH_RACE, UNDER_WAY, "failed calling webhook", "etcdserver", "resource quota evaluation timed out"];
/// Maximum length of a server's message: it becomes a VM's reason, in the record of thousands.
const LONGEST: usize = 1_000;
/// Maximum length of a body that is not a `Status`, and of a library's message.
const LONGEST_LINE: usize = 300;
/// Message for a request sent while another change of power was in progress.
const UNDER_WAY: &str = "stop/start already underway";

impl ClusterError {
    /// An error without an answer of the server.
    pub fn new(doing: &str, kind: Kind, message: impl Into<String>) -> Self {
        Self { doing: doing.into(), kind, message: message.into(), retry_after: None }
    }

    /// Error of an answer that is not a success.
    pub fn from_answer(doing: &str, code: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        // A server that was asked for protocol buffers refuses in that form, too.
        let binary = protobuf::is_object(body);
        let (reason, message) = if binary {
            protobuf::status(body).map(|s| (s.reason.into_owned(), s.message.into_owned()))
        } else {
            serde_json::from_slice(body).ok().map(|s: Status| (s.reason, s.message))
        }
        .unwrap_or_default();
        let message = Some(clip(message.trim(), LONGEST)).filter(|m| !m.is_empty());
        let page = if message.is_none() { page_title(body) } else { None };
        let is_page = page.is_some();
        let message = message.unwrap_or_else(|| {
            if let Some(title) = page {
                return page_message(code, &title);
            }
            let text = if binary { Cow::default() } else { String::from_utf8_lossy(body) };
            // Bodies of proxies can be large; one line is enough.
            let line = text.trim().lines().next().unwrap_or_default();
            if line.is_empty() { format!("HTTP {code}") } else { clip(line, LONGEST_LINE) }
        });
        let kind = match code {
            300..400 => Kind::Portal,
            401 => Kind::Credentials,
            408 => Kind::TimedOut,
            // Only a refusal or a missing object indicates a portal: a broken gateway sends pages too.
            200..300 | 400..=404 if is_page => Kind::Portal,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            409 if reason == "AlreadyExists" => Kind::AlreadyExists,
            // Of several API servers that count against one quota, the object itself is no part of it.
            409 if message.contains(QUOTA_RACE) => Kind::Unavailable,
            409 => Kind::Conflict,
            410 => Kind::Expired,
            400 | 405 | 406 | 413 | 415 | 422 => Kind::Invalid,
            429 => Kind::Throttled,
            500 if reason == DELIBERATE => Kind::Internal,
            // The API server passes errors of its storage on as they are, also after a change that was stored. Other
            // codes are those of proxies.
            500 | 502..=504 | 507..=599 => Kind::Unavailable,
            _ => Kind::Other,
        };
        Self { doing: doing.into(), kind, message, retry_after }
    }

    /// Error of an answer that is a web page; `None` if it is not.
    pub fn from_page(doing: &str, code: u16, body: &[u8]) -> Option<Self> {
        page_title(body).map(|title| Self::new(doing, Kind::Portal, page_message(code, &title)))
    }

    /// Error of a request without an answer.
    pub fn from_client(doing: &str, error: &kube::Error) -> Self {
        if let Some(message) = super::credentials::fault(error) {
            return Self::new(doing, Kind::Credentials, clip(&message, LONGEST_LINE));
        }
        if let kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } =
            error
        {
            // Its URL may hold a password.
            return Self::new(doing, Kind::Other, "the proxy of this context uses an unsupported protocol");
        }
        let mut messages = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !messages.iter().any(|message| message.contains(&text)) {
                messages.push(text);
            }
            cause = inner.source();
        }
        let whole = messages.join(": ");
        if let kube::Error::Api(status) = error {
            let body = serde_json::to_vec(status).unwrap_or_default();
            return Self::from_answer(doing, status.code, &body, None);
        }
        let lower = whole.to_lowercase();
        let hung_up = [
            "handshake eof",
            "connection reset",
            "broken pipe",
            "close_notify",
            "connection closed",
            "http2 error",
        ];
        let kind = if matches!(error, kube::Error::Auth(_)) {
            Kind::Credentials
        } else if hung_up.iter().any(|text| lower.contains(text)) {
            Kind::CutShort
        } else if lower.contains("certificate") || lower.contains("invalid peer") || lower.contains("tls") {
            Kind::Certificate
        } else if lower.contains("timed out") || lower.contains("deadline has elapsed") {
            Kind::TimedOut
        } else {
            Kind::Unreachable
        };
        if let Some(message) = super::certificate::message(&whole) {
            return Self::new(doing, Kind::Certificate, message);
        }
        let last = messages.pop().unwrap_or_default();
        Self::new(doing, kind, clip(&last, LONGEST_LINE))
    }

    /// Whether the same request may succeed if it is simply repeated.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::Throttled | Kind::Unavailable | Kind::CutShort => true,
            Kind::Internal => PASSING.iter().any(|text| self.message.contains(text)),
            _ => false,
        }
    }

    /// Whether the server did not know the user, or something in front of it: also while it cannot ask whoever knows.
    pub fn is_about_credentials(&self) -> bool {
        matches!(self.kind, Kind::Credentials | Kind::Portal)
    }

    /// Whether the server may have carried out the request although no answer came.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable | Kind::TimedOut | Kind::Unavailable | Kind::Internal | Kind::CutShort
        )
    }
}

/// Phrase about a web page instead of an answer.
const NO_API: &str = "which no Kubernetes API sends";

/// Description of the page.
fn page_message(code: u16, title: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!(" (\"{title}\")") };
    format!("HTTP {code} with a web page{title}, {NO_API}")
}

/// The first `most` characters; a cut is marked with `…`.
pub(crate) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl ClusterError {
    /// Hints by cause: one HTTP code has many.
    fn hints(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::CutShort => {
                vec!["check the server of this context: kubectl cluster-info"]
            }
            Kind::Certificate => vec![super::certificate::hint(&self.message)],
            Kind::Credentials if !self.message.contains(NO_API) => {
                vec!["log in to the cluster again, then check with: kubectl auth whoami"]
            }
            Kind::Portal | Kind::Credentials => vec![
                "a login page, proxy or portal answers in place of the API: check the server of this context",
                "log in there if that is the way in, then check with: kubectl get --raw /version",
            ],
            _ => match Refusal::of(&self.message) {
                Some(refusal) => refusal.hints(),
                None => self.hints_by_code(),
            },
        }
    }

    fn hints_by_code(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Forbidden if self.message.contains("resource \"namespaces\"") => {
                vec![RIGHTS_IN_ONE_NAMESPACE, ASK_FOR_PERMISSION]
            }
            Kind::Forbidden => vec![ASK_FOR_PERMISSION],
            Kind::Throttled | Kind::Unavailable => {
                vec!["the API server is overloaded or restarting; try again"]
            }
            _ => Vec::new(),
        }
    }
}

const ASK_FOR_PERMISSION: &str = "ask for this permission, then check with: kubectl auth can-i --list";
const RIGHTS_IN_ONE_NAMESPACE: &str =
    "with rights in one namespace only, put all VMs there: --vm-namespace NAME";

/// Reason why a cluster refuses a request despite the user's permission
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// A webhook or a policy of the cluster.
    Policy,
    /// The Pod Security level of the namespace.
    PodSecurity,
    /// OpenShift's security context constraints.
    SecurityContext,
    /// A `ResourceQuota`.
    Quota,
    /// A `LimitRange`.
    Limits,
    /// The namespace is terminating.
    Ending,
}

impl Refusal {
    /// Determines the cause from a server's message, by the words of its admission plugins.
    fn of(message: &str) -> Option<Self> {
        let has = |words: &str| message.contains(words);
        let found = if has("violates PodSecurity") {
            Self::PodSecurity
        } else if has("unable to validate against any security context constraint") {
            Self::SecurityContext
        } else if has("exceeded quota") || has("failed quota") {
            Self::Quota
        } else if has("because it is being terminated") {
            Self::Ending
        } else if has("denied the request") || has("ValidatingAdmissionPolicy") {
            Self::Policy
        } else if has("usage per Container") || has("usage per Pod") || has("usage per PersistentVolumeClaim")
        {
            Self::Limits
        } else {
            return None;
        };
        Some(found)
    }

    fn hints(self) -> Vec<&'static str> {
        match self {
            Self::Policy => vec![
                "a policy of the cluster refused it, not a missing permission: ask its owners for the \
                 requirements, or an exception",
                "namespaces that satisfy it already can hold the VMs: --vm-namespace NAME",
            ],
            Self::PodSecurity => vec![
                "allow it: kubectl label namespace NAME pod-security.kubernetes.io/enforce=privileged --overwrite",
                "or use a namespace that allows it: --vm-namespace NAME, and a prober of your own: --probe-pod NAMESPACE/NAME",
            ],
            Self::SecurityContext => vec![
                "let the pod's service account use a security context constraint that allows it: oc adm policy add-scc-to-user",
                "or use a prober of your own: --probe-pod NAMESPACE/NAME",
            ],
            Self::Quota => {
                vec![
                    "raise the quota of the namespace (kubectl describe quota), or plan fewer or smaller VMs",
                ]
            }
            Self::Limits => vec!["see the limits of the namespace: kubectl describe limitrange -n NAMESPACE"],
            Self::Ending => vec!["wait until the namespace is gone, then run the same command again"],
        }
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let hints = error.hints();
        let failure = Failure::new(format!("failed to {}", error.doing)).because(error.message);
        hints.into_iter().fold(failure, Failure::hint)
    }
}

/// Title of a web page sent instead of an answer.
fn page_title(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(20_000)]);
    let lower = text.trim_start().to_ascii_lowercase();
    if !["<!doctype html", "<html", "<head", "<!--"].iter().any(|start| lower.starts_with(start)) {
        return None;
    }
    let text = text.trim_start();
    let title = lower.find("<title").and_then(|at| {
        let begin = at + lower[at..].find('>')? + 1;
        let end = begin + lower[begin..].find('<')?;
        Some(text.get(begin..end)?.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    Some(clip(&title.unwrap_or_default(), 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let status = |reason: &str, message: &str| {
            serde_json::json!({"kind": "Status", "reason": reason, "message": message}).to_string()
        };
        let cases = [
            (409, status("AlreadyExists", "exists"), Kind::AlreadyExists, false),
            (409, status("Conflict", "VM is already running"), Kind::Conflict, false),
            (429, "Too many requests, please try again later.\n".into(), Kind::Throttled, true),
            (
                500,
                status("InternalError", &format!("Internal error occurred: {PATCH_RACE}")),
                Kind::Internal,
                true,
            ),
            (
                500,
                status("InternalError", "running and runstrategy are mutually exclusive"),
                Kind::Internal,
                false,
            ),
            (
                500,
                status("", "rpc error: code = Unavailable desc = transport is closing"),
                Kind::Unavailable,
                true,
            ),
            (500, String::new(), Kind::Unavailable, true),
            (
                409,
                status(
                    "Conflict",
                    "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified",
                ),
                Kind::Unavailable,
                true,
            ),
            (408, String::new(), Kind::TimedOut, true),
            (521, String::new(), Kind::Unavailable, true),
            (503, "service unavailable\n".into(), Kind::Unavailable, true),
            (403, status("Forbidden", "no"), Kind::Forbidden, false),
            (422, status("Invalid", "bad"), Kind::Invalid, false),
        ];
        for (code, body, kind, transient) in cases {
            let error = ClusterError::from_answer("x", code, body.as_bytes(), None);
            assert_eq!((error.kind, error.is_transient()), (kind, transient), "{code} {body}");
        }
    }

    #[test]
    fn refusals_in_protocol_buffers_are_understood() {
        use super::super::scripted::wire::{field, number, object};
        let status = |reason: &str| {
            let fields = [field(3, b"no"), field(4, reason.as_bytes()), number(6, 409)];
            object("Status", &fields.concat())
        };
        let error = ClusterError::from_answer("x", 409, &status("AlreadyExists"), None);
        assert_eq!((error.kind, error.message.as_str()), (Kind::AlreadyExists, "no"));
        let error = ClusterError::from_answer("x", 410, &status("Expired"), None);
        assert_eq!(error.kind, Kind::Expired);
        let error = ClusterError::from_answer("x", 409, &status("AlreadyExists")[..20], None);
        assert_eq!((error.kind, error.message.as_str()), (Kind::Conflict, "HTTP 409"), "a damaged one");
    }

    #[test]
    fn bodies_that_are_no_status_are_shown_in_one_line() {
        let page = b"<html>\n<head><TITLE>502 Bad\n Gateway</TITLE>";
        let error = ClusterError::from_answer("x", 502, page, None);
        assert_eq!(
            error.message,
            "HTTP 502 with a web page (\"502 Bad Gateway\"), which no Kubernetes API sends"
        );
        assert_eq!(error.kind, Kind::Unavailable);
        assert_eq!(ClusterError::from_answer("x", 502, b"bad\ngateway", None).message, "bad");
        assert_eq!(ClusterError::from_answer("x", 500, b"", None).message, "HTTP 500");
    }

    #[test]
    fn messages_of_megabytes_are_cut() {
        let long = serde_json::json!({"kind": "Status", "message": "ü".repeat(1_000_000)}).to_string();
        for body in [long, "ü".repeat(1_000_000)] {
            let message = ClusterError::from_answer("x", 500, body.as_bytes(), None).message;
            assert!(message.chars().count() <= LONGEST + 1 && message.ends_with('…'));
        }
    }

    #[test]
    fn hints_follow_the_cause() {
        let denied = "admission webhook \"validation.gatekeeper.sh\" denied the request: [owner] label";
        let binding = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no";
        let security =
            "pods \"prober\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot";
        let constraint =
            "pods \"p\" is forbidden: unable to validate against any security context constraint: []";
        let quota =
            "pods \"p\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4";
        let ending = "unable to create new content in namespace n because it is being terminated";
        let maximum = "pods \"p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi";
        let rights =
            "configmaps is forbidden: User \"jane\" cannot create resource \"configmaps\" in API group";
        let namespaces =
            "namespaces is forbidden: User \"jane\" cannot create resource \"namespaces\" in API group";
        for (code, message, hint) in [
            (403, denied, "a policy of the cluster refused it"),
            (400, denied, "a policy of the cluster refused it"),
            (422, binding, "a policy of the cluster refused it"),
            (403, security, "pod-security.kubernetes.io/enforce=privileged"),
            (403, constraint, "security context constraint"),
            (403, quota, "raise the quota"),
            (403, ending, "wait until the namespace is gone"),
            (403, maximum, "describe limitrange"),
            (403, rights, "ask for this permission"),
            (403, namespaces, "--vm-namespace NAME"),
        ] {
            let body = serde_json::json!({"kind": "Status", "message": message}).to_string();
            let failure = Failure::from(ClusterError::from_answer("x", code, body.as_bytes(), None));
            assert!(failure.hints[0].contains(hint), "{message}: {:?}", failure.hints);
            let speaks_of_permission =
                failure.hints.iter().any(|hint| hint.contains("ask for this permission"));
            assert_eq!(speaks_of_permission, message.contains(" cannot "), "{message}");
        }
    }

    #[test]
    fn a_login_page_is_named_as_one() {
        let page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>";
        for code in [200, 302, 401, 403, 404] {
            let error = ClusterError::from_answer("x", code, page, None);
            let kind = if code == 401 { Kind::Credentials } else { Kind::Portal };
            assert_eq!(error.kind, kind, "{code}");
            assert!(error.message.contains("web page (\"Sign in\")"), "{}", error.message);
            assert!(Failure::from(error).hints[0].contains("login page"));
        }
        assert_eq!(ClusterError::from_answer("x", 307, b"", None).kind, Kind::Portal);
    }
}
