//! The listener: accepts TLS connections, passes requests to the pipeline, and shuts down in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::payload::Body;
use http::header::DATE;
use http::{HeaderValue, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::pipeline;
use super::server_faults::Hand;
use super::shared::Api;
use super::token::Tokens;
use super::{certificate, driver};
use crate::faults::{Action, Faults};
use crate::ledger::Ledger;
use crate::model::Dice;
use crate::model::admission::Admission;
use crate::network::{Network, Nobody};
use crate::processes::{Entrance, Logs};
use crate::programs::Programs;
use crate::store::Store;
use bootstorm_model::platform;

/// Maximum number of connections waiting to be accepted; a storm opens thousands at once.
const BACKLOG: u32 = 8_192;
/// Time limit for open requests once the server stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// Requests in flight on a connection of HTTP/2, as in kube-apiserver (`HTTP2MaxStreamsPerConnection`).
const MOST_STREAMS: u32 = 1_000;
/// Bytes in flight on a connection in the same process.
const LOCAL_BUFFER: usize = 256 * 1024;

/// Options of the server
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Port on 127.0.0.1; 0 means any free one.
    pub port: u16,
    /// Whether it speaks HTTP/2 beside HTTP/1.1, as kube-apiserver does, but not every proxy before one.
    pub http2: bool,
    /// Time that virt-api takes between reading a machine and writing it.
    pub virt_api_latency: Duration,
    /// Cost of writes; without it they are admitted at once.
    pub admission: Option<Admission>,
    /// Network of the pods.
    pub network: Arc<dyn Network>,
    /// Random draws of commands in containers.
    pub dice: Dice,
    /// Output of containers.
    pub logs: Logs,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            port: 0,
            http2: true,
            virt_api_latency: Duration::from_millis(5),
            admission: None,
            network: Arc::new(Nobody),
            dice: Dice::new(0),
            logs: Logs::default(),
        }
    }
}

/// Reason why the server did not start
#[derive(Debug, Error)]
pub enum StartError {
    /// The port is in use, or similar.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// Requested port.
        port: u16,
        /// System error.
        source: io::Error,
    },
    /// No certificate could be created.
    #[error("cannot create a certificate: {0}")]
    Certificate(Box<dyn std::error::Error + Send + Sync>),
}

/// The API server of the simulated cluster
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A running server; stops on drop
#[derive(Debug)]
pub struct Running {
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    /// Bearer token at the start.
    pub token: String,
    /// Authority that signed its certificate, as PEM.
    pub ca_pem: String,
    ledger: Ledger,
    hand: Hand,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts the server.
    pub async fn start(store: Store, faults: Faults, options: ServerOptions) -> Result<Running, StartError> {
        let listen = |source| StartError::Listen { port: options.port, source };
        let listener = listen_on(options.port).map_err(listen)?;
        let url = format!("https://{}", listener.local_addr().map_err(listen)?);
        // Creating keys takes a moment that other tasks of this thread should not have to wait for.
        let made = tokio::task::spawn_blocking(move || certificate::create(options.http2)).await;
        let identity =
            made.map_err(|error| StartError::Certificate(error.into()))?.map_err(StartError::Certificate)?;
        let Assembled { api, hand, ledger, stop, stopping } =
            assemble(store, faults, options, &url, identity.ca_pem.clone());
        let acceptor = TlsAcceptor::from(identity.config);
        let accepting = tokio::spawn(accept(listener, acceptor, api, stopping));
        tokio::spawn(driver::drive(hand.clone(), stop.subscribe()));
        let token = hand.tokens.current();
        Ok(Running { url, token, ca_pem: identity.ca_pem, ledger, hand, stop, accepting })
    }
}

/// The serving part, independent of the transport
struct Assembled {
    api: Arc<Api>,
    hand: Hand,
    ledger: Ledger,
    stop: watch::Sender<bool>,
    stopping: watch::Receiver<bool>,
}

fn assemble(store: Store, faults: Faults, options: ServerOptions, url: &str, ca_pem: String) -> Assembled {
    let tokens = Tokens::new(url.to_owned(), ca_pem);
    let ledger = Ledger::default();
    let hand =
        Hand { store: store.clone(), faults: faults.clone(), tokens: tokens.clone(), writes: Arc::default() };
    let (stop, stopping) = watch::channel(false);
    let api = Api {
        store,
        faults,
        ledger: ledger.clone(),
        tokens,
        hand: hand.clone(),
        address: url.trim_start_matches("https://").to_owned(),
        virt_api_latency: options.virt_api_latency,
        admission: options.admission,
        network: options.network,
        dice: options.dice,
        logs: options.logs,
        programs: Programs::default(),
        stop: stopping.clone(),
    };
    Assembled { api: Arc::new(api), hand, ledger, stop, stopping }
}

