//! `--prometheus`: figures of the cluster beside the times of its VMs.

use std::time::Duration;

use clap::Args;

use super::session::Session;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::outside::{Outside, Settings, Url, authorization, authorized};
use bootstorm_engine::prometheus::{self, Door, Place};
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{Metrics, PhaseName, PhaseRecord, RunRecord};

/// Total time limit for all ways to reach a server.
const PATIENCE: Duration = Duration::from_secs(45);

/// Flags for cluster metrics
#[derive(Debug, Clone, Args)]
pub struct MetricsArgs {
    /// Add cluster metrics from a Prometheus server: a URL, NAMESPACE/SERVICE:PORT, or `cluster`
    ///
    /// A service is reached through the API server; `cluster` means prometheus-k8s or prometheus-operated in the
    /// namespace monitoring. Credentials for a URL come from the environment: `BOOTSTORM_PROMETHEUS_TOKEN`, or
    /// `BOOTSTORM_PROMETHEUS_USERNAME` and `BOOTSTORM_PROMETHEUS_PASSWORD`. The server is queried after each phase.
    #[arg(long, value_name = "SERVER")]
    pub prometheus: Option<String>,
}

impl MetricsArgs {
    /// Fails if the address or the credentials are unusable; sends no query.
    pub fn check(&self) -> Result<(), Failure> {
        self.place()?.map_or(Ok(()), |place| straight(&place).map(drop))
    }

    /// Queries the figures of a finished phase and stores them in the record. A failure is one warning: the phase is
    /// measured and saved without them.
    pub(super) async fn add(&self, session: &Session, lock: &Held, record: &mut RunRecord, name: PhaseName) {
        let Ok(Some(place)) = self.place() else { return };
        if record.phase(name).is_none() {
            return;
        }
        let mut interrupt = session.interrupt.clone();
        let kept = tokio::select! {
            biased;
            // A half-finished save is ignored when the record is read.
            () = interrupt.wait() => return,
            kept = found_and_kept(session, &place, lock, record, name) => kept,
        };
        if let Err(why) = kept {
            let hint = "the phase itself is saved; check --prometheus";
            session.console.warn(&format!("no cluster metrics for {name}: {why}; {hint}"));
        }
    }

    fn place(&self) -> Result<Option<Place>, Failure> {
        let Some(text) = &self.prometheus else { return Ok(None) };
        if text == "cluster" {
            return Ok(Some(Place::cluster()));
        }
        if text.contains("://") {
            return Url::parse("--prometheus", text).map(Place::Url).map(Some);
        }
        let service = text.parse().map_err(|why| Failure::usage(format!("--prometheus {text}: {why}")))?;
        Ok(Some(Place::Services(vec![service])))
    }
}

/// The client for a server that is reached by its address.
fn straight(place: &Place) -> Result<Option<Outside>, Failure> {
    let Place::Url(url) = place else { return Ok(None) };
    let headers = authorized(authorization("PROMETHEUS", |name| std::env::var(name).ok())?);
    Outside::new(url, &Settings { headers, ..Settings::default() }).map(Some)
}

async fn collect(session: &Session, place: &Place, phase: &PhaseRecord) -> Result<Metrics, String> {
    let ahead = phase.server_ahead_micros.unwrap_or_default();
    match place {
        Place::Url(_) => {
            let outside = straight(place).map_err(|failure| failure.message)?;
            let outside = outside.ok_or("there is no address")?;
            let door = Door::Straight(&outside);
            prometheus::collect(&door, phase, ahead).await.map_err(|why| format!("{door}: {why}"))
        }
        Place::Services(services) => {
            let mut reasons = Vec::new();
            for service in services {
                let door = Door::Through(&session.cluster, service);
                match prometheus::collect(&door, phase, ahead).await {
                    Ok(metrics) => return Ok(metrics),
                    Err(why) => reasons.push(format!("{door}: {why}")),
                }
            }
            Err(reasons.join("; "))
        }
    }
}

/// Queries the figures of a phase and stores them.
async fn found_and_kept(
    session: &Session,
    place: &Place,
    lock: &Held,
    record: &mut RunRecord,
    name: PhaseName,
) -> Result<(), String> {
    let phase = record.phase(name).ok_or_else(|| format!("{name} is not in the record"))?;
    let found = tokio::time::timeout(PATIENCE, collect(session, place, phase)).await;
    let metrics = found.unwrap_or_else(|_| Err(format!("no answer within {}s", PATIENCE.as_secs())))?;
    if metrics.gauges.is_empty() {
        session.console.warn(&format!("{} has no data of {name}", metrics.source));
    }
    keep(session, lock, record, name, metrics).await
}

/// Stores figures in the current record of the cluster.
async fn keep(
    session: &Session,
    lock: &Held,
    record: &mut RunRecord,
    name: PhaseName,
    metrics: Metrics,
) -> Result<(), String> {
    let prefix = record.plan.prefix.clone();
    let (mut saved, mut store) = session.load(&prefix).await.map_err(|failure| failure.message)?;
    store.set_holder(lock.holder());
    let phase = saved.phases.iter_mut().find(|phase| phase.name == name);
    let phase = phase.ok_or_else(|| format!("{name} is not in the record"))?;
    phase.metrics = Some(metrics);
    store.save(&saved, Some(name)).await.map_err(|error| error.message)?;
    *record = saved;
    Ok(())
}
