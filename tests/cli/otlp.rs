//! `--otlp`: a collector gets traces and metrics, and a failing collector does not affect the run.
//!
//! The collector is a receiver in this file; it decodes with the messages of `opentelemetry-proto` 0.33.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

use super::refusing::Refusing;
use crate::support::{Cluster, Ran};

/// Part of every secret of these tests, and of nothing else.
const MARKER: &str = "hunter2-MARKER";

const RUN: [&str; 5] = ["run", "--end", "2", "--probe", "none"];

/// A received request
#[derive(Clone)]
struct Received {
    /// Request line and headers, in lower case except for values.
    head: String,
    body: Vec<u8>,
}

impl Received {
    fn is_for(&self, signal: &str) -> bool {
        self.head.starts_with(&format!("POST /v1/{signal} HTTP/1.1\r\n"))
    }
}

/// A collector: gives these answers in order, then accepts everything
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Collector {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let Some((mut stream, request)) = read(stream.unwrap()) else { continue };
                kept.lock().unwrap().push(request);
                let taken = || b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
                let _ = stream.write_all(&answers.next().unwrap_or_else(taken));
            }
        });
        Self { url, received }
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Takes the spans received since the last call.
    fn spans(&self) -> Vec<Span> {
        let requests = std::mem::take(&mut *self.received.lock().unwrap());
        let traces = requests.iter().filter(|request| request.is_for("traces"));
        let decoded = traces.map(|request| ExportTraceServiceRequest::decode(&request.body[..]).unwrap());
        let resources = decoded.flat_map(|request| request.resource_spans);
        resources.flat_map(|all| all.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn read(mut stream: TcpStream) -> Option<(TcpStream, Received)> {
    let mut request = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(request[..end + 2].to_vec()).unwrap();
        let is_length = |line: &&str| line.to_lowercase().starts_with("content-length: ");
        let length: usize = head.lines().find(is_length).unwrap()[16..].parse().unwrap();
        if request.len() >= end + 4 + length {
            return Some((stream, Received { head, body: request[end + 4..].to_vec() }));
        }
    }
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn value(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

fn ids(spans: &[Span]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    spans.iter().map(|span| (span.trace_id.clone(), span.span_id.clone())).collect()
}

/// Runs three phases with two VMs and more flags.
fn run(cluster: &Cluster, env: &[(&str, &str)], more: &[&str]) -> Ran {
    let program = env.iter().fold(cluster.program(), |program, (name, value)| program.env(name, value));
    program.run(&[&RUN[..], more].concat())
}

#[test]
fn a_collector_has_a_trace_per_vm_and_phase_with_its_stages() {
    let cluster = Cluster::instant();
    let collector = Collector::new(Vec::new());
    let ran = run(&cluster, &[], &["--otlp", &collector.url]).exits(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let requests = collector.received();
    let count = |signal| requests.iter().filter(|request| request.is_for(signal)).count();
    assert_eq!((count("traces"), count("metrics")), (3, 3));
    assert!(requests.iter().all(|request| request.head.contains("application/x-protobuf")));

    let first = ExportTraceServiceRequest::decode(&requests[0].body[..]).unwrap();
    let resource = first.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(value(&resource.attributes, "service.name").unwrap(), "kubectl-bootstorm");
    assert_eq!(value(&resource.attributes, "bootstorm.run.name").unwrap(), "boot-storm-test");

    let spans = collector.spans();
    let roots: HashMap<_, _> = spans
        .iter()
        .filter(|span| span.parent_span_id.is_empty())
        .map(|span| ((span.trace_id.clone(), span.span_id.clone()), span))
        .collect();
    assert_eq!(roots.len(), 6);
    for root in roots.values() {
        assert_eq!(root.status.as_ref().unwrap().code(), StatusCode::Ok);
        let mut children: Vec<_> = spans
            .iter()
            .filter(|span| span.trace_id == root.trace_id && span.parent_span_id == root.span_id)
            .collect();
        children.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
        assert!(children.len() >= 2, "{root:?}");
        assert_eq!(children[0].start_time_unix_nano, root.start_time_unix_nano);
        assert_eq!(children.last().unwrap().end_time_unix_nano, root.end_time_unix_nano);
        let joined = |pair: &[&Span]| pair[0].end_time_unix_nano == pair[1].start_time_unix_nano;
        assert!(children.windows(2).all(joined), "{children:?}");
        let phase = value(&root.attributes, "bootstorm.phase").unwrap();
        assert_eq!(root.links.len(), usize::from(phase == "storm-1"));
        for link in &root.links {
            let baseline = roots[&(link.trace_id.clone(), link.span_id.clone())];
            assert_eq!(value(&baseline.attributes, "bootstorm.phase").unwrap(), "create");
            let place = |span: &Span| value(&span.attributes, "k8s.namespace.name").unwrap();
            assert_eq!(place(baseline), place(root));
        }
    }
    assert_eq!(spans.len(), roots.len() + spans.iter().filter(|s| !s.parent_span_id.is_empty()).count());
    // Times are wall-clock times.
    let now = jiff::Timestamp::from_nanosecond(spans[0].start_time_unix_nano.into()).unwrap();
    assert!(now.duration_until(cluster_time()).as_secs().abs() < 600);

    cluster.run(&["report", "-q", "--otlp", &collector.url]).exits(0);
    assert_eq!(ids(&collector.spans()), ids(&spans));
    let record = cluster.run(&["report", "-q", "-o", "json"]).exits(0).stdout;
    std::fs::write(cluster.home.path().join("report.json"), record).unwrap();
    cluster.run(&["report", "-q", "--from", "report.json", "--otlp", &collector.url]).exits(0);
    assert_eq!(ids(&collector.spans()), ids(&spans));
}

fn cluster_time() -> jiff::Timestamp {
    bootstorm_model::observe::clock::wall_now()
}

#[test]
fn metrics_have_the_names_of_the_text_formats() {
    let cluster = Cluster::instant();
    let collector = Collector::new(Vec::new());
    run(&cluster, &[], &["--otlp", &collector.url, "--fail-if", "storm.failed>5"]).exits(0);
    let requests = collector.received();
    let traces = requests.iter().filter(|request| request.is_for("traces")).count();
    assert_eq!((traces, requests.len()), (3, 7));
    let last = ExportMetricsServiceRequest::decode(&requests[6].body[..]).unwrap();
    let metrics = &last.resource_metrics[0].scope_metrics[0].metrics;
    let points = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        (metric.unit.clone(), gauge.data_points.clone())
    };
    let (_, vms) = points("bootstorm.vms");
    let reached = vms.iter().find(|point| {
        value(&point.attributes, "phase").as_deref() == Some("storm-1")
            && value(&point.attributes, "outcome").as_deref() == Some("reached")
    });
    let reached = reached.unwrap();
    assert_eq!(reached.value, Some(number_data_point::Value::AsDouble(2.0)));
    assert_eq!(value(&reached.attributes, "run").unwrap(), "boot-storm-test");
    assert_eq!(points("bootstorm.milestone").0, "s");
    assert_eq!(points("bootstorm.threshold_crossed").1.len(), 1);
}

#[test]
fn a_vm_that_never_boots_is_an_error_that_lasts_as_long_as_was_waited() {
    let cluster = Cluster::instant();
    let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  annotations: {sandbox.bootstorm.dev/misbehave: never-boots}\nspec:\n  template:\n    spec:\n      domain: {memory: {guest: 256Mi}, devices: {}}\n";
    std::fs::write(cluster.home.path().join("vm.yaml"), vm).unwrap();
    cluster.run(&["setup", "--end", "1", "-f", "vm.yaml"]).exits(0);
    let collector = Collector::new(Vec::new());
    cluster.run(&["create", "--timeout", "2s", "--otlp", &collector.url]).exits(3);
    let spans = collector.spans();
    let root = spans.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
    let status = root.status.as_ref().unwrap();
    assert_eq!(status.code(), StatusCode::Error);
    assert!(status.message.contains("not running after 2s"), "{}", status.message);
    assert_eq!(root.end_time_unix_nano - root.start_time_unix_nano, 2_000_000_000);
    assert_eq!(value(&root.attributes, "bootstorm.outcome").unwrap(), "timed-out");
    assert_eq!(value(&root.attributes, "bootstorm.end").unwrap(), "timeout");
    assert!(spans.iter().all(|span| span.name != "running"));
}

#[test]
fn headers_are_sent_and_found_nowhere_else_and_bodies_are_packed_on_request() {
    let cluster = Cluster::instant();
    let collector = Collector::new(Vec::new());
    let headers = format!("Authorization=Bearer%20{MARKER},x-scope=a%2Cb");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_SERVICE_NAME", "friday"),
    ];
    run(&cluster, &env, &["--log-file", "log"]).exits(0);
    assert!(collector.received().is_empty(), "variables alone send nothing");
    cluster.run(&["cleanup", "--yes"]).exits(0);
    let ran = run(&cluster, &env, &["--otlp", "env", "--log-file", "log", "--log-level", "trace"]).exits(0);
    let requests = collector.received();
    assert_eq!(requests.len(), 6);
    for request in &requests {
        assert!(request.head.contains(&format!("authorization: Bearer {MARKER}\r\n")), "{}", request.head);
        assert!(
            request.head.contains("x-scope: a,b\r\n") && request.head.contains("content-encoding: gzip\r\n")
        );
    }
    let mut plain = Vec::new();
    GzDecoder::new(&requests[0].body[..]).read_to_end(&mut plain).unwrap();
    let decoded = ExportTraceServiceRequest::decode(&plain[..]).unwrap();
    let resource = decoded.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(value(&resource.attributes, "service.name").unwrap(), "friday");
    let log = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    assert!(log.contains("telemetry sent"), "{log}");
    let record = cluster.run(&["report", "-q", "-o", "json"]).exits(0).stdout;
    for text in [&ran.stdout, &ran.stderr, &log, &record] {
        assert!(!text.contains(MARKER), "{text}");
    }
}

#[test]
fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_one_warning() {
    let cluster = Cluster::instant();
    let busy =
        b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    let collector = Collector::new(vec![busy]);
    let ran = run(&cluster, &[], &["--otlp", &collector.url]).exits(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let requests = collector.received();
    assert_eq!(requests.len(), 7);
    assert_eq!(requests[0].body, requests[1].body);

    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 3,
            error_message: "too old".into(),
        }),
    };
    let partial = Collector::new(vec![answer("200 OK", &partial.encode_to_vec())]);
    cluster
        .run(&["report", "--otlp", &partial.url])
        .exits(1)
        .complains(&["the traces could not be sent to http://", "the collector rejected 3 spans: too old"])
        .prints(&["storm-1"]);
    assert_eq!(partial.received().len(), 2, "metrics are sent all the same");

    let status = [10, 6, b'h', b'u', b's', b'h', b'e', b'd'];
    let refused = || answer("401 No", &status);
    let closed = Collector::new((0..12).map(|_| refused()).collect());
    cluster.run(&["cleanup", "--yes"]).exits(0);
    let ran = run(&cluster, &[], &["--otlp", &closed.url]).exits(0).complains(&[
        "the traces could not be sent to",
        "HTTP 401",
        "set OTEL_EXPORTER_OTLP_HEADERS",
        "to send later: kubectl bootstorm report --ns-prefix boot-storm-test --otlp URL",
    ]);
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("hushed"), "{}", ran.stderr);
    assert_eq!(closed.received().len(), 6, "401 is final, and each signal is tried");
}

