//! The text under construction: rules, titles, lines, labels.

use super::Layout;
use super::grid::Grid;
use crate::paint::Tone;
use bootstorm_model::text::line;

use super::width::width_of;

/// Labels are padded to this width, as in the guide's statistics.
const LABEL: usize = 24;

/// The text under construction
pub(crate) struct Page {
    text: String,
    layout: Layout,
}

impl Page {
    /// Writes a grid below its headers.
    pub(crate) fn grid(&mut self, grid: Grid) {
        let layout = self.layout();
        let (header, lines) = grid.lines(layout.headers, layout.paint);
        if let Some(header) = header {
            self.toned(Tone::Heading, &header);
            self.rule('-');
        }
        for line in lines {
            self.line(&line);
        }
    }

    pub(crate) fn new(layout: Layout) -> Self {
        Self { text: String::new(), layout }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Columns that a rule takes: the terminal's, within reason.
    pub(crate) fn width(&self) -> usize {
        self.layout.width.clamp(60, 160)
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn toned(&mut self, tone: Tone, line: &str) {
        let painted = self.layout.paint.apply(tone, line);
        self.line(&painted);
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(crate) fn rule(&mut self, character: char) {
        let rule = character.to_string().repeat(self.width());
        self.line(&rule);
    }

    /// A title between two rules.
    pub(crate) fn title(&mut self, title: &str) {
        self.rule('=');
        self.toned(Tone::Heading, &line(title));
        self.rule('=');
    }

    /// An indented line of a label and a value, like `  Total VMs:              98`
    ///
    /// A value that does not fit goes on below itself. What comes from the cluster is made printable.
    pub(crate) fn labelled(&mut self, label: &str, value: &str) {
        let label = format!("{label}:");
        let indent = 2 + LABEL;
        for (index, part) in broken(&line(value), self.width() - indent).into_iter().enumerate() {
            match index {
                // A label that is too long for its column keeps a space behind it.
                0 => self.line(&format!("  {label:<width$} {part}", width = LABEL - 1)),
                _ => self.line(&format!("{:indent$}{part}", "")),
            }
        }
    }

    /// A sentence, broken at spaces so that it fits; what comes from the cluster is made printable.
    pub(crate) fn sentence(&mut self, tone: Option<Tone>, indent: usize, text: &str) {
        for line in broken(&line(text), self.width() - indent) {
            let line = format!("{:indent$}{line}", "");
            match tone {
                Some(tone) => self.toned(tone, &line),
                None => self.line(&line),
            }
        }
    }

    /// A text broken into so many lines at most, the cut marked with `…`.
    pub(crate) fn on_lines(&self, text: &str, most: usize) -> Vec<String> {
        let mut lines = broken(&line(text), self.width());
        if lines.len() > most {
            let rest = lines.split_off(most - 1).join(" ");
            lines.push(super::width::cut(&rest, self.width()));
        }
        lines
    }

    /// The text, with one line end at its end.
    pub(crate) fn finish(self) -> String {
        let mut text = self.text;
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// A text broken at spaces into lines of at most `width` columns; a longer word is cut.
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
    use super::broken;

    #[test]
    fn texts_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(broken("one two three", 7), ["one two", "three"]);
        assert_eq!(broken("one", 7), ["one"]);
        assert_eq!(broken("a 12345678901 b", 5), ["a", "12345", "67890", "1 b"]);
        assert_eq!(broken("", 5), [""]);
        assert_eq!(broken("虚拟机虚拟机", 5), ["虚拟", "机虚", "拟机"]);
    }
}
