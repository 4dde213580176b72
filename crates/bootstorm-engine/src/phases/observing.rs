//! Observes outages of VMs with external causes, without changing anything.
//!
//! Two watches, on instances and on nodes, feed a [`Watcher`]. Its state is passed on for saving every few seconds and
//! after each event, so that another process can continue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::Interrupt;
use super::guests::{From, Guests, ProberNews, Said};
use crate::cluster::changes::{ChangeDelivery, ChangeEvent, Changes};
use crate::cluster::machines::Machine;
use crate::cluster::node_state::NodeState;
use crate::cluster::scope::Scope;
use crate::cluster::stall::CATCHING_UP;
use crate::cluster::watch::{Delivery, Needs, Watch, WatchEvent};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observation::StreamKind;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Change, Clock, Milestone, Offset, Outcome, Timeline};
use bootstorm_model::outage::{Arrival, Cause, Observation, Rest, Sign, Watcher};
use bootstorm_model::plan::selection::is_system;
use bootstorm_model::plan::{Adoptee, Selection, Target};
use bootstorm_model::probe::Probe;
use bootstorm_model::record::Gap;

/// Interval of saves while nothing happens.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Minimum interval between two saves to a file.
pub const TO_FILE: Duration = Duration::from_millis(500);
/// Minimum interval between two saves to the cluster, which keeps every version for a while.
pub const TO_CLUSTER: Duration = Duration::from_secs(3);
/// Interval at which the end of the observation is checked.
const TICK: Duration = Duration::from_millis(250);
/// Interval at which an unreachable server is retried when an observation continues.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Time from its first sign to the first lookup of a VM without an instance: taking a VM down on purpose changes VM and
/// instance at about the same time.
const LOOK_AFTER: Duration = Duration::from_secs(3);
/// Maximum time between two lookups of VMs that stay down.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Time limit for the final lookup.
const LAST_LOOK: Duration = Duration::from_secs(10);
/// A shorter gap has missed nothing.
const SHORTEST_GAP: Offset = Offset(20_000);

/// VMs of a selection, and others
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// VMs to observe, in order of namespace and name.
    pub chosen: Vec<Adoptee>,
    /// Listed VMs that do not exist.
    pub missing: Vec<Target>,
    /// VMs in the cluster's own namespaces, which were not named.
    pub system: usize,
}

/// Resolves a selection to VMs. Changes nothing.
pub async fn choose(cluster: &Cluster, selection: &Selection) -> Result<Choice, ClusterError> {
    let namespaces = selection.namespaces();
    let scope = namespaces.as_ref().map_or(Scope::All, Scope::around);
    let selector = match selection {
        Selection::Label { selector, .. } => selector.as_str(),
        Selection::List { .. } => "",
    };
    let machines = cluster.machines_in(&scope, selector).await?;
    let mut choice = Choice::default();
    let mut found: BTreeMap<Target, Adoptee> = BTreeMap::new();
    for machine in machines {
        let target = machine.target();
        let wanted = match selection {
            Selection::List { targets, .. } => targets.binary_search(&target).is_ok(),
            Selection::Label { .. } => {
                namespaces.as_ref().is_none_or(|names| names.contains(&target.namespace))
            }
        };
        if !wanted {
            continue;
        }
        if is_system(&target.namespace) && !selection.names(&target.namespace) {
            choice.system += 1;
            continue;
        }
        found.insert(target, observed(&machine));
    }
    if let Selection::List { targets, .. } = selection {
        choice.missing = targets.iter().filter(|target| !found.contains_key(target)).cloned().collect();
    }
    choice.chosen = found.into_values().collect();
    Ok(choice)
}

fn observed(machine: &Machine) -> Adoptee {
    let (target, uid) = (machine.target(), machine.uid().to_owned());
    Adoptee { target, uid, before: machine.setting(), on: machine.printable() == "Running" }
}

