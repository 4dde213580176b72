//! YAML as kubectl reads it: documents, scalars, keys and merges by the rules of its YAML 1.1 library.
//!
//! The library splits a text into events; this module interprets them as kubectl does. Rules and known differences are
//! in `docs/sources.md`; `tests/tables/yaml.txt` of this crate holds results of the real kubectl.

mod fault;
mod node;
mod scalar;
mod value;

use std::collections::BTreeSet;

use granit_parser::{Event, Parser};
use serde_json::Value;

pub use fault::{Warning, YamlFault};
use node::Composer;

/// Content of a text as kubectl reads it
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    /// Values of the documents; an empty document is null.
    pub documents: Vec<Value>,
    /// Places that kubectl or another reader would interpret differently.
    pub warnings: Vec<Warning>,
}

/// Reads all documents of a text.
///
/// Fails with line and column if kubectl could not read a document, and for a duplicate key.
pub fn read(text: &str) -> Result<Yaml, YamlFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match documents(text) {
        // kubectl reads JSON by the rules of JSON, which allows tabs where YAML does not.
        Err(fault) if text.trim_start().starts_with('{') => match serde_json::from_str::<Value>(text) {
            Ok(json) => Ok(Yaml { documents: vec![value::whole_numbers(json)], warnings: Vec::new() }),
            Err(_) => Err(fault),
        },
        read => read,
    }
}

fn documents(text: &str) -> Result<Yaml, YamlFault> {
    let options = granit_parser::options! { emit_comments: false };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut composer = Composer::new(text);
    let mut documents = Vec::new();
    let mut warnings = BTreeSet::new();
    let mut ended_at = 0;
    while let Some(next) = parser.next_event() {
        let (event, span) = next?;
        match event {
            Event::DocumentStart(is_explicit, _) => {
                let start = span.start.byte_offset().unwrap_or(0);
                let line = span.start.line();
                if is_explicit {
                    warnings.extend(marker_warnings(text, ended_at, start, line));
                } else if !documents.is_empty() {
                    warnings.insert(Warning::AfterDocumentEnd(line));
                }
                let root = composer.document(&mut parser)?;
                warnings.append(&mut composer.warnings);
                documents.push(value::build(&root, &mut warnings)?);
            }
            Event::DocumentEnd => ended_at = span.end.byte_offset().unwrap_or(0),
            _ => {}
        }
    }
    Ok(Yaml { documents, warnings: warnings.into_iter().collect() })
}

/// Content that kubectl ignores before and on a document's `---` line.
fn marker_warnings(text: &str, ended_at: usize, start: usize, line: usize) -> Vec<Warning> {
    let before = text.get(ended_at..start).unwrap_or_default();
    let beside = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    let beside = beside.strip_prefix("---").unwrap_or_default().trim();
    let mut found = Vec::new();
    if before.lines().any(|line| line.starts_with('%')) {
        found.push(Warning::Directive(line));
    }
    if !beside.is_empty() && !beside.starts_with('#') {
        found.push(Warning::ContentBesideMarker(line));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_tell_the_place_and_not_the_text() {
        for text in [
            "password: *MARKER\n",
            "password: !MARKER!x y\n",
            "a: [MARKER\n",
            "MARKER: 1\nMARKER: 2\n",
            "password: 'MARKER\n",
            "password: \"MARKER\\q\"\n",
            "  MARKER\n a: MARKER: b\n",
            "a: @MARKER\n",
            "a: |9MARKER\n  x\n",
            "<<: MARKER\n",
            "a: !!binary MARKER%\n",
            "a: !!int MARKER\n",
            "{\"a\": MARKER\n",
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.starts_with("line ") && !told.contains("MARKER") && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn what_explodes_or_nests_without_end_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(9);
            text += &format!("a{level}: &a{level} [{below}]\n");
        }
        assert!(read(&text).unwrap_err().to_string().contains("expand to too much"));
        // Few nodes, but far more text than the file has.
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 10_000].join(","));
        assert!(read(&long).unwrap_err().to_string().contains("expand to too much"));
        assert!(read(&format!("a: &a {}\nb: [*a, *a]", "x".repeat(100_000))).is_ok());
        assert!(read(&"[".repeat(100_000)).unwrap_err().to_string().contains("nested too deeply"));
        assert!(read(&"- ".repeat(100_000)).is_err());
        let merges = "a: &a\n  <<: [*a]\n";
        assert!(read(merges).unwrap_err().to_string().contains("an alias inside its own anchor"));
    }

    #[test]
    fn warnings_name_the_line_and_the_way_out() {
        let warned =
            |text: &str| read(text).unwrap().warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
        let merge = warned("a: &a {x: 1}\nb:\n  x: 2\n  <<: *a\n");
        assert!(
            merge[0].starts_with("line 4: `<<`") && merge[0].contains("to the top of its map"),
            "{merge:?}"
        );
        assert!(warned("a: 1\n...\nb: 2\n")[0].starts_with("line 3: kubectl ignores"));
        assert!(warned("# c\n%YAML 1.1\n---\na: 1\n")[0].starts_with("line 3: kubectl refuses directives"));
        assert!(warned("--- {a: 1}\n")[0].starts_with("line 1: kubectl refuses content"));
    }
}
