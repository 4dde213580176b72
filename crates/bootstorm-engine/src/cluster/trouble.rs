//! What can go wrong with a request, sorted by what to do about it.

use std::error::Error as _;
use std::time::Duration;

use kube::core::Status;
use thiserror::Error;

use bootstorm_model::failure::Failure;

/// What kind of trouble it is
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection: refused, no such host, proxy trouble.
    Unreachable,
    /// The server's certificate was not accepted, or ours was not.
    Certificate,
    /// The request got no answer in time.
    TimedOut,
    /// The server does not know who we are (401), or no credentials could be got.
    Credentials,
    /// We may not do this (403).
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the object exists.
    AlreadyExists,
    /// 409: the object changed meanwhile, or its state does not allow it.
    Conflict,
    /// 410: the resource version is too old.
    Expired,
    /// 400, 405, 406, 415, 422: the request is wrong and will stay wrong.
    Invalid,
    /// 429.
    Throttled,
    /// 500: the server failed.
    Internal,
    /// 502, 503, 504: not now.
    Unavailable,
    /// Somebody answered, and hung up too early.
    CutShort,
    /// Anything else.
    Other,
}

/// A request that failed
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to {doing}: {message}")]
pub struct Trouble {
    /// What we were doing, as it reads after "failed to".
    pub doing: String,
    /// What kind of trouble it is.
    pub kind: Kind,
    /// What the server or the connection said.
    pub message: String,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
}

/// The text of a lost race between two JSON patches, which virt-api reports as a server failure.
const PATCH_RACE: &str = "the server rejected our request due to an error in our request";
/// The most characters of a server's message that are kept: it becomes a VM's reason, in the record of thousands.
const LONGEST: usize = 1_000;
/// The same for a body that is no `Status`, and for what a library says.
const LONGEST_LINE: usize = 300;
/// The text of a request that came while another change of power was under way.
const UNDER_WAY: &str = "stop/start already underway";

impl Trouble {
    /// A trouble of our own making, without a server's answer.
    pub fn new(doing: &str, kind: Kind, message: impl Into<String>) -> Self {
        Self { doing: doing.into(), kind, message: message.into(), retry_after: None }
    }

    /// From an answer that is not a success.
    pub fn from_answer(doing: &str, code: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let status: Option<Status> = serde_json::from_slice(body).ok();
        let reason = status.as_ref().map(|s| s.reason.clone()).unwrap_or_default();
        let message = status.map(|s| clip(s.message.trim(), LONGEST)).filter(|m| !m.is_empty());
        let message = message.unwrap_or_else(|| {
            let text = String::from_utf8_lossy(body);
            // Bodies of proxies can be whole web pages; one line of them is enough.
            let line = text.trim().lines().next().unwrap_or_default();
            if line.is_empty() { format!("HTTP {code}") } else { clip(line, LONGEST_LINE) }
        });
        let kind = match code {
            401 => Kind::Credentials,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            409 if reason == "AlreadyExists" => Kind::AlreadyExists,
            409 => Kind::Conflict,
            410 => Kind::Expired,
            400 | 405 | 406 | 413 | 415 | 422 => Kind::Invalid,
            429 => Kind::Throttled,
            500 => Kind::Internal,
            502..=504 => Kind::Unavailable,
            _ => Kind::Other,
        };
        Self { doing: doing.into(), kind, message, retry_after }
    }

    /// From a request that got no answer.
    pub fn from_client(doing: &str, error: &kube::Error) -> Self {
        if let Some(message) = super::credentials::fault(error) {
            return Self::new(doing, Kind::Credentials, clip(&message, LONGEST_LINE));
        }
        if let kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } =
            error
        {
            // Its URL may hold a password.
            return Self::new(
                doing,
                Kind::Other,
                "the proxy of this context speaks no protocol that is supported",
            );
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
        let hung_up =
            ["handshake eof", "connection reset", "broken pipe", "close_notify", "connection closed"];
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
        let last = messages.pop().unwrap_or_default();
        Self::new(doing, kind, clip(&last, LONGEST_LINE))
    }

    /// Whether the same request may succeed if it is simply sent again.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::Throttled | Kind::Unavailable | Kind::CutShort => true,
            Kind::Internal => {
                self.message.contains(PATCH_RACE)
                    || self.message.contains(UNDER_WAY)
                    || self.message.contains("failed calling webhook")
                    || self.message.contains("etcdserver")
            }
            _ => false,
        }
    }

    /// Whether the server may have carried the request out although no answer came.
    pub fn is_ambiguous(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unreachable | Kind::TimedOut | Kind::Unavailable | Kind::Internal | Kind::CutShort
        )
    }
}

/// The first `most` characters, the cut marked with `…`.
pub(super) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let hint = match trouble.kind {
            Kind::Unreachable | Kind::TimedOut | Kind::CutShort => {
                "check the server of this context: kubectl cluster-info"
            }
            Kind::Certificate => {
                "check certificate-authority of this context, or pass --certificate-authority"
            }
            Kind::Credentials => "log in to the cluster again, then check with: kubectl auth whoami",
            Kind::Forbidden => "ask for this permission, then check with: kubectl auth can-i --list",
            Kind::Throttled | Kind::Unavailable => "the API server is overloaded or restarting; try again",
            _ => "",
        };
        let failure = Failure::new(format!("failed to {}", trouble.doing)).because(trouble.message);
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
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
            (503, "service unavailable\n".into(), Kind::Unavailable, true),
            (403, status("Forbidden", "no"), Kind::Forbidden, false),
            (422, status("Invalid", "bad"), Kind::Invalid, false),
        ];
        for (code, body, kind, transient) in cases {
            let trouble = Trouble::from_answer("x", code, body.as_bytes(), None);
            assert_eq!((trouble.kind, trouble.is_transient()), (kind, transient), "{code} {body}");
        }
    }

    #[test]
    fn bodies_that_are_no_status_are_shown_in_one_line() {
        let trouble = Trouble::from_answer("x", 502, b"<html>\n<body>Bad gateway", None);
        assert_eq!(trouble.message, "<html>");
        assert_eq!(Trouble::from_answer("x", 500, b"", None).message, "HTTP 500");
    }

    #[test]
    fn messages_of_megabytes_are_cut() {
        let long = serde_json::json!({"kind": "Status", "message": "ü".repeat(1_000_000)}).to_string();
        for body in [long, "ü".repeat(1_000_000)] {
            let message = Trouble::from_answer("x", 500, body.as_bytes(), None).message;
            assert!(message.chars().count() <= LONGEST + 1 && message.ends_with('…'));
        }
    }
}
