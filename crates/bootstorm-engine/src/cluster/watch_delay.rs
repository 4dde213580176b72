//! Delay of the watch, measured without additional requests: by the order in which the server committed changes.
//!
//! A resource version counts the server's commits. If a change on the watch is older than a write of ours, and arrives
//! after that write was answered, it was in transit for at least the time between the two. The writes are the requests
//! of the phase, on `VirtualMachines`; the changes are those of `VirtualMachineInstances`, which the server keeps in
//! the same place. A change that arrives before every answer to a later write shows no delay; one that no answered
//! write followed shows nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use super::call::Answer;
use bootstorm_model::observe::{Delays, Offset};

/// Maximum number of remembered writes; dropping older ones only weakens the bound on very late changes.
const MOST: usize = 4096;

/// Answered writes, and changes received after them
#[derive(Debug, Default)]
pub(super) struct Echo {
    /// Version → time at which its commit was known, in ascending order; entries without new information are dropped.
    written: BTreeMap<u64, Instant>,
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
    /// Records an answered write.
    pub(super) fn wrote(&mut self, version: u64, answered: Instant) {
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

    /// Records a change received on the watch.
    pub(super) fn heard(&mut self, version: u64, at: Instant) {
        let Some(next) = version.checked_add(1) else { return };
        let Some((_, committed)) = self.written.range(next..).next() else { return };
        let late = at.saturating_duration_since(*committed);
        self.delays.add(Offset::ZERO.plus(late));
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
        echo.heard(5, at(1));
        echo.wrote(10, at(20));
        echo.wrote(12, at(15));
        echo.heard(9, at(100));
        echo.heard(11, at(10));
        echo.heard(12, at(500));
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
            writes in prop::collection::vec((0u64..50, 0u64..50), 0..20),
            heard in prop::collection::vec((0u64..50, 0u64..50), 1..20),
        ) {
            let zero = monotonic_now();
            let mut echo = Echo::default();
            for (version, at) in &writes {
                echo.wrote(*version, zero + Duration::from_micros(*at));
            }
            let mut expected = Delays::default();
            for (version, at) in &heard {
                echo.heard(*version, zero + Duration::from_micros(*at));
                let first = writes.iter().filter(|(later, _)| later > version).map(|(_, at)| *at).min();
                if let Some(first) = first {
                    expected.add(Offset(at.saturating_sub(first) as i64));
                }
            }
            prop_assert_eq!(echo.delays(), &expected);
        }
    }
}
