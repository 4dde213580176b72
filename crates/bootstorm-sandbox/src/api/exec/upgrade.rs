//! The handshake that turns a request into a WebSocket, RFC 6455, section 4.2.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::payload::{self, Body};

/// The connection after the upgrade to WebSocket
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request for an upgrade to WebSocket
pub(in crate::api) struct Upgrade {
    key: HeaderValue,
    protocols: Vec<String>,
    connection: OnUpgrade,
}

impl Upgrade {
    /// The upgrade requested by a request, if it can be granted.
    pub(in crate::api) fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let headers = request.headers();
        let asks = names(headers, header::CONNECTION, "upgrade")
            && names(headers, header::UPGRADE, "websocket")
            && names(headers, header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?.clone();
        let protocols = words(headers, header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        Some(Self { key, protocols, connection: hyper::upgrade::on(request) })
    }

    /// The first of `ours` that the client supports too.
    pub(super) fn choose(&self, ours: &[&'static str]) -> Option<&'static str> {
        ours.iter().copied().find(|our| self.protocols.iter().any(|theirs| theirs == our))
    }

    /// The answer that switches protocols; `serve` gets the socket once the client has the answer.
    pub(super) fn accept<F>(
        self,
        protocol: &'static str,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response<Body>
    where
        F: Future<Output = ()> + Send,
    {
        let mut response = Response::new(payload::full(""));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        if let Ok(key) = HeaderValue::from_str(&derive_accept_key(self.key.as_bytes())) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
        }
        tokio::spawn(async move {
            // A client that hung up during the handshake needs no answer.
            if let Ok(connection) = self.connection.await {
                let io = TokioIo::new(connection);
                serve(WebSocketStream::from_raw_socket(io, Role::Server, None).await).await;
            }
        });
        response
    }
}

/// The comma-separated words of a header that may be repeated.
fn words(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn names(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word))
}
