//! Access to a cluster; with `outside`, the only importer of `kube`.
//!
//! Requests, watches, the record's objects, the lock. Its interface uses the terms of the other modules: targets,
//! changes, parts.

pub mod access;
pub mod adopted;
pub mod call;
mod certificate;
pub mod changes;
pub mod claims;
pub mod connect;
mod credentials;
pub(crate) mod decode;
pub mod error;
pub mod evictions;
pub mod exec;
pub mod extras;
pub mod facts;
mod frames;
pub mod guard;
pub mod insight;
pub mod jobs;
mod kubeconfig;
pub mod launchers;
pub mod lease;
mod list;
pub mod machines;
mod messages;
pub mod metadata;
pub mod migrations;
pub mod names;
pub mod namespaces;
pub mod node_state;
pub mod nodes;
pub mod notices;
pub mod ownership;
pub mod pace;
pub mod plugin;
pub mod probers;
mod process;
mod protobuf;
pub(crate) mod proxy;
pub mod quotas;
pub mod scope;
#[cfg(test)]
pub(crate) mod scripted;
mod server_clock;
pub mod sources;
pub mod stall;
pub mod store;
mod transport;
pub mod volumes;
pub mod watch;
mod watch_delay;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use bootstorm_model::observe::clock::{elapsed_since, wall_now};
use bootstorm_model::observe::{Delays, Offset};
pub use connect::Connection;
pub use error::{ClusterError, Kind};
use server_clock::{ServerClock, micros, own_ahead};
use stall::Pulse;
use transport::Transport;

use bootstorm_model::plan::secrets::redact;
use bootstorm_model::record::ClockDifference;

/// Maximum length of a server's message.
const MOST_TOLD: usize = 1_000;

/// A connection to one cluster
#[derive(Clone)]
pub struct Cluster {
    /// Namespace of the record, and default for everything namespaced.
    namespace: String,
    server: String,
    /// Context of the kubeconfig; absent inside a cluster.
    context: Option<String>,
    request_timeout: Option<Duration>,
    /// Time limit for retries of a request that fails for a transient reason.
    patience: Duration,
    shared: Arc<Shared>,
}

/// State shared by all copies of the handle
struct Shared {
    /// Clients, replaced when the credentials have expired, with their generation.
    transport: RwLock<(u32, Transport)>,
    /// Expiry of the credentials, in seconds since 1970; `i64::MAX` if unknown.
    good_until: AtomicI64,
    /// Settings for a new client.
    connection: Connection,
    /// Permits one renewal of the credentials at a time; the last one, and whether it brought any.
    renewal: tokio::sync::Mutex<Option<(Instant, bool)>>,
    /// What is known of the server's clock.
    server_clock: Mutex<ServerClock>,
    /// Measured delay of the watch.
    echo: Mutex<watch_delay::Echo>,
    /// Number of retries, without timed requests.
    retries: AtomicU32,
    /// Whether the server has answered any request with success.
    proved: AtomicBool,
    /// Whether it has since the credentials were renewed.
    let_in: AtomicBool,
    /// Detects that this process was stopped.
    pulse: OnceLock<Pulse>,
    /// Texts that no message may show, even if the server quotes them.
    secrets: RwLock<Vec<String>>,
}

impl Cluster {
    fn new(transport: Transport, namespace: String, server: String, connection: Connection) -> Self {
        let (request_timeout, patience) = (connection.request_timeout, connection.patience);
        let shared = Shared {
            transport: RwLock::new((0, transport)),
            good_until: AtomicI64::new(i64::MAX),
            connection,
            renewal: tokio::sync::Mutex::new(None),
            server_clock: Mutex::default(),
            echo: Mutex::default(),
            retries: AtomicU32::new(0),
            proved: AtomicBool::new(false),
            let_in: AtomicBool::new(false),
            pulse: OnceLock::new(),
            secrets: RwLock::default(),
        };
        Self { namespace, server, context: None, request_timeout, patience, shared: Arc::new(shared) }
    }

