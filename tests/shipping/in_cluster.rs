//! Running inside the cluster: the roles suffice, and are no wider than needed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bootstorm::commands::generate::role;
use bootstorm_engine::phases::cleanup::OTHERS;
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::Value;

use super::{find, repository, text};
use crate::support::{Cluster, Program, Ran};

/// Where a pod finds its service account.
const ACCOUNT: &str = "/run/secrets/kubernetes.io/serviceaccount";

#[test]
fn the_roles_are_those_that_the_preflight_asks_for() {
    let kept = text("examples/in-cluster/rbac.yaml");
    assert!(kept.contains(&role::manifests()), "write them again: kubectl-bootstorm __generate role\n{kept}");
}

fn kubectl(path: &Path, cluster: &Cluster, args: &[&str]) -> Ran {
    let child = Command::new(path)
        .args(args)
        .env_clear()
        .env("HOME", cluster.home.path())
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Ran::of(child)
}

/// A cluster with the service account, and a token for it.
fn prepared(path: &Path) -> (Cluster, String) {
    let cluster = Cluster::instant();
    let manifest = repository("examples/in-cluster/rbac.yaml").to_string_lossy().into_owned();
    kubectl(path, &cluster, &["apply", "-f", &manifest]).exits(0).prints(&[
        "namespace/bootstorm created",
        "serviceaccount/bootstorm created",
        "clusterrole.rbac.authorization.k8s.io/bootstorm created",
        "rolebinding.rbac.authorization.k8s.io/bootstorm created",
    ]);
    let token = kubectl(path, &cluster, &["create", "token", "bootstorm", "-n", "bootstorm"]).exits(0);
    (cluster, token.stdout.trim().to_owned())
}

