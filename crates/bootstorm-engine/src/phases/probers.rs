//! The prober pods of a run: created, awaited, and tested before use.

use std::time::Duration;

use super::event::{Event, Listener};
use super::prober::{Greeting, Ours, Place, greet};
use crate::cluster::exec::{LineStream, Out};
use crate::cluster::metadata::Metadata;
use crate::cluster::names::RUN_ID;
use crate::cluster::ownership::{self, Estate, Stranger};
use crate::cluster::probers::{CONTAINER, PodState, Prober, collection, name, selector};
use crate::cluster::watch::{Watch, WatchEvent};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::probe::{Answer, Ask, By, Family, Pace, Probe, Tool};
use bootstorm_model::record::RunRecord;

/// Time limit for the pods to run, images included.
const RUNNING_WITHIN: Duration = Duration::from_secs(180);
/// A pod with errors may still recover within this time, for example after a transient registry failure.
const GRACE: Duration = Duration::from_secs(20);
/// Maximum number of VMs for the script: it keeps a process for each, and an entry in its node's neighbor table for
/// each silent one on its own link, where 1,024 are kept for all pods of the node.
const MOST_FOR_SCRIPT: usize = 256;
/// Time limit for a pod to answer itself.
const ITSELF_WITHIN: Duration = Duration::from_secs(5);
/// Time limit for the tools of a running pod to work.
const WORKING_WITHIN: Duration = Duration::from_secs(60);

/// Interval between attempts on the VMs of a run.
pub(super) fn pace(record: &RunRecord) -> Pace {
    Pace::of(share(record), &record.plan.probe.probes)
}

/// Maximum number of VMs for one prober.
fn share(record: &RunRecord) -> usize {
    let probe = &record.plan.probe;
    let probers = if probe.pod.is_some() { 1 } else { probe.probers.max(1) };
    (record.plan.size() as usize).div_ceil(probers)
}

/// Locations of the probers of a run; empty if it needs none.
pub(super) fn places(cluster: &Cluster, record: &RunRecord) -> Vec<Place> {
    let plan = &record.plan;
    if !plan.probe.needs_prober() {
        return Vec::new();
    }
    if let Some((namespace, pod)) = &plan.probe.pod {
        return vec![Place {
            namespace: namespace.clone(),
            pod: pod.clone(),
            container: None,
            ours: None,
            here: None,
        }];
    }
    let place = |number| Place {
        namespace: cluster.namespace().to_owned(),
        pod: name(&plan.prefix, number),
        container: Some(CONTAINER),
        here: None,
        ours: Some(Ours {
            prefix: plan.prefix.clone(),
            run_id: record.run_id.clone(),
            number,
            probe: plan.probe.clone(),
        }),
    };
    (1..=plan.probe.probers.max(1)).map(place).collect()
}

/// Creates missing probers, waits until they run, and tests the probe in each.
///
/// Fails with the reason why they do not work, and hints.
pub(super) async fn prepare(
    cluster: &Cluster,
    record: &mut RunRecord,
    events: Listener<'_>,
) -> Result<(), Failure> {
    let places = places(cluster, record);
    if places.is_empty() {
        return Ok(());
    }
    events(&Event::ProbersBegan { probers: places.len() });
    for place in &places {
        place.check(cluster).await?;
    }
    if record.plan.probe.pod.is_none() {
        for ours in places.iter().filter_map(|place| place.ours.as_ref()) {
            let (name, uid) = make(cluster, record, ours).await?;
            record.made.probers.insert(name, uid);
        }
        wait_until_running(cluster, record, &places).await?;
    }
    let mut told = Vec::new();
    for place in &places {
        let greeting = try_out(cluster, record, place).await?;
        events(&Event::ProberWorks);
        for text in &greeting.warnings {
            tell(&mut told, Event::Warning(format!("pod {}/{}: {text}", place.namespace, place.pod)), events);
        }
        tell(&mut told, Event::ProbersCan(abilities(&greeting)), events);
        if greeting.hello.by == By::Script && share(record) > MOST_FOR_SCRIPT {
            tell(&mut told, Event::Warning(overload(record)), events);
        }
    }
    Ok(())
}

