//! The program as a user meets it.

mod adopt;
mod bad_input;
mod cleanup;
mod cleanup_cut_short;
mod compare;
mod connection;
mod dry_run;
mod formats;
mod full;
mod hostile;
mod html;
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
mod thresholds;
