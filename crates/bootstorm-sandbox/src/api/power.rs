//! `KubeVirt`'s own API: start, stop and restart of a machine.

use std::time::Duration;

use super::payload::Body;
use crate::value::{Value, json};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::status::Failure;
use super::{accept, answer};
use crate::ledger::{Ledger, Power};
use crate::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{Object, Store};

/// The simulated release.
pub(crate) const KUBEVIRT_VERSION: &str = "v1.9.0";

/// An action on a machine
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Start,
    Stop,
    Restart,
}

impl Action {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "stop" => Some(Self::Stop),
            "restart" => Some(Self::Restart),
            _ => None,
        }
    }

    fn power(self) -> Power {
        match self {
            Self::Start => Power::Start,
            Self::Stop => Power::Stop,
            Self::Restart => Power::Restart,
        }
    }
}

/// A call of virt-api
pub(super) struct Call<'a> {
    pub(super) store: &'a Store,
    pub(super) ledger: &'a Ledger,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    /// Time that virt-api takes between reading a machine and writing it.
    pub(super) latency: Duration,
    pub(super) body: &'a [u8],
}

/// The state of a machine as read by virt-api.
struct Machine<'a> {
    name: &'a str,
    vm: Object,
    instance: Option<Object>,
}

/// virt-api's write, if no other writer was faster.
enum Change {
    Nothing,
    /// The run strategy, or `running` if the machine uses that.
    Strategy(&'static str),
    Requests(Value),
}

/// Serves a path below the group's version.
pub(super) async fn serve(call: &Call<'_>, path: &[String]) -> Result<Response<Body>, Failure> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["version"] => Ok(answer::value(StatusCode::OK, &version())),
        ["healthz"] => Ok(answer::value(StatusCode::OK, &json!({"apiserver": {"connectivity": "ok"}}))),
        ["namespaces", namespace, "virtualmachines", name, action] => match Action::parse(action) {
            Some(action) => act(call, namespace, name, action).await,
            None => Err(Failure::text(404, "404: Page Not Found")),
        },
        _ => Err(Failure::text(404, "404: Page Not Found")),
    }
}

