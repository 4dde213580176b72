//! `--otlp`: traces and metrics for an OpenTelemetry collector, over HTTP.
//!
//! The flag decides whether anything is sent; the standard variables decide how (OpenTelemetry specification, "OTLP
//! Exporter Configuration" and "Environment Variable Specification"). An empty variable counts as unset.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use bootstorm_engine::outside::{Answer, Limit, Outside, Settings, Url};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock;
use bootstorm_model::record::PhaseName;
use bootstorm_report::Report;
use bootstorm_report::otlp::{Resource, Signal};

/// Value of the flag that leaves the address to the variables.
const BY_VARIABLES: &str = "env";

/// Default address of a collector: the specification's default for HTTP.
const DEFAULT: &str = "http://localhost:4318";

/// The specification's default time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Total time limit for all requests of one export, unless the limit of a single one is longer.
const TOGETHER: Duration = Duration::from_secs(60);

/// Maximum number of attempts per request.
const ATTEMPTS: u32 = 3;

/// Pause before the second attempt, without a `Retry-After`; doubled before the third.
const PAUSE: Duration = Duration::from_millis(500);

/// Maximum size of an answer in bytes.
const MOST_ANSWERED: usize = 64 * 1024;

/// Destination and options of the export
pub(super) struct Exporter {
    resource: Resource,
    targets: Vec<Target>,
}

/// Collector of one signal
struct Target {
    signal: Signal,
    url: Url,
    collector: Outside,
    timeout: Duration,
    is_packed: bool,
}

/// Selection of the traces to send
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traces {
    /// All finished phases.
    All,
    /// One phase.
    Of(PhaseName),
    /// None: they were already sent.
    None,
}

