//! Commands in simulated pods, through the library and through `kubectl`.

use std::process::{Command, Stdio};

use bootstorm_sandbox::store::kind::{EVENTS, PODS};
use bootstorm_sandbox::value::json;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{AttachParams, AttachedProcess, DeleteParams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::simulation::{PATIENCE, Simulation};
use crate::support::tools::skipped;

/// The result of a command.
#[derive(Debug)]
struct Done {
    stdout: String,
    stderr: String,
    status: Option<Status>,
}

impl Done {
    /// The exit code; 0 on success.
    fn code(&self) -> i32 {
        let status = self.status.as_ref().expect("an exit status");
        if status.status.as_deref() == Some("Success") {
            return 0;
        }
        assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
        let causes = status.details.as_ref().unwrap().causes.as_ref().unwrap();
        assert_eq!(causes[0].reason.as_deref(), Some("ExitCode"));
        causes[0].message.as_ref().unwrap().parse().unwrap()
    }
}

async fn finish(mut process: AttachedProcess) -> Done {
    let status = process.take_status().unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let (mut out, mut err) = (process.stdout().unwrap(), process.stderr().unwrap());
    let read = async { tokio::join!(out.read_to_string(&mut stdout), err.read_to_string(&mut stderr)) };
    let (_, status) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(read, status) }).await.expect("no end");
    Done { stdout, stderr, status }
}

