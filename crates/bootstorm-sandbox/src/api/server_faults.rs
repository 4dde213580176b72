//! Performs actions on the server or the objects as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::value::json;

use super::token::Tokens;
use crate::faults::{Action, Faults, PowerCut, SecondWriter};
use crate::model::dice::Roll;
use crate::model::misbehaviour::{DOWN, POWER};
use crate::store::Store;
use crate::store::kind::NODES;

/// Everything that an action needs
#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) tokens: Tokens,
    /// Number of writes of the second writer.
    pub(super) writes: Arc<AtomicU64>,
}

impl Hand {
    /// Performs an action once.
    pub(super) fn perform(&self, action: &Action) {
        match action {
            Action::CutWatches => self.faults.cut_watches(),
            Action::CutExecs => self.faults.cut_execs(),
            Action::Expire => self.store.expire(),
            Action::Outage(window) => self.faults.outage(*window),
            Action::Restart(window) => {
                // Closed first: a client that is back early must not see the history once more.
                self.faults.outage(*window);
                self.store.expire();
            }
            Action::PowerCut(cut) => self.cut_power(cut),
            Action::Rotate => {
                if let Err(error) = self.tokens.rotate() {
                    tracing::warn!(%error, "the new token of the sandbox could not be written");
                }
            }
            Action::Write(writer) => {
                writer.write_somewhere(&self.store, self.roll());
            }
        }
    }

    /// Cuts the power of nodes, and restores it later, one after the other in the order of their names.
    fn cut_power(&self, cut: &PowerCut) {
        let store = self.store.clone();
        let names = store.list(&NODES, None).0.into_iter().map(|node| node.name().to_owned());
        let mut names: Vec<String> =
            names.filter(|name| cut.nodes.is_empty() || cut.nodes.contains(name)).collect();
        names.sort();
        for name in &names {
            store.modify(&NODES, "", name, |node| node["metadata"]["annotations"][DOWN] = json!(POWER));
        }
        let (lasting, apart) = (cut.lasting, cut.apart);
        tokio::spawn(async move {
            tokio::time::sleep(lasting).await;
            for (number, name) in names.iter().enumerate() {
                if number > 0 {
                    tokio::time::sleep(apart).await;
                }
                store.modify(&NODES, "", name, |node| {
                    if let Some(annotations) = node["metadata"]["annotations"].as_object_mut()
                        && annotations.get(DOWN).is_some_and(|down| down == POWER)
                    {
                        annotations.remove(DOWN);
                    }
                });
            }
        });
    }

    /// Lets the second writer change the object of a request.
    pub(super) fn write(&self, writer: &SecondWriter, namespace: &str, name: &str) {
        writer.write(&self.store, namespace, name, &format!("{:x}", self.roll().bits()));
    }

    fn roll(&self) -> Roll {
        self.faults.dice().roll("second-writer", self.writes.fetch_add(1, Ordering::Relaxed), "write")
    }
}
