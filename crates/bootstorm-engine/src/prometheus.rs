//! Figures of the cluster during a phase, from a Prometheus server: its HTTP API `query_range` (v1, as of Prometheus
//! 3.x; Thanos and Mimir answer alike).
//!
//! Nothing else waits for it or depends on it: each query has a limit, all of them together have one, and missing
//! results are recorded. Prometheus stamps samples by its own clock, which is assumed to be that of the API server,
//! since both keep time in one cluster; if the `Date` of an answer differs further, that one counts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::header::DATE;
use http::{HeaderMap, Method, Request};
use serde::Deserialize;

use crate::cluster::{Cluster, error};
use crate::outside::{Limit, Outside, Url};
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::record::{Gauge, Line, Metric, Metrics, PhaseRecord};

/// Time limit of one query.
const ONE: Duration = Duration::from_secs(10);
/// Total time limit.
const ALL: Duration = Duration::from_secs(30);
/// Concurrent queries.
const TOGETHER: usize = 3;
/// Maximum size of an answer in bytes.
const MOST_BYTES: usize = 16 << 20;
/// Maximum number of lines kept per figure.
const MOST_LINES: usize = 8;
/// Maximum number of points per line.
const MOST_POINTS: f64 = 120.0;
/// Minimum step in seconds: servers are scraped every 15 to 30 seconds, rarely more often.
const SHORTEST_STEP: f64 = 5.0;
/// Maximum length of a label.
const MOST_LABEL: usize = 80;
/// Clocks that differ by less count as the same: a `Date` header has whole seconds.
const SAME_CLOCK: f64 = 2.0;
/// Services tried through the API server for the word `cluster`, in this order: of kube-prometheus, of the operator.
const SERVICES: [&str; 2] = ["monitoring/prometheus-k8s:9090", "monitoring/prometheus-operated:9090"];

/// Location of a Prometheus server
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Url(Url),
    /// Behind the API server: services as `NAMESPACE/NAME:PORT`, the first one that answers.
    Services(Vec<Service>),
}

/// A service of the cluster
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    namespace: String,
    /// Name and port, prefixed with `https:` if it serves TLS.
    name: String,
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        };
        let wanted = || "write it like http://HOST:9090, NAMESPACE/SERVICE:PORT or cluster".to_owned();
        let (namespace, name) = text.split_once('/').ok_or_else(wanted)?;
        let bare = name.strip_prefix("https:").unwrap_or(name);
        let (service, port) = bare.split_once(':').ok_or_else(wanted)?;
        if [namespace, service, port].into_iter().all(is_name) {
            return Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() });
        }
        Err(wanted())
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Place {
    /// Services for the word `cluster`.
    pub fn cluster() -> Self {
        Self::Services(SERVICES.iter().filter_map(|service| service.parse().ok()).collect())
    }
}

/// Access to a Prometheus server
pub enum Door<'a> {
    /// Directly, with the user's credentials for it.
    Straight(&'a Outside),
    /// Through the API server, with the credentials for the cluster.
    Through(&'a Cluster, &'a Service),
}

impl fmt::Display for Door<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Straight(outside) => write!(f, "{}", outside.url()),
            Self::Through(_, service) => write!(f, "service {service}"),
        }
    }
}

