//! The simulated cluster: a Kubernetes API on loopback with `KubeVirt` and CDI behind it.

pub mod api;
pub mod faults;
pub mod seed;
pub mod store;