impl Exporter {
    /// Reads the flag's value and the variables; `None` if `OTEL_SDK_DISABLED` is true.
    ///
    /// Fails if one of them is unusable; no message quotes a header. Must be called inside a tokio runtime.
    pub(super) fn of(flag: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
            tracing::info!("nothing is sent to --otlp: OTEL_SDK_DISABLED is true");
            return Ok(None);
        }
        let mut targets = Vec::new();
        for signal in [Signal::Traces, Signal::Metrics] {
            let name = format!("OTEL_{}_EXPORTER", signal.word().to_uppercase());
            match variable(&name).as_deref().map(str::trim) {
                None | Some("otlp") => targets.push(Target::of(flag, signal, &variable)?),
                Some("none") => {}
                Some(_) => {
                    return Err(Failure::usage(format!("{name} names an exporter other than OTLP"))
                        .hint(format!("unset {name}, or set it to otlp or none")));
                }
            }
        }
        Ok(Some(Self { resource: resource(&variable)?, targets }))
    }

    /// Sends a run. Fails if part of it does not arrive; the other signal is still sent if a collector answers.
    pub(super) async fn send(&self, report: &Report, traces: Traces) -> Result<(), Failure> {
        let longest = self.targets.iter().map(|target| target.timeout).max().unwrap_or(TIMEOUT);
        let deadline = Instant::now() + longest.max(TOGETHER);
        let mut failed = None;
        for target in &self.targets {
            let bodies = match (target.signal, traces) {
                (Signal::Traces, Traces::None) => continue,
                (Signal::Traces, Traces::All) => report.otlp_traces(&self.resource, None),
                (Signal::Traces, Traces::Of(phase)) => report.otlp_traces(&self.resource, Some(phase)),
                (Signal::Metrics, _) => vec![report.otlp_metrics(&self.resource, clock::wall_now())],
            };
            match target.post_all(bodies, deadline).await {
                Ok(()) => tracing::info!(signal = target.signal.word(), url = %target.url, "telemetry sent"),
                Err((failure, Answered(true))) => {
                    failed.get_or_insert(failure);
                }
                // Without an answer, the other signal would only wait as long.
                Err((failure, Answered(false))) => return Err(failed.unwrap_or(failure)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Whether a collector answered at all
#[derive(Debug, Clone, Copy)]
struct Answered(bool);

impl Target {
    fn of(flag: &str, signal: Signal, variable: &impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let common = |what: &str| format!("OTEL_EXPORTER_OTLP_{what}");
        let own = |what: &str| format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.word().to_uppercase());
        // Name and value, for messages.
        let read = |what: &str| {
            let found = |name: String| variable(&name).map(|value| (name, value.trim().to_owned()));
            found(own(what)).or_else(|| found(common(what)))
        };
        let path = format!("v1/{}", signal.word());
        let url = if flag == BY_VARIABLES {
            match (variable(&own("ENDPOINT")), variable(&common("ENDPOINT"))) {
                (Some(url), _) => Url::parse(&own("ENDPOINT"), &url)?,
                (None, Some(base)) => Url::parse(&common("ENDPOINT"), &base)?.join(&path),
                (None, None) => Url::parse("--otlp", DEFAULT)?.join(&path),
            }
        } else {
            Url::parse("--otlp", flag)
                .map_err(|failure| {
                    failure.hint("or --otlp env, for the address in OTEL_EXPORTER_OTLP_ENDPOINT")
                })?
                .join(&path)
        };
        if let Some((name, protocol)) = read("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
            return Err(Failure::usage(format!("{name} is {protocol}, which --otlp does not support")).hint(
                format!("unset {name}, or set it to http/protobuf; collectors take that on port 4318"),
            ));
        }
        let is_packed = match read("COMPRESSION") {
            None => false,
            Some((_, word)) if word == "none" => false,
            Some((_, word)) if word == "gzip" => true,
            Some((name, word)) => {
                return Err(Failure::usage(format!("{name} is {word}, which --otlp does not support"))
                    .hint(format!("set {name} to gzip or none")));
            }
        };
        let timeout = match read("TIMEOUT") {
            None => TIMEOUT,
            Some((name, text)) => match text.parse() {
                Ok(millis) if millis > 0 => Duration::from_millis(millis),
                _ => {
                    return Err(Failure::usage(format!("{name} is not a time limit"))
                        .hint(format!("set {name} to milliseconds, such as 10000")));
                }
            },
        };
        let headers = read("HEADERS").map(|(name, text)| headers(&name, &text)).transpose()?;
        let settings = Settings {
            headers: headers.unwrap_or_default(),
            authority: read("CERTIFICATE").map(|(_, path)| PathBuf::from(path)),
        };
        Ok(Self { signal, collector: Outside::new(&url, &settings)?, url, timeout, is_packed })
    }

    /// Sends requests in order, up to the first failure.
    async fn post_all(&self, bodies: Vec<Vec<u8>>, deadline: Instant) -> Result<(), (Failure, Answered)> {
        for body in bodies {
            self.post(body, deadline).await?;
        }
        Ok(())
    }

    /// Sends one request, with retries as requested by the collector, within the time limit of one request.
    ///
    /// By the OTLP specification, answers 429, 502, 503 and 504 and cut connections are retried.
    async fn post(&self, body: Vec<u8>, deadline: Instant) -> Result<(), (Failure, Answered)> {
        let deadline = deadline.min(Instant::now() + self.timeout);
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))];
        let body = if self.is_packed {
            headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            packed(&body).map_err(|error| (self.failed(error.to_string()), Answered(true)))?
        } else {
            body
        };
        let mut attempt = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = Limit { time: left, bytes: MOST_ANSWERED };
            let sent = self.collector.send(Method::POST, &self.url, &headers, body.clone(), limit).await;
            let (failure, answered, pause) = match sent {
                Ok(answer) if answer.is_success() => return self.taken(&answer),
                Ok(answer) => {
                    let asked = matches!(answer.status, 429 | 502 | 503 | 504);
                    let pause = asked.then(|| answer.retry_after().unwrap_or(PAUSE * attempt));
                    (self.refused(&answer), Answered(true), pause)
                }
                Err(fault) => {
                    let failure = self
                        .failed(fault.message)
                        .hint(format!("check that a collector answers OTLP over HTTP at {}", self.url));
                    (failure, Answered(false), fault.is_passing.then_some(PAUSE * attempt))
                }
            };
            let next = pause.map(|pause| Instant::now() + pause).filter(|next| *next < deadline);
            let Some(next) = next.filter(|_| attempt < ATTEMPTS) else { return Err((failure, answered)) };
            tracing::debug!(why = %failure, "telemetry is sent again");
            tokio::time::sleep_until(next).await;
            attempt += 1;
        }
    }

    /// Reads which part of an accepted request a collector rejected.
    fn taken(&self, answer: &Answer) -> Result<(), (Failure, Answered)> {
        let Some((count, why)) = self.signal.refused(&answer.body) else { return Ok(()) };
        if count == 0 {
            tracing::warn!(%why, "the collector warns");
            return Ok(());
        }
        let of = if self.signal == Signal::Traces { "spans" } else { "data points" };
        let why: String = why.chars().take(300).collect();
        let failure = self.failed(format!("the collector rejected {count} {of}: {why}"));
        Err((failure, Answered(true)))
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let failed = self.failed(complaint(answer));
        match answer.status {
            401 | 403 => failed.hint("set OTEL_EXPORTER_OTLP_HEADERS, such as Authorization=Bearer%20TOKEN"),
            404 | 405 => failed.hint(format!(
                "give the address without /v1/{0}; or OTEL_{1}_EXPORTER=none where no {0} are wanted",
                self.signal.word(),
                self.signal.word().to_uppercase()
            )),
            _ => failed,
        }
    }

    fn failed(&self, why: String) -> Failure {
        let signal = self.signal.word();
        Failure::new(format!("the {signal} could not be sent to {}", self.url)).because(why)
    }
}

/// The status of an answer; with its body only if that is text, not the protobuf of a `Status`.
fn complaint(answer: &Answer) -> String {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.contains("protobuf") { format!("HTTP {}", answer.status) } else { answer.complaint() }
}

fn packed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

