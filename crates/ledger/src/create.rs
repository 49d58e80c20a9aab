//! The first opening of a ledger: key, empty log, and the order in which they appear.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk};
use crate::edge::{Contents, Edge};
use crate::error::{Error, Result};
use crate::fault::{Fault, Wrong};
use crate::key::SigningKey;
use crate::round::{create_all, sync_dir};
use crate::tiles::{CHECKPOINT, DRAFT_SUFFIX, HEAD, Name, VKEY};

/// Returns the private key; creates it and an empty log if neither is there.
///
/// The key takes its name last. As long as it has only its draft name, nothing was acknowledged,
/// and creation begins anew. The caller holds the lock.
pub(crate) fn key_of(
    dir: &Path,
    key_file: &Path,
    origin: &str,
    disk: &dyn Disk,
) -> Result<SigningKey> {
    let has_head = dir.join(HEAD).exists();
    if key_file.exists() {
        if !has_head && is_blank(dir)? {
            return Err(Error::LedgerMissing { dir: dir.to_owned(), key: key_file.to_owned() });
        }
        return read_key(key_file);
    }
    let draft = draft_of(key_file);
    if has_head && !draft.exists() {
        return Err(Error::KeyMissing { path: key_file.to_owned() });
    }
    if !is_blank(dir)? {
        return Err(Fault::file(Wrong::Missing, HEAD).into());
    }
    let key = SigningKey::generate(origin)?;
    write_key(&draft, &key)?;
    create_log(dir, &key, disk)?;
    fs::rename(&draft, key_file).map_err(|error| Error::file("rename", &draft, error))?;
    sync_dir(parent(key_file), disk)?;
    Ok(key)
}

/// The folder that a file lies in.
pub(crate) fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn draft_of(key_file: &Path) -> PathBuf {
    let mut name = key_file.as_os_str().to_owned();
    name.push(DRAFT_SUFFIX);
    name.into()
}

/// Whether no entry was ever written here.
fn is_blank(dir: &Path) -> Result<bool> {
    let holds_entries = |path: &String| match Name::parse(path) {
        Some(Name::Tile { .. } | Name::Bundle { .. }) => true,
        Some(Name::Tail { start }) => {
            start > 0 || fs::metadata(dir.join(path)).is_ok_and(|tail| tail.len() > 0)
        }
        _ => false,
    };
    Ok(!disk::list(dir)?.iter().any(holds_entries))
}

fn create_log(dir: &Path, key: &SigningKey, disk: &dyn Disk) -> Result<()> {
    let edge = Edge::default();
    let origin = key.verifier().name().to_owned();
    let note = Checkpoint { origin, size: 0, root: edge.root() }.sign(key)?;
    let text = |path: &str, text: String| Contents { path: path.into(), bytes: text.into_bytes() };
    let files = [
        text(VKEY, format!("{}\n", key.verifier())),
        edge.tail(),
        text(CHECKPOINT, note.clone()),
        text(HEAD, note),
    ];
    create_all(dir, disk, &files)
}

/// Writes the private key so that only its owner can read it.
pub(crate) fn write_key(path: &Path, key: &SigningKey) -> Result<()> {
    let failed = |error| Error::file("write", path, error);
    let removed = fs::remove_file(path);
    if let Err(error) = removed
        && error.kind() != ErrorKind::NotFound
    {
        return Err(failed(error));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(format!("{}\n", key.to_private_text()).as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads a private key file; refuses one that others can read.
pub(crate) fn read_key(path: &Path) -> Result<SigningKey> {
    let text = fs::read_to_string(path).map_err(|error| Error::file("read", path, error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::metadata(path).map_err(|error| Error::file("read", path, error))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Error::KeyExposed { path: path.to_owned() });
        }
    }
    SigningKey::from_private_text(text.strip_suffix('\n').unwrap_or(&text))
}
