//! Charts as inline SVG: a small writer for axes, steps, columns and hover texts.
//!
//! Every chart is drawn once per [`Size`], each in its own coordinates, and the style sheet shows the one that fits, so
//! that letters keep their size on a phone. Colours are classes, which follow the theme and the printer.

pub(crate) mod columns;
pub(crate) mod plot;
pub(crate) mod scale;
pub(crate) mod steps;

pub(crate) use plot::{Axis, Frame, Plot};
pub(crate) use scale::Scale;

use super::markup::Markup;

/// Room for a chart
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Full width of a desktop page.
    Full,
    /// Half of it, or the full width of a tablet or a sheet of paper.
    Half,
    /// A phone.
    Narrow,
}

impl Size {
    /// Width in units of the drawing, which are about pixels.
    pub(crate) fn width(self) -> f64 {
        match self {
            Self::Full => 1160.0,
            Self::Half => 570.0,
            Self::Narrow => 350.0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Full => "at-full",
            Self::Half => "at-half",
            Self::Narrow => "at-narrow",
        }
    }
}

/// Draws a chart in the sizes that its place on the page needs; `whole` means the full width of the page.
pub(crate) fn draw(body: &mut Markup, whole: bool, label: &str, drawing: impl Fn(Size) -> Drawing) {
    let sizes: &[Size] =
        if whole { &[Size::Full, Size::Half, Size::Narrow] } else { &[Size::Half, Size::Narrow] };
    body.open("div", &[("class", if whole { "chart whole" } else { "chart" })]);
    for size in sizes {
        let Drawing { height, content } = drawing(*size);
        let view = format!("0 0 {} {}", number(size.width()), number(height));
        body.open(
            "svg",
            &[
                ("class", size.class()),
                ("viewBox", &view),
                ("role", "img"),
                ("aria-label", label),
                ("preserveAspectRatio", "xMidYMid meet"),
            ],
        );
        body.add(&content).close("svg");
    }
    body.close("div");
}

/// A drawing and its height
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    /// Height in units of the drawing.
    pub(crate) height: f64,
    /// Drawn content.
    pub(crate) content: Markup,
}

/// A coordinate with at most one decimal.
pub(crate) fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0 + 0.0;
    rounded.to_string()
}

/// A legend: a swatch and a word per entry, given as class and word.
pub(crate) fn legend(body: &mut Markup, entries: &[(&str, &str)]) {
    body.open("ul", &[("class", "legend")]);
    for (class, word) in entries {
        body.open("li", &[]);
        body.open("svg", &[("viewBox", "0 0 14 10"), ("class", "swatch"), ("aria-hidden", "true")]);
        body.empty("rect", &[("class", class), ("width", "14"), ("height", "10"), ("rx", "2")]);
        body.close("svg").text(word).close("li");
    }
    body.close("ul");
}
