//! One saved run, as far as the dashboard needs it, from any tool.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::people::html::texts::Texts;
use bootstorm_model::observe::Milestone;
use bootstorm_model::stats::{Level, Quantile, Sample};

/// The tool that saved a run
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// This one: `run.json`.
    Bootstorm,
    /// The Python tool behind the guide, or files in its format.
    Virtbench,
    /// kube-burner's local indexer, or documents in its format.
    KubeBurner,
}

/// A creation with the storm after it; either may be missing
#[derive(Debug, Clone, Serialize)]
pub struct Saved {
    /// Folder below the base folder.
    pub(super) path: String,
    /// Tool that saved it.
    pub(super) tool: Tool,
    /// Name of the run, its namespace prefix.
    pub(super) name: String,
    /// Number of the storm, if there are several.
    pub(super) storm_number: Option<u32>,
    /// UUID of the run, if known: the same run may be saved more than once.
    #[serde(skip)]
    pub(super) run_id: Option<String>,
    /// Label of the storage under test.
    pub(super) driver: Option<String>,
    /// Disks per VM, from the folder.
    pub(super) disks: Option<usize>,
    /// Index of the run: its storms are entries of their own.
    pub(super) run: usize,
    /// Beginning.
    #[serde(serialize_with = "as_second")]
    pub(super) began: Timestamp,
    /// VMs to be started.
    pub(super) vms: usize,
    /// Nodes on which VMs ran; unknown in files of the Python tool.
    pub(super) nodes: Option<usize>,
    /// Other properties of the configuration; absent in files of the Python tool.
    pub(super) setting: Setting,
    /// Index of its configuration.
    pub(super) configuration: usize,
    /// Verdict in a word: a grade, `not judged`, or absent without a storm.
    pub(super) verdict: Option<&'static str>,
    /// Evidence for the verdict.
    pub(super) reason: Option<String>,
    /// The means behind the verdict; absent if storm and creation cannot be compared.
    #[serde(skip)]
    pub(super) means: Option<Means>,
    /// VMs that did not reach the goal of the creation or of the storm, each once.
    pub(super) missed: usize,
    /// Versions, for the details.
    pub(super) versions: Vec<String>,
    /// The creation.
    pub(super) create: Option<Part>,
    /// The storm.
    pub(super) storm: Option<Part>,
    /// Times per VM; absent if the page would become too large.
    pub(super) rows: Option<Rows>,
    /// Whether there is a page about this run beside it.
    pub(super) has_page: bool,
}

/// The creations, each once: every entry of a run has it.
pub(super) fn creations<'a>(runs: impl IntoIterator<Item = &'a Saved>) -> impl Iterator<Item = &'a Part> {
    let mut seen = BTreeSet::new();
    let with = runs.into_iter().filter_map(|saved| Some((saved.run, saved.create.as_ref()?)));
    with.filter(move |(run, _)| seen.insert(*run)).map(|(_, create)| create)
}

/// Number of runs.
pub(super) fn distinct<'a>(runs: impl IntoIterator<Item = &'a Saved>) -> usize {
    runs.into_iter().map(|saved| saved.run).collect::<BTreeSet<_>>().len()
}

/// Setup of a run's VMs, in words
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Setting {
    /// Source of their disks.
    pub(super) source: String,
    /// Storage classes.
    pub(super) class: String,
    /// Nodes of the cluster, as far as recorded.
    pub(super) cluster: String,
    /// Deciding probe.
    pub(super) probe: String,
    /// Nodes that they were pinned to.
    pub(super) pinning: String,
    /// CPUs, memory and the like, if overridden.
    pub(super) size: String,
    /// Kind of the storm, unless it starts stopped VMs.
    pub(super) kind: String,
}

impl Setting {
    /// The known values.
    pub(super) fn words(&self) -> Vec<&str> {
        let Self { source, class, cluster, probe, pinning, size, kind } = self;
        let all = [source, class, size, cluster, pinning, probe, kind];
        all.into_iter().map(String::as_str).filter(|word| !word.is_empty()).collect()
    }
}

fn as_second<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.as_second())
}

/// The figures of a creation or a storm
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Part {
    /// VMs that took part.
    pub(super) vms: usize,
    /// VMs that arrived.
    pub(super) arrived: usize,
    /// Times to Running.
    pub(super) running: Option<Times>,
    /// Times until the guest answered.
    pub(super) reachable: Option<Times>,
    /// First request to the end, in seconds.
    pub(super) total: Option<f64>,
}

/// The figures of one milestone, in seconds
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Times {
    /// Number of values.
    pub(super) count: usize,
    /// Fastest.
    pub(super) min: Option<f64>,
    /// Arithmetic mean.
    pub(super) mean: Option<f64>,
    /// Median over all VMs; unknown if only a summary was saved, or not reached.
    pub(super) p50: Option<f64>,
    /// 95th percentile, likewise.
    pub(super) p95: Option<f64>,
    /// Slowest arrived value.
    pub(super) max: Option<f64>,
}

