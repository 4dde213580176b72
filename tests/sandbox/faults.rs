//! Injected faults, from a client's point of view.

use std::time::{Duration, Instant};

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::value::json;

use super::cluster::{Cluster, MACHINES, machine};

fn rule(verb: &str, effect: Effect, remaining: Option<u64>) -> Rule {
    Rule { matching: Match::on(verb, "virtualmachines"), effect, remaining }
}

#[tokio::test]
async fn throttled_requests_say_when_to_return() {
    let cluster = Cluster::start().await;
    cluster.faults.add(rule("create", Effect::Answer { code: 429, retry_after: Some(1) }, Some(1)));
    let throttled = cluster.post(MACHINES, &machine("a", "Halted")).await;
    assert_eq!((throttled.code.as_u16(), &throttled.headers["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(throttled.body, "Too many requests, please try again later.\n");
    assert_eq!(cluster.post(MACHINES, &machine("a", "Halted")).await.code, 201);
}

#[tokio::test]
async fn a_cut_connection_has_no_answer() {
    let cluster = Cluster::start().await;
    cluster.faults.add(rule("create", Effect::Cut, Some(1)));
    cluster.faults.add(rule("delete", Effect::CutAfter, Some(1)));
    let vm = machine("a", "Halted").to_string();
    assert!(cluster.send(http::Method::POST, MACHINES, &[], &vm).await.is_err());
    assert_eq!(cluster.get(&format!("{MACHINES}/a")).await.code, 404);
    assert_eq!(cluster.post(MACHINES, &machine("a", "Halted")).await.code, 201);
    assert!(cluster.send(http::Method::DELETE, &format!("{MACHINES}/a"), &[], "").await.is_err());
    assert_eq!(cluster.get(&format!("{MACHINES}/a")).await.code, 404);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a real delay is measured with a real clock")]
async fn a_delay_delays() {
    let cluster = Cluster::start().await;
    cluster.faults.add(rule("list", Effect::Delay(Duration::from_millis(80)), None));
    let began = Instant::now();
    assert_eq!(cluster.get(MACHINES).await.code, 200);
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn denied_permissions_are_forbidden() {
    let cluster = Cluster::start().await;
    cluster.post(MACHINES, &machine("h", "Halted")).await;
    cluster.faults.deny("update", "virtualmachines/start", None);
    let path = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/h/start";
    let refused = cluster.put(path, &json!({})).await;
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.message(),
        "virtualmachines.subresources.kubevirt.io \"h\" is forbidden: User \"bootstorm-sandbox\" cannot update resource \"virtualmachines/start\" in API group \"subresources.kubevirt.io\" in the namespace \"default\""
    );
}
