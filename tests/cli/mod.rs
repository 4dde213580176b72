//! The program as a user meets it.

mod bad_input;
mod cleanup;
mod connection;
mod dry_run;
mod html;
mod interrupt;
mod kubectl;
mod lifecycle;
mod misbehaviour;
mod output;
mod prober_script;
mod probing;
mod record;
