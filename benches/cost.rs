//! The cost of the watches on launcher pods and events: streams, bytes and the client's CPU time, with and without.
//!
//! `cargo bench --bench cost -- 200` (default) or any other number of VMs. CPU time is read from `/proc`, so on Linux
//! only, and is exact to a hundredth of a second.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports to whoever started it")]

use std::process::{Command, Stdio};

use bootstorm_sandbox::{Options, Sandbox, profile};

/// Watched kinds.
const KINDS: [&str; 3] = ["virtualmachineinstances", "pods", "events"];

/// CPU time of reaped children, in hundredths of a second.
fn children() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field =
        |number: usize| fields.get(number).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    field(13) + field(14)
}

fn main() {
    let vms: u32 = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(200);
    println!("{vms} VMs, default profile at its own pace, figures per VM and phase\n");
    println!(
        "{:<8} {:<15} {:>8} {:>14} {:>10} {:>10} {:>12}",
        "phase", "", "streams", "instances KB", "pods KB", "events KB", "client ms"
    );
    for explain in ["--explain=true", "--explain=false"] {
        let home = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let options = Options {
            port: 0,
            nodes: Some((vms as usize / 60).max(3)),
            profile: profile("default").unwrap(),
            seed: 1,
            speed: 1.0,
            truth: None,
        };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let kubeconfig = home.path().join("kubeconfig");
        sandbox.write_kubeconfig(&kubeconfig).unwrap();
        let run = |args: &[&str]| {
            let status = Command::new(env!("CARGO_BIN_EXE_kubectl-bootstorm"))
                .args(args)
                .env_clear()
                .envs([("HOME", home.path()), ("KUBECONFIG", &kubeconfig)])
                .current_dir(home.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert!(status.unwrap().success(), "{args:?}");
        };
        let end = vms.to_string();
        run(&["setup", "--end", &end, "--source", "containerdisk:quay.io/containerdisks/fedora:41"]);
        for phase in ["create", "stop", "storm"] {
            let ledger = sandbox.ledger();
            ledger.clear();
            let before = children();
            run(&[phase, explain]);
            let millis = (children() - before) as f64 * 10.0 / f64::from(vms);
            let streams: u64 = KINDS.iter().map(|kind| ledger.count("watch", kind).received).sum();
            let kilobytes = KINDS.map(|kind| ledger.delivered(kind) as f64 / 1000.0 / f64::from(vms));
            println!(
                "{phase:<8} {explain:<15} {streams:>8} {:>14.1} {:>10.1} {:>10.1} {millis:>12.2}",
                kilobytes[0], kilobytes[1], kilobytes[2]
            );
        }
    }
}
