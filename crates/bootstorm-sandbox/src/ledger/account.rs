//! Counters: requests, and per machine its requested and actual changes.

use crate::value::{Value, json};

use super::power::Power;

/// A number of requests
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// Received, whatever their result.
    pub received: u64,
    /// Carried out.
    pub carried_out: u64,
}

/// Number of requested changes of a machine, and of effective ones
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Received requests, whatever their result.
    pub requests: u64,
    /// Accepted changes of state.
    pub changes: u64,
}

/// Effects of requests on the machines of one name
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// Creations.
    pub creates: Tally,
    /// Starts of a machine that was off: by its run strategy, or by the subresource. A machine created running counts
    /// as created, not started.
    pub starts: Tally,
    /// Stops of a machine that was on.
    pub stops: Tally,
    /// Restarts by the subresource.
    pub restarts: Tally,
    /// Deletions; counted when marked, not when gone.
    pub deletes: Tally,
}

impl Account {
    pub(super) fn tally(&mut self, power: Power) -> &mut Tally {
        match power {
            Power::Create => &mut self.creates,
            Power::Start => &mut self.starts,
            Power::Stop => &mut self.stops,
            Power::Restart => &mut self.restarts,
            Power::Delete => &mut self.deletes,
        }
    }

    pub(super) fn json(&self) -> Value {
        let tally = |tally: Tally| json!({"requests": tally.requests, "changes": tally.changes});
        json!({
            "creates": tally(self.creates),
            "starts": tally(self.starts),
            "stops": tally(self.stops),
            "restarts": tally(self.restarts),
            "deletes": tally(self.deletes),
        })
    }
}
