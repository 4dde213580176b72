//! Access to the cluster and to services beside it; the only user of kube.

pub mod bulk;
pub mod children;
pub mod cluster;
pub mod outside;
pub mod phases;
pub mod prometheus;
pub mod runs;
pub(crate) mod streams;
