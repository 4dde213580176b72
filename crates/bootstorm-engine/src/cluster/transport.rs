//! Connections for single requests: a few of HTTP/2 that requests share, or one for each request in flight if the
//! server speaks HTTP/1.1 only. Watches and commands in containers have connections of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use rustls::pki_types::ServerName;
use tower::{BoxError, Service, ServiceBuilder};

/// Requests in flight per connection of HTTP/2. Servers permit at least 100, as RFC 9113 recommends; several
/// connections reach several API servers behind a load balancer.
const SHARED_BY: usize = 100;
/// A silent connection with requests in flight is checked after this long, and given up after the second time; as in
/// client-go.
const CHECKED_AFTER: Duration = Duration::from_secs(30);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);

/// Clients of one server with the same credentials
#[derive(Clone)]
pub(super) struct Transport {
    /// For watches, and connections that change their protocol: HTTP/1.1.
    pub(super) streams: Client,
    /// For single requests.
    pub(super) requests: Client,
    /// Connections of `requests`; `None` if they are not spread.
    spread: Option<Spread>,
}

impl Transport {
    /// One client for everything.
    pub(super) fn single(client: Client) -> Self {
        Self { streams: client.clone(), requests: client, spread: None }
    }

    /// Clients for a server. Connects to nothing yet.
    pub(super) fn new(config: Config) -> Result<Self, kube::Error> {
        // Tunnels have kube's connectors; a legacy provider of credentials runs a program for each client.
        if config.proxy_url.is_some() || config.auth_info.auth_provider.is_some() {
            return Ok(Self::single(Client::try_from(config)?));
        }
        // First, since its errors about certificates and names are the ones that are explained to users.
        let streams = Client::try_from(config.clone())?;
        let spread = Spread::new(&config)?;
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .layer(config.extra_headers_layer()?)
            .map_err(BoxError::from)
            .service(spread.clone());
        let requests = ClientBuilder::new(service, config.default_namespace).build();
        Ok(Self { streams, requests, spread: Some(spread) })
    }

    /// Spreads single requests over one connection of HTTP/2 for every 100 in flight. Returns the number of
    /// connections; `None` if requests are not spread.
    pub(super) fn widen(&self, in_flight: usize) -> Option<usize> {
        let connections = in_flight.div_ceil(SHARED_BY).max(1);
        self.spread.as_ref().map(|spread| spread.widen(connections))
    }

    /// Spreads single requests over as many connections as another transport does.
    pub(super) fn widen_like(&self, other: &Self) {
        if let (Some(spread), Some(other)) = (&self.spread, &other.spread) {
            spread.widen(other.connections());
        }
    }
}

type Connector = TimeoutConnector<HttpsConnector<HttpConnector>>;
type Pool = legacy::Client<Connector, Body>;

/// Single requests, in turns over several connections
#[derive(Clone)]
struct Spread {
    connector: Connector,
    /// Each has one connection of HTTP/2, or any number of HTTP/1.1.
    pools: Arc<RwLock<Vec<Pool>>>,
    turn: Arc<AtomicUsize>,
}

impl Spread {
    fn new(config: &Config) -> Result<Self, kube::Error> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let mut builder =
            HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
        if let Some(name) = &config.tls_server_name {
            let name =
                ServerName::try_from(name.clone()).map_err(|error| kube::Error::Service(error.into()))?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        let mut connector = TimeoutConnector::new(builder.enable_all_versions().wrap_connector(connector));
        connector.set_connect_timeout(config.connect_timeout);
        let pools = Arc::new(RwLock::new(vec![pool(&connector)]));
        Ok(Self { connector, pools, turn: Arc::default() })
    }

    fn connections(&self) -> usize {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn widen(&self, connections: usize) -> usize {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        while pools.len() < connections {
            pools.push(pool(&self.connector));
        }
        pools.len()
    }
}

fn pool(connector: &Connector) -> Pool {
    legacy::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(CHECKED_AFTER)
        .http2_keep_alive_timeout(GIVEN_UP_AFTER)
        .build(connector.clone())
}

impl Service<Request<Body>> for Spread {
    type Response = Response<Incoming>;
    type Error = legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        pools[turn % pools.len()].request(request)
    }
}