#[test]
fn a_collector_that_is_gone_or_hangs_does_not_disturb_a_run_but_fails_a_report() {
    let cluster = Cluster::instant();
    let nobody = Refusing::new();
    let gone = nobody.url("http");
    let ran = run(&cluster, &[], &["--otlp", &gone]).exits(0);
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{}", ran.stderr);
    cluster
        .run(&["report", "--otlp", &gone])
        .exits(1)
        .complains(&["the traces could not be sent", "check that a collector answers OTLP over HTTP at"])
        .prints(&["storm-1"]);
    // The kernel accepts connections, but no one reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    cluster.run(&["cleanup", "--yes"]).exits(0);
    let ran = run(&cluster, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "200")], &["--otlp", &silent]).exits(0);
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{}", ran.stderr);
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_made() {
    let cluster = Cluster::instant();
    for command in ["run", "create", "stop", "storm", "report"] {
        let ran = cluster.run(&[command, "--otlp", "http://u:hunter2-MARKER@h:4318"]);
        let ran = ran.exits(2).complains(&["--otlp holds a user or a password"]);
        assert!(!ran.stderr.contains(MARKER), "{}", ran.stderr);
    }
    let grpc = cluster.program().env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    grpc.run(&["run", "--otlp", "http://h"]).exits(2).complains(&["OTEL_EXPORTER_OTLP_PROTOCOL is grpc"]);
    let secret = cluster.program().env("OTEL_EXPORTER_OTLP_HEADERS", MARKER);
    let ran = secret.run(&["run", "--otlp", "http://h"]).exits(2);
    assert!(!ran.stderr.contains(MARKER), "{}", ran.stderr);
    assert!(cluster.sandbox.ledger().machines().is_empty());

    let collector = Collector::new(Vec::new());
    let ran = run(&cluster, &[("OTEL_SDK_DISABLED", "true")], &["-v", "--otlp", &collector.url]).exits(0);
    ran.complains(&["nothing is sent to --otlp: OTEL_SDK_DISABLED is true"]);
    assert!(collector.received().is_empty());
}
