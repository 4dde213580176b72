//! The controllers of the simulated cluster.
