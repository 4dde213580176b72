//! The runs for the page's script.

use serde::Serialize;

use super::Dashboard;
use super::saved::Saved;
use bootstorm_model::text::printable;

#[derive(Serialize)]
struct Data {
    runs: Vec<Saved>,
}

/// The runs as JSON, every text made safe to be shown.
pub(super) fn json(dashboard: &Dashboard) -> String {
    let safe = |text: &str| printable(text).into_owned();
    let runs = dashboard.runs.iter().map(|saved| Saved {
        path: safe(&saved.path),
        name: safe(&saved.name),
        driver: saved.driver.as_deref().map(safe),
        versions: saved.versions.iter().map(|version| safe(version)).collect(),
        ..saved.clone()
    });
    // Strings, finite numbers and lists of them cannot fail to be written.
    serde_json::to_string(&Data { runs: runs.collect() }).unwrap_or_else(|_| "null".to_owned())
}
