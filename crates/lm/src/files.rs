//! The files of a model folder, by which it is told from another one. A digest of the weights says
//! nothing of the settings beside them, and one number in `config.json` makes another model.

use crate::error::{Error, Result};
use crate::{embed, tokenizer};
use allod_weights::{PartDigest, TensorFile, digest_bytes, digest_file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Weights in one file, and what names the shards of others.
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The form of a list.
const VERSION: &str = "allod-model-files-1";

/// What a folder's model is loaded for: it decides which files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It writes text.
    Write,
    /// It turns texts into vectors, or scores them.
    Read,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its path within the folder, with `/`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 as `sha256:<hex>`.
    pub digest: String,
}

impl ModelFile {
    /// Whether it holds weights, and is not read for its settings.
    pub fn holds_weights(&self) -> bool {
        holds_weights(Path::new(&self.name))
    }
}

/// Whether a file holds weights, by its name.
pub fn holds_weights(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gguf" || extension == "safetensors")
}

/// All files of a folder on which the numbers and words of its model depend, in order of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileList {
    files: Vec<ModelFile>,
    text: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: String,
    files: Vec<ModelFile>,
}

impl FileList {
    /// A list of these files.
    ///
    /// # Panics
    /// Never: names and digests are plain data.
    pub fn new(mut files: Vec<ModelFile>) -> FileList {
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let written = Written { version: VERSION.into(), files };
        let text = serde_json::to_string(&written).expect("a list of files is plain data");
        FileList { digest: digest_bytes(text.as_bytes()), files: written.files, text }
    }

    /// Reads the text of a list; none if it is of another form.
    pub fn read(text: &str) -> Option<FileList> {
        let written: Written = serde_json::from_str(text).ok()?;
        let list = FileList::new(written.files);
        (list.text == text).then_some(list)
    }

    /// The files beside the weights that loading this folder reads; none for a file, which holds
    /// its settings itself.
    ///
    /// # Errors
    /// [`Error::Io`] of a file that cannot be read.
    pub fn of_settings(path: &Path, wanted: Use) -> Result<Option<FileList>> {
        if !path.is_dir() {
            return Ok(None);
        }
        let names = settings_files(path, wanted);
        let files: Result<Vec<ModelFile>> = names.iter().map(|name| file(path, name)).collect();
        files.map(FileList::new).map(Some)
    }

    /// The digest of the weights that lie at `path`, and the list of a folder's files, of a model
    /// that writes. Reads all of them, and loads nothing.
    ///
    /// # Errors
    /// What the files contradict, or [`Error::Io`].
    pub fn of_model(path: &Path) -> Result<(String, Option<FileList>)> {
        let parts = TensorFile::open(path)?.part_digests();
        let settings = FileList::of_settings(path, Use::Write)?;
        let list = settings.map(|settings| settings.with_weights(path, &parts));
        Ok((PartDigest::together(&parts), list))
    }

    /// What lies in a folder now of the files that this list names, and what else would be read of
    /// a model that writes.
    ///
    /// # Errors
    /// [`Error::Io`] of a file that cannot be read.
    pub fn now(&self, folder: &Path, weights: Weights) -> Result<FileList> {
        let listed = self.files.iter().map(|file| file.name.clone()).filter(|name| plain(name));
        let mut names: Vec<String> = listed.chain(settings_files(folder, Use::Write)).collect();
        names.sort();
        names.dedup();
        let mut files = Vec::new();
        for name in names.iter().filter(|name| folder.join(name).is_file()) {
            let known = self.files.iter().find(|file| file.name == **name);
            files.push(match (known, weights) {
                (Some(known), Weights::ByLength) if known.holds_weights() => {
                    ModelFile { bytes: length(&folder.join(name))?, ..known.clone() }
                }
                _ => file(folder, name)?,
            });
        }
        Ok(FileList::new(files))
    }

