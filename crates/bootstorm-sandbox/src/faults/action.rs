//! Actions on the server or its objects as a whole, at a time or triggered by a request.

use std::time::Duration;

use super::writer::SecondWriter;

/// A loss of power
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PowerCut {
    /// Nodes; empty means all.
    pub nodes: Vec<String>,
    /// Duration, in real time.
    pub lasting: Duration,
    /// Time between the return of one node and the next, in real time.
    pub apart: Duration,
}

/// A one-time action
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Cuts every open watch.
    CutWatches,
    /// Cuts every open exec stream.
    CutExecs,
    /// Forgets all history: lists and watches from the past are answered with 410.
    Expire,
    /// Cuts all connections, and resets new ones for this long.
    Outage(Duration),
    /// Restarts the API server: an outage, after which its history is lost.
    Restart(Duration),
    /// Replaces the token; requests with the old one are answered with 401.
    Rotate,
    /// Cuts the power of nodes, which come back one after the other.
    PowerCut(PowerCut),
    /// Writes as another client.
    Write(SecondWriter),
}
