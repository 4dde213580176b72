//! Services outside the cluster, reached by a URL of the user: one HTTP client for all of them.
//!
//! It is kube's (TLS by rustls with the system's roots, or those of `SSL_CERT_FILE`; proxies by `HTTPS_PROXY`,
//! `HTTP_PROXY` and `NO_PROXY`), so that the program has only one. Nothing is retried or redirected here; every
//! exchange has limits of time and size, and no message shows a query or a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::client::Body;
use kube::{Client, Config};

use crate::cluster::error::{self, ClusterError, Kind};
use crate::cluster::{names, proxy};
use bootstorm_model::failure::Failure;

/// Maximum length of a service's answer quoted in a message.
const MOST_QUOTED: usize = 300;

/// Address of a service: `http` or `https`, without user and fragment
///
/// Shown without its query, which may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Scheme and authority.
    base: Uri,
    /// Begins with `/`; ends without one, unless it is the root.
    path: String,
    query: Option<String>,
}

impl Url {
    /// Reads an address; `flag` names its source.
    ///
    /// Fails if it is not an `http` or `https` URL, or contains a user: passwords come from the environment, since
    /// command lines are visible to everyone on the machine. The message does not quote the address.
    pub fn parse(flag: &str, text: &str) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::usage(format!("{flag} {why}")).hint("write it like http://HOST:PORT/PATH");
        let text = text.trim();
        let text = text.split_once('#').map_or(text, |(text, _)| text);
        let parts = text.parse::<Uri>().map_err(|_| wrong("is not a URL"))?.into_parts();
        let scheme = parts.scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
        let scheme = scheme.ok_or_else(|| wrong("is not an http or https URL"))?;
        let authority = parts.authority.ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(Failure::usage(format!("{flag} holds a user or a password"))
                .because("a command line is visible to everyone on this machine")
                .hint("leave them out, and set the variables for it: see docs/formats.md"));
        }
        if authority.host().is_empty() {
            return Err(wrong("names no host"));
        }
        let (path, query) = match &parts.path_and_query {
            Some(both) => (both.path(), both.query().map(str::to_owned)),
            None => ("/", None),
        };
        let base = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
        let path = format!("/{}", path.trim_matches('/'));
        Ok(Self { base: base.map_err(|_| wrong("is not a URL"))?, path, query })
    }

    /// The address with an appended path, which is already percent-encoded; the query stays.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let path = format!("{}/{}", self.path.trim_end_matches('/'), path.trim_start_matches('/'));
        Self { path, ..self.clone() }
    }

    /// The address with another query, which is already percent-encoded.
    #[must_use]
    pub fn with_query(&self, query: impl Into<String>) -> Self {
        Self { query: Some(query.into()), ..self.clone() }
    }

    /// Path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn path_and_query(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.path)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{}{path}", self.base.to_string().trim_end_matches('/'))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `Authorization` for a service, from the environment only
///
/// `BOOTSTORM_<NAME>_TOKEN` gives a bearer token, `BOOTSTORM_<NAME>_USERNAME` and `BOOTSTORM_<NAME>_PASSWORD` basic
/// authentication; none of them, no header. Fails if both are set, or a value is not valid in a header; the message
/// names variables, never values. `variable` reads a variable of the environment.
pub fn authorization(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<HeaderValue>, Failure> {
    let read = |what: &str| variable(&format!("BOOTSTORM_{name}_{what}")).filter(|value| !value.is_empty());
    let text = match (read("TOKEN"), read("USERNAME"), read("PASSWORD")) {
        (None, None, None) => return Ok(None),
        (Some(token), None, None) => format!("Bearer {}", token.trim()),
        (None, Some(user), password) => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.unwrap_or_default())))
        }
        (None, None, Some(_)) => {
            let message = format!("BOOTSTORM_{name}_PASSWORD is set, but no BOOTSTORM_{name}_USERNAME");
            return Err(Failure::usage(message).hint("set both, or unset the password"));
        }
        (Some(_), ..) => {
            let message =
                format!("BOOTSTORM_{name}_TOKEN and BOOTSTORM_{name}_USERNAME contradict each other");
            return Err(Failure::usage(message).hint("unset one of them"));
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Failure::usage(format!("BOOTSTORM_{name}_TOKEN holds a character that no token can have"))
            .hint("check for a line end in it")
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Limits of one exchange
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// From opening the connection to the last byte of the answer.
    pub time: Duration,
    /// Maximum size of the answer's body in bytes.
    pub bytes: usize,
}