async fn exec(simulation: &Simulation, pod: &str, command: &[&str]) -> Done {
    let params = AttachParams::default().stdin(false);
    let process = simulation.pods().await.exec(pod, command.to_vec(), &params).await.unwrap();
    finish(process).await
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_have_output_and_an_exit_status() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox:1.37").await;
    let said = exec(&simulation, "p", &["echo", "one", "two"]).await;
    assert_eq!((said.stdout.as_str(), said.code()), ("one two\n", 0));
    assert_eq!(exec(&simulation, "p", &["false"]).await.code(), 1);
    assert_eq!(exec(&simulation, "p", &["sh", "-c", "echo no >&2; exit 42"]).await.code(), 42);
    let found = exec(&simulation, "p", &["sh", "-c", "command -v ping"]).await;
    assert_eq!((found.stdout.as_str(), found.code()), ("/bin/ping\n", 0));
    let muted = exec(&simulation, "p", &["sh", "-c", "command -v ping nc >/dev/null 2>&1 && echo yes"]).await;
    assert_eq!(muted.stdout, "yes\n");
    let unknown = exec(&simulation, "p", &["sh", "-c", "frobnicate"]).await;
    assert_eq!((unknown.stderr.as_str(), unknown.code()), ("sh: frobnicate: not found\n", 127));
    let own = exec(&simulation, "p", &["ping", "-c", "1", "127.0.0.1"]).await;
    assert!(own.stdout.contains("1 packets received, 0% packet loss"), "{own:?}");
    let silent = exec(&simulation, "p", &["ping", "-c", "1", "-W", "0.1", "10.99.0.1"]).await;
    assert!(silent.stdout.contains("100% packet loss") && silent.code() == 1, "{silent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_input_reaches_the_command() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox").await;
    let params = AttachParams::default().stdin(true);
    let mut process = simulation.pods().await.exec("p", ["cat"], &params).await.unwrap();
    let mut stdin = process.stdin().unwrap();
    stdin.write_all(b"there and back\n").await.unwrap();
    stdin.shutdown().await.unwrap();
    let done = finish(process).await;
    assert_eq!((done.stdout.as_str(), done.code()), ("there and back\n", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn images_differ_in_what_they_hold() {
    let simulation = Simulation::instant().await;
    for (name, image) in
        [("a", "quay.io/x/no-ping:1"), ("b", "registry.k8s.io/pause:3.10"), ("c", "debian:12")]
    {
        simulation.pod(name, image).await;
    }
    let no_ping = exec(&simulation, "a", &["sh", "-c", "command -v ping"]).await;
    assert_eq!((no_ping.stdout.as_str(), no_ping.code()), ("", 127));
    let no_shell = exec(&simulation, "b", &["sh", "-c", "true"]).await;
    assert!(no_shell.stderr.contains("exec: \"sh\": executable file not found in $PATH"), "{no_shell:?}");
    assert_eq!(no_shell.code(), 127);
    let iputils = exec(&simulation, "c", &["ping", "-c1", "::1"]).await;
    assert!(
        iputils.stdout.contains("icmp_seq=1") && iputils.stdout.contains("rtt min/avg/max/mdev"),
        "{iputils:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ping_may_do_depends_on_the_user_and_the_group_range() {
    let simulation = Simulation::instant().await;
    let pod = |name: &str, image: &str, range: &str| {
        let sysctls = if range.is_empty() {
            json!([])
        } else {
            json!([{"name": "net.ipv4.ping_group_range", "value": range}])
        };
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "securityContext": {"runAsUser": 65534, "runAsGroup": 65534, "sysctls": sysctls},
                "containers": [{"name": "c", "image": image, "command": ["sleep", "infinity"],
                    "securityContext": {"capabilities": {"drop": ["ALL"]}}}],
            },
        });
        simulation.sandbox.store().create(&PODS, pod).unwrap();
    };
    let cases = [
        ("a", "busybox:1.37", "0 65535", 1, "ping: permission denied (are you root?)"),
        ("b", "debian:12", "0 65535", 0, ""),
        ("c", "debian:12", "", 2, "socktype: SOCK_RAW"),
        ("d", "debian:12", "0 1000", 2, "socktype: SOCK_RAW"),
    ];
    for (name, image, range, code, said) in cases {
        pod(name, image, range);
        simulation.until(|| simulation.value(&PODS, name)["status"]["phase"] == "Running").await;
        let done = exec(&simulation, name, &["ping", "-c1", "127.0.0.1"]).await;
        assert!(done.code() == code && done.stderr.contains(said), "{name}: {done:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sysctls_are_set_or_refused_as_on_a_node() {
    let mut profile = bootstorm_sandbox::profile("instant").unwrap();
    profile.kubelet.user_namespaces = true;
    let simulation = Simulation::with(profile).await;
    let pod = |name: &str, sysctl: &str, value: &str| {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "securityContext": {"sysctls": [{"name": sysctl, "value": value}]},
                "containers": [{"name": "c", "image": "busybox"}],
            },
        });
        simulation.sandbox.store().create(&PODS, pod).unwrap();
    };
    let status = |name: &str| simulation.value(&PODS, name)["status"].clone();
    pod("unsafe", "net.core.somaxconn", "1024");
    simulation.until(|| status("unsafe")["phase"] == "Failed").await;
    assert_eq!(status("unsafe")["reason"], "SysctlForbidden");
    pod("too-many", "net.ipv4.ping_group_range", "0 2147483647");
    pod("mapped", "net.ipv4.ping_group_range", "0 65535");
    simulation.until(|| status("mapped")["phase"] == "Running").await;
    let refused = || {
        let (events, _) = simulation.sandbox.store().list(&EVENTS, Some("default"));
        events.iter().any(|event| {
            event.value()["reason"] == "FailedCreatePodSandBox"
                && event.value()["message"].as_str().is_some_and(|text| text.ends_with("invalid argument"))
        })
    };
    simulation.until(refused).await;
    assert_eq!(status("too-many")["phase"], "Pending");
    for name in ["unsafe", "too-many"] {
        simulation.pods().await.delete(name, &DeleteParams::default()).await.unwrap();
        simulation.until(|| simulation.value(&PODS, name).is_null()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_may_come_later_than_the_container() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "x/slow-tools").await;
    assert_eq!(exec(&simulation, "p", &["ping", "-c1", "127.0.0.1"]).await.code(), 127);
    let mut attempts = 0;
    while exec(&simulation, "p", &["ping", "-c1", "127.0.0.1"]).await.code() != 0 {
        attempts += 1;
        assert!(attempts < 100, "the tools never came");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_no_registry_has_keeps_its_pod_pending() {
    let simulation = Simulation::instant().await;
    simulation.make_pod("p", "registry.invalid/prober:1");
    let reason = || {
        let pod = simulation.value(&PODS, "p");
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    simulation.until(|| reason() == "ErrImagePull").await;
    simulation.until(|| reason() == "ImagePullBackOff").await;
    assert_eq!(simulation.value(&PODS, "p")["status"]["phase"], "Pending");
    let (events, _) = simulation.sandbox.store().list(&EVENTS, Some("default"));
    let said: Vec<String> =
        events.iter().filter_map(|event| event.value()["message"].as_str().map(str::to_owned)).collect();
    for message in ["no such host", "Error: ErrImagePull", "Back-off pulling image"] {
        assert!(said.iter().any(|one| one.contains(message)), "{message} in {said:?}");
    }
    simulation.pods().await.delete("p", &DeleteParams::default()).await.unwrap();
    simulation.until(|| simulation.value(&PODS, "p").is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox").await;
    simulation.make_pod("pending", "x/never-pull");
    simulation.until(|| simulation.value(&PODS, "pending")["status"]["podIP"].is_string()).await;
    let mut unscheduled = json!({"metadata": {"name": "nowhere", "namespace": "default"}});
    unscheduled["spec"] =
        json!({"nodeSelector": {"no": "where"}, "containers": [{"name": "c", "image": "busybox"}]});
    simulation.sandbox.store().create(&PODS, unscheduled).unwrap();
    let pods = simulation.pods().await;
    let client = pods.clone().into_client();
    let refusal = async |path: &str| {
        let request = http::Request::get(format!("/api/v1/namespaces/default/pods/{path}&stdout=true"))
            .body(Vec::new());
        match client.request_text(request.unwrap()).await.unwrap_err() {
            kube::Error::Api(status) => (status.code, status.message.clone()),
            other => panic!("{other}"),
        }
    };
    let text = |code: u16, message: &str| (code, message.to_owned());
    assert_eq!(refusal("p/exec?command=true").await, text(400, "Upgrade request required"));
    assert_eq!(refusal("q/exec?command=true").await, text(404, "pods \"q\" not found"));
    assert_eq!(
        refusal("p/exec?container=x&command=true").await,
        text(400, "container x is not valid for pod p")
    );
    assert_eq!(
        refusal("pending/exec?command=true").await,
        text(400, "unable to upgrade connection: container not found (\"prober\")")
    );
    assert_eq!(
        refusal("nowhere/exec?command=true").await,
        text(400, "pod nowhere does not have a host assigned")
    );
    for verb in ["create", "get"] {
        simulation.sandbox.faults().clear();
        simulation.sandbox.faults().deny(verb, "pods/exec", None);
        let (code, message) = refusal("p/exec?command=true").await;
        assert_eq!(code, 403);
        assert!(message.contains(&format!("cannot {verb} resource \"pods/exec\"")), "{message}");
        let denied = pods.exec("p", ["true"], &AttachParams::default().stdin(false)).await;
        assert!(denied.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_takes_its_commands_along() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox").await;
    let pods = simulation.pods().await;
    let process = pods.exec("p", ["sleep", "60"], &AttachParams::default().stdin(false)).await.unwrap();
    pods.delete("p", &DeleteParams::default()).await.unwrap();
    assert_eq!(finish(process).await.code(), 137);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_can_be_cut() {
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox").await;
    let params = AttachParams::default().stdin(false);
    let pods = simulation.pods().await;
    let mut process = pods.exec("p", ["sh", "-c", "echo here; sleep 60"], &params).await.unwrap();
    let mut here = [0; 5];
    process.stdout().unwrap().read_exact(&mut here).await.unwrap();
    simulation.sandbox.faults().cut_execs();
    let status = process.take_status().unwrap();
    assert!(tokio::time::timeout(PATIENCE, status).await.expect("still open").is_none());
    assert_eq!(exec(&simulation, "p", &["true"]).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_runs_commands() {
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        return skipped("there is no kubectl on this machine");
    }
    let simulation = Simulation::instant().await;
    simulation.pod("p", "busybox").await;
    simulation.machine("vm", "", &json!({"name": "default", "masquerade": {}}));
    let address = simulation.running("vm").await;
    let kubectl = async |arguments: &[&str], input: &str| {
        let mut command = Command::new("kubectl");
        command
            .args(arguments)
            .env("KUBECONFIG", simulation.kubeconfig())
            .env("HOME", simulation.home.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let output = tokio::time::timeout(PATIENCE, run).await.expect("kubectl hangs").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let ping = ["exec", "p", "--", "ping", "-c", "5", "-i", "0.1", &address];
    let (code, stdout, stderr) = kubectl(&ping, "").await;
    assert!(
        code == 0 && stdout.contains("packets transmitted") && stdout.contains("64 bytes"),
        "{stdout}{stderr}"
    );
    let (code, stdout, _) = kubectl(&["exec", "-i", "p", "--", "cat"], "through and through\n").await;
    assert_eq!((code, stdout.as_str()), (0, "through and through\n"));
    let (code, _, stderr) = kubectl(&["exec", "p", "--", "sh", "-c", "exit 3"], "").await;
    // The empty frame that opens a connection, also a real one, may arrive before kubectl has registered its streams:
    // it says so and continues.
    assert!(code == 3 && stderr.ends_with("command terminated with exit code 3\n"), "{stderr}");
    let (code, _, stderr) = kubectl(&["exec", "p", "-c", "x", "--", "true"], "").await;
    assert!(code == 1 && stderr.contains("container x is not valid for pod p"), "{stderr}");
    simulation.sandbox.faults().deny("create", "pods/exec", None);
    let (code, _, stderr) = kubectl(&["exec", "p", "--", "true"], "").await;
    assert!(code == 1 && stderr.contains("cannot create resource \"pods/exec\""), "{stderr}");
}
