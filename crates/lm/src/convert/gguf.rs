//! A model as one GGUF file.

use super::kind::Kind;
use super::layout::{Assembly, KeyPart, Layout};
use super::stream::Source;
use super::{ConvertReport, format};
use crate::arch::{self, Architecture, GgufKeys, Known};
use crate::checkpoint::Checkpoint;
use crate::embed;
use crate::error::{Error, Result};
use crate::weight::{Part, WeightId};
use crate::{model, tokenizer};
use allod_kernels::Format;
use allod_weights::{Metadata, NewTensor, TensorWriter, Value};
use std::path::Path;

/// The layout of blocks has not changed since this version.
const QUANTIZATION_VERSION: u32 = 2;
/// What is said of a vocabulary of pieces without bytes.
const BYTES: &str = "the vocabulary has no tokens for bytes: llama.cpp ends its process at a \
                     character that is no token";
/// Keys that are taken over from a GGUF source: what the model is called, its licence and source,
/// its vocabulary and template.
const KEPT: [&str; 2] = ["general.", "tokenizer."];

pub(super) fn write<S: Kind>(
    source: &Path,
    checkpoint: &Checkpoint<S>,
    target: &Path,
    wanted: Option<Format>,
) -> Result<ConvertReport> {
    let spec = checkpoint.spec();
    let unsupported = |what: String| Error::Convert { file: target.to_path_buf(), what };
    let name = spec.architecture();
    let architecture = arch::named::<S>(name)
        .ok_or_else(|| unsupported(format!("no names are known for `{name}`")))?;
    let layout = layout(architecture, spec)?;
    let rows = Source { checkpoint, pairing: architecture.gguf_pairing };
    let mut settings = architecture.gguf_settings(spec)?;
    describe(source, checkpoint, &layout, wanted, &mut settings)?;
    let own = settings.tensors.iter().map(|(name, values)| own(name, values));
    let mut contents: Vec<_> = own.chain(weights(spec, &layout, &rows, wanted)).collect();
    contents.sort_by_cached_key(|(tensor, _)| arch::gguf_order(&tensor.name));
    let (tensors, contents): (Vec<NewTensor>, Vec<Content>) = contents.into_iter().unzip();
    let mut writer = TensorWriter::gguf(target, &settings.metadata, &tensors)?;
    for (tensor, content) in tensors.iter().zip(contents) {
        match content {
            Content::Values(bytes) => writer.write(&bytes)?,
            Content::Weights(assembly) => rows.write(assembly, tensor.format, &mut writer)?,
        }
    }
    writer.complete()?;
    let written = S::open(writer.unfinished_path())?;
    if let Some(what) = spec.difference(written.spec()) {
        return Err(unsupported(format!("GGUF of this architecture cannot say {what}")));
    }
    let bytes = written.file().tensors().map(|tensor| tensor.bytes.len() as u64).sum();
    drop(written);
    writer.finish()?;
    Ok(ConvertReport { tensors: tensors.len(), bytes, notes: settings.notes })
}

fn layout<S: Kind>(architecture: &Architecture<S>, spec: &S) -> Result<Layout> {
    let place = |part| architecture.gguf_place(Known { spec, names: &|_| false }, part);
    let doubled = spec.tied() && architecture.gguf_output;
    Layout::new(spec, &place, doubled.then_some(Part::Output))
}

/// The numbers of a part, one for each layer.
fn key_values<S: Kind>(checkpoint: &Checkpoint<S>, key: &KeyPart) -> Vec<f32> {
    let layers = 0..checkpoint.spec().layers();
    let values = layers.map(|layer| checkpoint.vector(WeightId { layer, part: key.part })[0]);
    values.collect()
}

/// What a tensor is filled with.
enum Content<'a> {
    /// Bytes of a tensor that is no weight.
    Values(Vec<u8>),
    /// Weights.
    Weights(&'a Assembly),
}

fn own<'a>(name: &str, values: &[f32]) -> (NewTensor, Content<'a>) {
    let (name, shape) = (name.to_string(), vec![values.len()]);
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (NewTensor { name, shape, format: Format::F32 }, Content::Values(bytes))
}

