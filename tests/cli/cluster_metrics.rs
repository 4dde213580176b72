//! `--prometheus`: cluster metrics for each phase, from a real Prometheus with synthetic series.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bootstorm_sandbox::value::Value;

use super::refusing::Refusing;
use crate::support::Cluster;
use crate::support::tools::skipped;

/// A program from Debian's prometheus package, unpacked but not installed.
fn unpacked(program: &str) -> Option<PathBuf> {
    let path =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/prometheus/usr/bin")).join(program);
    if !path.is_file() {
        skipped(&format!("{program} is not in target/tools; .ci/run puts it there"));
        return None;
    }
    Some(path)
}

/// A Prometheus server; killed on drop
struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Holds ten minutes before and after now, with a sample every five seconds.
    fn start(folder: &Path) -> Option<Self> {
        let (prometheus, promtool) = (unpacked("prometheus")?, unpacked("promtool")?);
        std::fs::write(folder.join("samples"), samples()).unwrap();
        std::fs::write(folder.join("prometheus.yml"), "scrape_configs: []\n").unwrap();
        let made = Command::new(promtool)
            .args(["tsdb", "create-blocks-from", "openmetrics", "samples", "data"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new(prometheus)
            .args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--web.listen-address=127.0.0.1:0",
            ])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut said) = (None, String::new());
        while address.is_none() || !said.contains("Server is ready") {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended:\n{said}");
            if let (true, Some((_, found))) = (line.contains("Listening on"), line.rsplit_once("address=")) {
                address = Some(found.trim().to_owned());
            }
            said.push_str(&line);
        }
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Some(Self { child, address: address? })
    }
}

/// Two nodes, one of them busy; a work queue with 84 keys; requests of up to two seconds.
fn samples() -> String {
    let now = bootstorm_model::observe::clock::wall_now().as_second() as u64;
    let times: Vec<u64> = (now - 600..now + 600).step_by(5).collect();
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, lines: &[(String, f64)]| {
        writeln!(text, "# TYPE {name} {kind}").unwrap();
        for (series, rate) in lines {
            for time in &times {
                let value = if kind == "gauge" { *rate } else { (time - times[0]) as f64 * rate };
                writeln!(text, "{series} {value} {time}").unwrap();
            }
        }
    };
    let idle =
        |node: &str, rate| (format!("node_cpu_seconds_total{{instance=\"{node}\",mode=\"idle\"}}"), rate);
    family("node_cpu_seconds", "counter", &[idle("worker-1", 0.25), idle("worker-2", 0.75)]);
    let queue = |name: &str, depth| (format!("kubevirt_workqueue_depth{{name=\"{name}\"}}"), depth);
    family(
        "kubevirt_workqueue_depth",
        "gauge",
        &[queue("virt-controller-vmi", 84.0), queue("virt-controller-vm", 2.0)],
    );
    let bucket = |le: &str, rate| {
        (format!("apiserver_request_duration_seconds_bucket{{verb=\"PATCH\",le=\"{le}\"}}"), rate)
    };
    family(
        "apiserver_request_duration_seconds",
        "histogram",
        &[bucket("1.0", 0.0), bucket("2.0", 9.0), bucket("+Inf", 9.0)],
    );
    text.push_str("# EOF\n");
    text
}

#[test]
fn figures_of_the_cluster_are_kept_and_shown() {
    let cluster = Cluster::instant();
    let folder = tempfile::tempdir().unwrap();
    let Some(prometheus) = Prometheus::start(folder.path()) else { return };
    let url = format!("http://{}", prometheus.address);
    cluster.run(&["run", "--end", "3", "-q", "--save-results", "--prometheus", &url]).exits(0);
    let json: Value = cluster.run(&["report", "-q", "-o", "json"]).exits(0).json();
    let schema: Value = serde_json::from_str(include_str!("../../docs/report-schema.json")).unwrap();
    let faults: Vec<String> = jsonschema::validator_for(&schema.into())
        .unwrap()
        .iter_errors(&json.clone().into())
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
    for phase in json["phases"].as_array().unwrap() {
        let metrics = &phase["metrics"];
        assert_eq!(metrics["source"], url.as_str());
        let peak = |name: &str| {
            let gauges = metrics["gauges"].as_array().unwrap();
            let gauge = gauges.iter().find(|gauge| gauge["metric"] == name).unwrap();
            let line = &gauge["lines"][0];
            (line["label"].as_str().unwrap().to_owned(), line["values"][0].as_f64().unwrap())
        };
        let (node, cpu) = peak("node-cpu");
        assert!(node == "worker-1" && (cpu - 75.0).abs() < 0.5, "{node}: {cpu}");
        assert_eq!(peak("queue-depth"), ("virt-controller-vmi".to_owned(), 84.0));
        let (verb, seconds) = peak("api-latency");
        assert!(verb == "PATCH" && (1.9..=2.0).contains(&seconds), "{verb}: {seconds}");
        let missing = metrics["missing"].as_array().unwrap();
        assert!(missing.iter().any(|missing| missing.as_str().unwrap().contains("Ceph OSD commit latency")));
    }
    let table = cluster.run(&["report", "-o", "guide"]).exits(0).stdout;
    assert!(
        table.contains("KubeVirt work queue depth") && table.contains("virt-controller-vmi, of 2"),
        "{table}"
    );
    let page = cluster.run(&["report", "-o", "html"]).exits(0).stdout;
    assert!(page.contains("Cluster metrics") && page.contains("node CPU peaked at 75 % (worker-1)"));
    // The saved run has it too.
    let saved = cluster.run(&["report", "--from", "results", "-o", "json"]).exits(0).json();
    assert_eq!(saved["phases"][2]["metrics"], json["phases"][2]["metrics"]);
}

#[test]
fn a_server_that_is_not_there_never_disturbs_a_phase() {
    let cluster = Cluster::instant();
    let gone = Refusing::new();
    let closed = gone.url("http");
    let run = ["run", "--end", "2", "-q", "--no-storm", "--prometheus"];
    let ran = cluster.run(&[&run[..], &[&closed]].concat()).exits(0);
    assert_eq!(ran.stderr.matches("warning:").count(), 1, "{}", ran.stderr);
    ran.complains(&["no cluster metrics for create: ", "check --prometheus"]);
    // The simulated API server proxies no services.
    for (prefix, place) in [("b", "monitoring/prometheus-k8s:9090"), ("c", "cluster")] {
        cluster
            .run(&[&run[..], &[place, "--ns-prefix", prefix]].concat())
            .exits(0)
            .complains(&["no cluster metrics for create: service monitoring/prometheus-k8s:9090"]);
    }
    let json = cluster.run(&["report", "-q", "-o", "json"]).exits(0).json();
    assert_eq!(json["phases"][0].get("metrics"), None);
    for place in ["http://u:p@h", "nowhere", "a/b"] {
        cluster.run(&["run", "--prometheus", place]).exits(2).complains(&["--prometheus"]);
    }
}
