//! x
/// x
pub struct Change;
/// x
pub struct Fold;
