//! The story of a storm: the guide's phases 1 to 4.

use super::Page;
use crate::color::Tone;
use crate::people::words;
use crate::phase::PhaseBlock;
use crate::row::Row;
use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::plan::Shape;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::record::StormKind;

/// Writes phases 1 to 4; the first two only if the stop is known.
pub(super) fn storm(page: &mut Page, stop: Option<&PhaseBlock>, storm: &PhaseBlock) {
    page.blank();
    if let Some(stop) = stop {
        page.line("Phase 1: Stopping all VMs...");
        issued(page, stop, "stop");
        page.blank();
        page.line("Phase 2: Waiting for all VMs to be fully stopped...");
        stopped(page, stop);
        page.blank();
    }
    let (how, crowd) = shape(storm);
    let vms = words::vms(storm.counts.participants);
    if storm.settings.kind == StormKind::Observed {
        page.line(&format!("Watching {vms} come back; each is timed from the first sign of its outage"));
        monitored(page, storm);
        page.blank();
        return;
    }
    match storm.settings.kind {
        StormKind::Start => page.line(&format!("Phase 3: Starting all VMs {how} (BOOT STORM)...")),
        StormKind::Observed => {}
        StormKind::Restart => page.line(&format!("Restarting all running VMs {how}...")),
        StormKind::Drain => {
            let nodes = storm.settings.nodes.join(", ");
            page.line(&format!("Draining {nodes}: evicting VMs {how}..."));
        }
        StormKind::Migrate => page.line(&format!("Migrating all running VMs {how}...")),
    }
    issued(page, storm, storm.settings.kind.word());
    at_a_time(page, storm);
    page.blank();
    match storm.settings.kind {
        StormKind::Start => page.line(&format!("Phase 4: Monitoring boot storm ({vms} {crowd})...")),
        StormKind::Observed => {}
        StormKind::Restart => page.line(&format!("Monitoring the restart ({vms} {crowd})...")),
        StormKind::Drain => page.line(&format!("Monitoring the drain ({vms} {crowd})...")),
        StormKind::Migrate => page.line(&format!("Monitoring the migration ({vms} {crowd})...")),
    }
    monitored(page, storm);
    if let (Some(stop), Some(total)) = (stop, storm.spans.took())
        && let Some(stopping) = stop.spans.took()
    {
        let parts = format!("stop {} + storm {}", words::seconds(stopping), words::seconds(total));
        page.sentence(
            None,
            0,
            &format!("Total boot storm duration: {} ({parts})", words::seconds(stopping + total)),
        );
    }
    page.blank();
}

/// How the starts were sent, and the matching noun.
fn shape(storm: &PhaseBlock) -> (String, &'static str) {
    let settings = &storm.settings;
    let (how, crowd) = match settings.shape {
        None => ("simultaneously".to_owned(), "at once"),
        Some(Shape::Wave { vms, every_millis }) => {
            let every = words::plain_seconds(every_millis as f64 / 1e3);
            (format!("in waves of {vms}, one every {every}"), "in waves")
        }
        Some(Shape::WaveReady { vms }) => {
            (format!("in waves of {vms}, each when the last is up"), "in waves")
        }
        Some(Shape::Ramp { vms, over_millis }) => {
            let over = words::plain_seconds(over_millis as f64 / 1e3);
            (format!("one by one, {vms} within {over}"), "one by one")
        }
        Some(rate @ Shape::Rate { .. }) => {
            (format!("one by one, {}", rate.to_string().trim_start_matches("rate ")), "one by one")
        }
    };
    let order = if settings.order.is_name() { String::new() } else { format!(", order {}", settings.order) };
    (how + &order, crowd)
}

/// Writes the lines of a stop that no storm has followed yet.
pub(super) fn stop_alone(page: &mut Page, stop: &PhaseBlock) {
    issued(page, stop, "stop");
    stopped(page, stop);
    page.rule('-');
}

fn issued(page: &mut Page, phase: &PhaseBlock, verb: &str) {
    let accepted = phase.summary(Milestone::Accepted).arrived;
    let Some(issue) = phase.spans.issue else {
        // Results of another tool may not have the times of the requests.
        if phase.counts.reached > 0 {
            return;
        }
        page.toned(Tone::Bad, &format!("No {verb} command was accepted"));
        return;
    };
    let issue = words::seconds(issue);
    if accepted == phase.counts.participants {
        let all = if verb == "stop" { "Stop".to_owned() } else { format!("All {verb}") };
        page.line(&format!("{all} commands issued in {issue}"));
    } else {
        let line = format!("{accepted} of {} {verb} commands issued in {issue}", phase.counts.participants);
        page.toned(Tone::Fair, &line);
    }
}

fn stopped(page: &mut Page, stop: &PhaseBlock) {
    let (reached, vms) = (stop.counts.reached, stop.counts.participants);
    match stop.spans.goal {
        Some(span) if reached == vms => page.line(&format!("All VMs stopped in {}", words::seconds(span))),
        Some(span) => page.line(&format!("{} stopped in {}", words::vms(reached), words::seconds(span))),
        // The times of their requests may be unknown.
        None if reached > 0 => {}
        None => page.toned(Tone::Bad, "No VM has stopped"),
    }
    page.line(&format!("Successfully stopped: {reached}/{vms} VMs"));
    if !stop.is_done() {
        page.toned(Tone::Fair, &format!("Stopping is not over ({})", stop.state.word()));
    }
}

