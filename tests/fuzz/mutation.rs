//! Damages valid input.

use rand::RngExt;
use rand::rngs::StdRng;

/// Pieces that trip up parsers.
const PIECES: [&[u8]; 40] = [
    b"",
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b"-",
    b"- ",
    b": ",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"&a ",
    b"*a",
    b"<<: *a",
    b"!!binary ",
    b"!x!y ",
    b"|",
    b">",
    b"? ",
    b"#",
    b"---\n",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"9999-12-30T22:00:00Z",
];

/// A damaged copy.
pub(super) fn mutate(good: &[u8], dice: &mut StdRng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..dice.random_range(1..=6) {
        let at = dice.random_range(0..=bytes.len());
        let end = (at + dice.random_range(0..=16)).min(bytes.len());
        match dice.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = dice.random(),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = dice.random_range(0..=bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[dice.random_range(0..PIECES.len())];
                bytes.splice(at..if dice.random() { at } else { end }, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Random bytes.
pub(super) fn noise(longest: usize, dice: &mut StdRng) -> Vec<u8> {
    let length = dice.random_range(0..=longest);
    (0..length).map(|_| dice.random()).collect()
}

/// A damaged copy as text.
pub(super) fn mutate_text(good: &str, dice: &mut StdRng) -> String {
    String::from_utf8_lossy(&mutate(good.as_bytes(), dice)).into_owned()
}
