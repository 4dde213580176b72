//! Comparison of nodes: which one is slow, and how evenly VMs are spread.
//!
//! A node is slow if the mean of its VMs is at least 1.5 times the median of all nodes' means. Only nodes on which at
//! least three VMs arrived count, and there must be three of them: with two nodes it is impossible to tell which one is
//! normal.

use super::{Level, Quantile, Sample};

/// Ratio to the median node from which a node is slow.
const SLOW: f64 = 1.5;
/// Minimum number of arrived VMs on a node, and of such nodes.
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

/// Whether this ratio to the median node makes a node slow.
pub fn is_slow(times: f64) -> bool {
    times >= SLOW
}

/// VMs on the fullest node relative to the mean per node; `None` without nodes.
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
