//! `--index`: documents sent to a server that takes `_bulk` requests, like `OpenSearch`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bootstorm_sandbox::value::{Value, json};

use super::refusing::Refusing;
use crate::support::Cluster;

/// A received request
#[derive(Debug, Clone)]
struct Asked {
    /// Method and path with query.
    line: String,
    /// Headers in lower case.
    head: String,
    /// Alternating actions and documents.
    lines: Vec<Value>,
}

/// A document server on a port of its own, which lives until the process ends
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Rejects documents that contain `refused`, in a response with status 200.
    fn start(refused: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream.unwrap(), refused, &kept));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, refused: &str, kept: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let line = head.lines().next().unwrap().to_owned();
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(body.ends_with('\n'), "a bulk request ends with a line end");
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let items: Vec<Value> = lines
            .chunks(2)
            .map(|pair| {
                let id = &pair[0]["index"]["_id"];
                let is_refused = !refused.is_empty() && pair[1].to_string().contains(refused);
                let error = json!({"type": "mapper_parsing_exception", "reason": "no such date"});
                if is_refused {
                    json!({"index": {"_id": id, "status": 400, "error": error}})
                } else {
                    json!({"index": {"_id": id, "status": 201}})
                }
            })
            .collect();
        kept.lock().unwrap().push(Asked { line, head, lines });
        let answer = json!({"took": 1, "errors": !refused.is_empty(), "items": items}).to_string();
        let length = answer.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
    }
}

fn ids(asked: &[Asked]) -> BTreeSet<String> {
    let actions = asked.iter().flat_map(|asked| asked.lines.chunks(2).map(|pair| &pair[0]["index"]["_id"]));
    actions.map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_run_is_indexed_and_a_repeat_replaces_it() {
    let (cluster, server) = (Cluster::instant(), Server::start(""));
    let program =
        cluster.program().env("BOOTSTORM_INDEX_USERNAME", "ci").env("BOOTSTORM_INDEX_PASSWORD", "hush-hush");
    let log = ["--log-file", "log", "--log-level", "trace"];
    let ran = program.run(&[&["run", "--end", "3", "--index", &server.url][..], &log].concat()).exits(0);
    let said = ran.stderr.clone();
    assert!(!said.contains("BOOTSTORM_"), "credentials are no misspelt flags: {said}");
    ran.complains(&["documents indexed in kube-burner at http://127.0.0.1"]);
    let first = server.asked();
    assert!(!first.is_empty());
    for asked in &first {
        assert!(asked.line.starts_with("POST /_bulk?filter_path="), "{}", asked.line);
        assert!(asked.head.contains("content-type: application/x-ndjson\r\n"), "{}", asked.head);
        assert!(asked.head.contains("authorization: basic y2k6ahvzac1odxno\r\n"), "{}", asked.head);
    }
    let actions = first[0].lines.chunks(2).map(|pair| pair[0]["index"]["_index"].clone());
    assert!(actions.into_iter().all(|index| index == "kube-burner"));
    let vms = first[0].lines.iter().filter(|line| line["metricName"] == "vmiLatencyMeasurement").count();
    assert_eq!(vms, 6, "three VMs created, three stormed");
    program.run(&["report", "-q", "--index", &server.url, "--index-name", "storms"]).exits(0);
    let again = server.asked().split_off(first.len());
    assert_eq!(ids(&again), ids(&first));
    assert_eq!(again[0].lines[0]["index"]["_index"], "storms");
    let logged = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    for text in [said, logged] {
        assert!(!text.contains("hush-hush") && !text.contains("Y2k6"), "a password is shown");
    }
}

#[test]
fn what_is_refused_is_counted_and_named_and_ends_no_phase() {
    let (cluster, server) = (Cluster::instant(), Server::start("\"jobSummary\""));
    cluster.run(&["run", "--end", "2", "--index", &server.url]).exits(0).complains(&[
        "warning: 3 of ",
        "documents were not indexed",
        "no such date (400)",
        "report --ns-prefix",
    ]);
    cluster
        .run(&["report", "-q", "--index", &server.url])
        .exits(1)
        .complains(&["error: 3 of ", "no such date (400)"]);
}

#[test]
fn a_server_that_is_down_costs_one_warning() {
    let cluster = Cluster::instant();
    let gone = Refusing::new();
    let url = gone.url("http");
    let ran = cluster.run(&["run", "--end", "2", "-q", "--index", &url]).exits(0);
    assert_eq!(ran.stderr.matches("warning:").count(), 1, "{}", ran.stderr);
    ran.complains(&[
        "nothing was indexed at",
        "kubectl bootstorm report --ns-prefix boot-storm-test --index",
    ]);
    cluster.run(&["report", "-q", "--index", &url]).exits(1).complains(&["nothing was indexed"]);
    for (url, why) in [("http://u:p@h", "holds a user"), ("ftp://h", "not an http")] {
        cluster.run(&["run", "--index", url]).exits(2).complains(&[why]);
    }
    cluster.run(&["run", "--index-name", "Storms"]).exits(2).complains(&["lower-case"]);
}
