//! Passwords in a manifest and tokens in a kubeconfig: nowhere but where they belong.

use std::path::{Path, PathBuf};

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use crate::support::{Cluster, Ran};

/// Part of every secret of these tests, and of nothing else.
const MARKER: &str = "hunter2-MARKER";

const TEMPLATE: &str = r#"apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"password":"hunter2-MARKER"}'
spec:
  template:
    metadata:
      annotations: {kubevirt.io/ignitiondata: '{"passwordHash":"hunter2-MARKER"}'}
    spec:
      domain: {memory: {guest: 256Mi}, devices: {disks: [{name: init, disk: {}}, {name: answers, disk: {}}]}}
      accessCredentials:
      - userPassword: {source: {secret: {secretName: kept-name}}, propagationMethod: {qemuGuestAgent: {}}}
      volumes:
      - name: init
        cloudInitNoCloud:
          userData: |
            #cloud-config
            password: hunter2-MARKER
            chpasswd: {expire: false}
            ssh_authorized_keys: ["ssh-ed25519 hunter2-MARKER"]
          networkData: "password: hunter2-MARKER"
      - name: answers
        sysprep: {secret: {name: kept-name}}
"#;

#[track_caller]
fn silent(ran: Ran) -> Ran {
    for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        assert!(!text.contains(MARKER) && !text.contains("aHVudGVyMi1NQVJLRV"), "{what}:\n{text}");
    }
    ran
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Names of files below the home folder that contain the marker.
fn files_with_marker(cluster: &Cluster) -> Vec<String> {
    let mut all = Vec::new();
    files(cluster.home.path(), &mut all);
    all.retain(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(MARKER));
    let mut names: Vec<String> =
        all.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Kinds of stored objects that contain the marker, in plain text or base64.
fn kinds_with_marker(cluster: &Cluster) -> Vec<&'static str> {
    let holds = |text: &str| {
        text.contains(MARKER)
            || ["aHVudGVyMi1NQVJLRV", "h1bnRlcjItTUFSS0VS", "odW50ZXIyLU1BUktFU"]
                .iter()
                .any(|b| text.contains(b))
    };
    let store = cluster.sandbox.store();
    let kinds = kind::all()
        .iter()
        .filter(|kind| store.list(kind, None).0.iter().any(|o| holds(&o.value().to_string())));
    kinds.map(|kind| kind.plural).collect()
}

/// The Secret that the manifest refers to.
fn keep_name(cluster: &Cluster) {
    let secret = json!({"metadata": {"name": "kept-name", "namespace": "default"}, "data": {"a": "Zm9v"}});
    cluster.sandbox.store().create(&kind::SECRETS, secret).unwrap();
}

#[test]
fn a_password_in_the_manifest_is_in_the_secret_and_in_the_vms_only() {
    let cluster = Cluster::instant();
    std::fs::write(cluster.home.path().join("vm.yaml"), TEMPLATE).unwrap();
    let everything = [
        "--log-level",
        "trace,hyper=trace,kube=trace,tower=trace,rustls=trace,tungstenite=trace,h2=trace",
        "--log-file",
        "log",
    ];
    let run = |args: &[&str]| silent(cluster.run(&[args, &everything].concat()));
    keep_name(&cluster);
    let setup = ["setup", "--end", "2", "-f", "vm.yaml", "--copy-from", "default"];
    for format in ["table", "json", "yaml"] {
        run(&[&setup[..], &["--dry-run=client", "-o", format]].concat()).exits(0);
    }
    run(&[&setup[..], &["-o", "json"]].concat()).exits(0);
    for format in ["table", "json", "yaml"] {
        let shown = run(&["create", "--dry-run=client", "-o", format]).exits(0);
        if format != "table" {
            shown.prints(&["(redacted)", "kept-name", "256Mi"]);
        }
    }
    run(&["create", "-vvv"]).exits(0);
    run(&["stop"]).exits(0);
    run(&["storm", "--save-results"]).exits(0);
    for format in ["table", "wide", "json", "yaml", "name"] {
        run(&["report", "-o", format, "--save-results"]).exits(0);
        run(&["status", "-o", format]).exits(0);
    }
    assert!(std::fs::metadata(cluster.home.path().join("log")).unwrap().len() > 10_000, "it logged");
    assert_eq!(files_with_marker(&cluster), ["vm.yaml"]);
    let kinds = kinds_with_marker(&cluster);
    assert!(kinds.contains(&"secrets") && kinds.contains(&"virtualmachines"), "{kinds:?}");
    assert!(
        !kinds.contains(&"configmaps") && !kinds.contains(&"leases") && !kinds.contains(&"events"),
        "{kinds:?}"
    );
    let vm =
        cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm").unwrap();
    assert!(
        vm.value()["metadata"]
            .get("annotations")
            .is_none_or(|a| a.get("kubectl.kubernetes.io/last-applied-configuration").is_none())
    );
    run(&["cleanup", "--dry-run=client"]).exits(0);
    run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(kinds_with_marker(&cluster), Vec::<&str>::new());
}

