//! JSON values whose copies share what they have in common.
//!
//! A store keeps many versions of an object that differ in few fields, and each reader wants one of its own. Copying a
//! [`Value`] copies one reference. Changing a copy copies the collections on the way to the changed field, and nothing
//! else. Comparing two versions skips what they share.
//!
//! The names are those of [`serde_json`], so that code for one reads like code for the other.

mod build;
mod map;
mod serial;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops;
use std::sync::Arc;

use serde_json::Number;

pub use self::build::{ToValue, no_items};
pub use self::map::{Map, Name};
pub use crate::json;

/// A JSON value
#[derive(Clone, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// List.
    Array(Arc<Vec<Value>>),
    /// Object.
    Object(Arc<Map>),
}

static NULL: Value = Value::Null;

impl Value {
    /// A list.
    pub fn list(items: Vec<Self>) -> Self {
        Self::Array(Arc::new(items))
    }

    /// A field of an object, or an element of a list.
    pub fn get(&self, place: impl Place) -> Option<&Self> {
        place.of(self)
    }

    /// Like [`Value::get`], for changing it.
    pub fn get_mut(&mut self, place: impl Place) -> Option<&mut Self> {
        place.of_mut(self)
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is an integer in range.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number, if it is an integer in range.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The number.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The list.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The list, for changing it.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The fields of an object.
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The fields of an object, for changing them.
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(fields) => Some(Arc::make_mut(fields)),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a text.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is a list.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether it is `true` or `false`.
    pub fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is an integer.
    pub fn is_integer(&self) -> bool {
        self.as_number().is_some_and(|number| number.is_i64() || number.is_u64())
    }

    /// Whether it is certainly equal, as a copy that nobody changed is; nothing is compared in depth.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::String(one), Self::String(other)) => Arc::ptr_eq(one, other),
            (Self::Array(one), Self::Array(other)) => Arc::ptr_eq(one, other),
            (Self::Object(one), Self::Object(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Leaves `null` in its place.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The value at a JSON pointer (RFC 6901).
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        steps(pointer)?.try_fold(self, |value, step| match value {
            Self::Object(fields) => fields.get(&step),
            Self::Array(items) => items.get(position(&step)?),
            _ => None,
        })
    }

    /// Like [`Value::pointer`], for changing it.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        steps(pointer)?.try_fold(self, |value, step| match value {
            Self::Object(fields) => Arc::make_mut(fields).get_mut(&step),
            Self::Array(items) => Arc::make_mut(items).get_mut(position(&step)?),
            _ => None,
        })
    }
}

fn steps(pointer: &str) -> Option<impl Iterator<Item = Cow<'_, str>>> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return None;
    }
    let plain = |step: &'_ str| step.replace("~1", "/").replace("~0", "~");
    Some(
        pointer
            .split('/')
            .skip(1)
            .map(move |step| if step.contains('~') { plain(step).into() } else { step.into() }),
    )
}

fn position(step: &str) -> Option<usize> {
    let canonical = !step.starts_with('+') && (step == "0" || !step.starts_with('0'));
    step.parse().ok().filter(|_| canonical)
}

/// The name of a field, or the position in a list
pub trait Place {
    /// The value there.
    fn of(self, value: &Value) -> Option<&Value>;
    /// Like [`Place::of`], for changing it.
    fn of_mut(self, value: &mut Value) -> Option<&mut Value>;
}

impl Place for &str {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_object_mut()?.get_mut(self)
    }
}

impl Place for &String {
    fn of(self, value: &Value) -> Option<&Value> {
        self.as_str().of(value)
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        self.as_str().of_mut(value)
    }
}

impl Place for usize {
    fn of(self, value: &Value) -> Option<&Value> {
        value.as_array()?.get(self)
    }

    fn of_mut(self, value: &mut Value) -> Option<&mut Value> {
        value.as_array_mut()?.get_mut(self)
    }
}

/// A missing field is `null`.
impl ops::Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&NULL)
    }
}

/// A missing field is made, in an object and in what is `null`; another value becomes an object.
impl ops::IndexMut<&str> for Value {
    fn index_mut(&mut self, name: &str) -> &mut Self {
        if !self.is_object() {
            *self = Self::Object(Arc::default());
        }
        let Self::Object(fields) = self else { unreachable!("it has just become an object") };
        Arc::make_mut(fields).entry(name).or_default()
    }
}

/// Names of other types.
macro_rules! names {
    ($($name:ty),+) => { $(
        impl ops::Index<$name> for Value {
            type Output = Self;

            fn index(&self, name: $name) -> &Self {
                &self[AsRef::<str>::as_ref(&name)]
            }
        }

        impl ops::IndexMut<$name> for Value {
            fn index_mut(&mut self, name: $name) -> &mut Self {
                &mut self[AsRef::<str>::as_ref(&name)]
            }
        }
    )+ };
}
names!(String, &String, &Name);

/// An element that is not there is `null`.
impl ops::Index<usize> for Value {
    type Output = Self;

    fn index(&self, place: usize) -> &Self {
        self.get(place).unwrap_or(&NULL)
    }
}

/// Panics if the element is not there, like a slice.
impl ops::IndexMut<usize> for Value {
    fn index_mut(&mut self, place: usize) -> &mut Self {
        match self {
            Self::Array(items) => &mut Arc::make_mut(items)[place],
            _ => panic!("{place} is a place in a list, and this is none"),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::String(one), Self::String(other)) => one == other,
            // What two versions share is not looked into.
            (Self::Array(one), Self::Array(other)) => Arc::ptr_eq(one, other) || one == other,
            (Self::Object(one), Self::Object(other)) => Arc::ptr_eq(one, other) || one == other,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == Some(other.as_str())
    }
}

impl PartialEq<Value> for &str {
    fn eq(&self, other: &Value) -> bool {
        other == self
    }
}

impl PartialEq<Value> for str {
    fn eq(&self, other: &Value) -> bool {
        other == self
    }
}

impl PartialEq<Value> for String {
    fn eq(&self, other: &Value) -> bool {
        other == self
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}

impl PartialEq<f64> for Value {
    fn eq(&self, other: &f64) -> bool {
        self.as_f64() == Some(*other)
    }
}

/// Comparison with integers, and values of them.
macro_rules! integers {
    ($($kind:ty),+) => { $(
        impl PartialEq<$kind> for Value {
            fn eq(&self, other: &$kind) -> bool {
                self.as_number() == Some(&Number::from(*other))
            }
        }

        impl From<$kind> for Value {
            fn from(number: $kind) -> Self {
                Self::Number(number.into())
            }
        }
    )+ };
}
integers!(i32, i64, u16, u32, u64, usize);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// What is no number in JSON becomes `null`.
impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Number::from_f64(number).map_or(Self::Null, Self::Number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Map> for Value {
    fn from(fields: Map) -> Self {
        Self::Object(Arc::new(fields))
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::list(items.into_iter().map(Into::into).collect())
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value as Plain;
        match value {
            Plain::Null => Self::Null,
            Plain::Bool(value) => Self::Bool(value),
            Plain::Number(number) => Self::Number(number),
            Plain::String(text) => text.into(),
            Plain::Array(items) => items.into_iter().collect(),
            Plain::Object(fields) => {
                fields.into_iter().map(|(name, value)| (name, Self::from(value))).collect::<Map>().into()
            }
        }
    }
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String((*text).to_owned()),
            Value::Array(items) => items.iter().cloned().map(Self::from).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.to_string(), Self::from(value.clone())));
                Self::Object(fields.collect())
            }
        }
    }
}

/// As JSON text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// As JSON text.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
