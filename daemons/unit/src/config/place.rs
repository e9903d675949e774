//! Where in a TOML text something is: byte to line, byte to key, key to line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line, from 1, of a byte offset.
pub(super) fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The dotted key whose name or value holds the byte, the innermost one.
pub(super) fn key_at(text: &str, offset: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    walk(document.get_ref(), &mut |path, span| {
        if span.contains(&offset) {
            found = Some(path.join("."));
        }
    });
    found
}

/// The line of a dotted key, or of the nearest enclosing one that is there.
pub(super) fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut nearest = None;
    walk(document.get_ref(), &mut |path, span| {
        let path = path.join(".");
        if key == path || key.starts_with(&format!("{path}.")) {
            nearest = Some(span.start);
        }
    });
    nearest.map(|offset| line(text, offset))
}

type Visit<'v> = &'v mut dyn FnMut(&[String], std::ops::Range<usize>);

/// Outer keys before inner ones.
fn walk(table: &DeTable<'_>, visit: Visit<'_>) {
    walk_table(table, &mut Vec::new(), visit);
}

fn walk_table(table: &DeTable<'_>, path: &mut Vec<String>, visit: Visit<'_>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        visit(path, key.span());
        walk_value(value, path, visit);
        path.pop();
    }
}

fn walk_value(value: &Spanned<DeValue<'_>>, path: &mut Vec<String>, visit: Visit<'_>) {
    match value.get_ref() {
        DeValue::Table(table) => walk_table(table, path, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                visit(path, item.span());
                walk_value(item, path, visit);
                path.pop();
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => visit(path, value.span()),
    }
}
