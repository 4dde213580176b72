//! How far the times can be trusted: every rule, for every phase.

use super::grid;
use super::markup::Markup;
use crate::Report;
use bootstorm_model::stats::Validity;

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report) {
    if report.phases.iter().all(|phase| phase.validity.is_none()) {
        return;
    }
    body.open("section", &[("id", "validity")]).leaf("h2", &[], "Validity");
    let caption = "How far the times of each phase can be trusted; the worst rule decides";
    grid::open(body, caption, &["Phase", "Rule", "Grade", "What was measured"], 4);
    for phase in &report.phases {
        let Some(block) = &phase.validity else { continue };
        let name = phase.name.to_string();
        row(body, &name, "all", Some(block.grade), "");
        for finding in &block.findings {
            row(body, &name, finding.rule.word(), finding.grade, &finding.measured);
        }
    }
    grid::close(body);
    body.close("section");
}

fn row(body: &mut Markup, phase: &str, rule: &str, grade: Option<Validity>, measured: &str) {
    // The colours of outcomes: as good as arrived, in doubt, failed.
    let (class, word) = match grade {
        None => ("outcome", "not measured"),
        Some(Validity::Valid) => ("outcome reached", "valid"),
        Some(Validity::Qualified) => ("outcome excluded", "qualified"),
        Some(Validity::Invalid) => ("outcome failed", "invalid"),
    };
    body.open("tr", &[]).leaf("th", &[("scope", "row")], phase).leaf("td", &[("class", "word")], rule);
    body.open("td", &[("class", "word")]).leaf("span", &[("class", class)], word).close("td");
    body.leaf("td", &[("class", "word")], measured).close("tr");
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    #[test]
    fn every_rule_of_every_phase_is_on_the_page() {
        let page = |record| Report::of(&record, &Selection::default()).html();
        let clean = page(fixtures::measured());
        assert_eq!(clean.matches(">valid</span>").count(), 3 * 8, "{}", clean.len());
        assert!(clean.contains("this program reacted within"));
        let doubtful = page(fixtures::stamped());
        assert!(
            doubtful.contains(">qualified</span>") && doubtful.contains("1 of 12 VMs have times from server")
        );
    }
}
