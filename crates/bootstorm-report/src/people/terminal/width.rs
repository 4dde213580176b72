//! Width of a text in terminal columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a text: most characters take one, East Asian ones two, combining marks none.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Columns that one character takes.
pub(super) fn width_of(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The part of a text that fits into `columns`; a cut is marked with `…`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let mut room = columns.saturating_sub(1);
    let fits = |character: &char| {
        let needed = width_of(*character);
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_never_cut_in_half() {
        assert_eq!(width("虚拟机"), 6);
        assert_eq!(cut("虚拟机", 5), "虚拟…");
        assert_eq!(cut("虚拟机", 4), "虚…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(width("e\u{301}"), 1);
    }
}
