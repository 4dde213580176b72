//! Changes that a watch held up, known from the servers' timestamps.
//!
//! A timestamp is truncated to whole seconds, so a change that is seen at once is 0 to 1 s after it. But the writer of a
//! change takes it before it writes, which may take long, and nobody can know of the change before it is committed. So
//! what is known of that counts, too: the API server's own timestamp, taken before admission, and the order of commits.
//! Where that tells neither, a change that looks late was passed between its timestamp and its receipt.

use jiff::Timestamp;

use crate::observe::{Offset, Receipt};

/// An observation this much later than the server's timestamp allows was held up; clocks are known to about a tenth of
/// a second.
pub(super) const TOLERANCE: Offset = Offset(250_000);
/// Maximum truncation of a server timestamp.
const WHOLE_SECOND: Offset = Offset(1_000_000);

/// What is known of the commit of a change
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Commit {
    /// It was not committed before.
    pub(super) after: Option<Timestamp>,
    /// It was committed by then.
    pub(super) by: Option<Timestamp>,
    /// Whether an earlier change may have reported the same, but could not be read.
    pub(super) is_repeated: bool,
}

/// A receipt, and whether the timestamps of the change tell when it was committed
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    pub(super) receipt: Receipt,
    pub(super) is_dated: bool,
}

impl From<Receipt> for Weighed {
    fn from(receipt: Receipt) -> Self {
        Self { receipt, is_dated: true }
    }
}

/// A receipt, weighed by the newest timestamp of a new milestone and by what is known of the commit; and how late the
/// change arrived at least, if that is known.
pub(super) fn weigh(last: Option<Timestamp>, commit: Commit, receipt: Receipt) -> (Weighed, Option<Offset>) {
    let Some(last) = last else { return (receipt.into(), None) };
    let since = |stamp: Timestamp| receipt.at.since(receipt.stamped(stamp));
    let newest = commit.after.filter(|_| !commit.is_repeated).map_or(last, |after| last.max(after));
    let late = since(newest).since(WHOLE_SECOND);
    if late <= TOLERANCE {
        return (receipt.into(), Some(Offset::ZERO));
    }
    let is_dated = commit.is_repeated || commit.by.is_some_and(|by| since(by) > TOLERANCE);
    (Weighed { receipt: Receipt { late: true, ..receipt }, is_dated }, is_dated.then_some(late))
}
