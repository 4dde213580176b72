//! Malicious text never controls the terminal and never breaks a file for its readers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use bootstorm_model::text::is_unsafe;
use bootstorm_report::document;
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Program, Ran};

const HEAD: &str = "bootstorm-boot-storm-test";

/// Colours, a title, bidi override, a line break, a C1 control, a NUL, markup.
const NASTY: &str = "\u{1b}[31m\u{1b}]0;pwned\u{7}\u{202e}evil\r\nerror: forged\u{9b}2J\0\u{85}<script>alert(1)</script>\u{2028}";

/// A change to a stored plan.
type Change = fn(&mut Value);

/// Asserts that there are no control characters but line ends.
#[track_caller]
fn is_clean(what: &str, text: &str) {
    let found: Vec<char> = text.chars().filter(|c| *c != '\n' && is_unsafe(*c)).take(5).collect();
    assert!(found.is_empty(), "{what} holds {found:?}:\n{text:?}");
}

#[track_caller]
fn clean(ran: Ran) -> Ran {
    is_clean("stdout", &ran.stdout);
    is_clean("stderr", &ran.stderr);
    assert!(!ran.stderr.lines().any(|line| line.starts_with("error: forged")), "{}", ran.stderr);
    ran
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// A run after setup whose VMs are rejected with a message that quotes this text.
fn refused(text: &str) -> Cluster {
    let cluster = Cluster::instant();
    let disks = json!([{"name": text, "disk": {}}]);
    let domain = json!({"memory": {"guest": "256Mi"}, "devices": {"disks": disks}});
    let vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
        "spec": {"template": {"spec": {"domain": domain}}}});
    std::fs::write(cluster.home.path().join("vm.yaml"), document::json(&vm).unwrap()).unwrap();
    cluster.run(&["setup", "--end", "2", "--probe", "none", "--skip-preflight", "-f", "vm.yaml"]).exits(0);
    cluster
}

#[test]
fn what_a_vm_says_of_itself_is_shown_harmlessly_in_every_format() {
    let cluster = refused(NASTY);
    let log = ["--log-file", "log", "--log-level", "trace"];
    let create = [&["create"][..], &log].concat();
    clean(cluster.run(&create)).exits(3).complains(&[r"failed to create", r"\u{1b}]0;pwned"]);
    for format in ["table", "wide", "json", "yaml", "name"] {
        let shown = clean(cluster.run(&["report", "-o", format]));
        if format == "json" {
            assert!(shown.stdout.contains("forged"), "the reason is kept");
        }
    }
    let json = cluster.run(&["report", "-o", "json"]).json();
    let yaml = cluster.run(&["report", "-o", "yaml"]).stdout;
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), json);
    let reason = json["phases"][0]["rows"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("\u{1b}]0;pwned\u{7}"), "programs get the text as it is: {reason:?}");
    is_clean("the log", &std::fs::read_to_string(cluster.home.path().join("log")).unwrap());
    clean(cluster.run(&["status"]));
    clean(cluster.run(&["report", "--save-results", "--storage-driver", "../\u{1b}[2J=x"]));
    let mut saved = Vec::new();
    files(&cluster.home.path().join("results"), &mut saved);
    assert!(saved.len() >= 5, "{saved:?}");
    for path in saved {
        is_clean("the path", &path.display().to_string());
        is_clean(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n"));
    }
}

#[test]
fn a_reason_of_a_megabyte_is_kept_short() {
    let cluster = refused(&"long ".repeat(150_000));
    let ran = clean(cluster.run(&["create"])).exits(3).complains(&["long long"]);
    assert!(ran.stdout.len() + ran.stderr.len() < 30_000, "{}", ran.stdout.len());
    let (maps, _) = cluster.sandbox.store().list(&kind::CONFIG_MAPS, Some("default"));
    let size: usize = maps.iter().map(|map| map.value().to_string().len()).sum();
    assert!(size < 30_000, "the record has {size} bytes");
}

#[test]
fn a_record_that_somebody_else_wrote_is_shown_harmlessly_or_refused() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    let store = cluster.sandbox.store();
    let plan = store.get(&kind::CONFIG_MAPS, "default", HEAD).unwrap().value()["data"]["plan.json"].clone();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(plan.as_str().unwrap()).unwrap();
        change(&mut document);
        store.modify(&kind::CONFIG_MAPS, "default", HEAD, |head| {
            head["data"]["plan.json"] = json!(document.to_string());
            for word in ["phase", "state", "targets", "started", "holder"] {
                head["metadata"]["annotations"][format!("bootstorm.dev/{word}")] = json!(NASTY);
            }
        });
    };
    // Free text is shown.
    with(&|plan| {
        plan["facts"]["kubernetes"] = json!(NASTY);
        plan["facts"]["kubevirt"] = json!("x".repeat(1_000_000));
        plan["plan"]["template"] = json!({"kind": "container-disk", "image": NASTY});
    });
    for args in
        [&["report"][..], &["report", "-o", "json"], &["status"], &["status", "-A"], &["setup", "--end", "3"]]
    {
        for format in ["table", "json", "yaml", "name"] {
            let args = [args, &["-o", format]].concat();
            let args =
                if args.contains(&"json") && args.len() > 3 { args[..args.len() - 2].to_vec() } else { args };
            clean(cluster.run(&args));
        }
    }
    assert!(cluster.run(&["report"]).exits(0).stdout.len() < 10_000);
    // Names that become paths, labels and selectors are refused.
    let changes: [Change; 6] = [
        |plan| plan["plan"]["vm_name"] = json!(NASTY),
        |plan| plan["plan"]["prefix"] = json!("../../kube-system"),
        |plan| plan["plan"]["prefix"] = json!("another"),
        |plan| plan["run_id"] = json!(""),
        |plan| plan["run_id"] = json!("a,!b"),
        |plan| plan["plan"]["template"] = json!({"kind": NASTY}),
    ];
    for change in changes {
        with(&change);
        for command in ["report", "create"] {
            clean(cluster.run(&[command])).exits(1).complains(&["cannot be read"]);
        }
    }
    clean(cluster.run(&["cleanup", "--yes"])).exits(0);
}

