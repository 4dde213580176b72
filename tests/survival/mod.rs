//! Everything the world does to a run: kills, faults, outages, two people at once.

mod kills;
mod matrix;
mod record;
mod rivals;
