//! Addresses at which nobody listens.

/// An address that refuses connections, and that no other test gets meanwhile
pub(super) struct Refusing(tokio::net::TcpSocket);

impl Refusing {
    pub(super) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.0.local_addr().unwrap())
    }
}
