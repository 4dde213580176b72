//! The prober pods of a run: made, waited for, and tried before they are relied on.

use std::time::Duration;

use super::event::{Event, Listener};
use super::prober::{Ours, Place, command, greet};
use crate::cluster::exec::Out;
use crate::cluster::metadata::Metadata;
use crate::cluster::names::RUN_ID;
use crate::cluster::ownership::{self, Estate, Stranger};
use crate::cluster::probers::{PodState, Prober, collection, name, selector};
use crate::cluster::watch::{Told, Watch};
use crate::cluster::{Cluster, Kind, Trouble};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::probe::{Answer, Ask, Hello, Probe, interval_millis};
use bootstorm_model::record::RunRecord;

/// How long the pods may take to run, images included.
const RUNNING_WITHIN: Duration = Duration::from_secs(180);
/// A pod that complains may still recover within this time, as after a passing registry failure.
const GRACE: Duration = Duration::from_secs(20);
/// How long the tools of a running pod may take to work.
const WORKING_WITHIN: Duration = Duration::from_secs(60);

/// The interval between attempts of a run, in milliseconds.
pub(super) fn interval(record: &RunRecord) -> u64 {
    let probers = if record.plan.probe.pod.is_some() { 1 } else { record.plan.probe.probers.max(1) };
    interval_millis((record.plan.size() as usize).div_ceil(probers))
}

/// Where the probers of a run are; none when it needs none.
pub(super) fn places(cluster: &Cluster, record: &RunRecord) -> Vec<Place> {
    let plan = &record.plan;
    if !plan.probe.needs_prober() {
        return Vec::new();
    }
    if let Some((namespace, pod)) = &plan.probe.pod {
        return vec![Place { namespace: namespace.clone(), pod: pod.clone(), ours: None }];
    }
    let place = |number| Place {
        namespace: cluster.namespace().to_owned(),
        pod: name(&plan.prefix, number),
        ours: Some(Ours {
            prefix: plan.prefix.clone(),
            run_id: record.run_id.clone(),
            number,
            probe: plan.probe.clone(),
        }),
    };
    (1..=plan.probe.probers.max(1)).map(place).collect()
}

/// Makes the probers that are missing, waits until they run, and tries the probe in each.
///
/// Fails with what keeps them from working and what to do about it.
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
    if record.plan.probe.pod.is_none() {
        for ours in places.iter().filter_map(|place| place.ours.as_ref()) {
            let (name, uid) = make(cluster, record, ours).await?;
            record.made.probers.insert(name, uid);
        }
        wait_until_running(cluster, record, places.len()).await?;
    }
    for place in &places {
        try_out(cluster, record, place).await?;
        events(&Event::ProberWorks);
    }
    Ok(())
}

