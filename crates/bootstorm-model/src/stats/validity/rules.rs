//! The rules, one function each.

use super::{Conditions, Doubt, Late, Trust, Validity};

/// A rule's grade and its sentence
type Found = (Option<Validity>, String);

/// A share or an error up to this is negligible.
const SOME: f64 = 0.01;
/// Unwatched share above which a phase counts as interrupted.
const ABANDONED: f64 = 0.05;
/// A larger share spoils the overall statistics.
const MANY: f64 = 0.25;

/// Applies every rule.
pub(super) fn all(of: &Conditions) -> Vec<Trust> {
    let probe = of.probe.is_some().then(|| (Doubt::Probe, probe(of)));
    let rules = [
        (Doubt::Watch, watch(of)),
        (Doubt::Unknown, unknown(of)),
        (Doubt::Delay, delay(of)),
        (Doubt::Client, client(of)),
        (Doubt::Requests, requests(of)),
        (Doubt::Clock, clock(of)),
    ];
    let rules = rules.into_iter().chain(probe).chain([(Doubt::Cluster, cluster(of))]);
    rules.map(|(rule, (grade, measured))| Trust { rule, grade, measured }).collect()
}

fn watch(of: &Conditions) -> Found {
    if of.gaps == 0 && of.unseen == 0 {
        return (Some(Validity::Valid), "it was never interrupted".into());
    }
    // Without a gap, nothing bounds how late a time was noticed.
    let least = if of.stamped > 0 || of.gaps == 0 { 1.0 } else { 0.0 };
    let uncertain = if of.late > 0 { of.longest_gap.max(least) } else { least };
    let grade = match share(of.unseen, of.vms) {
        share if share > MANY && exceeds(uncertain, of.median, MANY) => Validity::Invalid,
        share if share > SOME => Validity::Qualified,
        _ if of.abandoned > ABANDONED => Validity::Qualified,
        _ => Validity::Valid,
    };
    let gaps = match of.gaps {
        // What was not seen was delivered late, passed before a process watched, or was read from another program.
        0 => String::new(),
        gaps => format!("{} totaling {}; ", count(gaps, "interruption"), seconds(of.gap)),
    };
    let unseen = match (of.stamped, of.late) {
        (0, 0) => "no VM's time was missed".to_owned(),
        (stamped, 0) => {
            format!("{stamped} of {} {} times from server timestamps (±1 s)", vms(of.vms), have(stamped))
        }
        (0, late) => format!("{late} of {} {} times that were noticed late", vms(of.vms), have(late)),
        (stamped, late) => {
            format!(
                "of {}, {stamped} have times from server timestamps (±1 s), and {late} have times that were noticed late",
                vms(of.vms)
            )
        }
    };
    let abandoned = if of.abandoned > ABANDONED {
        format!("; for {:.0} % of the phase no process was watching", of.abandoned * 100.0)
    } else {
        String::new()
    };
    (Some(grade), format!("{gaps}{unseen}{abandoned}"))
}

fn have(vms: usize) -> &'static str {
    if vms == 1 { "has" } else { "have" }
}

fn unknown(of: &Conditions) -> Found {
    let grade = match share(of.unknown + of.undecided, of.vms) {
        share if share > MANY => Validity::Invalid,
        share if share > SOME || of.undecided > 0 => Validity::Qualified,
        _ => Validity::Valid,
    };
    let measured = match (of.unknown, of.undecided) {
        (0, 0) => "every VM that reached the goal has a time".into(),
        (unknown, 0) => {
            format!("{unknown} of {} reached the goal after an unknown time", vms(of.vms))
        }
        (0, undecided) => {
            format!("whether {undecided} of {} reached the goal in time could not be observed", vms(of.vms))
        }
        (unknown, undecided) => format!(
            "of {}, {unknown} reached the goal after an unknown time; whether {undecided} reached it in time \
             could not be observed",
            vms(of.vms)
        ),
    };
    (Some(grade), measured)
}

fn delay(of: &Conditions) -> Found {
    let Some(late) = of.watch.filter(|late| late.count > 0) else {
        return (None, "not measured: no change arrived while requests were answered".into());
    };
    let measured = format!(
        "{} arrived at least this late: p99 {}, maximum {}",
        count(late.count as usize, "change"),
        fine(late.p99),
        fine(late.longest)
    );
    (Some(lateness(late, of.median)), measured)
}

fn client(of: &Conditions) -> Found {
    let Some(late) = of.timer.filter(|late| late.count > 0) else {
        return (None, "not measured".into());
    };
    let processors = of.processors.map_or_else(String::new, |(used, all)| {
        format!("; it took {used:.2} of {}", count(all as usize, "processor"))
    });
    let measured = format!(
        "this program reacted within {} (p99; maximum {}){processors}",
        fine(late.p99),
        fine(late.longest)
    );
    (Some(lateness(late, of.median)), measured)
}