#[test]
fn a_manifest_that_cannot_be_read_is_not_quoted() {
    let cluster = Cluster::instant();
    let head = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec:\n";
    for broken in [
        "  password: *hunter2-MARKER\n",
        "  password: hunter2-MARKER: x\n",
        "  password: 'hunter2-MARKER\n",
        "  password: \"hunter2-MARKER\\q\"\n",
        "  hunter2-MARKER: 1\n  hunter2-MARKER: 2\n",
        "  password: @hunter2-MARKER\n",
        "  password: !hunter2-MARKER!x y\n",
        "  a: [hunter2-MARKER\n",
        " hunter2-MARKER\n  x: -\n\thunter2-MARKER",
        "  template: hunter2-MARKER\n",
    ] {
        std::fs::write(cluster.home.path().join("vm.yaml"), format!("{head}{broken}")).unwrap();
        let ran = silent(cluster.run(&["setup", "-f", "vm.yaml", "-vvv"])).exits(1);
        ran.complains(&["vm.yaml is not a usable VM manifest"]);
    }
}

#[test]
fn a_server_that_quotes_the_manifest_is_not_quoted_further() {
    let cluster = Cluster::instant();
    // Admission quotes the name of a disk without a volume.
    let text = TEMPLATE.replace("{name: answers, disk", "{name: 'x password: hunter2-MARKER', disk");
    std::fs::write(cluster.home.path().join("vm.yaml"), text).unwrap();
    keep_name(&cluster);
    let setup = ["setup", "--end", "1", "-f", "vm.yaml", "--copy-from", "default"];
    silent(cluster.run(&setup)).exits(5).complains(&["(redacted)"]);
    silent(cluster.run(&[&setup[..], &["--skip-preflight"]].concat())).exits(0);
    let ran = silent(cluster.run(&["create", "-vvv"])).exits(3);
    ran.complains(&["Name 'x (redacted)' not found"]);
    assert!(!kinds_with_marker(&cluster).contains(&"configmaps"));
}

#[test]
fn tokens_and_keys_of_a_kubeconfig_are_not_shown() {
    let cluster = Cluster::instant();
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let token = text.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_owned();
    let with = |user: &str| {
        std::fs::write(cluster.kubeconfig(), text.replace(&format!("token: {token}"), user)).unwrap();
    };
    let plugin = |script: &str| {
        format!(
            "exec: {}",
            json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script], "interactiveMode": "Never"})
        )
    };
    let cases = [
        format!("token: {MARKER}"),
        format!("token: \"{MARKER}\\nx\""),
        format!("token: *{MARKER}"),
        format!("token: {{a: {MARKER}}}"),
        format!("token: [{MARKER}]"),
        format!("client-key-data: {MARKER}"),
        format!("username: [{MARKER}]"),
        plugin(&format!("echo {MARKER}")),
        plugin(&format!("echo '\"{MARKER}\"'")),
        plugin(&format!("echo '{{\"status\": \"{MARKER}\"}}'")),
        plugin(&format!("echo '{{\"status\": {{\"token\": [\"{MARKER}\"]}}}}'")),
        plugin(&format!(
            "echo '{{\"status\": {{\"token\": \"t\", \"expirationTimestamp\": \"{MARKER}\"}}}}'"
        )),
        plugin(&format!("echo {MARKER}; echo {MARKER} >&2; exit 3")),
        plugin(&format!("echo '{{\"status\": {{\"token\": \"{MARKER}\"}}}}'")),
    ];
    for user in cases {
        with(&user);
        let ran = silent(cluster.run(&[
            "status",
            "-A",
            "--log-level",
            "trace,kube=trace,hyper=trace",
            "--log-file",
            "log",
        ]));
        assert_eq!(ran.exits(1).code, 1, "{user}");
    }
    let log = std::fs::read_to_string(cluster.home.path().join("log")).unwrap();
    assert!(!log.contains(MARKER), "{log}");
    for (line, with) in [
        ("server: ", format!("server: https://user:{MARKER}@127.0.0.1:1")),
        ("server: ", format!("proxy-url: ftp://user:{MARKER}@127.0.0.1:1\n    server: https://127.0.0.1:1")),
    ] {
        let changed: Vec<String> = text
            .lines()
            .map(|l| if l.trim_start().starts_with(line) { format!("    {with}") } else { l.to_owned() })
            .collect();
        std::fs::write(cluster.kubeconfig(), changed.join("\n")).unwrap();
        silent(cluster.run(&["status", "-vvv"])).exits(1);
        silent(cluster.run(&["cleanup", "-vvv"])).exits(1);
    }
    std::fs::write(cluster.kubeconfig(), &text).unwrap();
    silent(cluster.run(&["status", "--server", &format!("https://u:{MARKER}@[")])).exits(2);
}
