//! kube-burner documents: written as one array and as files, and read back without a cluster.

use std::path::{Path, PathBuf};

use bootstorm_sandbox::value::Value;

use super::{faults, measured, report};
use crate::support::{Cluster, Program};

fn offline(cluster: &Cluster) -> Program {
    Program::new(cluster.home.path()).env("KUBECONFIG", "/nowhere")
}

/// The only run's folder in `burner`.
fn written(cluster: &Cluster) -> PathBuf {
    let burner = cluster.home.path().join("burner");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(burner).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

fn documents(path: &Path) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn one_array_and_the_files_of_the_local_indexer_hold_the_same() {
    let cluster = measured();
    let mut array: Vec<Value> = serde_json::from_str(&report(&cluster, "kube-burner")).unwrap();
    cluster.run(&["report", "-q", "--output-file", "kube-burner=burner"]).exits(0);
    // Repeating it replaces its own files.
    cluster.run(&["report", "--output-file", "kube-burner=burner"]).exits(0).complains(&["written: burner/"]);
    let folder = written(&cluster);
    let json: Value = serde_json::from_str(&report(&cluster, "json")).unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name, format!("collected-metrics-{}", json["run"]["id"].as_str().unwrap()));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut lines: Vec<Value> = files.iter().flat_map(|file| documents(file)).collect();
    let key = |document: &Value| document.to_string();
    lines.sort_by_key(key);
    array.sort_by_key(key);
    assert_eq!(lines, array);
    assert_eq!(files.len(), 5, "{files:?}");
    let vms = documents(&folder.join("vmiLatencyMeasurement-storm-1.json"));
    assert_eq!(vms.len(), 3);
    assert!(vms.iter().all(|vm| vm["vmiRunningLatency"].as_i64().is_some_and(|latency| latency >= 0)));
    // Foreign files are not replaced.
    std::fs::write(folder.join("jobSummary.json"), "[]").unwrap();
    cluster
        .run(&["report", "--output-file", "kube-burner=burner"])
        .exits(1)
        .complains(&["jobSummary.json cannot be written", "did not write it"]);
}

#[test]
fn its_folders_are_shown_compared_and_put_on_the_dashboard() {
    let cluster = measured();
    cluster.run(&["report", "-q", "--output-file", "kube-burner=burner"]).exits(0);
    let folder = written(&cluster);
    let from =
        |path: &str, more: &[&str]| offline(&cluster).run(&[&["report", "--from", path], more].concat());
    let json = from("burner", &["-o", "json"]).exits(0).json();
    assert_eq!(faults(&json), Vec::<String>::new());
    assert_eq!(json["phases"][1]["counts"]["reached"], 3);
    for place in
        [folder.clone(), folder.join("jobSummary.json"), folder.join("vmiLatencyMeasurement-create.json")]
    {
        assert_eq!(from(place.to_str().unwrap(), &["-o", "json"]).exits(0).json(), json);
    }
    let array = report(&cluster, "kube-burner");
    std::fs::write(cluster.home.path().join("array.json"), array).unwrap();
    assert_eq!(from("array.json", &["-o", "json"]).exits(0).json(), json);
    let own: Value = serde_json::from_str(&report(&cluster, "json")).unwrap();
    let mean = |report: &Value| {
        report["phases"].as_array().unwrap().last().unwrap()["statistics"]["running"]["mean_seconds"]
            .as_f64()
            .unwrap()
    };
    assert!((mean(&json) - mean(&own)).abs() < 0.001, "{} {}", mean(&json), mean(&own));
    offline(&cluster).run(&["compare", "burner", "array.json", "-q"]).exits(0);
    offline(&cluster)
        .run(&["dashboard", "--base-dir", "burner", "--days", "36500"])
        .exits(0)
        .complains(&["1 saved run"]);
    let page = std::fs::read_to_string(cluster.home.path().join("boot-storm-dashboard.html")).unwrap();
    assert!(page.contains("kubeburner"));
}

#[test]
fn a_folder_without_vms_says_what_to_configure() {
    let cluster = Cluster::instant();
    let folder = cluster.home.path().join("collected-metrics-1");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("jobSummary.json"), "[]").unwrap();
    let path = folder.join("jobSummary.json");
    offline(&cluster)
        .run(&["report", "--from", path.to_str().unwrap()])
        .exits(1)
        .complains(&["kube-burner measured no VMs in it", "vmiLatency"]);
}
