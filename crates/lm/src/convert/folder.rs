//! A model as a folder in Hugging Face's layout.

use super::ConvertReport;
use super::kind::Kind;
use super::layout::{Assembly, Layout};
use super::stream::Source;
use crate::arch::{self, Architecture, Known, Settings};
use crate::checkpoint::{Checkpoint, read_object};
use crate::error::{Error, Result};
use crate::{embed, tokenizer};
use allod_kernels::{Format, RopePairing};
use allod_weights::{NewTensor, TensorFile, TensorWriter};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const CONFIG_BYTES: u64 = 16 << 20;
const GENERATION: &str = "generation_config.json";
/// Files that are taken over as they are from a folder.
const KEPT: [&str; 15] = [
    GENERATION,
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tekken.json",
    "chat_template.jinja",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
];

pub(super) fn write<S: Kind>(
    source: &Path,
    checkpoint: &Checkpoint<S>,
    target: &Path,
    wanted: Option<Format>,
) -> Result<ConvertReport> {
    let spec = checkpoint.spec();
    let (architecture, config) = config(source, target, spec)?;
    let folder = Unfinished::create(target)?;
    let path = folder.path.as_path();
    put(&path.join(CONFIG), format!("{:#}\n", Value::Object(config)).as_bytes())?;
    let place = |part| S::place(architecture, Known { spec, names: &|_| false }, part);
    let layout = Layout::new(spec, &place, None)?;
    let rows = Source { checkpoint, pairing: RopePairing::Half };
    let tensors: Vec<NewTensor> = layout
        .assemblies
        .iter()
        .map(|assembly| NewTensor {
            name: assembly.name.clone(),
            shape: assembly.shape.clone(),
            format: format(assembly, wanted, &rows),
        })
        .collect();
    let about = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    let mut writer = TensorWriter::safetensors(&path.join("model.safetensors"), &about, &tensors)?;
    for (assembly, tensor) in layout.assemblies.iter().zip(&tensors) {
        rows.write(assembly, tensor.format, &mut writer)?;
    }
    writer.finish()?;
    match source.is_dir() {
        true => copy(source, path)?,
        false => restore(source, checkpoint.file(), path)?,
    }
    let written = S::open(path)?;
    if let Some(what) = spec.difference(written.spec()) {
        return Err(refusal(target, format!("config.json cannot say {what}")));
    }
    let bytes = written.file().tensors().map(|tensor| tensor.bytes.len() as u64).sum();
    drop(written);
    folder.finish(target)?;
    let notes = left_out(source, checkpoint, architecture);
    Ok(ConvertReport { tensors: tensors.len(), bytes, notes })
}

/// What a folder holds beside the weights (a pooler that nothing reads, a second head) is not
/// taken along, which programs that make such tensors up should know.
fn left_out<S: Kind>(
    source: &Path,
    checkpoint: &Checkpoint<S>,
    architecture: &Architecture<S>,
) -> Vec<String> {
    let (spec, file) = (checkpoint.spec(), checkpoint.file());
    let names = |name: &str| file.position(name).is_some();
    let known = Known { spec, names: &names };
    let places =
        spec.inventory().map(|(id, _)| S::place(architecture, known, id.part).name(id.layer, 0));
    let used: HashSet<String> = places.collect();
    let idle = |name: &str| !used.contains(name) && architecture.ignores(name, spec);
    let all = file.tensors().map(|tensor| tensor.name).filter(|_| source.is_dir());
    let left: Vec<&str> = all.filter(|name| idle(name)).collect();
    let count = left.len();
    let first = left
        .first()
        .map(|name| format!("{count} tensors that take no part are left out, `{name}` first"));
    first.into_iter().collect()
}

fn refusal(target: &Path, what: impl Into<String>) -> Error {
    Error::Convert { file: target.to_path_buf(), what: what.into() }
}

