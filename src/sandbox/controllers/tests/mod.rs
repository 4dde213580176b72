//! The controllers together, in simulated time.

mod calibration;
mod disks;
mod lifecycle;
mod stage;
mod trouble;
