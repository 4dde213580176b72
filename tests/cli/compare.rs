//! Comparisons of runs: from the cluster, from files, and refused where they make no sense.

use crate::support::Cluster;

fn with_runs(sizes: &[(&str, &str)]) -> Cluster {
    let cluster = Cluster::instant();
    for (run, end) in sizes {
        cluster.run(&["run", "--ns-prefix", run, "--end", end, "--save-results", "-q"]).exits(0);
    }
    cluster
}

/// The folder a run was saved to.
fn folder(cluster: &Cluster, run: &str) -> String {
    let folders = std::fs::read_dir(cluster.home.path().join("results/1-disk")).unwrap();
    let name = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.contains(run))
        .unwrap();
    format!("results/1-disk/{name}")
}

#[test]
fn runs_are_found_in_the_cluster_in_files_and_in_folders() {
    let cluster = with_runs(&[("monday", "3"), ("friday", "3")]);
    let folder = folder(&cluster, "monday");
    let file = format!("{folder}/run.json");
    let schema = include_str!("../../docs/compare-schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    for first in ["monday", "default/monday", folder.as_str(), file.as_str()] {
        cluster.run(&["compare", first, "friday"]).exits(0).prints(&[
            "Comparison of 2 runs",
            "storm-1:",
            "Running p50",
            "Not judged, because of fewer than 10 VMs: Running mean, Running p50",
            "B against A: NOT JUDGED",
        ]);
        let document = cluster.run(&["compare", first, "friday", "-o", "json"]).exits(0).json();
        assert_eq!(document["runs"][0]["run"], "monday");
        let faults: Vec<String> =
            validator.iter_errors(&document.clone().into()).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new());
    }
    let alone = cluster.program().env("KUBECONFIG", "/nonexistent").run(&["compare", &folder, &file]);
    alone.exits(0).prints(&["Comparison of 2 runs"]);
}

#[test]
fn reports_and_the_files_of_the_origin_tool_take_part_too() {
    let cluster = with_runs(&[("monday", "2"), ("friday", "2")]);
    let home = cluster.home.path();
    let report = cluster.run(&["report", "--ns-prefix", "monday", "-o", "yaml"]).exits(0).stdout;
    std::fs::write(home.join("monday.yaml"), report).unwrap();
    let friday = folder(&cluster, "friday");
    std::fs::remove_file(home.join(&friday).join("run.json")).unwrap();
    let alone = |more: &[&str]| {
        let program = cluster.program().env("KUBECONFIG", "/nonexistent");
        program.run(&[&["compare", "monday.yaml", &friday, "-o", "json"], more].concat())
    };
    let document = alone(&[]).exits(0).json();
    let phases = document["comparisons"][0]["phases"].as_array().unwrap();
    assert_eq!(phases.iter().map(|phase| &phase["phase"]).collect::<Vec<_>>(), ["create", "storm"]);
    assert_eq!((&document["runs"][0]["vms"], &document["runs"][1]["vms"]), (&2.into(), &2.into()));
    alone(&["--fail-if", "storm.goal.p50>1us"]).exits(4);
    alone(&["--fail-if", "skew>1s"]).exits(2).complains(&["do not record when each request was sent"]);
}

#[test]
fn thresholds_are_about_every_run_but_the_baseline() {
    let cluster = with_runs(&[("monday", "2"), ("friday", "2"), ("sunday", "2")]);
    let compare = |condition| {
        cluster.run(&["compare", "monday", "friday", "sunday", "--fail-if", condition, "-o", "json"])
    };
    let judged = compare("storm.goal.p50>1us").exits(4).json();
    let runs: Vec<_> = judged["thresholds"].as_array().unwrap().iter().map(|block| &block["run"]).collect();
    assert_eq!(runs, ["friday", "sunday"]);
    compare("storm.goal.p50>1h").exits(0);
    compare("storm-2.goal.p50>1h").exits(2).complains(&["there is no phase storm-2"]);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let cluster = with_runs(&[("small", "2"), ("large", "3")]);
    cluster.run(&["compare", "small", "large"]).exits(1).complains(&[
        "small has 2 VMs, large has 3 VMs: storms of different size cannot be compared",
        "--force",
    ]);
    cluster.run(&["compare", "small", "large", "--force"]).exits(0).prints(&["number of VMs: 2 -> 3"]);
    cluster.run(&["compare", "small", "small"]).exits(2).complains(&["small is named twice"]);
    cluster.run(&["compare", "small"]).exits(2).complains(&["fewer than two storms"]);
    cluster.run(&["compare", "small", "nobody"]).exits(1).complains(&["there is no run \"nobody\""]);
    cluster.run(&["compare", "small", "missing.json"]).exits(1).complains(&["missing.json cannot be read"]);
    cluster.run(&["compare", "small", "a/b/c"]).exits(1).complains(&["there is no file or folder a/b/c"]);
    cluster
        .run(&["compare", "small", "large", "--min-effect", "much"])
        .exits(2)
        .complains(&["write it like 5%"]);
    std::fs::write(cluster.home.path().join("odd.json"), "{\"format\": 1}").unwrap();
    cluster
        .run(&["compare", "small", "odd.json"])
        .exits(1)
        .complains(&["odd.json cannot be read", "it is damaged"]);
}

#[test]
fn one_run_with_several_storms_shows_their_spread() {
    let cluster = with_runs(&[("boot-storm-test", "2")]);
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm"]).exits(0).prints(&["Repetitions: 2 storms"]);
    let spread = cluster.run(&["compare", "boot-storm-test"]).exits(0);
    spread.prints(&["Repetitions: 2 storms", "storm-1", "storm-2", "median"]);
}
