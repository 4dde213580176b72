//! Validity of times: what spoils them is detected, shown in every format, and respected by comparisons.

use std::time::Duration;

use bootstorm_sandbox::faults::{Action, Effect, Match, Rule};
use bootstorm_sandbox::model::Draw;
use bootstorm_sandbox::store::{Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

/// The last phase's grade, and the rules its times violate.
fn validity(ran: &Ran) -> (String, Vec<String>) {
    let report = ran.json();
    let block = &report["phases"].as_array().unwrap().last().unwrap()["validity"];
    let findings = block["findings"].as_array().unwrap().iter();
    let doubts = findings.filter(|finding| !matches!(finding["grade"].as_str(), None | Some("valid")));
    let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
    (block["grade"].as_str().unwrap().to_owned(), doubts.map(rule).collect())
}

/// A rule's measured value in the last phase.
fn measured(ran: &Ran, rule: &str) -> String {
    let report = ran.json();
    let block = &report["phases"].as_array().unwrap().last().unwrap()["validity"];
    let mut findings = block["findings"].as_array().unwrap().iter();
    findings.find(|finding| finding["rule"] == rule).unwrap()["measured"].as_str().unwrap().to_owned()
}

fn set_up(cluster: &Cluster, vms: &str) {
    cluster.run(&["setup", "--end", vms, "--probe", "none"]).exits(0);
}

#[test]
fn a_clean_run_is_valid_and_says_what_was_measured() {
    let cluster = Cluster::instant();
    set_up(&cluster, "6");
    let ran = cluster.run(&["create", "-o", "json"]).exits(0);
    assert!(!validity(&ran).1.contains(&"requests".to_owned()));
    let report = ran.json();
    let client = &report["phases"][0]["validity"]["client"];
    assert!(client["timer_p99_seconds"].as_f64().is_some() && client["processors_used"].as_f64() > Some(0.0));
    let (least, most) = (&client["clock_ahead_least_seconds"], &client["clock_ahead_most_seconds"]);
    assert!(least.as_f64().unwrap() <= 0.0 && most.as_f64().unwrap() >= 0.0, "{client}");
    assert_eq!(measured(&ran, "cluster"), "versions, settings and nodes stayed the same");
    cluster.run(&["report", "-o", "wide"]).prints(&["Validity of the times:", "cluster: versions, settings"]);
    cluster.run(&["report", "-o", "junit"]).prints(&["<property name=\"validity\" value=\""]);
    cluster.run(&["report", "-o", "csv"]).prints(&["requested_at_seconds,validity,"]);
    cluster
        .run(&["report", "-o", "openmetrics"])
        .prints(&["bootstorm_validity{", "bootstorm_delay_seconds{"]);
}

#[test]
fn put_off_requests_qualify_a_phase() {
    let cluster = Cluster::instant();
    set_up(&cluster, "6");
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("create", "virtualmachines"),
        effect: Effect::Answer { code: 429, retry_after: Some(1) },
        remaining: Some(3),
    });
    let ran = cluster.run(&["create", "-o", "json"]).exits(0);
    let (grade, doubts) = validity(&ran);
    assert!(grade == "qualified" && doubts.contains(&"requests".to_owned()), "{grade} {doubts:?}");
    assert!(
        measured(&ran, "requests").contains("of 6 VMs were deferred by the server, 3 answers 429"),
        "{ran:?}"
    );
    cluster.run(&["report"]).prints(&["create:                 qualified", "requests: the requests of"]);
}

#[test]
fn a_cut_watch_counts_the_times_that_it_hid() {
    let cluster = Cluster::changed(3, |profile| profile.virt_handler.qemu_start = Draw::new(1.0, 0.0));
    set_up(&cluster, "4");
    let create = cluster.program().spawn(&["create", "-o", "json"]);
    let store = cluster.sandbox.store();
    until(|| {
        let (instances, _) = store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
        let scheduled = |instance: &Object| instance.to_value()["status"]["phase"] == "Scheduled";
        instances.len() == 4 && instances.iter().all(scheduled)
    });
    cluster.sandbox.act(&Action::Outage(Duration::from_secs(2)));
    let ran = Ran::of(create).exits(0);
    let (_, doubts) = validity(&ran);
    assert!(doubts.contains(&"watch".to_owned()), "{doubts:?} {}", measured(&ran, "watch"));
    assert!(measured(&ran, "watch").starts_with("1 interruption totaling "), "{ran:?}");
}

#[test]
fn a_server_whose_clock_is_ahead_is_measured_and_does_not_spoil_times() {
    for (ahead, words) in [(300.0, "s ahead"), (-120.0, "s behind")] {
        let cluster = Cluster::changed(3, |profile| profile.api_server.clock_ahead = ahead);
        set_up(&cluster, "4");
        let ran = cluster.run(&["create", "-o", "json"]).exits(0);
        let clock = measured(&ran, "clock");
        assert!(clock.contains(words), "{clock}");
        let report = ran.json();
        let client = &report["phases"][0]["validity"]["client"];
        let bound = |of: &str| client[format!("clock_ahead_{of}_seconds")].as_f64().unwrap();
        assert!(bound("least") <= ahead + 0.01 && bound("most") >= ahead - 0.01, "{client}");
        assert!(bound("most") - bound("least") < 1.2, "{client}");
        assert!(!validity(&ran).1.contains(&"clock".to_owned()));
        let time = report["phases"][0]["statistics"]["running"]["max_seconds"].as_f64().unwrap();
        assert!(time < 60.0, "{time}");
    }
}

#[test]
fn a_cluster_that_changed_is_told_and_an_upgraded_one_is_not_compared() {
    let cluster = Cluster::instant();
    set_up(&cluster, "4");
    cluster.run(&["create"]).exits(0);
    let before = cluster.run(&["report", "-o", "json"]);
    std::fs::write(cluster.home.path().join("before.json"), &before.stdout).unwrap();
    let store = cluster.sandbox.store();
    let overcommit = json!({"cpuAllocationRatio": 8});
    store.modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
        kubevirt["spec"]["configuration"]["developerConfiguration"] = overcommit;
    });
    let ran = cluster.run(&["stop", "-o", "json"]).exits(0);
    assert_eq!(measured(&ran, "cluster"), "changed since the setup: the settings of KubeVirt");
    assert!(validity(&ran).1.contains(&"cluster".to_owned()));
    // The same run, as if it had been upgraded in the middle of create.
    let upgraded = before.stdout.replace("\"grade\": \"valid\"", "\"grade\": \"invalid\"");
    assert_ne!(upgraded, before.stdout);
    std::fs::write(cluster.home.path().join("upgraded.json"), upgraded).unwrap();
    let refused = cluster.run(&["compare", "before.json", "upgraded.json"]).exits(1);
    refused.complains(&["the times of create of upgraded.json are invalid", "--force"]);
    cluster
        .run(&["compare", "before.json", "upgraded.json", "--force"])
        .exits(0)
        .prints(&["the times of create of", "are invalid"]);
}
