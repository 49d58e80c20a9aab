//! A file mapped into memory, read only.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use std::fs::File;
use std::path::Path;

/// The bytes of a file.
pub(crate) struct Mapped(memmap2::Mmap);

impl Mapped {
    pub fn open(path: &Path) -> Result<Mapped> {
        let io = |source| Error::Io { file: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        if !file.metadata().map_err(io)?.is_file() {
            let what = "is not a regular file".to_string();
            return Err(Error::NotATensorFile { file: path.to_path_buf(), what });
        }
        // SAFETY: the map is private to this value, read only and never handed out mutably. Nothing
        // relies on the content staying the same between two reads: offsets were checked against
        // the length of the map, which does not change. A process that shrinks the file under us
        // makes the kernel end this one (SIGBUS); that is the operator's doing, and documented.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Ok(Mapped(map))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the memory of `bytes` back, if they are of this map; they are read from the file again
    /// when they are asked for.
    pub fn forget(&self, bytes: &[u8]) {
        let start = (bytes.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
        if start >= self.0.len() || bytes.len() > self.0.len() - start {
            return;
        }
        // SAFETY: the map is of a file and read only, so its pages hold nothing but the file's
        // content, before and after.
        #[cfg(target_os = "linux")]
        let _ = unsafe {
            let how = memmap2::UncheckedAdvice::DontNeed;
            self.0.unchecked_advise_range(how, start, bytes.len())
        };
    }
}
