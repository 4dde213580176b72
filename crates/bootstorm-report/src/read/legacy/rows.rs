//! The rows of the origin tool's detail files, JSON or CSV.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use crate::read::Unreadable;
use bootstorm_model::plan::MOST_TARGETS;
use bootstorm_model::record::at_most;

const MOST_ROWS: usize = MOST_TARGETS as usize;

/// One VM
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct VmRow {
    pub(super) namespace: String,
    #[serde(rename = "running_time_sec")]
    pub(super) running: Option<f64>,
    #[serde(rename = "ping_time_sec")]
    pub(super) ping: Option<f64>,
    /// From the creation until its disks were cloned; only for a create.
    #[serde(rename = "clone_duration_sec", default)]
    pub(super) clone: Option<f64>,
    #[serde(deserialize_with = "python_bool")]
    pub(super) success: bool,
}

#[derive(Deserialize)]
struct Rows(#[serde(deserialize_with = "at_most::<MOST_ROWS, _, _>")] Vec<VmRow>);

/// JSON has `true`, CSV has `True`.
fn python_bool<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Bool(bool),
        Word(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Bool(value) => Ok(value),
        Either::Word(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Either::Word(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        Either::Word(_) => Err(serde::de::Error::custom("success is neither True nor False")),
    }
}

/// The rows of a file, from its JSON form if there is one; `None` if it has neither form.
pub(super) fn of(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Option<Vec<VmRow>>, Unreadable> {
    let damaged = |file: &str, why: &dyn std::fmt::Display| Unreadable::damaged(&format!("{file}: {why}"));
    let (json, csv) = (format!("{name}.json"), format!("{name}.csv"));
    let rows = if let Some(bytes) = files.get(&json) {
        serde_json::from_slice::<Rows>(bytes).map_err(|error| damaged(&json, &error))?.0
    } else if let Some(bytes) = files.get(&csv) {
        let rows = csv::Reader::from_reader(bytes.as_slice()).into_deserialize().take(MOST_ROWS + 1);
        let rows: Vec<VmRow> = rows.collect::<Result<_, _>>().map_err(|error| damaged(&csv, &error))?;
        if rows.len() > MOST_ROWS {
            return Err(damaged(&csv, &format!("it has more than {MOST_ROWS} rows")));
        }
        rows
    } else {
        return Ok(None);
    };
    let mut seen = HashSet::new();
    for row in &rows {
        for seconds in [row.running, row.ping, row.clone].into_iter().flatten() {
            reasonable(seconds, name)?;
        }
        if !seen.insert(row.namespace.as_str()) {
            return Err(damaged(name, &format!("{} is in it twice", row.namespace)));
        }
    }
    Ok(Some(rows))
}

/// Checks that a time is plausible for a VM.
pub(super) fn reasonable(seconds: f64, file: &str) -> Result<f64, Unreadable> {
    if (0.0..=1e9).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Unreadable::damaged(&format!("{file}: {seconds:e} seconds are impossible")))
}
