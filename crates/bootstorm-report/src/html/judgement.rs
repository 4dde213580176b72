//! What stands beside the verdict: thresholds, outliers, and storms that were repeated.

use super::grid;
use super::markup::Markup;
use super::words;
use crate::table::thresholds::value;
use crate::{Figures, Report};

/// Outliers that are named per phase.
const NAMED: usize = 20;

/// Writes the sections that have something to say.
pub(super) fn write(body: &mut Markup, report: &Report) {
    thresholds(body, report);
    repetitions(body, report);
}

fn thresholds(body: &mut Markup, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    body.open("section", &[("id", "thresholds")]).leaf("h2", &[], "Thresholds");
    let headings = ["Condition", "Value", "Phase", "Result"];
    grid::open(
        body,
        "A condition that holds is crossed; crossed and undecided ones make the run a failure",
        &headings,
        4,
    );
    for threshold in &report.thresholds {
        let result = threshold.outcome();
        let class = if threshold.fails() { "outcome failed" } else { "outcome reached" };
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &threshold.condition);
        in_words(body, &[&value(threshold), &threshold.places()]);
        body.open("td", &[("class", "word")])
            .leaf("span", &[("class", class)], &result)
            .close("td")
            .close("tr");
    }
    grid::close(body);
    body.close("section");
}

fn repetitions(body: &mut Markup, report: &Report) {
    let Some(repetitions) = &report.repetitions else { return };
    body.open("section", &[("id", "repetitions")]);
    let storms = words::count(repetitions.storms.len(), "storm");
    body.leaf("h2", &[], &format!("{storms}, time to {}", repetitions.milestone));
    let headings = ["Storm", "VMs", "Failed", "Mean", "p50", "p95", "Max", "All reached"];
    grid::open(body, "Each storm, and the spread of those that count", &headings, 1);
    let mut line = |name: &str, vms: &str, figures: &Figures| {
        let times = [figures.mean, figures.p50, figures.p95, figures.max, figures.t100].map(words::quantile);
        body.open("tr", &[]).leaf("th", &[("scope", "row")], name);
        cells(body, &[vms, &figures.failed.to_string()]);
        cells(body, &times.each_ref().map(String::as_str));
        body.close("tr");
    };
    for storm in &repetitions.storms {
        let warm_up = if storm.warm_up { " (warm-up)" } else { "" };
        line(&format!("{}{warm_up}", storm.phase), &storm.vms.to_string(), &storm.figures);
    }
    line("smallest", "", &repetitions.min);
    line("median", "", &repetitions.median);
    line("largest", "", &repetitions.max);
    grid::close(body);
    body.close("section");
}

/// Writes the VMs that stand out, if there are any.
pub(super) fn outliers(body: &mut Markup, report: &Report) {
    if report.phases.iter().all(|phase| phase.outliers.vms.is_empty()) {
        return;
    }
    body.open("section", &[("id", "outliers")]).leaf("h2", &[], "Outliers");
    let headings = ["Phase", "VM", "Node", "Time", "Times the median"];
    let caption = "VMs that stand out from their crowd, far above the median on a logarithmic scale";
    grid::open(body, caption, &headings, 3);
    for phase in report.phases.iter().rev() {
        for vm in phase.outliers.vms.iter().take(NAMED) {
            body.open("tr", &[]).leaf("th", &[("scope", "row")], &phase.name.to_string());
            let name = format!("{}/{}", vm.namespace, vm.name);
            let (time, times) = (words::seconds(vm.seconds), format!("{:.1}", vm.times_median));
            in_words(body, &[&name, vm.node.as_deref().unwrap_or("–")]);
            cells(body, &[&time, &times]);
            body.close("tr");
        }
        if phase.outliers.vms.len() > NAMED {
            let more = words::count(phase.outliers.vms.len() - NAMED, "more outlier");
            body.open("tr", &[]).leaf("th", &[("scope", "row")], &phase.name.to_string());
            body.leaf(
                "td",
                &[("colspan", "4"), ("class", "word")],
                &format!("and {more}; the table of VMs has them"),
            )
            .close("tr");
        }
    }
    grid::close(body);
    body.close("section");
}

/// Cells below the headings of words, which stand on the left.
fn in_words(body: &mut Markup, texts: &[&str]) {
    for text in texts {
        body.leaf("td", &[("class", "word")], text);
    }
}

fn cells(body: &mut Markup, texts: &[&str]) {
    for text in texts {
        body.leaf("td", &[], text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thresholds::judge;
    use crate::{Selection, fixtures};

    #[test]
    fn thresholds_and_repetitions_are_on_the_page() {
        let record = fixtures::repeated();
        let thresholds = ["storm.goal.p50>1s".parse().unwrap(), "failed>100%".parse().unwrap()];
        let judged = judge(&thresholds, &record, record.phases.last().map(|phase| phase.name), &[]);
        let page = Report::of(&record, &Selection::default()).with_thresholds(judged).html();
        assert!(page.contains("failed&gt;100%</th>"), "conditions are escaped");
        assert!(page.contains(">crossed</span>") && page.contains(">kept</span>"));
        assert!(page.contains("3 storms, time to running") && page.contains(">median</th>"));
    }

    #[test]
    fn what_is_unknown_and_what_was_continued_is_told() {
        let page = Report::of(&fixtures::continued(), &Selection::default()).html();
        assert!(page.contains("1 VM that reached the goal after a time that nobody knows"));
        assert!(page.contains("was continued 2 times and not watched for 12.30"));
    }
}
