//! Accuracy and cost of measuring a storm, against a sandbox in another process.
//!
//! `cargo bench --bench storm -- 1000` (default) or any other number of VMs; `--explain=false` after it measures
//! without the watches on launcher pods and events.

#[path = "../tests/timing/truth.rs"]
mod truth;

use truth::{Experiment, Kind, quantile};

#[expect(clippy::print_stdout, reason = "a bench reports to whoever started it")]
fn main() {
    let vms = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1000);
    let concurrency = vms.min(1000_usize).to_string();
    let explain = std::env::args().find(|arg| arg.starts_with("--explain="));
    let explain = explain.unwrap_or_else(|| "--explain=true".to_owned());
    let experiment = Experiment::run(vms, "default", &["--concurrency", &concurrency, &explain]);
    println!("{vms} VMs, default profile, sandbox in its own process\n");
    println!(
        "{:<10} {:<10} {:>10} {:>10} {:>10} {:>14} {:>14}",
        "phase", "moment", "p50 ms", "p99 ms", "max ms", "issue skew ms", "attempts/VM"
    );
    let cases = [
        ("create", Kind::Running),
        ("create", Kind::Reachable),
        ("stop-1", Kind::Gone),
        ("storm-1", Kind::Running),
        ("storm-1", Kind::Reachable),
    ];
    for (name, kind) in cases {
        let errors = experiment.errors(name, kind);
        let timelines = experiment.phase(name)["timelines"].as_array().cloned().unwrap_or_default();
        let requested: Vec<i64> =
            timelines.iter().filter_map(|t| t["moments"]["requested"]["at"].as_i64()).collect();
        let attempts: u64 = timelines.iter().filter_map(|t| t["attempts"].as_u64()).sum();
        let skew = requested.iter().max().unwrap_or(&0) - requested.iter().min().unwrap_or(&0);
        println!(
            "{name:<10} {:<10} {:>10.2} {:>10.2} {:>10.2} {:>14.1} {:>14.3}",
            format!("{kind:?}"),
            quantile(&errors, 0.5),
            quantile(&errors, 0.99),
            quantile(&errors, 1.0),
            skew as f64 / 1000.0,
            attempts as f64 / timelines.len().max(1) as f64
        );
    }
}
