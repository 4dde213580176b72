//! Everything that can happen to a run: kills, faults, outages, two users at once.

mod kills;
mod matrix;
mod record;
mod rivals;
