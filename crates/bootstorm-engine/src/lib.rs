//! Everything that talks to a cluster, or to a service beside it; the only user of kube.

pub mod children;
pub mod cluster;
pub mod outside;
pub mod phases;
pub(crate) mod streams;
