//! Grammar of thresholds.
//!
//! ```text
//! threshold = [ phase [ "/" phase ] "." ] figure operator limit
//! phase     = "create" | ( "stop" | "storm" ) [ "-" number ]
//! figure    = time "." statistic | "failed" | "timed-out" | "excluded" | "pending" | "reached" | "outliers"
//!           | "skew" | "duration"
//! time      = "goal" | milestone | milestone ".." milestone
//! statistic = "min" | "mean" | "stddev" | "max" | "p" percent | "t" percent
//! operator  = ">" | ">=" | "<" | "<="
//! limit     = duration | number | number "%"
//! ```
//!
//! Times take a duration (`90s`, `2m`, `500ms`, `1m30s`, or bare seconds), a ratio of two phases takes a number, VMs
//! take a number or a percentage of the participants.

use std::str::FromStr;

use super::{Count, Figure, Operator, PhaseWord, Place, Span, Statistic, Threshold, Unit};
use crate::duration;
use crate::observe::Milestone;
use crate::stats::Level;

const COUNTS: [(&str, Count); 6] = [
    ("failed", Count::Failed),
    ("timed-out", Count::TimedOut),
    ("excluded", Count::Excluded),
    ("pending", Count::Pending),
    ("reached", Count::Reached),
    ("outliers", Count::Outliers),
];

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at =
            text.find(['<', '>']).ok_or("it has no >, >=, < or <=; write it like storm.running.p95>60s")?;
        let (left, right) = (text[..at].trim(), &text[at..]);
        let (operator, right) = operator(right);
        let (place, against, figure) = split_places(left)?;
        let figure = parse_figure(figure)?;
        if against.is_some() && matches!(figure, Figure::Vms(_)) {
            return Err("a ratio of two phases needs a time, like storm/create.running.mean>2".into());
        }
        for place in [place, against].into_iter().flatten() {
            check_milestones(place.kind, figure)?;
        }
        let (limit, unit) = parse_limit(right.trim(), figure, against.is_some())?;
        Ok(Self { text: text.trim().to_owned(), place, against, figure, operator, limit, unit })
    }
}

fn operator(text: &str) -> (Operator, &str) {
    let operators =
        [(">=", Operator::AtLeast), ("<=", Operator::AtMost), (">", Operator::Above), ("<", Operator::Below)];
    let found = operators.into_iter().find_map(|(sign, operator)| Some((operator, text.strip_prefix(sign)?)));
    found.unwrap_or((Operator::Above, text))
}

/// Splits off the phases, if the text begins with any.
fn split_places(text: &str) -> Result<(Option<Place>, Option<Place>, &str), String> {
    let (first, rest) = text.split_once('.').unwrap_or((text, ""));
    if let Some((over, under)) = first.split_once('/') {
        return Ok((Some(parse_place(over)?), Some(parse_place(under)?), rest));
    }
    match parse_place(first) {
        Ok(place) => Ok((Some(place), None, rest)),
        // `storm-x` is meant as a phase, even if invalid.
        Err(error) if ["create", "stop", "storm"].iter().any(|word| is_like(first, word)) => Err(error),
        Err(_) => Ok((None, None, text)),
    }
}

fn is_like(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'))
}

fn parse_place(text: &str) -> Result<Place, String> {
    let wrong =
        || format!("`{text}` is not a phase; there are create, stop, storm, and stop-1, storm-1 and so on");
    let (word, number) = match text.split_once('-') {
        None => (text, None),
        Some((word, number)) => {
            (word, Some(number.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(wrong)?))
        }
    };
    let kind = match word {
        "create" if number.is_none() => PhaseWord::Create,
        "stop" => PhaseWord::Stop,
        "storm" => PhaseWord::Storm,
        _ => return Err(wrong()),
    };
    Ok(Place { kind, number })
}

fn parse_figure(text: &str) -> Result<Figure, String> {
    match text {
        "skew" => return Ok(Figure::Skew),
        "duration" => return Ok(Figure::Duration),
        _ => {}
    }
    if let Some((_, count)) = COUNTS.iter().find(|(word, _)| *word == text) {
        return Ok(Figure::Vms(*count));
    }
    if let Some((from, rest)) = text.split_once("..") {
        let (to, statistic) = time_and_statistic(rest)?;
        let (from, to) = (parse_milestone(from)?, parse_milestone(to)?);
        let statistic = parse_statistic(statistic)?;
        if order(from) >= order(to) {
            return Err(format!("{from} does not come before {to}"));
        }
        if let Statistic::Recovery(level) = statistic {
            return Err(format!("t{level} refers to a milestone, not to a stage; use p{level}"));
        }
        return Ok(Figure::Time(Span::Between(from, to), statistic));
    }
    let (time, statistic) = time_and_statistic(text)?;
    let span = match time {
        "goal" => Span::Goal,
        "requested" => return Err("every time is counted from requested".into()),
        milestone => Span::To(parse_milestone(milestone)?),
    };
    Ok(Figure::Time(span, parse_statistic(statistic)?))
}

