//! The controllers of the simulated cluster: virt-controller, scheduler, kubelets, virt-handlers, CDI and the rest.
//!
//! Each works like its model: it watches, keeps a queue, reconciles the *current* state of a key, and pays for its
//! writes from its own call limit. As on a real cluster, states are therefore skipped under load.

mod attachments;
pub mod boot;
pub mod cdi;
pub mod client;
pub mod cluster;
pub mod collector;
pub mod conditions;
pub mod evacuation;
pub mod events;
pub mod guests;
pub mod handler;
pub mod instance;
pub mod jobs;
pub mod key;
pub mod kubelet;
pub mod lifecycle;
pub mod limits;
pub mod machine;
pub mod migrations;
pub mod names;
pub mod namespaces;
pub mod network;
pub mod nodes;
pub mod pods;
pub mod pools;
pub mod power;
pub mod queue;
pub mod quotas;
pub mod routes;
pub mod running;
pub mod scheduler;
#[cfg(test)]
mod tests;
mod transfer;
pub mod worker;

pub use running::{Controllers, start};
