//! A run on the sandbox, reported in every format, read back, and checked by independent readers.

mod junit;
mod kube_burner;
mod openmetrics;
mod prometheus;
mod saved;

use std::io::Write;
use std::process::{Command, Stdio};

use bootstorm_sandbox::value::Value;

use crate::support::Cluster;
use crate::support::tools::find;

/// A cluster with a run of three VMs after its storm.
fn measured() -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "3", "-q", "--save-results"]).exits(0);
    cluster
}

fn report(cluster: &Cluster, format: &str) -> String {
    cluster.run(&["report", "-q", "-o", format]).exits(0).stdout
}

fn faults(document: &Value) -> Vec<String> {
    let schema = include_str!("../../../docs/report-schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    validator
        .iter_errors(&document.clone().into())
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}

#[test]
fn every_format_keeps_to_its_rules() {
    let cluster = measured();
    let json: Value = serde_json::from_str(&report(&cluster, "json")).unwrap();
    assert_eq!(faults(&json), Vec::<String>::new());
    let yaml: Value = serde_saphyr::from_str(&report(&cluster, "yaml")).unwrap();
    assert_eq!(yaml, json);

    let csv = report(&cluster, "csv");
    let rows: Vec<Vec<String>> = csv::Reader::from_reader(csv.as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!((rows.len(), rows[0][0].as_str(), rows[0][1].as_str()), (9, "boot-storm-test", "create"));
    assert_eq!(
        cluster.run(&["report", "-q", "-o", "csv", "--no-headers"]).exits(0).stdout.lines().count(),
        9
    );

    let markdown = report(&cluster, "markdown");
    assert!(markdown.starts_with("## Boot storm `boot-storm-test`\n\n**Verdict:** "), "{markdown}");
    assert_eq!(markdown, report(&cluster, "md"));
    junit::check(
        &report(&cluster, "junit"),
        &["boot-storm-test.create", "boot-storm-test.stop-1", "boot-storm-test.storm-1"],
        3,
    );
    openmetrics::check(&report(&cluster, "openmetrics"));

    let benchmark: Value = serde_json::from_str(&report(&cluster, "benchmark")).unwrap();
    assert_eq!(benchmark["scenario"]["name"], "boot-storm");
    assert_eq!(benchmark["aggregate"]["successful_vms"], 3);
    assert!(benchmark["records"][2]["time_to_ping_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn python_reads_the_csv_as_we_do() {
    let Some(python) = find("python3") else { return };
    let cluster = measured();
    let script = "import csv, io, json, sys\n\
                  data = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='')\n\
                  print(json.dumps(list(csv.DictReader(data, strict=True))))\n";
    let mut child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(report(&cluster, "csv").as_bytes()).unwrap();
    let rows: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let json: Value = serde_json::from_str(&report(&cluster, "json")).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 9);
    let storm = &json["phases"][2]["rows"][0];
    let seconds: f64 = rows[6]["reachable_seconds"].as_str().unwrap().parse().unwrap();
    assert!((seconds - storm["milestones"]["reachable"]["seconds"].as_f64().unwrap()).abs() < 1e-9);
    assert_eq!(rows[6]["node"], storm["node"]);
}

#[test]
fn a_phase_with_failures_keeps_to_the_rules_too() {
    let cluster = Cluster::instant();
    let manifest = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  annotations: {sandbox.bootstorm.dev/misbehave: never-schedules}\nspec:\n  template:\n    spec:\n      domain: {memory: {guest: 256Mi}, devices: {}}\n";
    std::fs::write(cluster.home.path().join("vm.yaml"), manifest).unwrap();
    cluster.run(&["setup", "--end", "2", "-f", "vm.yaml", "--probe", "none"]).exits(0);
    let json = cluster.run(&["create", "--timeout", "1s", "-q", "-o", "json"]).exits(3).json();
    assert_eq!(faults(&json), Vec::<String>::new());
    let junit = cluster.run(&["report", "-q", "-o", "junit"]).exits(3).stdout;
    junit::check(&junit, &["boot-storm-test.create"], 2);
    assert_eq!(junit.matches("type=\"timed-out\"").count(), 2);
    openmetrics::check(&cluster.run(&["report", "-q", "-o", "openmetrics"]).exits(3).stdout);
    let markdown = cluster.run(&["report", "-q", "-o", "markdown"]).exits(3).stdout;
    assert!(markdown.contains("| 2 | Timed out | `"), "{markdown}");
}

#[test]
fn other_commands_refuse_formats_of_reports() {
    let cluster = Cluster::instant();
    for command in ["status", "setup", "cleanup"] {
        cluster.run(&[command, "-o", "csv"]).exits(2).complains(&["no report to show", "report -o FORMAT"]);
    }
}

#[test]
fn setup_learns_what_the_cluster_is_made_of() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "1"]).exits(0);
    let facts = cluster.run(&["report", "-q", "-o", "json"]).exits(0).json()["cluster"].clone();
    assert_eq!(facts["node_kinds"][0]["nodes"], 3);
    assert!(facts["node_kinds"][0]["kernel"].is_string() && facts["cdi_version"].is_string(), "{facts}");
    assert_eq!(facts["storage_classes"][0]["name"], "standard");
    assert_eq!(facts["rate_limits"][1]["component"], "virt-controller");
    cluster.run(&["report"]).exits(0).prints(&["CDI v", "Storage class:", "Rate limit:", "cores"]);
}

#[test]
fn a_missing_permission_leaves_out_its_part_only() {
    let cluster = Cluster::instant();
    for resource in ["nodes", "storageclasses", "cdis"] {
        cluster.sandbox.faults().deny("list", resource, None);
    }
    cluster.run(&["setup", "--end", "1"]).exits(0);
    let json = cluster.run(&["report", "-q", "-o", "json"]).exits(0).json();
    assert_eq!(faults(&json), Vec::<String>::new());
    let facts = &json["cluster"];
    assert!(facts["kubevirt_version"].is_string() && facts["rate_limits"][0]["qps"].is_number(), "{facts}");
    assert_eq!((&facts["nodes"], &facts["cdi_version"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&facts["node_kinds"], &facts["storage_classes"]),
        (&Value::from(Vec::<Value>::new()), &Value::from(Vec::<Value>::new()))
    );
}