#[test]
fn templates_and_kubeconfigs_name_nothing_that_steers() {
    let cluster = Cluster::instant();
    for kind in [NASTY, "", &"k".repeat(500_000)] {
        let text = json!({"apiVersion": "v1", "kind": kind}).to_string();
        std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
        let ran = clean(cluster.run(&["setup", "-f", "vm.yaml"])).exits(1);
        assert!(ran.stderr.len() < 5_000);
    }
    let long = format!("# {}\n", "x".repeat(1_100_000));
    std::fs::write(cluster.home.path().join("vm.yaml"), long).unwrap();
    clean(cluster.run(&["setup", "-f", "vm.yaml"])).exits(1).complains(&["more than a Secret can hold"]);
    clean(cluster.run(&["setup", "-f", "/dev/zero"])).exits(1);
    std::fs::write(cluster.home.path().join("vm.yaml"), [0xff, 0xfe]).unwrap();
    clean(cluster.run(&["setup", "-f", "vm.yaml"])).exits(1).complains(&["not UTF-8"]);
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": NASTY, "contexts": [
        {"name": NASTY, "context": {"cluster": NASTY, "user": NASTY}}, {"name": "y".repeat(1_000_000), "context": {"cluster": "c"}}]});
    std::fs::write(cluster.home.path().join("config"), config.to_string()).unwrap();
    for args in [
        &["status", "--kubeconfig", "config"][..],
        &["status", "--kubeconfig", "config", "--context", "none"],
    ] {
        let ran = clean(cluster.run(args)).exits(1);
        assert!(ran.stderr.len() < 10_000);
    }
    let before = config.to_string().replace("\"contexts\"", "\"contexts\u{1b}\"");
    std::fs::write(cluster.home.path().join("config"), before).unwrap();
    clean(cluster.run(&["status", "--kubeconfig", "config"])).exits(1);
}

/// A server that gives every request the same answer.
fn answering(status: &str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let status = status.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 8192]);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    url
}

#[test]
fn a_server_that_answers_with_poison() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
    std::fs::write(home.path().join("config"), config.to_string()).unwrap();
    let status =
        |message: &str| json!({"kind": "Status", "status": "Failure", "reason": NASTY, "message": message});
    let long = "m".repeat(2_000_000);
    let answers = [
        ("403 Forbidden", status(NASTY).to_string()),
        ("403 Forbidden", status(&long).to_string()),
        ("400 Bad Request", NASTY.to_owned()),
        ("400 Bad Request", long),
        ("400 Bad Request", String::new()),
        ("200 OK", NASTY.to_owned()),
        ("200 OK", json!({"data": {"plan.json": NASTY, "parts.json": NASTY}}).to_string()),
        ("200 OK", json!({"items": [{"metadata": {"name": NASTY, "labels": {"bootstorm.dev/run": NASTY, "bootstorm.dev/run-id": NASTY}, "namespace": NASTY}}], "metadata": {}}).to_string()),
        ("200 OK", "[".repeat(100_000)),
    ];
    for (code, body) in answers {
        let url = answering(code, body);
        for command in [&["status"][..], &["status", "-A"], &["cleanup", "--dry-run=client"], &["setup"]] {
            let args = [
                command,
                &["--kubeconfig", "config", "--server", &url, "--log-file", "log", "--log-level", "trace"],
                &["--retry-timeout", "2s"],
            ]
            .concat();
            let ran = clean(Program::new(home.path()).run(&args));
            assert!(ran.code != 101 && ran.code >= 0, "{code}: {ran:?}");
            assert!(ran.stderr.len() < 15_000, "{code}: {}", ran.stderr.len());
        }
    }
    is_clean("the log", &std::fs::read_to_string(home.path().join("log")).unwrap());
}

#[test]
fn a_gzip_bomb_in_the_record_is_refused() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..2200 {
        encoder.write_all(&vec![b' '; 65_536]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 200_000);
    let digest = bootstorm_model::record::codec::digest(&bomb);
    let store = cluster.sandbox.store();
    let (maps, _) = store.list(&kind::CONFIG_MAPS, Some("default"));
    let part = maps.iter().find(|map| map.name().starts_with(&format!("{HEAD}."))).unwrap();
    store.modify(&kind::CONFIG_MAPS, "default", part.name(), |map| {
        map["binaryData"]["phase.json.gz"] = json!(base64(&bomb));
    });
    store.modify(&kind::CONFIG_MAPS, "default", HEAD, |head| {
        let mut parts: Value = serde_json::from_str(head["data"]["parts.json"].as_str().unwrap()).unwrap();
        parts[0]["chunks"][0]["sha256"] = json!(digest);
        parts[0]["chunks"][0]["bytes"] = json!(bomb.len());
        head["data"]["parts.json"] = json!(parts.to_string());
    });
    cluster.run(&["report"]).exits(1).complains(&["more than 128 MiB unpacked"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number =
            group.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[number >> (18 - 6 * place) & 63] as char;
            text.push(if place <= group.len() { letter } else { '=' });
        }
    }
    text
}
