//! File operations. Those that change something go through a trait: tests let each of them fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use crate::fault::{Fault, Wrong};

/// The operations that change a ledger's files.
pub(crate) trait Disk: Send + Sync {
    /// Creates a folder; its parent exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates a file or replaces its contents. The contents are durable on return.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes into a file that exists. The contents are durable on return.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Writes over the beginning of a file that exists, within its first sector and its length: all
    /// of it or nothing, since a disk writes a sector so. Durable on return.
    fn write_sector(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn set_len(&self, path: &Path, bytes: u64) -> io::Result<()>;
    /// Gives a file another name, in place of the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The disk itself.
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn write_sector(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        // In one call: a process that is killed has made it or not.
        let written = file.write(bytes)?;
        if written != bytes.len() {
            return Err(io::Error::new(ErrorKind::WriteZero, "a part of a sector was written"));
        }
        file.sync_data()
    }

    fn set_len(&self, path: &Path, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(()) // folders cannot be opened there; the file system orders its own journal
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// Reads a whole file of the ledger.
pub(crate) fn read(dir: &Path, path: &str) -> Result<Vec<u8>, Fault> {
    fs::read(dir.join(path)).map_err(|error| unreadable(path, &error))
}

/// Reads a file of the ledger that must be UTF-8.
pub(crate) fn read_text(dir: &Path, path: &str) -> Result<String, Fault> {
    String::from_utf8(read(dir, path)?).map_err(|error| {
        let place = crate::fault::Place::Byte(error.utf8_error().valid_up_to() as u64);
        Fault::new(Wrong::Malformed("the text is not UTF-8".to_owned()), path, place)
    })
}

fn unreadable(path: &str, error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Fault::file(Wrong::Missing, path),
        _ => Fault::file(Wrong::Unreadable(error.to_string()), path),
    }
}

/// The paths of all files below the ledger's folder, sorted. Links are listed, not followed.
pub(crate) fn list(dir: &Path) -> Result<Vec<String>, Fault> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let shown = if folder.is_empty() { "." } else { folder.trim_end_matches('/') };
        let entries = fs::read_dir(dir.join(&folder)).map_err(|error| unreadable(shown, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(shown, &error))?;
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(|error| unreadable(&path, &error))? {
                kind if kind.is_dir() => folders.push(format!("{path}/")),
                kind if kind.is_file() => paths.push(path),
                _ => return Err(Fault::file(Wrong::Unknown, path)),
            }
        }
    }
    paths.sort();
    Ok(paths)
}
