//! The controllers together, in simulated time.

mod calibration;
mod causes;
mod disks;
mod encoding;
mod failures;
mod jobs;
mod lifecycle;
mod migrations;
mod network;
mod nodes;
mod scene;
mod stage;
