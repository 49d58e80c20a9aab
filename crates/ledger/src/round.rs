//! One round of writing: some entries, the files they fill, and the head that covers them.
//!
//! The order is what makes it safe. First everything that the new head stands on is made durable;
//! then the new head takes the place of the old, in one step: written over it, which changes one
//! sector and nothing else of the file, or by a rename where it has another length. Before that
//! step the old head holds and what was written is not counted; after it the new head holds and all
//! of it is there.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::edge::{Contents, Edge, bundle};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::key::SigningKey;
use crate::log::Leaf;
use crate::tiles::{DRAFT_SUFFIX, HEAD, roomy_tail};

/// An entry of the log: the canonical bytes of a receipt.
pub(crate) type Entry = Arc<[u8]>;

/// What a disk writes wholly or not at all, in bytes; most have larger ones, made of these.
const SECTOR_BYTES: usize = 512;

/// What a round will write.
pub(crate) struct Round {
    pub head: Head,
    pub leaves: Vec<Leaf>,
    /// Tiles and bundles that are now full, lower levels first.
    sealed: Vec<Contents>,
    /// The old head's tail, and how many of its bytes are acknowledged.
    old_tail: (String, u64),
    /// What comes after those bytes, if the tail is the same file still: the entries, and room for
    /// others where these fill it.
    tail_growth: Vec<u8>,
    /// The old head's note.
    old_note: String,
}

impl Round {
    /// Works out the round; writes nothing. The old head's tail is as long as given, with room.
    pub fn plan(
        old: &Head,
        tail_length: u64,
        entries: &[Entry],
        key: &SigningKey,
    ) -> Result<Round> {
        let mut edge = old.edge.clone();
        let mut sealed = Vec::new();
        let leaves = append(&mut edge, entries, &mut sealed);
        let origin = old.checkpoint.origin.clone();
        let checkpoint = Checkpoint { origin, size: edge.size(), root: edge.root() };
        let note = checkpoint.sign(key)?;
        Ok(Round {
            head: Head { checkpoint, note, edge },
            leaves,
            sealed,
            tail_growth: growth(old.edge.tail_bytes(), tail_length, entries),
            old_tail: (old.edge.tail_path(), old.edge.tail_bytes()),
            old_note: old.note.clone(),
        })
    }

    /// Writes the round and moves the head, once what is done beside is done. If that failed the
    /// old head holds, and this gives `false`.
    ///
    /// # Errors
    /// [`Error::InDoubt`] if the head was moved and it is not known whether that is durable. After
    /// any other error the old head holds.
    pub fn write(
        &self,
        dir: &Path,
        disk: &dyn Disk,
        beside: Option<&mut dyn FnMut() -> bool>,
    ) -> Result<bool> {
        let prepare = || self.prepare(dir, disk);
        let (prepared, beside) = match beside {
            Some(beside) => at_once(&prepare, beside),
            None => (prepare(), true),
        };
        if !beside || prepared.is_err() {
            self.abandon(dir, disk);
        }
        if !beside {
            return Ok(false);
        }
        prepared?;
        let moved = self.move_head(dir, disk);
        if moved.is_ok() && !self.sealed.is_empty() {
            // If this fails, the next opening removes it.
            let _ = disk.remove(&dir.join(&self.old_tail.0));
        }
        moved.map(|()| true).map_err(|error| self.judge(dir, disk, error))
    }

    /// Makes durable all that the new head stands on.
    fn prepare(&self, dir: &Path, disk: &dyn Disk) -> Result<()> {
        if self.sealed.is_empty() {
            let path = dir.join(&self.old_tail.0);
            let written = disk.write_at(&path, self.old_tail.1, &self.tail_growth);
            written.map_err(|error| Error::file("write", &path, error))?;
        } else {
            create_all(dir, disk, &self.sealed)?;
            create_all(dir, disk, &[self.head.edge.tail()])?;
        }
        if self.fits_over_the_old() {
            return Ok(());
        }
        write_draft(dir, disk, HEAD, &self.head.note)
    }

    /// Whether the new head can be written over the old one: most can, for as long as the number of
    /// entries has as many digits.
    fn fits_over_the_old(&self) -> bool {
        let length = self.head.note.len();
        length == self.old_note.len() && length <= SECTOR_BYTES
    }

