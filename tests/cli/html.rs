//! HTML output from the command line: written to the right place, refused where it makes no sense.

use std::fs;
use std::path::PathBuf;

use crate::support::Cluster;

/// The only run folder below the results folder.
fn saved(cluster: &Cluster) -> PathBuf {
    let disks = cluster.home.path().join("results/px/1-disk");
    fs::read_dir(disks).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_report_is_one_page_and_is_saved_beside_the_results() {
    let cluster = Cluster::instant();
    let ran = cluster
        .run(&["run", "--end", "3", "-o", "html", "--save-results", "--storage-driver", "px"])
        .exits(0)
        .prints(&["<!DOCTYPE html>", "Content-Security-Policy", "boot-storm-test-3</th>"]);
    assert_eq!(ran.stdout.matches("<!DOCTYPE html>").count(), 1);
    assert!(ran.stdout.trim_end().ends_with("</html>"));
    let page = fs::read_to_string(saved(&cluster).join("report.html")).unwrap();
    assert_eq!(page, ran.stdout);
    assert_eq!(cluster.run(&["report", "-o", "html"]).exits(0).stdout, page);
}

#[test]
fn a_command_without_a_report_refuses_the_format() {
    let cluster = Cluster::instant();
    cluster.run(&["status", "-o", "html"]).exits(2).complains(&["no report to show in that format"]);
}

#[test]
fn the_dashboard_is_made_of_saved_results_without_a_cluster() {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "3", "--save-results", "--storage-driver", "px"]).exits(0);
    let home = cluster.home.path();
    fs::write(home.join("results/broken.json"), "{").unwrap();
    fs::write(home.join("info.yaml"), "cluster:\n  network: 2x25G\n").unwrap();
    fs::write(home.join("manual.yaml"), "results:\n- {test: drain, seconds: 310}\n").unwrap();
    let folder = saved(&cluster);
    let old = home.join("results/old/1-disk/20200101-000000_t_1-2");
    fs::create_dir_all(&old).unwrap();
    fs::copy(folder.join("boot_storm_results.json"), old.join("boot_storm_results.json")).unwrap();
    let program = cluster.program().env("KUBECONFIG", "/nonexistent");
    let args = ["dashboard", "--days", "30", "--base-dir", "results", "--cluster-info", "info.yaml"];
    let more = ["--manual-results", "manual.yaml", "--output-html", "page.html"];
    let all: Vec<&str> = args.into_iter().chain(more).collect();
    program.run(&all).exits(0).complains(&[
        "page.html: 1 saved run",
        "1 older than 30 days",
        "1 file left out",
    ]);
    let page = fs::read_to_string(home.join("page.html")).unwrap();
    for text in ["2x25G", ">drain<", "broken.json", ">px<"] {
        assert!(page.contains(text), "{text}");
    }
    let shown = program.run(&["dashboard", "--days", "36500", "--output-html", "-", "-q"]).exits(0);
    assert!(shown.stdout.contains("<!DOCTYPE html>") && shown.stderr.is_empty(), "{}", shown.stderr);
    assert!(shown.stdout.contains("2020-01-01 00:00"));
}

#[test]
fn a_dashboard_that_cannot_be_made_says_why() {
    let cluster = Cluster::instant();
    let home = cluster.home.path();
    cluster.run(&["dashboard"]).exits(1).complains(&["there is no folder results", "--save-results"]);
    fs::create_dir(home.join("results")).unwrap();
    fs::write(home.join("info.yaml"), "storage: x\n").unwrap();
    cluster
        .run(&["dashboard", "--cluster-info", "info.yaml"])
        .exits(1)
        .complains(&["info.yaml cannot be used", "it has no `cluster:`"]);
    cluster.run(&["dashboard", "--days", "0"]).exits(2);
    cluster.run(&["dashboard"]).exits(0).complains(&["0 saved runs"]);
}
