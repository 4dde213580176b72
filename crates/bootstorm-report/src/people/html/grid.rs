//! The frame of a table of numbers: it scrolls separately, and has a caption.

use super::markup::Markup;

/// Opens a table up to its first row; the first `words` columns hold words, the others numbers.
pub(crate) fn open(body: &mut Markup, caption: &str, headings: &[&str], words: usize) {
    begin(body, caption, &[("class", "numbers")]);
    body.open("thead", &[]).open("tr", &[]);
    for (place, heading) in headings.iter().enumerate() {
        let class: &[(&str, &str)] =
            if place < words { &[("scope", "col"), ("class", "word")] } else { &[("scope", "col")] };
        body.leaf("th", class, heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
}

/// Opens a table with a caption above it: one inside would scroll away with the table, or be cut by its frame.
pub(crate) fn begin(body: &mut Markup, caption: &str, attributes: &[(&str, &str)]) {
    body.leaf("p", &[("class", "caption")], caption).open("div", &[("class", "scroll")]);
    let named: Vec<(&str, &str)> = attributes.iter().copied().chain([("aria-label", caption)]).collect();
    body.open("table", &named);
}

/// Closes a table after its last row.
pub(crate) fn close(body: &mut Markup) {
    body.close("tbody").close("table").close("div");
}
