//! From the path of a field to its place in the file.

use std::ops::Range;

use super::tree::{Node, Shape};

/// What of a field is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its name.
    Key,
    /// Its value; the name where the value is a group or a list.
    Value,
}

/// Where `path` stands. A field that is missing is shown by the nearest one around it that is there.
pub(crate) fn place(root: &Node, path: &str, part: Part) -> Range<usize> {
    let mut node = root;
    let mut rest = path;
    let mut shown = first_of(root);
    while !rest.is_empty() {
        match step(node, rest) {
            Some(Step { key_at, value, rest: further }) => {
                let is_last = further.is_empty();
                shown = match (&value.shape, key_at) {
                    (Shape::Scalar(_), Some(key_at)) if is_last && part == Part::Key => key_at,
                    (Shape::Scalar(_), Some(key_at)) if value.at.is_empty() => key_at,
                    (Shape::Scalar(_), _) => value.at.clone(),
                    (Shape::List(_) | Shape::Fields(_), Some(key_at)) => key_at,
                    (Shape::List(_) | Shape::Fields(_), None) => first_of(value),
                };
                node = value;
                rest = further;
            }
            None => return shown,
        }
    }
    shown
}

struct Step<'a> {
    key_at: Option<Range<usize>>,
    value: &'a Node,
    rest: &'a str,
}

fn step<'a>(node: &'a Node, path: &'a str) -> Option<Step<'a>> {
    match &node.shape {
        Shape::Scalar(_) => None,
        Shape::List(items) => {
            let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
            let value = items.get(index.parse::<usize>().ok()?)?;
            Some(Step { key_at: None, value, rest: rest.strip_prefix('.').unwrap_or(rest) })
        }
        // A name may hold dots itself, so the longest one that fits is meant.
        Shape::Fields(fields) => fields
            .iter()
            .filter_map(|field| {
                let rest = path.strip_prefix(field.key.as_str())?;
                let rest = match rest.chars().next() {
                    None | Some('[') => rest,
                    Some('.') => &rest[1..],
                    Some(_) => return None,
                };
                Some((field, rest))
            })
            .max_by_key(|(field, _)| field.key.len())
            .map(|(field, rest)| Step { key_at: Some(field.key_at.clone()), value: &field.value, rest }),
    }
}

/// Where a collection begins: its first field's name, or its first entry.
fn first_of(node: &Node) -> Range<usize> {
    match &node.shape {
        Shape::Scalar(_) => node.at.clone(),
        Shape::List(items) => items.first().map_or(node.at.clone(), |item| first_of(item)),
        Shape::Fields(fields) => fields.first().map_or(node.at.clone(), |field| field.key_at.clone()),
    }
}
