//! The text under construction: rules, titles, lines, labels.

use super::Layout;
use super::grid::{self, Grid};
use super::width::width_of;
use crate::color::Tone;
use crate::people::document::{Block, Case, Cell, Column, Fact, Holds, Note, Room, Section, Table};
use crate::people::words;
use bootstorm_model::stats::reason;
use bootstorm_model::text::line;

/// Marks a rule whose length is not known yet; never part of a printable text.
const RULE: char = '\0';
/// Labels are padded to this width, as in the guide's statistics.
const LABEL: usize = 24;

/// The text under construction
pub(crate) struct Page {
    text: String,
    layout: Layout,
    /// Whether anything was written since the last title or rule.
    is_open: bool,
    /// Indentation of sentences in columns.
    indent: usize,
    /// Whether lines are scarce: no rules around tables.
    is_compact: bool,
    /// Columns of the widest table.
    widest: usize,
}

impl Page {
    /// Writes blocks of the document one below the other.
    pub(crate) fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Section(section) => self.section(section),
                Block::Facts(facts) => facts.iter().for_each(|fact| self.fact(fact)),
                Block::Note(note) => self.note(note),
                Block::List(notes) => notes.iter().for_each(|note| self.note(note)),
                Block::Table(table) => self.table(table),
                Block::Cases(cases) => cases.iter().for_each(|case| self.case(case)),
                Block::Commands(commands) => self.commands(commands),
                Block::Fold(fold) => self.blocks(&fold.blocks),
                Block::Break => self.part(),
            }
        }
    }

    /// Writes a section: a large one between rules, a small one indented below its title.
    pub(crate) fn section(&mut self, section: &Section) {
        if section.is_framed {
            self.title(&section.title);
            self.blocks(&section.blocks);
            self.rule('=');
        } else {
            self.toned(Tone::Heading, &line(&format!("{}:", section.title)));
            (self.is_open, self.indent) = (false, 2);
            self.blocks(&section.blocks);
            self.indent = 0;
        }
        self.blank();
    }

    /// An indented line of a label and a value.
    pub(crate) fn fact(&mut self, fact: &Fact) {
        self.labelled(&fact.label, &fact.value);
    }

    /// Writes a sentence.
    pub(crate) fn note(&mut self, note: &Note) {
        match &note.label {
            // Below the title of a small section, like the facts in it.
            Some(label) if self.indent > 0 && !note.is_detail => self.value(note.tone, label, &note.text),
            _ => {
                let indent = self.indent + if note.is_detail { 2 } else { 0 };
                self.sentence(note.tone, indent, &note.line());
            }
        }
    }

    fn case(&mut self, case: &Case) {
        let text = format!("{}: {}", words::vms(case.vms), reason::shown(&case.reason));
        self.sentence(None, self.indent + 2, &text);
    }

    fn commands(&mut self, commands: &[String]) {
        for (place, command) in commands.iter().enumerate() {
            let label = if place == 0 { "Investigate:" } else { "" };
            // Not wrapped, for copying.
            self.line(&format!("  {label:<LABEL$}{}", line(command)));
        }
    }

    /// Begins a new part, with a rule if there is something to separate.
    pub(crate) fn part(&mut self) {
        if self.is_open && !self.is_compact {
            self.rule('-');
        }
    }

    /// Writes a table: the columns that fit, and the requested rows.
    pub(crate) fn table(&mut self, table: &Table) {
        let layout = self.layout;
        self.part();
        let shown = |column: &Column| match column.room {
            Room::Any => true,
            Room::Columns(columns) => layout.wide || layout.width >= columns,
            Room::Wide => layout.wide,
        };
        let mut columns: Vec<(usize, &Column)> =
            table.columns.iter().enumerate().filter(|(_, column)| shown(column)).collect();
        let few = table.few.filter(|_| !layout.wide).map_or(usize::MAX, |(few, _)| few);
        let mut grid = self::grid(table, &columns, few);
        if layout.cut && !layout.wide {
            while grid.width() > self.width()
                && let Some(spare) = spare(&columns)
            {
                columns.remove(spare);
                grid = self::grid(table, &columns, few);
            }
            grid.fit(self.width());
        }
        let apart = table.rows.iter().position(|row| row.is_apart);
        self.grid(grid, apart);
        if let Some((few, noun)) = table.few
            && let Some(hidden) = table.rows.len().checked_sub(few).filter(|hidden| *hidden > 0)
            && !layout.wide
        {
            self.sentence(Some(Tone::Faint), 0, &format!("... {hidden} more {noun}; -o wide shows all"));
        }
    }

    /// Writes a grid below its headers; rows from `apart` on are below a rule.
    pub(crate) fn grid(&mut self, grid: Grid, apart: Option<usize>) {
        let layout = self.layout();
        self.widest = self.widest.max(grid.width());
        let (header, lines) = grid.lines(layout.headers, layout.paint);
        if let Some(header) = header {
            self.toned(Tone::Heading, &header);
            if !self.is_compact {
                self.rule('-');
            }
        }
        for (place, line) in lines.into_iter().enumerate() {
            if apart == Some(place) {
                self.rule('-');
            }
            self.line(&line);
        }
    }

    pub(crate) fn new(layout: Layout) -> Self {
        Self { text: String::new(), layout, is_open: false, indent: 0, is_compact: false, widest: 0 }
    }

    /// A page with scarce lines.
    pub(crate) fn compact(layout: Layout) -> Self {
        Self { is_compact: true, ..Self::new(layout) }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Columns of a rule: the terminal's, within reason.
    pub(crate) fn width(&self) -> usize {
        self.layout.width.clamp(60, 160)
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
        self.is_open = true;
    }

    pub(crate) fn toned(&mut self, tone: Tone, line: &str) {
        let painted = self.layout.paint.apply(tone, line);
        self.line(&painted);
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
        self.is_open = false;
    }

    pub(crate) fn rule(&mut self, character: char) {
        if self.layout.wide {
            // Its length follows from tables that are still to come.
            self.line(&format!("{RULE}{character}"));
        } else {
            let rule = character.to_string().repeat(self.width());
            self.line(&rule);
        }
        self.is_open = false;
    }

    /// A title between two rules.
    pub(crate) fn title(&mut self, title: &str) {
        self.rule('=');
        self.toned(Tone::Heading, &line(title));
        self.rule('=');
    }

    /// An indented line of a label and a value, like `  Total VMs:              98`
    ///
    /// A value that does not fit continues below itself. Text from the cluster is made printable.
    pub(crate) fn labelled(&mut self, label: &str, value: &str) {
        self.value(None, label, value);
    }

    fn value(&mut self, tone: Option<Tone>, label: &str, value: &str) {
        let label = format!("{label}:");
        let indent = 2 + LABEL;
        for (index, part) in broken(&line(value), self.width() - indent).into_iter().enumerate() {
            // A label that is too long for its column is followed by a space.
            let text = match index {
                0 => format!("  {label:<width$} {part}", width = LABEL - 1),
                _ => format!("{:indent$}{part}", ""),
            };
            match tone {
                Some(tone) => self.toned(tone, text.trim_end()),
                None => self.line(&text),
            }
        }
    }

    /// A sentence, wrapped at spaces; text from the cluster is made printable.
    pub(crate) fn sentence(&mut self, tone: Option<Tone>, indent: usize, text: &str) {
        for line in broken(&line(text), self.width() - indent) {
            let line = format!("{:indent$}{line}", "");
            match tone {
                Some(tone) => self.toned(tone, &line),
                None => self.line(&line),
            }
        }
    }

    /// A text wrapped to at most this many lines, with room for an indentation; a cut is marked with `…`.
    pub(crate) fn on_lines(&self, text: &str, indent: usize, most: usize) -> Vec<String> {
        let room = self.width() - indent;
        let mut lines = broken(&line(text), room);
        if lines.len() > most {
            let rest = lines.split_off(most - 1).join(" ");
            lines.push(super::width::cut(&rest, room));
        }
        lines
    }

    /// The text with a single final line end; rules between wide tables are as long as the widest.
    pub(crate) fn finish(self) -> String {
        let columns = self.width().max(self.widest);
        let mut text = self.text;
        if self.layout.wide {
            for character in ['=', '-'] {
                text = text.replace(&format!("{RULE}{character}"), &character.to_string().repeat(columns));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// A table with these of its columns and its first rows.
fn grid(table: &Table, columns: &[(usize, &Column)], few: usize) -> Grid {
    let mut grid = Grid::new(columns.iter().map(|(_, column)| heading(column)).collect());
    for row in table.rows.iter().take(few) {
        let cell = |(place, column): &(usize, &Column)| {
            row.cells.get(*place).map_or_else(String::new, |cell| text(cell, column.holds))
        };
        grid.push(row.tone, columns.iter().map(cell).collect());
    }
    grid
}

/// The column that a table can do without: the one that needs the widest page.
fn spare(columns: &[(usize, &Column)]) -> Option<usize> {
    let needs = |(place, (_, column)): (usize, &(usize, &Column))| match column.room {
        Room::Columns(needed) => Some((needed, place)),
        Room::Any | Room::Wide => None,
    };
    columns.iter().enumerate().filter_map(needs).max().map(|(_, place)| place)
}

fn heading(column: &Column) -> grid::Column {
    match column.holds {
        Holds::Words => grid::Column::words(&column.title),
        Holds::Numbers => grid::Column::numbers(&column.title),
        Holds::Seconds => grid::Column::numbers(&format!("{}(s)", column.title)),
    }
}

fn text(cell: &Cell, holds: Holds) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Unknown => "-".to_owned(),
        Cell::Name(text) | Cell::Words(text) | Cell::Toned(_, text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Seconds(seconds) if holds == Holds::Seconds => format!("{seconds:.2}"),
        Cell::Seconds(seconds) => words::seconds(*seconds),
        Cell::Difference(seconds) => format!("{seconds:+.2}s"),
        Cell::Ratio(ratio) => format!("{ratio:.2}x"),
    }
}

/// A text wrapped at spaces into lines of at most `width` columns; a longer word is cut.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split(' ') {
        let length: usize = word.chars().map(width_of).sum();
        if length < room || room == width {
            if room < width {
                append(&mut lines, ' ');
                room -= 1;
            }
        } else {
            lines.push(String::new());
            room = width;
        }
        for character in word.chars() {
            let needed = width_of(character);
            if room < needed {
                lines.push(String::new());
                room = width;
            }
            append(&mut lines, character);
            room = room.saturating_sub(needed);
        }
    }
    lines
}

fn append(lines: &mut [String], character: char) {
    if let Some(last) = lines.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::document::samples;

    fn written(width: usize, wide: bool) -> String {
        let mut page = Page::new(Layout { width, wide, ..Layout::default() });
        page.table(&samples::table(4));
        page.finish()
    }

    #[test]
    fn a_page_has_the_columns_and_rows_that_it_has_room_for() {
        let narrow = written(60, false);
        assert!(narrow.starts_with("Name     Mean(s)   Result\n---"), "{narrow}");
        assert!(narrow.contains("... 3 more rows; -o wide shows all"), "{narrow}");
        let normal = written(80, false);
        assert!(normal.starts_with("Name     Mean(s)   Change   Result\n"), "{normal}");
        let wide = written(60, true);
        assert!(wide.contains("a|<b>3      1.50   +0.25s   1.50x   missed\n---"), "{wide}");
        assert!(wide.contains("a -> b         -") && !wide.contains("more rows"), "{wide}");
    }

    #[test]
    fn texts_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(broken("one two three", 7), ["one two", "three"]);
        assert_eq!(broken("one", 7), ["one"]);
        assert_eq!(broken("a 12345678901 b", 5), ["a", "12345", "67890", "1 b"]);
        assert_eq!(broken("", 5), [""]);
        assert_eq!(broken("虚拟机虚拟机", 5), ["虚拟", "机虚", "拟机"]);
    }
}
