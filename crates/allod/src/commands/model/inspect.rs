//! `allod model inspect`

use std::fmt::Write;
use std::path::Path;

use allod_lm::{Inspection, ShapeFacts, SpecialToken, inspect};
use serde_json::Value;

use super::size;
use crate::Ending;
use crate::folder::Place;
use crate::output::Output;
use crate::progress::ByteBar;

/// Special tokens that are shown; the others are counted.
const SPECIALS_SHOWN: usize = 16;

/// Says what a model is; fails where it cannot be used.
pub fn run(
    given: &Path,
    published: Option<&Path>,
    verify: bool,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Ending> {
    let path = place.model(given)?;
    if verify {
        self::verify(given, place)?;
    }
    let inspection = inspect(&path, published)?;
    let usable = inspection.is_usable();
    let mut value = serde_json::to_value(&inspection)?;
    value["usable"] = Value::Bool(usable);
    output.print(&value, |_| text(&inspection))?;
    Ok(if usable { Ending::Done } else { Ending::Failed })
}

fn verify(given: &Path, place: &Place) -> anyhow::Result<()> {
    let registry = place.models();
    let name = given.to_string_lossy().parse()?;
    let artifact = registry.get(&name)?;
    let bar = ByteBar::new();
    let verified = registry.verify(&artifact, &bar);
    bar.finish();
    Ok(verified?)
}

fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<13} {value}");
    };
    line("name", &inspection.name);
    let architecture = inspection.architecture.as_deref().unwrap_or("not said");
    line("architecture", &format!("{architecture} ({})", inspection.container));
    for file in &inspection.files {
        line("file", &format!("{} ({})", file.path.display(), size(file.bytes)));
    }
    line("parameters", &format!("{} in {} tensors", inspection.parameters, inspection.tensors));
    for format in &inspection.formats {
        let (tensors, bytes) = (format.tensors, size(format.bytes));
        line("format", &format!("{}: {bytes} in {tensors} tensors", format.format));
    }
    if let Some(shape) = &inspection.shape {
        shape_lines(shape, &mut line);
    }
    if let Some(tokenizer) = &inspection.tokenizer {
        line("vocabulary", &format!("{} tokens ({})", tokenizer.vocabulary, tokenizer.digest));
        line("special", &specials(&tokenizer.specials));
    }
    let template = inspection.template.as_ref();
    let template =
        template.map(|template| format!("{} bytes ({})", template.bytes, template.digest));
    line("template", template.as_deref().unwrap_or("none"));
    for warning in &inspection.warnings {
        line("warning", warning);
    }
    for refusal in &inspection.refusals {
        line("refused", refusal);
    }
    if inspection.is_usable() {
        line("usable", "yes");
    }
    text
}

fn shape_lines(shape: &ShapeFacts, line: &mut dyn FnMut(&str, &str)) {
    let ShapeFacts { layers, width, heads, kv_heads, head_dim, feed_forward, .. } = shape;
    line("layers", &format!("{layers} of width {width}, feed-forward {feed_forward}"));
    line("heads", &format!("{heads} of {head_dim}, {kv_heads} for keys and values"));
    if let Some(experts) = &shape.experts {
        let (used, count, layers) = (experts.used, experts.count, experts.layers);
        let width = experts.feed_forward;
        line("experts", &format!("{used} of {count} of width {width} in {layers} layers"));
    }
    let (inputs, outputs) = (shape.vocabulary, shape.outputs);
    let tied = if shape.tied { ", tied" } else { "" };
    line("embeddings", &format!("{inputs} in, {outputs} out{tied}"));
    line("context", &format!("{} tokens", shape.context_tokens));
    if let Some(window) = shape.window_tokens {
        line("window", &format!("{window} tokens in {} layers", shape.window_layers));
    }
    if let Some(rope) = &shape.rope {
        let (base, elements, scaling) = (rope.theta, rope.dimensions, &rope.scaling);
        line("rope", &format!("base {base}, {elements} elements, scaling {scaling}"));
    }
    if let Some(labels) = shape.labels {
        line("scores", &labels.to_string());
    }
}

fn specials(tokens: &[SpecialToken]) -> String {
    let named = |token: &SpecialToken| format!("{} {:?}", token.id, token.text);
    let shown: Vec<String> = tokens.iter().take(SPECIALS_SHOWN).map(named).collect();
    match tokens.len().checked_sub(SPECIALS_SHOWN) {
        None | Some(0) if tokens.is_empty() => "none".to_string(),
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}
