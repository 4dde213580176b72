//! HTML: one offline page about one run.
//!
//! Figures, charts and the first rows are in the markup, so that the page says the essential without scripts and on
//! paper; a script adds sorting, filtering, hover and the download. Nothing is fetched: style and script are
//! in the file, and its content security policy allows exactly these two and no request at all.
//!
//! Whatever a cluster or a file wrote passes [`markup::Markup`], which escapes, or [`data`], which writes JSON that
//! cannot end its element.

pub(crate) mod chart;
mod data;
pub(crate) mod document;
mod extra;
mod facts;
mod failures;
mod figures;
mod glance;
pub(crate) mod grid;
mod judgement;
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

use super::Report;

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

impl Report {
    /// The report as one HTML page that needs nothing but itself.
    pub fn html(&self) -> String {
        self.html_with(&Markup::new())
    }

    /// The same page with a section before those that explain the figures.
    pub(crate) fn html_with(&self, section: &Markup) -> String {
        let subjects = Subjects::of(self);
        let mut main = Markup::new();
        let body = &mut main;
        verdict::write(body, self, &subjects);
        figures::write(body, self, &subjects);
        body.add(section);
        observation::write(body, self);
        glance::write(body, self, &subjects);
        metrics::write(body, &subjects);
        judgement::write(body, self);
        failures::write(body, self);
        judgement::outliers(body, self);
        statistics::write(body, self, &subjects);
        spread::write(body, &subjects);
        stages::write(body, self, &subjects);
        nodes::write(body, &subjects);
        phases::write(body, self);
        machines::write(body, &subjects);
        facts::write(body, self, &subjects);
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

#[cfg(test)]
mod tests;
