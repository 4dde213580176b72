//! The frame of a chart: axes with ticks, grid and units, and the slices that react to the pointer.

use super::scale::tick_label;
use super::{Drawing, Scale, Size, number};
use crate::people::html::markup::Markup;

/// One axis: its range and title
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis<'a> {
    /// Largest value.
    pub(crate) top: f64,
    /// Title, with the unit.
    pub(crate) title: &'a str,
}

/// Position of a plot and ranges of its axes
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Available room.
    pub(crate) size: Size,
    /// Height of the whole drawing.
    pub(crate) height: f64,
    /// The horizontal axis.
    pub(crate) x: Axis<'a>,
    /// The vertical axis.
    pub(crate) y: Axis<'a>,
    /// Whether the horizontal axis has ticks.
    pub(crate) x_ticks: bool,
}

/// A chart under construction: its scales, and the content so far
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    /// Horizontal scale.
    pub(crate) x: Scale,
    /// Vertical scale.
    pub(crate) y: Scale,
    /// Drawn content.
    pub(crate) content: Markup,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plot {
    /// Draws the axes.
    pub(crate) fn new(frame: &Frame<'_>) -> Self {
        let (left, right) = (46.0, frame.size.width() - 10.0);
        let (top, bottom) = (22.0, frame.height - 38.0);
        let mut plot = Self {
            x: Scale::new(frame.x.top, left, right),
            y: Scale::new(frame.y.top, bottom, top),
            content: Markup::new(),
            height: frame.height,
            left,
            right,
            top,
            bottom,
        };
        plot.horizontal_grid();
        plot.vertical_ticks(frame);
        plot.line("axis", (left, bottom), (right, bottom));
        plot.label("title", "start", (2.0, 11.0), frame.y.title);
        plot.label("title", "end", (right, frame.height - 4.0), frame.x.title);
        plot
    }

    fn horizontal_grid(&mut self) {
        let wanted = ((self.bottom - self.top) / 38.0) as usize;
        for tick in self.y.ticks(wanted.max(2)) {
            let y = self.y.at(tick);
            if tick > 0.0 {
                self.line("grid", (self.left, y), (self.right, y));
            }
            self.label("tick", "end", (self.left - 6.0, y + 4.0), &tick_label(tick));
        }
    }

    fn vertical_ticks(&mut self, frame: &Frame<'_>) {
        if !frame.x_ticks {
            return;
        }
        let wanted = ((self.right - self.left) / 64.0) as usize;
        for tick in self.x.ticks(wanted.max(2)) {
            let x = self.x.at(tick);
            self.line("axis", (x, self.bottom), (x, self.bottom + 4.0));
            let anchor = if x > self.right - 10.0 { "end" } else { "middle" };
            self.label("tick", anchor, (x, self.bottom + 17.0), &tick_label(tick));
        }
    }

    /// A straight line of a class.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.content.empty("line", &[("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]);
    }

    /// A text of a class.
    pub(crate) fn label(&mut self, class: &str, anchor: &str, at: (f64, f64), text: &str) {
        let [x, y] = [at.0, at.1].map(number);
        self.content.leaf("text", &[("class", class), ("text-anchor", anchor), ("x", &x), ("y", &y)], text);
    }

    /// A rectangle of a class, between two corners.
    pub(crate) fn rect(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x, y] = [from.0.min(to.0), from.1.min(to.1)].map(number);
        let [width, height] = [(to.0 - from.0).abs(), (to.1 - from.1).abs()].map(number);
        self.content
            .empty("rect", &[("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
    }

    /// A full-height slice with a hover text, from one coordinate to another.
    pub(crate) fn slice(&mut self, from: f64, to: f64, says: &str) {
        hit(&mut self.content, (from, self.top), (to, self.bottom), says);
    }

    /// Left and right end of the drawing area.
    pub(crate) fn width(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Coordinate of the horizontal axis.
    pub(crate) fn floor(&self) -> f64 {
        self.bottom
    }

    /// The finished drawing.
    pub(crate) fn finish(self) -> Drawing {
        Drawing { height: self.height, content: self.content }
    }
}

/// An area with a hover text; a browser shows it as a title, the page's script in a tooltip.
pub(crate) fn hit(content: &mut Markup, from: (f64, f64), to: (f64, f64), says: &str) {
    let [x, y, width, height] = [from.0, from.1, to.0 - from.0, to.1 - from.1].map(number);
    content.open("rect", &[("class", "hit"), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
    content.leaf("title", &[], says).close("rect");
}
