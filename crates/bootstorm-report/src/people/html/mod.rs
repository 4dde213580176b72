//! HTML: one offline page about one run.
//!
//! Figures, charts and the first rows are in the markup, so that the page shows the essentials without scripts and on
//! paper; a script adds sorting, filtering, hover and the download. Nothing is fetched: style and script are in the
//! file, and its content security policy allows exactly these two and no requests.
//!
//! Text from a cluster or a file passes [`markup::Markup`], which escapes, or [`data`], which writes JSON that cannot
//! end its element.

mod blocks;
mod breakdown;
pub(crate) mod chart;
mod data;
pub(crate) mod document;
mod figures;
mod glance;
pub(crate) mod grid;
mod machines;
pub(crate) mod markup;
mod metrics;
mod nodes;
mod observation;
pub(crate) mod outline;
mod phases;
mod recovery;
mod spread;
mod stages;
mod statistics;
mod subject;
pub(crate) mod texts;
mod timelines;
mod validity;
mod verdict;
pub(crate) mod words;

use document::Document;
use markup::Markup;
use subject::Subjects;

use super::content::{capacity, facts, failures, fleet, outliers, quality, repetitions, thresholds, waves};
use super::document::{Block, Section};
use crate::Report;
use crate::fleet::FleetReport;

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

impl Report {
    /// The report as one self-contained HTML page.
    pub fn html(&self) -> String {
        self.html_with(&[])
    }

    /// The page with additional blocks before the explanation of the figures.
    fn html_with(&self, more: &[Block]) -> String {
        let subjects = Subjects::of(self);
        let mut main = Markup::new();
        let body = &mut main;
        verdict::write(body, self, &subjects);
        figures::write(body, self, &subjects);
        blocks::write(body, more);
        observation::write(body, self);
        glance::write(body, self, &subjects);
        metrics::write(body, &subjects);
        blocks::write(body, &judged(self));
        failures_in_detail(body, self);
        let outliers = outliers::table(self.phases.iter().rev()).map(Block::Table);
        let outliers =
            outliers.map(|table| Block::Section(Section::new("outliers", "Outliers", vec![table])));
        blocks::write(body, outliers.as_slice());
        statistics::write(body, self, &subjects);
        spread::write(body, &subjects);
        stages::write(body, self, &subjects);
        nodes::write(body, &subjects);
        phases::write(body, self);
        machines::write(body, &subjects);
        parameters(body, self, &subjects);
        let mut body = Markup::new();
        outline::header(&mut body, self, &main);
        body.open("main", &[("id", "main")]).add(&main);
        body.close("main");
        outline::footer(&mut body, self);
        let title = format!("Boot storm {}", self.run.name);
        Document {
            generator: "kubectl-bootstorm report",
            title: &title,
            styles: &[document::BASE_STYLE, STYLE],
            scripts: &[document::BASE_SCRIPT, SCRIPT],
        }
        .write(&body, &data::json(self))
    }
}

impl FleetReport {
    /// The report as one self-contained HTML page; `None` while no run can be read.
    pub fn html(&self) -> String {
        let section = Block::Section(Section::new("clusters", "Clusters", fleet::blocks(self)));
        self.whole.as_ref().map(|whole| whole.html_with(&[section])).unwrap_or_default()
    }
}

/// Blocks beside the verdict: thresholds, waves, repeated storms, and a search.
fn judged(report: &Report) -> Vec<Block> {
    let waves: Vec<Block> = report.phases.iter().filter_map(waves::table).map(Block::Table).collect();
    let sections = [
        thresholds::section(&report.thresholds),
        report.repetitions.as_ref().map(|repetitions| repetitions::section(repetitions, None)),
        report.capacity.as_ref().map(capacity::section),
        (!waves.is_empty()).then(|| Section::new("waves", "Waves", waves)),
    ];
    sections.into_iter().flatten().map(Block::Section).collect()
}

/// Failures with reasons; without any, there is no section.
fn failures_in_detail(body: &mut Markup, report: &Report) {
    let groups = failures::groups(report.phases.iter().rev());
    if groups.is_empty() {
        return;
    }
    body.open("section", &[("id", "failures")]).leaf("h2", &[], "Failures in detail");
    blocks::write(body, &[Block::Cases(groups)]);
    let diagnosed = failures::diagnosed(report.phases.iter().rev());
    if !diagnosed.is_empty() {
        body.leaf("h3", &[], "Causes, and how to investigate");
        blocks::write(body, &[Block::Cases(diagnosed)]);
    }
    body.close("section");
}

/// Parameters, cluster, and quality of the measurement.
fn parameters(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    let run = [facts::run(report), facts::setup(report), facts::identity(report)].concat();
    let cluster = [facts::place(&report.cluster), facts::cluster(&report.cluster)].concat();
    let mut cards = vec![("Run".to_owned(), run), ("Cluster".to_owned(), cluster)];
    for phase in subjects.iter().map(|subject| subject.phase) {
        cards.push((format!("How {} was run", phase.name), quality::settings(phase)));
        cards.push((format!("How well {} was measured", phase.name), quality::facts(phase, true)));
    }
    body.open("section", &[("id", "facts")]).leaf("h2", &[], "Facts").open("div", &[("class", "cards")]);
    for (title, facts) in &cards {
        body.open("div", &[("class", "card")]).leaf("h3", &[], title);
        blocks::facts(body, facts);
        body.close("div");
    }
    body.close("div").close("section");
}

#[cfg(test)]
mod tests;
