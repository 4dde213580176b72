//! Statistics of a run as metrics: `OpenMetrics` text, and the text format of Prometheus.
//!
//! `OpenMetrics` 1.0 has families one after the other, each with its type, unit and help, `_total` on counters, `_info`
//! on facts, and `# EOF`. Prometheus' own format, 0.0.4, is the one that `node_exporter` and the Pushgateway read.
//! There is one series per phase and statistic, never one per VM. A percentile that too few VMs reached is `+Inf`: it
//! is larger than anything observed. Unknown values have no sample.

pub(crate) mod family;
pub(super) mod histogram;
mod judged;
pub(super) mod live;
mod phases;

use super::Report;
use bootstorm_model::stats::Comparison;
use family::{Family, Format, Kind, Page};

impl Report {
    /// The report as `OpenMetrics` text.
    pub fn openmetrics(&self) -> String {
        self.metrics(Format::OpenMetrics)
    }

    /// The report in the text format of Prometheus, version 0.0.4.
    pub fn prometheus(&self) -> String {
        self.metrics(Format::Prometheus)
    }

    fn metrics(&self, format: Format) -> String {
        let mut page = Page::new(format, &self.run.name);
        for family in self.families() {
            page.family(&family);
        }
        page.finish()
    }

    /// Families of all formats, in order; some may have no samples.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut families = vec![self.facts()];
        families.extend(phases::families(self));
        let compared = self.comparison.as_ref();
        let boots = compared.map_or(&[][..], |compared| &compared.milestones);
        let help = "Boot times of the storm divided by those of the baseline, per milestone and statistic";
        families.push(self.ratios("storm_ratio", help, boots));
        let whole = compared.map_or(&[][..], |compared| &compared.with_filling);
        if !whole.is_empty() {
            let help = "The same, including the time to fill the baseline's disks";
            families.push(self.ratios("storm_with_filling_ratio", help, whole));
        }
        families.push(self.verdict());
        families.extend(judged::families(self));
        families
    }

    fn facts(&self) -> Family {
        let unknown = || String::from("unknown");
        let known = |fact: &Option<String>| fact.clone().unwrap_or_else(unknown);
        let mut family = Family::new("run", Kind::Info, "", "What was measured, and where");
        family.labelled(
            &[
                ("id", &self.run.id),
                ("tool_version", &known(&self.run.tool_version)),
                ("kubernetes_version", &known(&self.cluster.kubernetes_version)),
                ("kubevirt_version", &known(&self.cluster.kubevirt_version)),
                ("cdi_version", &known(&self.cluster.cdi_version)),
            ],
            1.0,
        );
        family
    }

    fn ratios(&self, name: &'static str, help: &'static str, comparisons: &[Comparison]) -> Family {
        let mut family = Family::new(name, Kind::Gauge, "ratio", help);
        let Some(compared) = &self.comparison else { return family };
        for comparison in comparisons {
            let changes = [
                ("mean", comparison.mean),
                ("p50", comparison.p50),
                ("p90", comparison.p90),
                ("p95", comparison.p95),
                ("p99", comparison.p99),
                ("max", comparison.max),
            ];
            for (statistic, change) in changes {
                if let Some(ratio) = change.ratio {
                    let storm = compared.storm.to_string();
                    let milestone = comparison.milestone.word();
                    family.labelled(
                        &[("phase", &storm), ("milestone", milestone), ("statistic", statistic)],
                        ratio,
                    );
                }
            }
        }
        family
    }

    fn verdict(&self) -> Family {
        let mut family =
            Family::new("verdict", Kind::StateSet, "", "The verdict on the storm; exactly one grade is 1");
        let compared = self.comparison.as_ref();
        let Some((compared, verdict)) = compared.and_then(|all| Some((all, all.verdict.as_ref()?))) else {
            return family;
        };
        let storm = compared.storm.to_string();
        for grade in ["good", "fair", "poor", "critical"] {
            let value = if verdict.grade.word() == grade { 1.0 } else { 0.0 };
            family.labelled(&[("phase", &storm), ("bootstorm_verdict", grade)], value);
        }
        family
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    #[test]
    fn a_storm_reads_as_families() {
        let report = Report::of(&fixtures::with_failures(), &Selection::default());
        insta::assert_snapshot!(report.openmetrics());
    }

    #[test]
    fn every_kind_of_run_has_families_that_end_with_their_unit() {
        let all = [
            fixtures::guide(),
            fixtures::provisioned(),
            fixtures::unstarted(),
            fixtures::repeated(),
            fixtures::waves(),
            fixtures::searched(6),
            fixtures::hopeless(),
            fixtures::continued(),
            fixtures::measured(),
            fixtures::diagnosed(),
        ];
        let texts = all.map(|record| Report::of(&record, &Selection::default()).openmetrics());
        assert!(texts[1].contains("bootstorm_storm_with_filling_ratio{"), "{}", texts[1]);
        for text in texts {
            for unit in text.lines().filter_map(|line| line.strip_prefix("# UNIT ")) {
                let (name, unit) = unit.split_once(' ').unwrap();
                assert!(name.ends_with(unit), "{name}");
            }
        }
    }

    #[test]
    fn prometheus_names_families_as_their_samples_and_knows_no_more_types_than_it_had() {
        let report = Report::of(&fixtures::repeated(), &Selection::default());
        let text = report.prometheus();
        let open: Vec<String> = report.openmetrics().lines().map(str::to_owned).collect();
        let samples = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        assert_eq!(samples(&mut text.lines()), samples(&mut open.iter().map(String::as_str)));
        let mut family = "";
        for line in text.lines() {
            match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                Some((name, kind)) => {
                    family = name;
                    assert!(["gauge", "counter"].contains(&kind), "{line}");
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                }
                None if line.starts_with("# HELP ") => {}
                None => assert_eq!(line.split('{').next(), Some(family)),
            }
        }
    }

    #[test]
    fn no_series_appears_twice() {
        let mut record = fixtures::hopeless();
        for (index, timeline) in record.phases[0].timelines.iter_mut().enumerate() {
            // The numbers are left out of labels, so both causes have the same one.
            timeline.reason = Some(format!("quota exceeded: limit {}", 40 + index % 2));
        }
        let text = Report::of(&record, &Selection::default()).openmetrics();
        let mut series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, _)| name)
            .collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), all, "{text}");
        let failed: Vec<&str> =
            text.lines().filter(|line| line.starts_with("bootstorm_failed_vms{")).collect();
        assert!(failed.len() == 1 && failed[0].ends_with(" 12"), "{failed:?}");
    }

    #[test]
    fn labels_are_escaped_and_what_is_unknown_has_no_sample() {
        let mut record = fixtures::fresh();
        record.plan.prefix = "a\"b\\c\nd".into();
        let text = Report::of(&record, &Selection::default()).openmetrics();
        assert!(text.contains(r#"run="a\"b\\c\nd""#), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1);
        assert!(text.ends_with("# EOF\n"));
    }
}
