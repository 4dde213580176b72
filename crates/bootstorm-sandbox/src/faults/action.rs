//! What happens to the server or to the objects as a whole, at a time or on the occasion of a request.

use std::time::Duration;

use super::writer::SecondWriter;

/// A loss of power
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PowerCut {
    /// The nodes; all where none is named.
    pub nodes: Vec<String>,
    /// How long it lasts, in real time.
    pub lasting: Duration,
    /// How long after one node the next one gets its power back, in real time.
    pub apart: Duration,
}

/// Something that is done once
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Every open watch is cut.
    CutWatches,
    /// Every open exec stream is cut.
    CutExecs,
    /// All history is forgotten: lists and watches from the past are answered with 410.
    Expire,
    /// All connections are cut, and new ones are reset for this long.
    Outage(Duration),
    /// The API server restarts: an outage, after which its history is lost.
    Restart(Duration),
    /// The token is replaced; requests with the old one are answered with 401.
    Rotate,
    /// Nodes lose their power, and get it back one after the other.
    PowerCut(PowerCut),
    /// Somebody else writes.
    Write(SecondWriter),
}
