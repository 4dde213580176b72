//! The HTTP server of live metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Live;
use bootstorm_model::failure::Failure;

/// Maximum number of concurrent connections; others wait.
const CONNECTIONS: usize = 16;
/// Time limit for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Time limit of a connection, so that a client that reads nothing cannot keep its slot.
const CONNECTION: Duration = Duration::from_secs(120);
/// Pause after a connection that could not be accepted, for example because of open files.
const PAUSE: Duration = Duration::from_millis(200);

/// Media type of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Server of live metrics; runs until the process ends
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
}

impl Server {
    /// Starts serving `/metrics` and `/healthz` at an address; port 0 selects a free one.
    ///
    /// Fails if the address cannot be listened on.
    pub async fn start(address: SocketAddr, live: Live) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::new(format!("live metrics cannot be served at {address}"))
                .because(error)
                .hint("choose another port, or a free one: --listen 127.0.0.1:0")
        };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        tokio::spawn(serve(listener, live));
        Ok(Self { address })
    }

    /// Address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, live: Live) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let live = live.clone();
        tokio::spawn(async move {
            // A client that is slow or gone is not worth reporting.
            let _ = tokio::time::timeout(CONNECTION, connection(stream, live)).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, live: Live) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &live);
        async { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(method: &Method, path: &str, live: &Live) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path {
        "/metrics" => text(StatusCode::OK, TEXT_FORMAT, live.text()),
        "/healthz" => text(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, PLAIN, "available: /metrics and /healthz\n".to_owned()),
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
