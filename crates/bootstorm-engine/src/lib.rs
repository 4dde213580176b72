//! Everything that talks to a cluster; the only user of kube.

pub mod children;
pub mod cluster;
pub mod phases;
pub(crate) mod streams;
