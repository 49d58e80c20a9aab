//! The log: append a receipt, read it, prove it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::checkpoint::Checkpoint;
use crate::create;
use crate::disk::{self, Disk, RealDisk};
use crate::error::{Error, Result};
use crate::fault::{Fault, Place, Wrong};
use crate::hash::Hash;
use crate::head::{Head, read_signed, read_vkey};
use crate::key::SigningKey;
use crate::lock::LockFile;
use crate::page::LastPage;
use crate::proof;
use crate::publish;
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::recovery;
use crate::round::{Entry, Round, create_folder};
use crate::tiles::{CHECKPOINT, HEAD, TILE_WIDTH, Tiles, tail_start, tile_path};
use crate::tree;
use crate::witness;

/// Where an entry stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its index, from 0.
    pub index: u64,
    /// Its hash in the Merkle tree.
    pub leaf_hash: Hash,
}

/// A receipt as the log will store it, made ready before its turn to be written comes.
#[derive(Clone, Debug)]
pub struct Prepared(Entry);

impl Prepared {
    /// Makes a receipt ready.
    ///
    /// # Errors
    /// If it cannot be an entry.
    pub fn new(receipt: &Receipt) -> Result<Prepared> {
        Ok(Prepared(Entry::from(receipt.to_entry()?)))
    }
}

/// A log of receipts in a folder, open for appending.
///
/// Threads may share it, and several processes may have the same folder open.
pub struct Ledger {
    dir: PathBuf,
    key: SigningKey,
    disk: Arc<dyn Disk>,
    lock: LockFile,
    /// Held while this process writes; the lock file keeps other processes out.
    writer: Mutex<()>,
    head: RwLock<Arc<Head>>,
    queue: Queue<Vec<Entry>, Result<Vec<Leaf>>>,
    rounds: AtomicU64,
    last_page: LastPage,
}

impl Ledger {
    /// Opens the ledger in `dir`; creates key and log if neither is there. The private key is
    /// `keys/ledger.key` beside `dir`.
    ///
    /// `origin` names the log in every checkpoint, such as `gemeinde.example/allod`. What a crash
    /// left unacknowledged is removed.
    ///
    /// # Errors
    /// If the ledger has another origin or key, or if its files do not lead to the signed head.
    pub fn open(dir: &Path, origin: &str) -> Result<Ledger> {
        Ledger::open_with_key(dir, &default_key_file(dir), origin)
    }

