//! Reads results back: reports and whole runs, as JSON or YAML, and the result files of the origin tool.
//!
//! Input may come from anywhere: it may be truncated, hostile, newer, or something else. It is checked as far as every
//! format needs to show it. A report that is read and written as JSON again is the same text.

mod check;
mod foreign;
mod kind;
pub mod kube_burner;
pub mod legacy;
mod reconstruct;
mod unreadable;

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::{Graded, Report, Selection};
use bootstorm_model::record::{PhaseName, RunRecord};
use kind::Kind;
pub use unreadable::{MOST_BYTES, Unreadable};
use unreadable::{of_json_error, told};

/// Maximum number of parser events in a YAML file, several per line.
const MOST_YAML_EVENTS: usize = 50_000_000;

/// Content of a results file
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// A whole run, as in `run.json`.
    Run(Box<RunRecord>),
    /// A report written as JSON or YAML, or derived from the origin tool's files.
    Report(Box<Report>),
}

/// Reads a results file, JSON or YAML.
pub fn document(bytes: &[u8]) -> Result<Document, Unreadable> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bytes {
        [0x1f, 0x8b, ..] => {
            let Some(files) = kube_burner::tarball::files(bytes)? else {
                return Err(Unreadable::NotText("it is compressed; unpack it first"));
            };
            return kube_burner::report(&files).map(|report| Document::Report(Box::new(report)));
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(Unreadable::NotText("it is UTF-16; save it as UTF-8"));
        }
        _ => {}
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(Unreadable::Empty),
        Some(b'{') => read(kind::of_json(bytes)?, bytes, json, json),
        Some(b'[') => kube_burner::array(bytes).map(|report| Document::Report(Box::new(report))),
        Some(_) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotText("it is not text"))?;
            read(kind::of_yaml(text)?, text, yaml, report_in_yaml)
        }
    }
}

/// Reads and checks a document of a known kind.
fn read<T: ?Sized>(
    kind: Kind,
    text: &T,
    run: fn(&T) -> Result<RunRecord, Unreadable>,
    report: fn(&T) -> Result<Report, Unreadable>,
) -> Result<Document, Unreadable> {
    match kind {
        Kind::Run => {
            let run = run(text)?;
            check::run(&run)?;
            Ok(Document::Run(Box::new(run)))
        }
        Kind::Report => {
            let mut report = report(text)?;
            check::report(&report)?;
            report.complete();
            Ok(Document::Report(Box::new(report)))
        }
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| of_json_error(&error))
}

fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MOST_YAML_EVENTS,
            max_nodes: MOST_YAML_EVENTS,
            max_total_scalar_bytes: MOST_BYTES as usize,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
    };
    // One deserializer for all types: one for each would be a tenth of the program.
    let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| {
        let erased = &mut <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        erased_serde::deserialize(erased).map_err(serde::de::Error::custom)
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, read)
        .map_err(|error| Unreadable::damaged(&error))
}

/// YAML can express NaN and infinity; JSON cannot, so converting detects them.
fn report_in_yaml(text: &str) -> Result<Report, Unreadable> {
    let report: Report = yaml(text)?;
    json(report.json().map_err(|error| Unreadable::damaged(&error))?.as_bytes())
}

impl Document {
    /// The whole run; if it is a finished report, as much as that contains.
    pub fn run(&self) -> Cow<'_, RunRecord> {
        match self {
            Self::Run(run) => Cow::Borrowed(run),
            Self::Report(report) => Cow::Owned(reconstruct::run(report)),
        }
    }

    /// Validity grades of its phases, as far as known.
    pub fn graded(&self) -> Vec<Graded> {
        match self {
            Self::Run(run) => Graded::of_run(run),
            Self::Report(report) => Graded::of_report(&report.phases),
        }
    }

    /// Phases without the times of their requests, so that nothing can be counted from the first one.
    pub fn unspread(&self) -> Vec<PhaseName> {
        match self {
            Self::Run(_) => Vec::new(),
            Self::Report(report) => report
                .phases
                .iter()
                .filter(|phase| reconstruct::unspread(phase))
                .map(|phase| phase.name)
                .collect(),
        }
    }

    /// View model of the document.
    ///
    /// Fails if phases are selected that it does not have, or that a finished report does not compare.
    pub fn report(&self, selection: &Selection) -> Result<Cow<'_, Report>, String> {
        match self {
            Self::Run(run) => {
                selection.check(run)?;
                Ok(Cow::Owned(Report::of(run, selection)))
            }
            Self::Report(report) => {
                let compared = report.comparison.as_ref();
                let differs = |chosen: Option<PhaseName>, has| chosen.is_some() && chosen != has;
                if differs(selection.baseline, compared.and_then(|compared| compared.baseline))
                    || differs(selection.storm, compared.map(|compared| compared.storm))
                {
                    return Err(
                        "the file holds a finished report; only a run.json can be compared again".into()
                    );
                }
                Ok(Cow::Borrowed(report))
            }
        }
    }
}

#[cfg(test)]
mod tests;
