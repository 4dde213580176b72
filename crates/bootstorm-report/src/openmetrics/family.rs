//! Families of metrics, and the page that they form.

use std::fmt::Write as _;

use super::histogram::Histogram;
use bootstorm_model::text::printable;

/// Types of families in use
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    Counter,
    Info,
    StateSet,
    Histogram,
}

/// Text format of a page
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' own, version 0.0.4, which `node_exporter` and the Pushgateway read: a family is named like its
    /// samples, facts and states are gauges, and there are no units and no end marker.
    Prometheus,
}

impl Kind {
    fn word(self, format: Format) -> &'static str {
        match self {
            Self::Info | Self::StateSet if format == Format::Prometheus => "gauge",
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Histogram => "histogram",
        }
    }

    /// Suffix of its sample names.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Gauge | Self::StateSet | Self::Histogram => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }
}

/// A family under construction
pub(crate) struct Family {
    /// Name without the common prefix, and without the suffix of its kind.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `seconds`, `ratio`, or empty.
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
    pub(crate) samples: Vec<Sample>,
}

/// A value of a family
pub(crate) struct Sample {
    /// Suffix of the name.
    end: &'static str,
    /// Names and values, unescaped; without the run.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// The text under construction
pub(super) struct Page {
    format: Format,
    run: String,
    text: String,
}

impl Family {
    /// A family without samples. A name ends with its unit.
    pub(super) fn new(name: &'static str, kind: Kind, unit: &'static str, help: &'static str) -> Self {
        debug_assert!(unit.is_empty() || name.ends_with(unit), "{name} must end with its unit");
        Self { name, kind, unit, help, samples: Vec::new() }
    }

    /// Adds a sample.
    pub(super) fn labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        self.samples.push(Sample { end: "", labels: owned(labels), value });
    }

    /// Adds the samples of a histogram.
    pub(super) fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let labels = owned(labels);
        let mut count = 0.0;
        for (bound, so_far) in histogram.buckets() {
            let mut labels = labels.clone();
            labels.push(("le".to_owned(), bound.clone()));
            self.samples.push(Sample { end: "_bucket", labels, value: so_far });
            count = so_far;
        }
        self.samples.push(Sample { end: "_sum", labels: labels.clone(), value: histogram.sum() });
        self.samples.push(Sample { end: "_count", labels, value: count });
    }
}

impl Page {
    pub(super) fn new(format: Format, run: &str) -> Self {
        Self { format, run: escaped(run), text: String::new() }
    }

    /// Writes a family; one without samples is omitted.
    pub(super) fn family(&mut self, family: &Family) {
        if family.samples.is_empty() {
            return;
        }
        let is_open = self.format == Format::OpenMetrics;
        let sample = format!("bootstorm_{}{}", family.name, family.kind.suffix());
        let name = if is_open { format!("bootstorm_{}", family.name) } else { sample.clone() };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# TYPE {name} {}", family.kind.word(self.format));
        if is_open && !family.unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {}", family.unit);
        }
        let _ = writeln!(self.text, "# HELP {name} {}", family.help);
        for Sample { end, labels, value } in &family.samples {
            let labels = written(labels);
            let _ = writeln!(self.text, "{sample}{end}{{run=\"{}\"{labels}}} {}", self.run, number(*value));
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn written(labels: &[(String, String)]) -> String {
    labels.iter().map(|(name, value)| format!(",{name}=\"{}\"", escaped(value))).collect()
}

/// A number with microsecond resolution.
fn number(value: f64) -> String {
    if value.is_infinite() {
        "+Inf".to_owned()
    } else {
        bootstorm_model::stats::round_to_micros(value).to_string()
    }
}

/// The value of a label; of the characters that control a terminal only line ends stay, escaped as the format requires.
fn escaped(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