/// The headers in a variable: `name=value,name=value`, values percent-encoded.
fn headers(variable: &str, text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let wrong = || {
        Failure::usage(format!("{variable} is not a list of headers"))
            .hint("write it like NAME=VALUE,NAME=VALUE, with spaces and commas in values as %20 and %2C")
    };
    let pairs = pairs(text).ok_or_else(wrong)?;
    let header = |(name, value): (String, String)| {
        let name = name.parse::<HeaderName>().map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok((name, value))
    };
    pairs.into_iter().map(header).collect()
}

/// The resource of the variables `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(variable: &impl Fn(&str) -> Option<String>) -> Result<Resource, Failure> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let attributes = pairs(&variable(name).unwrap_or_default()).ok_or_else(|| {
        Failure::usage(format!("{name} is not a list of attributes"))
            .hint("write it like NAME=VALUE,NAME=VALUE, with commas in values as %2C")
    })?;
    let named = attributes.iter().find(|(name, _)| name == "service.name").map(|(_, value)| value.clone());
    let service = variable("OTEL_SERVICE_NAME").or(named).unwrap_or_else(|| "kubectl-bootstorm".to_owned());
    Ok(Resource { service, version: env!("CARGO_PKG_VERSION").to_owned(), attributes })
}

/// Pairs of `name=value,name=value`, values percent-decoded; `None` if one is malformed.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    };
    parts.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flag: &str, given: &'static [(&str, &str)]) -> Result<Option<Exporter>, Failure> {
        Exporter::of(flag, |name| {
            given.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn urls(flag: &str, given: &'static [(&str, &str)]) -> Vec<String> {
        let exporter = of(flag, given).unwrap().unwrap();
        exporter.targets.iter().map(|target| target.url.to_string()).collect()
    }

    #[tokio::test]
    async fn the_flag_or_the_variables_say_where_to() {
        const BASE: &[(&str, &str)] = &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/base/"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:2/in"),
        ];
        assert_eq!(urls("http://h:4318", BASE), ["http://h:4318/v1/traces", "http://h:4318/v1/metrics"]);
        assert_eq!(urls("env", BASE), ["http://c:1/base/v1/traces", "http://m:2/in"]);
        assert_eq!(urls("env", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])[0], "http://localhost:4318/v1/traces");
        assert_eq!(urls("env", &[("OTEL_METRICS_EXPORTER", "none")]).len(), 1);
        assert!(of("http://h", &[("OTEL_SDK_DISABLED", "True")]).unwrap().is_none());
    }

    #[tokio::test]
    async fn variables_of_a_signal_come_before_those_of_all() {
        let exporter = of(
            "http://h",
            &[
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
                ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "70000"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
                ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,k8s.cluster.name=a%2Cb"),
                ("OTEL_SERVICE_NAME", "y"),
            ],
        );
        let exporter = exporter.unwrap().unwrap();
        let seen: Vec<_> = exporter.targets.iter().map(|t| (t.timeout.as_millis(), t.is_packed)).collect();
        assert_eq!(seen, [(2500, true), (70000, false)]);
        assert_eq!(exporter.resource.service, "y");
        assert_eq!(exporter.resource.attributes[1], ("k8s.cluster.name".into(), "a,b".into()));
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let all = headers("X", "Authorization=Bearer%20hush, x-scope = a%3Db ,").unwrap();
        assert_eq!(
            (all[0].0.as_str(), &all[0].1),
            ("authorization", &HeaderValue::from_static("Bearer hush"))
        );
        assert_eq!((all[1].0.as_str(), &all[1].1), ("x-scope", &HeaderValue::from_static("a=b")));
        assert!(!format!("{all:?}").contains("hush"), "{all:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_named_and_secrets_are_not() {
        for (given, why) in [
            (&[("OTEL_EXPORTER_OTLP_HEADERS", "hush")][..], "OTEL_EXPORTER_OTLP_HEADERS is not a list"),
            (&[("OTEL_EXPORTER_OTLP_HEADERS", "a=hush%0Ahush")], "OTEL_EXPORTER_OTLP_HEADERS is not a list"),
            (&[("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a b=hush")], "OTEL_EXPORTER_OTLP_TRACES_HEADERS is"),
            (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
            (&[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")], "OTEL_EXPORTER_OTLP_COMPRESSION is zstd"),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")], "OTEL_EXPORTER_OTLP_TIMEOUT is not a time limit"),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")], "OTEL_EXPORTER_OTLP_TIMEOUT is not a time limit"),
            (&[("OTEL_TRACES_EXPORTER", "zipkin")], "OTEL_TRACES_EXPORTER names an exporter"),
            (&[("OTEL_RESOURCE_ATTRIBUTES", "a")], "OTEL_RESOURCE_ATTRIBUTES is not a list"),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:hush@h")],
                "OTEL_EXPORTER_OTLP_ENDPOINT holds a user",
            ),
            (
                &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/at/all")],
                "authority file /nowhere/at/all cannot be read",
            ),
        ] {
            let failure = of("env", given).err().unwrap();
            assert!(failure.message.contains(why) && !failure.to_string().contains("hush"), "{failure}");
        }
    }
}