/// The query of a figure, and the labels that distinguish its lines
///
/// Rates are over two minutes, which contain four scrapes at 30 seconds; shorter peaks are flattened.
fn query(metric: Metric) -> (&'static str, &'static [&'static str]) {
    match metric {
        Metric::ApiLatency => (
            "histogram_quantile(0.99, sum by (verb, le) (rate(apiserver_request_duration_seconds_bucket{\
             verb=~\"GET|LIST|POST|PUT|PATCH|DELETE\",subresource!~\"log|exec|attach|portforward|proxy\"}[2m])))",
            &["verb"],
        ),
        Metric::ApiRejections => (
            "sum by (priority_level, reason) (rate(apiserver_flowcontrol_rejected_requests_total[2m]))",
            &["priority_level", "reason"],
        ),
        Metric::QueueDepth => ("max by (name) (kubevirt_workqueue_depth)", &["name"]),
        Metric::QueueAdds => ("sum by (name) (rate(kubevirt_workqueue_adds_total[2m]))", &["name"]),
        Metric::QueueRetries => ("sum by (name) (rate(kubevirt_workqueue_retries_total[2m]))", &["name"]),
        Metric::ClientWait => (
            "histogram_quantile(0.99, sum by (container, le) (rate(rest_client_rate_limiter_duration_seconds_bucket{\
             container=~\"virt-.+\"}[2m])))",
            &["container"],
        ),
        Metric::EtcdFsync => (
            "histogram_quantile(0.99, sum by (instance, le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket[2m])))",
            &["instance"],
        ),
        Metric::EtcdCommit => (
            "histogram_quantile(0.99, sum by (instance, le) (rate(etcd_disk_backend_commit_duration_seconds_bucket[2m])))",
            &["instance"],
        ),
        Metric::EtcdSize => ("max by (instance) (etcd_mvcc_db_total_size_in_bytes)", &["instance"]),
        Metric::NodeCpu => {
            ("100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[2m])))", &["instance"])
        }
        Metric::NodeDisk => {
            ("100 * max by (instance) (rate(node_disk_io_time_seconds_total[2m]))", &["instance"])
        }
        Metric::NodeNetwork => (
            "sum by (instance) (rate(node_network_receive_bytes_total{device!~\"lo|veth.*|cali.*|lxc.*|tap.*\"}[2m]) \
             + rate(node_network_transmit_bytes_total{device!~\"lo|veth.*|cali.*|lxc.*|tap.*\"}[2m]))",
            &["instance"],
        ),
        Metric::CephLatency => ("max by (ceph_daemon) (ceph_osd_commit_latency_ms) / 1000", &["ceph_daemon"]),
        Metric::CsiLatency => (
            "histogram_quantile(0.99, sum by (driver_name, method_name, le) \
             (rate(csi_sidecar_operations_seconds_bucket[2m])))",
            &["driver_name", "method_name"],
        ),
    }
}

/// Interval and step of all queries of a phase
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grid {
    /// Seconds since 1970, by Prometheus's clock.
    from: f64,
    points: usize,
    step: f64,
}

impl Grid {
    fn of(phase: &PhaseRecord, ahead: f64) -> Self {
        let length = phase.ended.or(phase.watched_until).map_or(0.0, |ended| ended.seconds().max(0.0));
        let step = (length / MOST_POINTS).ceil().max(SHORTEST_STEP);
        let from = phase.began.as_microsecond() as f64 / 1e6 + ahead;
        Self { from, points: (length / step) as usize + 1, step }
    }

    fn until(self) -> f64 {
        self.from + self.step * (self.points - 1) as f64
    }
}

#[derive(Deserialize)]
struct Answered {
    status: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// Reason why a query has no result
struct Unanswered {
    why: String,
    /// Whether nothing answered, so that no other query will be answered either.
    is_closed: bool,
}

/// Queries every figure of a phase.
///
/// Fails with a sentence if no query is possible at all.
pub async fn collect(door: &Door<'_>, phase: &PhaseRecord, ahead_micros: i64) -> Result<Metrics, String> {
    let work = async {
        let server_ahead = ahead_micros as f64 / 1e6;
        // The first one also shows whether the server answers, and its time.
        let (answer, date) =
            ask(door, "api/v1/query", "query=1").await.map_err(|unanswered| unanswered.why)?;
        parsed(&answer)?;
        let own = date.map(|date| date - wall_now().as_microsecond() as f64 / 1e6 + 0.5);
        let ahead = own.filter(|own| (own - server_ahead).abs() > SAME_CLOCK).unwrap_or(server_ahead);
        let grid = Grid::of(phase, ahead);
        let asked =
            stream::iter(Metric::ALL).map(|metric| async move { (metric, series(door, metric, grid).await) });
        let answers: Vec<_> = asked.buffered(TOGETHER).collect().await;
        let mut metrics = Metrics {
            source: door.to_string().trim_end_matches('/').to_owned(),
            first_seconds: 0.0,
            step_seconds: grid.step,
            clock_ahead_seconds: (ahead * 1e3).round() / 1e3,
            gauges: Vec::new(),
            missing: Vec::new(),
        };
        let mut empty = Vec::new();
        for (metric, answer) in answers {
            match answer {
                Ok(series) => match gauge(metric, series, grid) {
                    Some(gauge) => metrics.gauges.push(gauge),
                    None => empty.push(metric.title()),
                },
                Err(unanswered) if unanswered.is_closed => return Err(unanswered.why),
                Err(unanswered) => metrics.missing.push(format!("{}: {}", metric.title(), unanswered.why)),
            }
        }
        if !empty.is_empty() {
            metrics.missing.push(format!("no data: {}", empty.join(", ")));
        }
        Ok(metrics)
    };
    let late = || Err(format!("it did not answer all queries within {}s", ALL.as_secs()));
    tokio::time::timeout(ALL, work).await.unwrap_or_else(|_| late())
}

async fn series(door: &Door<'_>, metric: Metric, grid: Grid) -> Result<Vec<Series>, Unanswered> {
    let Grid { from, step, .. } = grid;
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", query(metric).0)
        .append_pair("start", &format!("{from:.3}"))
        .append_pair("end", &format!("{:.3}", grid.until()))
        .append_pair("step", &step.to_string())
        .append_pair("timeout", &format!("{}s", ONE.as_secs()))
        .finish();
    let (answer, _) = ask(door, "api/v1/query_range", &query).await?;
    parsed(&answer).map_err(|why| Unanswered { why, is_closed: false })
}

fn parsed(answer: &[u8]) -> Result<Vec<Series>, String> {
    // An instant query of a scalar has another form, of which only the status counts.
    #[derive(Deserialize)]
    struct Status {
        status: String,
    }
    let foreign = || "its answer is not that of a Prometheus server".to_owned();
    let answered: Answered = match serde_json::from_slice(answer) {
        Ok(answered) => answered,
        Err(_) => {
            let Status { status } = serde_json::from_slice(answer).map_err(|_| foreign())?;
            Answered { status, error: String::new(), data: Data::default() }
        }
    };
    match answered.status.as_str() {
        "success" => Ok(answered.data.result),
        "error" => Err(error::clip(&answered.error, 200)),
        _ => Err(foreign()),
    }
}

/// Sends a query; returns the body of the answer, and its time.
async fn ask(door: &Door<'_>, path: &str, query: &str) -> Result<(Vec<u8>, Option<f64>), Unanswered> {
    match door {
        Door::Straight(outside) => {
            let url = outside.url().join(path).with_query(query);
            let limit = Limit { time: ONE, bytes: MOST_BYTES };
            let answer = outside.send(Method::GET, &url, &[], Vec::new(), limit).await;
            let answer =
                answer.map_err(|fault| Unanswered { is_closed: fault.is_passing, why: fault.message })?;
            // Errors in a query come as 400 or 422, with a normal body.
            let is_told = matches!(answer.status, 400 | 422);
            if !answer.is_success() && !is_told {
                return Err(Unanswered { why: answer.complaint(), is_closed: true });
            }
            Ok((answer.body, date(&answer.headers)))
        }
        Door::Through(cluster, Service { namespace, name }) => {
            let path = format!("/api/v1/namespaces/{namespace}/services/{name}/proxy/{path}?{query}");
            let closed = |why: String| Unanswered { why, is_closed: true };
            let request = Request::get(path).body(Vec::new()).map_err(|error| closed(error.to_string()))?;
            let answer = tokio::time::timeout(ONE, cluster.call("ask Prometheus", request)).await;
            let answer = answer.map_err(|_| closed(format!("no answer within {}s", ONE.as_secs())))?;
            answer.map(|answer| (answer.body.to_vec(), None)).map_err(|error| closed(error.message))
        }
    }
}

/// Seconds since 1970 of a `Date` header.
fn date(headers: &HeaderMap) -> Option<f64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second() as f64)
}