/// The API server for clients in the same process: connections without sockets and TLS, which work on paused time
pub struct Local {
    assembled: Assembled,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Local {
    /// Starts the server.
    pub fn start(store: Store, faults: Faults, options: ServerOptions) -> Self {
        let assembled = assemble(store, faults, options, "https://sandbox", String::new());
        tokio::spawn(driver::drive(assembled.hand.clone(), assembled.stop.subscribe()));
        Self { assembled }
    }

    /// Opens a connection.
    ///
    /// Fails during an outage.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let api = Arc::clone(&self.assembled.api);
        let cut = api.faults.connection_cuts();
        if api.faults.is_out() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(LOCAL_BUFFER);
        tokio::spawn(converse(ours, api, cut, self.assembled.stopping.clone()));
        Ok(theirs)
    }

    /// Current bearer token.
    pub fn current_token(&self) -> String {
        self.assembled.hand.tokens.current()
    }

    /// Performs an action on the server or its objects at once.
    pub fn act(&self, action: &Action) {
        self.assembled.hand.perform(action);
    }

    /// Record of requests.
    pub fn ledger(&self) -> &Ledger {
        &self.assembled.ledger
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.assembled.stop.send(true);
    }
}

impl Running {
    /// A kubeconfig for this server.
    pub fn kubeconfig(&self) -> String {
        self.hand.tokens.kubeconfig()
    }

    /// Current bearer token.
    pub fn current_token(&self) -> String {
        self.hand.tokens.current()
    }

    /// Writes the kubeconfig to a file readable only by its owner; rewritten when the token changes.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        self.hand.tokens.write_kubeconfig(path)
    }

    /// Writes a kubeconfig that never changes, whose exec plugin reads the token from a file beside it.
    pub fn write_exec_kubeconfig(&self, path: &Path) -> io::Result<()> {
        self.hand.tokens.write_exec_kubeconfig(path)
    }

    /// Access for processes in pods.
    pub fn entrance(&self) -> Arc<dyn Entrance> {
        Arc::new(self.hand.tokens.clone())
    }

    /// Record of requests, and of each machine's history.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Performs an action on the server or its objects at once.
    pub fn act(&self, action: &Action) {
        self.hand.perform(action);
    }

    /// Ends watches, lets requests finish, and returns when all connections are closed.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        self.hand.tokens.forget();
    }
}

fn listen_on(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(platform::REUSES_PORTS)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    api: Arc<Api>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, acceptor.clone(), api.clone(), stop.clone()));
                }
                Err(error) => {
                    // Probably out of file handles: wait until some connection ends.
                    tracing::warn!(%error, "the sandbox could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all_closed).await.is_err() {
        connections.shutdown().await;
    }
}

/// Adds the cluster's time to an answer.
fn dated<E>(api: &Api, answer: Result<Response<Body>, E>) -> Result<Response<Body>, E> {
    let mut answer = answer?;
    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&api.store.now());
    if let Some(now) = now.ok().and_then(|now| HeaderValue::from_str(&now).ok()) {
        answer.headers_mut().insert(DATE, now);
    }
    Ok(answer)
}

/// Ends a connection as if there were no server: a reset, without TLS closure.
fn reset(stream: &TcpStream) {
    // If that is impossible, the client sees an orderly end in the middle of its handshake.
    let _ = stream.set_zero_linger();
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, api: Arc<Api>, stop: watch::Receiver<bool>) {
    // Subscribed before checking: no connection slips through between the cut and the gate.
    let mut cut = api.faults.connection_cuts();
    if api.faults.is_out() {
        return reset(&stream);
    }
    // A small answer must not wait for a larger one.
    let _ = stream.set_nodelay(true);
    let accepted = tokio::select! {
        accepted = acceptor.accept(stream) => accepted,
        _ = cut.changed() => return,
    };
    let Ok(stream) = accepted else { return };
    converse(stream, api, cut, stop).await;
}

/// Serves the requests of one connection until it ends or is cut.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    api: Arc<Api>,
    mut cut: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    let spared = Arc::new(AtomicBool::new(false));
    let mark = spared.clone();
    let service = service_fn(move |request| {
        let (api, mark) = (api.clone(), mark.clone());
        async move { dated(&api, pipeline::serve(api.clone(), request, &mark).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MOST_STREAMS);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that is gone is not worth reporting.
        _ = connection.as_mut() => return,
        _ = cut.changed() => {
            if !spared.load(Ordering::Acquire) {
                return;
            }
            connection.as_mut().graceful_shutdown();
        }
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
