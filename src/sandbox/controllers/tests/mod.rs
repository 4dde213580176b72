//! The controllers together, in simulated time.

mod calibration;
mod network;
mod stage;
