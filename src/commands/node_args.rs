//! Flags that restrict the nodes of the VMs.

use clap::Args;

use bootstorm_model::plan::Pinning;
use bootstorm_model::plan::pinning::{self, Choice};

/// Flags that restrict the nodes of the VMs
#[derive(Debug, Clone, Default, Args)]
#[group(id = "node-pinning", multiple = true)]
pub struct NodeArgs {
    /// Run all VMs on one node: the one given by --node-name, or any with room for all of them
    ///
    /// The choice is printed and recorded; =SEED repeats it.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "random", value_parser = seed)]
    pub single_node: Option<Seed>,
    /// Run the VMs on this node (can be repeated)
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub node_name: Vec<String>,
    /// Run the VMs on nodes with these labels, for example disk=ssd,zone=a
    #[arg(long, value_name = "LABELS", value_parser = labels)]
    pub node_selector: Option<Labels>,
}

/// Labels that nodes must have
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

/// Which node is chosen, where several would do
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// A random choice.
    Random,
    /// The same choice each time, as long as the nodes are the same.
    Given(u64),
}

fn seed(text: &str) -> Result<Seed, String> {
    match text {
        "random" => Ok(Seed::Random),
        number => number.parse().map(Seed::Given).map_err(|_| {
            "a seed is a whole number; to name the node: --single-node --node-name NAME".to_owned()
        }),
    }
}

fn labels(text: &str) -> Result<Labels, String> {
    pinning::labels(text).map(Labels)
}

fn name(text: &str) -> Result<String, String> {
    let tame = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let is_name = !text.is_empty() && text.len() <= 253 && text.chars().all(tame);
    if is_name { Ok(text.to_owned()) } else { Err("this cannot be the name of a node".to_owned()) }
}

impl NodeArgs {
    /// Nodes on which VMs may run, as far as known without the cluster.
    pub fn resolve(&self) -> Pinning {
        let is_open = self.node_name.is_empty();
        let mut nodes = self.node_name.clone();
        nodes.sort();
        nodes.dedup();
        let choice = self.single_node.filter(|_| is_open).map(|seed| Choice {
            seed: match seed {
                Seed::Random => u64::from(rand::random::<u32>()),
                Seed::Given(seed) => seed,
            },
            among: 0,
        });
        let selector = self.node_selector.iter().flat_map(|labels| labels.0.iter().cloned()).collect();
        Pinning { single_node: self.single_node.is_some(), nodes, choice, selector }
    }

    /// Fails with a sentence if several nodes are named for a single one.
    pub fn check(&self) -> Result<(), String> {
        match (self.single_node, self.resolve().nodes.len()) {
            (Some(_), count) if count > 1 => Err(format!(
                "--single-node takes one --node-name, not {count}; leave it out to run the VMs on all of them"
            )),
            _ => Ok(()),
        }
    }
}