/// The source's own config.json less how its weights were packed; or one made from the spec, for
/// the architecture whose folders can say it.
fn config<S: Kind>(
    source: &Path,
    target: &Path,
    spec: &S,
) -> Result<(&'static Architecture<S>, Map<String, Value>)> {
    if source.is_dir() {
        let mut config = read_object(&source.join(CONFIG), CONFIG_BYTES)?;
        config.remove("quantization_config");
        let own = arch::named::<S>(spec.architecture());
        if let Some(own) = own.filter(|_| !config.contains_key("text_config")) {
            return Ok((own, config));
        }
    }
    let says = |config: &Map<String, Value>| {
        let read = arch::from_config(&Settings::json(target, config));
        read.map(|(_, found): (_, S)| spec.difference(&found))
    };
    // Its own architecture's reason is the one to tell.
    let mut refused = None;
    for (architecture, config) in arch::configs(spec) {
        let reason = match says(&config) {
            Ok(None) => return Ok((architecture, config)),
            Ok(Some(what)) => format!("config.json cannot say {what}"),
            Err(error) => error.to_string(),
        };
        refused.get_or_insert(reason);
    }
    let refused = refused.unwrap_or_else(|| "no folder of this architecture is known".into());
    Err(refusal(target, refused))
}

/// Numbers stay as they are unless another type is asked for; blocks have none in safetensors.
fn format<S: Kind>(assembly: &Assembly, wanted: Option<Format>, rows: &Source<S>) -> Format {
    let stored = rows.formats(assembly);
    let same = stored.iter().all(|format| *format == stored[0]);
    match wanted {
        Some(wanted) => wanted,
        None if same && stored[0].block_len() == 1 => stored[0],
        // Its values have two bits and a power of two.
        None if same && stored[0] == Format::MXFP4 => Format::BF16,
        None => Format::F32,
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io { file: path.to_path_buf(), source };
    std::fs::write(path, bytes).map_err(io)
}

/// Vocabulary, template and ends of a text, as the source folder has them.
fn copy(source: &Path, folder: &Path) -> Result<()> {
    for name in KEPT.into_iter().filter(|name| source.join(name).is_file()) {
        let io = |error| Error::Io { file: source.join(name), source: error };
        if let Some(own) = Path::new(name).parent() {
            std::fs::create_dir_all(folder.join(own)).map_err(io)?;
        }
        std::fs::copy(source.join(name), folder.join(name)).map_err(io)?;
    }
    Ok(())
}

/// The same from the keys of a GGUF file.
fn restore(source: &Path, file: &TensorFile, folder: &Path) -> Result<()> {
    let metadata = file.metadata();
    tokenizer::to_folder(source, metadata, folder)?;
    for (name, text) in embed::pooling_of(source, file)?.iter().flat_map(embed::files) {
        let path = folder.join(name);
        let io = |source| Error::Io { file: path.clone(), source };
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
        put(&path, text.as_bytes())?;
    }
    let id = |key: &str| metadata.number(&format!("tokenizer.ggml.{key}"))?.as_u64();
    let ends: Vec<u64> =
        ["eos_token_id", "eot_token_id", "eom_token_id"].into_iter().filter_map(id).collect();
    if ends.is_empty() {
        return Ok(());
    }
    let generation = json!({"bos_token_id": id("bos_token_id"), "eos_token_id": ends});
    put(&folder.join(GENERATION), format!("{generation:#}\n").as_bytes())
}

/// A folder beside the target; gone when dropped, unless it has taken the target's place.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// # Errors
    /// If there is something at `target` already, or the folder cannot be made.
    fn create(target: &Path) -> Result<Unfinished> {
        let empty = std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
        if target.exists() && !empty {
            return Err(refusal(target, "there is something there already; name a new folder"));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let io = |source| Error::Io { file: path.clone(), source };
        std::fs::create_dir(&path).map_err(io)?;
        Ok(Unfinished { path })
    }

    /// Waits until every file is on the disk, then takes the target's place.
    fn finish(self, target: &Path) -> Result<()> {
        let io = |file: &Path| {
            let file = file.to_path_buf();
            move |source| Error::Io { file, source }
        };
        for entry in std::fs::read_dir(&self.path).map_err(io(&self.path))? {
            let file = entry.map_err(io(&self.path))?.path();
            File::open(&file).and_then(|file| file.sync_all()).map_err(io(&file))?;
        }
        std::fs::rename(&self.path, target).map_err(io(target))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Best effort, and nothing once it has been renamed.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
