//! Conversion of nodes to values: keys, merges, and numbers as in JSON.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Number, Value};

use super::fault::{Warning, YamlFault};
use super::node::{Kind, Node};
use super::scalar::{Scalar, resolve};

/// Maximum number of nodes in a document after its aliases are expanded.
const MOST_NODES: usize = 500_000;
/// Maximum size of its text in bytes after expansion: twice the longest file that is read.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Whole numbers from here on are floats in kubectl.
const INTEGERS_BELOW: f64 = 9_223_372_036_854_775_808.0;

/// The value of a document.
pub(super) fn build(root: &Node, warnings: &mut BTreeSet<Warning>) -> Result<Value, YamlFault> {
    Builder { nodes: 0, bytes: 0, warnings }.value(root)
}

struct Builder<'a> {
    nodes: usize,
    bytes: usize,
    warnings: &'a mut BTreeSet<Warning>,
}

impl Builder<'_> {
    fn value(&mut self, node: &Node) -> Result<Value, YamlFault> {
        self.count(node)?;
        match &node.kind {
            Kind::Scalar { text, is_plain, tag } => match scalar(node, text, *is_plain, tag.as_deref())? {
                Scalar::Null => Ok(Value::Null),
                Scalar::Bool(value) => Ok(Value::Bool(value)),
                Scalar::Integer(value) => Ok(Value::Number(value.into())),
                Scalar::Large(value) => Ok(number(value as f64)),
                Scalar::Float(value) if value.is_finite() => Ok(number(value)),
                Scalar::Float(_) => Err(YamlFault::at(&node.span, "a number has to be finite")),
                Scalar::Text(text) => Ok(Value::String(text)),
            },
            Kind::Sequence(items) => items.iter().map(|item| self.value(item)).collect(),
            Kind::Mapping(_) => {
                let mut map = Map::new();
                self.fill(node, &mut map)?;
                Ok(Value::Object(map))
            }
        }
    }

    fn count(&mut self, node: &Node) -> Result<(), YamlFault> {
        self.nodes += 1;
        if let Kind::Scalar { text, .. } = &node.kind {
            self.bytes += text.len();
        }
        let is_too_much = self.nodes > MOST_NODES || self.bytes > MOST_BYTES;
        if is_too_much { Err(YamlFault::at(&node.span, "its aliases expand to too much")) } else { Ok(()) }
    }

    /// Adds the entries of a mapping to a map; later ones win, merge keys included.
    fn fill(&mut self, mapping: &Node, map: &mut Map<String, Value>) -> Result<(), YamlFault> {
        let Kind::Mapping(entries) = &mapping.kind else {
            let what = "a merge key takes a map, or a list of maps";
            return Err(YamlFault::at(&mapping.span, what));
        };
        let mut own = HashSet::new();
        let mut merges = 0;
        for (key, value) in entries {
            self.count(key)?;
            if is_merge(key) {
                merges += 1;
                if merges == 2 {
                    self.warnings.insert(Warning::SecondMerge(key.span.start.line()));
                }
                self.merge(key, value, &own, map)?;
                continue;
            }
            let name = key_of(key)?;
            if !own.insert(name.clone()) {
                return Err(YamlFault::at(&key.span, "the same key twice"));
            }
            let value = self.value(value)?;
            map.insert(name, value);
        }
        Ok(())
    }

    fn merge(
        &mut self,
        key: &Node,
        value: &Node,
        own: &HashSet<String>,
        map: &mut Map<String, Value>,
    ) -> Result<(), YamlFault> {
        let mut merged = Map::new();
        match &value.kind {
            // The first of several maps wins.
            Kind::Sequence(maps) => maps.iter().rev().try_for_each(|each| self.fill(each, &mut merged))?,
            _ => self.fill(value, &mut merged)?,
        }
        if own.iter().any(|name| merged.get(name).is_some_and(|value| map.get(name) != Some(value))) {
            self.warnings.insert(Warning::MergeOverrides(key.span.start.line()));
        }
        map.extend(merged);
        Ok(())
    }
}

fn scalar(node: &Node, text: &str, is_plain: bool, tag: Option<&str>) -> Result<Scalar, YamlFault> {
    if !is_plain && tag.is_none() {
        return Ok(Scalar::Text(text.to_owned()));
    }
    resolve(tag, text).map_err(|what| YamlFault::at(&node.span, what))
}

fn is_merge(key: &Node) -> bool {
    match &key.kind {
        Kind::Scalar { text, is_plain, tag } => {
            text == "<<" && tag.as_deref().map_or(*is_plain, |tag| tag == "tag:yaml.org,2002:merge")
        }
        _ => false,
    }
}

/// A key as in JSON: always a text.
fn key_of(key: &Node) -> Result<String, YamlFault> {
    let Kind::Scalar { text, is_plain, tag } = &key.kind else {
        return Err(YamlFault::at(&key.span, "a key has to be a text, not a list or a map"));
    };
    match scalar(key, text, *is_plain, tag.as_deref())? {
        Scalar::Null => Err(YamlFault::at(&key.span, "a key must not be null; quote it")),
        Scalar::Bool(value) => Ok(value.to_string()),
        Scalar::Integer(value) => Ok(value.to_string()),
        Scalar::Large(_) => Err(YamlFault::at(&key.span, "a number is too large for a key; quote it")),
        Scalar::Float(value) => Ok(float_key(value)),
        Scalar::Text(text) => Ok(text),
    }
}

/// A float as a key: the shortest text for 32 bits, with an exponent from a million on, as Go's `%g` writes it.
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// A number as JSON decodes it: whole ones become integers if they fit.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < INTEGERS_BELOW {
        return Value::Number((value as i64).into());
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// Converts whole numbers to integers if they fit.
pub(super) fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(given) => match given.as_f64() {
            Some(float) if given.as_i64().is_none() => number(float),
            _ => Value::Number(given),
        },
        Value::Array(items) => items.into_iter().map(whole_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, whole_numbers(value))).collect(),
        other => other,
    }
}