/// A figure from its series: those with the highest peaks, on the grid. `None` without a value.
fn gauge(metric: Metric, series: Vec<Series>, grid: Grid) -> Option<Gauge> {
    let labels = query(metric).1;
    let line = |series: Series| {
        let words: Vec<&str> =
            labels.iter().filter_map(|label| series.metric.get(*label)).map(String::as_str).collect();
        let mut values = vec![None; grid.points];
        for (at, value) in series.values {
            let point = ((at - grid.from) / grid.step).round();
            let value: Option<f64> = value.parse().ok().filter(|value: &f64| value.is_finite());
            if let (true, Some(place)) = (point >= 0.0, values.get_mut(point as usize)) {
                *place = value;
            }
        }
        Line { label: error::clip(&words.join(" "), MOST_LABEL), values }
    };
    let mut lines: Vec<(Line, f64)> = series
        .into_iter()
        .map(line)
        .filter_map(|line| {
            let peak = line.peak()?;
            Some((line, peak))
        })
        .collect();
    lines.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.label.cmp(&b.0.label)));
    let dropped = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let lines: Vec<Line> = lines.into_iter().map(|(line, _)| line).collect();
    (!lines.is_empty()).then_some(Gauge { metric, lines, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::observe::Offset;
    use bootstorm_model::record::{PhaseName, PhaseSettings};

    fn phase(seconds: f64) -> PhaseRecord {
        let began = "2026-03-04T10:00:00Z".parse().unwrap();
        let mut phase = PhaseRecord::new(PhaseName::CREATE, began, PhaseSettings::default(), 0);
        phase.ended = Some(Offset::from_seconds(seconds));
        phase
    }

    #[test]
    fn a_step_fits_the_phase_and_the_interval_is_that_of_the_other_clock() {
        let short = Grid::of(&phase(31.0), 2.5);
        assert_eq!((short.step, short.points), (5.0, 7));
        let began = phase(0.0).began.as_second() as f64;
        assert!((short.from - began - 2.5).abs() < 1e-6 && (short.until() - began - 32.5).abs() < 1e-6);
        let long = Grid::of(&phase(7_200.0), 0.0);
        assert_eq!((long.step, long.points), (60.0, 121));
        assert_eq!(Grid::of(&phase(0.0), 0.0).points, 1);
    }

    #[test]
    fn the_highest_lines_are_kept_on_the_grid_and_what_is_no_number_is_a_gap() {
        let grid = Grid { from: 1_000.0, points: 3, step: 5.0 };
        let one = |name: usize, values: &[(f64, &str)]| Series {
            metric: BTreeMap::from([("instance".to_owned(), format!("node-{name}"))]),
            values: values.iter().map(|(at, value)| (*at, (*value).to_owned())).collect(),
        };
        let mut series: Vec<Series> =
            (0..12).map(|name| one(name, &[(1_005.0, &name.to_string())])).collect();
        series.push(one(99, &[(1_000.0, "NaN"), (1_005.2, "50"), (1_010.0, "+Inf"), (2_000.0, "900")]));
        let found = gauge(Metric::NodeCpu, series, grid).unwrap();
        assert_eq!((found.lines.len(), found.dropped), (MOST_LINES, 5));
        assert_eq!(found.lines[0].label, "node-99");
        assert_eq!(found.lines[0].values, [None, Some(50.0), None]);
        assert_eq!(gauge(Metric::NodeCpu, vec![one(1, &[(1_000.0, "NaN")])], grid), None);
    }

    #[test]
    fn places_are_read_and_others_refused() {
        assert_eq!(
            "monitoring/prometheus-k8s:9090".parse::<Service>().unwrap().to_string(),
            "monitoring/prometheus-k8s:9090"
        );
        assert!("openshift-monitoring/https:thanos-querier:web".parse::<Service>().is_ok());
        for text in ["", "a", "a/b", "a/b:1/../../c", "a/b?x:1", "../b:1/"] {
            assert!(text.parse::<Service>().is_err(), "{text}");
        }
        let Place::Services(services) = Place::cluster() else { panic!() };
        assert_eq!(services.len(), SERVICES.len());
    }

    #[test]
    fn answers_are_told_apart() {
        assert!(
            parsed(br#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#)
                .unwrap()
                .is_empty()
        );
        let wrong =
            parsed(br#"{"status":"error","errorType":"bad_data","error":"parse error"}"#).err().unwrap();
        assert_eq!(wrong, "parse error");
        assert!(parsed(b"<html>").err().unwrap().contains("not that of a Prometheus"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_reached_through_the_api_server_and_what_it_lacks_is_listed() {
        use crate::cluster::scripted::{Reply, cluster};
        let cluster = cluster(|request| {
            let query = request.uri().query().unwrap_or_default();
            assert!(request.uri().path().starts_with(
                "/api/v1/namespaces/monitoring/services/prometheus-k8s:9090/proxy/api/v1/query"
            ));
            let matrix = |result: &str| {
                format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#)
            };
            let began = 1_772_618_400;
            Reply::Answer(
                200,
                match query {
                    "query=1" => {
                        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#.into()
                    }
                    query if query.contains("workqueue_depth") => {
                        assert!(query.contains("start=1772618400.000&end=1772618430.000&step=5"), "{query}");
                        matrix(&format!(
                            r#"{{"metric":{{"name":"vmi"}},"values":[[{began},"7"],[{},"9"]]}}"#,
                            began + 5
                        ))
                    }
                    query if query.contains("ceph") => {
                        r#"{"status":"error","error":"no such function"}"#.into()
                    }
                    _ => matrix(""),
                },
            )
        });
        let service: Service = "monitoring/prometheus-k8s:9090".parse().unwrap();
        let metrics = collect(&Door::Through(&cluster, &service), &phase(31.0), 0).await.unwrap();
        assert_eq!(metrics.source, "service monitoring/prometheus-k8s:9090");
        let [depth] = &metrics.gauges[..] else { panic!("{metrics:?}") };
        assert_eq!((depth.metric, depth.lines[0].label.as_str()), (Metric::QueueDepth, "vmi"));
        assert_eq!(depth.lines[0].values[..2], [Some(7.0), Some(9.0)]);
        assert_eq!(metrics.missing[0], "Ceph OSD commit latency: no such function");
        assert!(metrics.missing[1].starts_with("no data: API server latency p99, "));
    }
}
