//! Keeps the probers' streams open during a phase.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;

use super::prober::{MadeAnew, Place, ProberEvent, converse};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::probe::{Ask, Hello, Pace};
use bootstorm_model::record::ProbeHealth;

/// Time limit for the streams to be ready before a phase begins.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The streams of a phase; dropping it ends them
pub(crate) struct Probing {
    lanes: Vec<Lane>,
    heard: mpsc::UnboundedReceiver<ProberEvent>,
    pace: Pace,
}

/// One prober's stream
struct Lane {
    asks: mpsc::UnboundedSender<Ask>,
    opened: bool,
    interval_millis: u64,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probing {
    /// Opens a stream to every prober and waits for each hello.
    ///
    /// Fails if a prober is not ready in time, with its errors.
    pub(crate) async fn open(
        cluster: &Cluster,
        places: Vec<Place>,
        pace: Pace,
        made: &MadeAnew,
    ) -> Result<Self, ClusterError> {
        for place in &places {
            place.check(cluster).await?;
        }
        let (sender, heard) = mpsc::unbounded_channel();
        let lane = |(number, place): (usize, Place)| {
            let (asks, inbox) = mpsc::unbounded_channel();
            let task = tokio::spawn(converse(
                cluster.clone(),
                number,
                place,
                pace,
                inbox,
                sender.clone(),
                Arc::clone(made),
            ));
            Lane { asks, opened: false, interval_millis: 0, task }
        };
        let lanes: Vec<Lane> = places.into_iter().enumerate().map(lane).collect();
        let mut probing = Self { lanes, heard, pace };
        probing.wait_until_ready().await?;
        Ok(probing)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ClusterError> {
        let until = monotonic_now() + READY_WITHIN;
        let mut complaint = "it sent no greeting".to_owned();
        while self.lanes.iter().any(|lane| !lane.opened) {
            match tokio::time::timeout_at(until.into(), self.heard.recv()).await {
                Ok(Some(ProberEvent::Opened { prober, hello })) => {
                    self.lanes[prober].opened = true;
                    self.lanes[prober].interval_millis = self.interval_millis(hello);
                }
                Ok(Some(ProberEvent::Broken { prober, why, .. })) => {
                    self.lanes[prober].opened = false;
                    complaint = why;
                }
                Ok(Some(_)) => {}
                _ => return Err(ClusterError::new("reach the prober pod", Kind::TimedOut, complaint)),
            }
        }
        Ok(())
    }

    /// Number of probers.
    pub(crate) fn probers(&self) -> usize {
        self.lanes.len()
    }

    /// Milliseconds between two attempts of a prober with this hello.
    pub(crate) fn interval_millis(&self, hello: Hello) -> u64 {
        self.pace.interval_millis(hello.by)
    }

    /// Resolution of the probes, before anything was probed.
    pub(crate) fn health(&self) -> ProbeHealth {
        let interval_millis = self.lanes.iter().map(|lane| lane.interval_millis).max().unwrap_or_default();
        let streams = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        ProbeHealth { probers: self.lanes.len(), interval_millis, streams, ..ProbeHealth::default() }
    }

    /// Sends a request to a prober. Requests to a broken stream are repeated when it reopens.
    pub(crate) fn ask(&self, prober: usize, ask: Ask) {
        if let Some(lane) = self.lanes.get(prober) {
            let _ = lane.asks.send(ask);
        }
    }

    /// Next message of any prober.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<ProberEvent> {
        match self.heard.poll_recv(cx) {
            Poll::Ready(Some(heard)) => Poll::Ready(heard),
            // Every session continues until it is aborted.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
