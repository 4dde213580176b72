//! The only module that talks to a cluster, and the only importer of `kube`.
//!
//! Requests out, one watch in, the record's objects, the lock. Everything is said in words of the other
//! modules: targets, changes, parts.

pub mod access;
pub mod call;
pub mod changes;
pub mod connect;
pub mod exec;
pub mod facts;
pub mod lease;
pub mod machines;
pub mod metadata;
pub mod names;
pub mod namespaces;
pub mod pace;
pub mod probers;
mod quantity;
pub mod store;
pub mod trouble;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use kube::Client;

pub use connect::Connection;
pub use trouble::{Kind, Trouble};

/// A connection to one cluster
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Namespace of the record, and default for everything namespaced.
    namespace: String,
    server: String,
    request_timeout: Option<Duration>,
    shared: Arc<Shared>,
}

/// What all copies of the handle learn together
struct Shared {
    /// Best estimate of how far the server's clock is ahead of ours, in microseconds; `i64::MIN` when unknown.
    server_ahead: AtomicI64,
    /// Requests that had to be sent again, outside of the timed ones.
    retries: AtomicU32,
}

impl Cluster {
    pub(crate) fn new(
        client: Client,
        namespace: String,
        server: String,
        request_timeout: Option<Duration>,
    ) -> Self {
        let shared = Shared { server_ahead: AtomicI64::new(i64::MIN), retries: AtomicU32::new(0) };
        Self { client, namespace, server, request_timeout, shared: Arc::new(shared) }
    }

    /// The namespace in which records live.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// How far the server's clock is ahead of ours, in microseconds; 0 while unknown.
    ///
    /// Estimated from `Date` headers. These are cut to whole seconds, so every header gives a lower bound; the
    /// largest of many comes close from below.
    pub fn server_ahead(&self) -> i64 {
        match self.shared.server_ahead.load(Ordering::Relaxed) {
            i64::MIN => 0,
            ahead => ahead,
        }
    }

    fn learn_server_time(&self, date: Option<&http::HeaderValue>, now_micros: i64) {
        let Some(date) = date.and_then(|value| value.to_str().ok()) else { return };
        let Ok(time) = jiff::fmt::rfc2822::parse(date) else { return };
        let ahead = time.timestamp().as_microsecond() - now_micros;
        self.shared.server_ahead.fetch_max(ahead, Ordering::Relaxed);
    }

    fn count_retry(&self) {
        self.shared.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// How many untimed requests had to be sent again.
    pub fn retries(&self) -> u32 {
        self.shared.retries.load(Ordering::Relaxed)
    }
}
