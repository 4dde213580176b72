//! Parameters, cluster, and how well it was measured.

use super::markup::Markup;
use super::outline::host;
use super::subject::{Subject, Subjects};
use super::words;
use crate::Report;

/// A name and a value
type Fact = (&'static str, String);

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    body.open("section", &[("id", "facts")]).leaf("h2", &[], "Facts");
    body.open("div", &[("class", "cards")]);
    card(body, "Run", &run(report));
    card(body, "Cluster", &cluster(report));
    for subject in subjects.iter() {
        card(body, &format!("How {} was run", subject.phase.name), &settings(subject));
        card(body, &format!("How well {} was measured", subject.phase.name), &quality(subject));
    }
    body.close("div").close("section");
}

fn card(body: &mut Markup, title: &str, facts: &[Fact]) {
    body.open("div", &[("class", "card")]).leaf("h3", &[], title).open("dl", &[]);
    for (name, value) in facts {
        body.leaf("dt", &[], name).leaf("dd", &[], value);
    }
    body.close("dl").close("div");
}

fn run(report: &Report) -> Vec<Fact> {
    let (run, plan) = (&report.run, &report.plan);
    let probes: Vec<String> = plan.probes.iter().map(ToString::to_string).collect();
    // Another tool's documents have names, and no plan.
    let is_planned = plan.end > 0;
    let namespaces = is_planned.then(|| plan.layout.describe(&run.name, (plan.start, plan.end)));
    let namespaces = namespaces.unwrap_or_else(|| "those of the VMs".to_owned());
    vec![
        ("VMs", plan.vms.to_string()),
        ("Name of each VM", plan.vm_name.clone()),
        ("Namespaces", namespaces),
        ("Nodes", plan.pinning.to_string()),
        ("Template", plan.template.to_string()),
        ("Reachable by", if probes.is_empty() { "not probed".to_owned() } else { probes.join(", then ") }),
        ("Set up", words::time(run.created)),
        (
            "Namespaces made",
            format!(
                "{} in {}, {} at a time",
                report.setup.namespaces,
                words::seconds(report.setup.took),
                report.setup.batch_size
            ),
        ),
        ("Run id", run.id.clone()),
        ("Tool", run.tool_version.clone().unwrap_or_else(|| "unknown".to_owned())),
    ]
}

fn cluster(report: &Report) -> Vec<Fact> {
    let cluster = &report.cluster;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let number = |value: Option<usize>| value.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let server = cluster.server.as_deref().map(|server| host(server).to_owned());
    vec![
        ("Context", text(&cluster.context)),
        ("Server", text(&server)),
        ("Kubernetes", text(&cluster.kubernetes_version)),
        ("KubeVirt", text(&cluster.kubevirt_version)),
        ("Nodes", number(cluster.nodes)),
        ("Nodes for VMs", number(cluster.schedulable_nodes)),
    ]
}

fn settings(subject: Subject<'_>) -> Vec<Fact> {
    let (settings, spans) = (&subject.phase.settings, &subject.phase.spans);
    vec![
        ("Begun", words::time(subject.phase.began)),
        ("Goal of each VM", subject.phase.goal.to_string()),
        ("Requests in flight", settings.concurrency.to_string()),
        ("Time limit per VM", format!("{} s", settings.timeout_seconds)),
        ("First to last request", words::maybe_seconds(spans.request_skew)),
        ("All requests accepted after", words::maybe_seconds(spans.issue)),
        ("Whole phase", words::maybe_seconds(spans.total)),
    ]
}

fn quality(subject: Subject<'_>) -> Vec<Fact> {
    let effort = &subject.phase.effort;
    let mut facts = vec![
        ("Requests sent", effort.requests.to_string()),
        ("VMs that needed several", effort.retried_vms.to_string()),
        ("Answers “too many requests”", effort.throttled_answers.to_string()),
        ("Waited after them, all VMs", words::seconds(effort.throttled)),
        ("Watch reopened", effort.watch_restarts.to_string()),
        ("Watch blind for", words::seconds(effort.watch_gap)),
        ("VMs timed by a server stamp (±1 s)", effort.stamped_vms.to_string()),
    ];
    if let Some(probing) = &subject.phase.probing {
        facts.push(("Probers", probing.probers.to_string()));
        facts.push(("Answers seen at most late by", words::seconds(probing.resolution())));
        facts.push(("Probing interrupted for", words::seconds(probing.gap)));
    }
    facts
}
