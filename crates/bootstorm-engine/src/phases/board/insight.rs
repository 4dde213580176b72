//! What launcher pods and events tell about the VMs of a phase.

use jiff::Timestamp;

use super::Board;
use crate::cluster::insight::{InsightHeard, InsightNews};
use crate::phases::event::Event;
use bootstorm_model::observe::{LauncherFold, Passed, Receipt};
use bootstorm_model::record::Gap;

impl Board<'_> {
    /// Follows launcher pods and events too.
    pub(in crate::phases) fn follow_launchers(&mut self, fold: LauncherFold) {
        self.launchers = Some(fold);
    }

    /// Takes news of launcher pods and events into account.
    pub(in crate::phases) fn hear_insight(&mut self, heard: InsightHeard, server_now: Timestamp) {
        let at = self.clock.at(heard.at);
        let receipt = Receipt { at, late: heard.late, server_zero: self.clock.zero_at(server_now) };
        let Some(fold) = self.launchers.as_mut() else { return };
        let timelines = &mut self.phase.timelines;
        let passed: Vec<Passed> = match heard.news {
            InsightNews::Launchers(launchers) => {
                launchers.into_iter().flat_map(|launcher| fold.apply(timelines, launcher, receipt)).collect()
            }
            InsightNews::Noticed(notice) => fold.hear(timelines, notice, receipt),
            InsightNews::Blind(since) => {
                let gap = Gap { from: self.clock.at(since), to: at };
                self.phase.insight.get_or_insert_default().gaps.push(gap);
                Vec::new()
            }
            InsightNews::Complaint(trouble) => {
                (self.events)(&Event::Warning(trouble.to_string()));
                Vec::new()
            }
        };
        self.dirty = true;
        self.tell(&passed);
    }

    /// What pods passed before their instance was known, now that it may be.
    pub(super) fn join_launchers(&mut self, position: u32) {
        let Some(fold) = self.launchers.as_ref() else { return };
        let passed = fold.join(&mut self.phase.timelines, position);
        self.tell(&passed);
    }

    fn tell(&self, passed: &[Passed]) {
        for passed in passed {
            (self.events)(&Event::Passed(passed.milestone));
        }
    }
}
