//! A model as one GGUF file.

use super::kind::Kind;
use super::layout::{KeyPart, Layout};
use super::stream::Source;
use super::{ConvertReport, format};
use crate::arch::{self, Architecture, Known};
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
    let settings = architecture.gguf_settings(spec)?;
    let mut metadata = settings.metadata;
    for key in &layout.keys {
        metadata.insert(&key.name, key_values(checkpoint, key));
    }
    let mut notes = settings.notes;
    describe(source, checkpoint, wanted, &mut metadata);
    if source.is_dir() {
        vocabulary(source, spec.vocabulary(), &mut metadata)?;
    }
    if let Some(pooling) = embed::pooling_of(source, checkpoint.file())? {
        let prefix = architecture.gguf_name().unwrap_or_default();
        metadata.insert(format!("{prefix}.pooling_type"), pooling.gguf_number());
    }
    if metadata.get("tokenizer.ggml.model").is_none() {
        metadata.insert("tokenizer.ggml.model", "no_vocab");
        notes.push("the source has no vocabulary, so the file has none".to_string());
    }
    let own = settings.tensors.iter().map(|(name, values)| NewTensor {
        name: (*name).to_string(),
        shape: vec![values.len()],
        format: Format::F32,
    });
    let tensors: Vec<NewTensor> = own.chain(tensors(spec, &layout, &rows, wanted)).collect();
    let mut writer = TensorWriter::gguf(target, &metadata, &tensors)?;
    for (_, values) in &settings.tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        writer.write(&bytes)?;
    }
    let formats = tensors[settings.tensors.len()..].iter().map(|tensor| tensor.format);
    for (assembly, format) in layout.assemblies.iter().zip(formats) {
        rows.write(assembly, format, &mut writer)?;
    }
    writer.complete()?;
    let written = S::open(writer.unfinished_path())?;
    if let Some(what) = spec.difference(written.spec()) {
        return Err(unsupported(format!("GGUF of this architecture cannot say {what}")));
    }
    let bytes = written.file().tensors().map(|tensor| tensor.bytes.len() as u64).sum();
    drop(written);
    writer.finish()?;
    Ok(ConvertReport { tensors: tensors.len(), bytes, notes })
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

fn tensors<'a, S: Kind>(
    spec: &'a S,
    layout: &'a Layout,
    rows: &'a Source<S>,
    wanted: Option<Format>,
) -> impl Iterator<Item = NewTensor> + 'a {
    // The embedding is the output matrix unless there is one.
    let output = layout.assemblies.iter().position(|assembly| assembly.is_output);
    layout.assemblies.iter().enumerate().map(move |(index, assembly)| {
        let embedding = assembly.pieces[0].id.part == Part::TokenEmbedding;
        let is_output = output.map_or(embedding, |output| output == index);
        let stored = rows.formats(assembly);
        let format = format::choose(spec, assembly, wanted, &stored, is_output);
        NewTensor { name: assembly.name.clone(), shape: assembly.shape.clone(), format }
    })
}

/// What is said beside the settings: type, name, vocabulary, template.
fn describe<S: Kind>(
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
