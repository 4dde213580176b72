//! The preflight asks for exactly the permissions that a run of that kind uses.

use std::collections::BTreeSet;

use bootstorm_engine::phases::preflight::permissions;
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use crate::support::{Cluster, until};

/// A verb and a resource
type Pair = (String, String);

/// Commands, in order
type Session = &'static [&'static [&'static str]];

/// Object requests that reached the server.
fn used(cluster: &Cluster) -> BTreeSet<Pair> {
    let ledger = cluster.sandbox.ledger().json();
    let text = |word: &bootstorm_sandbox::value::Value| word.as_str().unwrap().to_owned();
    let totals = ledger["totals"].as_array().unwrap();
    totals.iter().map(|one| (text(&one["verb"]), text(&one["resource"]))).collect()
}

/// Reads that a run can do without, reporting what it did not check.
fn optional() -> BTreeSet<Pair> {
    let all = permissions::of_checks().into_iter().chain(permissions::of_cleanup());
    let all = all.map(|one| (one.verb.to_owned(), one.resource.to_owned()));
    // A run without a manifest in a Secret still checks for one; a run in a user's namespace checks that it exists.
    let more = [("get", "secrets"), ("list", "secrets"), ("get", "namespaces")];
    all.chain(more.map(|(verb, resource)| (verb.to_owned(), resource.to_owned()))).collect()
}

/// Permissions that a run needs only after a lost response, after 15 s, or with another server version.
fn is_for_trouble((verb, resource): &Pair) -> bool {
    matches!(
        (verb.as_str(), resource.as_str()),
        ("get", "namespaces" | "virtualmachines" | "virtualmachineinstancemigrations")
            | ("update", "leases" | "secrets")
            | ("create", "pods/exec")
    )
}

fn vm(cluster: &Cluster, name: &str, strategy: &str) {
    let store = cluster.sandbox.store();
    let spec = json!({"runStrategy": strategy, "template": {"spec": {
        "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
        "networks": [{"name": "default", "pod": {}}]}}});
    let metadata = json!({"name": name, "namespace": "shop", "labels": {"tier": "web"}});
    store.create(&kind::VIRTUAL_MACHINES, json!({"metadata": metadata, "spec": spec})).unwrap();
    if strategy == "Manual" {
        let has_status = || {
            let vm = store.get(&kind::VIRTUAL_MACHINES, "shop", name).unwrap();
            vm.value()["status"]["printableStatus"].is_string()
        };
        until(has_status);
        let start = json!([{"action": "Start"}]);
        store.modify(&kind::VIRTUAL_MACHINES, "shop", name, |vm| vm["status"]["stateChangeRequests"] = start);
    }
    let ready = || {
        let instance = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name);
        instance.is_some_and(|instance| instance.value()["status"]["phase"] == "Running")
    };
    until(ready);
}

#[test]
fn the_preflight_asks_for_what_each_kind_of_run_uses() {
    let make = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {template: {spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}\n";
    let adopt: Session = &[
        &["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"],
        &["stop"],
        &["storm"],
    ];
    let kinds: &[(&str, Session)] = &[
        ("namespaces of its own", &[&["run", "--end", "2"]]),
        ("no probers", &[&["run", "--end", "2", "--probe", "none"]]),
        ("agents only", &[&["run", "--end", "2", "--probe", "agent"]]),
        ("one namespace that is there", &[&["run", "--end", "2", "--vm-namespace", "shop"]]),
        ("by subresource", &[&["run", "--end", "2", "--via", "subresource"]]),
        (
            "restarts",
            &[
                &["setup", "--end", "2", "--probe", "none"],
                &["create"],
                &["stop"],
                &["storm"],
                &["storm", "--kind", "restart"],
            ],
        ),
        (
            "migrations",
            &[
                &["setup", "--end", "2", "--probe", "none"],
                &["create"],
                &["storm", "--kind", "migrate"],
                &["stop"],
                &["storm"],
            ],
        ),
        (
            "drains",
            &[
                &["setup", "--end", "3", "--probe", "none"],
                &["create"],
                &["storm", "--drain", "node-2"],
                &["stop"],
                &["storm"],
            ],
        ),
        ("a manifest of the user's", &[&["run", "--end", "2", "-f", "vm.yaml"]]),
        ("objects that are copied", &[&["run", "--end", "2", "-f", "named.yaml", "--copy-from", "shop"]]),
        ("objects beside the VM", &[&["run", "--end", "2", "-f", "beside.yaml"]]),
        (
            "objects beside the VM in one namespace",
            &[&["run", "--end", "2", "-f", "beside.yaml", "--vm-namespace", "shop"]],
        ),
        ("VMs that exist, by patch", adopt),
        ("VMs that exist, by subresource", adopt),
    ];
    let mut wrong = Vec::new();
    for (what, session) in kinds {
        let cluster = Cluster::instant();
        std::fs::write(cluster.home.path().join("vm.yaml"), make).unwrap();
        let named =
            make.replace("devices: {}}", "devices: {}}, volumes: [{name: c, configMap: {name: settings}}]");
        let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n";
        std::fs::write(cluster.home.path().join("beside.yaml"), format!("{named}---\n{settings}")).unwrap();
        std::fs::write(cluster.home.path().join("named.yaml"), named).unwrap();
        let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.sandbox.store().create(&kind::NAMESPACES, shop).unwrap();
        if *what == "objects that are copied" {
            let settings = json!({"metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "b"}});
            cluster.sandbox.store().create(&kind::CONFIG_MAPS, settings).unwrap();
        }
        match *what {
            "VMs that exist, by patch" => vm(&cluster, "web-1", "Always"),
            "VMs that exist, by subresource" => vm(&cluster, "web-1", "Manual"),
            _ => {}
        }
        for args in session.iter().copied().chain([["cleanup", "--yes"].as_slice()]) {
            cluster.run(args).exits(0);
        }
        // Launcher pods and instances go with their VMs; only prober pods are deleted.
        let deletes = |resource| cluster.sandbox.ledger().count("delete", resource).received;
        assert!(deletes("pods") <= 1 && deletes("virtualmachineinstances") == 0, "{what}");
        let (used, optional) = (used(&cluster), optional());
        let asked: BTreeSet<Pair> = cluster.sandbox.ledger().reviewed().into_iter().collect();
        assert!(!asked.is_empty(), "{what}: the preflight asked for nothing");
        for one in used.difference(&asked).filter(|one| !optional.contains(one)) {
            wrong.push(format!("{what}: {one:?} is used, not asked for"));
        }
        // How VMs will be started and stopped is not known before the first stop; only a note depends on it.
        let is_later = |one: &Pair| {
            one.1.starts_with("virtualmachines/") && !what.contains("subresource")
                || one.1 == "virtualmachineinstancemigrations" && *what != "migrations"
                || (one.0.as_str(), one.1.as_str()) == ("get", "virtualmachineinstances")
        };
        for one in asked.difference(&used).filter(|one| !is_for_trouble(one) && !is_later(one)) {
            wrong.push(format!("{what}: {one:?} is asked for, not used"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
