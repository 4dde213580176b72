//! Effects on a request.

use std::time::Duration;

use super::action::Action;

/// Effect on a request
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Delay it before it is served.
    Delay(Duration),
    /// Answer it with an error, without carrying it out.
    Answer {
        /// The HTTP status code.
        code: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
    },
    /// Answer it with this error, without carrying it out.
    Refuse(Refusal),
    /// Answer it like a virt-api that lost a race between two patches, without carrying it out.
    PatchRace,
    /// Cut its connection before carrying it out.
    Cut,
    /// Carry it out, and cut the connection instead of answering.
    CutAfter,
    /// Neither carry it out nor answer.
    Hang,
    /// Carry it out, and cut the connection in the middle of the answer.
    Truncate,
    /// Forbid it, also in permission reviews.
    Deny,
    /// Perform an action before it is served.
    Act(Action),
}

/// Content of a refusal
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The HTTP status code.
    pub code: u16,
    /// The `Retry-After` header, in seconds.
    pub retry_after: Option<u32>,
    /// Machine-readable reason, such as `Conflict`; by default that of the code.
    pub reason: Option<String>,
    /// Human-readable message; by default that of the code.
    pub message: Option<String>,
}
