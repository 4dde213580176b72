//! Errors of kubectl for a YAML text, and places that other readers interpret differently.

use std::fmt;

use granit_parser::{ScanError, Span};

/// Characters that end a line in YAML 1.1 but not in YAML 1.2.
pub(super) const OLD_LINE_ENDS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Reason why kubectl would reject a YAML text; quotes nothing of it, since it may hold passwords
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlFault {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) what: String,
}

impl fmt::Display for YamlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for YamlFault {}

impl YamlFault {
    pub(super) fn at(span: &Span, what: impl Into<String>) -> Self {
        Self { line: span.start.line(), column: span.start.col() + 1, what: what.into() }
    }
}

impl From<ScanError> for YamlFault {
    fn from(error: ScanError) -> Self {
        use granit_parser::ErrorKind;
        let what = match error.kind() {
            ErrorKind::UnknownAnchor => {
                "an alias without its anchor; a value that begins with * needs quotes".to_owned()
            }
            ErrorKind::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
            // Messages of the other kinds are fixed sentences.
            ErrorKind::Custom(_) => "this is not valid YAML".to_owned(),
            kind => kind.to_string(),
        };
        Self { line: error.marker().line(), column: error.marker().col() + 1, what }
    }
}

/// A construct whose meaning depends on the parser
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// A merge key after other keys of its map, which it overrides; its line.
    MergeOverrides(usize),
    /// A map has two merge keys; the line of the second.
    SecondMerge(usize),
    /// A text in which U+2028 or U+2029 ends a line for kubectl, beside other line ends; its line.
    OldLineEnd(usize),
    /// Content after a line `...` without a line `---`; its line.
    AfterDocumentEnd(usize),
    /// A directive such as `%YAML 1.1` before a document; the line of the document's `---`.
    Directive(usize),
    /// Content on the line of a `---`.
    ContentBesideMarker(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MergeOverrides(line) => write!(
                f,
                "line {line}: `<<` follows keys that it also holds and replaces them, as in kubectl -f; \
                 kubectl kustomize and YAML itself keep them: move `<<` to the top of its map"
            ),
            Self::SecondMerge(line) => {
                write!(f, "line {line}: the second `<<` of a map is merged too; kubectl kustomize refuses it")
            }
            Self::OldLineEnd(line) => write!(
                f,
                "line {line}: kubectl takes the characters U+2028 and U+2029 of this text for line ends; \
                 write them as \\L and \\P"
            ),
            Self::AfterDocumentEnd(line) => {
                write!(
                    f,
                    "line {line}: kubectl ignores what follows the line `...` above; begin it with `---`"
                )
            }
            Self::Directive(line) => {
                write!(f, "line {line}: kubectl refuses directives (`%`) before this `---`; remove them")
            }
            Self::ContentBesideMarker(line) => {
                write!(
                    f,
                    "line {line}: kubectl refuses content in the line of `---`; move it to the next line"
                )
            }
        }
    }
}
