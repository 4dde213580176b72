//! Output for people: the content once, as a document, and three back ends that write it.
//!
//! [`content`] states the content of a report, a file for each subject, in the blocks of [`document`]. [`terminal`],
//! [`markdown`] and [`html`] arrange subjects on their pages, write the blocks, and draw.

pub(crate) mod content;
pub(crate) mod document;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod terminal;
pub(crate) mod words;
