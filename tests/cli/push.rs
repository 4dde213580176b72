//! `--push`: metrics arrive at a Pushgateway, and a failing gateway does not affect the run.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::refusing::Refusing;
use super::servers::{Server, unpacked};
use crate::support::Cluster;

/// Part of every secret of these tests, and of nothing else.
const MARKER: &str = "hunter2-MARKER";

/// Gives this many requests the same answer and keeps them.
fn gateway(requests: usize, answer: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut all = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 8192];
            loop {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the request was cut short");
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() >= length.parse().unwrap() {
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
            all.push(String::from_utf8(request).unwrap());
        }
        all
    });
    (url, server)
}

#[test]
fn a_pushgateway_has_the_metrics_of_every_phase_under_the_run() {
    let Some(program) = unpacked("prometheus-pushgateway", "prometheus-pushgateway") else { return };
    let cluster = Cluster::instant();
    let server = Server::start(program, &[]);
    let url = format!("http://{}", server.address);
    let args = [
        "run",
        "--end",
        "2",
        "--probe",
        "none",
        "--push",
        &url,
        "--fail-if",
        "storm.failed>5",
        "--log-file",
        "log",
    ];
    let ran = cluster.run(&args).exits(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let (_, metrics) = server.send("GET", "/metrics", "");
    let group = "job=\"bootstorm\"";
    for (family, more) in [
        ("bootstorm_milestone_seconds{", "phase=\"create\""),
        ("bootstorm_milestone_seconds{", "phase=\"storm-1\""),
        ("bootstorm_threshold_crossed{", "condition=\"storm.failed>5\""),
    ] {
        let is_it = |line: &&str| line.starts_with(family) && line.contains(group) && line.contains(more);
        let line = metrics.lines().find(is_it);
        assert!(
            line.is_some_and(|line| line.contains("run=\"boot-storm-test\"")),
            "{family} {more}: {metrics}"
        );
    }
    let (status, _) = server.send("DELETE", "/metrics/job/bootstorm/run/boot-storm-test", "");
    assert_eq!(status, 202);
    assert!(!server.send("GET", "/metrics", "").1.contains("bootstorm_milestone_seconds"));
    cluster.run(&["report", "-q", "--push", &url]).exits(0);
    assert!(server.send("GET", "/metrics", "").1.contains("bootstorm_milestone_seconds"));
}

#[test]
fn a_gateway_that_refuses_is_one_warning_and_learns_no_more_than_its_own_secret() {
    let cluster = Cluster::instant();
    // Three phases without thresholds: three requests.
    let (url, server) = gateway(3, "HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let ran = cluster.program().env("BOOTSTORM_PUSH_TOKEN", MARKER).run(&[
        "run",
        "--end",
        "2",
        "--probe",
        "none",
        "--push",
        &url,
        "--log-file",
        "log",
        "--log-level",
        "debug",
    ]);
    let ran = ran.exits(0).complains(&[
        "the metrics could not be pushed to http://127.0.0.1",
        "HTTP 401",
        "set BOOTSTORM_PUSH_TOKEN, or BOOTSTORM_PUSH_USERNAME",
        "to push later: kubectl bootstorm report --ns-prefix boot-storm-test --push URL",
    ]);
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{}", ran.stderr);
    let requests = server.join().unwrap();
    for request in &requests {
        assert!(
            request.starts_with("PUT /metrics/job/bootstorm/run/boot-storm-test HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{request}");
        assert_eq!(request.matches(&format!("Bearer {MARKER}")).count(), 1);
    }
    assert!(!requests[0].contains("storm-1") && requests[2].contains("phase=\"storm-1\""));
    let log = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    let record = cluster.run(&["report", "-q", "-o", "json"]).exits(0).stdout;
    for text in [&ran.stdout, &ran.stderr, &log, &record] {
        assert!(!text.contains(MARKER), "{text}");
    }
}

#[test]
fn a_gateway_that_is_gone_does_not_disturb_a_run_but_fails_a_report() {
    let cluster = Cluster::instant();
    let gone = Refusing::new();
    let url = gone.url("http");
    let ran = cluster.run(&["run", "--end", "2", "--probe", "none", "--push", &url]).exits(0);
    assert_eq!(ran.stderr.matches("warning").count(), 1, "{}", ran.stderr);
    cluster
        .run(&["report", "--push", &url])
        .exits(1)
        .complains(&["could not be pushed", "check that a Pushgateway answers at"])
        .prints(&["storm-1"]);
}

#[test]
fn an_address_that_cannot_be_used_is_refused_before_anything_is_made() {
    let cluster = Cluster::instant();
    for (url, why) in [
        ("http://u:hunter2-MARKER@h:9091", "--push holds a user or a password"),
        ("gateway:9091", "--push is not"),
    ] {
        for command in ["run", "create", "stop", "storm", "report"] {
            let ran = cluster.run(&[command, "--push", url]).exits(2).complains(&[why]);
            assert!(!ran.stderr.contains(MARKER), "{}", ran.stderr);
        }
    }
    let ran = cluster.program().env("BOOTSTORM_PUSH_PASSWORD", MARKER).run(&["run", "--push", "http://h"]);
    ran.exits(2).complains(&["BOOTSTORM_PUSH_USERNAME"]);
    assert!(cluster.sandbox.ledger().machines().is_empty());
}
