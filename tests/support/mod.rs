//! What the tests share: a simulated cluster in this process, and the program in a hermetic environment.

mod cluster;
mod program;

pub(crate) use cluster::Cluster;
pub(crate) use program::{Program, Ran};
