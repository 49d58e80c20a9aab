//! A model as a person has it: weights, tokenizer, chat template, and when it stops.

use crate::checkpoint::{Checkpoint, read_object, read_text};
use crate::error::{Error, Result};
use crate::files::{FileList, Use};
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;
use allod_weights::{Metadata, PartDigest, digest_bytes};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDER: &str = "config.json, tokenizer.json (or another vocabulary) and model.safetensors \
                      (or its shards with model.safetensors.index.json)";
/// Files of settings beside the weights.
const JSON_BYTES: u64 = 64 << 20;

/// Where a GGUF file has its chat template.
const GGUF_TEMPLATE: &str = "tokenizer.chat_template";
/// Where a folder has it, and where it had it before.
const TEMPLATE_FILE: &str = "chat_template.jinja";
const ABOUT_TOKENS: &str = "tokenizer_config.json";

/// Tokens that end a text.
pub type EndTokens = BTreeSet<u32>;

/// Everything that generating text needs.
#[derive(Debug)]
pub struct Model {
    /// What the model calls itself, or the name of its file or folder.
    pub name: String,
    /// Weights and what is computed with them.
    pub checkpoint: Arc<Checkpoint>,
    /// Text to tokens and back.
    pub tokenizer: Tokenizer,
    /// Messages to text.
    pub template: ChatTemplate,
    /// Tokens that end a text.
    pub end_tokens: EndTokens,
    /// The files of a folder beside its weights, and the folder; none for a GGUF file.
    settings: Option<(PathBuf, FileList)>,
}

/// SHA-256 of what a model is made of, each as `sha256:<hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDigests {
    /// The weights' file or files.
    pub weights: String,
    /// The vocabulary: see [`Tokenizer::digest`].
    pub tokenizer: String,
    /// The chat template's source; none for the plain template.
    pub template: Option<String>,
    /// All files of a folder; none for a GGUF file, which holds its settings itself.
    pub files: Option<FileList>,
}

impl Model {
    /// Loads a `.gguf` file, or a folder in Hugging Face's layout.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn load(path: &Path) -> Result<Model> {
        Model::load_while(path, |_| ())
    }

    /// The same; `begin` gets the weights while the vocabulary has yet to be read, so that
    /// something can be done with them meanwhile.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_while(path: &Path, begin: impl FnOnce(&Arc<Checkpoint>)) -> Result<Model> {
        if !path.is_dir() {
            return load_gguf(path, begin);
        }
        let (model, settings) = FileList::around(path, Use::Write, || load_folder(path, begin))?;
        Ok(Model { settings: settings.map(|list| (path.to_path_buf(), list)), ..model })
    }

    /// The model's digests. Reads all weights; `between` is called before each piece of them.
    pub fn digests(&self, between: &dyn Fn()) -> ModelDigests {
        let parts = self.checkpoint.file().part_digests_with(between);
        let files = self.settings.as_ref().map(|(folder, list)| list.with_weights(folder, &parts));
        ModelDigests {
            weights: PartDigest::together(&parts),
            files,
            tokenizer: self.tokenizer.digest().to_string(),
            template: self.template.source().map(|source| digest_bytes(source.as_bytes())),
        }
    }
}