/// The server's address and CA, from the sandbox's kubeconfig.
fn server(cluster: &Cluster) -> (String, Vec<u8>) {
    let kubeconfig: Value =
        serde_saphyr::from_str(&fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
    let server = &kubeconfig["clusters"][0]["cluster"];
    let ca = BASE64_STANDARD.decode(server["certificate-authority-data"].as_str().unwrap()).unwrap();
    (server["server"].as_str().unwrap().to_owned(), ca)
}

/// The program with a kubeconfig that contains the token.
fn as_account(cluster: &Cluster, token: &str) -> Program {
    let mut kubeconfig: Value =
        serde_saphyr::from_str(&fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
    kubeconfig["users"][0]["user"] = bootstorm_sandbox::value::json!({ "token": token });
    kubeconfig["contexts"][0]["context"]["namespace"] = "bootstorm".into();
    let path = cluster.home.path().join("account");
    fs::write(&path, kubeconfig.to_string()).unwrap();
    Program::new(cluster.home.path()).env("KUBECONFIG", &path.to_string_lossy())
}

/// A verb and a resource
type Permission = (String, String);

/// Permissions that requests needed, according to the server's ledger.
fn asked(cluster: &Cluster) -> BTreeSet<Permission> {
    let ledger = cluster.sandbox.ledger().json();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    ledger["totals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(one, "verb"), text(one, "resource")))
        .collect()
}

/// Permissions that the roles grant.
fn allowed() -> BTreeSet<Permission> {
    let mut allowed = BTreeSet::new();
    for role in role::manifests().split("---\n") {
        let role: Value = serde_saphyr::from_str(role).unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let words = |field: &str| {
                let words = rule[field].as_array().unwrap().iter();
                words.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            let resources = words("resources");
            let pairs = |verb: String| resources.iter().map(move |resource| (verb.clone(), resource.clone()));
            allowed.extend(words("verbs").into_iter().flat_map(pairs));
        }
    }
    allowed
}

/// Whether a permission is for cases that cannot occur here; each with its reason.
fn is_for_others((verb, resource): &Permission) -> bool {
    // Foreign objects in the run's namespaces, of kinds that the simulated cluster does not have.
    let is_unknown = OTHERS.iter().any(|other| other.plural == resource)
        && kind::all().iter().all(|kind| kind.plural != resource);
    is_unknown
        || match (verb.as_str(), resource.as_str()) {
            // After a lost response, or after 15 s.
            ("get", "namespaces" | "virtualmachineinstancemigrations") | ("update", "leases" | "secrets") => {
                true
            }
            // If a disk is not ready within a phase's time limit.
            ("get", "datavolumes") => true,
            // A server may require it in addition to the request's verb; access reviews for others are no objects.
            ("create", "pods/exec" | "subjectaccessreviews") => true,
            _ => false,
        }
}

#[test]
fn with_these_roles_alone_everything_can_be_done() {
    let Some(path) = find("kubectl") else { return };
    let (cluster, token) = prepared(&path);
    cluster.sandbox.ledger().clear();
    let program = as_account(&cluster, &token);
    // From golden images, so that everything readable is read.
    let ran = program.run(&["run", "--end", "3", "--save-results"]).exits(0);
    ran.prints(&["Successful:             3", "Verdict:"]).complains(&["permissions complete"]);
    let ran = program.run(&["storm", "--via", "subresource"]).exits(1);
    ran.complains(&["stop"]);
    program.run(&["stop", "--via", "subresource"]).exits(0);
    program.run(&["storm", "--via", "subresource"]).exits(0).prints(&["storm-2"]);
    program.run(&["storm", "--kind", "restart"]).exits(0).prints(&["storm-3"]);
    program.run(&["storm", "--kind", "migrate"]).exits(0).prints(&["storm-4"]);
    program.run(&["status"]).exits(0);
    let ran = program.run(&["cleanup", "--yes"]).exits(0);
    assert!(!ran.stderr.contains("forbidden"), "{}", ran.stderr);
    // With a user's manifest, which is kept in a Secret.
    let manifest = repository("examples").join("fedora-vm.yaml");
    program.run(&["run", "--end", "2", "-f", &manifest.to_string_lossy(), "--cleanup", "--yes"]).exits(0);
    // Every reference a run can be given, with names that do not exist: each is read, and existing ones are listed.
    let images = "openshift-virtualization-os-images";
    let disk = ["--source", "containerdisk:x/y:1"];
    let net = fs::read_to_string(&manifest).unwrap();
    let net = net.replace("pod: {}", "multus: {networkName: default/none}");
    fs::write(cluster.home.path().join("net.yaml"), net).unwrap();
    let pvc = format!("pvc:{images}/none");
    let source = format!("datasource:{images}/none");
    let snapshot = format!("snapshot:{images}/none");
    let none: [&[&str]; 7] = [
        &["--source", &pvc],
        &["--source", &source],
        &["--source", &snapshot],
        &[&disk[..], &["--instancetype", "none"]].concat(),
        &[&disk[..], &["--preference", "none"]].concat(),
        &["--storage-class", "none"],
        &["-f", "net.yaml"],
    ];
    for args in none {
        program.run(&[&["setup", "--ns-prefix", "none", "--end", "1"], args].concat()).exits(5);
    }
    let (asked, allowed) = (asked(&cluster), allowed());
    assert_eq!(
        asked.difference(&allowed).collect::<Vec<_>>(),
        Vec::<&Permission>::new(),
        "asked, not allowed"
    );
    let unused: Vec<&Permission> = allowed.difference(&asked).filter(|one| !is_for_others(one)).collect();
    assert_eq!(unused, Vec::<&Permission>::new(), "allowed, never asked");
    let left = kubectl(&path, &cluster, &["get", "ns,cm,secret,lease,pod", "-A", "-o", "name"]).exits(0);
    assert!(!left.stdout.contains("boot-storm-test"), "{}", left.stdout);
}

#[test]
fn nothing_of_what_is_looked_at_is_left_out_for_want_of_a_permission() {
    let Some(path) = find("kubectl") else { return };
    let (cluster, token) = prepared(&path);
    let log = cluster.home.path().join("log");
    let args = ["run", "--end", "2", "--cleanup", "--yes", "--log-level", "debug", "--log-file"];
    let ran = as_account(&cluster, &token).run(&[&args[..], &[&log.to_string_lossy()]].concat()).exits(0);
    // Looking for records everywhere would mean reading everyone's ConfigMaps.
    let unread: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("you cannot")).collect();
    assert_eq!(unread, ["preflight: records elsewhere are not checked: you cannot list records"]);
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("started") && !log.contains("forbidden"), "{log}");
}

#[test]
fn the_roles_hold_for_the_account() {
    let Some(path) = find("kubectl") else { return };
    let (cluster, token) = prepared(&path);
    let token = format!("--token={token}");
    // Without the kubeconfig's own user, or its token would be used.
    let (url, ca) = server(&cluster);
    let file = cluster.home.path().join("ca.crt");
    fs::write(&file, ca).unwrap();
    let (url, ca) = (format!("--server={url}"), format!("--certificate-authority={}", file.display()));
    let ask = |args: &[&str]| {
        let all = [&["--kubeconfig=/dev/null", &token, &url, &ca], args].concat();
        kubectl(&path, &cluster, &all)
    };
    ask(&["get", "nodes"]).exits(0);
    ask(&["get", "secrets", "-n", "bootstorm"]).exits(0);
    ask(&["get", "secrets", "-n", "default"])
        .exits(1)
        .complains(&["User \"system:serviceaccount:bootstorm:bootstorm\" cannot list resource \"secrets\""]);
    ask(&["delete", "node", "node-1"]).exits(1).complains(&["cannot delete resource \"nodes\""]);
    assert_eq!(ask(&["auth", "can-i", "create", "vm"]).stdout.trim(), "yes");
    assert_eq!(ask(&["auth", "can-i", "delete", "nodes"]).stdout.trim(), "no");
}

#[test]
fn a_missing_permission_is_told_before_anything_is_made() {
    let Some(path) = find("kubectl") else { return };
    let (cluster, token) = prepared(&path);
    kubectl(&path, &cluster, &["delete", "clusterrolebinding", "bootstorm"]).exits(0);
    let ran = as_account(&cluster, &token).run(&["setup", "--end", "2", "--source", "blank"]).exits(5);
    ran.complains(&["permissions are missing", "create namespaces in all namespaces"]);
}

#[test]
fn a_pod_needs_no_kubeconfig() {
    let (Some(path), Some(unshare)) = (find("kubectl"), find("unshare")) else { return };
    let (cluster, token) = prepared(&path);
    let (url, ca) = server(&cluster);
    let account = cluster.home.path().join("account.d");
    fs::create_dir(&account).unwrap();
    fs::write(account.join("token"), token).unwrap();
    fs::write(account.join("ca.crt"), ca).unwrap();
    fs::write(account.join("namespace"), "bootstorm").unwrap();
    // As in a pod: the account at a fixed path, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p {ACCOUNT} && cp {}/* {ACCOUNT}/ && exec \"$@\"",
        account.display()
    );
    let program = Program::new(cluster.home.path()).command(&[
        "run",
        "--end",
        "2",
        "--source",
        "blank",
        "--cleanup",
        "--yes",
    ]);
    let (host, port) = url.trim_start_matches("https://").rsplit_once(':').unwrap();
    let child = Command::new(unshare)
        .args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .current_dir(cluster.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ran = Ran::of(child);
    if ran.stderr.contains("unshare") || ran.stderr.contains("mount:") {
        super::skipped(&format!("no namespace for mounts: {}", ran.stderr.trim()));
        return;
    }
    ran.exits(0).prints(&["Verdict:"]);
}