    /// The commit: one step, durable on return.
    fn move_head(&self, dir: &Path, disk: &dyn Disk) -> Result<()> {
        if !self.fits_over_the_old() {
            return adopt_draft(dir, disk, HEAD);
        }
        let file = dir.join(HEAD);
        let written = disk.write_sector(&file, self.head.note.as_bytes());
        written.map_err(|error| Error::file("write", &file, error))
    }

    /// The head could not be moved: finds out whether the old one is still in its place.
    fn judge(&self, dir: &Path, disk: &dyn Disk, error: Error) -> Error {
        let note = std::fs::read(dir.join(HEAD));
        if note.is_ok_and(|note| note == self.old_note.as_bytes()) {
            self.abandon(dir, disk);
            return error;
        }
        let index = self.leaves.first().map_or(self.head.checkpoint.size, |leaf| leaf.index);
        Error::InDoubt { index, source: Arc::new(error) }
    }

    /// Clears away what was written. What stays because this fails too is not counted, and goes
    /// when the next round begins or the ledger is opened.
    fn abandon(&self, dir: &Path, disk: &dyn Disk) {
        let _ = disk.set_len(&dir.join(&self.old_tail.0), self.old_tail.1);
        let _ = disk.remove(&draft(dir, HEAD));
        if !self.sealed.is_empty() {
            let tail = self.head.edge.tail();
            for contents in self.sealed.iter().chain([&tail]) {
                let _ = disk.remove(&dir.join(&contents.path));
            }
        }
    }
}

/// Does one thing in a thread of its own and another in this one, so that they wait for the disk at
/// the same time; or one after the other, if there can be no more threads.
fn at_once<One: Send, Other>(
    one: &(dyn Fn() -> One + Sync),
    other: &mut dyn FnMut() -> Other,
) -> (One, Other) {
    std::thread::scope(|scope| {
        let begun = std::thread::Builder::new().spawn_scoped(scope, one);
        let other = other();
        let one = match begun {
            Ok(begun) => begun.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => one(),
        };
        (one, other)
    })
}

/// What is written after the entries of a tail.
fn growth(old_bytes: u64, tail_length: u64, entries: &[Entry]) -> Vec<u8> {
    let mut growth = bundle(entries);
    let end = old_bytes + growth.len() as u64;
    if end > tail_length {
        growth.resize((roomy_tail(end) - old_bytes) as usize, 0);
    }
    growth
}

fn append(edge: &mut Edge, entries: &[Entry], sealed: &mut Vec<Contents>) -> Vec<Leaf> {
    let leaf = |entry: &Entry| Leaf {
        index: edge.size(),
        leaf_hash: edge.push(Arc::clone(entry), sealed),
    };
    entries.iter().map(leaf).collect()
}

/// Creates files and the folders they lie in; contents and names are durable on return.
pub(crate) fn create_all(dir: &Path, disk: &dyn Disk, files: &[Contents]) -> Result<()> {
    let mut folders = BTreeSet::new();
    for contents in files {
        let path = dir.join(&contents.path);
        let folder = path.parent().unwrap_or(dir).to_owned();
        create_folder(&folder, disk)?;
        disk.create(&path, &contents.bytes).map_err(|error| Error::file("write", &path, error))?;
        folders.insert(folder);
    }
    folders.iter().try_for_each(|folder| sync_dir(folder, disk))
}

/// Creates a folder and those above it, where they are missing.
pub(crate) fn create_folder(folder: &Path, disk: &dyn Disk) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    create_folder(parent, disk)?;
    match disk.create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::file("create", folder, error)),
        Ok(()) => {
            sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent }, disk)
        }
    }
}

pub(crate) fn sync_dir(folder: &Path, disk: &dyn Disk) -> Result<()> {
    disk.sync_dir(folder).map_err(|error| Error::file("sync", folder, error))
}

/// Writes what is to take a file's place beside it.
pub(crate) fn write_draft(dir: &Path, disk: &dyn Disk, path: &str, text: &str) -> Result<()> {
    let draft = draft(dir, path);
    disk.create(&draft, text.as_bytes()).map_err(|error| Error::file("write", &draft, error))
}

/// Puts what [`write_draft`] wrote in the file's place; durable on return.
pub(crate) fn adopt_draft(dir: &Path, disk: &dyn Disk, path: &str) -> Result<()> {
    let file = dir.join(path);
    disk.rename(&draft(dir, path), &file).map_err(|error| Error::file("replace", &file, error))?;
    sync_dir(dir, disk)
}

fn draft(dir: &Path, path: &str) -> std::path::PathBuf {
    dir.join(format!("{path}{DRAFT_SUFFIX}"))
}
