//! A controller's connection to the API server: every write costs a token and takes time.

use std::sync::Arc;

use crate::value::Value;

use crate::model::bucket::TokenBucket;
use crate::model::dice::Roll;
use crate::model::pacer::Pacer;
use crate::model::profile::ApiServer;
use crate::model::{Dice, SimClock};
use crate::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{DeleteOptions, Kind, Object, Store, StoreError, UpdateError};

/// Reason why a write did not happen; the controller reconciles again
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// Another writer was faster.
    Conflict,
    /// The object is gone.
    Gone,
    /// Refused by the store.
    Refused(StoreError),
}

/// One worker's connection
#[derive(Debug)]
pub struct Client {
    store: Store,
    bucket: Arc<TokenBucket>,
    pacer: Pacer,
    roll: Roll,
    figures: ApiServer,
}

impl Client {
    /// A connection of the component `who` (any name; it seeds the latencies).
    pub fn new(
        store: Store,
        clock: SimClock,
        bucket: Arc<TokenBucket>,
        dice: Dice,
        who: &str,
        figures: &ApiServer,
    ) -> Self {
        let roll = dice.roll(who, 0, "latency");
        Self { store, bucket, pacer: Pacer::new(clock), roll, figures: figures.clone() }
    }

    /// The store, for reading: caches are free.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Spends simulated seconds of this worker's time.
    pub async fn spend(&mut self, seconds: f64) {
        self.pacer.spend(seconds).await;
    }

    /// Creates an object.
    pub async fn create(&mut self, kind: &'static Kind, object: Value) -> Result<Object, StoreError> {
        self.pay(kind).await;
        self.store.create(kind, object)
    }

    /// Changes an object if it is still the version that was read; sends nothing if there is no change.
    pub async fn update(
        &mut self,
        kind: &'static Kind,
        read: &Object,
        change: impl FnOnce(&mut Value),
    ) -> Result<Object, WriteError> {
        let mut wanted = read.value().clone();
        change(&mut wanted);
        if wanted == *read.value() {
            return Ok(read.clone());
        }
        self.pay(kind).await;
        let result = self.store.replace(kind, read.namespace(), read.name(), |current| {
            if current.uid() != read.uid() {
                return Err(WriteError::Gone);
            }
            if current.revision() == read.revision() { Ok(wanted) } else { Err(WriteError::Conflict) }
        });
        result.map_err(|error| match error {
            UpdateError::NotFound => WriteError::Gone,
            UpdateError::Refused(why) => why,
        })
    }

    /// Changes the current version of the object with this UID; sends nothing if there is no change.
    pub async fn patch(
        &mut self,
        kind: &'static Kind,
        read: &Object,
        change: impl Fn(&mut Value),
    ) -> Result<Object, WriteError> {
        let current = self.store.get(kind, read.namespace(), read.name());
        let Some(current) = current.filter(|current| current.uid() == read.uid()) else {
            return Err(WriteError::Gone);
        };
        let mut wanted = current.value().clone();
        change(&mut wanted);
        if wanted == *current.value() {
            return Ok(current);
        }
        self.pay(kind).await;
        let result = self.store.replace(kind, read.namespace(), read.name(), |now| {
            if now.uid() != read.uid() {
                return Err(WriteError::Gone);
            }
            if now.revision() != current.revision() {
                wanted = now.to_value();
                change(&mut wanted);
            }
            Ok(wanted)
        });
        result.map_err(|_| WriteError::Gone)
    }

    /// Deletes an object by its UID.
    pub async fn delete(
        &mut self,
        kind: &'static Kind,
        object: &Object,
        grace: Option<i64>,
    ) -> Result<(), WriteError> {
        self.pay(kind).await;
        let options = DeleteOptions {
            uid: Some(object.uid().to_owned()),
            grace_period: grace,
            ..DeleteOptions::default()
        };
        match self.store.delete(kind, object.namespace(), object.name(), &options) {
            Ok(_) => Ok(()),
            Err(StoreError::NotFound { .. } | StoreError::Precondition { .. }) => Err(WriteError::Gone),
            Err(other) => Err(WriteError::Refused(other)),
        }
    }

    /// Pays for one call: a token, and its duration.
    pub async fn pay(&mut self, kind: &Kind) {
        self.bucket.acquire().await;
        let hooked = kind.is(&VIRTUAL_MACHINES) || kind.is(&VIRTUAL_MACHINE_INSTANCES);
        let draw = if hooked { self.figures.webhook_write } else { self.figures.write };
        let seconds = self.roll.draw(draw);
        self.pacer.spend(seconds).await;
    }
}
