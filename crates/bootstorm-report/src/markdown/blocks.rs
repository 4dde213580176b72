//! Tables of numbers: comparison, statistics, environment.

use std::fmt::Write as _;

use super::text::{code, plain, quantile, seconds};
use crate::phase::PhaseBlock;
use crate::table::thresholds::value as value_of;
use crate::table::words;
use crate::{Figures, Report};
use bootstorm_model::plan::TemplateSource;
use bootstorm_model::stats::Change;

/// The storm against its baseline.
pub(super) fn comparison(page: &mut String, report: &Report) {
    let Some(compared) = &report.comparison else { return };
    let Some(baseline) = compared.baseline.filter(|_| !compared.milestones.is_empty()) else { return };
    let _ = writeln!(page, "| | {baseline} | {} | ratio |\n|---|---:|---:|---:|", compared.storm);
    for comparison in &compared.milestones {
        let changes = [
            ("mean", comparison.mean),
            ("p50", comparison.p50),
            ("p95", comparison.p95),
            ("p99", comparison.p99),
            ("max", comparison.max),
        ];
        for (statistic, change) in changes {
            let Change { baseline, storm, ratio } = change;
            let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}x"));
            let (milestone, values) = (comparison.milestone, [baseline, storm].map(seconds));
            let _ = writeln!(page, "| {milestone} {statistic} | {} | {} | {ratio} |", values[0], values[1]);
        }
    }
    for comparison in &compared.with_filling {
        let Change { baseline, storm, ratio } = comparison.mean;
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}x"));
        let (milestone, values) = (comparison.milestone, [baseline, storm].map(seconds));
        let _ =
            writeln!(page, "| {milestone} mean, with filling | {} | {} | {ratio} |", values[0], values[1]);
    }
    page.push('\n');
    if let Some(base) = compared.base() {
        let _ = writeln!(page, "{}\n", plain(&base));
    }
}

/// Where the time went.
pub(super) fn breakdown(page: &mut String, report: &Report) {
    let Some(compared) = &report.comparison else { return };
    let Some(breakdown) = compared.breakdown.as_ref().filter(|found| !found.parts.is_empty()) else { return };
    let baseline = compared.baseline.map_or_else(|| "–".to_owned(), |baseline| baseline.to_string());
    let _ = writeln!(
        page,
        "| where the time went | {baseline} | {} | share of the extra time | VMs/s |",
        compared.storm
    );
    page.push_str("|---|---:|---:|---:|---:|\n");
    for part in &breakdown.parts {
        let share = part.share_percent.map_or_else(String::new, |share| format!("{share:.0} %"));
        let rate = part.rate.map_or_else(String::new, |rate| format!("{rate:.1}"));
        let [before, after] = [part.baseline, part.storm].map(seconds);
        let _ = writeln!(page, "| {} → {} | {before} | {after} | {share} | {rate} |", part.from, part.to);
    }
    page.push('\n');
}

/// The statistics of a phase, a line per milestone.
pub(super) fn statistics(page: &mut String, phase: &PhaseBlock) {
    if phase.statistics.values().all(|summary| summary.arrived == 0) {
        return;
    }
    page.push_str("| time to | VMs | min | mean | stddev | p50 | p90 | p95 | p99 | max |\n");
    page.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (milestone, summary) in &phase.statistics {
        let some = [summary.min, summary.mean, summary.stddev].map(seconds).join(" | ");
        let quantiles = [summary.p50, summary.p90, summary.p95, summary.p99].map(quantile).join(" | ");
        let max = seconds(summary.max);
        let _ = writeln!(
            page,
            "| {milestone} | {}/{} | {some} | {quantiles} | {max} |",
            summary.arrived, summary.n
        );
    }
    page.push('\n');
    let unknown = phase.summary(phase.goal).unknown;
    if unknown > 0 {
        let _ = writeln!(
            page,
            "Not in these figures: {} that reached the goal after a time that nobody knows.\n",
            words::vms(unknown)
        );
    }
}