fn time_and_statistic(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('.') {
        Some(parts) => Ok(parts),
        None if text == "goal" || parse_milestone(text).is_ok() => {
            Err(format!("which statistic of {text}? {STATISTICS}, like {text}.p95"))
        }
        None => Err(format!(
            "`{text}` is not a figure; there are {}, skew, duration, and times like running.p95",
            words()
        )),
    }
}

const STATISTICS: &str = "there are min, mean, stddev, max, p0 to p100, t0 to t100";

fn words() -> String {
    COUNTS.map(|(word, _)| word).join(", ")
}

fn parse_milestone(text: &str) -> Result<Milestone, String> {
    let found = Milestone::ALL.into_iter().find(|milestone| milestone.word() == text);
    found.ok_or_else(|| {
        let known: Vec<&str> = Milestone::ALL[1..].iter().map(|milestone| milestone.word()).collect();
        format!("`{text}` is not a milestone; there are goal, {}", known.join(", "))
    })
}

fn parse_statistic(text: &str) -> Result<Statistic, String> {
    let wrong = || format!("`{text}` is not a statistic; {STATISTICS}");
    let level = |percent: &str| {
        let is_plain =
            !percent.is_empty() && percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_plain.then(|| percent.parse().ok()).flatten().and_then(Level::percent).ok_or_else(wrong)
    };
    match text {
        "min" => Ok(Statistic::Min),
        "mean" => Ok(Statistic::Mean),
        "stddev" => Ok(Statistic::Stddev),
        "max" => Ok(Statistic::Max),
        _ => match text.split_at_checked(1) {
            Some(("p", percent)) => Ok(Statistic::Percentile(level(percent)?)),
            Some(("t", percent)) => Ok(Statistic::Recovery(level(percent)?)),
            _ => Err(wrong()),
        },
    }
}

/// Order in which a VM passes milestones: an instance that ends is followed by the next one.
fn order(milestone: Milestone) -> (bool, bool, Milestone) {
    (milestone > Milestone::Accepted, !milestone.is_of_stop(), milestone)
}

/// Rejects milestones that the VMs of a phase never pass, as far as its kind is all that is known: storms of some
/// kinds end instances.
fn check_milestones(kind: PhaseWord, figure: Figure) -> Result<(), String> {
    let Figure::Time(span, _) = figure else { return Ok(()) };
    if kind == PhaseWord::Storm {
        return Ok(());
    }
    let stops = kind == PhaseWord::Stop;
    let of_stops = Milestone::is_of_stop;
    let of_both = |milestone: Milestone| milestone <= Milestone::Accepted;
    let milestones = match span {
        Span::Goal => return Ok(()),
        Span::To(milestone) => vec![milestone],
        Span::Between(from, to) => vec![from, to],
    };
    match milestones.into_iter().find(|milestone| !of_both(*milestone) && of_stops(*milestone) != stops) {
        None => Ok(()),
        Some(milestone) => {
            let passes = |milestone: &Milestone| {
                *milestone != Milestone::Requested && (of_both(*milestone) || of_stops(*milestone) == stops)
            };
            let known: Vec<&str> =
                Milestone::ALL.iter().filter(|milestone| passes(milestone)).map(|m| m.word()).collect();
            let what = if stops { "stop" } else { "start" };
            Err(format!("VMs that {what} do not pass {milestone}; there are goal, {}", known.join(", ")))
        }
    }
}

