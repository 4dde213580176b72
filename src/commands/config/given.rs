//! Values of flags that are not typed.

/// Value of a key or a variable
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// Nothing.
    Nothing,
    /// On or off.
    Switch(bool),
    /// One value.
    Text(String),
    /// Several values.
    List(Vec<String>),
}
