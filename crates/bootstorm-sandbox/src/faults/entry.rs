//! A fault as written in a file.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::value::Value;
use serde::{Deserialize, Deserializer};

use super::matching::{Match, ROLE};
use bootstorm_model::duration;

/// One fault as written
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Entry {
    #[serde(default, rename = "match")]
    matching: Option<Matching>,
    pub(super) effect: String,
    pub(super) delay: Option<Time>,
    pub(super) code: Option<u16>,
    #[serde(default, deserialize_with = "whole_seconds")]
    pub(super) retry_after: Option<u32>,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) what: Option<String>,
    #[serde(default)]
    pub(super) nodes: Vec<String>,
    pub(super) apart: Option<Time>,
    pub(super) after: Option<Time>,
    pub(super) after_requests: Option<u64>,
    #[serde(rename = "for")]
    pub(super) lasting: Option<Time>,
    pub(super) count: Option<u64>,
    pub(super) probability: Option<f64>,
    pub(super) every: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Matching {
    #[serde(default)]
    verb: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// A time as written: `90s`, `200ms`, or a number of seconds
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        time(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads a time: `90s`, `200ms`, `1m30s`, or a number of seconds.
///
/// Fails with a sentence that shows the grammar.
pub fn time(text: &str) -> Result<Duration, String> {
    let plain = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let written = || duration::parse(text).ok();
    plain
        .or_else(written)
        .ok_or_else(|| format!("\"{text}\" is not a duration; write it like 90s, 200ms, 1m30s or 90"))
}

fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(time) = Option::<Time>::deserialize(deserializer)? else { return Ok(None) };
    let seconds = u32::try_from(time.0.as_secs()).ok().filter(|_| time.0.subsec_nanos() == 0);
    seconds.map(Some).ok_or_else(|| serde::de::Error::custom("retryAfter is a number of whole seconds"))
}

impl Entry {
    /// Requests or objects that it applies to.
    pub(super) fn matching(&self) -> Match {
        let Some(given) = &self.matching else { return Match::default() };
        let mut labels = given.labels.clone();
        if let Some(role) = &given.role {
            labels.insert(ROLE.to_owned(), role.clone());
        }
        Match {
            verb: given.verb.clone(),
            resource: given.resource.clone(),
            namespace: given.namespace.clone(),
            name: given.name.clone(),
            labels,
        }
    }
}
