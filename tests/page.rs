//! The pages in a browser, as a reader meets them; skipped with a notice where there is no Chromium.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "page/mod.rs"]
mod page;
#[expect(dead_code, reason = "the other test binaries need more of it")]
#[path = "support/tools.rs"]
mod tools;
