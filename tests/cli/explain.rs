//! Launcher pods and events: what they tell, what they cost, and running without them.

use bootstorm_sandbox::value::Value;

use crate::support::Cluster;

/// Milestones that only pods and events tell.
const OF_PODS: [&str; 4] = ["placed", "prepared", "initialized", "started"];

fn created(cluster: &Cluster, flags: &[&str]) -> (Value, String) {
    cluster.run(&["setup", "--end", "3", "--probe", "none"]).exits(0);
    let ran = cluster.run(&[&["create"][..], flags].concat()).exits(0);
    let report = cluster.run(&["report", "-o", "json"]).exits(0).json();
    (report["phases"][0].clone(), ran.stderr)
}

fn knows(phase: &Value, milestone: &str) -> bool {
    phase["rows"].as_array().unwrap().iter().all(|row| row["milestones"].get(milestone).is_some())
}

#[test]
fn stages_of_pods_are_known_from_three_streams() {
    let cluster = Cluster::instant();
    let (phase, _) = created(&cluster, &[]);
    assert!(OF_PODS.iter().all(|milestone| knows(&phase, milestone)), "{phase}");
    let ledger = cluster.sandbox.ledger();
    let watches = |resource: &str| ledger.count("watch", resource).received;
    assert_eq!((watches("pods"), watches("events")), (1, 2));
    assert_eq!(watches("virtualmachineinstances"), 1);
    assert!(ledger.delivered("pods") > 0);
}

#[test]
fn without_explanations_nothing_is_watched_but_instances() {
    let cluster = Cluster::instant();
    let (phase, _) = created(&cluster, &["--explain=false"]);
    assert!(!OF_PODS.iter().any(|milestone| knows(&phase, milestone)) && knows(&phase, "running"), "{phase}");
    let ledger = cluster.sandbox.ledger();
    assert_eq!(ledger.count("watch", "pods").received + ledger.count("watch", "events").received, 0);
}

#[test]
fn who_may_not_watch_pods_or_events_loses_their_stages_and_is_told() {
    let cluster = Cluster::instant();
    for verb in ["list", "watch"] {
        cluster.sandbox.faults().deny(verb, "pods", None);
    }
    let (phase, told) = created(&cluster, &[]);
    assert!(!OF_PODS.iter().any(|milestone| knows(&phase, milestone)) && knows(&phase, "pod"), "{phase}");
    assert!(told.contains("the stages of launcher pods are not measured: "), "{told}");
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("watch", "events", None);
    let (phase, told) = created(&cluster, &[]);
    assert!(knows(&phase, "started"), "{phase}");
    assert!(told.contains("warnings, attached volumes and pulled images are not recorded: "), "{told}");
}

#[test]
fn warnings_are_kept_in_the_record() {
    let cluster = Cluster::changed(1, |profile| profile.node.memory_gib = 1.0);
    cluster.run(&["setup", "--end", "4", "--probe", "none", "--skip-preflight"]).exits(0);
    cluster.run(&["create", "--timeout", "2s", "--save-results"]).exits(3);
    let record = cluster.home.path().join("results");
    let saved = newest(&record).expect("a saved run");
    let run: Value = serde_json::from_str(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!(run["format"], bootstorm_model::record::FORMAT);
    let timelines = run["phases"][0]["timelines"].as_array().unwrap();
    let missing = timelines.iter().find(|timeline| timeline["outcome"] == "timed-out").unwrap();
    let warning = &missing["warnings"][0];
    assert_eq!(
        (warning["reason"].as_str(), warning["kind"].as_str()),
        (Some("FailedScheduling"), Some("Pod"))
    );
    assert!(warning["message"].as_str().unwrap().contains("Insufficient memory"), "{warning}");
    assert!(missing["launcher"]["state"].as_str().unwrap().starts_with("Unschedulable: "), "{missing}");
    assert!(warning["count"].as_u64().unwrap() >= 1);
}

fn newest(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "run.json") {
                return Some(path);
            }
        }
    }
    None
}
