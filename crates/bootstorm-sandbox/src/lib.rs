//! The simulated cluster: a Kubernetes API on loopback with `KubeVirt` and CDI behind it.

pub mod api;
pub mod controllers;
pub mod faults;
pub mod ledger;
pub mod model;
pub mod network;
pub mod processes;
pub mod programs;
mod running;
pub mod seed;
mod settings;
pub mod store;
pub mod value;
mod yaml;

pub use running::{LocalSandbox, Options, Sandbox, profile};
