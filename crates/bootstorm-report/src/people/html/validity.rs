//! How far the times can be trusted: one line if everything is valid, otherwise the doubts; every rule is folded.

use super::blocks;
use super::markup::Markup;
use super::words;
use crate::Report;
use crate::people::content::validity;
use crate::people::document::Cell;
use bootstorm_model::stats::Validity;

/// Number of doubtful phases named; the folded table has all.
const NAMED: usize = 4;

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report) {
    let graded = validity::graded(report);
    if graded.is_empty() {
        return;
    }
    body.open("section", &[("id", "validity")]).leaf("h2", &[], "Validity");
    let doubtful: Vec<_> = graded.iter().filter(|(_, block)| block.grade != Validity::Valid).collect();
    if doubtful.is_empty() {
        let text = match graded.len() {
            1 => format!(" times of {}", graded[0].0.name),
            2..=4 => {
                let names: Vec<String> = graded.iter().map(|(phase, _)| phase.name.to_string()).collect();
                format!(" times of {}", names.join(", "))
            }
            n => format!(" times of all {n} phases"),
        };
        body.open("p", &[]);
        grade(body, Validity::Valid);
        body.text(&text).close("p");
    }
    // The last ones are the most relevant.
    for (phase, block) in doubtful.iter().rev().take(NAMED) {
        let why = block.doubts().map(|doubt| format!("{}: {}", doubt.rule.word(), doubt.measured));
        let why: Vec<String> = why.collect();
        body.open("p", &[]);
        grade(body, block.grade);
        body.text(&format!(" times of {}, {}", phase.name, why.join("; "))).close("p");
    }
    if let Some(more) = doubtful.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let more = words::count(more, "more phase");
        body.leaf("p", &[("class", "hint")], &format!("And {more} in doubt."));
    }
    body.open("details", &[]).leaf("summary", &[], "Every rule of every phase");
    blocks::open_table(body, &validity::rules(&graded));
    body.close("details").close("section");
}

/// A grade in the colours of outcomes: arrived, in doubt, failed.
fn grade(body: &mut Markup, grade: Validity) {
    if let Cell::Toned(tone, word) = validity::grade(Some(grade)) {
        body.leaf("span", &[("class", blocks::outcome(tone))], &word);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    fn page(record: &bootstorm_model::record::RunRecord) -> String {
        Report::of(record, &Selection::default()).html()
    }

    /// The text about validity before the folded table.
    fn said(page: &str) -> &str {
        let (_, rest) = page.split_once("<section id=\"validity\">").unwrap();
        rest.split_once("<details>").unwrap().0
    }

    #[test]
    fn every_rule_of_every_phase_is_on_the_page_and_folded_away() {
        let clean = page(&fixtures::measured());
        assert_eq!(clean.matches(">valid</span>").count(), 3 * 8 + 1, "{}", clean.len());
        assert!(clean.contains("this program reacted within"));
        assert!(!said(&clean).contains("<tr>"));
    }

    #[test]
    fn what_is_valid_is_one_line_and_what_is_not_says_why() {
        let clean = page(&fixtures::measured());
        assert_eq!(said(&clean).matches("<p>").count(), 1);
        assert!(said(&clean).contains(">valid</span> times of create, stop-1, storm-1"), "{}", said(&clean));
        let doubtful = page(&fixtures::stamped());
        let said = said(&doubtful);
        assert!(
            said.contains(">qualified</span> times of storm-1, watch: ") && said.contains("1 of 12 VMs has"),
            "{said}"
        );
    }
}
