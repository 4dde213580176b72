//! Use cases and timed phases. Emits [`Event`]s, prints nothing.
//!
//! A timed phase has two halves. `launch` sends one request per VM; `follow` turns watch events into timelines until
//! every VM has ended. create, stop and storm differ only in the request, the participants and the goal.

mod adopted;
pub mod adoption;
pub mod cleanup;
pub mod context;
mod diagnostics;
pub mod draining;
mod eligibility;
pub mod errand;
pub mod event;
pub mod existing;
mod follow;
pub mod gate;
mod ground;
pub mod guests;
mod health;
mod insight;
pub mod interrupt;
pub(crate) mod launch;
mod migrating;
pub mod observing;
pub mod preflight;
pub(crate) mod prober;
mod probers;
pub(crate) mod probing;
mod provisioning;
pub mod restore;
mod resume;
pub(crate) mod saving;
pub mod setup;
pub mod shards;
pub mod timed;

pub use event::{Event, Listener, VmEvent};
pub use interrupt::{Duty, Interrupt, Interrupter};
