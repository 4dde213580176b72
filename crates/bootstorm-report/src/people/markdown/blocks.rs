//! Blocks of the document in GitHub's dialect.

use std::fmt::Write as _;

use super::text::{code, plain, seconds};
use crate::color::Tone;
use crate::people::document::{Block, Case, Cell, Column, Fact, Holds, Note, Row, Table};
use crate::people::words::count;
use bootstorm_model::stats::reason;

/// Maximum number of rows in a table.
const MOST: usize = 20;

/// Writes blocks one below the other.
pub(super) fn write(page: &mut String, blocks: &[Block]) {
    // Writing to a string cannot fail, here and below.
    for block in blocks {
        match block {
            Block::Section(section) => {
                let _ = writeln!(page, "### {}\n", plain(&section.title));
                write(page, &section.blocks);
            }
            Block::Facts(facts) => self::facts(page, facts),
            Block::Note(note) => {
                let _ = writeln!(page, "{}\n", self::note(note));
            }
            Block::List(notes) => list(page, notes),
            Block::Table(table) => self::table(page, table),
            Block::Cases(cases) => self::cases(page, cases),
            Block::Commands(commands) => {
                for command in commands {
                    let _ = writeln!(page, "- {}", code(command));
                }
                page.push('\n');
            }
            Block::Fold(fold) => {
                let _ = writeln!(page, "<details><summary>{}</summary>\n", plain(&fold.summary));
                write(page, &fold.blocks);
                page.push_str("</details>\n\n");
            }
            Block::Break => {}
        }
    }
}

fn facts(page: &mut String, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    page.push_str("| | |\n|---|---|\n");
    for Fact { label, value } in facts {
        let _ = writeln!(page, "| {} | {} |", plain(label.trim_start()), code(value));
    }
    page.push('\n');
}

/// A sentence, its label in bold.
fn note(note: &Note) -> String {
    let text = arrows(&plain(&note.text));
    match &note.label {
        Some(label) => format!("**{}:** {text}", plain(label)),
        None => text,
    }
}

fn list(page: &mut String, notes: &[Note]) {
    for note in notes {
        let indent = if note.is_detail { "  " } else { "" };
        let _ = writeln!(page, "{indent}- {}", self::note(note));
    }
    if !notes.is_empty() {
        page.push('\n');
    }
}

/// Writes a table; of many rows the first ones, and the separated ones.
fn table(page: &mut String, table: &Table) {
    let titles: Vec<String> = table.columns.iter().map(|column| plain(&column.title)).collect();
    let rules: Vec<&str> = table.columns.iter().map(rule).collect();
    let _ = writeln!(page, "| {} |\n|{}|", titles.join(" | "), rules.join("|"));
    let apart = table.rows.iter().position(|row| row.is_apart).unwrap_or(table.rows.len());
    let (rows, rest) = table.rows.split_at(apart);
    for row in rows.iter().take(MOST).chain(rest) {
        let cells: Vec<String> = row.cells.iter().map(cell).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push('\n');
    if let Some(more) = rows.len().checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(page, "And {}.\n", count(more, "more row"));
    }
}

fn rule(column: &Column) -> &'static str {
    if column.holds == Holds::Words { "---" } else { "---:" }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Unknown => "–".to_owned(),
        Cell::Name(text) => code(&reason::shown(text)),
        Cell::Words(text) => arrows(&plain(text)),
        Cell::Toned(Tone::Bad, text) => format!("**{}**", plain(text)),
        Cell::Toned(_, text) => plain(text),
        Cell::Count(count) => count.to_string(),
        Cell::Seconds(value) => seconds(*value),
        Cell::Difference(seconds) => format!("{seconds:+.2} s"),
        Cell::Ratio(ratio) => format!("{ratio:.2}x"),
    }
}

/// Our own arrows, which are written with characters that everything else has escaped.
fn arrows(text: &str) -> String {
    text.replace(" -\\> ", " → ")
}

fn cases(page: &mut String, cases: &[Case]) {
    if cases.is_empty() {
        return;
    }
    let look = cases.iter().any(|case| !case.look.is_empty());
    let columns = [Column::numbers("VMs"), Column::words("Outcome"), Column::words("Reason")];
    let columns = columns.into_iter().chain([Column::words("For example")]);
    let mut table = Table::new("", columns.chain(look.then(|| Column::words("Investigate"))));
    for case in cases {
        let look = look.then(|| case.look.first().map_or(Cell::Blank, |one| Cell::Name(one.clone())));
        let cells = [Cell::count(case.vms), Cell::words(&case.what), Cell::Name(case.reason.clone())];
        let cells = cells.into_iter().chain([Cell::Name(case.which.clone())]).chain(look).collect();
        table.rows.push(Row { tone: None, cells, is_apart: false });
    }
    self::table(page, &table);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::document::samples;

    fn written(rows: usize) -> String {
        let mut page = String::new();
        write(&mut page, &[Block::Table(samples::table(rows))]);
        page
    }

    #[test]
    fn names_are_code_and_what_is_bad_is_bold() {
        let text = written(1);
        assert!(
            text.starts_with("| Name | Mean | Change | Times | Result |\n|---|---:|---:|---:|---|\n"),
            "{text}"
        );
        assert!(
            text.contains("| `a\\|<b>0` | 1.50 s | +0.25 s | 1.50x | **missed** |\n| a → b | – |  | – |  |"),
            "{text}"
        );
    }

    #[test]
    fn of_many_rows_the_first_stay_and_those_that_stand_apart() {
        let text = written(50);
        assert_eq!(text.matches("missed").count(), MOST);
        assert!(text.contains("| a → b |") && text.contains("And 30 more rows."), "{text}");
    }
}
