//! The page: figures, charts, runs, configurations, hand-written data, and skipped files.

use super::groups;
use super::ours::NOT_JUDGED;
use super::saved::Saved;
use super::{Dashboard, Notes, Skipped, charts, data, tables};
use crate::people::html::document::{self, Document};
use crate::people::html::markup::Markup;
use crate::people::html::{chart, grid, outline, words};

const STYLE: &str = include_str!("assets/dashboard.css");
const SCRIPT: &str = include_str!("assets/dashboard.js");

/// Maximum number of skipped files that are named.
const NAMED: usize = 50;

/// Writes the page.
pub(super) fn write(dashboard: &Dashboard) -> String {
    let mut body = Markup::new();
    header(&mut body, dashboard);
    body.open("main", &[("id", "main")]);
    figures(&mut body, &dashboard.runs);
    if dashboard.runs.is_empty() {
        let text =
            format!("No results of the last {} were found.", words::count(dashboard.days as usize, "day"));
        body.leaf("p", &[("class", "empty")], &text);
    } else {
        overview(&mut body, &dashboard.runs);
        tables::configurations(&mut body, &dashboard.runs);
        tables::runs(&mut body, &dashboard.runs);
    }
    if let Some(notes) = &dashboard.cluster {
        cluster(&mut body, notes);
    }
    if let Some(notes) = &dashboard.manual {
        manual(&mut body, notes);
    }
    skipped(&mut body, &dashboard.skipped);
    body.close("main").open("footer", &[]);
    let version = env!("CARGO_PKG_VERSION");
    let made = words::time(dashboard.now);
    body.leaf("p", &[], &format!("Made by kubectl-bootstorm {version} on {made}"));
    let note = "Files of the Python tool hold times that were found by polling, rounded to 0.01 s; its creation counts \
                from before a request, its storm from after it. Compare runs of the same tool.";
    body.leaf("p", &[], note).close("footer");
    Document {
        generator: GENERATOR,
        title: "Boot storm dashboard",
        styles: &[document::BASE_STYLE, STYLE],
        scripts: &[document::BASE_SCRIPT, SCRIPT],
    }
    .write(&body, &data::json(dashboard))
}

/// Generator as stated in the page's metadata.
const GENERATOR: &str = "kubectl-bootstorm dashboard";

/// Whether a file with this beginning is a dashboard.
pub fn is_dashboard(begin: &[u8]) -> bool {
    let begin = String::from_utf8_lossy(begin);
    begin.starts_with("<!DOCTYPE html>") && begin.contains(&format!("content=\"{GENERATOR}\""))
}

fn header(body: &mut Markup, dashboard: &Dashboard) {
    body.leaf("a", &[("class", "skip"), ("href", "#main")], "Skip to the results");
    body.open("header", &[("class", "top")]).open("div", &[]);
    body.leaf("p", &[("class", "kind")], "Saved results").leaf("h1", &[], "Boot storm dashboard");
    let days = words::count(dashboard.days as usize, "day");
    let older =
        if dashboard.older > 0 { format!(" · {} older left out", dashboard.older) } else { String::new() };
    let made = words::time(dashboard.now);
    body.leaf("p", &[("class", "when")], &format!("{} · last {days}{older} · {made}", dashboard.source));
    body.close("div");
    outline::theme_button(body);
    body.close("header").open("nav", &[("aria-label", "Sections")]);
    let mut sections =
        vec![("#overview", "Overview"), ("#configurations", "Configurations"), ("#runs", "Runs")];
    if dashboard.runs.is_empty() {
        sections.clear();
    }
    sections.extend(dashboard.cluster.as_ref().map(|_| ("#cluster", "Cluster")));
    sections.extend(dashboard.manual.as_ref().map(|_| ("#manual", "Manual results")));
    sections.extend((!dashboard.skipped.is_empty()).then_some(("#skipped", "Left out")));
    for (target, word) in sections {
        body.leaf("a", &[("href", target)], word);
    }
    body.close("nav");
}

