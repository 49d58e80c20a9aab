//! Files into the registry: copied or linked, with their digests, down to the disk.

use crate::digest::Digest;
use crate::error::{Result, io};
use sha2::Digest as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

const PIECE_BYTES: usize = 1 << 20;

/// How files get into the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// As copies.
    Copy,
    /// As further names of the same files, where the file system can: no space is used, but who
    /// changes the original changes the artifact. Copies where it cannot.
    Link,
}

/// Hears how far it is.
pub trait Progress {
    /// So many bytes will be read.
    fn begin(&self, bytes: u64);
    /// So many more were read, of the file of this name.
    fn advance(&self, name: &str, bytes: u64);
}

/// Puts `source` at `target`, which must not be there, and gives its length and digest.
pub(crate) fn place(
    source: &Path,
    target: &Path,
    placing: Placing,
    advance: &mut dyn FnMut(u64),
) -> Result<(u64, Digest)> {
    // A link must name the file itself, not a link to it.
    let source = &source.canonicalize().map_err(io(source, "cannot be found"))?;
    if placing == Placing::Link {
        match std::fs::hard_link(source, target) {
            Ok(()) => return read(target, None, advance),
            Err(error) if is_no_link(&error) => {}
            Err(error) => return Err(io(target, "cannot be linked")(error)),
        }
    }
    let create = File::options().write(true).create_new(true).open(target);
    let mut file = create.map_err(io(target, "cannot be made"))?;
    let read = read(source, Some((target, &mut file)), advance)?;
    file.sync_all().map_err(io(target, "cannot be written to the disk"))?;
    Ok(read)
}

/// Whether linking failed for a reason that a copy does not have.
fn is_no_link(error: &std::io::Error) -> bool {
    let kinds = [ErrorKind::CrossesDevices, ErrorKind::Unsupported, ErrorKind::PermissionDenied];
    kinds.contains(&error.kind()) || error.kind() == ErrorKind::TooManyLinks
}

/// Length and digest of a file, which is written to another as it is read.
pub(crate) fn read(
    path: &Path,
    mut copy: Option<(&Path, &mut File)>,
    advance: &mut dyn FnMut(u64),
) -> Result<(u64, Digest)> {
    let mut file = File::open(path).map_err(io(path, "cannot be opened"))?;
    let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; PIECE_BYTES]);
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(io(path, "cannot be read"))?;
        if count == 0 {
            return Ok((bytes, Digest(hasher.finalize().into())));
        }
        let piece = &buffer[..count];
        hasher.update(piece);
        if let Some((target, file)) = &mut copy {
            file.write_all(piece).map_err(io(target, "cannot be written"))?;
        }
        bytes += count as u64;
        advance(count as u64);
    }
}

/// Writes the entries of a folder to the disk, so that what was put there stays after a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let doing = "cannot be written to the disk";
    if cfg!(unix) {
        let opened = File::open(folder).map_err(io(folder, doing))?;
        opened.sync_all().map_err(io(folder, doing))?;
    }
    Ok(())
}