/// Alternatives to a selection without matches
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Namespaces with VMs, and their number.
    pub namespaces: BTreeMap<String, usize>,
    /// Labels of VMs in the searched namespaces, as `key=value`, and their number of VMs.
    pub labels: BTreeMap<String, usize>,
}

/// Finds alternatives. Without permission to list VMs everywhere, only those in the selection's namespaces are offered.
pub async fn offer(cluster: &Cluster, selection: &Selection) -> Offer {
    let mut offer = Offer::default();
    let names = selection.namespaces();
    let machines = match cluster.machines_in(&Scope::All, "").await {
        Ok(machines) => machines,
        Err(_) => match &names {
            Some(names) => cluster.machines_in(&Scope::around(names), "").await.unwrap_or_default(),
            None => Vec::new(),
        },
    };
    for machine in machines {
        let namespace = machine.target().namespace;
        if names.as_ref().is_none_or(|names| names.contains(&namespace)) {
            for (key, value) in &machine.metadata().labels {
                *offer.labels.entry(format!("{key}={value}")).or_default() += 1;
            }
        }
        *offer.namespaces.entry(namespace).or_default() += 1;
    }
    offer
}

/// When an observation ends
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// This long after it began.
    pub after: Option<Duration>,
    /// Once an outage was seen and no VM has been down for this long.
    pub settled: Option<Duration>,
}

/// Reason for the end of an observation
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its time was up.
    Time,
    /// Every VM that was down is back.
    Settled,
    /// The user interrupted it.
    Interrupted,
}

/// An event of an observation
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The observation began, or continues where another process left it.
    Began {
        /// Watched VMs.
        vms: usize,
        /// VMs among them that are up.
        up: usize,
        /// Unwatched time, if it continues.
        unwatched: Option<Duration>,
    },
    /// A VM went down.
    Down {
        /// The VM.
        target: Target,
        /// First sign.
        sign: Sign,
        /// Most likely cause, as far as seen.
        cause: Cause,
        /// Node on which it ran.
        node: Option<String>,
        /// VMs that are down now.
        down: usize,
    },
    /// An outage has ended.
    Back {
        /// The VM.
        target: Target,
        /// Seconds from the first sign; `None` if unknown.
        took: Option<f64>,
        /// VMs that are down now.
        down: usize,
    },
    /// A VM that is down does not come back by itself.
    Rests {
        /// The VM.
        target: Target,
        /// Reason.
        why: Rest,
        /// VMs that are down now, and are expected back.
        down: usize,
    },
    /// A stream stopped delivering, or delivers again.
    Blind {
        /// Stream.
        stream: StreamKind,
        /// Whether it stopped delivering.
        begins: bool,
    },
    /// A warning for the user.
    Warning(String),
}

/// Saves an observation
pub type Save = Arc<dyn Fn(&Observation) -> Result<(), String> + Send + Sync>;

/// Context of an observation
pub struct ObserveContext<'a> {
    /// Cluster.
    pub cluster: &'a Cluster,
    /// VMs, in the order of the plan.
    pub targets: &'a [Target],
    /// The observation so far: a new one, or one that another process began.
    pub observation: Observation,
    /// Origin and kind of the probes; `None` without probes.
    pub probes: Option<(From, Probe)>,
    /// When it ends.
    pub limits: Limits,
    /// The user's interrupt.
    pub interrupt: Interrupt,
    /// Receives events.
    pub events: &'a (dyn Fn(&Seen) + Sync),
    /// Saves the observation while it continues. Called repeatedly, in the background; the last state is returned.
    pub save: Save,
    /// Minimum interval between two saves.
    pub pause: Duration,
    /// Whether another process continues the observation after an interrupt, which then does not end it.
    pub is_continued: bool,
}

/// The clock of an observation that begins or continues now.
pub fn clock(cluster: &Cluster, known: Option<&Observation>) -> Clock {
    match known {
        Some(known) => Clock::resume(known.began, known.server_ahead_micros, cluster.server_ahead()),
        None => Clock::start(),
    }
}

