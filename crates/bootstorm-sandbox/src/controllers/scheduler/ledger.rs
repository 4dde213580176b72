//! The scheduler's accounting: free resources of each node, and waiting pods.

use std::collections::{BTreeMap, HashMap};

use crate::value::Value;

use super::super::key::Key;
use super::fit::{Offer, Request};

/// Nodes, the pods on them, and the pods that found no node
#[derive(Debug, Default)]
pub struct Ledger {
    nodes: BTreeMap<String, Room>,
    held: HashMap<Box<str>, (String, Request)>,
    waiting: HashMap<Box<str>, (Key, u32)>,
    woken_until: f64,
}

#[derive(Debug, Default)]
struct Room {
    offer: Offer,
    used: Offer,
    known: bool,
}

impl Ledger {
    /// Records the current state of a node.
    pub fn know_node(&mut self, name: &str, node: &Value) {
        let room = self.nodes.entry(name.to_owned()).or_default();
        room.offer = Offer::of(name, node);
        room.known = true;
    }

    /// Records that a node is gone; the pods on it still count.
    pub fn drop_node(&mut self, name: &str) {
        if let Some(room) = self.nodes.get_mut(name) {
            room.known = false;
        }
    }

    /// Whether a pod already has a place.
    pub fn holds(&self, uid: &str) -> bool {
        self.held.contains_key(uid)
    }

    /// Counts a pod on a node.
    pub fn hold(&mut self, uid: &str, node: &str, request: &Request) {
        let room = self.nodes.entry(node.to_owned()).or_default();
        room.take(request, 1.0);
        self.held.insert(uid.into(), (node.to_owned(), request.clone()));
    }

    /// Releases the place of a pod; true if it had one.
    pub fn release(&mut self, uid: &str) -> bool {
        let Some((node, request)) = self.held.remove(uid) else { return false };
        if let Some(room) = self.nodes.get_mut(&node) {
            room.take(&request, -1.0);
        }
        true
    }

    /// Finds the fitting node with the fewest pods from which this one is to be spread, the emptiest of these, and
    /// counts the pod there; otherwise returns the reasons.
    pub fn place(&mut self, uid: &str, request: &Request) -> Result<String, String> {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        let mut best: Option<(&String, (usize, f64))> = None;
        let mut total = 0;
        let mut crowd: HashMap<&str, usize> = HashMap::new();
        if request.is_spread() {
            for (node, _) in self.held.values().filter(|(_, other)| request.is_spread_from(other)) {
                *crowd.entry(node).or_default() += 1;
            }
        }
        for (name, room) in self.nodes.iter().filter(|(_, room)| room.known) {
            total += 1;
            let obstacle = room
                .offer
                .repels(request)
                .or_else(|| room.offer.lacks(&room.used, request).map(str::to_owned));
            if let Some(why) = obstacle {
                *reasons.entry(why).or_default() += 1;
                continue;
            }
            let load = (crowd.get(name.as_str()).copied().unwrap_or_default(), room.load(request));
            if best.is_none_or(|(_, least)| load < least) {
                best = Some((name, load));
            }
        }
        match best.map(|(name, _)| name.clone()) {
            Some(name) => {
                self.hold(uid, &name, request);
                self.waiting.remove(uid);
                Ok(name)
            }
            None => Err(refusal(total, &reasons)),
        }
    }

    /// Records that a pod found no node; returns how often that has happened before.
    pub fn fail(&mut self, uid: &str, key: &Key) -> u32 {
        let (_, tries) = self.waiting.entry(uid.into()).or_insert_with(|| (key.clone(), 0));
        *tries += 1;
        *tries - 1
    }

    /// Forgets a waiting pod.
    pub fn forget(&mut self, uid: &str) {
        self.waiting.remove(uid);
    }

    /// The pods that wait for room, unless they were woken within the last `pause` seconds.
    pub fn wake(&mut self, now: f64, pause: f64) -> Vec<Key> {
        if self.waiting.is_empty() || now < self.woken_until {
            return Vec::new();
        }
        self.woken_until = now + pause;
        self.waiting.values().map(|(key, _)| key.clone()).collect()
    }
}

impl Room {
    fn take(&mut self, request: &Request, sign: f64) {
        self.used.pods += sign;
        self.used.cpu += sign * request.cpu;
        self.used.memory += sign * request.memory;
        self.used.devices += sign * request.devices;
    }

    /// Load of the node with this pod, as the mean of CPU and memory; the number of pods breaks ties between empty
    /// requests.
    fn load(&self, request: &Request) -> f64 {
        let share = |used: f64, total: f64| if total > 0.0 { used / total } else { 1.0 };
        let cpu = share(self.used.cpu + request.cpu, self.offer.cpu);
        let memory = share(self.used.memory + request.memory, self.offer.memory);
        let pods = share(self.used.pods, self.offer.pods);
        f64::midpoint(cpu, memory) + pods / 100.0
    }
}

/// The scheduler's message about why there is no node.
fn refusal(total: usize, reasons: &BTreeMap<String, usize>) -> String {
    if total == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut parts: Vec<String> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
    parts.sort();
    let short =
        reasons.iter().filter(|(why, _)| !why.starts_with("node(s)")).map(|(_, count)| count).sum::<usize>();
    let mut preemption = Vec::new();
    if short > 0 {
        preemption.push(format!("{short} No preemption victims found for incoming pod"));
    }
    if total > short {
        preemption.push(format!("{} Preemption is not helpful for scheduling", total - short));
    }
    format!(
        "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        parts.join(", "),
        preemption.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn ledger(nodes: &[(&str, &str)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (name, memory) in nodes {
            let node = json!({"status": {"allocatable": {"cpu": "4", "memory": memory, "pods": "3"}}});
            ledger.know_node(name, &node);
        }
        ledger
    }

    fn pod(memory: &str) -> Request {
        Request::of(&json!({"spec": {"containers": [{"resources": {"requests": {"memory": memory}}}]}}))
    }

    #[test]
    fn a_pod_goes_where_the_fewest_are_that_it_is_spread_from() {
        let mut ledger = ledger(&[("a", "64Gi"), ("b", "8Gi"), ("c", "8Gi")]);
        let prober = |run: &str| {
            Request::of(&json!({"metadata": {"labels": {"run": run}}, "spec": {
                "containers": [{"resources": {"requests": {"memory": "1Gi"}}}],
                "topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"run": run}}}]}}))
        };
        let mut place = |uid: &str, request: &Request| ledger.place(uid, request).expect("room");
        let mut places: Vec<String> = ["1", "2", "3"].map(|uid| place(uid, &prober("x"))).to_vec();
        places.sort();
        assert_eq!(places, ["a", "b", "c"]);
        assert_eq!(place("4", &prober("y")), "a", "those of another run do not count");
        assert_eq!(place("5", &pod("1Gi")), "a");
    }

    #[test]
    fn pods_are_spread_and_full_nodes_refuse() {
        let mut ledger = ledger(&[("a", "2Gi"), ("b", "2Gi")]);
        let places: Vec<String> =
            (0..4).map(|i| ledger.place(&i.to_string(), &pod("1Gi")).expect("room")).collect();
        assert_eq!(places.iter().filter(|place| *place == "a").count(), 2);
        let why = ledger.place("5", &pod("1Gi")).expect_err("full");
        assert!(why.starts_with("0/2 nodes are available: 2 Insufficient memory. no new claims"), "{why}");
        assert!(ledger.release("0"));
        assert_eq!(ledger.place("5", &pod("1Gi")).expect("room again"), places[0]);
    }
}
