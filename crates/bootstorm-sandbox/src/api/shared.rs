//! State shared by all requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::server_faults::Hand;
use super::token::Tokens;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::model::Dice;
use crate::model::admission::Admission;
use crate::network::Network;
use crate::processes::Logs;
use crate::programs::Programs;
use crate::store::Store;

/// State shared by all requests
pub(super) struct Api {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) ledger: Ledger,
    pub(super) tokens: Tokens,
    pub(super) hand: Hand,
    pub(super) address: String,
    pub(super) virt_api_latency: Duration,
    pub(super) admission: Option<Admission>,
    pub(super) network: Arc<dyn Network>,
    pub(super) dice: Dice,
    pub(super) logs: Logs,
    pub(super) programs: Programs,
    pub(super) stop: watch::Receiver<bool>,
}
