//! State machine that turns facts into outages.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Cause, Exactness, MOST_OUTAGES, Observation, Outage, Rest, Sign, Watched};
use crate::observe::{
    Change, Fold, Instance, InstancePhase, Milestone, Moment, Offset, Outcome, Receipt, Source, Timeline,
};
use crate::plan::Target;

/// A guest without an answer for this long is silent: a second, so that one lost packet is no outage.
pub const SILENT_AFTER_MICROS: i64 = 1_000_000;
/// A gap up to this long leaves the instant of a sign as exact as a server timestamp: ±1 s.
const SHORT_GAP_MICROS: i64 = 2_000_000;
/// A server timestamp is a whole second, truncated, on the writer's clock.
const STAMP_MICROS: i64 = 1_000_000;

/// Receipt of a fact
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Time at which this client received it.
    pub at: Offset,
    /// Time since which its stream had not delivered, if the fact may have waited in that gap.
    pub gap: Option<Offset>,
    /// Reading of the server's clock at the beginning of the axis.
    pub server_zero: Timestamp,
}

impl Arrival {
    fn receipt(self) -> Receipt {
        Receipt { at: self.at, late: self.gap.is_some(), server_zero: self.server_zero }
    }

    /// A server timestamp on the axis, if it can belong to a change in the gap.
    fn stamped(self, stamp: Option<Timestamp>) -> Option<Offset> {
        let at = self.receipt().stamped(stamp?);
        let from = self.gap?;
        let fits = at.0 >= from.0.saturating_sub(STAMP_MICROS) && at.0 <= self.at.0 + STAMP_MICROS;
        fits.then(|| at.clamp(from.min(self.at), self.at))
    }
}

/// State of a node, as far as outages depend on it
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// Time since which it has had this status.
    pub since: Option<Timestamp>,
    /// Whether it is cordoned (`spec.unschedulable`).
    pub cordoned: bool,
}

/// Recognises outages, and follows each VM's recovery
#[derive(Debug)]
pub struct Watcher {
    observation: Observation,
    targets: Vec<Target>,
    fold: Fold,
    /// The outage of each VM; that of a VM that is up is excluded, so that the fold ignores it.
    current: Vec<Timeline>,
    nodes: HashMap<String, NodeFacts>,
    /// UIDs of instances known to be gone.
    gone: HashSet<String>,
    /// UIDs of instances that are being deleted and not gone yet.
    ending: HashSet<String>,
}

impl Watcher {
    /// Continues an observation of these VMs.
    pub fn new(targets: &[Target], mut observation: Observation) -> Self {
        let fold = Fold::new(targets, false, HashSet::new());
        let current = observation
            .vms
            .iter_mut()
            .zip(0..)
            .map(|(vm, number)| vm.open.take().map_or_else(|| at_rest(number), |open| *open))
            .collect();
        Self {
            observation,
            targets: targets.to_vec(),
            fold,
            current,
            nodes: HashMap::new(),
            gone: HashSet::new(),
            ending: HashSet::new(),
        }
    }

    /// The observation as it is now.
    pub fn observation(&self) -> Observation {
        let mut copy = self.observation.clone();
        for (vm, timeline) in copy.vms.iter_mut().zip(&self.current) {
            vm.open = (timeline.outcome != Outcome::Excluded).then(|| Box::new(timeline.clone()));
        }
        copy
    }

    /// The observation, for recording what is no fact about a VM: gaps, and the end of the watched time.
    pub fn observation_mut(&mut self) -> &mut Observation {
        &mut self.observation
    }

    /// The VMs, in the order of the plan.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The instance of a VM that can be probed, and its address; `None` while there is none.
    pub fn instance_of(&self, number: u32) -> Option<&str> {
        self.observation.vms.get(number as usize)?.instance.as_deref()
    }

    /// The position of a VM.
    pub fn position(&self, target: &Target) -> Option<u32> {
        self.fold.position(target)
    }

