//! Nodes of a document, composed from the parser's events.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::fault::{OLD_LINE_ENDS, Warning, YamlFault};

/// Characters beside a line end that are not content.
const BLANKS: [char; 2] = [' ', '\t'];

/// A node with its position
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// Kind of a node
#[derive(Debug)]
pub(super) enum Kind {
    Scalar { text: String, is_plain: bool, tag: Option<String> },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Composes nodes; aliases are resolved.
pub(super) struct Composer<'input> {
    source: &'input str,
    anchors: HashMap<usize, Rc<Node>>,
    pub(super) warnings: BTreeSet<Warning>,
}

impl<'input> Composer<'input> {
    pub(super) fn new(source: &'input str) -> Self {
        Self { source, anchors: HashMap::new(), warnings: BTreeSet::new() }
    }

    /// Composes the root of the document that has just begun.
    pub(super) fn document(
        &mut self,
        parser: &mut Parser<'input, StrInput<'input>>,
    ) -> Result<Rc<Node>, YamlFault> {
        self.anchors.clear();
        let (event, span) = next(parser)?;
        self.node(event, span, parser)
    }

    fn node(
        &mut self,
        event: Event<'input>,
        span: Span,
        parser: &mut Parser<'input, StrInput<'input>>,
    ) -> Result<Rc<Node>, YamlFault> {
        let (kind, anchor) = match event {
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                return node.ok_or_else(|| YamlFault::at(&span, "an alias inside its own anchor"));
            }
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag, &span), anchor),
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match next(parser)? {
                        (Event::SequenceEnd, _) => break (Kind::Sequence(items), anchor),
                        (event, span) => items.push(self.node(event, span, parser)?),
                    }
                }
            }
            Event::MappingStart(_, anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    match next(parser)? {
                        (Event::MappingEnd, _) => break (Kind::Mapping(entries), anchor),
                        (event, span) => {
                            let key = self.node(event, span, parser)?;
                            let (event, span) = next(parser)?;
                            entries.push((key, self.node(event, span, parser)?));
                        }
                    }
                }
            }
            _ => return Err(YamlFault::at(&span, "this is not valid YAML")),
        };
        let node = Rc::new(Node { kind, span });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn scalar(
        &mut self,
        text: Cow<'input, str>,
        style: ScalarStyle,
        tag: Option<Cow<'input, Tag>>,
        span: &Span,
    ) -> Kind {
        let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
        let is_nonspecific = tag.as_deref() == Some("!");
        Kind::Scalar {
            text: self.with_old_line_ends(text, style, span),
            is_plain: style == ScalarStyle::Plain && !is_nonspecific,
            tag: tag.filter(|_| !is_nonspecific),
        }
    }

    /// The text with U+2028 and U+2029 as line ends, so that blanks around them are not content.
    ///
    /// kubectl writes texts in this form. A text that also has escaped ones is left unchanged.
    fn with_old_line_ends(&mut self, text: Cow<'input, str>, style: ScalarStyle, span: &Span) -> String {
        if !text.contains(OLD_LINE_ENDS) {
            return text.into_owned();
        }
        let source = span.slice(self.source).unwrap_or_default();
        let count = |text: &str| text.matches(OLD_LINE_ENDS).count();
        if count(source) == 0 {
            return text.into_owned();
        }
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if count(source) != count(&text) || !is_block && source.contains('\n') {
            self.warnings.insert(Warning::OldLineEnd(span.start.line()));
            return text.into_owned();
        }
        let most = if is_block { self.block_indent(span) } else { usize::MAX };
        let mut joined = String::with_capacity(text.len());
        for (number, line) in text.split_inclusive(OLD_LINE_ENDS).enumerate() {
            let body = line.trim_end_matches(OLD_LINE_ENDS);
            let end = &line[body.len()..];
            let blanks = body.len() - body.trim_start_matches(BLANKS).len();
            let body = if number > 0 { &body[blanks.min(most)..] } else { body };
            let is_cut = !is_block && !end.is_empty();
            joined.push_str(if is_cut { body.trim_end_matches(BLANKS) } else { body });
            joined.push_str(end);
        }
        joined
    }

    /// Indentation of the lines of a block scalar: its span begins with its first line of content.
    fn block_indent(&self, span: &Span) -> usize {
        let start = span.start.byte_offset().unwrap_or(0);
        let line_start = self.source[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = self.source[line_start..].lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.len() - line.trim_start_matches(' ').len()
    }
}

fn next<'input>(parser: &mut Parser<'input, StrInput<'input>>) -> Result<(Event<'input>, Span), YamlFault> {
    match parser.next_event() {
        Some(next) => Ok(next?),
        None => Err(YamlFault { line: 1, column: 1, what: "this is not valid YAML".to_owned() }),
    }
}
