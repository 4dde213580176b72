//! The arithmetic of processor sharing: jobs that share a capacity like a fluid.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Capacity of a shared server.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Units of work per second for all jobs together.
    pub total: f64,
    /// Maximum units per second of a job of weight 1 that is alone.
    pub each: f64,
    /// Share of the total lost per further unit of weight: 0.01 loses half of it at 100 (seeks, cache misses).
    pub interference: f64,
}

/// A server shared by jobs in proportion to their weights
///
/// It is cheap because every job of weight 1 has received the same amount of work since it began: one number, the work
/// that a weight of 1 has received since the start, determines the end of each job.
#[derive(Debug)]
pub struct Fluid {
    capacity: Capacity,
    weight: f64,
    received: f64,
    last: f64,
    ends: BinaryHeap<Reverse<End>>,
    serial: u64,
}

/// The job with number `job` ends when a weight of 1 has received `at`.
#[derive(Debug, Clone, Copy)]
struct End {
    at: f64,
    job: u64,
    weight: f64,
}

impl PartialEq for End {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for End {}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for End {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.total_cmp(&other.at).then(self.job.cmp(&other.job))
    }
}

impl Fluid {
    /// An idle server.
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, weight: 0.0, received: 0.0, last: 0.0, ends: BinaryHeap::new(), serial: 0 }
    }

    /// Adds a job of `work` units at `now` and returns its number.
    pub fn add(&mut self, now: f64, work: f64, weight: f64) -> u64 {
        self.advance(now);
        let weight = weight.max(1e-9);
        self.serial += 1;
        let at = self.received + work.max(0.0) / weight;
        self.ends.push(Reverse(End { at, job: self.serial, weight }));
        self.weight += weight;
        self.serial
    }

    /// When the next job ends if nothing is added before.
    pub fn next_end(&self) -> Option<f64> {
        let Reverse(end) = self.ends.peek()?;
        Some(self.last + (end.at - self.received).max(0.0) / self.rate())
    }

    /// Removes and returns the jobs that have ended by `now`.
    pub fn ended(&mut self, now: f64) -> Vec<u64> {
        let mut ended = Vec::new();
        // Ends are processed one by one, because each changes the rate of the others.
        while let Some(at) = self.next_end().filter(|at| *at <= now + 1e-9) {
            self.advance(at);
            if let Some(Reverse(end)) = self.ends.pop() {
                self.received = self.received.max(end.at);
                self.weight = if self.ends.is_empty() { 0.0 } else { self.weight - end.weight };
                ended.push(end.job);
            }
        }
        self.advance(now);
        ended
    }

    /// The sum of the active weights.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Current work per second of a weight of 1.
    fn rate(&self) -> f64 {
        let lost = 1.0 + self.capacity.interference * (self.weight - 1.0).max(0.0);
        let share = self.capacity.total / lost / self.weight.max(1e-9);
        share.min(self.capacity.each).max(1e-9)
    }

    fn advance(&mut self, now: f64) {
        if now > self.last {
            if !self.ends.is_empty() {
                self.received += self.rate() * (now - self.last);
            }
            self.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(interference: f64) -> Fluid {
        Fluid::new(Capacity { total: 100.0, each: 50.0, interference })
    }

    #[test]
    fn one_job_is_held_by_its_own_limit_and_two_fill_the_server() {
        let mut alone = disk(0.0);
        alone.add(0.0, 100.0, 1.0);
        assert!((alone.next_end().expect("a job") - 2.0).abs() < 1e-9);
        let mut shared = disk(0.0);
        for _ in 0..4 {
            shared.add(0.0, 100.0, 1.0);
        }
        assert!((shared.next_end().expect("a job") - 4.0).abs() < 1e-9);
        assert_eq!(shared.ended(4.0).len(), 4);
        assert!(shared.next_end().is_none() && shared.weight() == 0.0);
    }

    #[test]
    fn a_late_job_slows_the_early_one_only_while_both_run() {
        let mut disk = Fluid::new(Capacity { total: 100.0, each: 100.0, interference: 0.0 });
        let early = disk.add(0.0, 100.0, 1.0);
        let late = disk.add(0.5, 100.0, 1.0);
        assert_eq!(disk.ended(1.5), [early]);
        assert!((disk.next_end().expect("the late one") - 2.0).abs() < 1e-9);
        assert_eq!(disk.ended(2.0), [late]);
    }

    #[test]
    fn weight_is_a_right_to_more() {
        let mut cores = Fluid::new(Capacity { total: 4.0, each: 1.0, interference: 0.0 });
        let small = cores.add(0.0, 2.0, 1.0);
        let large = cores.add(0.0, 14.0, 7.0);
        // Eight vCPUs on four cores: everything takes twice as long, whatever its size.
        assert_eq!(cores.ended(4.0), [small, large]);
    }

    #[test]
    fn interference_costs_throughput() {
        let mut disk = disk(0.01);
        for _ in 0..101 {
            disk.add(0.0, 1.0, 1.0);
        }
        assert!((disk.next_end().expect("a job") - 2.02).abs() < 1e-9, "half of the throughput is left");
    }
}
