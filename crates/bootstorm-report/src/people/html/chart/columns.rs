//! Columns: side by side for counts, stacked for stretches of time.

use super::Plot;

/// A piece of a stacked column: class and size
pub(crate) type Piece = (&'static str, f64);

/// Draws a stacked column between two coordinates, from the axis up.
pub(crate) fn stack(plot: &mut Plot, from: f64, to: f64, pieces: &[Piece]) {
    let mut below = 0.0;
    for (class, length) in pieces.iter().filter(|(_, length)| *length > 0.0) {
        let (low, high) = (plot.y.at(below), plot.y.at(below + length));
        if low - high >= 0.05 {
            plot.rect(class, (from, high), (to, low));
        }
        below += length;
    }
}

/// Number of values per bin of a width, counted from zero.
pub(crate) fn histogram(values: &[f64], width: f64, bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for value in values {
        let bin = (value / width).floor().max(0.0) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bin() {
        assert_eq!(histogram(&[0.0, 0.9, 1.0, 2.5, 3.0], 1.0, 3), [2, 1, 2]);
        assert_eq!(histogram(&[], 1.0, 2), [0, 0]);
    }
}
