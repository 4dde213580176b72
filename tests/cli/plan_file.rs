//! Plan files: written by a dry run, read by `run` and `setup`, with a field for every flag.

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran};

fn write(cluster: &Cluster, name: &str, text: &str) {
    let path = cluster.home.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn plan(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: bootstorm.dev/v1\nkind: Plan\nspec:\n{spec}")
}

fn refused(ran: Ran, words: &[&str]) {
    let ran = ran.exits(2).complains(&["plan.yaml cannot be used"]).complains(words);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}

#[test]
fn what_a_dry_run_writes_does_the_same_again() {
    let cluster = Cluster::instant();
    let flags = [
        "--end",
        "4",
        "--vms-per-namespace",
        "2",
        "--single-node",
        "--vm-name",
        "db-{i}",
        "--probe",
        "none",
        "--wave",
        "2/ready",
    ];
    let written = cluster.run(&[&["run", "--dry-run", "-o", "yaml"][..], &flags].concat()).exits(0);
    assert!(cluster.sandbox.store().list(&kind::CONFIG_MAPS, None).0.is_empty(), "a dry run changes nothing");
    write(&cluster, "plan.yaml", &written.stdout);
    // It matches its schema.
    let schema: Value = serde_json::from_str(include_str!("../../docs/plan-schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema.into()).unwrap();
    let document = cluster.run(&[&["run", "--dry-run", "-o", "json"][..], &flags].concat()).exits(0).json();
    let faults: Vec<String> =
        validator.iter_errors(&document.clone().into()).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, [""; 0]);
    assert_eq!(document["spec"]["wave"], "2/ready");
    let again = cluster.run(&["run", "-f", "plan.yaml", "-o", "json"]).exits(0).json();
    assert_eq!(again["plan"]["vms"], 4);
    assert_eq!(again["phases"][0]["rows"][3]["name"], "db-4");
    assert_eq!(again["phases"][2]["waves"].as_array().unwrap().len(), 2);
    // The dry run chose the node; it is not drawn again.
    let seed = again["plan"]["pinning"]["choice"]["seed"].as_u64().unwrap();
    assert!(written.stdout.contains(&format!("  single-node: {seed}\n")), "{}", written.stdout);
    // Setup takes its part of the same plan.
    cluster
        .run(&["setup", "-f", "plan.yaml", "--ns-prefix", "b"])
        .exits(0)
        .prints(&["VMs         4 named db-{i}"]);
}

#[test]
fn a_flag_wins_over_the_plan_and_the_plan_over_variables() {
    let cluster = Cluster::instant();
    write(&cluster, "plan.yaml", &plan("end: 3\nprobe: none\ncpu: 2\nns-prefix: planned\nno-storm: true\n"));
    let program = cluster.program().env("BOOTSTORM_END", "9").env("BOOTSTORM_NS_PREFIX", "other");
    let report = program.run(&["run", "-f", "plan.yaml", "-o", "json"]).exits(0).json();
    assert_eq!((&report["run"]["name"], &report["plan"]["vms"]), (&json!("planned"), &json!(3)));
    let args = [
        "run",
        "-f",
        "plan.yaml",
        "-o",
        "json",
        "--ns-prefix",
        "typed",
        "--end",
        "2",
        "--instancetype",
        "u1.small",
    ];
    let report = program.run(&args).exits(0).json();
    assert_eq!((&report["run"]["name"], &report["plan"]["vms"]), (&json!("typed"), &json!(2)));
    // A typed flag overrides a contradicting value.
    assert_eq!(report["plan"]["overrides"], json!({"instancetype": "u1.small"}));
    program
        .run(&["run", "-f", "plan.yaml", "--show-config"])
        .exits(0)
        .prints(&["plan.yaml:4", "--ns-prefix"]);
}

#[test]
fn a_plan_may_name_a_manifest_beside_it() {
    let cluster = Cluster::instant();
    let vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": {"template": {"spec": {
        "domain": {"memory": {"guest": "512Mi"}, "devices": {}}}}}});
    write(&cluster, "plans/vm.yaml", &vm.to_string());
    write(&cluster, "plans/plan.yaml", &plan("end: 1\nprobe: none\nfilename: vm.yaml\n"));
    let ran = cluster.run(&["setup", "-f", "plans/plan.yaml"]).exits(0);
    ran.prints(&["VMs         1 named boot-storm-vm, from vm.yaml"]);
    write(&cluster, "plans/plan.yaml", &plan("end: 1\nfilename: missing.yaml\n"));
    cluster
        .run(&["setup", "-f", "plans/plan.yaml"])
        .exits(1)
        .complains(&["plans/missing.yaml cannot be read"]);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let cluster = Cluster::instant();
    let run = |text: &str| {
        write(&cluster, "plan.yaml", text);
        cluster.run(&["run", "-f", "plan.yaml"])
    };
    refused(
        run(&plan("end: 3\nennd: 4\n")),
        &["line 5: there is no field \"ennd\"", "kubectl bootstorm run --dry-run -o yaml"],
    );
    refused(run(&plan("dry-run: client\n")), &["there is no field \"dry-run\""]);
    refused(run(&plan("adopt: true\n")), &["line 4: adopt is for setup"]);
    refused(
        run("apiVersion: bootstorm.dev/v9\nkind: Plan\n"),
        &["line 1: this program reads bootstorm.dev/v1"],
    );
    refused(
        run("apiVersion: bootstorm.dev/v1\nkind: Plan\nend: 3\n"),
        &["line 3: there is no field \"end\""],
    );
    refused(run("kind: Plan\nspec: [1, 2\n"), &["line 2, column 7"]);
    run(&plan("end: many\n")).exits(2).complains(&["'many' for '--end", "--end was set by plan.yaml:4"]);
    run(&plan("cleanup: maybe\n"))
        .exits(2)
        .complains(&["--cleanup in plan.yaml:4", "it must be true or false"]);
    run(&plan("wave: 5/1s\nrate: 5/s\n")).exits(2).complains(&["cannot be used with", "set by plan.yaml:"]);
    // A file that is no plan is still read as a manifest.
    run("kind: Pod\napiVersion: v1\n")
        .exits(1)
        .complains(&["plan.yaml is not a usable VM manifest", "kind `Pod`"]);
}

#[test]
fn adopting_is_a_matter_of_setup() {
    let cluster = Cluster::instant();
    cluster.sandbox.store().create(&kind::NAMESPACES, json!({"metadata": {"name": "shop"}})).unwrap();
    write(
        &cluster,
        "plan.yaml",
        &plan("adopt: true\nselector: tier=web\nadopt-namespace: [shop]\nyes: true\n"),
    );
    cluster.run(&["setup", "-f", "plan.yaml"]).exits(1).complains(&["tier=web"]);
}

#[test]
fn the_schema_is_that_of_this_version() {
    let written = include_str!("../../docs/plan-schema.json");
    let now = Cluster::instant().run(&["__generate", "plan-schema"]).exits(0).stdout;
    assert_eq!(written, now, "write it again: cargo run -- __generate plan-schema > docs/plan-schema.json");
}
