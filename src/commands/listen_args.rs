//! `--listen`: live metrics over HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use clap::Args;

use crate::console::Console;
use crate::live::{Live, Server};
use bootstorm_engine::phases::Event;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_report::{Report, Selection};

/// Flags of live metrics
#[derive(Debug, Clone, Default, Args)]
pub struct ListenArgs {
    /// Serve live metrics for Prometheus at /metrics of this address while the command runs; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Served data; shared by all copies.
    #[arg(skip)]
    live: Arc<OnceLock<Live>>,
}

impl ListenArgs {
    /// Starts the server, once per process. Fails if the address cannot be listened on.
    pub(super) async fn start(&self, console: Console, run: &str) -> Result<(), Failure> {
        let Some(address) = self.listen.filter(|_| self.live.get().is_none()) else { return Ok(()) };
        let live = Live::new(run);
        let server = Server::start(address, live.clone()).await?;
        let _ = self.live.set(live);
        console.say(&format!("live metrics at http://{}/metrics", server.address()));
        Ok(())
    }

    /// Applies an event of a phase.
    pub(super) fn hear(&self, event: &Event) {
        if let Some(live) = self.live.get() {
            live.hear(event);
        }
    }

    /// Adds the results of finished phases.
    pub(super) fn phase_ended(&self, record: &RunRecord) {
        if let Some(live) = self.live.get() {
            live.show_results(Report::of(record, &Selection::default()).prometheus());
        }
    }
}
