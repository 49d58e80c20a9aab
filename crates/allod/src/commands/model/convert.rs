//! `allod model convert`

use allod_lm::{Container, ConvertOptions, convert};
use serde_json::json;

use super::size;
use crate::Ending;
use crate::arguments::ConvertArguments;
use crate::folder::Place;
use crate::output::{Output, say};

/// Writes a model in another format; nothing that is there is written over.
pub fn run(arguments: &ConvertArguments, place: &Place, output: &Output) -> anyhow::Result<Ending> {
    let target = &arguments.target;
    let shown = target.display();
    anyhow::ensure!(!target.exists(), "{shown} is there already; give a place that is not");
    let source = place.model(&arguments.source)?;
    let is_gguf = target.extension().is_some_and(|extension| extension == "gguf");
    let guessed = if is_gguf { Container::Gguf } else { Container::Safetensors };
    let container = arguments.container.unwrap_or(guessed);
    let report = convert(&source, target, ConvertOptions { container, format: arguments.format })?;
    let value = json!({
        "target": target,
        "tensors": report.tensors,
        "bytes": report.bytes,
        "notes": report.notes,
    });
    output.print(&value, |_| {
        format!("{shown}: {} tensors, {}", report.tensors, size(report.bytes))
    })?;
    if !output.json {
        report.notes.iter().for_each(|note| say(&format!("allod: note: {note}")));
    }
    Ok(Ending::Done)
}
