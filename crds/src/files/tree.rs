//! Text → a tree of values that knows where each stands, within limits that no input can break.
//!
//! The tree keeps what a plain value forgets: places, duplicate keys, and whether a scalar was quoted. So it can refuse
//! what kubectl, which reads YAML 1.1, would read differently. Aliases are shared, never copied, and their expanded
//! size and depth are counted before anything is expanded.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScanError, Span, StrInput, Tag};

use super::scalar;
use crate::admit::{FAULTS_MAX, FieldError, code};

/// The deepest nesting of a document, aliases expanded. Resources need 15.
pub const DEPTH_MAX: usize = 40;
/// The most bytes that one document stands for, aliases expanded; a Kubernetes API refuses about as much.
pub const DOCUMENT_MAX_BYTES: usize = 1_500_000;
/// The most documents in one file.
pub const DOCUMENTS_MAX: usize = 5_000;

/// What a node costs beside its text, so that a million empty lists are not free.
const NODE_BYTES: usize = 16;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    /// Bytes in the file: the scalar, or where the collection begins.
    pub(crate) at: Range<usize>,
    bytes: usize,
    depth: usize,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Scalar(Value),
    List(Vec<Arc<Node>>),
    Fields(Vec<Field>),
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) key_at: Range<usize>,
    pub(crate) value: Arc<Node>,
}

/// A fault of the text and its place.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    pub(crate) error: FieldError,
}

/// One document: its tree, where it could be read, and what is wrong with its text.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) root: Option<Arc<Node>>,
    pub(crate) faults: Vec<Fault>,
}

