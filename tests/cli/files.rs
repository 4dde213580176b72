//! Files that the program writes: it replaces its own, and never anyone else's, whatever the flag.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::{Cluster, Program, Ran};

const THEIRS: &str = "a file of somebody else\n";

/// A file that a flag writes
struct Flag {
    /// Arguments without the file.
    args: &'static [&'static str],
    /// The flag that takes the file.
    file: &'static str,
    /// The exit code on success.
    exits: i32,
}

/// Flags that take a file, of commands that need no cluster.
const FLAGS: [Flag; 2] = [
    Flag { args: &["dashboard", "--base-dir", "base"], file: "--output-html", exits: 0 },
    Flag {
        args: &["run", "--sandbox", "--profile", "instant", "--end", "1", "--probe", "none"],
        file: "--truth",
        exits: 0,
    },
];

fn with(program: &Program, flag: &Flag, file: &str) -> Ran {
    program.run(&[flag.args, &[flag.file, file]].concat())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A folder with a foreign file and symbolic links.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("base")).unwrap();
    fs::write(home.path().join("theirs"), THEIRS).unwrap();
    symlink("theirs", home.path().join("link")).unwrap();
    symlink("nowhere", home.path().join("dangling")).unwrap();
    home
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn no_flag_replaces_a_file_of_somebody_else() {
    let log = Flag {
        args: &["dashboard", "--base-dir", "base", "--output-html", "-"],
        file: "--log-file",
        exits: 0,
    };
    for flag in FLAGS.iter().chain([&log]) {
        let home = home();
        let program = Program::new(home.path());
        for file in ["theirs", "link", "dangling", "base"] {
            let ran = with(&program, flag, file).exits(1);
            ran.complains(&["it ", &format!("name another file with {} FILE", flag.file)]);
        }
        with(&program, flag, "no/such/folder").exits(1).complains(&[flag.file]);
        assert_eq!(fs::read_to_string(home.path().join("theirs")).unwrap(), THEIRS, "{}", flag.file);
        assert_eq!(names(home.path()), ["base", "dangling", "link", "theirs"], "{}", flag.file);
        // Its own file is replaced or appended to, and keeps its name.
        for _ in 0..2 {
            with(&program, flag, "mine").exits(flag.exits);
        }
        symlink("mine", home.path().join("latest")).unwrap();
        with(&program, flag, "latest").exits(flag.exits);
        assert!(home.path().join("latest").is_symlink(), "{}", flag.file);
        assert_eq!(names(home.path()).len(), 6, "{}: {:?}", flag.file, names(home.path()));
    }
}

#[test]
fn a_log_is_for_its_owner_and_goes_on() {
    let home = home();
    let program = Program::new(home.path());
    let args = ["dashboard", "--base-dir", "base", "--output-html", "page.html", "--log-file", "log"];
    for _ in 0..2 {
        program.run(&args).exits(0);
    }
    let log = fs::read_to_string(home.path().join("log")).unwrap();
    assert!(log.starts_with("# log of kubectl-bootstorm\n"), "{log}");
    assert_eq!((log.matches("# log").count(), log.matches("started").count()), (1, 2), "{log}");
    assert_eq!((mode(&home.path().join("log")), mode(&home.path().join("page.html"))), (0o600, 0o644));
    // Piped data is not lost.
    program
        .run(&["dashboard", "--base-dir", "base", "--output-html", "-", "--log-file", "/dev/stderr"])
        .exits(0)
        .complains(&["started"]);
}

#[test]
fn results_are_saved_over_those_of_the_same_run_only() {
    let cluster = Cluster::instant();
    let args = ["run", "--end", "2", "--probe", "none", "--save-results", "--results-folder"];
    // Before anything is created.
    let theirs = cluster.home.path().join("theirs");
    fs::write(&theirs, THEIRS).unwrap();
    for (folder, why) in
        [("no/such", "there is no folder no"), ("theirs", "it is not a folder"), ("/made-at-root", "root")]
    {
        cluster.run(&[&args[..], &[folder]].concat()).exits(1).complains(&[why, "--results-folder"]);
    }
    assert_eq!(cluster.sandbox.ledger().count("create", "namespaces").received, 0);
    cluster.run(&[&args[..], &["results"]].concat()).exits(0);
    let run = cluster.home.path().join("results/1-disk");
    let folder = run.join(&names(&run)[0]);
    let files = names(&folder);
    assert!(files.contains(&"run.json".to_owned()) && files.contains(&"report.html".to_owned()), "{files:?}");
    let report = ["report", "--save-results"];
    cluster.run(&report).exits(0);
    assert_eq!(names(&folder), files, "the same run again");
    // Belongs to another run, or to an unknown one.
    let record = fs::read_to_string(folder.join("run.json")).unwrap();
    let other = record.replacen("\"run_id\": \"", "\"run_id\": \"other-", 1);
    for content in [other.as_str(), THEIRS] {
        fs::write(folder.join("run.json"), content).unwrap();
        cluster.run(&report).exits(1).complains(&[
            "run.json cannot be saved",
            "--results-folder",
            "the record is safe",
        ]);
        assert_eq!(fs::read_to_string(folder.join("run.json")).unwrap(), content);
    }
    fs::remove_file(folder.join("run.json")).unwrap();
    fs::write(folder.join("report.html"), THEIRS).unwrap();
    cluster.run(&report).exits(1).complains(&["cannot be saved"]);
    assert_eq!(fs::read_to_string(folder.join("report.html")).unwrap(), THEIRS);
    assert_eq!(fs::read_to_string(&theirs).unwrap(), THEIRS);
}

#[test]
fn a_script_of_somebody_else_beside_the_plugin_stays() {
    let home = home();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_kubectl-bootstorm"), bin.join("kubectl-bootstorm")).unwrap();
    let program = Program::new(home.path()).env("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    let install = ["completion", "kubectl", "--install"];
    let script = bin.join("kubectl_complete-bootstorm");
    for _ in 0..2 {
        program.run(&install).exits(0);
    }
    assert_eq!(mode(&script), 0o755);
    fs::write(&script, THEIRS).unwrap();
    program.run(&install).exits(1).complains(&["this program did not write it"]);
    assert_eq!(fs::read_to_string(&script).unwrap(), THEIRS);
}

#[test]
fn files_have_the_rows_of_every_phase_though_tables_show_some_in_one_line() {
    let cluster = Cluster::instant();
    cluster.run(&["run", "--end", "2", "--repeat", "2", "-q"]).exits(0);
    let files =
        ["--output-file", "csv=run.csv", "--output-file", "json=run.json", "--output-file", "junit=run.xml"];
    cluster.run(&[&["report"], files.as_slice()].concat()).exits(0);
    let written = |name: &str| std::fs::read_to_string(cluster.home.path().join(name)).unwrap();
    assert_eq!(written("run.csv"), cluster.run(&["report", "-o", "csv"]).exits(0).stdout);
    assert_eq!(written("run.xml"), cluster.run(&["report", "-o", "junit"]).exits(0).stdout);
    cluster.run(&["report", "--from", "run.json", "-o", "name"]).exits(0);
}