/// What speaks against the times; that nothing does is said in a line.
pub(super) fn validity(page: &mut String, report: &Report) {
    let graded: Vec<_> =
        report.phases.iter().filter_map(|phase| Some((phase, phase.validity.as_ref()?))).collect();
    let Some(worst) = graded.iter().map(|(_, block)| block.grade).max() else { return };
    let _ = writeln!(page, "**Validity of the times: {worst}**\n");
    let mut any = false;
    for (phase, block) in graded {
        for finding in block.doubts() {
            any = true;
            let (grade, rule) = (finding.grade.unwrap_or_default(), finding.rule.word());
            let _ = writeln!(page, "- {}: {grade}, {rule}: {}", phase.name, plain(&finding.measured));
        }
    }
    if any {
        page.push('\n');
    }
}

/// The thresholds that were asked for.
pub(super) fn thresholds(page: &mut String, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    page.push_str("| threshold | value | phase | |\n|---|---:|---|---|\n");
    for threshold in &report.thresholds {
        let word = if threshold.fails() {
            format!("**{}**", plain(&threshold.outcome()))
        } else {
            threshold.outcome()
        };
        let (condition, value) = (code(&threshold.condition), value_of(threshold));
        let _ = writeln!(page, "| {condition} | {value} | {} | {word} |", threshold.places());
    }
    page.push('\n');
}

/// Several storms of the run, and their spread.
pub(super) fn repetitions(page: &mut String, report: &Report) {
    let Some(repetitions) = &report.repetitions else { return };
    let (storms, milestone) = (repetitions.storms.len(), repetitions.milestone);
    let _ = writeln!(page, "### {storms} storms, time to {milestone}\n");
    page.push_str(
        "| | VMs | failed | mean | p50 | p95 | max | all reached |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut line = |name: &str, vms: &str, figures: &Figures| {
        let times = [figures.mean, figures.p50, figures.p95, figures.max, figures.t100].map(quantile);
        let _ = writeln!(page, "| {name} | {vms} | {} | {} |", figures.failed, times.join(" | "));
    };
    for storm in &repetitions.storms {
        line(&storm.phase.to_string(), &storm.vms.to_string(), &storm.figures);
    }
    for (name, figures) in
        [("min", &repetitions.min), ("median", &repetitions.median), ("max", &repetitions.max)]
    {
        line(name, "", figures);
    }
    page.push('\n');
}

/// Where and how it was measured.
pub(super) fn environment(page: &mut String, report: &Report) {
    let (cluster, plan) = (&report.cluster, &report.plan);
    page.push_str("<details><summary>Environment</summary>\n\n| | |\n|---|---|\n");
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(page, "| {label} | {} |", code(&value));
        }
    };
    line("run", Some(report.run.id.clone()).filter(|id| !id.is_empty()));
    line("begun", Some(report.run.created.to_string()));
    line("kubectl-bootstorm", report.run.tool_version.clone());
    line("Kubernetes", cluster.kubernetes_version.clone());
    line("KubeVirt", cluster.kubevirt_version.clone());
    line("CDI", cluster.cdi_version.clone());
    for kind in &cluster.node_kinds {
        line("nodes", Some(kind.to_string()));
    }
    for class in &cluster.storage_classes {
        line("storage class", Some(class.to_string()));
    }
    for limit in &cluster.rate_limits {
        line("rate limit", Some(limit.to_string()));
    }
    let template = match &plan.template {
        TemplateSource::ContainerDisk { image } => format!("built-in, container disk {image}"),
        TemplateSource::File { name, .. } => name.clone(),
        adopted @ (TemplateSource::Adopted { .. } | TemplateSource::Observed { .. }) => adopted.to_string(),
        source => format!("built-in, {source}"),
    };
    line("template", Some(template));
    line("template sha256", plan.template_sha256.clone());
    line("VMs", Some(format!("{} ({} to {})", plan.vms, plan.start, plan.end)));
    line("pinned to", Some(plan.pinning.to_string()).filter(|_| !plan.pinning.is_default()));
    page.push_str("\n</details>\n");
}
