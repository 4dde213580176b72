//! Blocks of the document as markup.

use super::grid;
use super::markup::Markup;
use super::words;
use crate::color::Tone;
use crate::people::document::{Block, Case, Cell, Fact, Fold, Holds, Note, Row, Table};
use crate::people::words::count;

/// Maximum number of table rows shown without folding.
const MOST_OPEN: usize = 15;
/// Maximum number of listed cases; further ones are counted.
const MOST_CASES: usize = 20;
/// Length above which a text wraps.
const BREAKS: usize = 60;

/// Writes blocks one below the other.
pub(super) fn write(body: &mut Markup, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Section(section) => {
                body.open("section", &[("id", section.id)]).leaf("h2", &[], &section.title);
                write(body, &section.blocks);
                body.close("section");
            }
            Block::Facts(facts) => self::facts(body, facts),
            Block::Note(note) => self::note(body, note),
            Block::List(notes) => notes.iter().for_each(|note| self::note(body, note)),
            Block::Table(table) => self::table(body, table),
            Block::Cases(cases) => self::cases(body, cases),
            Block::Commands(commands) => self::commands(body, commands),
            Block::Fold(fold) => self::fold(body, fold),
            Block::Break => {}
        }
    }
}

/// Writes labels and values.
pub(super) fn facts(body: &mut Markup, facts: &[Fact]) {
    body.open("dl", &[]);
    for Fact { label, value } in facts {
        body.leaf("dt", &[], label).leaf("dd", &[], value);
    }
    body.close("dl");
}

/// Writes a sentence, its label in bold.
pub(super) fn note(body: &mut Markup, note: &Note) {
    let class = match note.tone {
        Some(Tone::Good | Tone::Heading) => Some("lead"),
        Some(Tone::Fair | Tone::Faint) => Some("hint"),
        Some(Tone::Bad) | None => note.is_detail.then_some("hint"),
    };
    body.open("p", class.map(|class| ("class", class)).as_slice());
    if let Some(label) = &note.label {
        body.leaf("b", &[], &format!("{label}: "));
    }
    body.text(&words::readable(&note.text)).close("p");
}

/// Writes a table; a long one is folded.
pub(super) fn table(body: &mut Markup, table: &Table) {
    let many = table.rows.len() > MOST_OPEN;
    if many {
        body.open("details", &[]);
        body.leaf("summary", &[], &format!("{}: all {} rows", table.caption, table.rows.len()));
    }
    open_table(body, table);
    if many {
        body.close("details");
    }
}

/// Writes a table that is never folded.
pub(super) fn open_table(body: &mut Markup, table: &Table) {
    grid::begin(body, &table.caption, &[("class", "numbers")]);
    body.open("thead", &[]).open("tr", &[]);
    for column in &table.columns {
        let scope = ("scope", "col");
        let class = [scope, ("class", "word")];
        body.leaf("th", if column.holds == Holds::Words { &class } else { &class[..1] }, &column.title);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for row in &table.rows {
        self::row(body, table, row);
    }
    grid::close(body);
}

fn row(body: &mut Markup, table: &Table, row: &Row) {
    body.open("tr", if row.is_apart { &[("class", "ratio")] } else { &[] });
    for (place, (cell, column)) in row.cells.iter().zip(&table.columns).enumerate() {
        let text = text(cell, column.holds);
        let class = match column.holds {
            Holds::Words if text.chars().count() > BREAKS => "reason",
            Holds::Words => "word",
            Holds::Numbers | Holds::Seconds => "",
        };
        match (place, cell) {
            (0, _) => body.leaf("th", &[("scope", "row")], &text),
            (_, Cell::Toned(tone, _)) => {
                body.open("td", &[("class", "word")]);
                body.leaf("span", &[("class", outcome(*tone))], &text).close("td")
            }
            _ if class.is_empty() => body.leaf("td", &[], &text),
            _ => body.leaf("td", &[("class", class)], &text),
        };
    }
    body.close("tr");
}

fn text(cell: &Cell, holds: Holds) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Unknown => "–".to_owned(),
        Cell::Name(text) | Cell::Words(text) | Cell::Toned(_, text) => words::readable(text),
        Cell::Count(count) => count.to_string(),
        Cell::Seconds(seconds) if holds == Holds::Seconds => words::number(Some(*seconds)),
        Cell::Seconds(seconds) => words::seconds(*seconds),
        Cell::Difference(seconds) => format!("{seconds:+.2} s"),
        Cell::Ratio(ratio) => words::ratio(Some(*ratio)),
    }
}

/// Class for a word in the colours of outcomes.
pub(super) fn outcome(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "outcome reached",
        Tone::Fair => "outcome excluded",
        Tone::Bad => "outcome failed",
        Tone::Heading | Tone::Faint => "outcome",
    }
}

fn cases(body: &mut Markup, cases: &[Case]) {
    body.open("ul", &[("class", "troubles")]);
    for case in cases.iter().take(MOST_CASES) {
        body.open("li", &[]).open("p", &[]);
        body.leaf("span", &[("class", outcome(case.tone))], &case.what).text(" ");
        body.leaf("b", &[], &count(case.vms, "VM")).text(&format!(" in {}", case.phase));
        body.close("p").leaf("p", &[("class", "reason")], &words::readable(&case.reason));
        body.leaf("p", &[("class", "which")], &case.which);
        commands(body, &case.look);
        body.close("li");
    }
    body.close("ul");
    if let Some(more) = cases.len().checked_sub(MOST_CASES).filter(|more| *more > 0) {
        body.leaf("p", &[("class", "hint")], &format!("And {more} more; the table of VMs has each VM."));
    }
}

fn commands(body: &mut Markup, commands: &[String]) {
    if !commands.is_empty() {
        body.open("pre", &[("class", "look")]).lines(&commands.join("\n")).close("pre");
    }
}

fn fold(body: &mut Markup, fold: &Fold) {
    body.open("details", if fold.is_open { &[("open", "open")] } else { &[] });
    body.leaf("summary", &[], &fold.summary);
    write(body, &fold.blocks);
    body.close("details");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::document::samples;

    fn written(rows: usize) -> String {
        let mut body = Markup::new();
        write(&mut body, &[Block::Table(samples::table(rows))]);
        body.as_str().to_owned()
    }

    #[test]
    fn cells_are_escaped_and_have_unit_and_meaning() {
        let html = written(1);
        assert!(
            html.contains("<th scope=\"row\">a|&lt;b&gt;0</th><td>1.50</td><td>+0.25 s</td><td>1.50×</td>"),
            "{html}"
        );
        assert!(html.contains("<span class=\"outcome failed\">missed</span>"), "{html}");
        assert!(
            html.contains("<tr class=\"ratio\"><th scope=\"row\">a → b</th><td>–</td><td></td>"),
            "{html}"
        );
    }

    #[test]
    fn a_long_table_is_folded() {
        assert!(!written(3).contains("<details>"));
        assert!(written(30).contains("<summary>Seconds: all 31 rows</summary>"));
    }
}
