//! When guests answer, as the prober asks from inside the cluster.

use std::time::Duration;

use bootstorm_sandbox::model::Profile;
use bootstorm_sandbox::profile;
use bootstorm_sandbox::store::kind::{PODS, VIRTUAL_MACHINE_INSTANCES};
use bootstorm_sandbox::value::{Value, json};
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines};

use super::simulation::{PATIENCE, Simulation};

/// A stream to a prober.
struct Prober {
    process: AttachedProcess,
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: Lines<BufReader<Box<dyn tokio::io::AsyncRead + Send + Unpin>>>,
}

impl Prober {
    async fn open(simulation: &Simulation, pod: &str) -> Self {
        let command = ["sh", "-c", "the script itself", "bootstorm-prober", "0.02"];
        let params = AttachParams::default().stdin(true);
        let mut process = simulation.pods().await.exec(pod, command, &params).await.unwrap();
        let stdin = Box::new(process.stdin().unwrap());
        let stdout: Box<dyn tokio::io::AsyncRead + Send + Unpin> = Box::new(process.stdout().unwrap());
        Self { process, stdin, stdout: BufReader::new(stdout).lines() }
    }

    async fn say(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.stdin.flush().await.unwrap();
    }

    async fn hear(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await.expect("no line");
        line.unwrap().expect("the stream has ended")
    }

    /// Its greeting: its capabilities.
    async fn greeting(&mut self) -> String {
        loop {
            let line = self.hear().await;
            if line.starts_with("h ") {
                return line;
            }
        }
    }

    /// Whether there is no output for many intervals.
    async fn hears_nothing(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(400), self.stdout.next_line()).await.is_err()
    }
}

fn masquerade() -> Value {
    json!({"name": "default", "masquerade": {}})
}

/// A cluster in which guests take a second from Running to network readiness.
fn lazy() -> Profile {
    let mut lazy = profile("instant").unwrap();
    lazy.guest.dhcp.median = 1.0;
    lazy
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prober_reports_guests_as_they_come_up() {
    let simulation = Simulation::with(lazy()).await;
    simulation.pod("prober", "busybox").await;
    let mut prober = Prober::open(&simulation, "prober").await;
    assert_eq!(prober.greeting().await, "h 2 script ping4=yes ping6=no tcp4=yes tcp6=no");
    for name in ["a", "b"] {
        simulation.machine(name, "", &masquerade());
    }
    let (a, b) = (simulation.running("a").await, simulation.running("b").await);
    prober.say(&format!("a one ping {a}\na two tcp {b} 22\na three tcp {b} 23\ne go")).await;
    assert_eq!(prober.hear().await, "t go");
    let mut answered = [prober.hear().await, prober.hear().await];
    answered.sort();
    assert_eq!(answered, ["r one", "r two"]);
    assert!(prober.hears_nothing().await, "nobody listens on port 23");
    prober.stdin.shutdown().await.unwrap();
    let status = prober.process.take_status().unwrap();
    let status = tokio::time::timeout(PATIENCE, status).await.expect("no end").expect("a status");
    assert_eq!(status.status.as_deref(), Some("Success"));
    let told = simulation.told();
    let line = told.iter().find(|line| line["name"] == "a" && line["action"] == "network").unwrap();
    assert_eq!(line["address"], a.as_str());
    assert_eq!(line["uid"], simulation.value(&VIRTUAL_MACHINE_INSTANCES, "a")["metadata"]["uid"]);
    assert!(line["at"].as_i64() > Some(1_500_000_000_000_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_domain_is_defined_the_pod_itself_answers() {
    let simulation = Simulation::instant().await;
    simulation.pod("prober", "busybox").await;
    let mut prober = Prober::open(&simulation, "prober").await;
    prober.greeting().await;
    simulation.machine("vm", "never-boots", &masquerade());
    let address = simulation.launcher("vm").await;
    prober.say(&format!("a false ping {address}")).await;
    assert_eq!(prober.hear().await, "r false");
}

#[tokio::test(flavor = "multi_thread")]
async fn some_guests_never_answer_and_some_pods_answer_for_them() {
    let simulation = Simulation::instant().await;
    simulation.pod("prober", "busybox").await;
    let mut prober = Prober::open(&simulation, "prober").await;
    prober.greeting().await;
    simulation.machine("mute", "no-network", &masquerade());
    let mute = simulation.running("mute").await;
    prober.say(&format!("a mute ping {mute}")).await;
    assert!(prober.hears_nothing().await);
    let listed = json!({"name": "default", "masquerade": {}, "ports": [{"port": 22}]});
    simulation.machine("listed", "no-network", &listed);
    let listed = simulation.running("listed").await;
    prober.say(&format!("a listed ping {listed}\na port tcp {listed} 22")).await;
    assert_eq!(prober.hear().await, "r listed");
    assert!(prober.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_an_address_takes_the_address_away() {
    let simulation = Simulation::instant().await;
    simulation.machine("vm", "agent-before-dhcp", &masquerade());
    let address = simulation.running("vm").await;
    let connected = || {
        let vmi = simulation.value(&VIRTUAL_MACHINE_INSTANCES, "vm");
        let conditions = vmi["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition["type"] == "AgentConnected" && condition["status"] == "True")
    };
    simulation.until(|| connected() && simulation.address("vm").is_none()).await;
    assert_eq!(simulation.running("vm").await, address);
    let order: Vec<Value> = simulation.told().iter().map(|line| line["action"].clone()).collect();
    assert_eq!(order, ["agent", "network"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_address_answers_like_the_first() {
    let mut both = profile("instant").unwrap();
    both.node.dual_stack = true;
    let simulation = Simulation::with(both).await;
    simulation.pod("prober", "busybox").await;
    assert_eq!(simulation.value(&PODS, "prober")["status"]["podIPs"].as_array().map(Vec::len), Some(2));
    simulation.machine("vm", "", &masquerade());
    simulation.running("vm").await;
    let vmi = simulation.value(&VIRTUAL_MACHINE_INSTANCES, "vm");
    let second = vmi["status"]["interfaces"][0]["ipAddresses"][1].as_str().unwrap().to_owned();
    assert!(second.starts_with("fd10:128::"), "{second}");
    let mut prober = Prober::open(&simulation, "prober").await;
    prober.greeting().await;
    prober.say(&format!("a second ping {second}")).await;
    assert_eq!(prober.hear().await, "r second");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_targets_fit_into_a_stream() {
    let simulation = Simulation::with(lazy()).await;
    simulation.pod("prober", "busybox").await;
    let mut prober = Prober::open(&simulation, "prober").await;
    prober.greeting().await;
    for number in 0..200 {
        simulation.machine(&format!("vm-{number}"), "", &masquerade());
    }
    for number in 0..200 {
        let address = simulation.running(&format!("vm-{number}")).await;
        prober.say(&format!("a {number} ping {address}")).await;
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 0..200 {
        assert!(seen.insert(prober.hear().await));
    }
}