fn figures(body: &mut Markup, runs: &[Saved]) {
    let started: usize = runs.iter().flat_map(Saved::parts).map(|(_, part)| part.vms).sum();
    let missed: usize = runs.iter().map(|saved| saved.missed).sum();
    let vms: usize = runs.iter().map(|saved| saved.vms).sum();
    let ratio = groups::range(runs.iter().map(|saved| saved.ratio));
    let latest = runs.last();
    let figures = [
        ("Runs", runs.len().to_string(), String::new()),
        ("Verdicts", verdicts(runs), unjudged(runs)),
        ("VM starts", started.to_string(), "creations and storms".to_owned()),
        ("Did not reach the goal", missed.to_string(), words::percent(missed, vms)),
        (
            "Storm ÷ creation",
            words::ratio(ratio.map(|range| range.mean)),
            ratio.map_or_else(String::new, |range| format!("{:.2}× to {:.2}×", range.min, range.max)),
        ),
        (
            "Latest run",
            latest.map_or_else(|| "–".to_owned(), |saved| saved.began.strftime("%Y-%m-%d").to_string()),
            latest.map_or_else(String::new, |saved| {
                let verdict = saved.verdict.map_or_else(String::new, |verdict| format!(", {verdict}"));
                format!("{}, {}{verdict}", saved.name, words::count(saved.vms, "VM"))
            }),
        ),
    ];
    body.open("dl", &[("class", "figures"), ("id", "figures")]);
    for (name, value, beside) in figures {
        // Several words do not fit at the size of a number.
        let class = if value.contains(" · ") { "value words" } else { "value" };
        body.open("div", &[]).leaf("dt", &[], name).leaf("dd", &[("class", class)], &value);
        body.leaf("dd", &[("class", "beside")], &beside).close("div");
    }
    body.close("dl");
}

/// `3 good · 1 poor`.
fn verdicts(runs: &[Saved]) -> String {
    let count = |word: &&str| runs.iter().filter(|saved| saved.verdict == Some(*word)).count();
    let words = ["good", "fair", "poor", "critical", NOT_JUDGED];
    let told: Vec<String> = words
        .iter()
        .map(|word| (count(word), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if told.is_empty() { "–".to_owned() } else { told.join(" · ") }
}

/// Reason why the last unjudged run is not judged.
fn unjudged(runs: &[Saved]) -> String {
    let last = runs.iter().rev().find(|saved| saved.verdict == Some(NOT_JUDGED));
    last.map_or_else(String::new, |saved| {
        // The table of runs has the details.
        let reason = saved.reason.as_deref().unwrap_or_default();
        format!("{}: {}", saved.name, reason.split(" (").next().unwrap_or_default())
    })
}

fn overview(body: &mut Markup, runs: &[Saved]) {
    body.open("section", &[("id", "overview")]).leaf("h2", &[], "Overview");
    body.open("div", &[("id", "filters"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    body.leaf("p", &[("id", "filter-status"), ("class", "hint"), ("role", "status")], "");
    chart::legend(body, &[("baseline", "creation"), ("storm", "boot storm")]);
    body.open("div", &[("class", "pair")]);
    body.open("div", &[]).leaf("h3", &[("id", "groups-title")], "By number of VMs");
    body.open("div", &[("id", "groups")]);
    charts::sizes(body, runs);
    body.close("div").leaf("p", &[("class", "hint")], "Column: mean of the runs. Line: smallest to largest.");
    body.close("div").open("div", &[]).leaf("h3", &[], "Over time");
    body.open("div", &[("id", "trend")]);
    charts::trend(body, runs);
    body.close("div").leaf("p", &[("class", "hint")], "One dot per run and phase.");
    body.close("div").close("div").close("section");
}

fn cluster(body: &mut Markup, notes: &Notes) {
    body.open("section", &[("id", "cluster")]).leaf("h2", &[], "Cluster");
    body.open("div", &[("class", "card")]).open("dl", &[]);
    for (name, value) in notes.columns.iter().zip(notes.rows.first().into_iter().flatten()) {
        body.leaf("dt", &[], &name.replace('_', " ")).open("dd", &[]).open("pre", &[]);
        body.lines(value).close("pre").close("dd");
    }
    body.close("dl").close("div").close("section");
}

fn manual(body: &mut Markup, notes: &Notes) {
    body.open("section", &[("id", "manual")]).leaf("h2", &[], "Manual results");
    let headings: Vec<String> = notes.columns.iter().map(|name| name.replace('_', " ")).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    grid::open(body, "Entered by hand", &headings, headings.len());
    for row in &notes.rows {
        body.open("tr", &[]);
        for value in row {
            body.open("td", &[("class", "word")]).lines(value).close("td");
        }
        body.close("tr");
    }
    grid::close(body);
    body.close("section");
}

fn skipped(body: &mut Markup, skipped: &[Skipped]) {
    if skipped.is_empty() {
        return;
    }
    body.open("section", &[("id", "skipped")]).leaf("h2", &[], "Left out");
    let files = words::count(skipped.len(), "file");
    let note = format!("{files} could not be used:");
    body.leaf("p", &[("class", "hint")], &note);
    body.open("ul", &[("class", "skipped")]);
    for Skipped { path, reason } in skipped.iter().take(NAMED) {
        body.open("li", &[]).leaf("code", &[], path).text(&format!(" – {reason}")).close("li");
    }
    body.close("ul");
    if skipped.len() > NAMED {
        body.leaf("p", &[("class", "hint")], &format!("and {} more.", skipped.len() - NAMED));
    }
    body.close("section");
}
