//! The document: what is said, without how it looks.
//!
//! Cells and notes carry values and meaning; units, dashes, arrows, escapes and colours belong to the back ends.

use bootstorm_model::stats::Quantile;

use crate::color::Tone;

/// One thing on a page
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A part with a title.
    Section(Section),
    /// Labels and values.
    Facts(Vec<Fact>),
    /// A sentence.
    Note(Note),
    /// Sentences that belong together.
    List(Vec<Note>),
    /// Rows and columns.
    Table(Table),
    /// VMs that ended alike.
    Cases(Vec<Case>),
    /// Commands that look further.
    Commands(Vec<String>),
    /// Details that are folded where a back end can fold.
    Fold(Fold),
    /// A break between what does not belong together.
    Break,
}

/// A part of a page
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section {
    /// Its name in links.
    pub(crate) id: &'static str,
    /// Its title.
    pub(crate) title: String,
    /// Whether it is large enough to be framed.
    pub(crate) is_framed: bool,
    /// What it holds.
    pub(crate) blocks: Vec<Block>,
}

impl Section {
    /// A part of a page.
    pub(crate) fn new(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id, title: title.into(), is_framed: false, blocks }
    }

    /// The same, framed.
    pub(crate) fn framed(self) -> Self {
        Self { is_framed: true, ..self }
    }
}

/// Details with a line that sums them up
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fold {
    /// That line.
    pub(crate) summary: String,
    /// Whether it is open at first.
    pub(crate) is_open: bool,
    /// The details.
    pub(crate) blocks: Vec<Block>,
}

/// A label and a value
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it is.
    pub(crate) label: String,
    /// Its value.
    pub(crate) value: String,
}

impl Fact {
    /// A label and a value.
    pub(crate) fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// A sentence, perhaps with a label in front of it
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// What it means; plain where it is just said.
    pub(crate) tone: Option<Tone>,
    /// What it is about, such as `Bottleneck`.
    pub(crate) label: Option<String>,
    /// The sentence.
    pub(crate) text: String,
    /// Whether it explains the note before it.
    pub(crate) is_detail: bool,
}

impl Note {
    /// A sentence.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { tone: None, label: None, text: text.into(), is_detail: false }
    }

    /// A sentence with a meaning.
    pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone: Some(tone), ..Self::new(text) }
    }

    /// The same about something.
    pub(crate) fn about(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// The same as an explanation of the note before it.
    pub(crate) fn detail(self) -> Self {
        Self { is_detail: true, ..self }
    }

    /// Label and sentence in one line.
    pub(crate) fn line(&self) -> String {
        match &self.label {
            Some(label) => format!("{label}: {}", self.text),
            None => self.text.clone(),
        }
    }
}

/// VMs that ended alike
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// How many.
    pub(crate) vms: usize,
    /// The phase.
    pub(crate) phase: String,
    /// How they ended, or what they waited for.
    pub(crate) what: String,
    /// What that means.
    pub(crate) tone: Tone,
    /// Why.
    pub(crate) reason: String,
    /// Which ones, by some of their names.
    pub(crate) which: String,
    /// Commands that look further.
    pub(crate) look: Vec<String>,
}

/// Rows and columns
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// What it holds, with the unit of its times.
    pub(crate) caption: String,
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// Rows that are enough for a small page, and what they are called.
    pub(crate) few: Option<(usize, &'static str)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(caption: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().collect(), rows: Vec::new(), few: None }
    }

    /// The same with so many rows on a small page.
    pub(crate) fn few(self, rows: usize, noun: &'static str) -> Self {
        Self { few: Some((rows, noun)), ..self }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, tone: Option<Tone>, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { tone, cells: cells.into_iter().collect(), is_apart: false });
    }

    /// Sets the last row apart from those before it.
    pub(crate) fn set_apart(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.is_apart = true;
        }
    }
}

/// What a column holds
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Words.
    Words,
    /// Numbers of any kind.
    Numbers,
    /// Seconds: the unit is in the title or the caption.
    Seconds,
}

