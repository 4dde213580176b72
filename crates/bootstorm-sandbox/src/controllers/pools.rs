//! Storage behind the claims: one pool shared by storage classes, and those of classes with a pool of their own.

use std::collections::BTreeMap;

use crate::model::bandwidth::Bandwidth;
use crate::model::clock::SimClock;
use crate::model::fluid::Capacity;
use crate::model::profile::Storage;

/// The pools, by storage class
#[derive(Debug, Clone)]
pub struct Pools {
    shared: Bandwidth,
    own: BTreeMap<String, Bandwidth>,
}

impl Pools {
    /// The pools of a profile, idle.
    pub fn new(clock: SimClock, storage: &Storage) -> Self {
        let shared =
            Capacity { total: storage.pool, each: storage.per_reader, interference: storage.interference };
        let own = storage.classes.iter().map(|(name, class)| {
            let capacity =
                Capacity { total: class.pool, each: class.per_reader, interference: class.interference };
            (name.clone(), Bandwidth::new(clock, capacity))
        });
        Self { shared: Bandwidth::new(clock, shared), own: own.collect() }
    }

    /// The pool of a storage class.
    pub fn of(&self, class: &str) -> &Bandwidth {
        self.own.get(class).unwrap_or(&self.shared)
    }

    /// All pools; each must be driven for its users to be served.
    pub fn all(&self) -> impl Iterator<Item = &Bandwidth> {
        std::iter::once(&self.shared).chain(self.own.values())
    }
}