/// Creates a prober, unless it exists; returns its name and its UID.
async fn make(cluster: &Cluster, record: &RunRecord, ours: &Ours) -> Result<(String, String), Failure> {
    let made = cluster.make_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe).await?;
    let name = made.name.clone();
    match Estate::of(record).judge(ownership::Kind::Prober, &made) {
        Ok(()) => Ok((made.name, made.uid)),
        // It was recreated in a phase, after it had gone away.
        Err(Stranger::MadeAnew) if made.is_labelled_by_us() && is_of(&made, record) => {
            Ok((made.name, made.uid))
        }
        Err(stranger) => {
            let place = cluster.namespace();
            Err(Failure::new(format!("pod {name} exists already in namespace {place} and is not ours"))
                .because(stranger)
                .hint("choose another prefix with --ns-prefix NAME"))
        }
    }
}

fn is_of(made: &Metadata, record: &RunRecord) -> bool {
    made.labels.get(RUN_ID) == Some(&record.run_id)
}

/// Reports an event once.
fn tell(told: &mut Vec<Event>, event: Event, events: Listener<'_>) {
    if !told.contains(&event) {
        events(&event);
        told.push(event);
    }
}

/// Problem of this many VMs per script.
fn overload(record: &RunRecord) -> String {
    let way_out = match record.plan.probe.pod {
        Some(_) => "leave out --probe-pod, so the run creates its own probers".to_owned(),
        None => format!("use --probers {}", (record.plan.size() as usize).div_ceil(MOST_FOR_SCRIPT)),
    };
    format!(
        "each prober has up to {} VMs and keeps a process for each, more than the {MOST_FOR_SCRIPT} that it can serve in \
         time and that the neighbor table of its node holds; {way_out}",
        share(record)
    )
}

/// Abilities and limitations of a prober, by tool and family.
fn abilities(greeting: &Greeting) -> String {
    let Greeting { hello, lacks, .. } = greeting;
    let with = match hello.by {
        By::Program => "the prober program",
        By::Script => "the tools of their image",
    };
    let mut parts = Vec::new();
    for tool in [Tool::Ping, Tool::Tcp] {
        let families: Vec<String> = hello.families(tool).map(|family| family.to_string()).collect();
        if !families.is_empty() {
            parts.push(format!("{tool} over {}", families.join(" and ")));
        }
    }
    // A family that the pod lacks completely is one limitation, not one for each tool.
    let whole = |family: Family, why: &str| {
        let both = [Tool::Ping, Tool::Tcp].map(|tool| (tool, family, why.to_owned()));
        both.iter().all(|lack| lacks.contains(lack))
    };
    for (tool, family, why) in lacks {
        if !whole(*family, why) {
            parts.push(format!("no {tool} over {family} ({why})"));
        } else if *tool == Tool::Ping {
            parts.push(format!("nothing over {family} ({why})"));
        }
    }
    format!("the probers use {with}: {}", parts.join(", "))
}

fn advise(failure: Failure, record: &RunRecord) -> Failure {
    let failure = match &record.plan.probe.pod {
        Some(_) => failure.hint("choose another pod with --probe-pod NAMESPACE/NAME"),
        None => failure.hint("choose an image with a shell that your nodes can pull: --probe-image IMAGE"),
    };
    failure.hint("or do without probers: --probe agent, or --probe none").hint(format!(
        "to change that, set the run up again: kubectl bootstorm cleanup --ns-prefix {}",
        record.plan.prefix
    ))
}

/// Reasons for which a recreated pod may run: its node had no room for it any more, or went down.
const PASSING: [&str; 7] =
    ["Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeAffinity", "OutOfcpu", "OutOfmemory"];

