//! Hand-written data: facts about the cluster, and results measured by hand.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Rows of names and values, in the order of the file
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Names, each once.
    pub(super) columns: Vec<String>,
    /// One value per column; empty if there is none.
    pub(super) rows: Vec<Vec<String>>,
}

impl Notes {
    /// Facts about a cluster: everything below `cluster:`.
    pub(super) fn cluster(text: &str) -> Result<Self, String> {
        let Value::Map(facts) = field(text, "cluster")? else {
            return Err("`cluster:` holds no names and values".to_owned());
        };
        Ok(Self::of(&[facts]))
    }

    /// Results measured by hand: the list below `results:`.
    pub(super) fn manual(text: &str) -> Result<Self, String> {
        let Value::List(results) = field(text, "results")? else {
            return Err("`results:` holds no list".to_owned());
        };
        let rows = results.into_iter().map(|result| match result {
            Value::Map(row) => Ok(row),
            _ => Err("an entry of `results:` holds no names and values".to_owned()),
        });
        Ok(Self::of(&rows.collect::<Result<Vec<_>, _>>()?))
    }

    fn of(rows: &[Vec<(String, Value)>]) -> Self {
        let mut columns: Vec<String> = Vec::new();
        for (name, _) in rows.iter().flatten() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let cell = |row: &[(String, Value)], column: &String| {
            row.iter()
                .find(|(name, _)| name == column)
                .map(|(_, value)| value.to_string())
                .unwrap_or_default()
        };
        let rows = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
        Self { columns, rows }
    }
}

/// The value of one top-level key of a YAML document.
fn field(text: &str, wanted: &str) -> Result<Value, String> {
    let document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let Value::Map(fields) = document else { return Err(format!("it has no `{wanted}:`")) };
    let found = fields.into_iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value).ok_or_else(|| format!("it has no `{wanted}:`"))
}

/// A YAML value that preserves the order of keys
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(values) => {
                let lines: Vec<String> = values.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Map(fields) => {
                let lines: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<Value, Value>()? {
            fields.push((name.to_string(), value));
        }
        Ok(Value::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_order_and_their_lines() {
        let text = "cluster:\n  storage_type: SAN\n  nodes: 5\n  network: |\n    bond0: 2x25G\n    mtu: 9000\n  cluster_type: null\n";
        let notes = Notes::cluster(text).unwrap();
        assert_eq!(notes.columns, ["storage_type", "nodes", "network", "cluster_type"]);
        assert_eq!(notes.rows, [["SAN", "5", "bond0: 2x25G\nmtu: 9000\n", ""]]);
    }

    #[test]
    fn results_may_differ_in_their_names() {
        let notes = Notes::manual("results:\n- {test: a, seconds: 1.5}\n- {test: b, note: x}\n").unwrap();
        assert_eq!(notes.columns, ["test", "seconds", "note"]);
        assert_eq!(notes.rows, [["a", "1.5", ""], ["b", "", "x"]]);
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        assert_eq!(Notes::cluster("a: 1").unwrap_err(), "it has no `cluster:`");
        assert_eq!(Notes::manual("results: 5").unwrap_err(), "`results:` holds no list");
        assert!(Notes::cluster("cluster: [1").is_err());
    }
}