/// The grade of a delay relative to the times that it affects.
fn lateness(late: Late, median: Option<f64>) -> Validity {
    if late.p99 >= 1.0 && exceeds(late.p99, median, MANY) {
        Validity::Invalid
    } else if late.p99 >= 0.1 && exceeds(late.p99, median, 0.05) {
        Validity::Qualified
    } else {
        Validity::Valid
    }
}

fn requests(of: &Conditions) -> Found {
    if of.asked == 0 {
        return (None, "not measured: no request is known".into());
    }
    let grade = if of.put_off > 0 && share(of.put_off, of.asked) >= SOME {
        Validity::Qualified
    } else {
        Validity::Valid
    };
    let others = match of.retries {
        0 => String::new(),
        retries => format!("; {} more had to be resent", count(retries as usize, "request")),
    };
    let measured = match (of.put_off, of.throttled) {
        (0, _) => "each was accepted or refused at once".to_owned(),
        (put_off, 0) => format!("the requests of {put_off} of {} had to be resent", vms(of.asked)),
        (put_off, throttled) => format!(
            "the requests of {put_off} of {} were deferred by the server, {}",
            vms(of.asked),
            count(throttled as usize, "answer") + " 429"
        ),
    };
    let why = match &of.resent_after {
        // A deferral is its own reason.
        _ if of.throttled > 0 => String::new(),
        Some((why, _)) if of.put_off == 1 => format!(" ({why})"),
        Some((why, n)) => format!(" ({n} after: {why})"),
        None => String::new(),
    };
    (Some(grade), measured + &why + &others)
}

fn clock(of: &Conditions) -> Found {
    let Some((least, most)) = of.clock else { return (None, "the server does not report its time".into()) };
    if least > most {
        let grade = if of.stamped > 0 { Validity::Qualified } else { Validity::Valid };
        return (Some(grade), "a clock was adjusted meanwhile, or servers disagree on the time".into());
    }
    let ahead = f64::midpoint(least, most);
    let error = (most - least) / 2.0;
    let grade =
        if of.stamped > 0 && ahead.abs() - error > 2.0 { Validity::Qualified } else { Validity::Valid };
    let measured = if ahead.abs() <= error.max(0.05) {
        format!("the server's agrees with ours to ±{error:.2} s")
    } else {
        let way = if ahead > 0.0 { "ahead" } else { "behind" };
        format!("the server's is {:.2} s {way} (±{error:.2} s); times are measured on ours", ahead.abs())
    };
    (Some(grade), measured)
}

fn probe(of: &Conditions) -> Found {
    let resolution = of.probe.unwrap_or_default();
    let grade = if resolution >= 1.0 && exceeds(resolution, of.median, 0.5) {
        Validity::Invalid
    } else if resolution > 0.25 && exceeds(resolution, of.median, 0.1) {
        Validity::Qualified
    } else {
        Validity::Valid
    };
    (Some(grade), format!("answers are seen within {}", fine(resolution)))
}

fn cluster(of: &Conditions) -> Found {
    if of.changed_before.is_none() && of.changed_meanwhile.is_none() {
        return (None, "not checked".into());
    }
    let named =
        |changes: &Option<Vec<String>>| changes.as_ref().map_or_else(String::new, |all| all.join(", "));
    let (before, meanwhile) = (named(&of.changed_before), named(&of.changed_meanwhile));
    let grade = match (before.is_empty(), meanwhile.is_empty()) {
        (true, true) => Validity::Valid,
        (_, false) if of.upgraded => Validity::Invalid,
        _ => Validity::Qualified,
    };
    let measured = match (before.as_str(), meanwhile.as_str()) {
        ("", "") => "versions, settings and nodes stayed the same".to_owned(),
        (before, "") => format!("changed since the setup: {before}"),
        ("", meanwhile) => format!("changed during the phase: {meanwhile}"),
        (before, meanwhile) => format!("changed since the setup: {before}; during the phase: {meanwhile}"),
    };
    (Some(grade), measured)
}

/// Whether an error exceeds a share of the times; always true for unknown times.
fn exceeds(error: f64, median: Option<f64>, share: f64) -> bool {
    median.is_none_or(|median| error > median * share)
}

fn share(some: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { some as f64 / all as f64 }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

/// `3 ms`, `1.25 s`.
fn fine(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.0005 => "0 ms".to_owned(),
        seconds if seconds < 0.0095 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

fn vms(n: usize) -> String {
    count(n, "VM")
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