impl Node {
    /// The plain value. Bounded, since the tree is.
    pub(crate) fn value(&self) -> Value {
        match &self.shape {
            Shape::Scalar(value) => value.clone(),
            Shape::List(items) => Value::Array(items.iter().map(|item| item.value()).collect()),
            Shape::Fields(fields) => Value::Object(
                fields.iter().map(|field| (field.key.clone(), field.value.value())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Reads every document of `text`. A fault of syntax ends the file, since what follows cannot be told apart.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = DEPTH_MAX;
    options.block_nesting_limit = DEPTH_MAX;
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, text, anchors: BTreeMap::new(), faults: Vec::new() };
    let mut documents = Vec::new();
    loop {
        match reader.next() {
            Ok(Some((Event::DocumentStart(..), _))) => {
                if documents.len() == DOCUMENTS_MAX {
                    let fault = Fault {
                        at: 0..0,
                        error: fault_of(
                            "",
                            code::TOO_LARGE,
                            format!("has more than {DOCUMENTS_MAX} documents"),
                            "split the file",
                        ),
                    };
                    documents.push(Document { root: None, faults: vec![fault] });
                    return documents;
                }
                let root = reader.document();
                let stop = root.is_err();
                documents.push(Document { root: root.ok().flatten(), faults: std::mem::take(&mut reader.faults) });
                if stop {
                    return documents;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return documents,
            Err(Stop) => {
                documents.push(Document { root: None, faults: std::mem::take(&mut reader.faults) });
                return documents;
            }
        }
    }
}

/// The text cannot be read on; the fault has been noted.
struct Stop;

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    anchors: BTreeMap<usize, Arc<Node>>,
    faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Stop> {
        match self.parser.next() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                self.syntax(&error);
                Err(Stop)
            }
        }
    }

    /// The next event inside a document, where the end of the text is a fault that the parser reports itself.
    fn need(&mut self) -> Result<(Event<'t>, Span), Stop> {
        self.next()?.ok_or(Stop)
    }

    fn document(&mut self) -> Result<Option<Arc<Node>>, Stop> {
        self.anchors.clear();
        let (event, span) = self.need()?;
        if event == Event::DocumentEnd {
            return Ok(None);
        }
        let root = self.node(event, &span, "")?;
        Ok(Some(root).filter(|root| !matches!(root.shape, Shape::Scalar(Value::Null))))
    }

    fn node(&mut self, event: Event<'t>, span: &Span, path: &str) -> Result<Arc<Node>, Stop> {
        let at = range(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), &at, path);
                let node = Node { shape: Shape::Scalar(value), at, bytes: NODE_BYTES + text.len(), depth: 1 };
                Ok(self.keep(anchor, node))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &at, path);
                self.list(anchor, at, path)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &at, path);
                self.fields(anchor, at, path)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => Ok(Arc::clone(node)),
                None => {
                    self.fault(at, path, code::SYNTAX, "the alias contains itself".to_owned(), "write the value out");
                    Err(Stop)
                }
            },
            _ => {
                self.fault(at, path, code::SYNTAX, "a value is missing".to_owned(), "write one, or remove the line");
                Err(Stop)
            }
        }
    }

    fn list(&mut self, anchor: usize, at: Range<usize>, path: &str) -> Result<Arc<Node>, Stop> {
        let mut items: Vec<Arc<Node>> = Vec::new();
        let (mut bytes, mut depth) = (NODE_BYTES, 1);
        loop {
            let (event, span) = self.need()?;
            if event == Event::SequenceEnd {
                return Ok(self.keep(anchor, Node { shape: Shape::List(items), at, bytes, depth }));
            }
            let item = self.node(event, &span, &format!("{path}[{}]", items.len()))?;
            self.grow(&item, &span, path, (&mut bytes, &mut depth))?;
            items.push(item);
        }
    }

    fn fields(&mut self, anchor: usize, at: Range<usize>, path: &str) -> Result<Arc<Node>, Stop> {
        let mut fields: Vec<Field> = Vec::new();
        let mut keys: HashSet<String> = HashSet::new();
        let (mut bytes, mut depth) = (NODE_BYTES, 1);
        loop {
            let (event, span) = self.need()?;
            if event == Event::MappingEnd {
                return Ok(self.keep(anchor, Node { shape: Shape::Fields(fields), at, bytes, depth }));
            }
            let key_at = range(&span);
            let key = self.key(event, &span, path)?;
            let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let (event, span) = self.need()?;
            let value = self.node(event, &span, &inner)?;
            self.grow(&value, &span, &inner, (&mut bytes, &mut depth))?;
            bytes += key.len();
            if !keys.insert(key.clone()) {
                let reason = format!("`{key}` is there twice");
                self.fault(key_at, &inner, code::DUPLICATE, reason, "keep one of the two");
            } else {
                fields.push(Field { key, key_at, value });
            }
        }
    }

    fn key(&mut self, event: Event<'t>, span: &Span, path: &str) -> Result<String, Stop> {
        let at = range(span);
        let Event::Scalar(text, style, _, tag) = event else {
            self.fault(
                at,
                path,
                code::SYNTAX,
                "the name of a field is no text".to_owned(),
                "write a plain name before the colon",
            );
            return Err(Stop);
        };
        let inner = if path.is_empty() { text.to_string() } else { format!("{path}.{text}") };
        if text == "<<" && scalar::is_plain(style) {
            self.fault(at, &inner, code::SYNTAX, "merge keys are not read".to_owned(), "write the fields out");
        } else {
            self.refuse_tag(tag.as_deref(), &at, &inner);
            match scalar::resolve(&text, style) {
                Ok(_) => {}
                Err(trap) => {
                    let remedy = format!("quote it: \"{text}\"");
                    self.fault(at, &inner, code::SYNTAX, trap.reason, &remedy);
                }
            }
        }
        Ok(text.into_owned())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: serde_saphyr::granit_parser::ScalarStyle,
        tag: Option<&Tag>,
        at: &Range<usize>,
        path: &str,
    ) -> Value {
        if tag.is_some_and(|tag| tag.core_suffix() == Some("str")) {
            return Value::String(text.to_owned());
        }
        self.refuse_tag(tag, at, path);
        scalar::resolve(text, style).unwrap_or_else(|trap| {
            self.fault(at.clone(), path, code::SYNTAX, trap.reason, &trap.remedy);
            Value::String(text.to_owned())
        })
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, at: &Range<usize>, path: &str) {
        if let Some(tag) = tag {
            let reason = format!("the tag {} is not read", tag.original());
            self.fault(at.clone(), path, code::SYNTAX, reason, "remove it, and write texts in quotes");
        }
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Arc<Node> {
        let node = Arc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        node
    }

    /// Counts a child; stops before aliases can make the document too large or too deep.
    fn grow(&mut self, child: &Node, span: &Span, path: &str, size: (&mut usize, &mut usize)) -> Result<(), Stop> {
        let (bytes, depth) = size;
        *bytes = bytes.saturating_add(child.bytes);
        *depth = (*depth).max(child.depth + 1);
        let (reason, remedy) = if *bytes > DOCUMENT_MAX_BYTES {
            (
                format!("the document stands for more than {DOCUMENT_MAX_BYTES} bytes"),
                "write less, and no aliases of aliases",
            )
        } else if *depth > DEPTH_MAX {
            (format!("the document is nested deeper than {DEPTH_MAX}"), "write it flatter")
        } else {
            return Ok(());
        };
        self.fault(range(span), path, code::TOO_LARGE, reason, remedy);
        Err(Stop)
    }

    fn fault(&mut self, at: Range<usize>, path: &str, code: &'static str, reason: String, remedy: &str) {
        if self.faults.len() >= FAULTS_MAX {
            return;
        }
        self.faults.push(Fault { at, error: fault_of(path, code, reason, remedy) });
    }

    fn syntax(&mut self, error: &ScanError) {
        let offset = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let line_start = self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = indent.find('\t') {
            let at = line_start + tab..line_start + tab + 1;
            self.fault(at, "", code::SYNTAX, "a tab stands in the indentation".to_owned(), "indent with spaces");
            return;
        }
        let info = error.info();
        let said =
            if info.is_empty() { "the text is no YAML".to_owned() } else { format!("the text is no YAML: {info}") };
        let end = self
            .text
            .get(offset..)
            .and_then(|rest| rest.chars().next())
            .map_or(offset, |next| offset + next.len_utf8());
        let remedy = "check indentation, colons, quotes and brackets here and in the line before";
        self.fault(offset..end, "", code::SYNTAX, said, remedy);
    }
}

fn fault_of(path: &str, code: &'static str, reason: String, remedy: &str) -> FieldError {
    FieldError { path: path.to_owned(), reason, remedy: remedy.to_owned(), code }
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}
