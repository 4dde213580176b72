//! One column: its name and the source of its cells.

use crate::value::{Value, json};

use super::age;

type Show = fn(&Value) -> Value;

/// A column of a table
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    wide: bool,
    from: From,
}

#[derive(Clone, Copy)]
enum From {
    /// A field, by its JSON pointer.
    Field(&'static str),
    /// Age of a field.
    Age(&'static str),
    /// The status of a condition.
    Condition(&'static str),
    /// Result of a function.
    Shown(Show),
}

/// First column of every table.
pub(super) const NAME: Column = field("Name", "/metadata/name");
/// Last column of most tables.
pub(super) const AGE: Column =
    Column { name: "Age", wide: false, from: From::Age("/metadata/creationTimestamp") };

pub(super) const fn field(name: &'static str, pointer: &'static str) -> Column {
    Column { name, wide: false, from: From::Field(pointer) }
}

pub(super) const fn age(name: &'static str, pointer: &'static str) -> Column {
    Column { name, wide: false, from: From::Age(pointer) }
}

pub(super) const fn condition(name: &'static str, kind: &'static str) -> Column {
    Column { name, wide: false, from: From::Condition(kind) }
}

pub(super) const fn shown(name: &'static str, show: Show) -> Column {
    Column { name, wide: false, from: From::Shown(show) }
}

impl Column {
    /// Restricts the column to wide output.
    pub(super) const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    pub(super) fn definition(&self) -> Value {
        let format = if self.name == "Name" { "name" } else { "" };
        json!({"name": self.name, "type": "string", "format": format, "description": "", "priority": i32::from(self.wide)})
    }

    pub(super) fn cell(&self, object: &Value) -> Value {
        match self.from {
            From::Field(pointer) => object.pointer(pointer).cloned().unwrap_or(Value::Null),
            From::Age(pointer) => json!(age::since(object.pointer(pointer).and_then(Value::as_str))),
            From::Condition(kind) => condition_status(object, kind),
            From::Shown(show) => show(object),
        }
    }
}

/// The status of a condition, or nothing.
pub(super) fn condition_status(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind));
    found.map_or(Value::Null, |condition| condition["status"].clone())
}