/// Observes until a limit is reached, or the user interrupts; the result is still to be saved.
///
/// Fails only if the watches cannot be opened at its beginning. A continued observation waits for an unreachable
/// server; if it is interrupted meanwhile, the result is what was known before.
pub async fn observe(
    work: ObserveContext<'_>,
    clock: Clock,
    goes_on: bool,
) -> Result<(Observation, End), ClusterError> {
    let mut interrupt = work.interrupt.clone();
    let opened = tokio::select! {
        biased;
        () = interrupt.wait() => None,
        opened = open(&work, goes_on) => Some(opened?),
    };
    let Some(opened) = opened else {
        if !goes_on {
            let why = "interrupted before the API server had answered; nothing was observed";
            return Err(ClusterError::new("observe virtual machines", Kind::TimedOut, why));
        }
        return Ok((unwatched(work, clock), End::Interrupted));
    };
    let Opened { changes, first, nodes, listed, guests } = opened;
    let mut watching = Watching::begin(work, clock, changes, nodes);
    if let Some(guests) = &guests {
        watching.watcher.observation_mut().interval_millis = guests.interval_millis();
    }
    watching.guests = guests;
    watching.first(&first, &listed, goes_on);
    Ok(watching.go_on().await)
}

/// The streams of an observation that begins or continues
struct Opened {
    changes: Changes,
    /// First list of instances.
    first: Vec<Change>,
    nodes: Option<Watch<NodeState>>,
    /// First list of nodes.
    listed: Vec<NodeState>,
    guests: Option<Guests>,
}

