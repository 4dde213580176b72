//! An outage of the API server in the middle of a storm: events during it are marked, the rest is exact.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::Path;
use std::time::Duration;

use bootstorm_engine::cluster::Connection;

use crate::P99_MILLIS;
use crate::truth::{Experiment, Kind, quantile};

/// VMs, seconds before the outage, and its duration; `BOOTSTORM_OUTAGE=500/20/60` asks for other values.
const FORM: &str = "100/13/5";

/// Cuts off the API server after `before` seconds, for `seconds`.
fn cut_off(kubeconfig: &Path, before: u64, seconds: u64) {
    let connection = Connection { kubeconfig: Some(kubeconfig.to_owned()), ..Connection::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_secs(before)).await;
        let path = format!("/bootstorm/faults/now/outage?for={seconds}s");
        let request = http::Request::post(path).body(Vec::new()).expect("a request");
        let cluster = connection.open().await.expect("a connection");
        cluster.call("begin the outage", request).await.expect("an answer");
    });
}

#[test]
fn an_outage_in_the_middle_of_a_storm_marks_what_passed_in_it() {
    let form = std::env::var("BOOTSTORM_OUTAGE").unwrap_or_else(|_| FORM.to_owned());
    let numbers: Vec<u64> = form.split('/').map(|number| number.parse().unwrap()).collect();
    let [vms, before, seconds] = numbers[..] else { panic!("BOOTSTORM_OUTAGE={form} is not like {FORM}") };
    let vms = usize::try_from(vms).unwrap();
    let experiment =
        Experiment::run_with(vms, "default", &[], |kubeconfig| cut_off(kubeconfig, before, seconds));
    let storm = experiment.phase("storm-1");
    let gaps = storm["watch"]["gaps"].as_array().unwrap();
    let time = |value: &bootstorm_sandbox::value::Value| value.as_i64().unwrap() as f64 / 1e6;
    let longest = gaps.iter().map(|gap| time(&gap["to"]) - time(&gap["from"])).fold(0.0, f64::max);
    assert!(longest > seconds as f64 - 1.0, "the gap is recorded: {gaps:?}");

    let running = experiment.differences("storm-1", Kind::Running);
    assert_eq!(running.len(), vms, "no VM is lost");
    let in_gap = |at: f64| gaps.iter().any(|gap| (time(&gap["from"]) + 0.05..time(&gap["to"])).contains(&at));
    let mut exact = Vec::new();
    let mut marked = 0;
    for (source, difference, at) in &running {
        if source == "seen" {
            assert!(!in_gap(*at), "a VM that ran at {at:.3}s cannot have been seen: {gaps:?}");
            exact.push(difference.abs());
        } else {
            marked += 1;
            // A whole second of the server, read on the client's axis.
            assert!(source == "stamped" && difference.abs() < 1_500.0, "{source} {difference} ms at {at}");
        }
    }
    exact.sort_by(f64::total_cmp);
    assert!(marked > 0 && !exact.is_empty(), "{marked} marked, {} exact", exact.len());
    assert!(quantile(&exact, 0.99) <= P99_MILLIS, "p99 {:.2} ms", quantile(&exact, 0.99));
    let reachable = experiment.differences("storm-1", Kind::Reachable);
    assert_eq!(reachable.len(), vms);
    for (source, difference, at) in &reachable {
        assert!(*difference > -5.0, "nobody is seen before it answers: {difference} ms at {at}");
        assert!(source != "seen" || *difference < 1_000.0, "{source} {difference} ms late at {at}");
    }
    println!(
        "{vms} VMs, outage of {seconds}s: {} exact (p99 {:.2} ms, max {:.2} ms), {marked} marked; gaps {gaps:?}",
        exact.len(),
        quantile(&exact, 0.99),
        quantile(&exact, 1.0)
    );
}
