//! What is shipped, and the rules that keep the tree as it is.

mod boundaries;
mod readme;
