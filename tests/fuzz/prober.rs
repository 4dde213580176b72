//! A prober's output, truncated and damaged.

use bootstorm_model::probe::Answer;
use bootstorm_model::probe::lines::{LONGEST_LINE, LineBuffer};
use rand::RngExt;

use super::mutation::{mutate, noise};
use super::{cases, dice};

const TALK: &[u8] =
    b"n x86_64\nl ping6 unknown host\nh 2 script ping4=yes ping6=no tcp4=no tcp6=no\no 4\nw so it is\nr 12\nt 99\nx 3 not permitted\nr 4294967295\n64 bytes from 10.0.0.1\n";

#[test]
fn the_protocol_survives_every_line_and_holds_little() {
    let mut dice = dice(1);
    let mut buffer = LineBuffer::default();
    for case in 0..cases(6_000) {
        let bytes = match case % 3 {
            0 => noise(3000, &mut dice),
            1 => mutate(TALK, &mut dice),
            // An endless line.
            _ => vec![b'x'; dice.random_range(0..20_000)],
        };
        for piece in bytes.chunks(dice.random_range(1..2000)) {
            for line in buffer.push(piece) {
                // An invalid byte becomes a three-byte character.
                assert!(line.len() <= 3 * LONGEST_LINE);
                if let Some(Answer::Cannot(_, why)) = Answer::parse(&line) {
                    assert!(why.chars().count() <= 200 && !why.contains(char::is_control));
                }
            }
            assert!(buffer.held() <= LONGEST_LINE);
        }
    }
}
