//! The boot-timing model: dependencies and durations when virtual machines start.
//!
//! Nothing here knows about boot storms. The model has servers of finite capacity (token buckets, worker pools, shared
//! bandwidth, CPU cores) and draws for single steps; queues, and with them the slowdown of a storm, follow from the
//! number of concurrent machines.

pub mod admission;
pub mod bandwidth;
pub mod bucket;
pub mod clock;
pub mod dice;
pub mod fluid;
pub mod misbehaviour;
pub mod pacer;
pub mod pool;
pub mod profile;
pub mod quantity;

pub use clock::SimClock;
pub use dice::{Dice, Draw};
pub use misbehaviour::{Misbehaviour, MisbehaviourTable};
pub use profile::Profile;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks state that stays valid even if another task died while it held the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
