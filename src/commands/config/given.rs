//! What a flag is given where it is not typed.

/// What a key or a variable says
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
