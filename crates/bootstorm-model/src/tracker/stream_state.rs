//! State of one stream: how far it is known to have delivered everything.

use crate::observation::{Stream, StreamKind, What};
use std::time::Duration;

use crate::observe::Offset;

/// A stream that delivers nothing for this long is reported.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// State of a stream
#[derive(Debug)]
pub(super) struct State {
    /// Namespace that it covers; `None` means all.
    pub(super) covers: Option<String>,
    /// Time up to which everything has been delivered.
    pub(super) proved: Offset,
    /// Time of its last delivery.
    pub(super) last_heard: Offset,
    /// Whether a list is in progress.
    pub(super) listing: bool,
    /// Time at which a list was last requested.
    pub(super) asked: Option<Offset>,
    /// Time since which it does not deliver.
    pub(super) gap: Option<Open>,
}

/// A gap that has not ended
#[derive(Debug)]
pub(super) struct Open {
    pub(super) since: Offset,
    pub(super) expected: bool,
    pub(super) why: Option<String>,
    pub(super) said: bool,
}

impl State {
    pub(super) fn new(covers: Option<String>, now: Offset) -> Self {
        // What it may have to deliver from before now is proved by a list, like everything later.
        Self { covers, proved: Offset::ZERO, last_heard: now, listing: false, asked: None, gap: None }
    }

    /// Records a sign of life.
    pub(super) fn heard(&mut self, what: &What, at: Offset) {
        let from_the_stream = matches!(
            what,
            What::Instance(_)
                | What::Volume(_)
                | What::Migration(_)
                | What::Pod(_)
                | What::Notice(_)
                | What::Answer(_)
                | What::Echo(_)
        );
        if from_the_stream && self.gap.is_none() {
            self.last_heard = self.last_heard.max(at);
        }
    }

    /// Time at which its gap has to be reported.
    pub(super) fn worth_a_word_at(&self, stream: Stream) -> Option<Offset> {
        let shows_goals = !matches!(stream.kind, StreamKind::Pods | StreamKind::Events);
        let gap = self.gap.as_ref().filter(|gap| shows_goals && !gap.said)?;
        Some(gap.since.plus(WORTH_A_WORD))
    }
}
