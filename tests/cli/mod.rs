//! The program as a user meets it.

mod bad_input;
mod cleanup;
mod cleanup_cut_short;
mod connection;
mod dry_run;
mod hostile;
mod interrupt;
mod kubectl;
mod lifecycle;
mod limits;
mod misbehaviour;
mod output;
mod preflight;
mod prober_script;
mod probing;
mod record;
mod secrets;
mod sources;
