//! The document: content without layout.
//!
//! Cells and notes carry values and meaning; units, dashes, arrows, escapes and colours belong to the back ends.

use bootstorm_model::stats::Quantile;

use crate::color::Tone;

/// One block of a page
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A part with a title.
    Section(Section),
    /// Labels and values.
    Facts(Vec<Fact>),
    /// A sentence.
    Note(Note),
    /// Related sentences.
    List(Vec<Note>),
    /// Rows and columns.
    Table(Table),
    /// VMs with the same outcome.
    Cases(Vec<Case>),
    /// Commands for further diagnosis.
    Commands(Vec<String>),
    /// Details that are collapsed if the back end supports it.
    Fold(Fold),
    /// A break between unrelated blocks.
    Break,
}

/// A section of a page
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section {
    /// Id for links.
    pub(crate) id: &'static str,
    /// Title.
    pub(crate) title: String,
    /// Whether it is large enough to be framed.
    pub(crate) is_framed: bool,
    /// Content.
    pub(crate) blocks: Vec<Block>,
}

impl Section {
    /// A section of a page.
    pub(crate) fn new(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id, title: title.into(), is_framed: false, blocks }
    }

    /// Marks it as framed.
    pub(crate) fn framed(self) -> Self {
        Self { is_framed: true, ..self }
    }
}

/// Details with a summary line
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fold {
    /// Summary line.
    pub(crate) summary: String,
    /// Whether it is initially open.
    pub(crate) is_open: bool,
    /// Details.
    pub(crate) blocks: Vec<Block>,
}

/// A label and a value
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Label.
    pub(crate) label: String,
    /// Value.
    pub(crate) value: String,
}

impl Fact {
    /// A label and a value.
    pub(crate) fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// A sentence, optionally with a label
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// Meaning; `None` for neutral text.
    pub(crate) tone: Option<Tone>,
    /// Label, such as `Bottleneck`.
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

    /// Adds a label.
    pub(crate) fn about(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Marks it as an explanation of the note before it.
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

/// VMs with the same outcome
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// Number of VMs.
    pub(crate) vms: usize,
    /// Phase.
    pub(crate) phase: String,
    /// Outcome, or what they waited for.
    pub(crate) what: String,
    /// Tone of the outcome.
    pub(crate) tone: Tone,
    /// Reason.
    pub(crate) reason: String,
    /// Names of some of them.
    pub(crate) which: String,
    /// Commands for further diagnosis.
    pub(crate) look: Vec<String>,
}

/// Rows and columns
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// Caption, with the unit of its times.
    pub(crate) caption: String,
    /// Columns.
    pub(crate) columns: Vec<Column>,
    /// Rows.
    pub(crate) rows: Vec<Row>,
    /// Number of rows that suffice for a small page, and the noun for them.
    pub(crate) few: Option<(usize, &'static str)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(caption: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().collect(), rows: Vec::new(), few: None }
    }

    /// Limits the rows on a small page.
    pub(crate) fn few(self, rows: usize, noun: &'static str) -> Self {
        Self { few: Some((rows, noun)), ..self }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, tone: Option<Tone>, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { tone, cells: cells.into_iter().collect(), is_apart: false });
    }

    /// Separates the last row from those before it.
    pub(crate) fn set_apart(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.is_apart = true;
        }
    }
}

/// Content type of a column
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Words.
    Words,
    /// Numbers of any kind.
    Numbers,
    /// Seconds: the unit is in the title or the caption.
    Seconds,
}

/// Pages that have room for a column
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// All.
    Any,
    /// Pages with at least this many characters.
    Columns(usize),
    /// Pages that show everything.
    Wide,
}

/// A column of a table
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Title.
    pub(crate) title: String,
    /// Content type.
    pub(crate) holds: Holds,
    /// Pages that include it.
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

    /// Restricts it to pages with at least this many characters. Where a table is too wide nevertheless, the column that
    /// needs the widest page is left out first.
    pub(crate) fn from(self, columns: usize) -> Self {
        Self { room: Room::Columns(columns), ..self }
    }

    /// Restricts it to pages that show everything.
    pub(crate) fn wide(self) -> Self {
        Self { room: Room::Wide, ..self }
    }
}

/// A row of a table
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Tone.
    pub(crate) tone: Option<Tone>,
    /// A cell for each column.
    pub(crate) cells: Vec<Cell>,
    /// Whether it is separated from the rows before it.
    pub(crate) is_apart: bool,
}

/// A cell of a table
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Empty.
    Blank,
    /// An unknown value.
    Unknown,
    /// A name or a text from the cluster or a user.
    Name(String),
    /// Text of the program.
    Words(String),
    /// Text with a tone.
    Toned(Tone, String),
    /// A count.
    Count(u64),
    /// Seconds.
    Seconds(f64),
    /// Seconds more or less.
    Difference(f64),
    /// A ratio.
    Ratio(f64),
}

impl Cell {
    /// A name that may be missing.
    pub(crate) fn name(name: Option<&str>) -> Self {
        name.map_or(Self::Unknown, |name| Self::Name(name.to_owned()))
    }

    /// Text of the program.
    pub(crate) fn words(words: impl Into<String>) -> Self {
        Self::Words(words.into())
    }

    /// A count.
    pub(crate) fn count(count: usize) -> Self {
        Self::Count(count as u64)
    }

    /// Seconds that may be unknown.
    pub(crate) fn seconds(seconds: Option<f64>) -> Self {
        seconds.map_or(Self::Unknown, Self::Seconds)
    }

    /// A percentile, which may be not reached.
    pub(crate) fn quantile(quantile: Quantile) -> Self {
        quantile.missing().map_or_else(|| Self::seconds(quantile.seconds()), Self::words)
    }

    /// A ratio that may be unknown.
    pub(crate) fn ratio(ratio: Option<f64>) -> Self {
        ratio.map_or(Self::Unknown, Self::Ratio)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    /// A table with every feature, with this many rows and a separated one.
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
