//! The simulated cluster: a Kubernetes API on loopback with `KubeVirt` and CDI behind it.

pub mod controllers;
pub mod model;
mod running;
pub mod store;

pub use running::{Options, Sandbox, profile};
