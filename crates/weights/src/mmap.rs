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
}
