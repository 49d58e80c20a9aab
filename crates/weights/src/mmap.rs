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
    /// `between` is called before each piece that is read.
    pub fn digest(&self, between: &dyn Fn()) -> String {
        let mut hasher = Sha256::new();
        for bytes in self.map.chunks(READ_BYTES) {
            between();
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

/// Bytes of a large page.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;
/// How many of them are looked at, and at how many places: further apart than the system maps
/// small pages together (64 KiB).
#[cfg(target_os = "linux")]
const LOOKS: (usize, usize) = (16, 16);

#[cfg(target_os = "linux")]
impl Mapped {
    /// Asks for large pages; a wish, as all advice.
    pub fn want_large_pages(&self) {
        self.map.advise(memmap2::Advice::HugePage).ok();
    }

    /// Whether large pages are what it is mapped in. Bytes that nobody has read yet are read at
    /// some places, and it is counted how often the system had to map a page for that.
    pub fn is_in_large_pages(&self) -> bool {
        let pages = self.map.len() / LARGE_PAGE;
        let step = pages.div_ceil(LOOKS.0).max(1);
        let start = self.map.as_ptr().align_offset(LARGE_PAGE);
        let looked = (0..pages)
            .step_by(step)
            .filter_map(|page| self.map.get(start + page * LARGE_PAGE..)?.get(..LARGE_PAGE));
        let before = faults();
        let mut places = 0;
        for byte in looked.flat_map(|bytes| bytes.iter().step_by(LARGE_PAGE / LOOKS.1)) {
            std::hint::black_box(*byte);
            places += 1;
        }
        // Large pages that are mapped already cost nothing, and so would small ones: files that
        // were read before are not told apart, so this is asked first. A quarter in small ones
        // may pass.
        places == 0 || faults().saturating_sub(before) <= places * 3 / 10
    }
}

/// How many pages were mapped for this thread.
#[cfg(target_os = "linux")]
fn faults() -> usize {
    // SAFETY: zeros are a value of it, and the call writes no more than that.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage);
        usage
    };
    usize::try_from(usage.ru_minflt + usage.ru_majflt).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
impl Mapped {
    pub fn want_large_pages(&self) {}

    /// Where nobody can tell, it is so.
    pub fn is_in_large_pages(&self) -> bool {
        true
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
        assert_eq!(map.digest(&|| ()), crate::digest::digest_bytes(&bytes));
    }
}
