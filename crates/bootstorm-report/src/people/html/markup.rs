//! Markup under construction: text cannot become markup by accident.

use std::fmt::Write as _;

use bootstorm_model::text::printable;

/// HTML or SVG under construction
///
/// Names of elements and attributes come from the program; values and texts are escaped, and control and
/// bidirectional characters in them are made visible.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Empty markup.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes);
        self.0.push('>');
        self
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, name: &'static str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        if is_block(name) {
            self.0.push('\n');
        }
        self
    }

    /// An element without content.
    pub(crate) fn empty(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes);
        self.0.push_str("/>");
        self
    }

    /// An element with a text.
    pub(crate) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        escape_into(&mut self.0, &printable(text));
        self
    }

    /// A text whose line ends are kept.
    pub(crate) fn lines(&mut self, text: &str) -> &mut Self {
        for (index, line) in text.lines().enumerate() {
            if index > 0 {
                self.0.push('\n');
            }
            self.text(line);
        }
        self
    }

    /// Adds existing markup.
    pub(crate) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// The text written so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn tag(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            // Writing to a string cannot fail.
            let _ = write!(self.0, " {key}=\"");
            escape_into(&mut self.0, &printable(value));
            self.0.push('"');
        }
    }
}

/// Elements followed by a line end, for a readable source.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "section" | "svg" | "table" | "tr" | "p" | "h2" | "h3" | "div" | "figure" | "g" | "header" | "dl"
    )
}

fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_stay_texts_and_values() {
        let mut markup = Markup::new();
        markup.leaf(
            "td",
            &[("title", "\" onload='x' <b>&\u{202e}")],
            "</td><script>alert(1)</script>\u{1b}[2J",
        );
        assert_eq!(
            markup.as_str(),
            "<td title=\"&quot; onload=&#39;x&#39; &lt;b&gt;&amp;\\u{202e}\">\
             &lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{1b}[2J</td>"
        );
    }

    #[test]
    fn lines_stay_lines() {
        let mut markup = Markup::new();
        markup.lines("a: 1\r\nb: <2>\n");
        assert_eq!(markup.as_str(), "a: 1\nb: &lt;2&gt;");
    }
}