/// A complete answer, whatever its status
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Complete body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `Retry-After` in seconds; `None` if it is missing or a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }

    /// Status and first line of the body, as the reason for a failure.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.trim().lines().next().unwrap_or_default();
        if line.is_empty() || line.starts_with('<') || line.contains('\u{fffd}') {
            return format!("HTTP {}", self.status);
        }
        format!("HTTP {}: {}", self.status, error::clip(line, MOST_QUOTED))
    }
}

/// An exchange without a complete answer
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Reason, without credentials and queries.
    pub message: String,
    /// Whether the same request may succeed later: no connection, or none in time.
    pub is_passing: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// How to reach services
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Headers of every request, such as `Authorization`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// PEM file with authorities to trust instead of the system's.
    pub authority: Option<PathBuf>,
}

/// A client for the services at one host; connections are kept
///
/// Must be created inside a tokio runtime.
#[derive(Clone)]
pub struct Outside {
    url: Url,
    client: Client,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Outside {
    /// Creates a client; sends nothing yet.
    ///
    /// Fails if the proxy of the environment, or the file of authorities, is unusable.
    pub fn new(url: &Url, settings: &Settings) -> Result<Self, Failure> {
        let mut config = Config::new(url.base.clone());
        config.default_retry = false;
        // Each exchange has its own limits.
        (config.connect_timeout, config.read_timeout, config.write_timeout) = (None, None, None);
        let proxy = proxy::of_environment(&url.base, |name| std::env::var(name).ok());
        // It may hold a password.
        let parsed = proxy.map(|proxy| proxy.parse::<Uri>()).transpose();
        config.proxy_url = parsed.map_err(|_| {
            Failure::new("the address of the proxy is not a URL").hint("check HTTPS_PROXY and HTTP_PROXY")
        })?;
        if let Some(path) = &settings.authority {
            check_readable(path)?;
            config.root_cert_file = Some(path.clone());
        }
        let client = Client::try_from(config).map_err(|error| {
            Failure::new(format!("no client can be created for {url}"))
                .because(ClusterError::from_client("connect", &error).message)
        })?;
        Ok(Self { url: url.clone(), client, headers: settings.headers.clone() })
    }

    /// The address given at the beginning.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends one request, once, and reads the whole answer; path and query are taken from `url`.
    ///
    /// An answer of any status is a success. Fails if there is none within the limits.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Vec<u8>,
        limit: Limit,
    ) -> Result<Answer, Fault> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = url
            .path_and_query()
            .parse()
            .map_err(|_| Fault { message: format!("{url} is not a URL"), is_passing: false })?;
        if let Ok(agent) = HeaderValue::from_str(&names::user_agent()) {
            request.headers_mut().insert(USER_AGENT, agent);
        }
        for (name, value) in self.headers.iter().chain(headers) {
            request.headers_mut().insert(name, value.clone());
        }
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| {
                let error = ClusterError::from_client("send", &error);
                let is_passing = !matches!(error.kind, Kind::Certificate | Kind::Credentials);
                Fault { message: error.message, is_passing }
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, limit.bytes).collect().await.map_err(|error| {
                let too_long = error.downcast_ref::<LengthLimitError>().is_some();
                let message = if too_long {
                    format!("its answer is longer than {} bytes", limit.bytes)
                } else {
                    "its answer was cut short".to_owned()
                };
                Fault { message, is_passing: !too_long }
            })?;
            let body = body.to_bytes().to_vec();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        tokio::time::timeout(limit.time, exchange).await.unwrap_or_else(|_| {
            let message = format!("no answer within {}s", limit.time.as_secs_f64());
            Err(Fault { message, is_passing: true })
        })
    }
}

/// Headers with secrets are never shown, not even by `{:?}`.
impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The header that authorizes a request.
pub fn authorized(value: Option<HeaderValue>) -> Vec<(HeaderName, HeaderValue)> {
    value.map(|value| (AUTHORIZATION, value)).into_iter().collect()
}

