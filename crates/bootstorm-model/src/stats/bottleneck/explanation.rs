//! Sentences about the evidence for a bottleneck, and specific hints.

use std::collections::BTreeSet;

use super::suspect::{factor, needs_processors_only, reads_disks};
use super::{Bottleneck, Evidence, Part};
use crate::component::Component;
use crate::observe::{Milestone, Timeline};

/// Minimum number of requests that virt-controller sends to start one VM: 7 to 12, counted in its source.
const FEWEST_REQUESTS: f64 = 7.0;
const MOST_REQUESTS: f64 = 12.0;
/// Tolerance within which a rate matches a limit.
const CLOSE: f64 = 0.15;
/// Attachments per second of the external attacher at its default limit of 5 requests per second.
const ATTACHER: f64 = 2.5;
/// Where `KubeVirt` configures the limit of virt-controller.
const CONTROLLER_LIMIT: &str =
    "spec.configuration.controllerConfiguration.restClient.rateLimiter.tokenBucketRateLimiter (qps, burst)";
/// Workers of virt-controller by default.
const INSTANCE_WORKERS: u32 = 10;

/// Adds the evidence to a bottleneck.
pub(super) fn named(
    evidence: &Evidence<'_>,
    parts: &[Part],
    component: Component,
    main: &Part,
    share: f64,
    what: &str,
) -> Bottleneck {
    let mut because = vec![lengths(main, component)];
    because.extend(more(evidence, parts, component));
    Bottleneck {
        component,
        node: None,
        from: main.from,
        to: main.to,
        layers: component.layers().to_vec(),
        stuck: false,
        share_percent: Some(share * 100.0),
        sentence: format!("{} - {what} is spent there", component.noun()),
        because,
        remedies: remedies(component, evidence),
    }
}

/// Duration of the main part, and the rate of VMs if they queued.
fn lengths(main: &Part, component: Component) -> String {
    let storm = main.storm.unwrap_or(0.0);
    let stretch = format!("{} -> {} took {storm:.2}s on average", main.from, main.to);
    let compared =
        main.baseline.map(|baseline| format!(", {baseline:.2}s in the baseline")).unwrap_or_default();
    let rate = main
        .rate
        .filter(|_| component.is_queue())
        .map(|rate| format!("; VMs came through at {rate:.1} per second"))
        .unwrap_or_default();
    format!("{stretch}{compared}{rate}")
}

fn more(evidence: &Evidence<'_>, parts: &[Part], component: Component) -> Option<String> {
    let rate = |to: Milestone| parts.iter().find(|part| part.to == to)?.rate;
    let times = |of: fn(Component) -> bool| factor(parts, of).map(|factor| format!("{factor:.1} times"));
    match component {
        Component::Controller => controller(evidence, rate(Milestone::Pod)?),
        Component::Attaching => {
            let rate = rate(Milestone::Attached)?;
            is_close(rate, ATTACHER, ATTACHER).then(|| {
                format!("{rate:.1} per second is what the external attacher reaches at its default of 5 requests per second")
            })
        }
        Component::Images => Some(match evidence.images() {
            waited if waited > 0.0 => {
                format!("pods waited {waited:.2}s for images on average, by the kubelets' own clocks")
            }
            _ => "no pod waited for an image: the init containers took the time".to_owned(),
        }),
        Component::Disks | Component::Processors | Component::DisksOrProcessors => Some(format!(
            "stages that read disks took {} as long as in the baseline, those that only need processors {}",
            times(reads_disks)?,
            times(needs_processors_only)?
        )),
        Component::Queue => queue(evidence),
        Component::Launcher => Some(
            "launcher pods were not watched, so scheduling, volumes, images and containers cannot be told \
             apart"
                .to_owned(),
        ),
        Component::Network => Some("the guests' agents were connected, the guests did not answer".to_owned()),
        Component::Guest => Some(
            "the guests boot and get their addresses there; an agent that connects before the guest answers \
             would separate the two"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Number of VMs that migrate concurrently, and of participants.
fn queue(evidence: &Evidence<'_>) -> Option<String> {
    let limits = evidence.limits.migrations?;
    let (_, vms) = evidence.missing();
    let nodes: BTreeSet<&str> = evidence.storm.timelines.iter().filter_map(source).collect();
    let at_once = limits.at_once(nodes.len().max(1));
    let which = if limits.configured { "as configured" } else { "KubeVirt's defaults" };
    Some(format!(
        "of {vms} VMs on {nodes} nodes {at_once} migrate at a time: parallelMigrationsPerCluster is {}, parallelOutboundMigrationsPerNode is {} ({which})",
        limits.per_cluster,
        limits.per_node,
        nodes = nodes.len(),
    ))
}

/// The node that a guest leaves.
fn source(timeline: &Timeline) -> Option<&str> {
    timeline.migration.as_ref()?.from.as_deref()
}

/// Whether the rate of pods matches virt-controller's limits.
fn controller(evidence: &Evidence<'_>, rate: f64) -> Option<String> {
    let limits = evidence.limits;
    let workers = few_workers(evidence);
    let Some(bucket) = limits.controller else { return workers };
    let (low, high) = (bucket.qps / MOST_REQUESTS, bucket.qps / FEWEST_REQUESTS);
    if is_close(rate, low, high) {
        return Some(format!(
            "virt-controller at {} requests per second ({}) limits the creation of launcher pods to {rate:.1} per second: 7 to 12 requests for each VM give {low:.1} to {high:.1}",
            bucket.qps,
            if bucket.configured { "configured" } else { "default" },
        ));
    }
    workers.or_else(|| {
        Some(format!(
            "its limit of {} requests per second allows {low:.1} to {high:.1} VMs per second, {rate:.1} were \
             seen, so that limit is not the cause",
            bucket.qps
        ))
    })
}

fn few_workers(evidence: &Evidence<'_>) -> Option<String> {
    let workers = evidence.limits.instance_workers.filter(|workers| *workers < INSTANCE_WORKERS)?;
    let word = if workers == 1 { "worker" } else { "workers" };
    Some(format!("virt-controller has {workers} {word} for instances, the default is {INSTANCE_WORKERS}"))
}

/// Whether a rate is within a range, or close to it.
fn is_close(rate: f64, low: f64, high: f64) -> bool {
    (low * (1.0 - CLOSE)..=high * (1.0 + CLOSE)).contains(&rate)
}

/// Remedies for a component: specific ones for its own evidence, else general ones.
pub(super) fn remedies(component: Component, evidence: &Evidence<'_>) -> Vec<String> {
    let mut all: Vec<String> = component.remedies().iter().map(|one| (*one).to_owned()).collect();
    if component == Component::Controller {
        let rate = rate_of_pods(evidence);
        let matches = evidence.limits.controller.zip(rate).is_some_and(|(bucket, rate)| {
            is_close(rate, bucket.qps / MOST_REQUESTS, bucket.qps / FEWEST_REQUESTS)
        });
        if matches {
            all.push(format!("raise {CONTROLLER_LIMIT} of the KubeVirt object"));
        }
        if few_workers(evidence).is_some() {
            all.push("raise vmi-controller-threads in spec.customizeComponents.flags.controller of the KubeVirt object".to_owned());
        }
        if all.is_empty() {
            all.push(
                "check the CPU and the work queues of the leading virt-controller, and the latency of the \
                 API server"
                    .to_owned(),
            );
        }
    }
    all
}

fn rate_of_pods(evidence: &Evidence<'_>) -> Option<f64> {
    super::rate(evidence.storm.timelines, Milestone::Pod)
}