impl Means {
    /// Storm ÷ creation; `None` if the creation took no time.
    pub(super) fn ratio(&self) -> Option<f64> {
        (self.create > 0.0).then(|| self.storm / self.create)
    }
}

impl Times {
    /// The figures of a sample; `None` if no VM arrived.
    pub(super) fn of(sample: &Sample) -> Option<Self> {
        let milli = |seconds: f64| (seconds * 1e3).round() / 1e3;
        (sample.arrived() > 0).then(|| Self {
            count: sample.arrived(),
            min: sample.min().map(milli),
            mean: sample.mean().map(milli),
            p50: Quantile::of(sample, Level::P50).seconds().map(milli),
            p95: Quantile::of(sample, Level::P95).seconds().map(milli),
            max: sample.max().map(milli),
        })
    }
}

/// The means that a verdict compares
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Means {
    /// The judged milestone.
    pub(super) to: Milestone,
    /// Mean boot of the creation: from filled disks, if any were filled.
    pub(super) create: f64,
    /// Mean boot of the storm.
    pub(super) storm: f64,
}

/// The figures of an entry in a table, all for one milestone
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Shown {
    /// The milestone.
    pub(super) to: &'static str,
    /// Mean of the creation.
    pub(super) create: Option<f64>,
    /// Mean of the storm.
    pub(super) storm: Option<f64>,
    /// 95th percentile of the storm.
    pub(super) p95: Option<f64>,
    /// Slowest VM of the storm.
    pub(super) max: Option<f64>,
    /// Mean of the storm ÷ mean of the creation.
    pub(super) ratio: Option<f64>,
}

/// Times per VM in milliseconds, in columns
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rows {
    pub(super) namespaces: Texts,
    pub(super) nodes: Texts,
    /// Outcome: of the storm, or of the creation if there was none.
    pub(super) outcomes: Texts,
    pub(super) create_running: Vec<Option<i64>>,
    pub(super) create_reachable: Vec<Option<i64>>,
    pub(super) storm_running: Vec<Option<i64>>,
    pub(super) storm_reachable: Vec<Option<i64>>,
}

impl Rows {
    /// Number of VMs.
    pub(super) fn len(&self) -> usize {
        self.create_running.len()
    }
}

impl Saved {
    /// The two parts with their class, the creation first.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        let parts = [("baseline", self.create.as_ref()), ("storm", self.storm.as_ref())];
        parts.into_iter().filter_map(|(class, part)| Some((class, part?)))
    }

    /// The storm, if it starts stopped VMs: only that is comparable with a creation.
    pub(super) fn boot_storm(&self) -> Option<&Part> {
        self.storm.as_ref().filter(|_| self.setting.kind.is_empty())
    }

    /// The VMs that its storm started: those of a restart, too, but not those that were only moved.
    pub(super) fn started(&self) -> usize {
        let starts = matches!(self.setting.kind.as_str(), "" | "restart");
        self.storm.as_ref().filter(|_| starts).map_or(0, |storm| storm.vms)
    }

    /// The figures for tables: those of the judged milestone, or of the last one that was measured.
    pub(super) fn shown(&self) -> Shown {
        let main = self.storm.as_ref().or(self.create.as_ref());
        let last = match main.and_then(|part| part.reachable.as_ref()) {
            Some(_) => Milestone::Reachable,
            None => Milestone::Running,
        };
        // Only these two are read from every tool's files.
        let known = |means: &Means| matches!(means.to, Milestone::Running | Milestone::Reachable);
        let means = self.means.filter(known);
        let to = means.map_or(last, |means| means.to);
        let times = |part: &Option<Part>| {
            let part = part.as_ref()?;
            if to == Milestone::Reachable { part.reachable } else { part.running }
        };
        let (create, storm) = (times(&self.create), times(&self.storm));
        Shown {
            to: to.word(),
            create: means.map(|means| means.create).or(create.and_then(|times| times.mean)),
            storm: means.map(|means| means.storm).or(storm.and_then(|times| times.mean)),
            p95: storm.and_then(|times| times.p95),
            max: storm.and_then(|times| times.max),
            ratio: means.and_then(|means| means.ratio()),
        }
    }

    /// The figure by which runs of a configuration are compared: the judged mean, in the storm if there is one.
    pub(super) fn figure(&self) -> Option<f64> {
        let part = self.storm.as_ref().or(self.create.as_ref())?;
        part.reachable.as_ref().or(part.running.as_ref())?.mean
    }

    /// `single node`, `4 nodes` or `not recorded`.
    pub(super) fn placement(&self) -> String {
        match self.nodes {
            None => "not recorded".to_owned(),
            Some(1) => "single node".to_owned(),
            Some(nodes) => format!("{nodes} nodes"),
        }
    }
}

/// Whole milliseconds.
pub(super) fn millis(seconds: Option<f64>) -> Option<i64> {
    seconds.filter(|seconds| seconds.is_finite()).map(|seconds| (seconds * 1000.0).round() as i64)
}
