//! Defaults from the configuration file and the environment, seen from outside.

use std::fs;

use crate::support::{Cluster, Program};

fn with_file(text: &str) -> (tempfile::TempDir, Program) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("settings/bootstorm");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.yaml"), text).unwrap();
    let program =
        Program::new(home.path()).env("XDG_CONFIG_HOME", &home.path().join("settings").to_string_lossy());
    (home, program)
}

/// A flag's value and source, as shown.
fn shown(ran: &bootstorm_sandbox::value::Value, flag: &str) -> (String, String) {
    let flags = ran["flags"].as_array().unwrap();
    let row = flags.iter().find(|row| row["flag"] == flag).unwrap_or_else(|| panic!("no {flag} in {ran}"));
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
    (text("value"), text("source"))
}

#[test]
#[cfg(target_os = "linux")]
fn every_value_is_shown_with_its_source() {
    let (home, program) =
        with_file("# mine\nend: 5\nconcurrency: 50\nstorm:\n  timeout: 3m\nns-prefix: nightly\n");
    let file = home.path().join("settings/bootstorm/config.yaml");
    let program = program.env("BOOTSTORM_CONCURRENCY", "70");
    let ran = program.run(&["run", "--seed", "7", "--show-config", "-o", "json"]).exits(0).json();
    assert_eq!(ran["file"], file.to_string_lossy().as_ref());
    assert_eq!(shown(&ran, "end"), ("5".into(), format!("{}:2", file.display())));
    assert_eq!(shown(&ran, "concurrency"), ("70".into(), "BOOTSTORM_CONCURRENCY".into()));
    assert_eq!(shown(&ran, "seed"), ("7".into(), "flag".into()));
    assert_eq!(shown(&ran, "start"), ("1".into(), "default".into()));
    assert_eq!(shown(&ran, "timeout"), ("10m".into(), "default".into()));
    assert_eq!(shown(&ran, "cpu"), (String::new(), String::new()));
    let ran = program.run(&["storm", "--show-config", "-o", "json"]).exits(0).json();
    assert_eq!(shown(&ran, "timeout"), ("3m".into(), format!("{}:5", file.display())));
    let table = program.run(&["storm", "--show-config"]).exits(0);
    assert!(table.stderr.contains("config.yaml"), "{}", table.stderr);
    table.prints(&["FLAG", "VALUE", "SOURCE", "--ns-prefix", "nightly", "BOOTSTORM_CONCURRENCY"]);
    program.run(&["--show-config"]).exits(0).prints(&["--kubeconfig"]);
}

#[test]
#[cfg(target_os = "linux")]
fn an_unknown_key_is_told_with_its_line() {
    let (_home, program) = with_file("end: 5\n\nconcurency: 50\n");
    program
        .run(&["run", "--sandbox"])
        .exits(2)
        .complains(&["config.yaml has an unknown key", "line 3: no command has a flag \"concurency\""]);
    // `--help` works regardless.
    program.run(&["run", "--help"]).exits(0).prints(&["Examples:"]);
}

#[test]
fn what_is_wrong_names_the_place_it_comes_from() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::new(home.path()).env("BOOTSTORM_END", "many");
    program.run(&["run"]).exits(2).complains(&["'--end <N>'", "--end was set by BOOTSTORM_END"]);
    let program = Program::new(home.path()).env("BOOTSTORM_SPEED", "0");
    program
        .run(&["run", "--sandbox"])
        .exits(2)
        .complains(&["--speed 0", "--speed was set by BOOTSTORM_SPEED"]);
    let ran = program.env("BOOTSTORM_ENDD", "3").run(&["run", "--show-config"]).exits(0);
    ran.complains(&["BOOTSTORM_ENDD: no command has a flag for it"]);
    let program = Program::new(home.path());
    program.run(&["run", "--config", "nothing.yaml"]).exits(2).complains(&["nothing.yaml cannot be read"]);
}

#[test]
fn a_whole_run_follows_the_configuration() {
    let cluster = Cluster::instant();
    let config = cluster.home.path().join("mine.yaml");
    fs::write(&config, "ns-prefix: nightly\nend: 3\nprobe: none\nquiet: true\ncleanup:\n  yes: true\n")
        .unwrap();
    let program = cluster.program().env("BOOTSTORM_CONFIG", &config.to_string_lossy());
    let ran = program.run(&["setup"]).exits(0);
    assert_eq!(ran.stderr, "", "{ran:?}");
    program.run(&["create"]).exits(0).prints(&["nightly-3"]);
    program.run(&["cleanup"]).exits(0);
    cluster.run(&["status", "-A", "-o", "name"]).exits(0);
}

#[test]
fn logs_go_where_they_are_wanted() {
    let cluster = Cluster::instant();
    let log = cluster.home.path().join("log");
    let program =
        cluster.program().env("BOOTSTORM_LOG", "info").env("BOOTSTORM_LOG_FILE", &log.to_string_lossy());
    program.run(&["setup", "--end", "2"]).exits(0);
    assert!(fs::read_to_string(&log).unwrap().contains("INFO"));
    // The longer name is derived from the flag; it takes precedence.
    let ran =
        program.env("BOOTSTORM_LOG_LEVEL", "off").run(&["status", "--show-config", "-o", "json"]).exits(0);
    assert_eq!(shown(&ran.json(), "log-level"), ("off".into(), "BOOTSTORM_LOG_LEVEL".into()));
}

#[test]
fn an_empty_variable_is_ignored_whatever_flag_it_would_set() {
    let home = tempfile::tempdir().unwrap();
    let commands = ["setup", "create", "stop", "storm", "run", "report", "status", "cleanup", "observe"];
    for command in commands.into_iter().chain(["compare a", "dashboard", "fleet run", "sandbox"]) {
        let words = command.split(' ').chain(["--show-config", "-o", "json"]).collect::<Vec<_>>();
        let shown = |program: &Program| program.run(&words).exits(0).json();
        let plain = shown(&Program::new(home.path()));
        let mut empty = Program::new(home.path()).env("BOOTSTORM_LOG", "").env("BOOTSTORM_CONFIG", "");
        for flag in plain["flags"].as_array().unwrap() {
            let name = flag["flag"].as_str().unwrap().to_uppercase().replace('-', "_");
            empty = empty.env(&format!("BOOTSTORM_{name}"), "");
        }
        assert_eq!(shown(&empty), plain, "{command}");
    }
    let cluster = Cluster::instant();
    let program = cluster.program().env("BOOTSTORM_CONTEXT", "").env("BOOTSTORM_LOG", "");
    let program = program.env("BOOTSTORM_NS_PREFIX", "");
    program.run(&["setup", "--end", "1"]).exits(0);
    program.run(&["status"]).exits(0).prints(&["boot-storm-test"]);
}

#[test]
fn the_example_in_the_documentation_is_understood() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let (_, block) = page.split_once("```yaml\n").unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("example.yaml"), block.split("```").next().unwrap()).unwrap();
    let program = Program::new(home.path()).env("BOOTSTORM_CONFIG", "example.yaml");
    let read = |command: &str| program.run(&[command, "--show-config", "-o", "json"]).exits(0).json();
    assert_eq!(shown(&read("run"), "end"), ("50".into(), "example.yaml:2".into()));
    assert_eq!(shown(&read("cleanup"), "yes").0, "true");
    assert_eq!(shown(&read("storm"), "save-results").0, "true");
    assert_eq!(shown(&read("run"), "save-results"), ("false".into(), "default".into()));
    // The command that evaluates the conditions parses them.
    program.run(&["report", "--from", "nothing"]).exits(1).complains(&["nothing"]);
}