fn monitored(page: &mut Page, storm: &PhaseBlock) {
    let first = match storm.settings.kind {
        StormKind::Observed => "First sign of an outage".to_owned(),
        kind => format!("First {} request", kind.noun()),
    };
    let what = match storm.settings.kind {
        StormKind::Start => "Boot storm monitoring",
        StormKind::Restart => "Restart monitoring",
        StormKind::Drain => "Drain monitoring",
        StormKind::Migrate => "Migration monitoring",
        StormKind::Observed => "Recovery",
    };
    if storm.settings.kind == StormKind::Restart
        && let Some(gone) = storm.summary(Milestone::Gone).max
    {
        page.line(&format!("Slowest shutdown of a guest: {}", words::seconds(gone)));
    }
    if storm.goal == Milestone::Migrated {
        migrated(page, storm);
    } else if storm.goal == Milestone::Moved {
        drained(page, storm);
    }
    if let Some(span) = storm.spans.running {
        let over = over(storm, storm.summary(Milestone::Running).arrived);
        page.sentence(None, 0, &format!("{first} to last VM running: {}{over}", words::seconds(span)));
    }
    if storm.is_probed()
        && let Some(span) = storm.spans.goal
    {
        let over = over(storm, storm.counts.reached);
        page.sentence(None, 0, &format!("{first} to last VM reachable: {}{over}", words::seconds(span)));
    }
    match storm.spans.took() {
        Some(span) if storm.is_done() => {
            page.line(&format!("{what} completed in {}", words::seconds(span)));
        }
        Some(span) => {
            page.toned(Tone::Fair, &format!("{what} {} after {}", storm.state.word(), words::seconds(span)));
        }
        None => {
            page.toned(Tone::Fair, &format!("{what} is not over ({})", storm.state.word()));
        }
    }
}

/// ` (45 of 49 VMs)`, unless all of them got there.
fn over(storm: &PhaseBlock, arrived: usize) -> String {
    let all = storm.counts.participants;
    if arrived >= all { String::new() } else { format!(" ({arrived} of {})", words::vms(all)) }
}

/// Number of VMs that `KubeVirt` migrates concurrently.
fn at_a_time(page: &mut Page, storm: &PhaseBlock) {
    let Some(limits) = storm.migrations else { return };
    let (all, node) = (limits.per_cluster, limits.per_node);
    page.line(&format!("KubeVirt migrates at most {all} VMs at a time, {node} from one node"));
    if let Some(bytes) = limits.bandwidth_bytes {
        page.line(&format!("Each migration may send {} per second", Quantity::whole(bytes)));
    }
}

/// The slowest VM of each stretch of a migration.
fn migrated(page: &mut Page, storm: &PhaseBlock) {
    let longest = |from: Milestone, to: Milestone| {
        let stage = storm.stages.iter().find(|stage| (stage.from, stage.to) == (from, to))?;
        stage.summary.max
    };
    let lines = [
        ("Longest wait in KubeVirt's queue", longest(Milestone::Accepted, Milestone::Pod)),
        ("Longest copy of memory", longest(Milestone::Copying, Milestone::Migrated)),
    ];
    for (what, seconds) in lines {
        if let Some(seconds) = seconds {
            page.line(&format!("{what}: {}", words::seconds(seconds)));
        }
    }
    if let Some(span) = storm.spans.goal {
        let over = over(storm, storm.counts.reached);
        page.sentence(
            None,
            0,
            &format!("First migration request to last VM migrated: {}{over}", words::seconds(span)),
        );
    }
}

/// How the VMs left, and when each node was empty of them.
fn drained(page: &mut Page, storm: &PhaseBlock) {
    let moved = || storm.rows.iter().filter(|row| row.outcome == Outcome::Reached);
    let migrated = moved().filter(|row| row.milestones.contains_key(&Milestone::Migrated)).count();
    let restarted = moved().count() - migrated;
    page.line(&format!("{} migrated, {} restarted elsewhere", words::vms(migrated), words::vms(restarted)));
    for node in &storm.settings.nodes {
        let from = |row: &&Row| row.migration.as_ref().is_some_and(|moved| moved.from.as_ref() == Some(node));
        let of_node: Vec<&Row> = storm.rows.iter().filter(from).collect();
        let left = of_node.iter().filter(|row| row.outcome == Outcome::Reached).count();
        let last = of_node.iter().filter_map(|row| Some(row.requested_at? + row.seconds(Milestone::Moved)?));
        let first = storm.first_request().at().map(Offset::seconds);
        let known = |row: &Row| row.requested_at.is_some();
        match (last.max_by(f64::total_cmp).zip(first), left) {
            (Some((last, first)), left) if left == of_node.len() && of_node.iter().all(|row| known(row)) => {
                let took = words::seconds((last - first).max(0.0));
                page.line(&format!("{node}: all {} moved after {took}", words::vms(left)));
            }
            _ => {
                let line = format!("{node}: {left} of {} moved", words::vms(of_node.len()));
                page.toned(if of_node.is_empty() { Tone::Faint } else { Tone::Bad }, &line);
            }
        }
    }
}

/// Lists the VMs that did not stop, a few by name.
pub(super) fn not_stopped(page: &mut Page, stop: &PhaseBlock) {
    const NAMED: usize = 5;
    let left: Vec<&str> = stop
        .rows
        .iter()
        .filter(|row| row.outcome != Outcome::Reached)
        .map(|row| row.namespace.as_str())
        .collect();
    if left.is_empty() {
        return;
    }
    let named = left[..left.len().min(NAMED)].join(", ");
    let more = if left.len() > NAMED { format!(" and {} more", left.len() - NAMED) } else { String::new() };
    page.sentence(Some(Tone::Fair), 0, &format!("Not stopped: {named}{more}"));
    page.blank();
}
