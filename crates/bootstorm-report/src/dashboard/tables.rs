//! Tables of configurations and runs; the page's script takes over both.

use super::groups::{self, Trend};
use super::saved::{self, Saved};
use crate::people::html::markup::Markup;
use crate::people::html::{grid, words};

/// Runs listed without scripts.
const FIRST: usize = 50;
/// Writes the configurations, each with a summary of its runs.
pub(super) fn configurations(body: &mut Markup, runs: &[Saved]) {
    body.open("section", &[("id", "configurations")]).leaf("h2", &[], "Configurations");
    body.open("div", &[("id", "configuration-table")]);
    let headings = [
        "Storage",
        "Setting",
        "Placement",
        "Disks",
        "VMs",
        "Runs",
        "Time to",
        "Creation, mean",
        "Storm, mean",
        "Storm ÷ creation",
        "Storm, slowest VM",
        "Last verdict",
        "Trend of the last run",
        "Did not reach the goal",
    ];
    let caption = "Runs of the same configuration together; seconds from each VM’s own request, or from its filled disks";
    grid::open(body, caption, &headings, 3);
    for (configuration, runs) in groups::by_configuration(runs) {
        let figures = groups::Figures::of(&runs);
        let driver = if configuration.driver.is_empty() { "–" } else { &configuration.driver };
        body.open("tr", &[]).leaf("th", &[("scope", "row")], driver);
        body.leaf("td", &[("class", "word wide")], &configuration.setting.words().join(", "));
        body.leaf("td", &[("class", "word")], &configuration.placement);
        let disks = configuration.disks.map_or_else(|| "–".to_owned(), |disks| disks.to_string());
        body.leaf("td", &[], &disks).leaf("td", &[], &configuration.vms.to_string());
        body.leaf("td", &[], &saved::distinct(runs.iter().copied()).to_string());
        body.leaf("td", &[("class", "word")], configuration.to);
        body.leaf("td", &[], &words::number(figures.create)).leaf("td", &[], &words::number(figures.storm));
        body.leaf("td", &[], &words::ratio(figures.ratio)).leaf("td", &[], &words::number(figures.max));
        let last = runs.iter().rev().find(|saved| saved.verdict.is_some());
        verdict(body, last.copied());
        let trend = Trend::of(&runs);
        let class = if trend.is_some_and(|trend| trend.out.is_some()) { "word out" } else { "word" };
        body.leaf("td", &[("class", class)], &trend.map_or_else(|| "–".to_owned(), |trend| trend.words()));
        let missed: usize = runs.iter().map(|saved| saved.missed).sum();
        body.leaf("td", &[], &missed.to_string()).close("tr");
    }
    grid::close(body);
    body.close("div").close("section");
}

/// Writes the cell of a verdict, with its evidence.
fn verdict(body: &mut Markup, saved: Option<&Saved>) {
    let word = saved.and_then(|saved| saved.verdict).unwrap_or("–");
    let reason = saved.and_then(|saved| saved.reason.clone()).unwrap_or_default();
    let class = format!("word grade {}", word.replace(' ', "-"));
    body.leaf("td", &[("class", &class), ("title", &reason)], word);
}

/// Writes the runs, the latest first.
pub(super) fn runs(body: &mut Markup, runs: &[Saved]) {
    body.open("section", &[("id", "runs")]).leaf("h2", &[], "Runs");
    body.open("div", &[("id", "run-controls"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    let status = match saved::distinct(runs) {
        // Runs with several storms have several rows.
        distinct if distinct < runs.len() => format!("{} entries", runs.len()),
        distinct => words::count(distinct, "run"),
    };
    body.leaf("p", &[("id", "run-status"), ("class", "hint"), ("role", "status")], &status);
    let caption = "The latest run first; seconds from each VM’s own request, or from its filled disks";
    grid::begin(body, caption, &[("id", "run-table"), ("class", "numbers")]);
    body.open("thead", &[]).open("tr", &[]);
    for heading in ["Began (UTC)", "Run", "Storage"] {
        body.leaf("th", &[("scope", "col"), ("class", "word")], heading);
    }
    let headings = [
        "VMs",
        "Time to",
        "Creation, mean",
        "Storm, mean",
        "Storm, max",
        "Storm ÷ creation",
        "Verdict",
        "Did not reach the goal",
    ];
    for heading in headings {
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
        let shown = saved.shown();
        body.leaf("td", &[("class", "word")], shown.to);
        body.leaf("td", &[], &words::number(shown.create)).leaf("td", &[], &words::number(shown.storm));
        body.leaf("td", &[], &words::number(shown.max)).leaf("td", &[], &words::ratio(shown.ratio));
        verdict(body, Some(saved));
        body.leaf("td", &[], &saved.missed.to_string());
        body.close("tr");
    }
    grid::close(body);
    body.open("div", &[("id", "run-pages"), ("class", "controls"), ("hidden", "hidden")]).close("div");
    body.open("div", &[("id", "details"), ("tabindex", "-1"), ("hidden", "hidden")]).close("div");
    body.close("section");
}
