//! A tensor file: one map or several, and the index over them.

use crate::data_type::DataType;
use crate::digest::digest_bytes;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, Value};
use crate::mmap::Mapped;
use crate::split::Split;
use crate::tensor::{Entry, Tensor};
use crate::watch::Watch;
use crate::{gguf, safetensors};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names that a folder's weights have.
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// More shards than any published model has.
const SHARDS: usize = 4096;
const INDEX_BYTES: u64 = 100_000_000;

/// A checkpoint on disk, memory mapped: named tensors and metadata.
///
/// The files must not be shortened while it is open: reading past the end of a shortened map
/// ends the process.
pub struct TensorFile {
    parts: Vec<Part>,
    metadata: Metadata,
    entries: Vec<(usize, Entry)>,
    by_name: HashMap<String, usize>,
    watch: Watch,
}

/// A file of the weights, by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartDigest {
    /// Where it was found.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 as `sha256:<hex>`.
    pub digest: String,
}

impl PartDigest {
    /// Of one file its digest; of several the SHA-256 of the lines that `sha256sum` prints for them
    /// in order of name.
    pub fn together(parts: &[PartDigest]) -> String {
        if let [part] = parts {
            return part.digest.clone();
        }
        let mut lines = String::new();
        for part in parts {
            let name = part.path.file_name().unwrap_or_default().to_string_lossy();
            lines += &format!("{}  {name}\n", part.digest.trim_start_matches("sha256:"));
        }
        digest_bytes(lines.as_bytes())
    }
}

/// One mapped file.
struct Part {
    path: PathBuf,
    map: Mapped,
}

impl TensorFile {
    /// Opens a `.gguf` or `.safetensors` file, any part of a split GGUF with its siblings, a
    /// `.safetensors.index.json` with its shards, or a folder that holds one of the latter two
    /// under its usual name. What a file is, its content says, not its name.
    ///
    /// # Errors
    /// Whatever in the file contradicts the format or the file's size.
    pub fn open(path: &Path) -> Result<TensorFile> {
        if path.is_dir() {
            return TensorFile::open_folder(path);
        }
        if path.to_string_lossy().ends_with(".index.json") {
            return TensorFile::open_shards(path);
        }
        let (part, metadata, entries) = open_part(path)?;
        if let Some(split) = Split::of(path, &metadata)? {
            return TensorFile::open_split(path, &split);
        }
        let entries = entries.into_iter().map(|entry| (0, entry)).collect();
        Ok(TensorFile::new(vec![part], metadata, entries))
    }

    fn open_folder(folder: &Path) -> Result<TensorFile> {
        for name in [SINGLE, INDEX] {
            let path = folder.join(name);
            if path.is_file() {
                return TensorFile::open(&path);
            }
        }
        let what = format!("holds neither {SINGLE} nor {INDEX}");
        Err(Error::NotATensorFile { file: folder.to_path_buf(), what })
    }

    fn open_shards(index: &Path) -> Result<TensorFile> {
        let weight_map = read_index(index)?;
        let names: BTreeSet<&str> = weight_map.values().map(String::as_str).collect();
        let folder = index.parent().unwrap_or(Path::new(""));
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        for name in names {
            let (part, _, found) = open_part(&folder.join(name))?;
            for entry in found {
                if weight_map.get(&entry.name).map(String::as_str) != Some(name) {
                    let what = format!("`{}` is in {name} but not listed there", entry.name);
                    return Err(index_error(index, what));
                }
                entries.push((parts.len(), entry));
            }
            parts.push(part);
        }
        let file = TensorFile::new(parts, Metadata::default(), entries);
        match weight_map.keys().find(|name| !file.by_name.contains_key(*name)) {
            Some(name) => Err(index_error(index, format!("`{name}` is not in the shard named"))),
            None => Ok(file),
        }
    }

    /// All parts of a split GGUF; the first one's metadata is the model's.
    fn open_split(path: &Path, split: &Split) -> Result<TensorFile> {
        split.check_there(path)?;
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        let (mut first, mut names) = (None, HashSet::new());
        for (at, path) in split.paths.iter().enumerate() {
            let (part, metadata, found) = open_part(path)?;
            if !split.agrees(Split::of(path, &metadata)?.as_ref(), at) {
                let what = "says something else about the split than the part that was opened";
                return Err(index_error(path, what.to_string()));
            }
            if let Some(twice) = found.iter().find(|entry| !names.insert(entry.name.clone())) {
                let what = format!("the tensor `{}` is in an earlier part as well", twice.name);
                return Err(index_error(path, what));
            }
            entries.extend(found.into_iter().map(|entry| (at, entry)));
            first.get_or_insert(metadata);
            parts.push(part);
        }
        match split.wrong_count(entries.len()) {
            Some(what) => Err(index_error(path, what)),
            None => Ok(TensorFile::new(parts, first.unwrap_or_default(), entries)),
        }
    }

    fn new(parts: Vec<Part>, metadata: Metadata, entries: Vec<(usize, Entry)>) -> TensorFile {
        let names = entries.iter().enumerate();
        let by_name = names.map(|(index, (_, entry))| (entry.name.clone(), index)).collect();
        let mut watch = Watch::default();
        for Part { path, map } in &parts {
            watch.add(path.clone(), Arc::clone(&map.file), map.stamp);
        }
        TensorFile { parts, metadata, entries, by_name, watch }
    }

    /// The file's typed metadata: a GGUF's keys, or a single safetensors file's text metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The paths of the mapped files, in order of name for shards.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// The mapped files with their lengths and when they were written, in nanoseconds since 1970,
    /// as it was when they were opened.
    pub(crate) fn parts_as_opened(&self) -> impl Iterator<Item = (&Path, u64, Option<u64>)> {
        self.parts.iter().map(|part| {
            let (bytes, written) = part.map.stamp.content();
            (part.path.as_path(), bytes, written)
        })
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        Some(self.tensor_at(*self.by_name.get(name)?))
    }