fn version() -> Value {
    json!({
        "gitVersion": KUBEVIRT_VERSION,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-07-27T00:00:00Z",
        "goVersion": "go1.25.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

async fn act(
    call: &Call<'_>,
    namespace: &str,
    name: &str,
    action: Action,
) -> Result<Response<Body>, Failure> {
    if *call.method != Method::PUT {
        return Err(Failure::text(405, "405: Method Not Allowed"));
    }
    if !accept::anything(call.headers) {
        return Err(Failure::text(406, "406: Not Acceptable\n\nAvailable representations: "));
    }
    let options = parse(call.body);
    if action != Action::Start {
        check_options(action, options.as_ref().map_err(Clone::clone)?)?;
    }
    let missing = Failure::new(404, "NotFound", format!("virtualmachine.kubevirt.io \"{name}\" not found"))
        .about(&VIRTUAL_MACHINES, name)
        .detail("kind", json!("virtualmachine"));
    let vm = call.store.get(&VIRTUAL_MACHINES, namespace, name).ok_or_else(|| missing.indented())?;
    let instance = call.store.get(&VIRTUAL_MACHINE_INSTANCES, namespace, name);
    let machine = Machine { name, vm, instance };
    let (change, options) = match action {
        Action::Start => {
            machine.refuse_if(machine.is_active(), "VM is already running")?;
            let options = options?;
            (machine.start(&options)?, options)
        }
        Action::Stop => {
            let options = options?;
            (machine.stop(&options)?, options)
        }
        Action::Restart => (machine.restart()?, options?),
    };
    let dry_run = options["dryRun"].as_array().is_some_and(|list| list.contains(&json!("All")));
    tokio::time::sleep(call.latency).await;
    if !dry_run {
        shorten_grace(call.store, &machine, action, &options);
        let changes = !matches!(change, Change::Nothing);
        machine.write(call.store, change)?;
        if changes {
            call.ledger.write(machine.vm.uid());
            call.ledger.change(namespace, name, action.power());
        }
    }
    let mut accepted = Response::new(super::payload::full(""));
    *accepted.status_mut() = StatusCode::ACCEPTED;
    accepted.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(accepted)
}

fn parse(body: &[u8]) -> Result<Value, Failure> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    let refuse = |why: String| {
        Failure::bad_request(format!("Can not unmarshal Request body to struct, error: {why}")).indented()
    };
    let options = super::body::value(body).map_err(|_| {
        let error = serde_json::from_slice::<Value>(body).err();
        refuse(format!(
            "json: {}",
            error.map_or_else(|| "invalid value".to_owned(), |error| error.to_string())
        ))
    })?;
    if options.is_object() {
        Ok(options)
    } else {
        Err(refuse("json: cannot unmarshal value into Go value".to_owned()))
    }
}

fn check_options(action: Action, options: &Value) -> Result<(), Failure> {
    let grace = options["gracePeriodSeconds"].as_i64().unwrap_or(0);
    let why = match grace {
        _ if action != Action::Restart || grace == 0 => return Ok(()),
        1.. => "For force restart, only gracePeriod=0 is supported for now",
        _ => "gracePeriod has to be greater or equal to 0",
    };
    Err(Failure::bad_request(why).indented())
}

/// Writes a shorter grace period into the instance before anything else.
fn shorten_grace(store: &Store, machine: &Machine<'_>, action: Action, options: &Value) {
    let grace = match action {
        Action::Start => None,
        Action::Stop => options["gracePeriod"].as_i64(),
        Action::Restart => options["gracePeriodSeconds"].as_i64().map(|_| 1),
    };
    if let (Some(grace), true) = (grace, machine.is_active()) {
        store.modify(&VIRTUAL_MACHINE_INSTANCES, machine.vm.namespace(), machine.name, |instance| {
            instance["spec"]["terminationGracePeriodSeconds"] = json!(grace);
        });
    }
}

impl Machine<'_> {
    fn conflict(&self, why: &str) -> Failure {
        let message =
            format!("Operation cannot be fulfilled on virtualmachine.kubevirt.io \"{}\": {why}", self.name);
        Failure::new(409, "Conflict", message)
            .about(&VIRTUAL_MACHINES, self.name)
            .detail("kind", json!("virtualmachine"))
            .indented()
    }

    fn refuse_if(&self, refuse: bool, why: &str) -> Result<(), Failure> {
        if refuse { Err(self.conflict(why)) } else { Ok(()) }
    }

    fn phase(&self) -> Option<&str> {
        self.instance
            .as_ref()
            .map(|instance| instance.value()["status"]["phase"].as_str().unwrap_or_default())
    }

    /// Whether an instance is active; one that is being deleted is active until its phase is final.
    fn is_active(&self) -> bool {
        self.phase().is_some_and(|phase| !matches!(phase, "Succeeded" | "Failed" | "Unknown" | ""))
    }

    fn strategy(&self) -> Result<&str, Failure> {
        let spec = &self.vm.value()["spec"];
        match (spec["runStrategy"].as_str(), spec["running"].as_bool()) {
            (Some(_), Some(_)) => Err(internal("running and runstrategy are mutually exclusive")),
            (Some(strategy), None) => Ok(strategy),
            (None, Some(true)) => Ok("Always"),
            (None, _) => Ok("Halted"),
        }
    }

    fn stop_request(&self) -> Value {
        json!({"action": "Stop", "uid": self.instance.as_ref().map(|instance| instance.uid())})
    }

    fn start(&self, options: &Value) -> Result<Change, Failure> {
        let mut start = json!({"action": "Start"});
        let paused = options["paused"] == true;
        if paused {
            start["data"] = json!({"paused": "true"});
        }
        match self.strategy()? {
            strategy @ ("Always" | "Once") => {
                Err(self.conflict(&format!("{strategy} does not support manual start requests")))
            }
            "RerunOnFailure" if self.phase() == Some("Failed") => {
                Err(self.conflict("RerunOnFailure does not support starting VM from failed state"))
            }
            "Manual" | "RerunOnFailure" => {
                let requests = match &self.instance {
                    Some(_) => json!([self.stop_request(), start]),
                    None => json!([start]),
                };
                self.queue(requests)
            }
            "Halted" if paused => self.queue(json!([start])),
            "Halted" => Ok(Change::Strategy("Always")),
            _ => Ok(Change::Nothing),
        }
    }

    fn stop(&self, options: &Value) -> Result<Change, Failure> {
        match self.strategy()? {
            "Halted" | "Manual" | "RerunOnFailure" if !self.is_active() => {
                Err(self.conflict("VM is not running"))
            }
            "Halted" => {
                let own = self.vm.value().pointer("/spec/template/spec/terminationGracePeriodSeconds");
                let shorter = options["gracePeriod"]
                    .as_i64()
                    .is_some_and(|grace| own.and_then(Value::as_i64).is_none_or(|own| grace < own));
                let why = "Halted only supports manual stop requests with a shorter graceperiod";
                self.refuse_if(!shorter, why)?;
                Ok(Change::Requests(json!([self.stop_request()])))
            }
            "Manual" | "RerunOnFailure" => Ok(Change::Requests(json!([self.stop_request()]))),
            _ => Ok(Change::Strategy("Halted")),
        }
    }

    fn restart(&self) -> Result<Change, Failure> {
        let strategy = self.strategy()?;
        if matches!(strategy, "Halted" | "Once") {
            // Spelt this way in every release.
            return Err(
                self.conflict(&format!("RunStategy {strategy} does not support manual restart requests"))
            );
        }
        self.refuse_if(self.instance.is_none(), "VM is not running: Halted")?;
        self.queue(json!([self.stop_request(), {"action": "Start"}]))
    }

    /// Requests that contain a start require an empty queue.
    fn queue(&self, requests: Value) -> Result<Change, Failure> {
        let underway =
            self.vm.value()["status"]["stateChangeRequests"].as_array().is_some_and(|list| !list.is_empty());
        if underway {
            return Err(internal("unable to complete request: stop/start already underway"));
        }
        Ok(Change::Requests(requests))
    }

    /// Writes the change if the fields on which it is based are unchanged.
    fn write(&self, store: &Store, change: Change) -> Result<(), Failure> {
        let read = self.vm.value();
        let requests = |vm: &Value| vm["status"]["stateChangeRequests"].clone();
        let refused = lost_race;
        let edit = |vm: &mut Value| match change {
            Change::Nothing => Ok(()),
            Change::Strategy(strategy) => {
                if vm["spec"]["runStrategy"] != read["spec"]["runStrategy"]
                    || vm["spec"]["running"] != read["spec"]["running"]
                {
                    return Err(refused());
                }
                if vm["spec"]["running"].is_boolean() {
                    vm["spec"]["running"] = json!(strategy == "Always");
                } else {
                    vm["spec"]["runStrategy"] = json!(strategy);
                }
                Ok(())
            }
            Change::Requests(new) => {
                if requests(vm) != requests(read) {
                    return Err(refused());
                }
                vm["status"]["stateChangeRequests"] = new;
                if let Some(status) = vm["status"].as_object_mut() {
                    status.remove("startFailure");
                }
                Ok(())
            }
        };
        store.update(&VIRTUAL_MACHINES, self.vm.namespace(), self.name, edit).map(drop).map_err(|_| refused())
    }
}

/// virt-api's answer if the machine was changed between its read and its write.
pub(super) fn lost_race() -> Failure {
    internal("the server rejected our request due to an error in our request")
}

fn internal(why: &str) -> Failure {
    let cause = json!([{"message": why}]);
    Failure::new(500, "InternalError", format!("Internal error occurred: {why}"))
        .detail("causes", cause)
        .indented()
}
