//! Output streams: data to stdout, messages to stderr, colour only on terminals.

use std::process::Stdio;

use crate::support::Cluster;

#[test]
fn quiet_leaves_only_the_data() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&["run", "--end", "2", "-q", "-o", "json"]).exits(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.json()["phases"].as_array().unwrap().len(), 3);
}

#[test]
fn pipes_get_no_colour_and_no_animation() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&["run", "--end", "2"]).exits(0);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
    ran.complains(&["create · phase 1 of 3: 2 VMs to be reachable", "create: 2/2 reachable"]);
    let colourful = cluster.run(&["report", "--color", "always"]).exits(0);
    assert!(colourful.stdout.contains('\u{1b}'));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "2"]).exits(0);
    let mut child =
        cluster.program().command(&["report", "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_format_is_understood_by_its_reader() {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "2"]).exits(0);
    let json = cluster.run(&["report", "-o", "json"]).exits(0).json();
    let yaml = cluster.run(&["report", "-o", "yaml"]).exits(0);
    assert_eq!(serde_saphyr::from_str::<bootstorm_sandbox::value::Value>(&yaml.stdout).unwrap(), json);
    let names = cluster.run(&["report", "-o", "name"]).exits(0);
    assert_eq!(names.stdout.lines().count(), 2);
    let schema = include_str!("../../docs/report-schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&json.clone().into()).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
}
