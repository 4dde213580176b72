//! Completion: the scripts in the repository, and the answers to kubectl while the user types.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bootstorm::commands::completion::{scripts, shim};
use bootstorm_model::observe::clock::monotonic_now;

use super::{find, text};
use crate::support::{Cluster, Program};

#[test]
fn the_shims_in_the_repository_are_those_that_the_program_writes() {
    assert_eq!(text("completions/kubectl_complete-bootstorm"), shim::POSIX);
    assert_eq!(text("completions/kubectl_complete-bootstorm.cmd"), shim::WINDOWS);
}

#[test]
fn the_scripts_are_printed() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::new(home.path());
    for (shell, _) in scripts::FILES {
        let printed = program.run(&["completion", &shell.to_string()]).exits(0).stdout;
        assert!(printed == scripts::script(shell), "{shell}");
    }
    assert_eq!(program.run(&["completion", "kubectl"]).exits(0).stdout, shim::TEXT);
}

/// The scripts as released, in their own folder.
fn written_scripts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (shell, name) in scripts::FILES {
        fs::write(folder.path().join(name), scripts::script(shell)).unwrap();
    }
    folder
}

#[test]
fn shells_understand_the_scripts() {
    let folder = written_scripts();
    for (shell, flag, name) in [
        ("bash", "-n", "kubectl-bootstorm.bash"),
        ("zsh", "-n", "_kubectl-bootstorm"),
        ("fish", "-n", "kubectl-bootstorm.fish"),
    ] {
        let Some(path) = find(shell) else { continue };
        let output = Command::new(path).arg(flag).arg(folder.path().join(name)).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

#[test]
fn bash_completes_the_bare_binary() {
    let Some(bash) = find("bash") else { return };
    let folder = written_scripts();
    let complete = |words: &[&str]| {
        let (last, before) = words.split_last().unwrap();
        let script = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={}; _kubectl__bootstorm kubectl-bootstorm '{last}' {}; echo \"${{COMPREPLY[@]}}\"",
            folder.path().join("kubectl-bootstorm.bash").display(),
            words.join(" "),
            before.len(),
            before.last().unwrap()
        );
        let output = Command::new(&bash).args(["--norc", "-c", &script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete(&["kubectl-bootstorm", "sto"]), "stop storm");
    assert_eq!(complete(&["kubectl-bootstorm", "storm", "--ki"]), "--kind");
    assert_eq!(complete(&["kubectl-bootstorm", "storm", "--kind", "mig"]), "migrate");
    assert_eq!(complete(&["kubectl-bootstorm", "completion", "ba"]), "bash");
}

/// A folder with the plugin and the script next to it, as `completion kubectl --install` leaves them.
struct Plugin {
    folder: tempfile::TempDir,
}

impl Plugin {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("kubectl-bootstorm");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-bootstorm"), link).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.folder.path().display())
    }

    fn install(&self) {
        let home = tempfile::tempdir().unwrap();
        let ran =
            Program::new(home.path()).env("PATH", &self.path()).run(&["completion", "kubectl", "--install"]);
        ran.exits(0).complains(&["kubectl_complete-bootstorm: written"]);
    }

    fn ask(&self, kubectl: &Path, kubeconfig: &Path, words: &[&str]) -> Output {
        Command::new(kubectl)
            .args(["__complete", "bootstorm"])
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", kubeconfig)
            .env("PATH", self.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// The values before the tabs, without the last line, which is kubectl's directive.
fn values(output: &Output) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let lines = stdout.lines().filter(|line| !line.starts_with(':'));
    lines.map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn kubectl_completes_commands_flags_and_values() {
    let Some(kubectl) = find("kubectl") else { return };
    let plugin = Plugin::new();
    plugin.install();
    let nowhere = Path::new("/nonexistent");
    let ask = |words: &[&str]| values(&plugin.ask(&kubectl, nowhere, words));
    assert_eq!(ask(&["sto"]), ["stop", "storm"]);
    assert!(ask(&[""]).contains(&"sandbox".to_owned()));
    assert_eq!(ask(&["run", "--no-st"]), ["--no-storm"]);
    assert_eq!(ask(&["report", "-o", "m"]), ["markdown"]);
    assert_eq!(ask(&["setup", "--access-mode", "ReadWriteO"]), ["ReadWriteOnce", "ReadWriteOncePod"]);
    assert_eq!(ask(&["completion", "z"]), ["zsh"]);
    fs::write(plugin.folder.path().join("vm.yaml"), "").unwrap();
    assert_eq!(ask(&["setup", "-f", "vm"]), ["vm.yaml"]);
    let described = plugin.ask(&kubectl, nowhere, &["stat"]);
    assert!(
        String::from_utf8_lossy(&described.stdout).starts_with("status\tShow the state of runs"),
        "{described:?}"
    );
}

#[test]
fn kubectl_completes_what_is_in_the_cluster() {
    let Some(kubectl) = find("kubectl") else { return };
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--ns-prefix", "friday"]).exits(0);
    cluster.run(&["setup", "--end", "2", "--ns-prefix", "monday"]).exits(0);
    let plugin = Plugin::new();
    plugin.install();
    let ask = |words: &[&str]| values(&plugin.ask(&kubectl, &cluster.kubeconfig(), words));
    assert_eq!(ask(&["storm", "--ns-prefix", ""]), ["friday", "monday"]);
    assert_eq!(ask(&["storm", "--ns-prefix=fr"]), ["--ns-prefix=friday"]);
    assert_eq!(ask(&["compare", "friday", "mo"]), ["monday"]);
    assert_eq!(ask(&["status", "-n", "friday"]), ["friday-1", "friday-2"]);
    assert_eq!(ask(&["run", "--context", ""]), ["bootstorm-sandbox"]);
    assert_eq!(ask(&["run", "--storage-class", "s"]), ["snapshots", "standard"]);
    assert_eq!(ask(&["run", "--instancetype", "u1.n"]), ["u1.nano"]);
    assert_eq!(
        ask(&["setup", "--source", "datasource:"]),
        [
            "datasource:openshift-virtualization-os-images/fedora",
            "datasource:openshift-virtualization-os-images/rhel9"
        ]
    );
    // The words typed so far select the cluster.
    let elsewhere = cluster.home.path().join("elsewhere");
    fs::rename(cluster.kubeconfig(), &elsewhere).unwrap();
    let flag = format!("--kubeconfig={}", elsewhere.display());
    assert_eq!(ask(&[&flag, "storm", "--ns-prefix", "m"]), ["monday"]);
    assert_eq!(ask(&["storm", "--ns-prefix", "m"]), [""; 0]);
}

#[test]
fn a_cluster_that_does_not_answer_costs_two_seconds_and_no_words() {
    // It accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let home = tempfile::tempdir().unwrap();
    let kubeconfig = home.path().join("kubeconfig");
    let server = format!("https://{}", silent.local_addr().unwrap());
    fs::write(
        &kubeconfig,
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\ncontexts:\n- name: c\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{token: t}}\ncurrent-context: c\n"
        ),
    )
    .unwrap();
    let program = Program::new(home.path()).env("KUBECONFIG", &kubeconfig.to_string_lossy());
    let began: Instant = monotonic_now();
    let ran = program.run(&["__complete", "storm", "--ns-prefix", ""]).exits(0);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (":4\n", ""));
    // An exec plugin that hangs is no different.
    let text = fs::read_to_string(&kubeconfig).unwrap();
    let hangs = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['60'], interactiveMode: Never}}";
    fs::write(&kubeconfig, text.replace("{token: t}", hangs)).unwrap();
    let began = monotonic_now();
    let ran = program.run(&["__complete", "storm", "--ns-prefix", ""]).exits(0);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (":4\n", ""));
}

#[test]
fn without_the_plugin_on_the_path_there_is_no_place_for_the_script() {
    let home = tempfile::tempdir().unwrap();
    let ran = Program::new(home.path()).run(&["completion", "kubectl", "--install"]);
    ran.exits(1).complains(&["no kubectl-bootstorm on the PATH", "kubectl bootstorm completion kubectl"]);
    Program::new(home.path()).run(&["completion", "bash", "--install"]).exits(2);
}

#[test]
fn probes_are_completed_one_after_the_other_without_a_cluster() {
    let home = tempfile::tempdir().unwrap();
    let complete = |typed: &str| {
        let ran = Program::new(home.path()).run(&["__complete", "setup", "--probe", typed]).exits(0);
        let words = ran.stdout.lines().take_while(|line| !line.starts_with(':'));
        words.map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(complete("").len(), 7);
    assert_eq!(complete("s"), ["ssh"]);
    assert_eq!(
        complete("ssh,"),
        ["ping", "tcp:22", "http:80/", "agent", "cloud-init"].map(|probe| format!("ssh,{probe}"))
    );
    assert_eq!(complete("ssh,ping,c"), ["ssh,ping,cloud-init"]);
}
