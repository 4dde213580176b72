//! The runs for the page's script.

use serde::Serialize;

use super::Dashboard;
use super::groups::{self, Trend, Way};
use super::saved::{Saved, Setting, Shown};
use bootstorm_model::text::printable;

#[derive(Serialize)]
struct Data {
    runs: Vec<Entry>,
    /// Trend of each configuration, by its index.
    trends: Vec<Option<Told>>,
}

/// A run, with the figures of its row
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    saved: Saved,
    shown: Shown,
}

/// A trend in words, and whether it is an outlier
#[derive(Serialize)]
struct Told {
    words: String,
    out: Option<Way>,
}

/// The runs as JSON, with every text made safe for display.
pub(super) fn json(dashboard: &Dashboard) -> String {
    let safe = |text: &str| printable(text).into_owned();
    let runs = dashboard.runs.iter().map(|saved| Saved {
        path: safe(&saved.path),
        name: safe(&saved.name),
        driver: saved.driver.as_deref().map(safe),
        reason: saved.reason.as_deref().map(safe),
        setting: Setting {
            source: safe(&saved.setting.source),
            class: safe(&saved.setting.class),
            cluster: safe(&saved.setting.cluster),
            probe: safe(&saved.setting.probe),
            pinning: safe(&saved.setting.pinning),
            size: safe(&saved.setting.size),
            kind: safe(&saved.setting.kind),
        },
        versions: saved.versions.iter().map(|version| safe(version)).collect(),
        ..saved.clone()
    });
    let runs = runs.map(|saved| Entry { shown: saved.shown(), saved }).collect();
    let trends = groups::by_configuration(&dashboard.runs).into_values().map(|runs| {
        let trend = Trend::of(&runs)?;
        Some(Told { words: trend.words(), out: trend.out })
    });
    // Serialising strings, finite numbers and lists of them cannot fail.
    serde_json::to_string(&Data { runs, trends: trends.collect() }).unwrap_or_else(|_| "null".to_owned())
}