fn weights<'a, S: Kind>(
    spec: &'a S,
    layout: &'a Layout,
    rows: &'a Source<S>,
    wanted: Option<Format>,
) -> impl Iterator<Item = (NewTensor, Content<'a>)> {
    // The embedding is the output matrix unless there is one.
    let output = layout.assemblies.iter().position(|assembly| assembly.is_output);
    layout.assemblies.iter().enumerate().map(move |(index, assembly)| {
        let embedding = assembly.pieces[0].id.part == Part::TokenEmbedding;
        let is_output = output.map_or(embedding, |output| output == index);
        let stored = rows.formats(assembly);
        let format = format::choose(spec, assembly, wanted, &stored, is_output);
        let (name, shape) = (assembly.name.clone(), assembly.shape.clone());
        (NewTensor { name, shape, format }, Content::Weights(assembly))
    })
}

/// What is said beside the settings.
fn describe<S: Kind>(
    source: &Path,
    checkpoint: &Checkpoint<S>,
    layout: &Layout,
    wanted: Option<Format>,
    settings: &mut GgufKeys,
) -> Result<()> {
    if let Some(pooling) = embed::pooling_of(source, checkpoint.file())? {
        settings.put("pooling_type", pooling.gguf_number());
    }
    let metadata = &mut settings.metadata;
    for key in &layout.keys {
        metadata.insert(&key.name, key_values(checkpoint, key));
    }
    name(source, checkpoint, wanted, metadata);
    if source.is_dir() {
        vocabulary(source, checkpoint.spec().vocabulary(), metadata)?;
    }
    if metadata.get("tokenizer.ggml.model").is_none() {
        metadata.insert("tokenizer.ggml.model", "no_vocab");
        settings.notes.push("the source has no vocabulary, so the file has none".to_string());
    }
    if tokenizer::lacks_bytes(metadata) {
        settings.notes.push(BYTES.to_string());
    }
    Ok(())
}

/// Type and name of the model, and what a GGUF source says of vocabulary and template.
fn name<S: Kind>(
    source: &Path,
    checkpoint: &Checkpoint<S>,
    wanted: Option<Format>,
    metadata: &mut Metadata,
) {
    let known = checkpoint.file().metadata().iter();
    let kept = known.filter(|(key, _)| KEPT.iter().any(|start| key.starts_with(start)));
    let kept: Vec<(String, Value)> =
        kept.map(|(key, value)| (key.to_string(), value.clone())).collect();
    for (key, value) in kept {
        if metadata.get(&key).is_none() {
            metadata.insert(key, value);
        }
    }
    metadata.insert("general.type", "model");
    metadata.insert("general.quantization_version", QUANTIZATION_VERSION);
    metadata.remove("general.alignment");
    metadata.remove("general.file_type");
    if let Some(number) = wanted.and_then(file_type) {
        metadata.insert("general.file_type", number);
    }
    if metadata.get("general.name").is_none() {
        metadata.insert("general.name", model::file_name(source));
    }
}

/// The vocabulary and the chat template of a folder.
fn vocabulary(folder: &Path, rows: usize, metadata: &mut Metadata) -> Result<()> {
    let Some(keys) = tokenizer::to_gguf(folder, rows)? else { return Ok(()) };
    keys.iter().for_each(|(key, value)| metadata.insert(key, value.clone()));
    if let Some(source) = model::folder_template(folder)?.source() {
        metadata.insert("tokenizer.chat_template", source);
    }
    Ok(())
}

/// ggml's number for a file whose matrices mostly have this format (`llama.h`, `llama_ftype`).
fn file_type(format: Format) -> Option<u32> {
    Some(match format {
        Format::F32 => 0,
        Format::F16 => 1,
        Format::Q4_0 => 2,
        Format::Q4_1 => 3,
        Format::Q8_0 => 7,
        Format::Q5_0 => 8,
        Format::Q5_1 => 9,
        Format::Q6_K => 18,
        Format::BF16 => 32,
        _ => return None,
    })
}