/// Recreates pods that were deleted, or ended for a transient reason. Recreated pods may end again: at most one attempt
/// per second.
async fn make_lost_again(cluster: &Cluster, record: &mut RunRecord, places: &[Place]) {
    for ours in places.iter().filter_map(|place| place.ours.as_ref()) {
        let remade = cluster.remake_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe);
        if let Ok(Some(pod)) = remade.await {
            record.made.probers.insert(pod.name, pod.uid);
        }
    }
}

async fn wait_until_running(
    cluster: &Cluster,
    record: &mut RunRecord,
    places: &[Place],
) -> Result<(), Failure> {
    let wanted = places.len();
    let pods = collection(cluster.namespace());
    let mut watch: Watch<PodState> =
        Watch::open(cluster, "watch the prober pods", pods, selector(&record.run_id)).await?;
    let began = monotonic_now();
    let mut known: std::collections::BTreeMap<String, Prober> = std::collections::BTreeMap::new();
    let mut is_lost = false;
    loop {
        if known.values().filter(|prober| prober.running).count() >= wanted {
            return Ok(());
        }
        let passes = |prober: &&Prober| {
            let complaint = prober.complaint.as_deref().unwrap_or_default();
            prober.failed && PASSING.contains(&complaint.split(':').next().unwrap_or_default())
        };
        let refused = known.values().any(|prober| prober.failed && !passes(&prober));
        let lost = is_lost || known.values().any(|prober| passes(&prober));
        if lost && !refused && began.elapsed() < RUNNING_WITHIN {
            is_lost = false;
            tokio::time::sleep(Duration::from_secs(1)).await;
            make_lost_again(cluster, record, places).await;
            known.retain(|_, prober| !passes(&&*prober));
        }
        let complaint = known.values().find_map(|p| Some((p.name.clone(), p.complaint.clone()?)));
        let limit = match &complaint {
            // A pod that its node rejected never runs.
            Some(_) if refused => Duration::ZERO,
            Some(_) => GRACE,
            None => RUNNING_WITHIN,
        };
        let heard = tokio::time::timeout_at((began + limit).into(), watch.next()).await;
        match heard.map(|heard| heard.map(|heard| heard.event)) {
            Ok(Some(WatchEvent::Listed(pods))) => {
                known = pods.into_iter().map(Prober::from).map(|p| (p.name.clone(), p)).collect();
            }
            Ok(Some(WatchEvent::Changed(pod))) => {
                let prober = Prober::from(pod);
                known.insert(prober.name.clone(), prober);
            }
            Ok(Some(WatchEvent::Removed(pod))) => {
                let removed = Prober::from(pod);
                if known.get(&removed.name).is_some_and(|prober| prober.uid == removed.uid) {
                    known.remove(&removed.name);
                    is_lost = true;
                }
            }
            Ok(Some(
                WatchEvent::Unreadable(_)
                | WatchEvent::Interrupted { .. }
                | WatchEvent::Restored
                | WatchEvent::Complaint(_),
            )) => {}
            Ok(None) | Err(_) => {
                let image = &record.plan.probe.image;
                let failure = match complaint {
                    Some((pod, why)) => {
                        Failure::new(format!("prober pod {pod} with image {image} does not run")).because(why)
                    }
                    None => Failure::new(format!("the prober pods do not run after {}s", limit.as_secs()))
                        .hint(format!(
                            "see why: kubectl describe pod -n {} -l {}",
                            cluster.namespace(),
                            selector(&record.run_id)
                        )),
                };
                return Err(advise(failure, record));
            }
        }
    }
}

