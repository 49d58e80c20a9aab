//! A file mapped into memory, read only.
#![allow(unsafe_code)]

use crate::digest::digest_text;
use crate::error::{Error, Result};
use crate::watch::Stamp;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read together for a digest.
const READ_BYTES: usize = 4 << 20;

/// The bytes of a file, and the file with what it was when it was opened.
pub(crate) struct Mapped {
    map: memmap2::Mmap,
    pub(crate) file: Arc<File>,
    pub(crate) stamp: Stamp,
}

impl Mapped {
    pub fn open(path: &Path) -> Result<Mapped> {
        let io = |source| Error::Io { file: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            let what = "is not a regular file".to_string();
            return Err(Error::NotATensorFile { file: path.to_path_buf(), what });
        }
        // SAFETY: the map is private to this value, read only and never handed out mutably. Nothing
        // relies on the content staying the same between two reads: offsets were checked against
        // the length of the map, which does not change. A process that shrinks the file under us
        // makes the kernel end this one (SIGBUS); that is the operator's doing, and documented.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Ok(Mapped { map, file: Arc::new(file), stamp: Stamp::of(&about) })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Their SHA-256 as `sha256:<hex>`. What is read for it does not stay in this process's memory.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for bytes in self.map.chunks(READ_BYTES) {
            hasher.update(bytes);
            self.release(bytes);
        }
        digest_text(&hasher.finalize())
    }

    /// Gives the memory of some of its bytes back to the system, which reads them again from the
    /// file when they are wanted; a wish, as all advice. Bytes of another place are left alone.
    pub fn release(&self, bytes: &[u8]) {
        let Some(offset) = bytes.as_ptr().addr().checked_sub(self.map.as_ptr().addr()) else {
            return;
        };
        if bytes.is_empty()
            || offset.checked_add(bytes.len()).is_none_or(|end| end > self.map.len())
        {
            return;
        }
        #[cfg(unix)]
        {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the map is one of a file and read only, so it holds the same afterwards.
            unsafe { self.map.unchecked_advise_range(advice, offset, bytes.len()) }.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let map = Mapped::open(&path).unwrap();
        for range in [0..0, 5..99_999, 4096..8192, 0..100_000] {
            map.release(&map.bytes()[range]);
            assert_eq!(map.bytes(), bytes);
        }
        map.release(&bytes);
        assert_eq!(map.digest(), crate::digest::digest_bytes(&bytes));
    }
}