/// Opens the streams. A continued observation waits for an unreachable server.
async fn open(work: &ObserveContext<'_>, goes_on: bool) -> Result<Opened, ClusterError> {
    let scope = Scope::of(work.targets);
    let mut is_told = false;
    let (nodes, mut changes) = loop {
        let (nodes, changes) = tokio::join!(
            work.cluster.watch_nodes(),
            Changes::open_on(work.cluster, &scope, work.targets.iter().cloned().collect(), Needs::Objects),
        );
        let away =
            [nodes.as_ref().err(), changes.as_ref().err()].into_iter().flatten().find(|one| is_away(one));
        let Some(away) = away.filter(|_| goes_on).cloned() else { break (nodes, changes?) };
        // It existed before: the outage under observation may be that of the server itself.
        if !std::mem::replace(&mut is_told, true) {
            (work.events)(&Seen::Warning(format!("waiting for the API server: {away}")));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    };
    let mut nodes = match nodes {
        Ok(nodes) => Some(nodes),
        Err(error) if error.kind == Kind::Forbidden => {
            let text = "nodes are not watched, so a lost node only shows in its VMs";
            (work.events)(&Seen::Warning(format!("{text}: {}", error.message)));
            None
        }
        Err(error) => return Err(error),
    };
    let guests = match &work.probes {
        Some((from, probe)) => Some(Guests::open(work.cluster, from, *probe, work.targets.len()).await?),
        None => None,
    };
    let first = super::timed::first_list(&mut changes).await;
    let listed = match &mut nodes {
        Some(nodes) => match nodes.next().await {
            Some(Delivery { event: WatchEvent::Listed(listed), .. }) => listed,
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    Ok(Opened { changes, first, nodes, listed, guests })
}

/// What was known of an observation that was interrupted before it could continue.
fn unwatched(work: ObserveContext<'_>, clock: Clock) -> Observation {
    let (now, from) = (clock.now(), work.observation.watched_until);
    let mut watcher = Watcher::new(work.targets, work.observation);
    if work.is_continued {
        return watcher.observation();
    }
    Gap { from, to: now, open: true, ..Gap::default() }.note(&mut watcher.observation_mut().gaps);
    let known = watcher.finish(now, true);
    Observation { watched_until: from, ..known }
}

/// Whether a server cannot be reached, or does not answer.
fn is_away(error: &ClusterError) -> bool {
    matches!(error.kind, Kind::Unreachable | Kind::TimedOut | Kind::Unavailable | Kind::CutShort)
}

/// The last gap of a watch
#[derive(Debug, Clone, Copy)]
struct LastGap {
    /// Time of its last delivery.
    from: Offset,
    /// Time of its reconnection; absent while it is not connected.
    restored: Option<Offset>,
}

impl LastGap {
    /// The gap of a watch that does not deliver since then. A watch that breaks again before it has delivered the
    /// missed changes is still in the same gap.
    fn after(before: Option<Self>, since: Offset) -> Self {
        let is_same = |gap: &Self| gap.restored.is_none_or(|restored| since < restored.plus(CATCHING_UP));
        let from = before.filter(is_same).map_or(since, |gap| gap.from.min(since));
        Self { from, restored: None }
    }

    /// Whether missed changes may not have arrived yet.
    fn goes_on(self, now: Offset) -> bool {
        self.restored.is_none_or(|restored| now < restored.plus(CATCHING_UP))
    }
}

struct Watching<'a> {
    cluster: &'a Cluster,
    clock: Clock,
    watcher: Watcher,
    changes: Changes,
    nodes: Option<Watch<NodeState>>,
    /// `None` unless guests are probed.
    guests: Option<Guests>,
    /// Last gap of each watch on instances.
    gaps: HashMap<usize, LastGap>,
    /// Watches on instances that currently do not deliver.
    blind: Vec<usize>,
    /// Whether the user was told of the interruption.
    is_blindness_told: bool,
    /// Last gap of the watch on nodes.
    nodes_gap: Option<LastGap>,
    limits: Limits,
    interrupt: Interrupt,
    is_continued: bool,
    events: &'a (dyn Fn(&Seen) + Sync),
    saver: Saver,
    /// VMs that were down at the last report.
    down: Vec<bool>,
    /// Outages that had ended then.
    over: usize,
    /// Time since which no VM has been down.
    quiet_since: Instant,
    look: Look,
}

/// A delivery of one of the streams
enum Next {
    Instances(ChangeDelivery),
    Node(Box<Delivery<NodeState>>),
    Prober(ProberNews),
}

impl<'a> Watching<'a> {
    fn begin(
        work: ObserveContext<'a>,
        clock: Clock,
        changes: Changes,
        nodes: Option<Watch<NodeState>>,
    ) -> Self {
        let down = work.observation.vms.iter().map(|vm| vm.open.is_some()).collect();
        let over = work.observation.outages.len();
        Self {
            cluster: work.cluster,
            clock,
            watcher: Watcher::new(work.targets, work.observation),
            changes,
            nodes,
            guests: None,
            gaps: HashMap::new(),
            blind: Vec::new(),
            is_blindness_told: false,
            nodes_gap: None,
            limits: work.limits,
            interrupt: work.interrupt,
            is_continued: work.is_continued,
            events: work.events,
            saver: Saver {
                save: work.save,
                pause: work.pause,
                last: monotonic_now(),
                running: None,
                is_due: true,
                failed: false,
            },
            down,
            over,
            quiet_since: monotonic_now(),
            look: Look::default(),
        }
    }

    fn heard(&self, at: Offset, gap: Option<Offset>) -> Arrival {
        Arrival { at, gap, server_zero: self.clock.zero_at(self.cluster.server_now()) }
    }

    /// Applies the initial lists; for a continued observation, after a gap.
    fn first(&mut self, first: &[Change], nodes: &[NodeState], goes_on: bool) {
        let now = self.clock.now();
        let known = self.watcher.observation_mut();
        let gap = goes_on.then_some(known.watched_until);
        if let Some(from) = gap {
            known.continued += 1;
            known.ended = None;
            Gap { from, to: now, ..Gap::default() }.note(&mut known.gaps);
        }
        known.server_ahead_micros.get_or_insert(self.cluster.server_ahead());
        let heard = self.heard(now, gap);
        for node in nodes {
            self.watcher.node(node.name(), node.facts(), heard);
        }
        self.watcher.listed(first, heard);
        for change in first {
            self.probe(change);
        }
        self.proven();
        let vms = self.watcher.targets().len();
        let up = vms - self.watcher.never_up() - self.watcher.down().count();
        let unwatched = gap.map(|from| Duration::from_micros(now.since(from).0.max(0).unsigned_abs()));
        (self.events)(&Seen::Began { vms, up, unwatched });
        self.report();
    }

    async fn go_on(mut self) -> (Observation, End) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut interrupt = self.interrupt.clone();
        let end = loop {
            tokio::select! {
                biased;
                () = interrupt.wait() => break End::Interrupted,
                next = self.next() => match next {
                    Some(Next::Instances(received)) => self.received(received),
                    Some(Next::Node(delivered)) => self.node(*delivered),
                    Some(Next::Prober(news)) => self.prober(news),
                    // Only while the program ends.
                    None => break End::Interrupted,
                },
                _ = tick.tick() => {
                    self.proven();
                    self.watcher.tick(self.clock.now());
                    self.look().await;
                    if let Some(end) = self.is_over() {
                        break end;
                    }
                    if let Some(why) = self.saver.tick(&self.watcher).await {
                        (self.events)(&Seen::Warning(format!("the observation could not be saved: {why}")));
                    }
                }
            }
            self.report();
        };
        self.saver.finish().await;
        if end == End::Interrupted && self.is_continued {
            self.proven();
            return (self.watcher.observation(), end);
        }
        self.last_look().await;
        self.report();
        let blind = !self.blind.is_empty();
        (self.watcher.finish(self.clock.now(), blind), end)
    }

    /// The next delivery of any stream. Cancel-safe.
    async fn next(&mut self) -> Option<Next> {
        poll_fn(|cx| {
            // A lost node explains what follows.
            if let Some(Poll::Ready(delivered)) = self.nodes.as_mut().map(|nodes| nodes.poll_next(cx)) {
                return Poll::Ready(delivered.map(|heard| Next::Node(Box::new(heard))));
            }
            if let Some(Poll::Ready(news)) = self.guests.as_mut().map(|guests| guests.poll_next(cx)) {
                return Poll::Ready(Some(Next::Prober(news)));
            }
            match self.changes.poll_next(cx) {
                Poll::Ready(received) => Poll::Ready(received.map(Next::Instances)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn received(&mut self, received: ChangeDelivery) {
        let ChangeDelivery { number, at, late, event } = received;
        let at = self.clock.at(at);
        match event {
            ChangeEvent::Changes(changes) => {
                let gap = late.then(|| self.gaps.get(&number).map_or(at, |gap| gap.from));
                let heard = self.heard(at, gap);
                for change in &changes {
                    self.watcher.instance(change, heard);
                    self.probe(change);
                }
            }
            ChangeEvent::Interrupted { since, expected } => {
                let gap = LastGap::after(self.gaps.get(&number).copied(), self.clock.at(since));
                self.gaps.insert(number, gap);
                self.blind.push(number);
                if !expected && !self.is_blindness_told {
                    self.is_blindness_told = true;
                    (self.events)(&Seen::Blind { stream: StreamKind::Instances, begins: true });
                }
            }
            ChangeEvent::Restored => {
                self.blind.retain(|blind| *blind != number);
                let from = self.gaps.get(&number).map_or(at, |gap| gap.from);
                self.gaps.insert(number, LastGap { from, restored: Some(at) });
                if at.since(from) >= SHORTEST_GAP {
                    let stream = Some(StreamKind::Instances);
                    Gap { from, to: at, stream, open: false }.note(&mut self.watcher.observation_mut().gaps);
                }
                if self.blind.is_empty() && std::mem::take(&mut self.is_blindness_told) {
                    (self.events)(&Seen::Blind { stream: StreamKind::Instances, begins: false });
                }
            }
            ChangeEvent::Unreadable(fault) => (self.events)(&Seen::Warning(fault.to_string())),
            ChangeEvent::Complaint(error) => (self.events)(&Seen::Warning(error.to_string())),
        }
    }

    /// Probes the guest of an instance.
    fn probe(&mut self, change: &Change) {
        if let Some(guests) = &mut self.guests {
            guests.follow(&self.watcher, change);
        }
    }

    fn prober(&mut self, news: ProberNews) {
        let Some(guests) = &mut self.guests else { return };
        let stream = StreamKind::Prober;
        match guests.take(news, self.clock, &mut self.watcher) {
            Said::Nothing => {}
            Said::Warning(why) => (self.events)(&Seen::Warning(why)),
            Said::Broken(since, why) => {
                let from = self.clock.at(since);
                let gap = Gap { from, to: self.clock.now(), stream: Some(stream), open: true };
                gap.note(&mut self.watcher.observation_mut().gaps);
                tracing::info!(why, "the prober is interrupted");
                (self.events)(&Seen::Blind { stream, begins: true });
            }
            Said::Restored => {
                let now = self.clock.now();
                let gaps = &mut self.watcher.observation_mut().gaps;
                for gap in gaps.iter_mut().filter(|gap| gap.open && gap.stream == Some(stream)) {
                    (gap.to, gap.open) = (now, false);
                }
                (self.events)(&Seen::Blind { stream, begins: false });
            }
        }
    }

    fn node(&mut self, delivered: Delivery<NodeState>) {
        let Delivery { at, late, event, .. } = delivered;
        let at = self.clock.at(at);
        let heard = self.heard(at, late.then(|| self.nodes_gap.map_or(at, |gap| gap.from)));
        match event {
            WatchEvent::Listed(nodes) => {
                for node in nodes {
                    self.watcher.node(node.name(), node.facts(), heard);
                }
            }
            WatchEvent::Changed(node) => self.watcher.node(node.name(), node.facts(), heard),
            // A node that is removed from the cluster counts as lost.
            WatchEvent::Removed(node) => {
                let facts = bootstorm_model::outage::NodeFacts { ready: false, since: None, ..node.facts() };
                self.watcher.node(node.name(), facts, heard);
            }
            WatchEvent::Interrupted { since, .. } => {
                self.nodes_gap = Some(LastGap::after(self.nodes_gap, self.clock.at(since)));
            }
            WatchEvent::Restored => {
                self.nodes_gap = self.nodes_gap.map(|gap| LastGap { restored: Some(at), ..gap });
            }
            WatchEvent::Complaint(_) => {}
            WatchEvent::Unreadable(fault) => tracing::debug!(%fault, "skipped"),
        }
    }

    /// Records how far every watch on instances proved to deliver.
    fn proven(&mut self) {
        let now = self.clock.now();
        let is_behind = !self.blind.is_empty() || self.gaps.values().any(|gap| gap.goes_on(now));
        if let Some(delivered) = self.changes.delivered().filter(|_| !is_behind) {
            let at = self.clock.at(delivered);
            let known = self.watcher.observation_mut();
            known.watched_until = known.watched_until.max(at);
        }
    }

    /// Determines which of the VMs that stay down are down on purpose.
    async fn look(&mut self) {
        if let Some(task) = self.look.running.take_if(|task| task.is_finished()) {
            match task.await {
                Ok(Ok(resting)) => self.rest(&resting),
                Ok(Err(error)) => tracing::debug!(%error, "VMs that are down could not be looked up"),
                Err(error) => tracing::debug!(%error, "the lookup of the VMs failed"),
            }
        }
        let leaving: Vec<(u32, Offset)> = self.watcher.leaving().collect();
        let now = self.clock.now();
        if self.look.running.is_none() && self.blind.is_empty() && self.look.is_due(&leaving, now) {
            let targets = self.targets(&leaving);
            let cluster = self.cluster.clone();
            self.look.running = Some(tokio::spawn(async move { resting(&cluster, targets).await }));
        }
    }

    /// Determines that once more before the observation ends: VMs that are not expected back are no failure.
    async fn last_look(&mut self) {
        if let Some(task) = self.look.running.take() {
            task.abort();
        }
        let leaving: Vec<(u32, Offset)> = self.watcher.leaving().collect();
        if leaving.is_empty() || !self.blind.is_empty() {
            return;
        }
        let look = resting(self.cluster, self.targets(&leaving));
        match tokio::time::timeout(LAST_LOOK, look).await {
            Ok(Ok(resting)) => self.rest(&resting),
            Ok(Err(error)) => tracing::debug!(%error, "VMs that are down could not be looked up"),
            Err(_) => tracing::debug!("VMs that are down could not be looked up in time"),
        }
    }

    fn targets(&self, numbers: &[(u32, Offset)]) -> Vec<Target> {
        numbers
            .iter()
            .filter_map(|(number, _)| self.watcher.targets().get(*number as usize))
            .cloned()
            .collect()
    }

    fn rest(&mut self, resting: &[(Target, Rest)]) {
        for (target, why) in resting {
            if let Some(number) = self.watcher.position(target) {
                self.watcher.rests(number, *why);
            }
        }
    }

    fn is_over(&self) -> Option<End> {
        let passed = Duration::from_micros(self.clock.now().0.max(0).unsigned_abs());
        if self.limits.after.is_some_and(|after| passed >= after) {
            return Some(End::Time);
        }
        let is_quiet = |settled: Duration| {
            !self.watcher.over().is_empty()
                && self.blind.is_empty()
                && self.watcher.down().next().is_none()
                && elapsed_since(self.quiet_since) >= settled
        };
        self.limits.settled.is_some_and(is_quiet).then_some(End::Settled)
    }

    /// Reports VMs that went down or came back.
    fn report(&mut self) {
        let now_down: Vec<&Timeline> = self.watcher.down().collect();
        let count = now_down.len();
        let over = self.watcher.over();
        if count > 0 || over.len() > self.over {
            self.quiet_since = monotonic_now();
        }
        for timeline in over.get(self.over..).unwrap_or_default() {
            // An outage that began and ended in a gap is one event.
            if !std::mem::take(&mut self.down[timeline.target as usize]) {
                self.say_down(timeline, count);
            }
            let Some(target) = self.watcher.targets().get(timeline.target as usize).cloned() else {
                continue;
            };
            self.saver.is_due = true;
            if matches!(timeline.outcome, Outcome::Excluded | Outcome::Failed) {
                let why = self.watcher.resting(timeline.target).unwrap_or(Rest::Stopped);
                (self.events)(&Seen::Rests { target, why, down: count });
                continue;
            }
            let goal =
                if timeline.has(Milestone::Reachable) { Milestone::Reachable } else { Milestone::Ready };
            let took = timeline.seconds_to(goal).filter(|_| timeline.outcome == Outcome::Reached);
            (self.events)(&Seen::Back { target, took, down: count });
        }
        self.over = over.len();
        let mut fresh = Vec::new();
        for timeline in now_down {
            if !std::mem::replace(&mut self.down[timeline.target as usize], true) {
                fresh.push(timeline.clone());
            }
        }
        for timeline in fresh {
            self.say_down(&timeline, count);
            self.saver.is_due = true;
        }
    }

    fn say_down(&self, timeline: &Timeline, down: usize) {
        let target = self.watcher.targets().get(timeline.target as usize).cloned();
        if let (Some(target), Some(outage)) = (target, &timeline.outage) {
            let (sign, cause, node) = (outage.sign, outage.cause, outage.left_node.clone());
            (self.events)(&Seen::Down { target, sign, cause, node, down });
        }
    }
}

/// VMs that are not meant to run, with the reason
type Resting = Vec<(Target, Rest)>;

/// Schedule of lookups of VMs that stay down
#[derive(Default)]
struct Look {
    running: Option<JoinHandle<Result<Resting, ClusterError>>>,
    /// VMs that were looked up, and are meant to run.
    known: BTreeSet<u32>,
    /// Time of the last lookup, and the delay of the next one.
    last: Option<(Offset, Duration)>,
}

impl Look {
    /// Whether a lookup is due: a VM not yet looked up has been down for a while, or the next lookup is due.
    fn is_due(&mut self, leaving: &[(u32, Offset)], now: Offset) -> bool {
        let passed = |since: Offset| Duration::from_micros(now.since(since).0.max(0).unsigned_abs());
        self.known.retain(|known| leaving.iter().any(|(number, _)| number == known));
        let ripe =
            |(number, since): &&(u32, Offset)| passed(*since) >= LOOK_AFTER && !self.known.contains(number);
        let fresh: Vec<u32> = leaving.iter().filter(ripe).map(|(number, _)| *number).collect();
        let wait = match self.last {
            // VMs go down one after the other: one lookup at intervals for all of them.
            Some((_, _)) if !fresh.is_empty() => LOOK_AFTER,
            Some((_, wait)) => wait,
            None => Duration::ZERO,
        };
        let is_time = self.last.is_none_or(|(last, _)| passed(last) >= wait);
        let is_due = is_time && (!fresh.is_empty() || !self.known.is_empty());
        if is_due {
            let next = if fresh.is_empty() { (wait * 2).min(LOOK_AGAIN) } else { LOOK_AFTER * 2 };
            self.last = Some((now, next));
            self.known.extend(fresh);
        }
        is_due
    }
}

/// VMs among these that are not meant to run.
async fn resting(cluster: &Cluster, targets: Vec<Target>) -> Result<Resting, ClusterError> {
    let machines = cluster.machines_in(&Scope::of(&targets), "").await?;
    let there: HashMap<Target, &Machine> =
        machines.iter().map(|machine| (machine.target(), machine)).collect();
    let why = |target: &Target| match there.get(target) {
        None => Some(Rest::Deleted),
        Some(machine) if machine.is_going() => Some(Rest::Deleted),
        Some(machine) if machine.is_halted() => Some(Rest::Stopped),
        Some(machine) if machine.rests() => Some(Rest::Left),
        Some(_) => None,
    };
    Ok(targets.into_iter().filter_map(|target| why(&target).map(|why| (target, why))).collect())
}

/// Saves in the background, one save at a time
struct Saver {
    save: Save,
    /// Minimum interval between two saves.
    pause: Duration,
    last: Instant,
    running: Option<JoinHandle<Result<(), String>>>,
    /// Whether anything happened since the last save.
    is_due: bool,
    /// Whether the last save failed, which has been reported.
    failed: bool,
}

impl Saver {
    /// Begins a save if one is due; returns the error of the last one, once.
    async fn tick(&mut self, watcher: &Watcher) -> Option<String> {
        let mut why = None;
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            why = self.finish().await;
        }
        let wait = if self.is_due { self.pause } else { SAVE_EVERY };
        if self.running.is_none() && elapsed_since(self.last) >= wait {
            (self.last, self.is_due) = (monotonic_now(), false);
            let (save, observation) = (Arc::clone(&self.save), watcher.observation());
            self.running = Some(tokio::task::spawn_blocking(move || save(&observation)));
        }
        why
    }

    /// Waits for a save in progress.
    async fn finish(&mut self) -> Option<String> {
        let outcome = self.running.take()?.await.unwrap_or_else(|error| Err(error.to_string()));
        let failed = std::mem::replace(&mut self.failed, outcome.is_err());
        outcome.err().filter(|_| !failed)
    }
}
