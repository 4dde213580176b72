//! A running sandbox with clients for it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use bootstorm_sandbox::api::{Running, Server, ServerOptions};
use bootstorm_sandbox::faults::Faults;
use bootstorm_sandbox::seed::seed;
use bootstorm_sandbox::store::Store;
use bootstorm_sandbox::value::{Value, json};
use futures::{Stream, StreamExt};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, BodyStream, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The maximum time for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox that lives as long as its test.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) server: Running,
    home: tempfile::TempDir,
}

/// A response, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// The result of `kubectl`.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn fine(self) -> String {
        assert!(self.ok, "{}{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// A small VM.
pub(crate) fn machine(name: &str, strategy: &str) -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"runStrategy": strategy, "template": {"spec": {
            "domain": {"memory": {"guest": "256Mi"}, "devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}},
            "volumes": [{"name": "root", "containerDisk": {"image": "quay.io/containerdisks/fedora:41"}}],
        }}},
    })
}

pub(crate) const MACHINES: &str = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines";

impl Cluster {
    pub(crate) async fn start() -> Self {
        let (store, faults) = (Store::new(), Faults::none());
        seed(&store, 3, 16, 64, 250).unwrap();
        let server = Server::start(store.clone(), faults.clone(), ServerOptions::default()).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let cluster = Self { store, faults, server, home };
        cluster.server.write_kubeconfig(&cluster.kubeconfig()).unwrap();
        cluster
    }

    fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    /// `kubectl` with nothing of this machine's user in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.kubeconfig())
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Done {
        self.kubectl_with(arguments, &Value::Null).await
    }

    /// `kubectl` with an object on its standard input.
    pub(crate) async fn kubectl_with(&self, arguments: &[&str], input: &Value) -> Done {
        let mut command = self.command(arguments);
        if !input.is_null() {
            let path = self.home.path().join("input.json");
            std::fs::write(&path, input.to_string()).unwrap();
            command.stdin(std::fs::File::open(path).unwrap());
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = tokio::time::timeout(PATIENCE, output).await.expect("kubectl hangs").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// A separate connection, as a browser or another tool would open it.
    pub(crate) async fn connect(&self) -> http1::SendRequest<Full<Bytes>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.server.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = self.server.url.trim_start_matches("https://");
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        let given = |name: &str| headers.iter().any(|(known, _)| *known == name);
        if !given("authorization") {
            request = request.header("authorization", format!("Bearer {}", self.server.token));
        }
        if !given("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, hyper::Error> {
        let mut sender = self.connect().await;
        let request = self.request(method, path, headers, body);
        let response =
            tokio::time::timeout(PATIENCE, sender.send_request(request)).await.expect("no answer")?;
        let (parts, body) = response.into_parts();
        let body =
            tokio::time::timeout(PATIENCE, body.collect()).await.expect("no end of the answer")?.to_bytes();
        Ok(Answer { code: parts.status, headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], &body.to_string()).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[], &body.to_string()).await.unwrap()
    }

    pub(crate) async fn merge(&self, path: &str, body: &Value) -> Answer {
        let media = [("content-type", "application/merge-patch+json")];
        self.send(Method::PATCH, path, &media, &body.to_string()).await.unwrap()
    }

    /// The events of a watch; ends with the stream, and an error is the last item.
    pub(crate) async fn watch(&self, path: &str) -> impl Stream<Item = Result<Value, hyper::Error>> + use<> {
        let mut sender = self.connect().await;
        let response = sender.send_request(self.request(Method::GET, path, &[], "")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        lines(response.into_body(), sender)
    }
}

/// Splits a body into lines; keeps the sender, without which the connection would close.
fn lines(
    body: Incoming,
    sender: http1::SendRequest<Full<Bytes>>,
) -> impl Stream<Item = Result<Value, hyper::Error>> {
    let state = (Box::pin(BodyStream::new(body)), Vec::<u8>::new(), sender);
    futures::stream::unfold(state, |(mut body, mut rest, sender)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                return Some((Ok(serde_json::from_slice(&line).unwrap()), (body, rest, sender)));
            }
            match tokio::time::timeout(PATIENCE, body.next()).await.expect("no event")? {
                Ok(frame) => rest.extend_from_slice(frame.data_ref().unwrap()),
                Err(error) => return Some((Err(error), (body, rest, sender))),
            }
        }
    })
}
