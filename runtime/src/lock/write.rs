//! Writes a lockfile. By hand, since its layout is part of what it is for: one fact a line, so that a
//! change in review is the lines that changed.

use std::fmt::{self, Write};

use super::{ComponentKey, LOCK_VERSION, LockedComponent, LockedFile, Lockfile, Origin};
use crate::arrow::format::WireField;

const HEADER: &str = "# This file is written by `pinion lock`; do not edit it by hand.\n";

pub(super) fn lockfile(lock: &Lockfile) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_lockfile(&mut text, lock);
    text
}

fn write_lockfile(text: &mut String, lock: &Lockfile) -> fmt::Result {
    text.write_str(HEADER)?;
    writeln!(text, "version = {LOCK_VERSION}")?;
    writeln!(text, "semantics = {}", quoted(&lock.semantics))?;
    writeln!(text, "\n[layout]")?;
    writeln!(text, "batch_rows = {}", lock.layout.batch_rows)?;
    writeln!(
        text,
        "partition_batches = {}",
        lock.layout.partition_batches
    )?;
    for (key, component) in &lock.components {
        write_component(text, key, component)?;
    }
    for (name, files) in &lock.sources {
        writeln!(text, "\n[[source]]")?;
        writeln!(text, "name = {}", quoted(name.as_str()))?;
        let files = files.iter().map(|(path, file)| file_line(path, file));
        write_list(text, "files", files)?;
    }
    for (step, fields) in &lock.probes {
        writeln!(text, "\n[[probe]]")?;
        writeln!(text, "step = {}", quoted(step.as_str()))?;
        write_list(text, "fields", fields.iter().map(field_line))?;
    }
    Ok(())
}

fn write_component(
    text: &mut String,
    key: &ComponentKey,
    component: &LockedComponent,
) -> fmt::Result {
    writeln!(text, "\n[[component]]")?;
    writeln!(text, "name = {}", quoted(&key.name))?;
    if let Some(version) = &key.version {
        writeln!(text, "version = {}", quoted(&version.to_string()))?;
    }
    let origin = match &component.origin {
        Origin::Std => "std",
        Origin::Crate { .. } => "crate",
        Origin::File => "file",
    };
    writeln!(text, "origin = {}", quoted(origin))?;
    writeln!(text, "digest = {}", quoted(&component.digest.to_string()))?;
    if let Origin::Crate { sources, file } = &component.origin {
        writeln!(text, "sources = {}", quoted(&sources.to_string()))?;
        writeln!(text, "file = {}", quoted(file))?;
    }
    if !component.capabilities.is_empty() {
        write_list(
            text,
            "capabilities",
            component.capabilities.iter().map(|name| quoted(name)),
        )?;
    }
    Ok(())
}

/// A list with one element a line.
fn write_list(
    text: &mut String,
    key: &str,
    elements: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    if elements.len() == 0 {
        return writeln!(text, "{key} = []");
    }
    writeln!(text, "{key} = [")?;
    for element in elements {
        writeln!(text, "    {element},")?;
    }
    writeln!(text, "]")
}

fn file_line(path: &str, file: &LockedFile) -> String {
    let digest = quoted(&file.digest.to_string());
    format!(
        "{{ path = {}, digest = {digest}, size = {} }}",
        quoted(path),
        file.size_bytes
    )
}

fn field_line(field: &WireField) -> String {
    let mut facts = vec![
        format!("name = {}", quoted(&field.name)),
        format!("format = {}", quoted(&field.format)),
    ];
    if field.nullable {
        facts.push("nullable = true".to_owned());
    }
    if field.children > 0 {
        facts.push(format!("children = {}", field.children));
    }
    if !field.metadata.is_empty() {
        let entries = field.metadata.iter().map(|(key, value)| {
            // Always quoted: any text can be a key.
            format!("{} = {}", quoted(key), quoted(value))
        });
        facts.push(format!(
            "metadata = {{ {} }}",
            entries.collect::<Vec<_>>().join(", ")
        ));
    }
    format!("{{ {} }}", facts.join(", "))
}

/// A TOML basic string.
fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
