//! Delay of the watch, without trust in any clock: by the order in which the server committed changes.
//!
//! A resource version counts the server's commits. Of a version that an answer of the server had, two things are known:
//!
//! - A change with an older version was committed before that answer. If it arrives later, it was in transit for at
//!   least the time between the two.
//! - A change with a newer version was committed after that request was sent, and cannot have been in transit for
//!   longer.
//!
//! The versions are those of the requests of the phase, on `VirtualMachines`, and once these are sent, of a small one
//! every second; the changes are those of `VirtualMachineInstances`, which the server keeps in the same place.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::call::Answer;
use bootstorm_model::observe::{Delays, Offset};

/// Maximum number of remembered writes; dropping older ones only weakens the bound on very late changes.
const MOST: usize = 4096;
/// A change is known to be newer than a request that was sent this long ago, or a little longer.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Shortest pause between two requests, for a server that answers slowly.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// If another request was sent within this time, none is needed.
const RECENT: Duration = Duration::from_millis(200);

/// What the order of commits tells about a change
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commit {
    /// It was not committed before this time.
    pub after: Option<Instant>,
    /// It was committed by this time.
    pub by: Option<Instant>,
}

/// Versions of answers, and changes received after them
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// Version → time at which its commit was known, in ascending order; entries without new information are dropped.
    written: BTreeMap<u64, Instant>,
    /// Version → time at which it was not yet committed, or was the newest, likewise.
    sent: BTreeMap<u64, Instant>,
    delays: Delays,
}

/// Values read from an answer
#[derive(Deserialize)]
pub(super) struct Written {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    resource_version: String,
    uid: Box<str>,
}

impl Written {
    /// The version of the object; `None` if it does not count.
    pub(super) fn version(&self) -> Option<u64> {
        self.metadata.resource_version.parse().ok()
    }

    /// The UID of the object.
    pub(super) fn uid(self) -> Box<str> {
        self.metadata.uid
    }
}

/// The object in an answer; `None` if there is none.
pub(super) fn written(answer: &Answer) -> Option<Written> {
    serde_json::from_slice(&answer.body).ok()
}

impl Echo {
    /// Records the version in the answer to a request: of what it wrote, or of the collection that it read.
    pub(super) fn answered(&mut self, version: u64, sent: Instant, answered: Instant) {
        self.note_sent(version, sent);
        let says_nothing = self.written.range(version..).next().is_some_and(|(_, at)| *at <= answered);
        if says_nothing {
            return;
        }
        while let Some((&older, _)) =
            self.written.range(..=version).next_back().filter(|(_, at)| **at >= answered)
        {
            self.written.remove(&older);
        }
        self.written.insert(version, answered);
        if self.written.len() > MOST {
            self.written.pop_first();
        }
    }

    fn note_sent(&mut self, version: u64, sent: Instant) {
        let says_nothing = self.sent.range(..=version).next_back().is_some_and(|(_, at)| *at >= sent);
        if says_nothing {
            return;
        }
        while let Some((&newer, _)) = self.sent.range(version..).next().filter(|(_, at)| **at <= sent) {
            self.sent.remove(&newer);
        }
        self.sent.insert(version, sent);
        if self.sent.len() > MOST {
            self.sent.pop_first();
        }
    }

    /// Records a change received on the watch; returns what is known about its commit.
    pub(super) fn heard(&mut self, version: u64, at: Instant) -> Commit {
        let later = version.checked_add(1).and_then(|next| self.written.range(next..).next());
        let by = later.map(|(_, committed)| *committed);
        if let Some(by) = by {
            self.delays.add(Offset::ZERO.plus(at.saturating_duration_since(by)));
        }
        Commit { after: self.sent.range(..version).next_back().map(|(_, sent)| *sent), by }
    }

    /// Whether the newest version known is so recent that another request would tell little.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.sent.last_key_value().is_some_and(|(_, sent)| now.saturating_duration_since(*sent) < RECENT)
    }

    /// Measured delays.
    pub(super) fn delays(&self) -> &Delays {
        &self.delays
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use bootstorm_model::observe::clock::monotonic_now;

    fn version(answer: &Answer) -> Option<u64> {
        written(answer)?.version()
    }

    #[test]
    fn a_change_older_than_an_answered_write_is_late_by_what_passed_since() {
        let zero = monotonic_now();
        let at = |millis| zero + Duration::from_millis(millis);
        let mut echo = Echo::default();
        assert_eq!(echo.heard(5, at(1)), Commit::default());
        echo.answered(10, at(3), at(20));
        echo.answered(12, at(2), at(15));
        assert_eq!(echo.heard(9, at(100)), Commit { after: None, by: Some(at(15)) });
        assert_eq!(echo.heard(11, at(10)), Commit { after: Some(at(3)), by: Some(at(15)) });
        assert_eq!(echo.heard(12, at(500)), Commit { after: Some(at(3)), by: None });
        assert!(echo.is_recent(at(202)) && !echo.is_recent(at(203)));
        let delays = echo.delays();
        assert_eq!(
            (delays.count, delays.longest),
            (2, Offset(85_000)),
            "12 was answered first, and is later"
        );
    }

    #[test]
    fn answers_that_show_no_version_say_nothing() {
        let answer = |body: &str| Answer {
            code: http::StatusCode::OK,
            version: http::Version::HTTP_11,
            body: body.to_owned().into(),
            protobuf: false,
        };
        assert_eq!(
            version(&answer(r#"{"spec":{},"metadata":{"name":"a","resourceVersion":"17","uid":"u"}}"#)),
            Some(17)
        );
        for body in ["", "{}", r#"{"metadata":{"resourceVersion":"opaque"}}"#, r#"{"metadata":{}}"#] {
            assert_eq!(version(&answer(body)), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn it_is_the_bound_that_all_writes_together_give(
            writes in prop::collection::vec((0u64..50, 0u64..50, 0u64..50), 0..20),
            heard in prop::collection::vec((0u64..50, 0u64..50), 1..20),
        ) {
            let zero = monotonic_now();
            let mut echo = Echo::default();
            let at = |micros: u64| zero + Duration::from_micros(micros);
            for (version, sent, answered) in &writes {
                echo.answered(*version, at(*sent), at(*answered));
            }
            let mut expected = Delays::default();
            for (version, heard) in &heard {
                let before = writes.iter().filter(|(earlier, ..)| earlier < version);
                let after = echo.heard(*version, at(*heard)).after;
                prop_assert_eq!(after, before.map(|(_, sent, _)| at(*sent)).max());
                let first = writes.iter().filter(|(later, ..)| later > version).map(|(.., at)| *at).min();
                if let Some(first) = first {
                    expected.add(Offset(heard.saturating_sub(first) as i64));
                }
            }
            prop_assert_eq!(echo.delays(), &expected);
        }
    }
}
