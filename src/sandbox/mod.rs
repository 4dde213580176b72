//! The simulated cluster: a Kubernetes API on loopback with `KubeVirt` and CDI behind it.

pub mod controllers;
pub mod model;
pub mod store;
