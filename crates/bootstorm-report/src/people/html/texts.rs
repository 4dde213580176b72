//! Texts of many rows, for a page's script: each stored once, without the common prefix.

use std::collections::HashMap;

use serde::Serialize;

use bootstorm_model::text::printable;

/// Repeated texts
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Texts {
    /// Common prefix.
    prefix: String,
    /// Remainders, each once.
    words: Vec<String>,
    /// Index of the word per row; empty if every row has its own index.
    rows: Vec<usize>,
}

impl Texts {
    /// The texts of all rows, made safe for display.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let texts: Vec<_> = texts.map(printable).collect();
        let prefix = common_prefix(texts.iter().map(AsRef::as_ref));
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut words = Vec::new();
        let mut rows = Vec::with_capacity(texts.len());
        for text in &texts {
            let rest = &text[prefix.len()..];
            let place = *places.entry(rest).or_insert_with(|| {
                words.push(rest.to_owned());
                words.len() - 1
            });
            rows.push(place);
        }
        if rows.iter().enumerate().all(|(row, place)| row == *place) {
            rows.clear();
        }
        Self { prefix: prefix.to_owned(), words, rows }
    }
}

/// Common prefix, cut between characters.
fn common_prefix<'a>(mut texts: impl Iterator<Item = &'a str>) -> &'a str {
    let Some(first) = texts.next() else { return "" };
    texts.fold(first, |prefix, text| {
        let shared =
            prefix.char_indices().zip(text.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
        let end = shared.unwrap_or_else(|| {
            // One of them ended: the shorter one is a prefix of the other.
            prefix.len().min(text.len())
        });
        &prefix[..end]
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_beginnings_are_kept_once_and_never_split_a_character() {
        let prefix = |texts: &[&str]| common_prefix(texts.iter().copied()).to_owned();
        assert_eq!(prefix(&["test-1", "test-10", "test-2"]), "test-");
        assert_eq!(prefix(&["tä", "tö"]), "t");
        assert_eq!(prefix(&["test-1", "test-"]), "test-");
        assert_eq!(prefix(&["same", "same"]), "same");
        assert_eq!(prefix(&[]), "");
    }

    proptest! {
        #[test]
        fn texts_come_back_as_they_were(given in prop::collection::vec("[a-cäö]{0,4}", 0..20)) {
            let texts = Texts::of(given.iter().map(String::as_str));
            for (row, text) in given.iter().enumerate() {
                let place = texts.rows.get(row).copied().unwrap_or(row);
                prop_assert_eq!(&format!("{}{}", texts.prefix, texts.words[place]), text);
            }
        }
    }
}
