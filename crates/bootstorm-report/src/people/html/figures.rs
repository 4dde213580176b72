//! Key figures, in large type.

use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::words;
use crate::Report;
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::StormKind;
use bootstorm_model::stats::{Change, Quantile, Zero};

/// One figure: label, value, and a value to compare it with
struct Figure {
    name: String,
    value: String,
    beside: String,
}

/// Writes the figures of the main phase.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    let Some(main) = subjects.main() else { return };
    let mut figures = vec![arrived(main), recovered(main, subjects)];
    for milestone in subjects.milestones() {
        figures.extend(per_vm(report, main, milestone));
    }
    figures.extend(downtime(main));
    figures.push(skew(main));
    body.open("dl", &[("class", "figures")]);
    for figure in figures {
        body.open("div", &[]).leaf("dt", &[], &figure.name);
        let is_number = figure.value.starts_with(|c: char| c.is_ascii_digit());
        body.leaf("dd", &[("class", if is_number { "value" } else { "value words" })], &figure.value);
        body.leaf("dd", &[("class", "beside")], &figure.beside).close("div");
    }
    body.close("dl");
}

/// Downtime of guests while their VMs moved.
fn downtime(main: Subject<'_>) -> Option<Figure> {
    let block = main.phase.downtime.as_ref().filter(|block| block.guests > 0)?;
    Some(Figure {
        name: "Longest downtime".to_owned(),
        value: match block.interrupted {
            0 => "none".to_owned(),
            _ => words::maybe_seconds(block.summary.max),
        },
        beside: match (block.interrupted, block.away) {
            (0, _) => "no guest missed an answer".to_owned(),
            (_, 0) => format!("{} of {} guests missed an answer", block.interrupted, block.guests),
            (_, away) => format!("{} not back yet", words::count(away, "guest")),
        },
    })
}

fn arrived(main: Subject<'_>) -> Figure {
    let counts = &main.phase.counts;
    let mut beside = vec![words::percent(counts.reached, counts.participants)];
    let others = [
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.unknown, "unknown"),
        (counts.pending, "pending"),
        (counts.excluded, "excluded"),
    ];
    beside.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
    Figure {
        name: match main.role {
            Role::Storm => "VMs reached".to_owned(),
            Role::Baseline => "VMs created".to_owned(),
            Role::Stop => "VMs stopped".to_owned(),
        },
        value: format!("{} / {}", counts.reached, counts.participants),
        beside: beside.join(" · "),
    }
}

/// Time until all VMs were back, or the largest share that was.
fn recovered(main: Subject<'_>, subjects: &Subjects<'_>) -> Figure {
    let (recovery, goal) = (&main.phase.recovery, main.phase.goal);
    let levels = [
        ("Everyone", recovery.t100),
        ("99 %", recovery.t99),
        ("95 %", recovery.t95),
        ("90 %", recovery.t90),
        ("Half", recovery.t50),
    ];
    let reached = levels.iter().find(|(_, quantile)| *quantile != Quantile::NotReached);
    let (share, quantile) = reached.copied().unwrap_or(levels[0]);
    let mut beside = Vec::new();
    if share != "Everyone" {
        beside.push("everyone: not reached".to_owned());
    }
    if let (Role::Storm, Some(baseline)) = (main.role, subjects.role(Role::Baseline)) {
        let before = &baseline.phase.recovery;
        let same = [before.t100, before.t99, before.t95, before.t90, before.t50];
        let index = levels.iter().position(|(word, _)| *word == share).unwrap_or(0);
        beside.push(format!("baseline {}", words::quantile(same[index])));
    }
    Figure {
        name: format!("{share} {goal} after"),
        value: words::quantile(quantile),
        beside: beside.join(" · "),
    }
}

fn per_vm(report: &Report, main: Subject<'_>, milestone: Milestone) -> Vec<Figure> {
    let summary = main.phase.summary(milestone);
    let compared =
        report.comparison.as_ref().filter(|_| main.role == Role::Storm).and_then(|compared| {
            compared.milestones.iter().find(|comparison| comparison.milestone == milestone)
        });
    let boot = if compared.is_some_and(|comparison| comparison.from == Zero::Filled) { ", boot" } else { "" };
    let figure = |name: &str, value: String, change: Option<Change>| {
        let change = change.filter(|change| change.baseline.is_some());
        // A storm is judged by the ratio.
        match change.map(|change| (change, change.ratio)) {
            Some((change, Some(ratio))) => Figure {
                name: format!("{name} time to {milestone}{boot}"),
                value: words::ratio(Some(ratio)),
                beside: format!("{} → {value}", words::maybe_seconds(change.baseline)),
            },
            other => Figure {
                name: format!("{name} time to {milestone}{boot}"),
                value,
                beside: other.map_or_else(String::new, |(change, _)| {
                    format!("baseline {}", words::maybe_seconds(change.baseline))
                }),
            },
        }
    };
    vec![
        figure("Mean", words::maybe_seconds(summary.mean), compared.map(|comparison| comparison.mean)),
        figure("p95", words::quantile(summary.p95), compared.map(|comparison| comparison.p95)),
    ]
}

fn skew(main: Subject<'_>) -> Figure {
    let spans = &main.phase.spans;
    let (name, beside) = match (main.role, main.phase.settings.kind) {
        (Role::Stop, _) => ("Start spread", "first to last stop request"),
        (_, StormKind::Observed) => ("Outage spread", "first to last VM that went down"),
        (_, StormKind::Start) => ("Start spread", "first to last start request"),
        _ => ("Start spread", "first to last request"),
    };
    Figure {
        name: name.to_owned(),
        value: words::maybe_seconds(spans.request_skew),
        beside: beside.to_owned(),
    }
}
