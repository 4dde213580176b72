//! The sandbox seen from outside.

mod cluster;
mod faults;
mod kubectl;
mod lists;
mod power;
mod watches;
mod writes;