/// The name of a folder, or of a file without its extension.
pub(crate) fn file_name(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = if path.is_dir() { absolute.file_name() } else { absolute.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

fn load_gguf(path: &Path, begin: impl FnOnce(&Arc<Checkpoint>)) -> Result<Model> {
    let checkpoint = Arc::new(Checkpoint::open(path)?);
    begin(&checkpoint);
    let metadata = checkpoint.file().metadata();
    let tokenizer = Tokenizer::from_gguf(path, metadata)?;
    let template = gguf_template(metadata)?;
    let ends = ["eos_token_id", "eot_token_id", "eom_token_id"];
    let end_tokens = ends.iter().filter_map(|key| gguf_id(metadata, key)).collect();
    let name = metadata.text("general.name").map_or_else(|| file_name(path), str::to_string);
    Ok(Model { name, tokenizer, template, end_tokens, checkpoint, settings: None })
}

/// The template under `tokenizer.chat_template`.
pub(crate) fn gguf_template(metadata: &Metadata) -> Result<ChatTemplate> {
    match metadata.text(GGUF_TEMPLATE) {
        Some(source) => ChatTemplate::new(source.to_string(), gguf_variables(metadata)),
        None => Ok(ChatTemplate::plain()),
    }
}

fn gguf_id(metadata: &Metadata, key: &str) -> Option<u32> {
    let number = metadata.number(&format!("tokenizer.ggml.{key}"))?.as_u64()?;
    u32::try_from(number).ok()
}

/// The special tokens' texts by the names that templates use.
fn gguf_variables(metadata: &Metadata) -> BTreeMap<String, String> {
    let names = [
        ("bos_token", "bos_token_id"),
        ("eos_token", "eos_token_id"),
        ("unk_token", "unknown_token_id"),
        ("pad_token", "padding_token_id"),
    ];
    let texts = metadata.texts("tokenizer.ggml.tokens").unwrap_or_default();
    let text = |key| gguf_id(metadata, key).and_then(|id| texts.get(id as usize)).cloned();
    names.iter().filter_map(|(name, key)| Some(((*name).to_string(), text(key)?))).collect()
}

fn load_folder(folder: &Path, begin: impl FnOnce(&Arc<Checkpoint>)) -> Result<Model> {
    complete(folder)?;
    let checkpoint = Arc::new(Checkpoint::open(folder)?);
    begin(&checkpoint);
    let tokenizer = Tokenizer::from_folder(folder)?;
    let config = read_object(&folder.join("config.json"), JSON_BYTES)?;
    let generation = object_if_any(&folder.join("generation_config.json"))?;
    let about_tokens = object_if_any(&folder.join(ABOUT_TOKENS))?;
    let template = folder_template(folder)?;
    let mut end_tokens = ids(generation.get("eos_token_id").or_else(|| config.get("eos_token_id")));
    let end = about_tokens.get("eos_token").and_then(token_text);
    end_tokens.extend(end.and_then(|text| tokenizer.special_id(text)));
    let name = file_name(folder);
    Ok(Model { name, tokenizer, template, end_tokens, checkpoint, settings: None })
}

/// Whether all the files of a model are in the folder; all that are not are named.
fn complete(folder: &Path) -> Result<()> {
    let has = |name: &str| folder.join(name).is_file();
    let mut missing: Vec<&str> = ["config.json"].into_iter().filter(|name| !has(name)).collect();
    if !["tokenizer.json", "vocab.json", "tokenizer.model", "tekken.json"].into_iter().any(has) {
        missing.push("tokenizer.json");
    }
    if !has("model.safetensors") && !has("model.safetensors.index.json") {
        missing.push("model.safetensors");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::Incomplete {
            folder: folder.to_path_buf(),
            missing: missing.join(", "),
            needed: FOLDER,
        }),
    }
}

pub(crate) fn object_if_any(path: &Path) -> Result<Map<String, Value>> {
    if path.is_file() { read_object(path, JSON_BYTES) } else { Ok(Map::new()) }
}

/// `chat_template.jinja`, else `chat_template` in tokenizer_config.json.
pub(crate) fn folder_template(folder: &Path) -> Result<ChatTemplate> {
    let [own, older] = folder_templates(folder)?;
    let about_tokens = object_if_any(&folder.join(ABOUT_TOKENS))?;
    let tokens = about_tokens.iter().filter(|(name, _)| name.ends_with("_token"));
    let variables =
        tokens.filter_map(|(name, value)| Some((name.clone(), token_text(value)?.into())));
    match own.or(older) {
        Some(source) => ChatTemplate::new(source, variables.collect()),
        None => Ok(ChatTemplate::plain()),
    }
}

/// The sources in `chat_template.jinja` and in tokenizer_config.json; there it is a text, or a list
/// of named ones of which `default` is taken.
pub(crate) fn folder_templates(folder: &Path) -> Result<[Option<String>; 2]> {
    let path = folder.join(TEMPLATE_FILE);
    let own = if path.is_file() { Some(read_text(&path, JSON_BYTES)?) } else { None };
    let older = match object_if_any(&folder.join(ABOUT_TOKENS))?.get("chat_template") {
        Some(Value::String(source)) => Some(source.clone()),
        Some(Value::Array(list)) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            default.and_then(|entry| entry["template"].as_str()).map(str::to_string)
        }
        _ => None,
    };
    Ok([own, older])
}

/// A token is written as its text or as an object that holds it.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// An id or a list of ids.
pub(crate) fn ids(value: Option<&Value>) -> EndTokens {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => EndTokens::new(),
    }
}
