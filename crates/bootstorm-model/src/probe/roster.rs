//! Tracks the probed VMs, their probers, and the requests to repeat when a stream reopens.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::{Ask, Probe};

/// A target that answered
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answered {
    /// Position of the VM in the plan.
    pub target: u32,
    /// Probe answered.
    pub probe: Probe,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    answered: Answered,
    address: IpAddr,
    prober: usize,
    is_kept: bool,
}

impl Waiting {
    fn ask(&self, id: u32) -> Ask {
        Ask::Add { id, probe: self.answered.probe, address: self.address, is_kept: self.is_kept }
    }
}

/// Every probe that waits for an answer or is continuous
///
/// Ids are never reused, so that an answer in flight when an address changed cannot be taken for one from the new
/// address.
#[derive(Debug)]
pub struct Roster {
    waiting: HashMap<u32, Waiting>,
    ids: HashMap<(u32, Probe), u32>,
    next: u32,
    load: Vec<usize>,
    /// Probes that are no longer kept, until the prober has reported the last answer.
    parting: HashMap<u32, Answered>,
}

impl Roster {
    /// A roster for this many probers.
    pub fn new(probers: usize) -> Self {
        let load = vec![0; probers.max(1)];
        Self { waiting: HashMap::new(), ids: HashMap::new(), next: 0, load, parting: HashMap::new() }
    }

    /// Starts probing a VM at an address, or switches to a new one, until it answers; returns the requests per prober.
    pub fn add(&mut self, target: u32, probe: Probe, address: IpAddr) -> Vec<(usize, Ask)> {
        self.begin(Answered { target, probe }, address, false)
    }

    /// Like [`Self::add`], but continuously.
    pub fn keep(&mut self, target: u32, probe: Probe, address: IpAddr) -> Vec<(usize, Ask)> {
        self.begin(Answered { target, probe }, address, true)
    }

    fn begin(&mut self, answered: Answered, address: IpAddr, is_kept: bool) -> Vec<(usize, Ask)> {
        let Answered { target, probe } = answered;
        let mut asks = Vec::new();
        let mut prober = None;
        if let Some(id) = self.ids.get(&(target, probe)).copied()
            && let Some(known) = self.waiting.get(&id)
        {
            if known.address == address {
                return Vec::new();
            }
            prober = Some(known.prober);
            asks.extend(self.forget(target, probe));
        }
        let least = || self.load.iter().enumerate().min_by_key(|(_, load)| **load).map_or(0, |(n, _)| n);
        let prober = prober.unwrap_or_else(least);
        let id = self.next;
        self.next += 1;
        self.load[prober] += 1;
        self.ids.insert((target, probe), id);
        let waiting = Waiting { answered, address, prober, is_kept };
        asks.push((prober, waiting.ask(id)));
        self.waiting.insert(id, waiting);
        asks
    }

    /// Stops one probe of a VM.
    pub fn forget(&mut self, target: u32, probe: Probe) -> Option<(usize, Ask)> {
        let id = self.ids.remove(&(target, probe))?;
        let waiting = self.waiting.remove(&id)?;
        self.load[waiting.prober] -= 1;
        if waiting.is_kept {
            self.parting.insert(id, waiting.answered);
        }
        Some((waiting.prober, Ask::Drop(id)))
    }

    /// Records an answer; `None` if it is no longer expected. Also returns requests for the prober.
    pub fn reached(&mut self, id: u32) -> Option<(Answered, Option<(usize, Ask)>)> {
        let Waiting { answered, is_kept, .. } = *self.waiting.get(&id)?;
        let ask = if is_kept { None } else { self.forget(answered.target, answered.probe) };
        Some((answered, ask))
    }

    /// The guest that went quiet: one that is kept, or was kept until its prober received the drop.
    pub fn quiet(&mut self, id: u32) -> Option<Answered> {
        self.parting.remove(&id).or_else(|| self.waiting.get(&id).map(|waiting| waiting.answered))
    }

    /// VM and address of an id.
    pub fn who(&self, id: u32) -> Option<(Answered, IpAddr)> {
        self.waiting.get(&id).map(|waiting| (waiting.answered, waiting.address))
    }