fn check_readable(path: &Path) -> Result<(), Failure> {
    std::fs::File::open(path).map(|_| ()).map_err(|error| {
        Failure::new(format!("the certificate authority file {} cannot be read", path.display()))
            .because(error)
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    const LIMIT: Limit = Limit { time: Duration::from_secs(20), bytes: 100 };

    /// Answers one request with these bytes and closes; returns the address, and later the request.
    fn serve(answer: &'static [u8]) -> (Url, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base/?key=secret", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"BODY") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(request).unwrap()
        });
        (Url::parse("--x", &url).unwrap(), server)
    }

    async fn post(url: &Url, limit: Limit) -> Result<Answer, Fault> {
        let value = authorization("X", |name| (name == "BOOTSTORM_X_TOKEN").then(|| "hush".to_owned()));
        let settings = Settings { headers: authorized(value.unwrap()), authority: None };
        let outside = Outside::new(url, &settings).unwrap();
        assert!(!format!("{outside:?} {settings:?}").contains("hush"));
        outside.send(Method::POST, &url.join("more"), &[], b"BODY".to_vec(), limit).await
    }

    #[tokio::test]
    async fn a_request_arrives_and_any_status_is_an_answer() {
        let (url, server) =
            serve(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nno\nsecond");
        let answer = post(&url, LIMIT).await.unwrap();
        assert_eq!((answer.status, answer.is_success()), (503, false));
        assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(answer.complaint(), "HTTP 503: no");
        let request = server.join().unwrap().to_lowercase();
        assert!(request.starts_with("post /base/more?key=secret http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: bearer hush\r\n"), "{request}");
        assert!(request.contains("user-agent: kubectl-bootstorm/"), "{request}");
    }

    #[tokio::test]
    async fn an_exchange_has_limits() {
        let (url, server) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno\nsecond");
        let fault = post(&url, Limit { bytes: 8, ..LIMIT }).await.unwrap_err();
        assert_eq!(fault.to_string(), "its answer is longer than 8 bytes");
        server.join().unwrap();

        let (url, server) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno");
        let fault = post(&url, LIMIT).await.unwrap_err();
        assert_eq!((fault.message.as_str(), fault.is_passing), ("its answer was cut short", true));
        server.join().unwrap();

        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse("--x", &format!("http://{}", silent.local_addr().unwrap())).unwrap();
        let began = bootstorm_model::observe::clock::monotonic_now();
        let fault = post(&url, Limit { time: Duration::from_millis(50), ..LIMIT }).await.unwrap_err();
        assert_eq!((fault.message.as_str(), fault.is_passing), ("no answer within 0.05s", true));
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(silent);
        let fault = post(&url, LIMIT).await.unwrap_err();
        assert!(fault.is_passing && fault.message.contains("refused"), "{fault}");
    }

    #[test]
    fn addresses_show_neither_user_nor_query() {
        let url = Url::parse("--x", "https://h.example:8443/a/b/?key=secret#part").unwrap();
        assert_eq!(url.to_string(), "https://h.example:8443/a/b");
        assert_eq!(Url::parse("--x", "http://h:1/").unwrap().to_string(), "http://h:1");
        assert_eq!(url.join("/c").path_and_query(), "/a/b/c?key=secret");
        assert_eq!(url.with_query("q=1").path_and_query(), "/a/b?q=1");
        assert_eq!(
            Url::parse("--x", "http://[::1]:9091").unwrap().join("m").to_string(),
            "http://[::1]:9091/m"
        );
        for (bad, why) in [
            ("http://u:hush@h/", "holds a user"),
            ("h:9091", "is not"),
            ("ftp://h", "is not an http"),
            ("", "is not a URL"),
            ("http://", "is not a URL"),
        ] {
            let failure = Url::parse("--x", bad).unwrap_err();
            assert!(failure.message.contains(why) && !failure.to_string().contains("hush"), "{failure}");
        }
    }

    #[test]
    fn credentials_come_from_the_environment_and_are_not_shown() {
        let given = |pairs: &'static [(&str, &str)]| {
            authorization("X", |name| {
                let found = pairs.iter().find(|(own, _)| name == format!("BOOTSTORM_X_{own}"));
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(given(&[]).unwrap(), None);
        assert_eq!(given(&[("TOKEN", "t\n")]).unwrap().unwrap(), "Bearer t");
        let basic = given(&[("USERNAME", "u"), ("PASSWORD", "hush")]).unwrap().unwrap();
        assert_eq!(basic, "Basic dTpodXNo");
        assert_eq!(format!("{basic:?}"), "Sensitive");
        for (pairs, why) in [
            (&[("PASSWORD", "hush")][..], "no BOOTSTORM_X_USERNAME"),
            (&[("TOKEN", "hush"), ("USERNAME", "u")][..], "contradict"),
            (&[("TOKEN", "hush\nhush")][..], "no token can have"),
        ] {
            let failure = given(pairs).unwrap_err();
            assert!(failure.message.contains(why) && !failure.to_string().contains("hush"), "{failure}");
        }
    }
}
