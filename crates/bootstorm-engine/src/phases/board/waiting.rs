//! What most of the VMs that are on their way wait for, told while they do.

use std::collections::HashMap;

use super::Board;
use crate::phases::event::Event;
use bootstorm_model::observe::Timeline;
use bootstorm_model::stats::{Awaited, Diagnosis};

/// VMs that are looked at each time; of more of them an even share, so that looking delays nothing.
const LOOKED_AT: usize = 400;

impl Board<'_> {
    /// Says what most VMs wait for, unless nobody waits.
    pub(in crate::phases) fn tell_what_most_wait_for(&self) {
        let waits = |timeline: &&Timeline| !timeline.is_over() && timeline.is_asked();
        let waiting: Vec<&Timeline> = self.phase.timelines.iter().filter(waits).collect();
        let step = waiting.len().div_ceil(LOOKED_AT).max(1);
        let mut groups: HashMap<(Awaited, Option<String>), usize> = HashMap::new();
        for timeline in waiting.iter().step_by(step) {
            let Diagnosis { waits_for, cause } = Diagnosis::of(timeline, self.phase.goal);
            *groups.entry((waits_for, cause)).or_default() += 1;
        }
        // Of equal groups the one that is further behind, so that the line does not flicker.
        let most = groups.into_iter().max_by(|(a, many), (b, more)| many.cmp(more).then_with(|| b.cmp(a)));
        if let Some(((waits_for, cause), vms)) = most {
            let vms = (vms * step).min(waiting.len());
            (self.events)(&Event::Waiting { vms, of: waiting.len(), waits_for, cause });
        }
    }
}
