//! Keys and values of prompts in files that outlive the program: sealed, bounded, and never
//! trusted.
//!
//! A page is a file under a name that only the tenant's key gives (HMAC), sealed for the one place
//! that it belongs to: tenant, model, adapter, and all tokens up to its last. Whatever does not
//! open there is deleted. Nothing else says what there is: no index can be wrong after a crash.
//! When there are too many bytes, those files go that were not used for longest.

use crate::seal::Key;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The longest page that is kept.
pub const PAGE_BYTES_MAX: usize = 24 << 20;

/// How a file begins; its last digit is the version of the form.
const MAGIC: [u8; 8] = *b"allodkv1";
/// Magic and the time at which it was made (seconds since 1970).
const HEAD_BYTES: usize = 16;
/// A nonce, and what proves that nothing was changed.
const SEAL_BYTES: usize = 24 + 16;
const FILE_BYTES_MAX: u64 = (HEAD_BYTES + SEAL_BYTES + PAGE_BYTES_MAX) as u64;
/// Files take whole blocks of the disk.
const DISK_BLOCK: u64 = 4096;
/// A file that is used within so long after its last use is not marked as used again.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// A draft that is so old belongs to a process that died.
const DRAFT_LIFE: Duration = Duration::from_secs(60);
/// What drafts end with.
const DRAFT: &str = "new";

/// A tenant's key for its pages, and the folder that they lie in. Who erases a person of the tenant
/// destroys both; what is still under way under this key then finds no folder.
#[derive(Clone)]
pub struct PageKey {
    tenant: String,
    folder: PathBuf,
    sealing: Key,
    naming: Key,
}

// It must stand in no line of a log.
impl std::fmt::Debug for PageKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PageKey").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The place of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageName {
    /// What the page is sealed for.
    place: String,
    file: String,
}

impl PageKey {
    pub(crate) fn new(tenant: &str, folder: PathBuf, key: &Key) -> PageKey {
        let (sealing, naming) = (key.derived("pages: sealing"), key.derived("pages: naming"));
        PageKey { tenant: tenant.to_owned(), folder, sealing, naming }
    }

    /// The names of the pages of so many tokens each that `tokens` begin with. `computed_with` says
    /// all that the values depend on beside the tokens: the model, its settings, the adapter, the
    /// form of the values.
    #[must_use]
    pub fn names(&self, computed_with: &str, tokens: &[u32], page_tokens: usize) -> Vec<PageName> {
        let mut chain = [0; 32];
        let name = |piece: &[u32]| {
            let mut hash = Sha256::new().chain_update(chain);
            piece.iter().for_each(|token| hash.update(token.to_le_bytes()));
            chain = hash.finalize().into();
            let place = format!("page\0{}\0{computed_with}\0{}", self.tenant, hex(&chain));
            PageName { file: hex(&self.naming.mac(&place)[..16]), place }
        };
        tokens.chunks_exact(page_tokens.max(1)).map(name).collect()
    }

    fn path(&self, name: &PageName) -> PathBuf {
        self.folder.join(&name.file)
    }
}

/// How pages fare that are kept in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes above which files are deleted.
    pub bytes_max: u64,
    /// Pages that were read.
    pub read: u64,
    /// Pages that were written.
    pub written: u64,
    /// Pages that were deleted as there was no room.
    pub evicted: u64,
    /// Files that were deleted as they were not what their name said.
    pub refused: u64,
    /// How often the disk failed.
    pub failed: u64,
    /// Pages that were not written, as others waited already or the disk had failed.
    pub passed_over: u64,
}

/// The files, of all tenants.
#[derive(Debug)]
pub struct PageFiles {
    root: PathBuf,
    bytes_max: u64,
    bytes: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    evicted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    passed_over: AtomicU64,
    has_warned: AtomicBool,
}

/// The folder of pages in a data folder.
pub(crate) fn root_of(data: &Path) -> PathBuf {
    data.join("prefixes")
}

impl PageFiles {
    /// The files of a data folder; `bytes_max` bounds them. Reads nothing: see
    /// [`PageFiles::tidy`].
    #[must_use]
    pub fn new(data: &Path, bytes_max: u64) -> PageFiles {
        PageFiles {
            root: root_of(data),
            bytes_max,
            bytes: AtomicU64::new(0),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
        }
    }

