//! The fields of an object, in the order of their names.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Index, IndexMut};
use std::sync::Arc;

use super::Value;

/// Names longer than this are not shared between objects.
const LONGEST: usize = 64;
/// Number of names that a thread knows. Labels and annotations may have any names, so there is a limit.
const KNOWN: usize = 4_096;
/// Number of fields up to which looking at all of them is quicker than a binary search.
const FEW: usize = 16;

thread_local! {
    static NAMES: RefCell<HashSet<Arc<str>>> = RefCell::default();
}

/// The name of a field
#[derive(Clone)]
pub struct Name {
    /// Its first bytes, which tell most names apart without a look at the text.
    head: Head,
    text: Arc<str>,
}

/// The first bytes of a name, in its order
type Head = u64;

fn head(name: &str) -> Head {
    let mut head = [0; size_of::<Head>()];
    let count = name.len().min(head.len());
    head[..count].copy_from_slice(&name.as_bytes()[..count]);
    Head::from_be_bytes(head)
}

impl Name {
    /// The same few names occur in all objects, so they are kept once.
    fn new(name: &str) -> Self {
        let head = head(name);
        if name.len() > LONGEST {
            return Self { head, text: name.into() };
        }
        let text = NAMES.with_borrow_mut(|names| match names.get(name) {
            Some(known) => known.clone(),
            None => {
                let name: Arc<str> = name.into();
                if names.len() < KNOWN {
                    names.insert(name.clone());
                }
                name
            }
        });
        Self { head, text }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a name with these first bytes.
    fn is(&self, head: Head, name: &str) -> bool {
        self.head == head
            && self.text.len() == name.len()
            && (name.len() <= size_of::<Head>() || *self.text == *name)
    }

    /// Compares it with a name that has these first bytes.
    fn compare(&self, head: Head, name: &str) -> Ordering {
        self.head.cmp(&head).then_with(|| (*self.text).cmp(name))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.head, other)
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other.head, other)
    }
}

/// Like that of the text, which it can be looked up by.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        *self.text == *other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self.text == **other
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<&String> for Name {
    fn from(name: &String) -> Self {
        Self::new(name)
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

/// The fields of an object
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map(Vec<(Name, Value)>);

impl Map {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The place of a field.
    fn place(&self, name: &str) -> Option<usize> {
        if self.0.len() <= FEW {
            let head = head(name);
            return self.0.iter().position(|(known, _)| known.is(head, name));
        }
        self.find(name).ok()
    }

    /// The place of a field, or the one where it belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        let head = head(name);
        self.0.binary_search_by(|(known, _)| known.compare(head, name))
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|place| &self.0[place].1)
    }

    /// Like [`Map::get`], for changing it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.place(name).map(|place| &mut self.0[place].1)
    }

    /// Whether there is such a field.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// Sets a field; returns the value it had.
    pub fn insert(&mut self, name: impl Into<Name> + AsRef<str>, value: Value) -> Option<Value> {
        if self.0.last().is_none_or(|(last, _)| **last < *name.as_ref()) {
            // Text that we wrote is in order.
            self.0.push((name.into(), value));
            return None;
        }
        match self.find(name.as_ref()) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (name.into(), value));
                None
            }
        }
    }

    /// Removes a field; returns the value it had.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|place| self.0.remove(place).1)
    }

    /// A field to be made if it is missing.
    pub fn entry(&mut self, name: impl Into<Name> + AsRef<str>) -> Entry<'_> {
        let found = match self.place(name.as_ref()) {
            Some(place) => Ok(place),
            None => self.find(name.as_ref()).map_err(|place| (place, name.into())),
        };
        Entry { map: self, found }
    }

    /// The fields.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, &Value)> + ExactSizeIterator {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The fields, for changing their values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Name, &mut Value)> {
        self.0.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, for changing them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A field, or the place for it
pub struct Entry<'a> {
    map: &'a mut Map,
    found: Result<usize, (usize, Name)>,
}

impl<'a> Entry<'a> {
    /// The field's value, which is made by `make` if it is missing.
    pub fn or_insert_with(self, make: impl FnOnce() -> Value) -> &'a mut Value {
        let place = self.found.unwrap_or_else(|(place, name)| {
            self.map.0.insert(place, (name, make()));
            place
        });
        &mut self.map.0[place].1
    }

    /// The field's value, which is `value` if it is missing.
    pub fn or_insert(self, value: Value) -> &'a mut Value {
        self.or_insert_with(|| value)
    }

    /// The field's value, which is `null` if it is missing.
    pub fn or_default(self) -> &'a mut Value {
        self.or_insert(Value::Null)
    }
}

impl Index<&str> for Map {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&super::NULL)
    }
}

impl IndexMut<&str> for Map {
    fn index_mut(&mut self, name: &str) -> &mut Value {
        self.entry(name).or_default()
    }
}

impl IntoIterator for Map {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Name, &'a Value);
    type IntoIter =
        std::iter::Map<std::slice::Iter<'a, (Name, Value)>, fn(&'a (Name, Value)) -> (&'a Name, &'a Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl<K: Into<Name> + AsRef<str>> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.insert(name, value);
        }
    }
}

impl<K: Into<Name> + AsRef<str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(fields: I) -> Self {
        let mut map = Self::new();
        map.extend(fields);
        map
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_compare_like_their_texts(one in "[a\u{0}\u{e9}]{0,10}", other in "[a\u{0}\u{e9}]{0,10}") {
            let (a, b) = (Name::from(&one), Name::from(&other));
            prop_assert_eq!(a == b, one == other);
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            let map: Map = [(one.as_str(), Value::Null)].into_iter().collect();
            prop_assert_eq!(map.contains_key(&other), one == other);
        }
    }
}
