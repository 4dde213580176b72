//! What is counted: requests, and per machine what they asked for and what came of it.

use serde_json::{Value, json};

use super::power::Power;

/// How many requests
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// That came in, whatever became of them.
    pub received: u64,
    /// That did what they asked for.
    pub carried_out: u64,
}

/// How often a change of a machine was asked for, and how often that changed anything
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Requests that came in, whatever became of them.
    pub requests: u64,
    /// Changes of state that were accepted.
    pub changes: u64,
}

/// What requests did to the machines of one name
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// Creations.
    pub creates: Tally,
    /// Starts of a machine that was off: by its run strategy, or by the subresource. A machine created running is
    /// created, not started.
    pub starts: Tally,
    /// Stops of a machine that was on.
    pub stops: Tally,
    /// Restarts by the subresource.
    pub restarts: Tally,
    /// Deletions; the change is the mark, not the moment at which it is gone.
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