    /// VMs that are down now.
    pub fn down(&self) -> impl Iterator<Item = &Timeline> {
        self.current.iter().filter(|timeline| timeline.outcome != Outcome::Excluded)
    }

    /// Ended outages.
    pub fn over(&self) -> &[Timeline] {
        &self.observation.outages
    }

    /// VMs that were never seen up.
    pub fn never_up(&self) -> usize {
        self.observation.never_up()
    }

    /// Applies a change of an instance.
    pub fn instance(&mut self, change: &Change, heard: Arrival) {
        match change {
            Change::Present(instance) => self.present(instance, change, heard),
            Change::Absent { uid, target } => self.absent(uid, target, change, heard),
        }
    }

    /// Applies the first list of a process: instances missing from it are gone.
    pub fn listed(&mut self, changes: &[Change], heard: Arrival) {
        let there: HashSet<&str> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Present(instance) => Some(instance.uid.as_str()),
                Change::Absent { .. } => None,
            })
            .collect();
        let missing = |vm: &Watched| vm.instance.clone().filter(|uid| !there.contains(uid.as_str()));
        let missing: Vec<Option<String>> = self.observation.vms.iter().map(missing).collect();
        for (number, uid) in (0..).zip(missing) {
            if let Some(uid) = uid {
                let target = self.targets[number as usize].clone();
                self.instance(&Change::Absent { uid, target }, heard);
            }
        }
        for change in changes {
            self.instance(change, heard);
        }
    }

    fn present(&mut self, instance: &Instance, change: &Change, heard: Arrival) {
        let Some(number) = self.fold.position(&instance.target) else { return };
        if self.gone.contains(&instance.uid) {
            return;
        }
        if instance.deleting {
            self.ending.insert(instance.uid.clone());
        }
        let vm = &mut self.observation.vms[number as usize];
        let before = vm.clone();
        let another = vm.instance.as_ref().is_some_and(|known| *known != instance.uid);
        let same = vm.instance.as_ref() == Some(&instance.uid);
        let running = instance.phase == InstancePhase::Running && !instance.deleting;
        vm.stands = running && instance.ready;
        vm.ready_since = instance.ready_since;
        vm.paused = instance.paused;
        vm.migrating = instance.is_migrating();
        if same && running && before.node.is_some() && instance.node.is_some() && before.node != instance.node
        {
            vm.moves += 1;
        }
        if instance.node.is_some() || another {
            vm.node.clone_from(&instance.node);
        }
        vm.instance = Some(instance.uid.clone());
        if before.rests.is_some() {
            if another && !instance.deleting {
                let started = heard.stamped(instance.created);
                self.observation.vms[number as usize].rests = None;
                let cause = self.cause_of_rest(number, before.rests);
                self.open(number, Sign::Started, started, heard, &before, cause);
            }
        } else if another && before.was_up && !self.is_down(number) {
            // The end of the previous instance was not seen.
            let sign = heard.stamped(instance.created);
            self.open(number, Sign::Replaced, sign, heard, &before, Cause::Unseen);
        } else if same
            && before.stands
            && !self.observation.vms[number as usize].stands
            && !self.is_down(number)
        {
            let (sign, stamp, cause) = self.sign_of(instance, before.node.as_deref());
            self.open(number, sign, heard.stamped(stamp), heard, &before, cause);
        } else if same && before.stands && !self.is_down(number) && ready_again(instance, &before, heard) {
            // It went down and came back in the gap: the server stamped its return.
            self.open(number, Sign::NotReady, None, heard, &before, Cause::NotReady);
        }
        if self.is_down(number) {
            self.follow(number, instance, change, heard);
        }
        self.settle(number, heard, instance.ready_since);
    }

    /// Sign of an outage in an instance that was up before, its server timestamp, and the cause.
    fn sign_of(&self, instance: &Instance, node: Option<&str>) -> (Sign, Option<Timestamp>, Cause) {
        let node = node.and_then(|node| self.nodes.get(node)).copied();
        let lost = node.is_some_and(|node| !node.ready);
        let ended = instance.transitions.iter().rev().find(|(phase, _)| *phase == instance.phase);
        let (sign, stamp, cause) = match instance.phase {
            InstancePhase::Succeeded => (Sign::Ended, ended.map(|(_, at)| *at), Cause::ShutDown),
            InstancePhase::Failed => (Sign::Ended, ended.map(|(_, at)| *at), Cause::Failed),
            _ if instance.deleting && node.is_some_and(|node| node.cordoned) => {
                (Sign::Deleting, instance.deleted, Cause::Drain)
            }
            _ if instance.deleting => (Sign::Deleting, instance.deleted, Cause::Deleted),
            _ if instance.paused => (Sign::NotReady, instance.ready_since, Cause::Paused),
            _ if instance.is_migrating() => (Sign::NotReady, instance.ready_since, Cause::Migration),
            _ => (Sign::NotReady, instance.ready_since, Cause::NotReady),
        };
        (sign, stamp, if lost { Cause::NodeLost } else { cause })
    }

    /// Applies a change of an instance of a VM that is down.
    fn follow(&mut self, number: u32, instance: &Instance, change: &Change, heard: Arrival) {
        let node = self.current[number as usize].outage.as_ref().and_then(|outage| outage.left_node.clone());
        let timeline = &mut self.current[number as usize];
        if timeline.old_instance.as_deref() == Some(&instance.uid) {
            if (instance.pod_ends || instance.deleting)
                && let Some(outage) = timeline.outage.as_mut()
            {
                let at = heard.stamped(instance.ready_since).unwrap_or(heard.at);
                outage.evicted.get_or_insert(at);
            }
            if instance.deleting || matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed)
            {
                let (_, _, cause) = self.sign_of(instance, node.as_deref());
                self.blame(number, cause);
            }
        } else if heard.gap.is_some()
            && timeline.instance_uid.as_ref().is_none_or(|known| *known == instance.uid)
            && instance.ready
            && let Some(since) = instance.ready_since
        {
            timeline.stamps.entry(Milestone::Ready).or_insert(since.as_second());
        }
        self.tighten(number, instance, heard);
        self.succeed(number, instance);
        self.fold.apply(&mut self.current, change, heard.receipt());
    }

    /// Forgets what the instance of before showed during its outage: another one has to come back.
    fn succeed(&mut self, number: u32, instance: &Instance) {
        let timeline = &mut self.current[number as usize];
        if timeline.instance_uid.is_some() || timeline.old_instance.as_deref() == Some(&instance.uid) {
            return;
        }
        let Some(outage) = timeline.outage.as_mut() else { return };
        timeline.moments.retain(|milestone, _| !matches!(milestone, Milestone::Ready | Milestone::Reachable));
        if let Some(answer) = outage.first_answer.take() {
            let silent_since = self.observation.vms[number as usize].silent_since;
            outage.last_answer = silent_since.max(Some(answer));
            (outage.lost, outage.unprobed) = (None, false);
        }
    }

    /// Narrows an outage that began in a gap: it had begun when the next instance was created.
    fn tighten(&mut self, number: u32, instance: &Instance, heard: Arrival) {
        let timeline = &mut self.current[number as usize];
        if timeline.instance_uid.is_some() || timeline.old_instance.as_deref() == Some(&instance.uid) {
            return;
        }
        let Some(outage) = timeline.outage.as_mut() else { return };
        if let (Exactness::Gap { from, to }, Some(created)) =
            (outage.exactness, heard.stamped(instance.created))
            && created < to
        {
            let to = created.max(from);
            (outage.at, outage.exactness) = (to, Exactness::Gap { from, to });
            date(timeline);
        }
    }

    fn absent(&mut self, uid: &str, target: &Target, change: &Change, heard: Arrival) {
        let Some(number) = self.fold.position(target) else { return };
        self.gone.insert(uid.to_owned());
        self.ending.remove(uid);
        let vm = &mut self.observation.vms[number as usize];
        if vm.instance.as_deref().is_some_and(|known| known != uid) {
            return;
        }
        let before = vm.clone();
        vm.stands = false;
        (vm.paused, vm.migrating) = (false, false);
        if self.can_go_down(number) {
            let cause = self.cause_of_absence(before.node.as_deref(), heard);
            self.open(number, Sign::Gone, None, heard, &before, cause);
        }
        self.fold.apply(&mut self.current, change, heard.receipt());
    }

    /// Cause of an outage that begins when a VM is started again.
    fn cause_of_rest(&self, number: u32, why: Option<Rest>) -> Cause {
        let last = || self.observation.outages.iter().rev().find(|last| last.target == number);
        let lost = why.filter(|why| !why.is_intended()).and_then(|_| last()?.outage.as_deref());
        lost.map_or(Cause::Stopped, |outage| outage.cause)
    }

    fn cause_of_absence(&self, node: Option<&str>, heard: Arrival) -> Cause {
        match node.and_then(|node| self.nodes.get(node)) {
            Some(node) if !node.ready => Cause::NodeLost,
            Some(node) if node.cordoned => Cause::Drain,
            _ if heard.gap.is_some() => Cause::Unseen,
            _ => Cause::Deleted,
        }
    }

    /// Applies the state of a node.
    pub fn node(&mut self, name: &str, facts: NodeFacts, heard: Arrival) {
        let before = self.nodes.insert(name.to_owned(), facts);
        if facts.ready && before.is_none_or(|before| before.ready) {
            return;
        }
        for number in 0..self.current.len() as u32 {
            let vm = &self.observation.vms[number as usize];
            let down = self.is_down(number);
            let left = self.current[number as usize].outage.as_ref();
            let left = left.and_then(|outage| outage.left_node.as_deref());
            let is_here = if down { left == Some(name) } else { vm.node.as_deref() == Some(name) };
            if !is_here {
                continue;
            }
            if facts.ready {
                self.settle(number, heard, facts.since);
                continue;
            }
            let sign = heard.stamped(facts.since);
            if down {
                self.blame(number, Cause::NodeLost);
            } else if self.can_go_down(number) {
                let before = vm.clone();
                self.open(number, Sign::NodeNotReady, sign, heard, &before, Cause::NodeLost);
            }
            if let Some(outage) = self.current[number as usize].outage.as_mut() {
                outage.noticed.get_or_insert(sign.unwrap_or(heard.at));
            }
        }
    }

    /// Applies a guest's answer to a probe that was sent to this instance.
    ///
    /// `before` is the previous answer and the number of unanswered attempts in between, if a prober compared the two.
    pub fn answer(&mut self, number: u32, instance: &str, at: Offset, before: Option<(Offset, Option<u32>)>) {
        let Some(vm) = self.observation.vms.get_mut(number as usize) else { return };
        let timeline = &mut self.current[number as usize];
        let unprobed = std::mem::take(&mut vm.unprobed);
        let silent_since = vm.silent_since.take();
        vm.answers = Some(true);
        vm.answered = true;
        if timeline.outcome == Outcome::Excluded {
            return;
        }
        let is_old = timeline.old_instance.as_deref() == Some(instance);
        let Some(outage) = timeline.outage.as_mut() else { return };
        // A guest that shuts down may answer until its end.
        let ends =
            is_old && (timeline.moments.contains_key(&Milestone::Stopping) || self.gone.contains(instance));
        if ends || !is_old && timeline.instance_uid.as_deref() != Some(instance) {
            return;
        }
        let last = before.map(|(last, _)| last).or(silent_since);
        if outage.first_answer.is_none() && (!is_old || last.is_some() || unprobed) {
            outage.first_answer = Some(at);
            outage.last_answer = last.or(outage.last_answer);
            (outage.lost, outage.unprobed) = (before.and_then(|(_, lost)| lost), unprobed);
            timeline.see(Milestone::Reachable, at);
        }
        // The same instance is back only once the cluster shows it too.
        if self.observation.goal == Milestone::Reachable && (!is_old || self.is_up(number)) {
            self.current[number as usize].see(Milestone::Reachable, at);
            self.close(number, Outcome::Reached, None);
        }
    }

    /// Records that a guest gave its last answer then, and no longer answers or is no longer probed.
    pub fn silent(&mut self, number: u32, last: Offset, now: Offset) {
        let Some(vm) = self.observation.vms.get_mut(number as usize) else { return };
        vm.answers = Some(false);
        vm.silent_since = Some(last);
        if let Some(outage) = self.current[number as usize].outage.as_mut()
            && outage.first_answer.is_none()
        {
            outage.last_answer = Some(last);
        }
        self.listen(number, now);
    }

    /// Records that a guest that seemed silent was only slow: each attempt was answered after all.
    pub fn slow(&mut self, number: u32, instance: &str, at: Offset) {
        let timeline = &self.current[number as usize];
        if timeline.outage.as_ref().is_some_and(|outage| outage.sign == Sign::Silent) && self.is_up(number) {
            self.current[number as usize] = at_rest(number);
        }
        self.answer(number, instance, at, None);
    }

    /// Records that no prober can tell whether guests answer, until they do.
    pub fn unprobed(&mut self) {
        for vm in &mut self.observation.vms {
            vm.answers = None;
            vm.unprobed |= vm.answered;
        }
    }

    /// Opens outages of guests that have been silent for long enough by now.
    pub fn tick(&mut self, now: Offset) {
        for number in 0..self.current.len() as u32 {
            self.listen(number, now);
        }
    }

    fn listen(&mut self, number: u32, now: Offset) {
        let vm = &self.observation.vms[number as usize];
        let Some(last) = vm.silent_since.filter(|_| vm.answers == Some(false)) else { return };
        if now.since(last).0 >= SILENT_AFTER_MICROS && self.can_go_down(number) {
            let before = vm.clone();
            let cause = match before.node.as_ref().and_then(|node| self.nodes.get(node)) {
                Some(node) if !node.ready => Cause::NodeLost,
                _ if before.paused => Cause::Paused,
                _ if before.migrating => Cause::Migration,
                _ => Cause::Silent,
            };
            let heard = Arrival { at: now, gap: None, server_zero: Timestamp::UNIX_EPOCH };
            self.open(number, Sign::Silent, None, heard, &before, cause);
        }
    }

    /// VMs that are down without an instance that could come back, and since when.
    pub fn leaving(&self) -> impl Iterator<Item = (u32, Offset)> {
        let numbered = (0..).zip(&self.current);
        numbered.filter(|(_, timeline)| timeline.outcome != Outcome::Excluded).filter_map(
            |(number, timeline)| {
                let outage = timeline.outage.as_deref()?;
                let old = timeline.old_instance.as_deref();
                let is_gone = old.is_none_or(|old| self.gone.contains(old));
                let leaves = is_gone || timeline.has(Milestone::Stopping) || outage.sign == Sign::Ended;
                (leaves && timeline.instance_uid.is_none()).then_some((number, outage.at))
            },
        )
    }

    /// Records that a VM that is [leaving](Self::leaving) will not come back by itself.
    ///
    /// Its outage ends as excluded if that is on purpose, and as failed if it was lost: nobody stopped it. A VM whose run
    /// strategy leaves it to the user is judged once its last instance is gone: until then it may be restarting.
    pub fn rests(&mut self, number: u32, why: Rest) {
        if !self.leaving().any(|(leaving, _)| leaving == number) {
            return;
        }
        let is_ending = self.instance_of(number).is_some_and(|instance| self.ending.contains(instance));
        if why == Rest::Left && is_ending {
            return;
        }
        let outage = self.current[number as usize].outage.as_deref();
        let was_lost = outage.is_some_and(|outage| outage.cause.is_loss());
        let why = if why == Rest::Left && !was_lost { Rest::Stopped } else { why };
        let outcome = if why.is_intended() { Outcome::Excluded } else { Outcome::Failed };
        self.close(number, outcome, Some(why.words()));
        let vm = &mut self.observation.vms[number as usize];
        vm.rests = Some(why);
        (vm.answers, vm.silent_since, vm.unprobed) = (None, None, false);
    }

    /// Reason why a VM does not come back by itself; `None` if it may.
    pub fn resting(&self, number: u32) -> Option<Rest> {
        self.observation.vms.get(number as usize)?.rests
    }

    /// Whether an outage of a VM can begin.
    fn can_go_down(&self, number: u32) -> bool {
        let vm = &self.observation.vms[number as usize];
        vm.was_up && vm.rests.is_none() && !self.is_down(number)
    }

    fn is_down(&self, number: u32) -> bool {
        self.current[number as usize].outcome != Outcome::Excluded
    }

    fn blame(&mut self, number: u32, cause: Cause) {
        if let Some(outage) = &mut self.current[number as usize].outage {
            outage.cause = if outage.cause == Cause::Unseen { cause } else { outage.cause.or(cause) };
        }
    }

    /// Begins an outage. `stamp` is the server's instant of the sign, for a sign that waited in a gap.
    fn open(
        &mut self,
        number: u32,
        sign: Sign,
        stamp: Option<Offset>,
        heard: Arrival,
        before: &Watched,
        cause: Cause,
    ) {
        let interval = Offset(i64::try_from(self.observation.interval_millis * 1000).unwrap_or(i64::MAX));
        // A guest that was already silent went down before any other sign.
        let silent = before.silent_since.filter(|last| {
            sign != Sign::Started
                && before.answers == Some(false)
                && last.0 + 2 * interval.0 < stamp.unwrap_or(heard.at).0
        });
        let from = heard.gap.map(|gap| gap.min(heard.at));
        let (sign, at, exactness) = match (silent, stamp, from) {
            (Some(last), _, _) => (Sign::Silent, last, Exactness::Probe { interval }),
            // If an instance was replaced, the new one is stamped, and the end of the old one lies before that.
            (None, Some(to), Some(from)) if sign == Sign::Replaced => (sign, to, Exactness::Gap { from, to }),
            (None, Some(at), _) => (sign, at, Exactness::Stamp),
            (None, None, Some(from)) => (sign, heard.at, Exactness::Gap { from, to: heard.at }),
            (None, None, None) => (sign, heard.at, Exactness::Watch),
        };
        let mut timeline = Timeline::new(number);
        timeline.old_instance = before.instance.as_deref().map(Into::into);
        timeline.outage = Some(Box::new(Outage {
            sign,
            at,
            exactness,
            cause,
            left_node: before.node.clone(),
            last_answer: before.silent_since.filter(|_| sign != Sign::Started),
            first_answer: None,
            lost: None,
            unprobed: false,
            noticed: None,
            evicted: None,
        }));
        date(&mut timeline);
        self.current[number as usize] = timeline;
    }

    /// Whether a VM is up as far as the cluster shows: its instance is up, on a node that is ready.
    fn is_up(&self, number: u32) -> bool {
        let vm = &self.observation.vms[number as usize];
        let node = vm.node.as_ref().and_then(|node| self.nodes.get(node));
        vm.stands && node.is_none_or(|node| node.ready)
    }

    /// Ends an outage that is over, and marks a VM as up. `since` is the server's instant from which it is up.
    fn settle(&mut self, number: u32, heard: Arrival, since: Option<Timestamp>) {
        if !self.is_up(number) {
            return;
        }
        if !self.is_down(number) {
            let vm = &mut self.observation.vms[number as usize];
            vm.was_up = true;
            return;
        }
        let probed = self.observation.goal == Milestone::Reachable;
        let vm = &self.observation.vms[number as usize];
        let (had_answers, answers, is_same) = (
            vm.answered,
            vm.answers == Some(true),
            self.current[number as usize].old_instance.as_deref() == vm.instance.as_deref(),
        );
        let timeline = &mut self.current[number as usize];
        if is_same {
            let at = heard.stamped(since);
            match (heard.gap, at) {
                (None, _) => timeline.see(Milestone::Ready, heard.at),
                (Some(_), Some(at)) => timeline.fill(Milestone::Ready, at),
                (Some(_), None) => timeline.notice(Milestone::Ready, heard.at),
            };
            if timeline.node.is_none() {
                timeline.node.clone_from(&vm.node);
            }
        }
        match (probed, had_answers) {
            (false, _) => self.close(number, Outcome::Reached, None),
            (true, false) => {
                let why = "ready again; whether it is reachable is unknown: it did not answer before, either";
                self.close(number, Outcome::Unknown, Some(why));
            }
            // It answers, and never ceased to, or began again before the cluster showed it.
            (true, true) if is_same && answers => {
                self.current[number as usize].see(Milestone::Reachable, heard.at);
                self.close(number, Outcome::Reached, None);
            }
            // Its answer will end the outage.
            (true, true) => {}
        }
    }

    fn close(&mut self, number: u32, outcome: Outcome, why: Option<&str>) {
        let mut timeline = std::mem::replace(&mut self.current[number as usize], at_rest(number));
        timeline.outcome = outcome;
        timeline.reason = why.map(str::to_owned);
        let up = self.is_up(number);
        self.observation.vms[number as usize].was_up |= up;
        if self.observation.outages.len() < MOST_OUTAGES {
            self.observation.outages.push(timeline);
        } else {
            self.observation.dropped += 1;
        }
    }

    /// Ends the observation: a VM that is down is still down, or unknown if nothing could show its state.
    pub fn finish(mut self, now: Offset, blind: bool) -> Observation {
        for number in 0..self.current.len() as u32 {
            if !self.is_down(number) {
                continue;
            }
            let (outcome, why) = if blind {
                (Outcome::Unknown, "down when it was last seen; the cluster could not be watched at the end")
            } else {
                (Outcome::TimedOut, "still down when the observation ended")
            };
            self.close(number, outcome, Some(why));
        }
        self.observation.ended = Some(now);
        self.observation.watched_until = now;
        self.observation
    }
}

/// Sets the zero of a timeline to the first sign of its outage, if that is known to ±1 s or better.
fn date(timeline: &mut Timeline) {
    let Some(outage) = &timeline.outage else { return };
    let (at, source) = match outage.exactness {
        Exactness::Gap { from, to } if to.since(from).0 > SHORT_GAP_MICROS => {
            timeline.untimed = true;
            return;
        }
        Exactness::Gap { from, to } => (Offset(from.0 + to.since(from).0 / 2), Source::Stamped),
        Exactness::Stamp => (outage.at, Source::Stamped),
        Exactness::Watch | Exactness::Probe { .. } => (outage.at, Source::Seen),
    };
    timeline.untimed = false;
    timeline.moments.insert(Milestone::Requested, Moment { at, source });
}

/// Whether an instance that was up before and after a gap became ready in between.
fn ready_again(instance: &Instance, before: &Watched, heard: Arrival) -> bool {
    let changed = before.ready_since.is_some() && before.ready_since != instance.ready_since;
    instance.ready && changed && heard.stamped(instance.ready_since).is_some()
}

/// The timeline of a VM that is up.
fn at_rest(number: u32) -> Timeline {
    Timeline { outcome: Outcome::Excluded, ..Timeline::new(number) }
}
