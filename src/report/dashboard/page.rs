//! The page: figures, charts, runs, configurations, what people wrote down, and what was left out.

use super::groups;
use super::saved::Saved;
use super::{Dashboard, Notes, Skipped, charts, data};
use crate::report::html::document::{self, Document};
use crate::report::html::markup::Markup;
use crate::report::html::{chart, grid, outline, words};

const STYLE: &str = include_str!("assets/dashboard.css");
const SCRIPT: &str = include_str!("assets/dashboard.js");

/// Runs that are listed without scripts.
const FIRST: usize = 50;
/// Files that are named among those left out.
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
        configurations(&mut body, &dashboard.runs);
        runs(&mut body, &dashboard.runs);
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
        title: "Boot storm dashboard",
        styles: &[document::BASE_STYLE, STYLE],
        scripts: &[document::BASE_SCRIPT, SCRIPT],
    }
    .write(&body, &data::json(dashboard))
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
    let missed: usize = runs.iter().map(Saved::missed).sum();
    let ratio = groups::range(runs.iter().map(Saved::ratio));
    let latest = runs.last();
    let figures = [
        ("Runs", runs.len().to_string(), String::new()),
        ("VM starts", started.to_string(), "creations and storms".to_owned()),
        ("Did not arrive", missed.to_string(), words::percent(missed, started)),
        (
            "Storm ÷ creation",
            words::ratio(ratio.map(|range| range.mean)),
            ratio.map_or_else(String::new, |range| format!("{:.2}× to {:.2}×", range.min, range.max)),
        ),
        (
            "Latest run",
            latest.map_or_else(|| "–".to_owned(), |saved| saved.began.strftime("%Y-%m-%d").to_string()),
            latest.map_or_else(String::new, |saved| {
                format!("{}, {}", saved.name, words::count(saved.vms, "VM"))
            }),
        ),
    ];
    body.open("dl", &[("class", "figures"), ("id", "figures")]);
    for (name, value, beside) in figures {
        body.open("div", &[]).leaf("dt", &[], name).leaf("dd", &[("class", "value")], &value);
        body.leaf("dd", &[("class", "beside")], &beside).close("div");
    }
    body.close("dl");
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

fn configurations(body: &mut Markup, runs: &[Saved]) {
    body.open("section", &[("id", "configurations")]).leaf("h2", &[], "Configurations");
    body.open("div", &[("id", "configuration-table")]);
    let headings = [
        "Storage",
        "Placement",
        "Disks",
        "VMs",
        "Runs",
        "Creation, mean",
        "Storm, mean",
        "Storm ÷ creation",
        "Storm, slowest VM",
        "Did not arrive",
    ];
    let caption = "Runs of the same configuration together; mean time to running in seconds";
    grid::open(body, caption, &headings, 2);
    for (configuration, runs) in groups::by_configuration(runs) {
        let mean = |pick: fn(&Saved) -> Option<f64>| {
            groups::range(runs.iter().map(|saved| pick(saved))).map(|range| range.mean)
        };
        let slowest = groups::range(runs.iter().map(|saved| saved.storm.as_ref()?.running.as_ref()?.max));
        let driver = if configuration.driver.is_empty() { "–" } else { &configuration.driver };
        body.open("tr", &[]).leaf("th", &[("scope", "row")], driver);
        body.leaf("td", &[("class", "word")], &configuration.placement);
        let disks = configuration.disks.map_or_else(|| "–".to_owned(), |disks| disks.to_string());
        body.leaf("td", &[], &disks).leaf("td", &[], &configuration.vms.to_string());
        body.leaf("td", &[], &runs.len().to_string());
        let create = mean(|saved| saved.create.as_ref().and_then(groups::first_figure));
        let storm = mean(|saved| saved.storm.as_ref().and_then(groups::first_figure));
        body.leaf("td", &[], &words::number(create)).leaf("td", &[], &words::number(storm));
        body.leaf("td", &[], &words::ratio(mean(Saved::ratio)));
        body.leaf("td", &[], &words::number(slowest.map(|range| range.max)));
        let missed: usize = runs.iter().map(|saved| saved.missed()).sum();
        body.leaf("td", &[], &missed.to_string()).close("tr");
    }
    grid::close(body);
    body.close("div").close("section");
}

fn runs(body: &mut Markup, runs: &[Saved]) {
    body.open("section", &[("id", "runs")]).leaf("h2", &[], "Runs");
    body.open("div", &[("id", "run-controls"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    let status = words::count(runs.len(), "run");
    body.leaf("p", &[("id", "run-status"), ("class", "hint"), ("role", "status")], &status);
    body.open("div", &[("class", "scroll")]).open("table", &[("id", "run-table"), ("class", "numbers")]);
    body.leaf("caption", &[], "Mean and slowest time to running in seconds, the latest run first");
    body.open("thead", &[]).open("tr", &[]);
    for heading in ["Begun (UTC)", "Run", "Storage"] {
        body.leaf("th", &[("scope", "col"), ("class", "word")], heading);
    }
    for heading in
        ["VMs", "Creation, mean", "Storm, mean", "Storm, max", "Storm ÷ creation", "Did not arrive"]
    {
        body.leaf("th", &[("scope", "col")], heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for saved in runs.iter().rev().take(FIRST) {
        body.open("tr", &[]).leaf(
            "th",
            &[("scope", "row")],
            &saved.began.strftime("%Y-%m-%d %H:%M").to_string(),
        );
        body.leaf("td", &[("class", "word")], &saved.name);
        body.leaf("td", &[("class", "word")], saved.driver.as_deref().unwrap_or("–"));
        body.leaf("td", &[], &saved.vms.to_string());
        let storm = saved.storm.as_ref().and_then(|part| part.running.as_ref());
        body.leaf("td", &[], &words::number(saved.create.as_ref().and_then(groups::first_figure)));
        body.leaf("td", &[], &words::number(storm.and_then(|times| times.mean)));
        body.leaf("td", &[], &words::number(storm.and_then(|times| times.max)));
        body.leaf("td", &[], &words::ratio(saved.ratio())).leaf("td", &[], &saved.missed().to_string());
        body.close("tr");
    }
    body.close("tbody").close("table").close("div");
    body.open("div", &[("id", "run-pages"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    body.open("div", &[("id", "details"), ("tabindex", "-1"), ("hidden", "hidden")]).close("div");
    body.close("section");
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
    grid::open(body, "Written down by hand", &headings, headings.len());
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
