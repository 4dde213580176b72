//! Nodes against each other: which one is slow, and how evenly VMs lie on them.
//!
//! A node is slow where the mean of its VMs is at least 1.5 times the median of all nodes' means. Only nodes on which at
//! least three VMs arrived count, and there must be three of these: of two nodes nobody can say which one is as it should be.

use super::{Level, Quantile, Sample};

/// From this many times the node in the middle on, a node is slow.
const SLOW: f64 = 1.5;
/// VMs that must have arrived on a node, and nodes of that kind that there must be.
const ENOUGH: usize = 3;

/// Each node's time relative to the median node; `None` if it cannot be determined
///
/// `nodes` are the arrived VMs and their mean, node by node.
pub fn against_the_middle(nodes: &[(usize, Option<f64>)]) -> Vec<Option<f64>> {
    let counts = |(vms, mean): &(usize, Option<f64>)| mean.filter(|_| *vms >= ENOUGH);
    let means: Vec<f64> = nodes.iter().filter_map(counts).collect();
    let median = Quantile::of(&Sample::new(means.iter().copied(), 0), Level::P50).seconds();
    let Some(median) = median.filter(|median| means.len() >= ENOUGH && *median > 0.0) else {
        return vec![None; nodes.len()];
    };
    nodes.iter().map(|node| Some(counts(node)? / median)).collect()
}

/// Whether a node that took this many times as long as the node in the middle is slow.
pub fn is_slow(times: f64) -> bool {
    times >= SLOW
}

/// VMs on the fullest node, per VM on a node in the mean; `None` without nodes.
pub fn imbalance(vms: &[usize]) -> Option<f64> {
    let (most, all) = (*vms.iter().max()?, vms.iter().sum::<usize>());
    (all > 0).then(|| most as f64 * vms.len() as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_measured_against_the_one_in_the_middle() {
        let times = against_the_middle(&[
            (5, Some(10.0)),
            (5, Some(20.0)),
            (4, Some(8.0)),
            (2, Some(90.0)),
            (0, None),
        ]);
        assert_eq!(times, [Some(1.0), Some(2.0), Some(0.8), None, None]);
        assert!(is_slow(1.5) && !is_slow(1.49));
        let few = against_the_middle(&[(50, Some(10.0)), (50, Some(90.0))]);
        assert_eq!(few, [None, None], "which of two is the slow one?");
    }

    #[test]
    fn a_full_node_among_empty_ones_is_an_imbalance() {
        assert_eq!(imbalance(&[10, 10, 10]), Some(1.0));
        assert_eq!(imbalance(&[4, 0, 2, 2]), Some(2.0));
        assert_eq!((imbalance(&[]), imbalance(&[0, 0])), (None, None));
    }
}
