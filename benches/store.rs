//! Changes per second and memory use of the sandbox's store.

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::store::Store;
use bootstorm_sandbox::store::kind::{NAMESPACES, VIRTUAL_MACHINES};
use bootstorm_sandbox::value::json;

const MACHINES: usize = 10_000;
const ROUNDS: usize = 15;

#[expect(clippy::print_stdout, reason = "a bench reports to whoever started it")]
fn main() {
    let store = Store::new();
    let made = store.create(&NAMESPACES, json!({"metadata": {"name": "default"}}));
    assert!(made.is_ok(), "an empty store takes a namespace");
    let began = monotonic_now();
    for number in 0..MACHINES {
        let metadata = json!({"name": format!("vm{number}"), "namespace": "default"});
        let made =
            store.create(&VIRTUAL_MACHINES, json!({"metadata": metadata, "spec": {"runStrategy": "Halted"}}));
        assert!(made.is_ok(), "every name is new");
    }
    for round in 0..ROUNDS {
        for number in 0..MACHINES {
            store.modify(&VIRTUAL_MACHINES, "default", &format!("vm{number}"), |vm| {
                vm["status"] = json!({"round": round});
            });
        }
    }
    let changes = (MACHINES * (ROUNDS + 1)) as f64;
    println!("{:.0} changes a second", changes / began.elapsed().as_secs_f64());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(memory) = status.lines().find(|line| line.starts_with("VmRSS")) {
        println!("{memory}");
    }
}
