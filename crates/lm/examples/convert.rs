//! Converts a model: `convert SOURCE TARGET gguf|safetensors [FORMAT]`. For `tests/interop`.
#![allow(clippy::print_stdout, reason = "it is a program")]

use allod_lm::{Container, ConvertOptions, Format, convert};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (source, target, container) = match arguments.as_slice() {
        [source, target, container, ..] => (source, target, container.as_str()),
        _ => return Err("usage: convert SOURCE TARGET gguf|safetensors [FORMAT]".into()),
    };
    let container = match container {
        "gguf" => Container::Gguf,
        "safetensors" => Container::Safetensors,
        other => return Err(format!("`{other}` is neither gguf nor safetensors").into()),
    };
    let format = arguments.get(3).map(|name| Format::from_name(name).ok_or("an unknown format"));
    let options = ConvertOptions { container, format: format.transpose()? };
    let report = convert(Path::new(source), Path::new(target), options)?;
    println!("{} tensors, {} bytes", report.tensors, report.bytes);
    report.notes.iter().for_each(|note| println!("note: {note}"));
    Ok(())
}
