//! Rows and summaries of the origin tool's files, with its names and order.

use serde::Serialize;

use crate::csv_cell::safe;
use crate::phase::PhaseBlock;
use crate::row::Row;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::stats::Sample;

pub(super) const CREATED: [&str; 5] =
    ["namespace", "running_time_sec", "ping_time_sec", "success", "clone_duration_sec"];
pub(super) const BOOTED: [&str; 4] = ["namespace", "running_time_sec", "ping_time_sec", "success"];
pub(super) const SUMMARY: [&str; 5] = ["metric", "avg", "max", "min", "count"];

/// A row of `vm_creation_results`
#[derive(Serialize)]
pub(super) struct Created<'a> {
    namespace: &'a str,
    running_time_sec: Option<f64>,
    ping_time_sec: Option<f64>,
    success: bool,
    clone_duration_sec: Option<f64>,
}

/// A row of `boot_storm_results`
#[derive(Serialize)]
pub(super) struct Booted<'a> {
    namespace: &'a str,
    running_time_sec: Option<f64>,
    ping_time_sec: Option<f64>,
    success: bool,
}

/// `summary_…_results`
#[derive(Serialize)]
pub(super) struct Summary {
    total_vms: usize,
    successful: usize,
    failed: usize,
    total_test_duration_sec: Option<f64>,
    pub(super) metrics: Vec<Metric>,
}

/// One line of a summary
#[derive(Serialize)]
pub(super) struct Metric {
    #[serde(rename = "metric")]
    name: &'static str,
    avg: Option<f64>,
    max: Option<f64>,
    min: Option<f64>,
    count: usize,
}

/// A row of a CSV file, cell by cell
pub(super) trait Cells {
    fn cells(&self) -> Vec<String>;
}

impl<'a> Created<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        let Booted { namespace, running_time_sec, ping_time_sec, success } = Booted::of(row);
        Self { namespace, running_time_sec, ping_time_sec, success, clone_duration_sec: clone_time(row) }
    }
}

impl<'a> Booted<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        Self {
            namespace: &row.namespace,
            running_time_sec: row.seconds(Milestone::Running).map(rounded),
            ping_time_sec: row.seconds(Milestone::Reachable).map(rounded),
            success: row.outcome == Outcome::Reached,
        }
    }
}

impl Summary {
    pub(super) fn of(phase: &PhaseBlock, with_clones: bool) -> Self {
        let total_vms = phase.counts.participants;
        let mut metrics = vec![
            Metric::of("running_time_sec", phase, Milestone::Running),
            Metric::of("ping_time_sec", phase, Milestone::Reachable),
        ];
        if with_clones {
            let clones = participants(phase).filter_map(clone_time);
            metrics.push(Metric::over("clone_duration_sec", &Sample::new(clones, 0)));
        }
        Self {
            total_vms,
            successful: phase.counts.reached,
            failed: total_vms - phase.counts.reached,
            total_test_duration_sec: phase.spans.took().map(rounded),
            metrics,
        }
    }
}

/// Seconds to fill a VM's disks; the origin tool also writes null if it saw no clone.
fn clone_time(row: &Row) -> Option<f64> {
    let accepted = row.seconds(Milestone::Accepted)?;
    row.seconds(Milestone::Volume).map(|filled| rounded((filled - accepted).max(0.0)))
}

impl Metric {
    /// Over every VM with a value, successful or not, as in the origin tool.
    fn of(name: &'static str, phase: &PhaseBlock, milestone: Milestone) -> Self {
        Self::over(name, &Sample::new(participants(phase).filter_map(|row| row.seconds(milestone)), 0))
    }

    fn over(name: &'static str, sample: &Sample) -> Self {
        Self {
            name,
            avg: sample.mean().map(rounded),
            max: sample.max().map(rounded),
            min: sample.min().map(rounded),
            count: sample.arrived(),
        }
    }
}

impl Cells for Created<'_> {
    fn cells(&self) -> Vec<String> {
        let times = [python_number(self.running_time_sec), python_number(self.ping_time_sec)];
        let [running, ping] = times;
        let clone = python_number(self.clone_duration_sec);
        vec![safe("namespace", self.namespace), running, ping, python_bool(self.success), clone]
    }
}

impl Cells for Booted<'_> {
    fn cells(&self) -> Vec<String> {
        let times = [python_number(self.running_time_sec), python_number(self.ping_time_sec)];
        let [running, ping] = times;
        vec![safe("namespace", self.namespace), running, ping, python_bool(self.success)]
    }
}

impl Cells for Metric {
    fn cells(&self) -> Vec<String> {
        let [avg, max, min] = [self.avg, self.max, self.min].map(python_number);
        vec![self.name.to_owned(), avg, max, min, self.count.to_string()]
    }
}

pub(super) fn participants(phase: &PhaseBlock) -> impl Iterator<Item = &Row> {
    phase.rows.iter().filter(|row| row.outcome != Outcome::Excluded)
}

/// Seconds with two decimals, as a number; ties are rounded as by Python's `round`.
fn rounded(seconds: f64) -> f64 {
    format!("{seconds:.2}").parse().unwrap_or(seconds)
}

/// A number as Python prints it: always with a decimal point.
fn python_number(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| format!("{number:?}"))
}

fn python_bool(value: bool) -> String {
    if value { "True" } else { "False" }.to_owned()
}
