//! What happens to a request.

use std::time::Duration;

use super::action::Action;

/// What happens to a request
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It is held for a while before it is served.
    Delay(Duration),
    /// It is answered with an error and does nothing.
    Answer {
        /// The HTTP status code.
        code: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
    },
    /// It is answered with an error in these words and does nothing.
    Refuse(Refusal),
    /// It is answered as by a virt-api that lost a race between two patches, and does nothing.
    PatchRace,
    /// Its connection is cut before it does anything.
    Cut,
    /// It is carried out, and the connection is cut instead of an answer.
    CutAfter,
    /// It does nothing and is never answered.
    Hang,
    /// It is carried out, and the connection is cut in the middle of the answer.
    Truncate,
    /// It is forbidden, also in the eyes of a review of permissions.
    Deny,
    /// Something is done before it is served.
    Act(Action),
}

/// The words of an answer
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The HTTP status code.
    pub code: u16,
    /// The `Retry-After` header, in seconds.
    pub retry_after: Option<u32>,
    /// The reason for machines, such as `Conflict`; without it the one that goes with the code.
    pub reason: Option<String>,
    /// The message for people; without it the one that goes with the code.
    pub message: Option<String>,
}
