//! Results read back without a cluster.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::measured;
use crate::support::{Cluster, Program, Ran};

/// The program without any cluster.
fn offline(home: &Path) -> Program {
    Program::new(home).env("KUBECONFIG", "/nowhere")
}

fn folder(cluster: &Cluster) -> PathBuf {
    let disks = cluster.home.path().join("results/1-disk");
    std::fs::read_dir(disks).unwrap().next().unwrap().unwrap().path()
}

fn from(cluster: &Cluster, path: &Path, more: &[&str]) -> Ran {
    let path = path.to_str().unwrap();
    offline(cluster.home.path()).run(&[&["report", "--from", path], more].concat())
}

fn piped(cluster: &Cluster, text: &str) -> Ran {
    let mut command = offline(cluster.home.path()).command(&["report", "--from", "-", "-o", "json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Ran::of(child)
}

#[test]
fn what_was_saved_shows_as_if_the_cluster_were_there() {
    let cluster = measured();
    let run = folder(&cluster).join("run.json");
    for format in
        ["table", "wide", "json", "yaml", "csv", "markdown", "junit", "openmetrics", "benchmark", "name"]
    {
        let live = cluster.run(&["report", "-o", format]).exits(0);
        let saved = from(&cluster, &run, &["-o", format]).exits(0);
        assert_eq!(saved.stdout, live.stdout, "{format}");
        assert_eq!(saved.stderr, "");
    }
    // The folder itself, and its parents as long as it is the only one in them.
    let wanted = from(&cluster, &run, &["-o", "json"]).exits(0).stdout;
    assert_eq!(from(&cluster, &folder(&cluster), &["-o", "json"]).exits(0).stdout, wanted);
    assert_eq!(from(&cluster, Path::new("results"), &["-o", "json"]).exits(0).stdout, wanted);
    // A finished report, from a file, a pipe, and as YAML.
    std::fs::write(cluster.home.path().join("report.json"), &wanted).unwrap();
    assert_eq!(from(&cluster, Path::new("report.json"), &["-o", "json"]).exits(0).stdout, wanted);
    assert_eq!(piped(&cluster, &wanted).exits(0).stdout, wanted);
    let yaml = from(&cluster, &run, &["-o", "yaml"]).exits(0).stdout;
    assert_eq!(piped(&cluster, &yaml).exits(0).stdout, wanted);
    // The origin tool's files can be rebuilt from a run.
    from(&cluster, &run, &["--save-results", "--results-folder", "again"])
        .exits(0)
        .complains(&["results saved in again"]);
    let saved = |place: &str| {
        let name = folder(&cluster).file_name().unwrap().to_owned();
        std::fs::read(
            cluster.home.path().join(place).join("1-disk").join(name).join("boot_storm_results.csv"),
        )
        .unwrap()
    };
    assert_eq!(saved("again"), saved("results"));
}

#[test]
fn the_origin_tools_files_are_enough() {
    let cluster = measured();
    let folder = folder(&cluster);
    std::fs::remove_file(folder.join("run.json")).unwrap();
    let json = from(&cluster, &folder, &["-o", "json"]).exits(0).json();
    assert_eq!(json["phases"][1]["counts"]["reached"], 3);
    assert_eq!(super::faults(&json), Vec::<String>::new());
    let file = folder.join("boot_storm_results.csv");
    assert_eq!(from(&cluster, &file, &["-o", "json"]).exits(0).json(), json);
    from(&cluster, &folder, &["--save-results"]).exits(2).complains(&["only a run.json holds"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_name() {
    let cluster = Cluster::instant();
    let home = cluster.home.path();
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).unwrap();
    write("empty.json", "");
    write("newer.json", "{\"schema_version\": 99}");
    write("cut.json", "{\"schema_version\": 1, \"run\": {\"na");
    write("pod.yaml", "kind: Pod\n");
    let cases = [
        ("missing.json", "missing.json cannot be read"),
        ("empty.json", "it is empty"),
        ("newer.json", "a newer kubectl-bootstorm wrote it"),
        ("cut.json", "it is cut off"),
        ("pod.yaml", "it is not a result of kubectl-bootstorm"),
    ];
    for (file, words) in &cases {
        from(&cluster, Path::new(file), &[]).exits(1).complains(&[words]);
    }
    std::fs::create_dir_all(home.join("none/below")).unwrap();
    from(&cluster, Path::new("none"), &[]).exits(1).complains(&["there are no results in none"]);
    for run in ["20260101-000000_a_1-1", "20260102-000000_a_1-1"] {
        std::fs::create_dir_all(home.join("two/1-disk").join(run)).unwrap();
        std::fs::write(home.join("two/1-disk").join(run).join("run.json"), "{}").unwrap();
    }
    from(&cluster, Path::new("two"), &[])
        .exits(1)
        .complains(&["holds the results of 2 runs", "--from two/1-disk/20260102-000000_a_1-1"]);
}

#[test]
fn saved_results_are_judged_like_the_run() {
    let cluster = measured();
    let run = folder(&cluster).join("run.json");
    let report = from(&cluster, &run, &["-o", "json"]).exits(0).stdout;
    std::fs::write(cluster.home.path().join("report.json"), report).unwrap();
    for place in [run.as_path(), Path::new("report.json")] {
        let judged = |condition| from(&cluster, place, &["--fail-if", condition, "-o", "json"]);
        let block = judged("storm.goal.p50>1us").exits(4).json()["thresholds"][0].clone();
        assert_eq!((&block["result"], &block["phase"]), (&"crossed".into(), &"storm-1".into()));
        judged("storm.goal.t95>1h").exits(0);
        judged("storm-9.goal.p50>1h").exits(2).complains(&["there is no phase storm-9"]);
    }
    // A report with thresholds says so again.
    let crossed = from(&cluster, &run, &["--fail-if", "storm.goal.p50>1us", "-o", "json"]).exits(4).stdout;
    assert_eq!(piped(&cluster, &crossed).exits(4).stdout, crossed);
    let junit = from(&cluster, &run, &["--fail-if", "storm.goal.p50>1us", "-o", "junit"]).exits(4).stdout;
    assert!(junit.contains("<failure message=\"it is "), "{junit}");
}
