//! The text format of Prometheus in the programs that read it: promtool, `node_exporter`, the Pushgateway.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{measured, report};
use crate::support::tools::skipped;

/// A program of a Debian package that is unpacked, not installed.
fn unpacked(package: &str, program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools"));
    let path = path.join(package).join("usr/bin").join(program);
    if !path.is_file() {
        skipped(&format!("{program} is not in target/tools; .ci/run puts it there"));
        return None;
    }
    Some(path)
}

/// A server that says on stderr at which address it listens; ended with the value
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: PathBuf, args: &[&str]) -> Self {
        let child = Command::new(program)
            .args(args)
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
            if let (true, Some((_, address))) = (line.contains("Listening on"), line.rsplit_once("address="))
            {
                break address.trim().to_owned();
            }
        };
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    /// Sends a request; gives the status and what came with it.
    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", self.address);
        // A server that refuses may close before it has read everything.
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
        // The other format is refused, which is why there are two.
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
