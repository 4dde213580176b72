//! Aligned columns without borders.

use comfy_table::{Cell, CellAlignment, Table, TableStyle};

use crate::color::{Paint, Tone};
use bootstorm_model::text::line;

use super::width::{cut, width};

/// Spaces between columns, as in kubectl.
const GUTTER: usize = 3;

/// A column of a grid
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    title: String,
    alignment: CellAlignment,
}

impl Column {
    /// A column of words.
    pub(crate) fn words(title: &str) -> Self {
        Self { title: title.to_owned(), alignment: CellAlignment::Left }
    }

    /// A column of numbers.
    pub(crate) fn numbers(title: &str) -> Self {
        Self { title: title.to_owned(), alignment: CellAlignment::Right }
    }
}

/// Rows of cells, each row optionally in a tone
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    tones: Vec<Option<Tone>>,
}

impl Grid {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), tones: Vec::new() }
    }

    /// Adds a row; its cells are made printable here, whatever their origin.
    pub(crate) fn push(&mut self, tone: Option<Tone>, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| line(&cell).into_owned()).collect());
        self.tones.push(tone);
    }

    /// Cuts the last column so that no line exceeds `columns`; a cut is marked with `…`.
    pub(crate) fn fit(&mut self, columns: usize) {
        let Some(last) = self.columns.len().checked_sub(1) else { return };
        let before: usize = (0..last).map(|column| self.width_of(column) + GUTTER).sum();
        let room = columns.saturating_sub(before).max(width(&self.columns[last].title)).max(4);
        for row in &mut self.rows {
            if width(&row[last]) > room {
                row[last] = cut(&row[last], room);
            }
        }
    }

    /// Columns of the longest line.
    pub(crate) fn width(&self) -> usize {
        let columns: usize = (0..self.columns.len()).map(|column| self.width_of(column)).sum();
        columns + GUTTER * self.columns.len().saturating_sub(1)
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| width(&row[column]));
        cells.chain([width(&self.columns[column].title)]).max().unwrap_or(0)
    }

    /// The header line, if there is a header, and the painted lines of the rows.
    pub(crate) fn lines(self, headers: bool, paint: Paint) -> (Option<String>, Vec<String>) {
        let mut table = Table::new();
        // Styles are ours and the width is known, so the table must not query the terminal.
        table.force_no_tty().load_style(TableStyle::new());
        if headers {
            table.set_header(self.columns.iter().map(|column| Cell::new(&column.title)));
        }
        table.add_rows(self.rows);
        let last = self.columns.len().saturating_sub(1);
        for (index, column) in self.columns.iter().enumerate() {
            if let Some(drawn) = table.column_mut(index) {
                drawn.set_cell_alignment(column.alignment);
                drawn.set_padding((0, if index == last { 0 } else { GUTTER as u16 }));
            }
        }
        let mut lines = table.lines().map(|line| line.trim_end().to_owned());
        let header = if headers { lines.next() } else { None };
        let painted = lines.zip(&self.tones).map(|(line, tone)| match tone {
            Some(tone) => paint.apply(*tone, &line),
            None => line,
        });
        (header, painted.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(vec![Column::words("NAME"), Column::numbers("N"), Column::words("WHY")]);
        grid.push(None, vec!["a".into(), "1".into(), String::new()]);
        grid.push(Some(Tone::Bad), vec!["long-name".into(), "1000".into(), "some long reason".into()]);
        grid
    }

    #[test]
    fn numbers_align_right_and_nothing_trails() {
        let (header, lines) = grid().lines(true, Paint::Plain);
        assert_eq!(header.as_deref(), Some("NAME           N   WHY"));
        assert_eq!(lines, ["a              1", "long-name   1000   some long reason"]);
    }

    #[test]
    fn the_last_column_gives_way_to_the_width() {
        let mut grid = grid();
        grid.fit(26);
        assert_eq!(grid.lines(false, Paint::Plain).1[1], "long-name   1000   some l…");
    }

    #[test]
    fn wide_characters_count_twice_and_nothing_steers_the_terminal() {
        let mut grid = Grid::new(vec![Column::words("NAME"), Column::words("WHY")]);
        grid.push(None, vec!["虚拟机".into(), "\u{1b}[2J\n虚拟机".into()]);
        grid.push(None, vec!["abcdef".into(), "x".repeat(1_000_000)]);
        grid.fit(30);
        let (header, lines) = grid.lines(true, Paint::Plain);
        assert_eq!(header.as_deref(), Some("NAME     WHY"));
        assert_eq!(lines[0], r"虚拟机   \u{1b}[2J\n虚拟机");
        assert_eq!(lines[1], format!("abcdef   {}…", "x".repeat(20)));
    }

    #[test]
    fn a_tone_covers_the_line() {
        assert_eq!(
            grid().lines(false, Paint::Ansi).1[1],
            "\u{1b}[31mlong-name   1000   some long reason\u{1b}[0m"
        );
    }
}
