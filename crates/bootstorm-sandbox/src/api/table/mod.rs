//! Tables for display, as in `kubectl get`.

mod age;
mod column;
mod job;
mod pod;
mod views;

use crate::value::{Value, json};

use self::column::Column;
use crate::store::Kind;

/// How much of each object accompanies its row
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    pub(super) fn parse(text: Option<&str>) -> Self {
        match text {
            Some("None") => Self::None,
            Some("Object") => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// A table of objects.
pub(super) fn of<'a>(
    kind: &Kind,
    objects: impl IntoIterator<Item = &'a Value>,
    metadata: &Value,
    include: Include,
) -> Value {
    let columns = views::of(kind);
    let rows: Vec<Value> = objects.into_iter().map(|object| row(&columns, object, include)).collect();
    let definitions: Vec<Value> = columns.iter().map(Column::definition).collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn row(columns: &[Column], object: &Value, include: Include) -> Value {
    let cells: Vec<Value> = columns.iter().map(|column| column.cell(object)).collect();
    match include {
        Include::None => json!({"cells": cells}),
        Include::Metadata => json!({"cells": cells, "object": super::payload::metadata(object)}),
        Include::Object => json!({"cells": cells, "object": object}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::kind::{self, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};

    #[test]
    fn every_kind_has_columns_that_stand_an_empty_object() {
        for kind in kind::all() {
            let table = of(kind, [&json!({"metadata": {"name": "a"}})], &json!({}), Include::Metadata);
            let columns = table["columnDefinitions"].as_array().unwrap().len();
            assert_eq!(table["rows"][0]["cells"].as_array().unwrap().len(), columns, "{}", kind.plural);
        }
    }

    fn shown(kind: &Kind, object: &Value) -> Vec<(String, Value)> {
        let table = of(kind, [object], &json!({}), Include::None);
        let names = table["columnDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap().to_owned());
        names.zip(table["rows"][0]["cells"].as_array().unwrap().clone()).collect()
    }

    #[test]
    fn machines_show_what_their_definitions_say() {
        let vm = json!({"metadata": {"name": "a"}, "status": {"printableStatus": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let cells = shown(&VIRTUAL_MACHINES, &vm);
        assert_eq!(cells[2..], [("Status".into(), json!("Running")), ("Ready".into(), json!("True"))]);
        let vmi = json!({"metadata": {"name": "a"}, "status": {"phase": "Running", "nodeName": "n", "interfaces": [{"ipAddress": "10.0.0.1"}]}});
        let cells = shown(&VIRTUAL_MACHINE_INSTANCES, &vmi);
        let names: Vec<&str> = cells.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Name", "Age", "Phase", "IP", "NodeName", "Ready", "Live-Migratable", "Paused"]);
        assert_eq!(cells[3].1, "10.0.0.1");
    }
}
