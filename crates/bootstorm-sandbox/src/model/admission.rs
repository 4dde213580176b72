//! Capacity of the API server for writes.

use super::clock::SimClock;
use super::dice::{Dice, Draw};
use super::lock;
use super::pool::Pool;
use super::profile::ApiServer;
use std::sync::{Arc, Mutex};

/// A kind of write, by its cost to the API server
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// A new virtual machine: mutating and validating webhook, schema, storage.
    CreateMachine,
    /// A change to a virtual machine or an instance: the same webhooks on less.
    ChangeMachine,
    /// Anything without webhooks.
    Plain,
}

/// The API server's and virt-api's finite capacity for writes
///
/// Calls with webhooks share a pool of slots; each holds its slot while virt-api processes it. One machine is not
/// delayed, but a hundred concurrent creates wait for one another.
#[derive(Debug, Clone)]
pub struct Admission {
    clock: SimClock,
    figures: ApiServer,
    dice: Dice,
    places: Pool,
    served: Arc<Mutex<u64>>,
}

impl Admission {
    /// The admission of an API server with these figures.
    pub fn new(clock: SimClock, dice: Dice, figures: &ApiServer) -> Self {
        let places = Pool::new(figures.admission_places);
        Self { clock, figures: figures.clone(), dice, places, served: Arc::default() }
    }

    /// Waits as long as the API server takes to admit this write of `identity` ("namespace/name").
    pub async fn admit(&self, write: Write, identity: &str) {
        let number = {
            let mut served = lock(&self.served);
            *served += 1;
            *served
        };
        let time = self.time(write, identity, number);
        if write == Write::Plain {
            self.clock.sleep(time).await;
        } else {
            let _place = self.places.enter().await;
            self.clock.sleep(time).await;
        }
    }

    fn time(&self, write: Write, identity: &str, number: u64) -> f64 {
        let draw: Draw = match write {
            Write::CreateMachine => self.figures.machine_create,
            Write::ChangeMachine => self.figures.machine_change,
            Write::Plain => self.figures.write,
        };
        self.dice.roll(identity, number, "admission").draw(draw)
    }
}
