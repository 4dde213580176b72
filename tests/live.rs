//! `--listen` and the dashboard of `examples/grafana`, on a real Prometheus that scrapes a run on the sandbox.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "cli/servers.rs"]
mod servers;
#[expect(dead_code, reason = "the other test binaries need more of it")]
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::value::Value;

use servers::{Server, send, unpacked};
use support::Cluster;

const DASHBOARD: &str = include_str!("../examples/grafana/bootstorm.json");

/// A running command with `--listen`; killed on drop
struct Listening {
    child: Child,
    address: String,
    said: std::thread::JoinHandle<String>,
}

impl Listening {
    fn start(cluster: &Cluster, args: &[&str]) -> Self {
        let mut child = cluster.program().spawn(args);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
            if let Some(rest) = line.trim().strip_prefix("live metrics at http://") {
                break rest.strip_suffix("/metrics").unwrap().to_owned();
            }
        };
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        Self { child, address, said }
    }

    fn get(&self, path: &str) -> (u16, String) {
        send(&self.address, "GET", path, "")
    }

    /// Waits for the process to exit and returns its exit code.
    fn ends(mut self) -> i32 {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let said = self.said.join().unwrap();
        assert!(!said.contains("panicked"), "{said}");
        code
    }
}

/// The dashboard's queries, with their panel titles.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let of = |panel: &Value| -> Vec<(String, String)> {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.iter().map(|target| (title.clone(), target["expr"].as_str().unwrap().to_owned())).collect()
    };
    panels.flat_map(of).collect()
}

#[test]
fn a_real_prometheus_answers_every_query_of_the_dashboard() {
    let Some(program) = unpacked("prometheus", "prometheus") else { return };
    let cluster = Cluster::with("default", 3, 8.0);
    let run = Listening::start(
        &cluster,
        &["run", "--end", "8", "--repeat", "2", "--probe", "none", "--listen", "127.0.0.1:0"],
    );
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    std::fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 250ms}}\nscrape_configs:\n- job_name: bootstorm\n  static_configs: [{{targets: ['{}']}}]\n",
            run.address
        ),
    )
    .unwrap();
    let [file, data] = [("config.file", &config), ("storage.tsdb.path", &folder.path().join("data"))]
        .map(|(flag, path)| format!("--{flag}={}", path.display()));
    let prometheus = Server::start(program, &[&file, &data]);
    assert_eq!(run.ends(), 0);

    let ask = |path: &str, query: &str| -> Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, answer) = prometheus.send("GET", &format!("/api/v1/{path}query={encoded}"), "");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(status, 200, "{query}: {answer}");
        let answer: Value = serde_json::from_str(body).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].clone()
    };
    let samples = ask("query?", "count_over_time(bootstorm_live_phase_active[1h])");
    assert!(!samples.as_array().unwrap().is_empty(), "nothing was scraped");
    for (title, expr) in queries() {
        let expr = expr.replace("$run", ".*").replace("$phase", ".*").replace("$__rate_interval", "2s");
        assert!(!expr.contains('$'), "{expr}");
        // At any instant of the run.
        let found = ask("query?", &format!("count_over_time(({expr})[10m:250ms])"));
        assert!(!found.as_array().unwrap().is_empty(), "no data for `{title}`: {expr}");
    }
}

#[test]
fn every_metric_of_the_dashboard_is_one_that_is_served() {
    let cluster = Cluster::with("default", 3, 8.0);
    let run = Listening::start(
        &cluster,
        &["run", "--end", "4", "--repeat", "2", "--probe", "none", "--listen", "127.0.0.1:0"],
    );
    let names = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("bootstorm_"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(run.get("/healthz").0, 200);
    assert_eq!(run.get("/nothing").0, 404);
    assert_eq!(send(&run.address, "POST", "/metrics", "x").0, 405);
    // The verdict is there once the first storm has ended, while the second is still running.
    let began = monotonic_now();
    let text = loop {
        let (status, text) = run.get("/metrics");
        assert_eq!(status, 200, "{text}");
        if text.contains("bootstorm_verdict{") && text.contains("phase=\"storm-2\"") {
            break text;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{text}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(text.contains("text/plain; version=0.0.4"), "{text}");
    let served = names(&text);
    let wanted: BTreeSet<String> = queries().iter().flat_map(|(_, expr)| names(expr)).collect();
    let missing: Vec<_> = wanted.difference(&served).collect();
    assert!(missing.is_empty() && wanted.len() > 12, "{missing:?} of {wanted:?}");
    assert_eq!(run.ends(), 0);
}

#[test]
fn an_address_in_use_is_refused_before_anything_is_made() {
    let cluster = Cluster::instant();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    cluster
        .run(&["run", "--end", "2", "--listen", &address])
        .exits(1)
        .complains(&["live metrics cannot be served at", "--listen 127.0.0.1:0"]);
    assert!(cluster.sandbox.ledger().machines().is_empty());
}

#[test]
fn a_client_that_never_reads_does_not_hold_a_run_up() {
    let cluster = Cluster::instant();
    let run =
        Listening::start(&cluster, &["run", "--end", "2", "--probe", "none", "--listen", "127.0.0.1:0"]);
    let _silent: Vec<_> = (0..40).filter_map(|_| std::net::TcpStream::connect(&run.address).ok()).collect();
    let began = monotonic_now();
    assert_eq!(run.ends(), 0);
    assert!(began.elapsed() < Duration::from_secs(60));
}
