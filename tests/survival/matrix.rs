//! Every fault in every phase. The table in `docs/reliability.md` holds this test's results.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bootstorm_model::observe::Outcome;
use bootstorm_sandbox::faults::read_text;

use super::record;
use crate::support::{Cluster, Ran};

const VMS: usize = 10;
const PAGE: &str = "docs/reliability.md";
const MARKS: [&str; 2] = ["<!-- faults: begin -->", "<!-- faults: end -->"];
/// The maximum time for anything, whatever happens.
const PATIENCE: Duration = Duration::from_secs(120);
/// Parallel experiments.
const LANES: usize = 9;

/// Faults: the name in the table, and the entry in the sandbox's fault file. `BOOTSTORM_FAULT` selects by part of the
/// name.
const FAULTS: [(&str, &str); 18] = [
    (
        "429 with Retry-After, one request in five",
        "{effect: throttled, retryAfter: 1, probability: 0.2, count: 12}",
    ),
    ("429 without Retry-After, one request in five", "{effect: throttled, probability: 0.2}"),
    (
        "409, one update or patch in four",
        "[{effect: conflict, match: {verb: update}, probability: 0.25}, {effect: conflict, match: {verb: patch}, probability: 0.25}]",
    ),
    (
        "500 of racing patches, one patch in three",
        "{effect: patch-race, match: {verb: patch}, probability: 0.33}",
    ),
    (
        "500 from etcd, one request in five",
        "{effect: answer, code: 500, message: 'etcdserver: leader changed', probability: 0.2}",
    ),
    ("503, one request in five", "{effect: answer, code: 503, probability: 0.2}"),
    ("no answer, one request in twenty", "{effect: hang, probability: 0.05}"),
    ("every answer takes 300 ms", "{effect: delay, delay: 300ms}"),
    ("connection cut before the request, one in five", "{effect: cut, probability: 0.2}"),
    ("connection cut after the request, one in five", "{effect: cut-after, probability: 0.2}"),
    ("answer truncated, one in five", "{effect: truncate, probability: 0.2}"),
    ("watches cut every 100 ms", "{effect: watch-cut, every: 100ms}"),
    (
        "410, and watches cut, every 200 ms",
        "[{effect: expire, every: 200ms}, {effect: watch-cut, every: 200ms}]",
    ),
    ("prober streams cut every 300 ms", "{effect: exec-cut, every: 300ms}"),
    ("outage of 3 s", "{effect: outage, after: 200ms, for: 3s}"),
    ("API server restarts", "{effect: restart, after: 200ms, for: 1s}"),
    ("token replaced while the command runs", "{effect: unauthorized, after: 300ms, every: 2s}"),
    (
        "second writer marks the VMs and the record",
        "[{effect: second-writer, what: annotate, every: 10ms}, {effect: second-writer, what: edit-record, every: 30ms}]",
    ),
];

const PHASES: [&[&str]; 6] = [
    &["setup", "--end", "10"],
    &["create", "--timeout", "60s"],
    &["stop", "--timeout", "60s"],
    &["storm", "--timeout", "60s"],
    &["report", "-o", "json"],
    &["cleanup", "--yes", "--timeout", "60s"],
];

/// Runs a command with a timeout.
fn run(cluster: &Cluster, args: &[&str]) -> Ran {
    let args = [args, &["--request-timeout", "1s", "--retry-timeout", "30s"]].concat();
    let child = cluster.program().spawn(&args);
    let process = child.id();
    let (sender, ended) = std::sync::mpsc::channel();
    // Its output is read all the time, or it would block.
    std::thread::spawn(move || sender.send(Ran::of(child)));
    let Ok(ran) = ended.recv_timeout(PATIENCE) else {
        let _ = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
        panic!("{args:?} hangs");
    };
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

/// One fault in every phase of one run; returns a table cell for each.
fn suffer(text: &str, complaints: &mut String) -> Vec<String> {
    let cluster = Cluster::with("default", 3, 20.0);
    let mut cells = Vec::new();
    for args in PHASES {
        let ids: Vec<_> =
            read_text(text).unwrap().into_iter().map(|f| cluster.sandbox.faults().add(f)).collect();
        let first = run(&cluster, args);
        for id in ids {
            cluster.sandbox.faults().remove(id);
        }
        let cell = match first.code {
            0 => "survives".to_owned(),
            3 => "VMs fail".to_owned(),
            1 => {
                complaints.push_str(&format!("{} under {text}: {}\n", args[0], first.stderr));
                run(&cluster, args).exits(0);
                "resumes".to_owned()
            }
            code => panic!("{args:?} under {text}: exit {code}\n{}", first.stderr),
        };
        if args[0] != "cleanup" {
            check(&cluster, args[0], text, &first);
        }
        cells.push(cell);
    }
    super::kills::nothing_is_left(&cluster);
    cells
}

/// No VM is lost, created twice or started twice.
fn check(cluster: &Cluster, command: &str, text: &str, ran: &Ran) {
    let record = record::load(cluster).unwrap();
    let Some(phase) = record.last_phase() else { return };
    assert_eq!(phase.timelines.len(), VMS);
    assert_eq!(
        phase.count(Outcome::Reached),
        VMS,
        "{command} under {text}: {}\n{:#?}",
        ran.stderr,
        phase.timelines.iter().filter(|t| t.outcome != Outcome::Reached).collect::<Vec<_>>()
    );
    for (name, account) in cluster.sandbox.ledger().machines() {
        let changes = (account.creates.changes, account.stops.changes, account.starts.changes);
        let expected = match command {
            "create" => (1, 0, 0),
            "stop" => (1, 1, 0),
            _ => (1, 1, 1),
        };
        assert_eq!(changes, expected, "{name:?} in {command} under {text}");
    }
}

fn table(rows: &[(&str, Vec<String>)]) -> String {
    let names: Vec<&str> = PHASES.iter().map(|args| args[0]).collect();
    let mut table = format!("| fault | {} |\n", names.join(" | "));
    table.push_str(&format!("|---|{}\n", "---|".repeat(names.len())));
    for (name, cells) in rows {
        table.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    table
}

#[test]
fn every_fault_in_every_phase_ends_as_documented() {
    let next = AtomicUsize::new(0);
    let only = std::env::var("BOOTSTORM_FAULT").ok();
    let complaints = Mutex::new(String::new());
    let found = Mutex::new(vec![Vec::new(); FAULTS.len()]);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((name, text)) = FAULTS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if only.as_ref().is_some_and(|only| !name.contains(only)) {
                        continue;
                    }
                    let row = FAULTS.iter().position(|(_, other)| other == text).unwrap();
                    let mut said = String::new();
                    let cells = suffer(text, &mut said);
                    found.lock().unwrap()[row] = cells;
                    complaints.lock().unwrap().push_str(&said);
                }
            });
        }
    });
    let rows: Vec<_> = FAULTS.iter().map(|(name, _)| *name).zip(found.into_inner().unwrap()).collect();
    let table = table(&rows);
    if only.is_some() {
        assert!(!table.contains("resumes"), "{}", complaints.into_inner().unwrap());
        return;
    }
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (known, after) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var_os("BOOTSTORM_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{}\n\n{table}\n{}{after}", MARKS[0], MARKS[1])).unwrap();
    } else {
        assert_eq!(
            known.trim(),
            table.trim(),
            "{PAGE} does not say what happens\n{}",
            complaints.into_inner().unwrap()
        );
    }
}
