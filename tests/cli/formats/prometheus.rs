//! The Prometheus text format in the programs that read it: promtool, `node_exporter`, the Pushgateway.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::servers::{Server, unpacked};
use super::{measured, report};

#[test]
fn what_reads_prometheus_takes_it() {
    let cluster = measured();
    let text = report(&cluster, "prometheus");
    assert!(text.contains("# TYPE bootstorm_run_info gauge\n") && !text.contains("# EOF"), "{text}");

    if let Some(promtool) = unpacked("prometheus", "promtool") {
        let child = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    if let Some(gateway) = unpacked("prometheus-pushgateway", "prometheus-pushgateway") {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("--persistence.file={}", folder.path().join("data").display());
        let gateway = Server::start(gateway, &[&file]);
        let (status, answer) = gateway.send("PUT", "/metrics/job/bootstorm", &text);
        assert_eq!(status, 200, "{answer}");
        let (_, metrics) = gateway.send("GET", "/metrics", "");
        assert!(metrics.contains("push_time_seconds") && metrics.contains("bootstorm_milestone_seconds{"));
        // It rejects the other format, which is why there are two.
        let (status, answer) = gateway.send("PUT", "/metrics/job/open", &report(&cluster, "openmetrics"));
        assert!(status == 400 && answer.contains("unknown metric type"), "{status}: {answer}");
    }
    if let Some(exporter) = unpacked("prometheus-node-exporter", "prometheus-node-exporter") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bootstorm.prom"), &text).unwrap();
        let place = format!("--collector.textfile.directory={}", folder.path().display());
        let args = ["--collector.disable-defaults", "--collector.textfile", &place];
        let (_, metrics) = Server::start(exporter, &args).send("GET", "/metrics", "");
        assert!(metrics.contains("node_textfile_scrape_error 0"), "{metrics}");
        assert!(metrics.contains("bootstorm_verdict{"), "{metrics}");
    }
}