    /// How they fare.
    #[must_use]
    pub fn counts(&self) -> PageCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PageCounts {
            bytes: of(&self.bytes),
            bytes_max: self.bytes_max,
            read: of(&self.read),
            written: of(&self.written),
            evicted: of(&self.evicted),
            refused: of(&self.refused),
            failed: of(&self.failed),
            passed_over: of(&self.passed_over),
        }
    }

    /// Counts pages that somebody did not try to write.
    pub fn pass_over(&self, pages: usize) {
        self.passed_over.fetch_add(pages as u64, Ordering::Relaxed);
    }

    /// The page of this name, if it is there and whole. What is not is deleted.
    #[must_use]
    pub fn read(&self, key: &PageKey, name: &PageName) -> Option<Vec<u8>> {
        let path = key.path(name);
        let found = match bytes_of(&path) {
            Ok(found) => found,
            Err(error) => {
                self.note(&error, &path);
                return None;
            }
        };
        let page = found.and_then(|bytes| {
            let (head, sealed) = bytes.split_first_chunk::<HEAD_BYTES>()?;
            made_at(head)?;
            key.sealing.open(&sealed_for(head, name), sealed).ok()
        });
        match page {
            Some(page) => {
                self.read.fetch_add(1, Ordering::Relaxed);
                Some(page)
            }
            None => {
                self.refuse(&path);
                None
            }
        }
    }

    /// Deletes a page that turned out not to be one after it was read.
    pub fn forget(&self, key: &PageKey, name: &PageName) {
        self.refuse(&key.path(name));
    }

    fn refuse(&self, path: &Path) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        unseen(fs::remove_file(path));
    }

    /// Whether there is a file of this name. It is then marked as used, page `number` of its prompt
    /// a little before those that stand before it: a page is of no use without them.
    #[must_use]
    pub fn touch(&self, key: &PageKey, name: &PageName, number: usize) -> bool {
        let path = key.path(name);
        let Ok(metadata) = fs::symlink_metadata(&path) else { return false };
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > TOUCH_EVERY) {
            let marked = OpenOptions::new().write(true).open(&path);
            unseen(marked.and_then(|file| mark_used(&file, number)));
        }
        metadata.is_file()
    }

    /// Writes a page, whole or not at all. A failure is counted; `false` says that there is no use
    /// in writing more now.
    #[must_use]
    pub fn write(&self, key: &PageKey, name: &PageName, (number, page): (usize, &[u8])) -> bool {
        let length = on_disk((HEAD_BYTES + SEAL_BYTES + page.len()) as u64);
        if page.len() > PAGE_BYTES_MAX || length > self.bytes_max {
            self.pass_over(1);
            return false;
        }
        if self.bytes.load(Ordering::Relaxed) + length > self.bytes_max {
            self.make_room(length);
        }
        let path = key.path(name);
        match write_file(key, name, &path, (number, page)) {
            Ok(()) => {
                self.bytes.fetch_add(length, Ordering::Relaxed);
                self.written.fetch_add(1, Ordering::Relaxed);
                self.has_warned.store(false, Ordering::Relaxed);
                true
            }
            Err(error) => {
                self.note(&error, &path);
                false
            }
        }
    }

    /// Counts a failure of the disk. That a file or its folder is not there is none: there never
    /// was one, or what it held was erased.
    fn note(&self, error: &io::Error, path: &Path) {
        if error.kind() != ErrorKind::NotFound {
            self.fail(&format_args!("{}: {error}", path.display()));
        }
    }

    /// Counts a failure, and tells the log of the first one since the disk took something.
    pub fn fail(&self, error: &dyn std::fmt::Display) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "prefixes on disk cannot be used; answers do without");
        }
    }

    /// Counts what is there, and deletes what is too much and what processes that died left.
    pub fn tidy(&self) {
        self.make_room(0);
    }

    fn make_room(&self, more: u64) {
        let mut files = files_of(&self.root);
        let mut bytes: u64 = files.iter().map(|file| on_disk(file.length)).sum();
        files.sort_by_key(|file| file.used);
        // Not one by one: looking through all of them takes time.
        let too_many = bytes + more > self.bytes_max;
        let target = if too_many { self.bytes_max / 10 * 9 } else { self.bytes_max };
        for file in &files {
            let is_dead = file.is_draft && file.used.elapsed().is_ok_and(|age| age > DRAFT_LIFE);
            if !is_dead && bytes + more <= target {
                continue;
            }
            if fs::remove_file(&file.path).is_ok() {
                bytes -= on_disk(file.length);
                self.evicted.fetch_add(u64::from(!file.is_draft), Ordering::Relaxed);
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// Deletes all pages that were made before a time (seconds since 1970).
pub(crate) fn expire(root: &Path, before: i64) -> io::Result<u64> {
    let mut gone = 0;
    for file in files_of(root) {
        let mut head = [0; HEAD_BYTES];
        let read = File::open(&file.path).and_then(|mut file| file.read_exact(&mut head));
        let made = read.ok().and_then(|()| made_at(&head));
        if made.is_none_or(|made| made < before) && !file.is_draft {
            destroy(&file.path)?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Deletes the folders of keys that there are no more.
pub(crate) fn sweep(root: &Path, known: &[String]) -> io::Result<()> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if known.iter().any(|id| entry.file_name() == id.as_str()) {
            continue;
        }
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            fs::remove_file(&path)?;
            continue;
        }
        // Another process may still put a draft into it.
        let mut tries = 0;
        while let Err(error) = fs::remove_dir_all(&path) {
            tries += 1;
            match error.kind() {
                ErrorKind::NotFound => break,
                ErrorKind::DirectoryNotEmpty if tries < 100 => {}
                _ => return Err(error),
            }
        }
    }
    Ok(())
}

/// Makes the folder of a key, for the owner only.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A file that lies there.
struct Lying {
    path: PathBuf,
    length: u64,
    used: SystemTime,
    is_draft: bool,
}

/// All files; what cannot be read is passed over.
fn files_of(root: &Path) -> Vec<Lying> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let lying = |entry: fs::DirEntry| {
        let (path, metadata) = (entry.path(), entry.metadata().ok()?);
        let is_draft = path.extension().is_some_and(|end| end == DRAFT);
        let used = metadata.modified().ok()?;
        metadata.is_file().then_some(Lying { path, length: metadata.len(), used, is_draft })
    };
    entries(root).flat_map(|folder| entries(&folder.path()).filter_map(lying)).collect()
}

fn on_disk(length: u64) -> u64 {
    length.next_multiple_of(DISK_BLOCK)
}

/// When a file was made, if it begins as one of ours.
fn made_at(head: &[u8; HEAD_BYTES]) -> Option<i64> {
    let (magic, made) = head.split_first_chunk::<8>()?;
    (*magic == MAGIC).then(|| Some(i64::from_le_bytes(made.try_into().ok()?))).flatten()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a page is sealed for: its place, and all that stands before it in the file.
fn sealed_for(head: &[u8; HEAD_BYTES], name: &PageName) -> String {
    format!("{}\0{}", hex(head), name.place)
}

/// The bytes of a file; `None` for what cannot be a page: its length is looked at first.
fn bytes_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn write_file(
    key: &PageKey,
    name: &PageName,
    path: &Path,
    (number, page): (usize, &[u8]),
) -> io::Result<()> {
    let mut head = [0; HEAD_BYTES];
    let made = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let made = made.map_or(0, |age| age.as_secs());
    head[..8].copy_from_slice(&MAGIC);
    head[8..].copy_from_slice(&made.to_le_bytes());
    let sealed = key.sealing.seal(&sealed_for(&head, name), page).map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{}.{DRAFT}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    // It need not be durable: what a crash leaves of it does not open.
    let written = file
        .write_all(&head)
        .and_then(|()| file.write_all(&sealed))
        .and_then(|()| mark_used(&file, number))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        unseen(fs::remove_file(&draft));
    }
    written
}

/// Marks a file as used now, as page `number` of its prompt.
fn mark_used(file: &File, number: usize) -> io::Result<()> {
    file.set_modified(SystemTime::now() - Duration::from_millis(number as u64))
}

/// Overwrites what a file cannot be opened without, and deletes it.
fn destroy(path: &Path) -> io::Result<()> {
    let overwritten = OpenOptions::new().write(true).open(path).and_then(|mut file| {
        file.write_all(&[0; HEAD_BYTES + SEAL_BYTES])?;
        file.sync_data()
    });
    match overwritten.and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What failed here is seen when the file is used the next time.
fn unseen(_: io::Result<()>) {}

#[cfg(test)]
mod tests;
