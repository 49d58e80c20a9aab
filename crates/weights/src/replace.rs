//! A file that takes another's place only once it is whole.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How many names are tried for the new file before giving up.
const NAMES: u32 = 100;

/// A new file beside `target`; gone when dropped, unless it has taken the target's place.
pub(crate) struct Replacement {
    target: PathBuf,
    unfinished: PathBuf,
    file: File,
    committed: bool,
}

impl Replacement {
    pub fn create(target: &Path) -> Result<Replacement> {
        let io = |source| Error::Write { file: target.to_path_buf(), source };
        let name = target.file_name().ok_or_else(|| {
            io(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it names no file"))
        })?;
        let (name, process) = (name.to_string_lossy(), std::process::id());
        for number in 0..NAMES {
            let unfinished = target.with_file_name(format!(".{name}.{process}-{number}.part"));
            match OpenOptions::new().write(true).create_new(true).open(&unfinished) {
                Ok(file) => {
                    let target = target.to_path_buf();
                    return Ok(Replacement { target, unfinished, file, committed: false });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(io(std::io::Error::from(std::io::ErrorKind::AlreadyExists)))
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    pub fn unfinished_path(&self) -> &Path {
        &self.unfinished
    }

    /// Waits until the bytes are on the disk, then takes the target's place.
    pub fn commit(mut self) -> Result<()> {
        let io = |source| Error::Write { file: self.target.clone(), source };
        self.file.sync_all().map_err(io)?;
        std::fs::rename(&self.unfinished, &self.target).map_err(io)?;
        self.committed = true;
        // The name is durable once the folder is; where folders cannot be opened, it has to do.
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            folder
                .sync_all()
                .map_err(|source| Error::Write { file: self.target.clone(), source })?;
        }
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.committed {
            // Best effort: the error that led here is the one that matters.
            let _ = std::fs::remove_file(&self.unfinished);
        }
    }
}
