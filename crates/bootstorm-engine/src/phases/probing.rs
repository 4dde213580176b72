//! Keeps the probers' streams open while a phase goes on, and turns their answers into news for the board.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::prober::{Heard, Place, converse};
use crate::cluster::{Cluster, Kind, Trouble};
use bootstorm_model::observe::Clock;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::probe::{Answer, Ask, Family, Hello, Pace, Probe, Roster};
use bootstorm_model::record::{Gap, ProbeHealth};

/// How long the streams may take to be ready before a phase begins.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// After a break, answers that arrive within this time may have been waiting for us.
const CATCHING_UP: Duration = Duration::from_secs(2);

/// The streams of a phase; dropping it ends them
pub(super) struct Probing {
    clock: Clock,
    roster: Roster,
    probes: Vec<Probe>,
    lanes: Vec<Lane>,
    heard: mpsc::UnboundedReceiver<Heard>,
    health: ProbeHealth,
    pace: Pace,
    /// Complaints that were told: a prober that cannot probe one guest cannot probe a thousand.
    told: HashSet<(usize, Probe, Family, String)>,
}

/// What is known of one prober's stream
struct Lane {
    asks: mpsc::UnboundedSender<Ask>,
    broken_since: Option<Instant>,
    catching_up_until: Option<Instant>,
    opened: bool,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// News from the probers
#[derive(Debug)]
pub(super) enum Probed {
    /// A guest answered.
    Answered { target: u32, probe: Probe, at: Instant, late: bool },
    /// A stream was broken for this long.
    Blind(Gap),
    /// Something that the user should know.
    Warning(String),
}

impl Probing {
    /// Opens a stream to every prober and waits until each one says hello.
    ///
    /// Fails when a prober is not ready in time, with what it complains about.
    pub(super) async fn open(
        cluster: &Cluster,
        places: Vec<Place>,
        probes: &[Probe],
        pace: Pace,
        clock: Clock,
    ) -> Result<Self, Trouble> {
        let (sender, heard) = mpsc::unbounded_channel();
        let health = ProbeHealth { probers: places.len(), ..ProbeHealth::default() };
        let lane = |(number, place): (usize, Place)| {
            let (asks, inbox) = mpsc::unbounded_channel();
            let task = tokio::spawn(converse(cluster.clone(), number, place, pace, inbox, sender.clone()));
            Lane { asks, broken_since: None, catching_up_until: None, opened: false, task }
        };
        let roster = Roster::new(places.len());
        let lanes: Vec<Lane> = places.into_iter().enumerate().map(lane).collect();
        let probes = probes.iter().copied().filter(|probe| probe.needs_prober()).collect();
        let mut probing = Self { clock, roster, probes, lanes, heard, health, pace, told: HashSet::new() };
        probing.wait_until_ready().await?;
        Ok(probing)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Trouble> {
        let until = monotonic_now() + READY_WITHIN;
        let mut complaint = "it did not say hello".to_owned();
        while self.lanes.iter().any(|lane| !lane.opened) {
            match tokio::time::timeout_at(until.into(), self.heard.recv()).await {
                Ok(Some(heard)) => {
                    if let Heard::Broken { why, .. } = &heard {
                        complaint.clone_from(why);
                    }
                    self.take(heard);
                }
                _ => return Err(Trouble::new("reach the prober pod", Kind::TimedOut, complaint)),
            }
        }
        self.health.gaps.clear();
        Ok(())
    }

    /// Begins to probe a guest, or goes on at its new address.
    pub(super) fn due(&mut self, target: u32, address: IpAddr, answered: impl Fn(Probe) -> bool) {
        for probe in self.probes.clone() {
            if !answered(probe) {
                let asks = self.roster.add(target, probe, address);
                self.send(asks);
            }
        }
    }

    /// Stops probing a guest.
    pub(super) fn forget(&mut self, target: u32) {
        for probe in self.probes.clone() {
            let ask = self.roster.forget(target, probe);
            self.send(ask);
        }
    }

    /// The next news. Safe to cancel.
    pub(super) async fn next(&mut self) -> Probed {
        loop {
            match self.heard.recv().await {
                Some(heard) => {
                    if let Some(probed) = self.take(heard) {
                        return probed;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// How exactly the probes could see.
    pub(super) fn health(&self) -> ProbeHealth {
        self.health.clone()
    }

    fn send(&self, asks: impl IntoIterator<Item = (usize, Ask)>) {
        for (prober, ask) in asks {
            if let Some(lane) = self.lanes.get(prober) {
                // A lane whose task ended has said so; its asks are in the roster.
                let _ = lane.asks.send(ask);
            }
        }
    }

    fn take(&mut self, heard: Heard) -> Option<Probed> {
        match heard {
            Heard::Opened { prober, hello } => self.opened(prober, hello),
            Heard::RoundTrip(time) => {
                let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
                self.health.round_trip_micros = self.health.round_trip_micros.max(micros);
                None
            }
            Heard::Broken { prober, since, why } => {
                tracing::info!(prober, why, "the stream of a prober broke");
                self.lanes[prober].broken_since.get_or_insert(since);
                None
            }
            Heard::Said { prober, at, answer } => self.said(prober, at, answer),
        }
    }

    fn opened(&mut self, prober: usize, hello: Hello) -> Option<Probed> {
        self.health.streams += 1;
        let interval = self.pace.interval_millis(hello.by);
        self.health.interval_millis = self.health.interval_millis.max(interval);
        let again = self.roster.again(prober);
        let lane = &mut self.lanes[prober];
        lane.opened = true;
        for ask in again {
            let _ = lane.asks.send(ask);
        }
        let now = monotonic_now();
        let since = lane.broken_since.take()?;
        lane.catching_up_until = Some(now + CATCHING_UP);
        let gap = Gap { from: self.clock.at(since), to: self.clock.at(now) };
        self.health.gaps.push(gap);
        Some(Probed::Blind(gap))
    }

    fn said(&mut self, prober: usize, at: Instant, answer: Answer) -> Option<Probed> {
        match answer {
            Answer::Reached(id) => {
                let (answered, ask) = self.roster.reached(id)?;
                self.send(ask);
                let late = self.lanes[prober].catching_up_until.is_some_and(|until| at < until);
                Some(Probed::Answered { target: answered.target, probe: answered.probe, at, late })
            }
            Answer::Cannot(id, why) => {
                let (who, address) = self.roster.who(id)?;
                let family = Family::of(address);
                let is_new = self.told.insert((prober, who.probe, family, why.clone()));
                is_new.then(|| {
                    let text =
                        format!("prober {}: {} over {family} cannot be tried: {why}", prober + 1, who.probe);
                    Probed::Warning(text)
                })
            }
            Answer::Neighbor(_) => {
                self.health.neighbors = true;
                None
            }
            Answer::Warning(why) => Some(Probed::Warning(format!("prober {}: {why}", prober + 1))),
            Answer::Hello(_) | Answer::Echo(_) | Answer::Wanted(_) | Answer::Lacks(..) => None,
        }
    }
}