/// Makes a prober, unless it is there; gives its name and its UID.
async fn make(cluster: &Cluster, record: &RunRecord, ours: &Ours) -> Result<(String, String), Failure> {
    let made = cluster.make_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe).await?;
    let name = made.name.clone();
    match Estate::of(record).judge(ownership::Kind::Prober, &made) {
        Ok(()) => Ok((made.name, made.uid)),
        // It was made again in a phase, when it had gone away.
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

fn advise(failure: Failure, record: &RunRecord) -> Failure {
    let failure = match &record.plan.probe.pod {
        Some(_) => failure.hint("choose another pod with --probe-pod NAMESPACE/NAME"),
        None => {
            failure.hint("choose an image with sh and ping that your nodes can pull: --probe-image IMAGE")
        }
    };
    failure.hint("or do without probers: --probe agent, or --probe none").hint(format!(
        "to change that, set the run up again: kubectl bootstorm cleanup --ns-prefix {}",
        record.plan.prefix
    ))
}

async fn wait_until_running(cluster: &Cluster, record: &RunRecord, wanted: usize) -> Result<(), Failure> {
    let pods = collection(cluster.namespace());
    let mut watch: Watch<PodState> =
        Watch::open(cluster, "watch the prober pods", pods, selector(&record.run_id)).await?;
    let began = monotonic_now();
    let mut known: std::collections::BTreeMap<String, Prober> = std::collections::BTreeMap::new();
    loop {
        if known.values().filter(|prober| prober.running).count() >= wanted {
            return Ok(());
        }
        let complaint = known.values().find_map(|p| Some((p.name.clone(), p.complaint.clone()?)));
        let limit = if complaint.is_some() { GRACE } else { RUNNING_WITHIN };
        let heard = tokio::time::timeout_at((began + limit).into(), watch.next()).await;
        match heard.map(|heard| heard.map(|heard| heard.told)) {
            Ok(Some(Told::Listed(pods))) => {
                known = pods.into_iter().map(Prober::from).map(|p| (p.name.clone(), p)).collect();
            }
            Ok(Some(Told::Changed(pod))) => {
                let prober = Prober::from(pod);
                known.insert(prober.name.clone(), prober);
            }
            Ok(Some(Told::Removed(pod))) => {
                known.remove(&Prober::from(pod).name);
            }
            Ok(Some(
                Told::Unreadable(_) | Told::Interrupted { .. } | Told::Restored | Told::Complaint(_),
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

/// Runs the probe in a pod against the pod itself, until it works.
async fn try_out(cluster: &Cluster, record: &RunRecord, place: &Place) -> Result<(), Failure> {
    let until = monotonic_now() + WORKING_WITHIN;
    loop {
        let why = match once(cluster, record, place).await {
            Ok(()) => return Ok(()),
            Err(Fault::Final(why)) => {
                let failure =
                    Failure::new(format!("the probe does not work in pod {}/{}", place.namespace, place.pod));
                return Err(advise(failure.because(why), record));
            }
            Err(Fault::Trouble(trouble)) if matches!(trouble.kind, Kind::Forbidden | Kind::Credentials) => {
                return Err(
                    Failure::from(trouble).hint("or do without probers: --probe agent, or --probe none")
                );
            }
            Err(Fault::Trouble(trouble)) => trouble.to_string(),
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
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Why a try failed
enum Fault {
    /// It will never work.
    Final(String),
    /// It may work soon.
    Passing(String),
    /// The cluster refused.
    Trouble(Trouble),
}

async fn once(cluster: &Cluster, record: &RunRecord, place: &Place) -> Result<(), Fault> {
    let mut stream = cluster
        .exec(&place.namespace, &place.pod, &command(interval(record)))
        .await
        .map_err(Fault::Trouble)?;
    let hello = match greet(&mut stream).await {
        Ok(hello) => hello,
        Err(why) => {
            let why = stream.why().await.map_or(why.clone(), |status| format!("{why}: {status}"));
            let hopeless = why.contains("executable file not found") || why.contains("no such file");
            return Err(if hopeless { Fault::Final(why) } else { Fault::Passing(why) });
        }
    };
    missing_tool(&record.plan.probe.probes, hello)
        .map_or(Ok(()), |tool| Err(Fault::Passing(format!("its image has no {tool}"))))?;
    if !record.plan.probe.probes.contains(&Probe::Ping) {
        return Ok(());
    }
    // Whether ping is permitted shows only when it is tried.
    let itself = Ask::Add { id: 0, probe: Probe::Ping, address: std::net::Ipv4Addr::LOCALHOST.into() };
    let broken = |_| Fault::Passing("the stream broke".to_owned());
    stream.send(&itself.to_string()).await.map_err(broken)?;
    let answer = async {
        loop {
            match stream.next().await {
                Out::Line(_, line) => match Answer::parse(&line) {
                    Some(Answer::Reached(0)) => return Ok(()),
                    Some(Answer::Cannot(0, why)) => return Err(Fault::Final(format!("ping fails: {why}"))),
                    _ => {}
                },
                Out::Error(_) => {}
                Out::Ended => return Err(Fault::Passing("the stream broke".to_owned())),
            }
        }
    };
    let patience = Duration::from_secs(5);
    tokio::time::timeout(patience, answer)
        .await
        .unwrap_or_else(|_| Err(Fault::Passing("ping of the pod itself got no answer within 5s".to_owned())))
}

fn missing_tool(probes: &[Probe], hello: Hello) -> Option<&'static str> {
    let needs = |probe: &Probe| match probe {
        Probe::Ping if !hello.ping => Some("ping"),
        Probe::Tcp(_) if !hello.nc => Some("nc"),
        _ => None,
    };
    probes.iter().find_map(needs)
}