fn parse_limit(text: &str, figure: Figure, is_ratio: bool) -> Result<(f64, Unit), String> {
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        text.parse::<f64>().ok().filter(|_| plain)
    };
    if is_ratio {
        let limit = number(text.strip_suffix('x').unwrap_or(text));
        return limit
            .map(|limit| (limit, Unit::Ratio))
            .ok_or_else(|| format!("`{text}` is not a limit of a ratio; write a number like 2 or 1.5"));
    }
    if let Figure::Vms(_) = figure {
        let (number, unit) = match text.strip_suffix('%') {
            Some(percent) => (number(percent.trim()), Unit::Percent),
            None => (number(text), Unit::Vms),
        };
        return number
            .map(|limit| (limit, unit))
            .ok_or_else(|| format!("`{text}` is not a number of VMs; write it like 3 or 1%"));
    }
    let seconds = number(text).or_else(|| Some(duration::parse(text).ok()?.as_secs_f64()));
    seconds
        .map(|limit| (limit, Unit::Seconds))
        .ok_or_else(|| format!("`{text}` is not a duration; write it like 60s, 2m, 1m30s, 500ms or 60"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Threshold, String> {
        text.parse()
    }

    fn place(kind: PhaseWord, number: Option<u32>) -> Place {
        Place { kind, number }
    }

    #[test]
    fn times_shares_and_ratios() {
        let threshold = parse("storm.running.p95>60s").unwrap();
        assert_eq!(threshold.place, Some(place(PhaseWord::Storm, None)));
        assert_eq!(
            threshold.figure,
            Figure::Time(Span::To(Milestone::Running), Statistic::Percentile(Level::P95))
        );
        assert_eq!(
            (threshold.operator, threshold.limit, threshold.unit),
            (Operator::Above, 60.0, Unit::Seconds)
        );
        let threshold = parse(" failed >= 1.5 % ").unwrap();
        assert_eq!((threshold.place, threshold.figure), (None, Figure::Vms(Count::Failed)));
        assert_eq!(
            (threshold.operator, threshold.limit, threshold.unit),
            (Operator::AtLeast, 1.5, Unit::Percent)
        );
        let threshold = parse("storm-2/create.running.mean>2x").unwrap();
        assert_eq!(threshold.place, Some(place(PhaseWord::Storm, Some(2))));
        assert_eq!(threshold.against, Some(place(PhaseWord::Create, None)));
        assert_eq!((threshold.limit, threshold.unit), (2.0, Unit::Ratio));
    }

    #[test]
    fn stages_fractions_and_recovery() {
        let figure = |text: &str| parse(text).unwrap().figure;
        assert_eq!(
            figure("storm.running..reachable.max<10"),
            Figure::Time(Span::Between(Milestone::Running, Milestone::Reachable), Statistic::Max)
        );
        let level = Level::percent(99.9).unwrap();
        assert_eq!(figure("goal.p99.9>1m30s"), Figure::Time(Span::Goal, Statistic::Percentile(level)));
        let level = Level::percent(95.0).unwrap();
        assert_eq!(
            figure("storm-2.reachable.t95>2m"),
            Figure::Time(Span::To(Milestone::Reachable), Statistic::Recovery(level))
        );
        assert_eq!(
            figure("storm.gone..instance.max>5s"),
            Figure::Time(Span::Between(Milestone::Gone, Milestone::Instance), Statistic::Max)
        );
        assert_eq!(figure("stop.gone.stddev>1"), Figure::Time(Span::To(Milestone::Gone), Statistic::Stddev));
        assert_eq!((figure("storm.skew>100ms"), figure("duration>10m")), (Figure::Skew, Figure::Duration));
        assert!((parse("storm.skew>100ms").unwrap().limit - 0.1).abs() < 1e-9);
    }

    #[test]
    fn what_is_unknown_is_named_with_what_is_known() {
        let cases = [
            ("storm.running.p95", "it has no >"),
            ("boot.running.p95>1s", "`boot` is not a milestone; there are goal, accepted, volume, instance"),
            ("storm-x.running.p95>1s", "`storm-x` is not a phase; there are create, stop, storm"),
            ("create-1.running.p95>1s", "`create-1` is not a phase"),
            ("storm/boot.running.p95>1", "`boot` is not a phase"),
            ("storm.walking.p95>1s", "`walking` is not a milestone; there are goal, accepted"),
            (
                "storm.running.q95>1s",
                "`q95` is not a statistic; there are min, mean, stddev, max, p0 to p100",
            ),
            ("storm.running.p101>1s", "`p101` is not a statistic"),
            ("storm.running.p>1s", "`p` is not a statistic"),
            ("storm.running.pinf>1s", "`pinf` is not a statistic"),
            ("storm.running>1s", "which statistic of running?"),
            ("storm.lost>1", "`lost` is not a figure; there are failed, timed-out"),
            ("storm>1", "`` is not a figure"),
            (
                "stop.running.p95>1s",
                "VMs that stop do not pass running; there are goal, accepted, stopping, gone",
            ),
            (
                "create.gone.p95>1s",
                "VMs that start do not pass gone; there are goal, accepted, volume, instance",
            ),
            ("requested.p95>1s", "every time is counted from requested"),
            ("storm.reachable..running.p95>1s", "reachable does not come before running"),
            ("storm.running..gone.p95>1s", "running does not come before gone"),
            ("storm.running..reachable.t95>1s", "t95 refers to a milestone"),
            ("storm.running.p95>soon", "`soon` is not a duration; write it like 60s"),
            ("storm.running.p95>-1s", "`-1s` is not a duration"),
            ("storm.running.p95>", "`` is not a duration"),
            ("storm.running.p95>inf", "`inf` is not a duration"),
            ("storm.running.p95>50%", "`50%` is not a duration"),
            ("failed>1s", "`1s` is not a number of VMs; write it like 3 or 1%"),
            ("failed>-1", "`-1` is not a number of VMs"),
            ("storm/create.failed>1", "a ratio of two phases needs a time"),
            ("storm/create.running.mean>2s", "`2s` is not a limit of a ratio"),
            ("storm.running.p95=>1s", "`p95=` is not a statistic"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z0-9./<>=%ü -]{0,30}") {
            let _ = parse(&text);
        }
    }
}
