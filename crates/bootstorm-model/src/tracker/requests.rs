//! Progress of requests.

use super::{Happened, Tracker};
use crate::observation::{Attempts, Request};
use crate::observe::{Milestone, Offset, Outcome, Timeline};

impl Tracker<'_> {
    /// Applies the progress of a request; an answer that came `late` may have waited for this process.
    pub(super) fn requested(&mut self, target: u32, request: Request, at: Offset, late: bool) {
        self.dirty = true;
        match request {
            Request::Sent => {
                self.waves.sent(target);
                let foreign = self.is_start()
                    && !self.phase.migrates()
                    && self.phase.timelines[target as usize].instance_uid.is_some();
                if foreign && self.phase.continued > 0 && !self.phase.restarts() && !self.phase.drains() {
                    // The process before may have sent a request that was carried out only now.
                    let timeline = self.timeline(target);
                    timeline.untimed = true;
                    self.limit_state(target);
                    self.tell(at, Some(target), Happened::Sent);
                    self.check_goal(target, at);
                    return;
                }
                if foreign {
                    // Whatever it did so far was not our doing.
                    self.fold.forget(&mut self.phase.timelines[target as usize]);
                }
                self.timeline(target).see(Milestone::Requested, at);
                self.limit_state(target);
                self.tell(at, Some(target), Happened::Sent);
                if foreign {
                    let again = self.phase.restarts() || self.phase.drains();
                    let done = if again { "restarted" } else { "started" };
                    let reason = format!("it was {done} by somebody else before its request was sent");
                    self.end(target, Outcome::Failed, Some(reason), at);
                }
                self.check_goal(target, at);
            }
            Request::Skipped => self.unanswered = self.unanswered.saturating_sub(1),
            Request::Repeated(why) => self.timeline(target).answer = Some(why),
            Request::Accepted { attempts, uid } => {
                self.answered_request(target, attempts);
                let (stops, migrates) = (self.phase.goal == Milestone::Gone, self.phase.migrates());
                let timeline = self.timeline(target);
                timeline.resent_after = timeline.answer.take().map(Into::into);
                match uid {
                    None => {}
                    uid if migrates => timeline.migration.get_or_insert_default().uid = uid,
                    uid => timeline.machine_uid = uid,
                }
                let note = if late { Timeline::notice } else { Timeline::see };
                note(timeline, Milestone::Accepted, at);
                if stops && timeline.instance_uid.is_none() {
                    // There was no instance to wait for.
                    note(timeline, Milestone::Gone, at);
                }
                self.tell(at, Some(target), Happened::Accepted);
                self.join_migration(target, at);
                self.check_goal(target, at);
            }
            Request::Refused { attempts, why, certain } => {
                self.answered_request(target, attempts);
                let timeline = self.timeline(target);
                timeline.answer = Some(why.clone());
                // If a request may have been carried out, the streams decide.
                if certain && !timeline.is_over() {
                    self.end(target, Outcome::Failed, Some(why), at);
                }
            }
        }
    }

    fn answered_request(&mut self, target: u32, attempts: Attempts) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let timeline = self.timeline(target);
        timeline.attempts += attempts.sent;
        timeline.throttled += attempts.throttled;
        timeline.throttled_for = timeline.throttled_for.plus(attempts.throttled_for);
    }
}