    /// All requests to repeat when a prober's stream reopens.
    pub fn again(&self, prober: usize) -> Vec<Ask> {
        let mut asks: Vec<(u32, Ask)> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.prober == prober)
            .map(|(id, waiting)| (*id, waiting.ask(*id)))
            .collect();
        asks.sort_by_key(|(id, _)| *id);
        asks.into_iter().map(|(_, ask)| ask).collect()
    }

    /// VMs assigned to a prober.
    pub fn of(&self, prober: usize) -> BTreeSet<u32> {
        let waiting = self.waiting.values().filter(|waiting| waiting.prober == prober);
        waiting.map(|waiting| waiting.answered.target).collect()
    }

    /// Probers assigned to a VM.
    pub fn probers(&self, target: u32, probes: &[Probe]) -> BTreeSet<usize> {
        let ids = probes.iter().filter_map(|probe| self.ids.get(&(target, *probe)));
        ids.filter_map(|id| Some(self.waiting.get(id)?.prober)).collect()
    }

    /// Reassigns a prober's targets to others, the least busy first; returns the requests.
    ///
    /// Its pending answers no longer count. Without other probers, nothing is reassigned.
    pub fn hand_over(&mut self, prober: usize, others: &[usize]) -> Vec<(usize, Ask)> {
        let mut asks = Vec::new();
        let mut ids: Vec<u32> =
            self.waiting.iter().filter(|(_, waiting)| waiting.prober == prober).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for old in ids {
            let least =
                others.iter().filter(|other| **other < self.load.len()).min_by_key(|n| self.load[**n]);
            let Some(to) = least.copied() else { break };
            let Some(waiting) = self.waiting.remove(&old) else { continue };
            self.load[prober] -= 1;
            self.load[to] += 1;
            let id = self.next;
            self.next += 1;
            self.ids.insert((waiting.answered.target, waiting.answered.probe), id);
            asks.push((to, waiting.ask(id)));
            self.waiting.insert(id, Waiting { prober: to, ..waiting });
        }
        asks
    }

    /// Number of pending answers.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no answer is pending.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn targets_are_spread_and_asked_again_after_a_break() {
        let mut roster = Roster::new(2);
        for target in 0..4 {
            roster.add(target, Probe::Ping, ip(target as u8));
        }
        assert_eq!([roster.again(0).len(), roster.again(1).len()], [2, 2]);
        let Ask::Add { id, .. } = roster.again(0)[0] else { panic!() };
        let (answered, drop) = roster.reached(id).unwrap();
        assert_eq!((answered.target, drop), (0, Some((0, Ask::Drop(id)))));
        assert_eq!(roster.again(0).len(), 1);
        assert!(roster.reached(id).is_none(), "an answer counts once");
    }

    #[test]
    fn what_a_lost_prober_was_asked_goes_to_others() {
        let mut roster = Roster::new(3);
        for target in 0..6 {
            roster.add(target, Probe::Ping, ip(target as u8));
        }
        let Ask::Add { id: old, .. } = roster.again(0)[0] else { panic!() };
        let asks = roster.hand_over(0, &[1, 2]);
        assert_eq!(asks.iter().map(|(prober, _)| *prober).collect::<Vec<_>>(), [1, 2]);
        assert_eq!([roster.of(0).len(), roster.of(1).len(), roster.of(2).len()], [0, 3, 3]);
        assert!(roster.reached(old).is_none(), "its late answer is nobody's");
        assert!(roster.hand_over(1, &[]).is_empty() && roster.of(1).len() == 3);
        assert_eq!(roster.probers(0, &[Probe::Ping]), BTreeSet::from([1]));
    }

    #[test]
    fn one_that_is_kept_stays_and_is_known_until_it_has_said_its_last_answer() {
        let mut roster = Roster::new(1);
        let [(0, Ask::Add { id: old, is_kept: true, .. })] = roster.keep(5, Probe::Ping, ip(1))[..] else {
            panic!("not kept")
        };
        for _ in 0..2 {
            let (answered, ask) = roster.reached(old).unwrap();
            assert_eq!((answered.target, ask), (5, None));
        }
        assert_eq!(roster.keep(5, Probe::Ping, ip(2)).len(), 2);
        assert!(roster.reached(old).is_none());
        assert_eq!(roster.quiet(old).unwrap().target, 5);
        assert!(roster.quiet(old).is_none(), "it says so once");
        assert!(matches!(roster.again(0)[..], [Ask::Add { is_kept: true, .. }]));
    }

    #[test]
    fn a_changed_address_gets_a_new_id_so_that_a_late_answer_of_the_old_one_is_nothing() {
        let mut roster = Roster::new(1);
        let first = roster.add(5, Probe::Tcp(22), ip(1));
        let [(0, Ask::Add { id: old, .. })] = first[..] else { panic!("{first:?}") };
        assert!(roster.add(5, Probe::Tcp(22), ip(1)).is_empty());
        let second = roster.add(5, Probe::Tcp(22), ip(2));
        assert_eq!(second.len(), 2);
        assert!(roster.reached(old).is_none());
        assert_eq!(roster.len(), 1);
    }
}