/// Runs the probe in a pod against the pod itself, until it works. Our own pod is recreated if it goes away meanwhile.
async fn try_out(cluster: &Cluster, record: &mut RunRecord, place: &Place) -> Result<Greeting, Failure> {
    let until = monotonic_now() + WORKING_WITHIN;
    loop {
        let why = match once(cluster, record, place).await {
            Ok(greeting) => return Ok(greeting),
            Err(Fault::Unable(tool, greeting)) if is_final(tool, &greeting) || monotonic_now() >= until => {
                return Err(unable(record, place, tool, &greeting));
            }
            Err(Fault::Unable(tool, _)) => format!("it has no {tool} yet"),
            Err(Fault::Final(why)) => {
                let failure =
                    Failure::new(format!("the probe does not work in pod {}/{}", place.namespace, place.pod));
                return Err(advise(failure.because(why), record));
            }
            Err(Fault::Cluster(error)) if matches!(error.kind, Kind::Forbidden | Kind::Credentials) => {
                return Err(
                    Failure::from(error).hint("or do without probers: --probe agent, or --probe none")
                );
            }
            Err(Fault::Cluster(error)) => error.to_string(),
            Err(Fault::Passing(why)) => why,
        };
        if monotonic_now() >= until {
            let failure = Failure::new(format!(
                "the probe does not work in pod {}/{} after {}s",
                place.namespace,
                place.pod,
                WORKING_WITHIN.as_secs()
            ));
            return Err(advise(failure.because(why), record));
        }
        if let Some(ours) = &place.ours {
            let remade = cluster.remake_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe);
            if let Ok(Some(pod)) = remade.await {
                record.made.probers.insert(pod.name, pod.uid);
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether a tool will never work. A tool that the image lacks may still be installed after the container has started.
fn is_final(tool: Tool, greeting: &Greeting) -> bool {
    let mut whys = greeting.lacks.iter().filter(|(lacking, ..)| *lacking == tool);
    !whys.any(|(.., why)| why.ends_with("in the image"))
}

/// The failure for a pod that cannot use a required tool.
fn unable(record: &RunRecord, place: &Place, tool: Tool, greeting: &Greeting) -> Failure {
    let probe = &record.plan.probe;
    let image = if probe.pod.is_some() { String::new() } else { format!(" with image {}", probe.image) };
    let Place { namespace, pod, .. } = place;
    let mut failure = Failure::new(format!("pod {namespace}/{pod}{image} cannot probe by {tool}"));
    for (_, family, why) in greeting.lacks.iter().filter(|(lacking, ..)| *lacking == tool) {
        failure = failure.because(format!("{tool} over {family}: {why}"));
    }
    for text in &greeting.warnings {
        failure = failure.because(text);
    }
    let other = match tool {
        Tool::Ping if greeting.hello.can(Tool::Tcp) => {
            Some("probe a port of the guests, if they listen on one: --probe tcp:22")
        }
        Tool::Tcp if greeting.hello.can(Tool::Ping) => Some("ping the guests: --probe ping"),
        _ => None,
    };
    if let Some(other) = other {
        failure = failure.hint(other);
    }
    if probe.pod.is_some() {
        failure = failure.hint("let the run create its own prober pods: leave out --probe-pod");
    } else if tool == Tool::Ping {
        failure = failure
            .hint("choose an image with the ping of iputils, which needs no privilege: --probe-image IMAGE");
    }
    advise(failure, record)
}

/// Reason for a failed test
enum Fault {
    /// It will never work.
    Final(String),
    /// It cannot use a required tool.
    Unable(Tool, Greeting),
    /// It may work soon.
    Passing(String),
    /// The cluster refused.
    Cluster(ClusterError),
}

async fn once(cluster: &Cluster, record: &RunRecord, place: &Place) -> Result<Greeting, Fault> {
    let command = place.command(pace(record));
    let mut stream = cluster
        .exec(&place.namespace, &place.pod, place.container, &command)
        .await
        .map_err(Fault::Cluster)?;
    let greeting = match greet(&mut stream).await {
        Ok(greeting) => greeting,
        Err(why) => {
            let why = stream.why().await.map_or(why.clone(), |status| format!("{why}: {status}"));
            let hopeless = why.contains("executable file not found") || why.contains("no such file");
            return Err(if hopeless { Fault::Final(why) } else { Fault::Passing(why) });
        }
    };
    let tools = || record.plan.probe.probes.iter().filter_map(|probe| Tool::of(*probe));
    if let Some(tool) = tools().find(|tool| !greeting.hello.can(*tool)) {
        return Err(Fault::Unable(tool, greeting));
    }
    if !tools().any(|tool| tool == Tool::Ping) {
        return Ok(greeting);
    }
    ping_itself(&mut stream, greeting).await
}

/// Tests whether pings come back, which cannot be known otherwise. A family without any counts as lacking.
async fn ping_itself(stream: &mut LineStream, mut greeting: Greeting) -> Result<Greeting, Fault> {
    let broken = || Fault::Passing("the stream broke".to_owned());
    let mut open: Vec<(u32, Family)> = (0..).zip(greeting.hello.families(Tool::Ping)).collect();
    for (id, family) in &open {
        let address = match family {
            Family::V4 => std::net::Ipv4Addr::LOCALHOST.into(),
            Family::V6 => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let itself = Ask::Add { id: *id, probe: Probe::Ping, address, is_kept: false };
        stream.send(&itself.to_string()).await.map_err(|_| broken())?;
    }
    let mut refused = Vec::new();
    let until = monotonic_now() + ITSELF_WITHIN;
    while !open.is_empty() {
        let answer = match tokio::time::timeout_at(until.into(), stream.next()).await {
            Ok(Out::Line(_, line)) => Answer::parse(&line),
            Ok(Out::Error(_)) => None,
            Ok(Out::Ended) => return Err(broken()),
            Err(_) => break,
        };
        match answer {
            Some(Answer::Reached(reached)) => open.retain(|(id, _)| *id != reached),
            Some(Answer::Cannot(cannot, why)) => {
                if let Some(place) = open.iter().position(|(id, _)| *id == cannot) {
                    refused.push((open.remove(place).1, why));
                }
            }
            _ => {}
        }
    }
    let silent = open.into_iter().map(|(_, family)| (family, "the pod itself gives no answer".to_owned()));
    let is_silent = silent.len() > 0;
    for (family, why) in refused.into_iter().chain(silent) {
        greeting.hello.ping[usize::from(family == Family::V6)] = false;
        greeting.lacks.push((Tool::Ping, family, why));
    }
    match greeting.hello.can(Tool::Ping) {
        true => Ok(greeting),
        // The pod's network may still come up.
        false if is_silent => {
            let within = ITSELF_WITHIN.as_secs();
            Err(Fault::Passing(format!("ping of the pod itself got no answer within {within}s")))
        }
        false => Err(Fault::Unable(Tool::Ping, greeting)),
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_model::probe::Hello;

    use super::*;

    #[test]
    fn what_a_prober_can_do_is_said_by_tool_and_family() {
        let hello = Hello { by: By::Script, ping: [false, false], tcp: [true, false] };
        let lacks = [
            (Tool::Ping, Family::V4, "permission denied (are you root?)"),
            (Tool::Ping, Family::V6, "no address of this family"),
            (Tool::Tcp, Family::V6, "no address of this family"),
        ];
        let lacks = lacks.map(|(tool, family, why)| (tool, family, why.to_owned())).to_vec();
        let greeting = Greeting { hello, lacks, warnings: Vec::new() };
        assert_eq!(
            abilities(&greeting),
            "the probers use the tools of their image: TCP over IPv4, no ping over IPv4 (permission denied (are you \
             root?)), nothing over IPv6 (no address of this family)"
        );
        assert!(is_final(Tool::Ping, &greeting));
        let hello = Hello { by: By::Program, ping: [true; 2], tcp: [true; 2] };
        let greeting = Greeting { hello, lacks: Vec::new(), warnings: Vec::new() };
        assert_eq!(
            abilities(&greeting),
            "the probers use the prober program: ping over IPv4 and IPv6, TCP over IPv4 and IPv6"
        );
    }
}