    /// As [`Ledger::open`], with the private key in a file of the caller's choice.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with_key(dir: &Path, key_file: &Path, origin: &str) -> Result<Ledger> {
        Ledger::open_on(Arc::new(RealDisk), dir, key_file, origin, None)
    }

    /// As [`Ledger::open`], if the log continues a head that was seen before. Otherwise someone put
    /// an older or another log here, and nothing is changed: what opening would clear away as
    /// never acknowledged is the trace of what was.
    ///
    /// # Errors
    /// As [`Ledger::open`]; a [`Fault`] if the log was cut or rewritten.
    pub fn open_seen(dir: &Path, origin: &str, seen: &Checkpoint) -> Result<Ledger> {
        Ledger::open_on(Arc::new(RealDisk), dir, &default_key_file(dir), origin, Some(seen))
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        key_file: &Path,
        origin: &str,
        seen: Option<&Checkpoint>,
    ) -> Result<Ledger> {
        if let Some(seen) = seen.filter(|seen| seen.size > 0 && !dir.join(HEAD).exists()) {
            // Not even a new log is begun in its place.
            return Err(Fault::file(Wrong::Cut { found: 0, expected: seen.size }, HEAD).into());
        }
        create_folder(dir, &*disk)?;
        create_folder(create::parent(key_file), &*disk)?;
        let lock = LockFile::open(key_file)?;
        let held = lock.exclusive()?;
        let key = create::key_of(dir, key_file, origin, &*disk)?;
        check_identity(dir, key_file, &key, origin)?;
        let head = recovery::load(dir, key.verifier())?;
        let (published, _) = read_signed(dir, CHECKPOINT, key.verifier())?;
        let tiles = Tiles { dir, edge: &head.edge };
        check_continues(&tiles, &published, CHECKPOINT)?;
        seen.map_or(Ok(()), |seen| check_continues(&tiles, seen, HEAD))?;
        recovery::settle(dir, &*disk, &head)?;
        recovery::trim_tail(dir, &*disk, &head)?;
        recovery::sweep(dir, &*disk, head.checkpoint.size, published.size)?;
        drop(held);
        Ok(Ledger {
            dir: dir.to_owned(),
            key,
            disk,
            lock,
            writer: Mutex::new(()),
            head: RwLock::new(Arc::new(head)),
            queue: Queue::default(),
            rounds: AtomicU64::new(0),
            last_page: LastPage::default(),
        })
    }

    /// Records a receipt. On return, it and a signed checkpoint that covers it are durable.
    ///
    /// Calls from several threads at once share their writes to the disk.
    ///
    /// # Errors
    /// If the receipt cannot be an entry, or the disk fails. Then it is not recorded, except after
    /// [`Error::InDoubt`].
    pub fn append(&self, receipt: &Receipt) -> Result<Leaf> {
        let leaves = self.append_all(std::slice::from_ref(receipt))?;
        Ok(*leaves.first().expect("a round returns a leaf for each entry"))
    }

    /// Records several receipts with consecutive indices: all, or after an error none.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append_all(&self, receipts: &[Receipt]) -> Result<Vec<Leaf>> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let entry = |receipt: &Receipt| Ok(Entry::from(receipt.to_entry()?));
        let entries = receipts.iter().map(entry).collect::<Result<Vec<Entry>>>()?;
        self.submit(entries)
    }

    /// Records receipts of several callers with consecutive indices: all, or after an error none.
    /// Each caller gets its own.
    pub fn append_each(&self, receipts: &[Prepared]) -> Vec<Result<Leaf>> {
        let entries: Vec<Entry> = receipts.iter().map(|receipt| Arc::clone(&receipt.0)).collect();
        if entries.is_empty() {
            return Vec::new();
        }
        match self.submit(entries) {
            Ok(leaves) => leaves.into_iter().map(Ok).collect(),
            Err(error) => of_each(&Arc::new(error), receipts.len()),
        }
    }

    /// As [`Ledger::append_each`], while `beside` makes something else durable that the receipts
    /// stand on. Both are written at the same time, and the head moves once both are there. `None`
    /// if `beside` says that it failed: then no receipt is recorded.
    ///
    /// `beside` must not append here, nor wait for someone who does.
    pub fn append_beside(
        &self,
        receipts: &[Prepared],
        beside: &mut dyn FnMut() -> bool,
    ) -> Option<Vec<Result<Leaf>>> {
        let entries: Vec<Entry> = receipts.iter().map(|receipt| Arc::clone(&receipt.0)).collect();
        let written = self.write_round(&entries, Some(beside)).map_err(Arc::new).transpose()?;
        Some(match written {
            Ok(leaves) => leaves.into_iter().map(Ok).collect(),
            Err(error) => of_each(&error, receipts.len()),
        })
    }

    /// Has entries written with those of other callers.
    fn submit(&self, entries: Vec<Entry>) -> Result<Vec<Leaf>> {
        let leaves = self.queue.submit(entries, &|gathered| self.write_gathered(&gathered));
        leaves.unwrap_or_else(|| {
            let reason = std::io::Error::other("the thread that was writing it panicked");
            Err(Error::NotRecorded(Arc::new(Error::file("write", Path::new(HEAD), reason))))
        })
    }

    /// Writes the entries of several callers in one round, and gives each its own part of what came
    /// of it.
    fn write_gathered(&self, gathered: &[Vec<Entry>]) -> Vec<Result<Vec<Leaf>>> {
        let written = self.write_round(&gathered.concat(), None).map_err(Arc::new);
        let written = written.map(|leaves| leaves.expect("there is nothing beside that fails"));
        let mut end = 0;
        let part = |own: &Vec<Entry>| {
            let start = end;
            end += own.len();
            match &written {
                Ok(leaves) => Ok(leaves[start..end].to_vec()),
                Err(error) => Err(Error::of_one(error, start as u64)),
            }
        };
        gathered.iter().map(part).collect()
    }

    /// Reads the receipt at `index`.
    ///
    /// # Errors
    /// If there is none, or the entry is not the one that was recorded.
    pub fn read(&self, index: u64) -> Result<Receipt> {
        Receipt::from_entry(&self.entry(index)?)
    }

    /// Reads the entry at `index`: the receipt's canonical JSON.
    ///
    /// # Errors
    /// As [`Ledger::read`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let head = self.head();
        if index < head.checkpoint.size {
            return self.entry_under(&head, index);
        }
        self.refresh()?; // another process may have appended it
        self.entry_under(&self.head(), index)
    }

    /// The head as this process last saw it.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.head().checkpoint.clone()
    }

    /// The same head as a signed note: a C2SP checkpoint.
    #[must_use]
    pub fn signed_checkpoint(&self) -> String {
        self.head().note.clone()
    }

    /// Looks whether another process has appended, and returns the head.
    ///
    /// # Errors
    /// If the files do not lead to the head, or the head does not continue the last one seen.
    pub fn refresh(&self) -> Result<Checkpoint> {
        let _writer = self.writer();
        let _held = self.lock.exclusive()?;
        Ok(self.current()?.checkpoint.clone())
    }

    /// Writes the files that others need to check the log as it is now: the partial tiles of C2SP
    /// tlog-tiles and the file `checkpoint`. Those of the last publication are removed.
    ///
    /// # Errors
    /// If the disk fails. The last publication then still holds.
    pub fn publish(&self) -> Result<Checkpoint> {
        Ok(self.publish_head()?.checkpoint.clone())
    }

    /// A C2SP tlog-proof that the entry at `index` is in the log. Publishes the checkpoint in it.
    ///
    /// # Errors
    /// If there is no such entry, or the files do not bear the proof out.
    pub fn prove(&self, index: u64) -> Result<String> {
        let head = self.publish_head()?;
        let leaf = Hash::leaf(&self.entry_under(&head, index)?);
        let tiles = Tiles { dir: &self.dir, edge: &head.edge };
        let size = head.checkpoint.size;
        let path = tree::prove_inclusion(&tiles, index, size)?;
        if tree::root_of_inclusion(index, size, leaf, &path)? != head.checkpoint.root {
            let file = tile_path(0, index / TILE_WIDTH, None);
            return Err(Fault::new(Wrong::Hash, file, Place::Entry(index)).into());
        }
        Ok(proof::to_text(index, &path, &head.note))
    }

    /// The hashes that show, to [`crate::check_consistency`], that the log at
    /// [`Ledger::checkpoint`] begins with what it held when it had `old_size` entries.
    ///
    /// # Errors
    /// If the log never had that many entries, or a tile cannot be read.
    pub fn prove_consistency(&self, old_size: u64) -> Result<Vec<Hash>> {
        let head = self.head();
        let size = head.checkpoint.size;
        if old_size > size {
            return Err(Error::NoSuchEntry { index: old_size, size });
        }
        let tiles = Tiles { dir: &self.dir, edge: &head.edge };
        tree::prove_consistency(&tiles, old_size, size)
    }

    /// What a [`crate::Witness`] is asked that has cosigned `old_size` entries: the body of the
    /// request, and the checkpoint in it, which is published.
    ///
    /// # Errors
    /// As [`Ledger::prove_consistency`].
    pub fn witness_request(&self, old_size: u64) -> Result<(String, String)> {
        let head = self.publish_head()?;
        let size = head.checkpoint.size;
        if old_size > size {
            return Err(Error::NoSuchEntry { index: old_size, size });
        }
        let tiles = Tiles { dir: &self.dir, edge: &head.edge };
        let proof = tree::prove_consistency(&tiles, old_size, size)?;
        Ok((witness::request(old_size, &proof, &head.note), head.note.clone()))
    }

    /// As [`Ledger::prove`], under an earlier checkpoint of this log: one that witnesses have
    /// cosigned, whose signatures the proof then bears.
    ///
    /// # Errors
    /// If the checkpoint is not one of this log, or the entry came after it.
    pub fn prove_under(&self, index: u64, note: &str) -> Result<String> {
        let checkpoint = Checkpoint::open(note, self.key.verifier())?;
        let (size, head) = (checkpoint.size, self.head());
        if index >= size || size > head.checkpoint.size {
            return Err(Error::NoSuchEntry { index, size });
        }
        let leaf = Hash::leaf(&self.entry_under(&head, index)?);
        let tiles = Tiles { dir: &self.dir, edge: &head.edge };
        let path = tree::prove_inclusion(&tiles, index, size)?;
        if tree::root_of_inclusion(index, size, leaf, &path)? != checkpoint.root {
            let reason = "the log does not continue this checkpoint";
            return Err(Error::ProofFails { kind: "inclusion", reason });
        }
        Ok(proof::to_text(index, &path, note))
    }

    /// The text of the key that checks this log's checkpoints.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.key.verifier().name()
    }

    /// The ledger's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many rounds of writing this value has made. Entries appended at the same time share one.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Publishes and closes. Dropping does the same, but cannot say if it fails.
    ///
    /// # Errors
    /// As [`Ledger::publish`].
    pub fn close(self) -> Result<()> {
        self.publish().map(drop)
    }

    fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_head(&self, head: Head) -> Arc<Head> {
        let head = Arc::new(head);
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&head);
        head
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if what is to be done beside it failed.
    fn write_round(
        &self,
        entries: &[Entry],
        beside: Option<&mut dyn FnMut() -> bool>,
    ) -> Result<Option<Vec<Leaf>>> {
        let _writer = self.writer();
        let _held = self.lock.exclusive()?;
        let head = self.current()?;
        let tail_length = recovery::trim_tail(&self.dir, &*self.disk, &head)?;
        let round = Round::plan(&head, tail_length, entries, &self.key)?;
        if !round.write(&self.dir, &*self.disk, beside)? {
            return Ok(None);
        }
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.set_head(round.head);
        Ok(Some(round.leaves))
    }

    /// The head on the disk. The caller holds the lock.
    fn current(&self) -> Result<Arc<Head>> {
        let known = self.head();
        if disk::read(&self.dir, HEAD)? == known.note.as_bytes() {
            return Ok(known);
        }
        let head = recovery::load(&self.dir, self.key.verifier())?;
        let tiles = Tiles { dir: &self.dir, edge: &head.edge };
        check_continues(&tiles, &known.checkpoint, HEAD)?;
        recovery::settle(&self.dir, &*self.disk, &head)?;
        Ok(self.set_head(head))
    }

    fn publish_head(&self) -> Result<Arc<Head>> {
        let _writer = self.writer();
        let _held = self.lock.exclusive()?;
        let head = self.current()?;
        publish::publish(&self.dir, &*self.disk, &head, self.key.verifier())?;
        Ok(head)
    }

    /// Cuts the tail's room off, so that a ledger that nobody writes has none.
    fn cut_room(&self) -> Result<()> {
        let _writer = self.writer();
        let _held = self.lock.exclusive()?;
        let head = self.current()?;
        recovery::cut_tail(&self.dir, &*self.disk, &head)
    }

    fn entry_under(&self, head: &Head, index: u64) -> Result<Vec<u8>> {
        let size = head.checkpoint.size;
        if index >= size {
            return Err(Error::NoSuchEntry { index, size });
        }
        if index >= tail_start(size) {
            return Ok(head.edge.entries()[(index % TILE_WIDTH) as usize].to_vec());
        }
        self.last_page.entry(&self.dir, index)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // What is not published now is published the next time; nothing acknowledged is lost. Room
        // that is left is no fault.
        let _ = self.publish();
        let _ = self.cut_room();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.head();
        write!(formatter, "Ledger({}, {} entries)", self.dir.display(), head.checkpoint.size)
    }
}

