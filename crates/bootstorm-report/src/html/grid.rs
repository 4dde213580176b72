//! The frame of a table of numbers: it scrolls by itself, and says what it holds.

use super::markup::Markup;

/// Opens a table up to its first row; the first `words` columns hold words, the others numbers.
pub(crate) fn open(body: &mut Markup, caption: &str, headings: &[&str], words: usize) {
    body.open("div", &[("class", "scroll")]).open("table", &[("class", "numbers")]);
    body.leaf("caption", &[], caption).open("thead", &[]).open("tr", &[]);
    for (place, heading) in headings.iter().enumerate() {
        let class: &[(&str, &str)] =
            if place < words { &[("scope", "col"), ("class", "word")] } else { &[("scope", "col")] };
        body.leaf("th", class, heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
}

/// Closes a table after its last row.
pub(crate) fn close(body: &mut Markup) {
    body.close("tbody").close("table").close("div");
}
