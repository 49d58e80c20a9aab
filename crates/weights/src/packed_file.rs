//! Weights in the order in which products read them, in a file beside those that they were made
//! from, so that a start need not make them again.
//!
//! The file is the packed bytes, a note in JSON that says what they were made from, the note's
//! length, and [`MAGIC`]. The note only tells a stale file from a fresh one. Whether the bytes are
//! right, nobody needs to believe: whoever uses them packs the weights once more, when there is
//! time, and compares.

use crate::error::{Error, Result};
use crate::file::TensorFile;
use crate::mmap::Mapped;
use crate::replace::Replacement;
use crate::watch::Watch;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The end of every such file.
const MAGIC: &[u8; 16] = b"allod-packed-1\r\n";
/// Bytes of the note's length.
const LENGTH_BYTES: usize = 8;
/// A note names a few files; more is none.
const NOTE_BYTES_MAX: usize = 4 << 20;
/// Bytes that are written together: a large page, so that the system can keep the file in such.
const WRITE_BYTES: usize = 2 << 20;

/// What packed bytes were made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The order of the bytes, by name.
    layout: String,
    /// How many there are.
    bytes: u64,
    files: Vec<Origin>,
}

/// A file of weights: its name, length, and when it was written, in nanoseconds since 1970.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    name: String,
    bytes: u64,
    written: Option<u64>,
}

impl Note {
    fn of(file: &TensorFile, layout: &str, bytes: usize) -> Note {
        let origin = |(path, bytes, written): (&Path, u64, Option<u64>)| Origin {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes,
            written,
        };
        let files = file.parts_as_opened().map(origin).collect();
        Note { layout: layout.to_owned(), bytes: bytes as u64, files }
    }

    /// What stands at the end of a file, and where it begins.
    fn read(bytes: &[u8]) -> Option<(Note, usize)> {
        let rest = bytes.strip_suffix(MAGIC)?;
        let (rest, length) = rest.split_last_chunk::<LENGTH_BYTES>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let start = rest.len().checked_sub(length).filter(|_| length <= NOTE_BYTES_MAX)?;
        Some((serde_json::from_slice(&rest[start..]).ok()?, start))
    }
}

/// The packed bytes of a model's weights, mapped.
pub struct PackedFile {
    path: PathBuf,
    map: Mapped,
    len: usize,
    in_large_pages: bool,
    watch: Watch,
}

impl PackedFile {
    /// Where the packed weights of a model lie: beside the first file of its weights.
    pub fn beside(file: &TensorFile) -> PathBuf {
        let first = file.paths().next().unwrap_or(Path::new("weights"));
        let mut name = OsString::from(first);
        name.push(".packed");
        PathBuf::from(name)
    }

    /// Opens the packed weights of `file`, if they are `len` bytes in the order called `layout`.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such file, and [`Error::Stale`] if it was made from other
    /// weights or in another order.
    pub fn open(file: &TensorFile, layout: &str, len: usize) -> Result<PackedFile> {
        let path = PackedFile::beside(file);
        let map = Mapped::open(&path)?;
        let stale = |what: &str| Error::Stale { file: path.clone(), what: what.to_owned() };
        let (note, end) =
            Note::read(map.bytes()).ok_or_else(|| stale("its end is no note of packed weights"))?;
        if note != Note::of(file, layout, len) || end != len {
            return Err(stale("it was made from other files, or in another order"));
        }
        map.want_large_pages();
        let mut watch = Watch::default();
        watch.add(path.clone(), Arc::clone(&map.file), map.stamp);
        let in_large_pages = map.is_in_large_pages();
        Ok(PackedFile { path, map, len, in_large_pages, watch })
    }

    /// Writes them, in the place of those that were there, once all are on the disk.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(file: &TensorFile, layout: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = PackedFile::beside(file);
        let note = serde_json::to_vec(&Note::of(file, layout, bytes.len()));
        let note = note.expect("a note is plain data");
        let mut out = Replacement::create(&path)?;
        let io = |source| Error::Write { file: path.clone(), source };
        for bytes in bytes.chunks(WRITE_BYTES) {
            out.write_all(bytes).map_err(io)?;
        }
        let end = [&note[..], &(note.len() as u64).to_le_bytes(), MAGIC].concat();
        out.write_all(&end).map_err(io)?;
        out.commit()?;
        Ok(path)
    }

    /// Deletes them.
    ///
    /// # Errors
    /// [`Error::Remove`], also if there are none.
    pub fn remove(file: &TensorFile) -> Result<PathBuf> {
        let path = PackedFile::beside(file);
        let removed = std::fs::remove_file(&path);
        removed.map_err(|source| Error::Remove { file: path.clone(), source })?;
        Ok(path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was written to since it was opened, as far as the system tells; not whether
    /// another one took its name.
    pub fn is_written(&self) -> bool {
        self.watch.written(|| true).is_some()
    }

    /// Whether the system keeps the file in large pages, as far as a look at some of them tells.
    /// Small ones cost who reads all bytes for each token a quarter of the speed.
    pub fn is_in_large_pages(&self) -> bool {
        self.in_large_pages
    }

    /// Gives the memory of some of the bytes back to the system.
    pub fn release(&self, bytes: &[u8]) {
        self.map.release(bytes);
    }
}

impl Deref for PackedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map.bytes()[..self.len]
    }
}

/// The path.
impl std::fmt::Debug for PackedFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("PackedFile").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::safetensors;
    use proptest::prelude::*;

    fn model(folder: &Path) -> TensorFile {
        let path = folder.join("model.safetensors");
        let tensors = [("x".to_owned(), vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])];
        std::fs::write(&path, safetensors(&tensors)).unwrap();
        TensorFile::open(&path).unwrap()
    }

    #[test]
    fn what_is_written_is_opened_by_the_same_weights_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = model(folder.path());
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|at| (at % 253) as u8).collect();
        assert!(matches!(PackedFile::open(&file, "a", bytes.len()), Err(Error::Io { .. })));
        let path = PackedFile::write(&file, "a", &bytes).unwrap();
        assert_eq!(path, folder.path().join("model.safetensors.packed"));
        let packed = PackedFile::open(&file, "a", bytes.len()).unwrap();
        assert!(*packed == bytes[..] && !packed.is_written());
        packed.is_in_large_pages();
        packed.release(&packed[4096..1 << 20]);
        assert!(*packed == bytes[..]);
        for (layout, len) in [("b", bytes.len()), ("a", bytes.len() - 1)] {
            let error = PackedFile::open(&file, layout, len).unwrap_err().to_string();
            assert!(error.contains("allod model pack"), "{error}");
        }
        std::thread::sleep(std::time::Duration::from_millis(30));
        let other = model(folder.path());
        let stale = PackedFile::open(&other, "a", bytes.len());
        assert!(matches!(stale, Err(Error::Stale { .. })), "the model was written again");
        std::fs::File::options().append(true).open(&path).unwrap().write_all(b"!").unwrap();
        assert!(packed.is_written());
    }

    proptest! {
        #[test]
        fn no_end_of_a_file_is_too_strange(
            note in prop::collection::vec(any::<u8>(), 0..60), length: u64, near in -2_i64..3
        ) {
            let near = (note.len() as i64 + near) as u64;
            for length in [length, near, u64::MAX - near] {
                let bytes = [&note[..], &length.to_le_bytes(), MAGIC].concat();
                prop_assert!(Note::read(&bytes).is_none());
                prop_assert!(Note::read(&bytes[1..]).is_none());
            }
        }
    }
}