/// What a round that failed means for each of its entries.
fn of_each(error: &Arc<Error>, entries: usize) -> Vec<Result<Leaf>> {
    (0..entries).map(|place| Err(Error::of_one(error, place as u64))).collect()
}

/// The private key's place if none is given: `keys/ledger.key` beside the ledger's folder.
pub(crate) fn default_key_file(dir: &Path) -> PathBuf {
    create::parent(dir).join("keys").join("ledger.key")
}

fn check_identity(dir: &Path, key_file: &Path, key: &SigningKey, origin: &str) -> Result<()> {
    let vkey = read_vkey(dir)?;
    if vkey.name() != origin {
        let (found, expected) = (vkey.name().to_owned(), origin.to_owned());
        return Err(Error::OriginDiffers { dir: dir.to_owned(), found, expected });
    }
    if vkey != *key.verifier() {
        return Err(Error::KeyDiffers { path: key_file.to_owned() });
    }
    Ok(())
}

/// Checks that the log in `tiles` begins with all that it held at `old`; blames `file`.
pub(crate) fn check_continues(tiles: &Tiles<'_>, old: &Checkpoint, file: &str) -> Result<()> {
    let found = tiles.edge.size();
    if found < old.size {
        return Err(Fault::file(Wrong::Cut { found, expected: old.size }, file).into());
    }
    if tree::root(tiles, old.size)? != old.root {
        return Err(Fault::file(Wrong::Rewritten { size: old.size }, file).into());
    }
    Ok(())
}
