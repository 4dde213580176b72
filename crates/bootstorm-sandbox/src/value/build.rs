//! Building values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Map, Name, Value};

/// Builds a [`Value`] from JSON syntax, as [`serde_json::json!`] does
///
/// Whatever stands for a value is a [`ToValue`]; a [`Value`] is shared, not copied. Names are literals, paths of
/// constants, or expressions in parentheses.
#[macro_export]
macro_rules! json {
    (@list $list:ident) => {};
    (@list $list:ident null $(, $($rest:tt)*)?) => {
        $list.push($crate::value::Value::Null);
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $list.push($crate::json!([$($inner)*]));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $list.push($crate::json!({$($inner)*}));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@list $list:ident $item:expr $(, $($rest:tt)*)?) => {
        $list.push($crate::value::ToValue::to_value(&$item));
        $crate::json!(@list $list $($($rest)*)?);
    };
    (@fields $map:ident) => {};
    (@fields $map:ident $name:literal : $($rest:tt)+) => { $crate::json!(@field $map [$name] $($rest)+); };
    (@fields $map:ident $($name:ident)::+ : $($rest:tt)+) => { $crate::json!(@field $map [$($name)::+] $($rest)+); };
    (@fields $map:ident ($name:expr) : $($rest:tt)+) => { $crate::json!(@field $map [$name] $($rest)+); };
    (@field $map:ident [$name:expr] null $(, $($rest:tt)*)?) => {
        $map.insert($name, $crate::value::Value::Null);
        $crate::json!(@fields $map $($($rest)*)?);
    };
    (@field $map:ident [$name:expr] [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $map.insert($name, $crate::json!([$($inner)*]));
        $crate::json!(@fields $map $($($rest)*)?);
    };
    (@field $map:ident [$name:expr] {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $map.insert($name, $crate::json!({$($inner)*}));
        $crate::json!(@fields $map $($($rest)*)?);
    };
    (@field $map:ident [$name:expr] $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($name, $crate::value::ToValue::to_value(&$value));
        $crate::json!(@fields $map $($($rest)*)?);
    };
    (null) => { $crate::value::Value::Null };
    ([]) => { $crate::value::Value::list(::std::vec::Vec::new()) };
    ([$($items:tt)+]) => {{
        let mut list = $crate::value::no_items();
        $crate::json!(@list list $($items)+);
        $crate::value::Value::list(list)
    }};
    ({}) => { $crate::value::Value::from($crate::value::Map::new()) };
    ({$($fields:tt)+}) => {{
        let mut map = $crate::value::Map::new();
        $crate::json!(@fields map $($fields)+);
        $crate::value::Value::from(map)
    }};
    ($value:expr) => { $crate::value::ToValue::to_value(&$value) };
}

/// The beginning of a list in [`json!`](crate::json).
pub const fn no_items() -> Vec<Value> {
    Vec::new()
}

/// Something that has a JSON value
pub trait ToValue {
    /// The value.
    fn to_value(&self) -> Value;
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for Map {
    fn to_value(&self) -> Value {
        self.clone().into()
    }
}

impl ToValue for serde_json::Value {
    fn to_value(&self) -> Value {
        self.clone().into()
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        self.into()
    }
}

/// Not every path is text; JSON has nothing else.
impl ToValue for PathBuf {
    fn to_value(&self) -> Value {
        (&*self.to_string_lossy()).into()
    }
}

impl ToValue for Arc<str> {
    fn to_value(&self) -> Value {
        Value::String(self.clone())
    }
}

/// What can be borrowed as text.
macro_rules! texts {
    ($($kind:ty),+) => { $(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                AsRef::<str>::as_ref(self).into()
            }
        }
    )+ };
}
texts!(String, Box<str>, Cow<'_, str>, Name);

/// What has a value of its own.
macro_rules! plain {
    ($($kind:ty),+) => { $(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                (*self).into()
            }
        }
    )+ };
}
plain!(bool, i32, i64, u16, u32, u64, usize, f64);

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Value {
        Value::list(self.iter().map(ToValue::to_value).collect())
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue, const N: usize> ToValue for [T; N] {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<K: AsRef<str>, T: ToValue> ToValue for BTreeMap<K, T> {
    fn to_value(&self) -> Value {
        let fields = self.iter().map(|(name, value)| (Name::from(name.as_ref()), value.to_value()));
        fields.collect::<Map>().into()
    }
}
