//! Making and opening the file: folder, modes, pragmas.

use super::{BUSY_TIMEOUT, DATABASE_FILE};
use crate::Error;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Flags of the connection: no URIs (a path may hold any character), no symbolic surprises.
pub(super) fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Makes the folder and an empty database where they are missing, for the owner only. SQLite gives
/// the files that it makes beside the database the same mode.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf, Error> {
    let explain = |path: &Path, source| Error::Folder { path: path.to_owned(), source };
    private_folder(folder).map_err(|source| explain(folder, source))?;
    let path = folder.join(DATABASE_FILE);
    private_file(&path).map_err(|source| explain(&path, source))?;
    Ok(path)
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let new = !path.exists();
    let file = options.open(path)?;
    tighten(&file)?;
    if new && let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Takes a wider mode away from a database that was copied here with one.
#[cfg(unix)]
fn tighten(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn tighten(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the file's name durable: SQLite syncs the folder only for files that it makes itself.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    // A relative file name's parent is the empty path, which means the current folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Sets what holds for the connection.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten; it may be the key of someone who is to be forgotten.
    connection.pragma_update(None, "secure_delete", true)?;
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a plain fsync leaves data in the drive's cache; elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", true)
}

/// Switches to the write-ahead log. SQLite does not use its busy handler for this switch, so two
/// processes that open a new folder at once would fail; we wait ourselves.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let end = Instant::now() + BUSY_TIMEOUT;
    loop {
        let result = connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        match result {
            Err(error) if is_busy(&error) && Instant::now() < end => {
                sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
