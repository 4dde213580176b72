//! Packs texts relative to a reference.
//!
//! Versions of an object differ in few places. A general compressor would index its dictionary anew for each of them, which
//! takes many times longer than the comparison itself.

use std::sync::Arc;

/// Shortest common piece, in bytes.
const WIDTH: usize = 8;
/// Distance between indexed places of the reference.
const STEP: usize = 4;
/// Sizes of the index of a reference and of that of a text, as powers of two.
const BITS: (u32, u32) = (14, 10);

/// A reference text and its index
#[derive(Debug)]
pub(super) struct Reference {
    text: Arc<[u8]>,
    /// Hash of the bytes at a place → the place plus one.
    places: Box<[u32]>,
}

impl Default for Reference {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Reference {
    pub(super) fn new(text: Arc<[u8]>) -> Self {
        let mut places = vec![0; 1 << BITS.0].into_boxed_slice();
        for place in (0..(text.len() + 1).saturating_sub(WIDTH)).step_by(STEP) {
            places[slot(word(&text, place), BITS.0)] = place as u32 + 1;
        }
        Self { text, places }
    }

    pub(super) fn text(&self) -> &Arc<[u8]> {
        &self.text
    }

    /// Packs a text; [`unpack`] needs the text of the same reference.
    pub(super) fn pack(&self, text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(text.len() / 8);
        // Index of the text itself, as far as it is packed.
        let mut own = [0_u32; 1 << BITS.1];
        let (mut begun, mut at) = (0, 0);
        while at + WIDTH <= text.len() {
            let word = word(text, at);
            let theirs = common(&self.text, self.places[slot(word, BITS.0)], text, begun, at);
            // What is unpacked by then ends at `at`, so a piece of the text itself begins there.
            let own_place = &mut own[slot(word, BITS.1)];
            let ours = || common(&text[..at], *own_place, text, at, at).map(|found| found.within(&self.text));
            let found = theirs.or_else(ours);
            let Some(Found { place, from, to }) = found else {
                *own_place = at as u32 + 1;
                at += 1;
                continue;
            };
            put(&mut packed, from - begun);
            packed.extend_from_slice(&text[begun..from]);
            put(&mut packed, to - from);
            put(&mut packed, place);
            (begun, at) = (to, to);
        }
        put(&mut packed, text.len() - begun);
        packed.extend_from_slice(&text[begun..]);
        packed
    }
}

/// Unpacks a text of this length; damaged input gives a shorter one.
pub(super) fn unpack(mut packed: &[u8], length: usize, reference: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(length);
    while text.len() < length {
        let Some((new, rest)) = take(&mut packed).and_then(|count| packed.split_at_checked(count)) else {
            break;
        };
        text.extend_from_slice(new);
        packed = rest;
        let Some((count, place)) = take(&mut packed).zip(take(&mut packed)) else { break };
        let end = place + count;
        if end <= reference.len() {
            text.extend_from_slice(&reference[place..end]);
        } else if place >= reference.len() && end - reference.len() <= text.len() {
            text.extend_from_within(place - reference.len()..end - reference.len());
        } else {
            break;
        }
    }
    text
}

/// A piece that also exists elsewhere
struct Found {
    /// Its place elsewhere.
    place: usize,
    /// Its beginning and end in the text.
    from: usize,
    to: usize,
}

impl Found {
    /// Places in the text itself follow those of the reference.
    fn within(self, reference: &[u8]) -> Self {
        Self { place: reference.len() + self.place, ..self }
    }
}

/// The common piece around `at`, beginning at `floor` or later.
fn common(theirs: &[u8], entry: u32, text: &[u8], floor: usize, at: usize) -> Option<Found> {
    let place = entry.checked_sub(1)? as usize;
    if theirs.get(place..place + WIDTH)? != &text[at..at + WIDTH] {
        return None;
    }
    let before = theirs[..place].iter().rev().zip(text[floor..at].iter().rev());
    let before = before.take_while(|(a, b)| a == b).count();
    let after = agreeing(&theirs[place + WIDTH..], &text[at + WIDTH..]);
    Some(Found { place: place - before, from: at - before, to: at + WIDTH + after })
}

/// Length of the common prefix.
fn agreeing(one: &[u8], other: &[u8]) -> usize {
    let mut count = 0;
    for (a, b) in one.chunks_exact(WIDTH).zip(other.chunks_exact(WIDTH)) {
        let differing = word(a, 0) ^ word(b, 0);
        if differing != 0 {
            return count + differing.trailing_zeros() as usize / 8;
        }
        count += WIDTH;
    }
    count + one[count..].iter().zip(&other[count..]).take_while(|(a, b)| a == b).count()
}

fn word(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; WIDTH];
    bytes.copy_from_slice(&text[at..at + WIDTH]);
    u64::from_le_bytes(bytes)
}

fn slot(word: u64, bits: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)) as usize
}

fn put(packed: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        packed.push(number as u8 | 0x80);
        number >>= 7;
    }
    packed.push(number as u8);
}

fn take(packed: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = packed.split_first()?;
        *packed = rest;
        number |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round(reference: &[u8], text: &[u8]) -> usize {
        let packed = Reference::new(reference.into()).pack(text);
        assert_eq!(unpack(&packed, text.len(), reference), text);
        packed.len()
    }

    #[test]
    fn what_is_common_takes_no_room() {
        let text: Vec<u8> =
            (0..5_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert!(round(&text, &text) < 10);
        let mut changed = text.clone();
        changed[7_000] ^= 1;
        changed.splice(12_000..12_003, *b"something else");
        assert!(round(&text, &changed) < 60);
        let short = &text[..800];
        assert!(round(b"", &[short, short].concat()) < short.len() + 60, "its own pieces count, too");
        assert!(round(b"", &text) <= text.len() + 10, "what nobody has in common is kept as it is");
    }

    #[test]
    fn damaged_bytes_are_no_panic() {
        let text = b"{\"a\":1,\"b\":\"some text\"}{\"a\":1,\"b\":\"some text\"}";
        let packed = Reference::new(text[..20].into()).pack(text);
        for place in 0..packed.len() {
            for bit in 0..8 {
                let mut damaged = packed.clone();
                damaged[place] ^= 1 << bit;
                unpack(&damaged, text.len(), &text[..20]);
            }
            unpack(&packed[..place], text.len(), b"");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(
            reference in prop::collection::vec(0_u8..4, 0..400),
            text in prop::collection::vec(0_u8..4, 0..400),
            places in prop::collection::vec((0_usize..400, 0_usize..400), 0..4),
        ) {
            let mut mixed = text;
            for (from, to) in places {
                mixed.extend(reference.get(from..to).unwrap_or_default());
            }
            round(&reference, &mixed);
        }
    }
}
