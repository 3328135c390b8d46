//! The bytes that run, out of a build with names and line tables.

use wasm_encoder::{Encode as _, ProducersField, ProducersSection, Section as _};
use wasmparser::{BinaryReader, BinaryReaderError, Parser, Payload, ProducersSectionReader};

/// Takes names, line tables and what the compiler says of itself out of the core modules of a component.
///
/// What comes out is, byte for byte, what the linker would have made with `strip = "symbols"`: of
/// `producers` it leaves what `wit-component` adds after linking, and no other section changes.
pub(crate) fn strip(component: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut output = Vec::with_capacity(component.len());
    let (mut read, mut depth) = (0, 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection {
                unchecked_range: content,
                ..
            } => {
                if depth == 0 {
                    // The section's number stands before its length.
                    output.push(component[read]);
                    module(&component[content.clone()])?.encode(&mut output);
                    read = content.end;
                }
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = usize::saturating_sub(depth, 1),
            Payload::Version { range, .. } if depth == 0 => {
                output.extend_from_slice(&component[read..range.end]);
                read = range.end;
            }
            section if depth == 0 => {
                if let Some((_, range)) = section.as_section() {
                    // A component inside was read before.
                    output.extend_from_slice(component.get(read..range.end).unwrap_or_default());
                    read = read.max(range.end);
                }
            }
            _ => {}
        }
    }
    output.extend_from_slice(&component[read..]);
    Ok(output)
}

fn module(module: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut output = Vec::new();
    let mut read = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let range = match &payload {
            Payload::Version { range, .. } => range.clone(),
            section => match section.as_section() {
                Some((_, range)) => range,
                None => continue,
            },
        };
        let section = read..range.end;
        read = range.end;
        if let Payload::CustomSection(custom) = &payload {
            match custom.name() {
                "name" | "target_features" => continue,
                name if name.starts_with(".debug_") => continue,
                "producers" => {
                    producers(custom.data(), custom.data_offset(), &mut output)?;
                    continue;
                }
                _ => {}
            }
        }
        output.extend_from_slice(&module[section]);
    }
    Ok(output)
}

/// What was added after linking.
fn producers(data: &[u8], offset: usize, output: &mut Vec<u8>) -> Result<(), BinaryReaderError> {
    let mut section = ProducersSection::new();
    let mut any = false;
    for field in ProducersSectionReader::new(BinaryReader::new(data, offset))? {
        let field = field?;
        let mut kept = ProducersField::new();
        let mut fits = false;
        for value in field.values {
            let value = value?;
            if value.name.starts_with("wit-") {
                kept.value(value.name, value.version);
                fits = true;
            }
        }
        if fits {
            section.field(field.name, &kept);
            any = true;
        }
    }
    if any {
        section.append_to(output);
    }
    Ok(())
}
