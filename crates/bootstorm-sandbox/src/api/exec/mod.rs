//! `pods/exec`: a WebSocket on whose channels a command in a container reads and writes.

mod session;
mod target;
mod upgrade;

use std::time::Duration;

use super::payload::Body;
use http::Response;

use self::session::{Errors, Session, Wanted};
pub(super) use self::target::{choose, is_unplugged};
pub(super) use self::upgrade::Upgrade;
use super::path::Resource;
use super::query::Query;
use super::shared::Api;
use super::status::Failure;
use crate::programs::{Container, Image, User};
use bootstorm_model::observe::clock::wall_now;

/// Supported sub-protocols, the preferred one first.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Whether a request is an exec.
pub(super) fn is_exec(target: &Resource) -> bool {
    target.kind.plural == "pods" && target.subresource.as_deref() == Some("exec")
}

/// Runs a command for a client.
pub(super) fn open(
    api: &Api,
    target: &Resource,
    query: &Query,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, Failure> {
    let place = target::find(&api.store, target, query)?;
    let argv = query.all("command");
    if argv.is_empty() {
        return Err(invalid("command", "you must specify at least one command for the container"));
    }
    let wanted = Wanted {
        stdin: query.is_on("stdin"),
        stdout: query.is_on("stdout"),
        stderr: match (query.is_on("tty"), query.is_on("stderr")) {
            (true, _) => Errors::Terminal,
            (false, true) => Errors::Apart,
            (false, false) => Errors::Lost,
        },
    };
    if !(wanted.stdin || wanted.stdout || wanted.stderr == Errors::Apart) {
        return Err(invalid("", "you must specify at least 1 of stdin, stdout, stderr"));
    }
    let upgrade = upgrade.ok_or_else(|| Failure::bad_request("Upgrade request required"))?;
    let Some(protocol) = upgrade.choose(&PROTOCOLS) else {
        return Err(Failure::bad_request("unable to upgrade: unable to negotiate protocol"));
    };
    let half_close = protocol == PROTOCOLS[0];
    let age = place
        .started
        .map_or(Duration::MAX, |at| Duration::try_from(wall_now().duration_since(at)).unwrap_or_default());
    let container = Container {
        tools: Image::of(&place.image).tools(age),
        user: User::of(place.pod.value(), &place.container),
        dual_stack: place.pod.value()["status"]["podIPs"].as_array().is_some_and(|all| all.len() > 1),
        machine: place.machine(&api.store),
        folders: place.folders(),
        programs: (place.pod.uid().to_owned(), api.programs.clone()),
        network: api.network.clone(),
        roll: api.dice.roll(&format!("{}/{}", place.pod.namespace(), place.pod.name()), 0, "exec"),
    };
    let session = Session {
        store: api.store.clone(),
        pod: place.pod,
        cuts: api.faults.exec_cuts(),
        stop: api.stop.clone(),
        wanted,
        half_close,
        argv,
        container,
    };
    Ok(upgrade.accept(protocol, |socket| session.serve(socket)))
}

fn invalid(field: &str, message: &str) -> Failure {
    let place = if field.is_empty() { String::new() } else { format!("{field}: ") };
    Failure::bad_request(format!("{place}{message}"))
}
