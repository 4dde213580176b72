//! Flags for the format of results and messages.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::console::{ColorChoice, Console};

/// Formats of results
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One screen: verdict, recovery curve, causes, slowest VMs
    #[default]
    Summary,
    /// The blocks of the guide, with a row per VM
    #[value(alias = "table")]
    Guide,
    /// The same with every VM and every milestone
    Wide,
    /// All data as JSON
    Json,
    /// All data as YAML
    Yaml,
    /// One line per VM and phase, for spreadsheets
    Csv,
    /// A summary to paste into an issue or a page
    #[value(alias = "md")]
    Markdown,
    /// One test case per VM and phase, for CI
    Junit,
    /// Statistics as metrics, in Prometheus' text format
    Prometheus,
    /// Statistics as metrics, as OpenMetrics text
    Openmetrics,
    /// The result document of the proposed KubeVirt benchmark specification
    Benchmark,
    /// The documents that kube-burner indexes: job summaries, latencies per VM, quantiles
    KubeBurner,
    /// One name per VM
    Name,
    /// One offline page with charts
    Html,
}

impl Output {
    /// Whether it is a single document for programs.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }

    /// Whether it is for people at a terminal.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Summary | Self::Guide | Self::Wide)
    }

    /// Whether only commands that show a report support this format.
    pub fn is_for_reports_only(self) -> bool {
        matches!(
            self,
            Self::Csv
                | Self::Markdown
                | Self::Junit
                | Self::Prometheus
                | Self::Openmetrics
                | Self::Benchmark
                | Self::KubeBurner
                | Self::Html
        )
    }
}

/// When to use colour
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Flags that say how results and talk look
#[derive(Debug, Clone, Args)]
pub struct PresentationArgs {
    /// Format of the result
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Output,
    /// Omit table headers
    #[arg(long, global = true)]
    pub no_headers: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Print nothing but the result
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log more to stderr (can be repeated)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Append logs to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Log level: error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl PresentationArgs {
    /// The console configured by these flags.
    pub fn console(&self) -> Console {
        let color = match self.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Console::new(color, self.quiet)
    }

    /// The log filter from these flags; levels are accepted in any case, as in the guide.
    pub fn log_filter(&self) -> Option<String> {
        let by_count = match self.verbose {
            0 => None,
            1 => Some("info".to_owned()),
            2 => Some("debug".to_owned()),
            _ => Some("trace".to_owned()),
        };
        self.log_level
            .as_ref()
            .map(|level| match level.to_lowercase().as_str() {
                "warning" => "warn".to_owned(),
                lower @ ("error" | "warn" | "info" | "debug" | "trace" | "off") => lower.to_owned(),
                _ => level.clone(),
            })
            .or(by_count)
    }
}