    /// Loads what lies at `path`, with the list of the settings that were read. They are read
    /// twice: what is changed meanwhile is noticed.
    ///
    /// # Errors
    /// As `load`, and [`Error::Io`] where a file was changed.
    pub fn around<T>(
        path: &Path,
        wanted: Use,
        load: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Option<FileList>)> {
        let before = FileList::of_settings(path, wanted)?;
        let loaded = load()?;
        let after = FileList::of_settings(path, wanted)?;
        match before.as_ref().zip(after.as_ref()).and_then(|(one, other)| one.difference(other)) {
            None => Ok((loaded, before)),
            Some(difference) => {
                let what = "it was changed while the model was loaded; load it again";
                Err(Error::Io { file: path.join(difference.name), source: other(what) })
            }
        }
    }

    /// This list with the files of the weights, which lie in `folder`.
    #[must_use]
    pub fn with_weights(&self, folder: &Path, parts: &[PartDigest]) -> FileList {
        let part = |part: &PartDigest| ModelFile {
            name: part.path.strip_prefix(folder).unwrap_or(&part.path).to_string_lossy().into(),
            bytes: part.bytes,
            digest: part.digest.clone(),
        };
        FileList::new(self.files.iter().cloned().chain(parts.iter().map(part)).collect())
    }

    /// The files, in order of name.
    pub fn files(&self) -> &[ModelFile] {
        &self.files
    }

    /// The text that is kept: JSON with `version` and `files`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text, as `sha256:<hex>`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The first file that is not the same in another list.
    pub fn difference(&self, other: &FileList) -> Option<FileDifference> {
        let by_name = |list: &FileList| -> BTreeMap<String, ModelFile> {
            list.files.iter().map(|file| (file.name.clone(), file.clone())).collect()
        };
        let (mut ours, mut theirs) = (by_name(self), by_name(other));
        let mut names: Vec<String> = ours.keys().chain(theirs.keys()).cloned().collect();
        names.sort();
        names.into_iter().find_map(|name| {
            let (recorded, now) = (ours.remove(&name), theirs.remove(&name));
            (recorded != now).then_some(FileDifference { name, recorded, now })
        })
    }
}

/// How weights are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// By all of their bytes.
    ByDigest,
    /// By their length alone, as they are to be read anyway.
    ByLength,
}

/// A file that is not the same in two lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDifference {
    /// Its name.
    pub name: String,
    /// As the first list has it.
    pub recorded: Option<ModelFile>,
    /// As the second one has it.
    pub now: Option<ModelFile>,
}

impl fmt::Display for FileDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (&self.recorded, &self.now) {
            (Some(_), None) => "is missing",
            (None, Some(_)) => "was not there when it wrote",
            _ => "another file than the one that wrote",
        };
        write!(f, "the model's file {}: {what}", self.name)
    }
}

fn other(what: &str) -> std::io::Error {
    std::io::Error::other(what.to_owned())
}

/// Whether a name stays within its folder.
fn plain(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

fn length(path: &Path) -> Result<u64> {
    let about = std::fs::metadata(path);
    about.map(|about| about.len()).map_err(|source| Error::Io { file: path.into(), source })
}

fn file(folder: &Path, name: &str) -> Result<ModelFile> {
    let path = folder.join(name);
    let digest = digest_file(&path)?;
    Ok(ModelFile { name: name.to_owned(), bytes: length(&path)?, digest })
}

/// The names of the files beside the weights that loading a folder reads, in order.
pub fn settings_files(folder: &Path, wanted: Use) -> Vec<String> {
    let mut names = Vec::new();
    let own = match wanted {
        Use::Write => {
            names.extend(["generation_config.json", "chat_template.jinja"].map(str::to_owned));
            PathBuf::new()
        }
        Use::Read => {
            let (own, files) = embed::files_read(folder);
            names.extend(files);
            own
        }
    };
    let within = |name: &str| own.join(name).to_string_lossy().into_owned();
    names.extend(["config.json", "tokenizer_config.json"].map(within));
    if !folder.join(&own).join(SINGLE).is_file() {
        names.push(within(INDEX));
    }
    names.extend(tokenizer::files_read(&folder.join(&own)).iter().map(|name| within(name)));
    names.retain(|name| plain(name) && folder.join(name).is_file());
    names.sort();
    names.dedup();
    names
}
