//! The controllers together, in simulated time.

mod calibration;
mod disks;
mod lifecycle;
mod network;
mod stage;
mod trouble;