    /// The position of the tensor called `name`, for [`TensorFile::tensor_at`].
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The tensor at `position` in the order of [`TensorFile::tensors`].
    ///
    /// # Panics
    /// If there are not so many tensors.
    pub fn tensor_at(&self, position: usize) -> Tensor<'_> {
        let (part, entry) = &self.entries[position];
        let part = &self.parts[*part];
        Tensor {
            name: &entry.name,
            shape: &entry.shape,
            data_type: entry.data_type,
            bytes: &part.map.bytes()[entry.range.clone()],
            file: &part.path,
        }
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        (0..self.entries.len()).map(|position| self.tensor_at(position))
    }

    /// The element type that holds most of the values, by name: what a model is called after.
    pub fn main_type(&self) -> String {
        let mut values: Vec<(String, usize)> = Vec::new();
        for tensor in self.tensors() {
            let (name, count) = (tensor.data_type.to_string(), tensor.shape.iter().product());
            match values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.saturating_add(count),
                None => values.push((name, count)),
            }
        }
        values.into_iter().max_by_key(|(_, sum)| *sum).map_or_else(String::new, |(name, _)| name)
    }

    /// How many values the tensors hold together.
    pub fn parameters(&self) -> u64 {
        let counts = self.tensors().map(|tensor| tensor.shape.iter().product::<usize>() as u64);
        counts.fold(0, u64::saturating_add)
    }

    /// Gives the memory of some bytes of a tensor back to the system, which reads them from the
    /// file again when they are wanted.
    pub fn release(&self, bytes: &[u8]) {
        self.parts.iter().for_each(|part| part.map.release(bytes));
    }

    /// SHA-256 of the file as `sha256:<hex>`. Of several shards, it is the SHA-256 of the lines
    /// that `sha256sum` prints for them in order of name, so that
    /// `sha256sum model-*.safetensors | sha256sum` proves it. It is taken of the bytes that tensors
    /// are read from, whatever stands under the path by now.
    pub fn digest(&self) -> String {
        PartDigest::together(&self.part_digests())
    }

    /// The first of the files that was written to since it was opened; what is computed with it
    /// may be anything. `digest` gives what they are known by; it is asked for, and all of them
    /// are read, if one was touched in another way, as when another takes its name.
    pub fn written(&self, digest: impl Fn() -> String) -> Option<&Path> {
        self.watch.written(|| self.digest() == digest())
    }

    /// SHA-256 of each file, in order of name. Reads all of them.
    pub fn part_digests(&self) -> Vec<PartDigest> {
        self.part_digests_with(&|| ())
    }

    /// The same; `between` is called before each piece that is read, so that it may give way.
    pub fn part_digests_with(&self, between: &dyn Fn()) -> Vec<PartDigest> {
        let of = |part: &Part| PartDigest {
            path: part.path.clone(),
            bytes: part.map.bytes().len() as u64,
            digest: part.map.digest(between),
        };
        self.parts.iter().map(of).collect()
    }
}

/// Lists the files, tensors and types; not the elements.
impl std::fmt::Debug for TensorFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let types: BTreeMap<&str, DataType> =
            self.entries.iter().map(|(_, entry)| (&*entry.name, entry.data_type)).collect();
        let paths: Vec<&Path> = self.paths().collect();
        out.debug_struct("TensorFile").field("paths", &paths).field("tensors", &types).finish()
    }
}

fn open_part(path: &Path) -> Result<(Part, Metadata, Vec<Entry>)> {
    let map = Mapped::open(path)?;
    let bytes = map.bytes();
    let (metadata, entries) = if bytes.starts_with(gguf::MAGIC) {
        gguf::read(bytes).map_err(|fault| fault.in_file(path))?
    } else if safetensors::looks_like(bytes) || has_extension(path, "safetensors") {
        let (texts, entries) = safetensors::read(bytes).map_err(|fault| fault.in_file(path))?;
        let values = texts.into_iter().map(|(key, text)| (key, Value::Text(text)));
        (Metadata(values.collect()), entries)
    } else {
        let what = "is neither GGUF nor safetensors by its first bytes".to_string();
        return Err(Error::NotATensorFile { file: path.to_path_buf(), what });
    };
    Ok((Part { path: path.to_path_buf(), map }, metadata, entries))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn index_error(index: &Path, what: String) -> Error {
    Error::Malformed { file: index.to_path_buf(), at: 0, what }
}

/// Reads which shard holds which tensor. Shards lie beside the index: a name that leads
/// elsewhere is refused.
fn read_index(index: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let io = |source| Error::Io { file: index.to_path_buf(), source };
    if std::fs::metadata(index).map_err(io)?.len() > INDEX_BYTES {
        return Err(index_error(index, format!("an index has at most {INDEX_BYTES} bytes")));
    }
    let bytes = std::fs::read(index).map_err(io)?;
    let parsed: Index = serde_json::from_slice(&bytes)
        .map_err(|error| index_error(index, format!("not a shard index: {error}")))?;
    let shards: BTreeSet<&String> = parsed.weight_map.values().collect();
    if shards.is_empty() || shards.len() > SHARDS {
        return Err(index_error(index, format!("names {} shards", shards.len())));
    }
    match shards.iter().find(|shard| !is_plain_name(shard)) {
        Some(shard) => Err(index_error(index, format!("shard `{shard}` is no plain file name"))),
        None => Ok(parsed.weight_map),
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}
