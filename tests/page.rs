//! The pages in a browser, as a reader sees them; skipped with a notice if Chromium is missing.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "page/mod.rs"]
mod page;
#[expect(dead_code, reason = "the other test binaries need more of it")]
#[path = "support/tools.rs"]
mod tools;