    /// Namespace of records.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Context of the kubeconfig; `None` inside a cluster.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    fn transport(&self) -> Transport {
        self.shared.transport.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Generation of the clients; changes when the credentials are renewed.
    fn generation(&self) -> u32 {
        self.shared.transport.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Records the expiry of the credentials.
    fn note_expiry(&self, until: Option<Timestamp>) {
        let until = until.map_or(i64::MAX, Timestamp::as_second);
        self.shared.good_until.store(until, Ordering::Relaxed);
    }

    /// Whether the credentials have expired.
    fn has_expired(&self) -> bool {
        let until = self.shared.good_until.load(Ordering::Relaxed);
        until != i64::MAX && wall_now().as_second() >= until
    }

    fn replace_transport(&self, transport: Transport) {
        let mut current = self.shared.transport.write().unwrap_or_else(PoisonError::into_inner);
        transport.widen_like(&current.1);
        *current = (current.0 + 1, transport);
    }

    /// Detects that this process was stopped; starts on first use.
    pub fn pulse(&self) -> Pulse {
        self.shared.pulse.get_or_init(Pulse::start).clone()
    }

    /// Prevents messages of the server from showing these texts: it may quote a manifest that it refuses.
    pub fn conceal(&self, secrets: Vec<String>) {
        *self.shared.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// A message of the server without concealed texts, shortened for the record.
    pub fn without_secrets(&self, message: &str) -> String {
        let secrets = self.shared.secrets.read().unwrap_or_else(PoisonError::into_inner);
        error::clip(&redact(message, &secrets), MOST_TOLD)
    }

    /// How far the server's clock is ahead of ours, in microseconds; 0 while unknown.
    ///
    /// Estimated from `Date` headers of answers.
    pub fn server_ahead(&self) -> i64 {
        self.server_clock().bounds().map_or(0, |(least, _)| least - own_ahead())
    }

    /// Best estimate of the server's clock. Computers with different clocks agree on it, and setting ours does not
    /// change it.
    pub fn server_now(&self) -> Timestamp {
        let now = wall_now();
        // A server may send any date.
        now.checked_add(jiff::SignedDuration::from_micros(self.server_ahead())).unwrap_or(now)
    }

    fn server_clock(&self) -> MutexGuard<'_, ServerClock> {
        self.shared.server_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reading of the monotonic clock on the server's clock.
    pub fn server_time(&self, at: Instant) -> Timestamp {
        let now = self.server_now();
        now.checked_sub(elapsed_since(at)).unwrap_or(now)
    }

    /// Age of something on the server, by the server's own clock: ours may be a day ahead or behind.
    pub fn age(&self, since: Timestamp) -> Duration {
        Duration::try_from(self.server_now().duration_since(since)).unwrap_or_default()
    }

    /// Bounds on how far the server's clock is ahead of ours; `None` while unknown.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        let (least, most) = self.server_clock().bounds()?;
        let own = own_ahead();
        Some(ClockDifference { least: Offset(least - own), most: Offset(most - own) })
    }

    /// Updates the estimate from a `Date` header of an answer to a request that was sent and answered at these readings
    /// of the continuous clock.
    fn learn_server_time(&self, date: Option<&http::HeaderValue>, sent: Duration, answered: Duration) {
        let Some(date) = date.and_then(|value| value.to_str().ok()) else { return };
        let Ok(time) = jiff::fmt::rfc2822::parse(date) else { return };
        self.server_clock().learn(time.timestamp().as_microsecond(), micros(sent), micros(answered));
    }

    fn echo(&self) -> MutexGuard<'_, watch_delay::Echo> {
        self.shared.echo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delay of changes on the watch, a lower bound.
    pub fn watch_delays(&self) -> Delays {
        self.echo().delays().clone()
    }

    /// Restarts that measurement.
    pub fn forget_watch_delays(&self) {
        *self.echo() = watch_delay::Echo::default();
    }

    fn count_retry(&self) {
        self.shared.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Number of retried untimed requests.
    pub fn retries(&self) -> u32 {
        self.shared.retries.load(Ordering::Relaxed)
    }
}
