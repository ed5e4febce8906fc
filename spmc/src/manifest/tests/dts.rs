//! A compiler for the little of the device-tree source language that manifests use, so that tests
//! show what an author would write, and nothing has to be installed to run them.
//!
//! Knows comments, nodes, flags, and values made of cells, strings and bytes. Panics on the rest.

/// A node.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub properties: Vec<(String, Vec<u8>)>,
    pub children: Vec<Node>,
}

impl Node {
    /// A node of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// Compiles a source text to a blob.
pub fn compile(source: &str) -> Vec<u8> {
    emit(&parse(source))
}

/// Reads a source text.
pub fn parse(source: &str) -> Node {
    let text = without_comments(source);
    let text = text.replace("/dts-v1/;", "");
    let mut rest = text.trim_start();
    let name;
    (name, rest) = take(rest, '{');
    assert_eq!(name, "/", "the root comes first");
    let (root, rest) = body("", rest);
    assert!(rest.trim().is_empty(), "behind the root: {rest}");
    root
}

fn without_comments(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        out += before;
        rest = comment.split_once("*/").expect("an open comment").1;
    }
    out + rest
}

/// Everything up to `end`, trimmed, and what follows it.
fn take(text: &str, end: char) -> (&str, &str) {
    let (before, after) = text
        .split_once(end)
        .unwrap_or_else(|| panic!("no {end:?} in {text:?}"));
    (before.trim(), after.trim_start())
}

/// A node's content, up to and including its "};".
fn body<'t>(name: &str, mut rest: &'t str) -> (Node, &'t str) {
    let mut node = Node::new(name);
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            let (nothing, after) = take(after, ';');
            assert_eq!(nothing, "");
            return (node, after);
        }
        let end = rest
            .find(['{', '=', ';'])
            .unwrap_or_else(|| panic!("what is {rest:?}?"));
        let name = rest[..end].trim();
        let after = &rest[end + 1..];
        match rest.as_bytes()[end] {
            b'{' => {
                let child;
                (child, rest) = body(name, after);
                node.children.push(child);
            }
            b'=' => {
                let value;
                (value, rest) = values(after);
                node.properties.push((name.into(), value));
            }
            _ => {
                node.properties.push((name.into(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A property's values, up to and including its ";".
fn values(mut rest: &str) -> (Vec<u8>, &str) {
    let mut value = Vec::new();
    loop {
        rest = rest.trim_start();
        let (kind, after) = rest.split_at(1);
        let inner;
        (inner, rest) = match kind {
            "<" => take(after, '>'),
            "\"" => after.split_once('"').expect("an open string"),
            "[" => take(after, ']'),
            _ => panic!("what value is {rest:?}?"),
        };
        match kind {
            "<" => value.extend(
                inner
                    .split_whitespace()
                    .flat_map(|cell| cell_value(cell).to_be_bytes()),
            ),
            "\"" => {
                value.extend(inner.bytes());
                value.push(0);
            }
            _ => value.extend(
                inner
                    .split_whitespace()
                    .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
            ),
        }
        rest = rest.trim_start();
        match rest.split_at(1) {
            (",", after) => rest = after,
            (";", after) => return (value, after),
            _ => panic!("what follows a value: {rest:?}"),
        }
    }
}

fn cell_value(cell: &str) -> u32 {
    match cell.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => cell.parse(),
    }
    .unwrap_or_else(|_| panic!("no cell: {cell:?}"))
}

/// Writes a tree as a blob of version 17.
pub fn emit(root: &Node) -> Vec<u8> {
    let mut structure = Vec::new();
    let mut strings = Vec::new();
    emit_node(root, &mut structure, &mut strings);
    structure.extend(9u32.to_be_bytes());
    // The header and one empty reservation.
    let start = 40 + 16;
    let words = [
        0xd00d_feed,
        start + structure.len() + strings.len(),
        start,
        start + structure.len(),
        40,
        17,
        16,
        0,
        strings.len(),
        structure.len(),
    ];
    let mut blob: Vec<u8> = words
        .iter()
        .flat_map(|word| (*word as u32).to_be_bytes())
        .collect();
    blob.extend([0; 16]);
    blob.extend(structure);
    blob.extend(strings);
    blob
}

fn emit_node(node: &Node, out: &mut Vec<u8>, strings: &mut Vec<u8>) {
    let pad = |out: &mut Vec<u8>| out.resize(out.len().next_multiple_of(4), 0);
    out.extend(1u32.to_be_bytes());
    out.extend(node.name.bytes());
    out.push(0);
    pad(out);
    for (name, value) in &node.properties {
        let offset = name_offset(name, strings);
        for word in [3, value.len() as u32, offset] {
            out.extend(word.to_be_bytes());
        }
        out.extend(value);
        pad(out);
    }
    for child in &node.children {
        emit_node(child, out, strings);
    }
    out.extend(2u32.to_be_bytes());
}

/// Where a property's name stands. Each stands once, as compilers write it.
fn name_offset(name: &str, strings: &mut Vec<u8>) -> u32 {
    let text: Vec<u8> = name.bytes().chain([0]).collect();
    let known = strings.windows(text.len()).position(|at| at == text);
    known.unwrap_or_else(|| {
        strings.extend(&text);
        strings.len() - text.len()
    }) as u32
}
