//! Order in which the requests of a phase are sent.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Order in which the requests of a phase are sent
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By index.
    #[default]
    Name,
    /// Shuffled; the same seed produces the same order.
    Random {
        /// The seed.
        seed: u64,
    },
    /// Round robin over the nodes on which the VMs last ran.
    Node,
}

impl Order {
    /// Orders VMs; `vms` are ascending target indexes, `node` returns the node on which each last ran.
    ///
    /// VMs without a node are treated as sharing a node of their own. With a seed, leaving VMs out does not change the
    /// order of the others.
    pub fn queue<'a>(self, mut vms: Vec<u32>, node: impl Fn(u32) -> Option<&'a str>) -> Vec<u32> {
        match self {
            Self::Name => {}
            Self::Random { seed } => vms.sort_by_key(|vm| (mix(seed ^ mix(u64::from(*vm))), *vm)),
            Self::Node => {
                let mut turns: BTreeMap<Option<&str>, u32> = BTreeMap::new();
                let turn = |vm: &u32| {
                    let node = node(*vm);
                    let turn = turns.entry(node).or_default();
                    *turn += 1;
                    (*turn, Reverse(node.is_some()), node, *vm)
                };
                let mut keys: Vec<_> = vms.iter().map(turn).collect();
                keys.sort_unstable();
                vms = keys.into_iter().map(|(.., vm)| vm).collect();
            }
        }
        vms
    }

    /// Whether it is the default.
    pub fn is_name(&self) -> bool {
        *self == Self::Name
    }
}

/// Picks one of so many positions by a seed; `None` if there are none.
pub fn pick(seed: u64, among: usize) -> Option<usize> {
    usize::try_from(mix(seed).checked_rem(among as u64)?).ok()
}

/// Finalizer of `SplitMix64` (Steele, Lea, Flood 2014): every bit of the input changes about half of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Random { seed } => write!(f, "random:{seed}"),
            Self::Node => f.write_str("node"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "name" => Ok(Self::Name),
            "node" => Ok(Self::Node),
            _ => text
                .strip_prefix("random:")
                .and_then(|seed| seed.parse().ok())
                .map(|seed| Self::Random { seed })
                .ok_or_else(|| {
                    format!("`{text}` is not an order; there are name, random, random:SEED and node")
                }),
        }
    }
}

impl Serialize for Order {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(order: &str, vms: u32, nodes: &[Option<&'static str>]) -> Vec<u32> {
        order
            .parse::<Order>()
            .unwrap()
            .queue((0..vms).collect(), |vm| nodes.get(vm as usize).copied().flatten())
    }

    #[test]
    fn a_seed_is_an_order_and_another_seed_is_another() {
        let first = queue("random:1", 100, &[]);
        assert_eq!(first, queue("random:1", 100, &[]));
        assert_ne!(first, queue("random:2", 100, &[]));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, queue("name", 100, &[]));
        // In a shuffled order about half of the neighbours ascend.
        let rises = first.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((35..65).contains(&rises), "{rises}");
    }

    #[test]
    fn who_is_left_out_does_not_change_the_order_of_the_others() {
        let order: Order = "random:7".parse().unwrap();
        let all = order.queue((0..50).collect(), |_| None);
        let some = order.queue((0..50).filter(|vm| vm % 3 != 0).collect(), |_| None);
        let expected: Vec<u32> = all.into_iter().filter(|vm| vm % 3 != 0).collect();
        assert_eq!(some, expected);
    }

    #[test]
    fn nodes_take_turns_and_who_has_none_comes_last_in_each() {
        let nodes = [Some("b"), Some("b"), Some("b"), Some("a"), None, Some("a")];
        assert_eq!(queue("node", 6, &nodes), [3, 0, 4, 5, 1, 2]);
    }

    #[test]
    fn orders_are_read_as_they_are_written() {
        for text in ["name", "node", "random:0", "random:18446744073709551615"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        for wrong in ["", "random", "random:", "random:x", "random:-1", "size"] {
            assert!(wrong.parse::<Order>().is_err(), "{wrong}");
        }
    }
}