/// Which pages have room for a column
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// All.
    Any,
    /// Those of so many characters at least.
    Columns(usize),
    /// Those that show everything.
    Wide,
}

/// A column of a table
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its title.
    pub(crate) title: String,
    /// What it holds.
    pub(crate) holds: Holds,
    /// Which pages have it.
    pub(crate) room: Room,
}

impl Column {
    /// A column of words.
    pub(crate) fn words(title: impl Into<String>) -> Self {
        Self { title: title.into(), holds: Holds::Words, room: Room::Any }
    }

    /// A column of numbers.
    pub(crate) fn numbers(title: impl Into<String>) -> Self {
        Self { holds: Holds::Numbers, ..Self::words(title) }
    }

    /// A column of seconds.
    pub(crate) fn seconds(title: impl Into<String>) -> Self {
        Self { holds: Holds::Seconds, ..Self::words(title) }
    }

    /// The same for pages of so many characters at least.
    pub(crate) fn from(self, columns: usize) -> Self {
        Self { room: Room::Columns(columns), ..self }
    }

    /// The same for pages that show everything.
    pub(crate) fn wide(self) -> Self {
        Self { room: Room::Wide, ..self }
    }
}

/// A row of a table
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What it means.
    pub(crate) tone: Option<Tone>,
    /// A cell for each column.
    pub(crate) cells: Vec<Cell>,
    /// Whether it stands apart from the rows before it.
    pub(crate) is_apart: bool,
}

/// A cell of a table
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Nothing to say.
    Blank,
    /// A value that is not known.
    Unknown,
    /// A name or a text of somebody else's.
    Name(String),
    /// Words of the program.
    Words(String),
    /// Words with a meaning.
    Toned(Tone, String),
    /// A number of things.
    Count(u64),
    /// Seconds.
    Seconds(f64),
    /// Seconds more, or less.
    Difference(f64),
    /// How many times as much.
    Ratio(f64),
}

impl Cell {
    /// A name that may be missing.
    pub(crate) fn name(name: Option<&str>) -> Self {
        name.map_or(Self::Unknown, |name| Self::Name(name.to_owned()))
    }

    /// Words of the program.
    pub(crate) fn words(words: impl Into<String>) -> Self {
        Self::Words(words.into())
    }

    /// A number of things.
    pub(crate) fn count(count: usize) -> Self {
        Self::Count(count as u64)
    }

    /// Seconds that may be unknown.
    pub(crate) fn seconds(seconds: Option<f64>) -> Self {
        seconds.map_or(Self::Unknown, Self::Seconds)
    }

    /// A percentile, which may be not reached.
    pub(crate) fn quantile(quantile: Quantile) -> Self {
        quantile.seconds().map_or_else(|| Self::words("not reached"), Self::Seconds)
    }

    /// A ratio that may be unknown.
    pub(crate) fn ratio(ratio: Option<f64>) -> Self {
        ratio.map_or(Self::Unknown, Self::Ratio)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    /// A table with everything that a table can have, of so many rows and one that stands apart.
    pub(in crate::people) fn table(rows: usize) -> Table {
        let columns = [
            Column::words("Name"),
            Column::seconds("Mean"),
            Column::numbers("Change").from(70),
            Column::numbers("Times").wide(),
            Column::words("Result"),
        ];
        let mut table = Table::new("Seconds", columns).few(2, "rows");
        for row in 0..rows {
            let name = Cell::Name(format!("a|<b>{row}"));
            let bad = Cell::Toned(Tone::Bad, "missed".to_owned());
            table.push(None, [name, Cell::Seconds(1.5), Cell::Difference(0.25), Cell::Ratio(1.5), bad]);
        }
        let last = [Cell::words("a -> b"), Cell::Unknown, Cell::Blank, Cell::Unknown, Cell::Blank];
        table.push(None, last);
        table.set_apart();
        table
    }
}
