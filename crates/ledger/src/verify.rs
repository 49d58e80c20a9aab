//! Checks every byte of a ledger's folder, and names what is wrong and where. Changes nothing.
//!
//! The log is built again from its entries, and each file that this gives is compared with the one
//! on the disk. Which of two files that disagree is the altered one, the signed root decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::canonical;
use crate::checkpoint::Checkpoint;
use crate::create;
use crate::disk;
use crate::edge::{Contents, Edge};
use crate::error::Error;
use crate::fault::{Fault, Place, Wrong};
use crate::hash::Hash;
use crate::head::{read_signed, read_vkey};
use crate::key::VerifierKey;
use crate::lock::LockFile;
use crate::log::{check_continues, default_key_file};
use crate::publish::partial_paths;
use crate::receipt::Receipt;
use crate::tiles::{
    CHECKPOINT, HEAD, Name, TILE_WIDTH, Tiles, bundle_path, full_tiles, hashes, is_room,
    partial_width, tail_path, tail_start, tile_path, unframe, whole_bundle,
};
use crate::tree::Frontier;
use jiff::{SignedDuration, Timestamp};

/// What a ledger was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many receipts there are.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The log's name.
    pub origin: String,
    /// The first receipt whose time is more than a minute before that of one before it: a clock was
    /// set back, or someone dated it back. The order is that of the log all the same.
    pub dated_back: Option<u64>,
}

/// How far receipts that are written at the same time, or by several processes, may be apart.
const APART_MAX: SignedDuration = SignedDuration::from_secs(60);

/// What the caller knows from outside the ledger's folder.
///
/// Whoever can write the folder can put back an older state of it, with the checkpoint that was
/// signed then. Only something kept elsewhere shows that.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// A head that was seen before: the log must be as long at least, and continue it.
    pub head: Option<Checkpoint>,
    /// The private key's file: it must be the ledger's key, and readable by its owner only.
    pub key_file: Option<PathBuf>,
}

/// Checks the ledger in `dir`.
///
/// # Errors
/// The first fault that explains what was found.
pub fn verify(dir: &Path) -> Result<Verified, Fault> {
    verify_with(dir, &Expected::default())
}

/// Checks the ledger in `dir` against what is known from outside.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(dir: &Path, expected: &Expected) -> Result<Verified, Fault> {
    let snapshot = Snapshot::take(dir, expected)?;
    snapshot.check_names()?;
    let (edge, dated_back) = Replay::new(&snapshot).run()?;
    snapshot.check_partials(&edge)?;
    let tiles = Tiles { dir, edge: &edge };
    continues(&tiles, &snapshot.published, CHECKPOINT)?;
    if let Some(head) = &expected.head {
        continues(&tiles, head, HEAD)?;
    }
    if let Some(key_file) = &expected.key_file {
        check_key(key_file, &snapshot.key)?;
    }
    snapshot.check_left_over(&edge)?;
    let Checkpoint { origin, size, root } = snapshot.head;
    Ok(Verified { size, root, origin, dated_back })
}

/// Checks that the log continues `old`; blames `file`.
fn continues(tiles: &Tiles<'_>, old: &Checkpoint, file: &str) -> Result<(), Fault> {
    check_continues(tiles, old, file).map_err(|error| match error {
        Error::Fault(fault) => fault,
        other => Fault::file(Wrong::Unreadable(other.to_string()), file),
    })
}

fn check_key(key_file: &Path, key: &VerifierKey) -> Result<(), Fault> {
    let blame = |wrong| Fault::file(wrong, key_file.display().to_string());
    match create::read_key(key_file) {
        Ok(found) if found.verifier() == key => Ok(()),
        Ok(_) => Err(blame(Wrong::Key)),
        Err(error @ Error::Malformed { .. }) => Err(blame(Wrong::Malformed(error.to_string()))),
        Err(error) => Err(blame(Wrong::Unreadable(error.to_string()))),
    }
}

/// The files that change, as they are at one instant, and the names of all others.
struct Snapshot<'a> {
    dir: &'a Path,
    key: VerifierKey,
    head: Checkpoint,
    published: Checkpoint,
    tail: Vec<u8>,
    paths: Vec<String>,
    partials: BTreeMap<String, Vec<u8>>,
}

impl<'a> Snapshot<'a> {
    /// Reads them, with the lock held if there is one: a copy of a ledger has none and needs none.
    fn take(dir: &'a Path, expected: &Expected) -> Result<Snapshot<'a>, Fault> {
        let key_file = expected.key_file.clone().unwrap_or_else(|| default_key_file(dir));
        let lock = LockFile::find(&key_file);
        let _held = lock.as_ref().and_then(LockFile::shared);
        let key = read_vkey(dir)?;
        let (head, _) = read_signed(dir, HEAD, &key)?;
        let (published, _) = read_signed(dir, CHECKPOINT, &key)?;
        let read = |path: String| disk::read(dir, &path).map(|bytes| (path, bytes));
        let partials = partial_paths(published.size).into_iter().map(read);
        let partials = partials.collect::<Result<_, Fault>>()?;
        let tail = disk::read(dir, &tail_path(tail_start(head.size)))?;
        let paths = disk::list(dir)?;
        Ok(Snapshot { dir, key, head, published, tail, paths, partials })
    }

    /// Every file must be one that a ledger has.
    fn check_names(&self) -> Result<(), Fault> {
        let unknown = self.paths.iter().find(|path| Name::parse(path).is_none());
        unknown.map_or(Ok(()), |path| Err(Fault::file(Wrong::Unknown, path)))
    }

    /// Nothing may lie beyond what a log of this size has. This is asked last: it is the mildest
    /// fault, which opening the ledger removes, and must not stand before one that opening would
    /// remove the traces of.
    fn check_left_over(&self, edge: &Edge) -> Result<(), Fault> {
        let (size, published) = (self.head.size, self.published.size);
        let beyond =
            |path: &String| Name::parse(path).is_none_or(|name| !name.belongs(size, published));
        if let Some(path) = self.paths.iter().find(|path| beyond(path)) {
            return Err(Fault::file(Wrong::LeftOver, path));
        }
        let (length, entries) = (self.tail.len() as u64, edge.tail_bytes());
        match is_room(&self.tail[entries as usize..], length, entries) {
            true => Ok(()),
            false => Err(Fault::new(Wrong::LeftOver, edge.tail_path(), Place::Byte(entries))),
        }
    }

    /// Every partial tile must be what the full tile, or the edge, begins with.
    fn check_partials(&self, edge: &Edge) -> Result<(), Fault> {
        let tail = edge.tail();
        for (path, bytes) in &self.partials {
            let (full_path, of_edge) = match Name::parse(path) {
                Some(Name::Tile { level, index, .. }) => {
                    let full = index < full_tiles(edge.size(), level);
                    let hashes = crate::tiles::tile_bytes(edge.level(level));
                    (tile_path(level, index, None), (!full).then_some(hashes))
                }
                Some(Name::Bundle { index, .. }) => {
                    let full = index < full_tiles(edge.size(), 0);
                    (bundle_path(index, None), (!full).then(|| tail.bytes.clone()))
                }
                _ => continue,
            };
            let whole = of_edge.map_or_else(|| disk::read(self.dir, &full_path), Ok)?;
            self.check_partial(path, bytes, &whole)?;
        }
        Ok(())
    }

    fn check_partial(&self, path: &str, bytes: &[u8], whole: &[u8]) -> Result<(), Fault> {
        match Name::parse(path) {
            Some(Name::Bundle { width: Some(width), .. }) => {
                whole_bundle(path, bytes, width)?;
            }
            Some(Name::Tile { width: Some(width), .. }) => {
                hashes(path, bytes, width)?;
            }
            _ => {}
        }
        match first_difference(bytes, whole) {
            Some(at) if at < bytes.len() => {
                Err(Fault::new(Wrong::Hash, path, Place::Byte(at as u64)))
            }
            _ => Ok(()),
        }
    }
}

/// The offset of the first byte that differs, or the shorter length.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    let common = left.iter().zip(right).position(|(left, right)| left != right);
    common.or_else(|| (left.len() != right.len()).then(|| left.len().min(right.len())))
}

/// The log, built again from its entries.
struct Replay<'a> {
    snapshot: &'a Snapshot<'a>,
    edge: Edge,
    /// The root as the hashes at the lowest level have it, where it differs from the entries'.
    by_hashes: Frontier,
    /// The first entry that is not the one in its tile.
    differing: Option<Differing>,
    /// The first tile above the lowest level that is not the one that the tiles below give.
    upper: Option<Fault>,
    /// The first entry that is not a canonical receipt.
    receipt: Option<Fault>,
    /// The latest time of a receipt so far.
    latest: Timestamp,
    dated_back: Option<u64>,
}

/// An entry and a hash that disagree: one of the two files was altered.
struct Differing {
    index: u64,
    bundle: String,
    tile: String,
}

impl<'a> Replay<'a> {
    fn new(snapshot: &'a Snapshot<'a>) -> Replay<'a> {
        Replay {
            snapshot,
            edge: Edge::default(),
            by_hashes: Frontier::default(),
            differing: None,
            upper: None,
            receipt: None,
            latest: Timestamp::MIN,
            dated_back: None,
        }
    }

    fn run(mut self) -> Result<(Edge, Option<u64>), Fault> {
        for index in 0..full_tiles(self.snapshot.head.size, 0) {
            self.full_bundle(index)?;
        }
        self.tail()?;
        self.judge()?;
        Ok((self.edge, self.dated_back))
    }

    fn full_bundle(&mut self, index: u64) -> Result<(), Fault> {
        let (bundle_path, tile_path) = (bundle_path(index, None), tile_path(0, index, None));
        let bundle = disk::read(self.snapshot.dir, &bundle_path)?;
        let entries = whole_bundle(&bundle_path, &bundle, TILE_WIDTH)?;
        let tile = disk::read(self.snapshot.dir, &tile_path)?;
        let tile = hashes(&tile_path, &tile, TILE_WIDTH)?;
        let entries: Vec<&[u8]> = entries.into_iter().map(|range| &bundle[range]).collect();
        self.push_all(&entries, &tile, (&bundle_path, &tile_path))
    }

    fn tail(&mut self) -> Result<(), Fault> {
        let size = self.snapshot.head.size;
        let (path, count) = (tail_path(tail_start(size)), size - tail_start(size));
        let tail = &self.snapshot.tail;
        let cut = |at| {
            let wrong = Wrong::Malformed("an entry that the head covers is cut off".to_owned());
            Fault::new(wrong, &*path, Place::Byte(at))
        };
        let ranges = unframe(tail, count).map_err(cut)?;
        let entries: Vec<&[u8]> = ranges.into_iter().map(|range| &tail[range]).collect();
        let (tile_path, tile) = self.published_hashes()?;
        self.push_all(&entries, &tile, (&path, &tile_path))
    }

    /// The published hashes of the tail's entries, as far as there are any.
    fn published_hashes(&self) -> Result<(String, Vec<Hash>), Fault> {
        let published = self.snapshot.published.size;
        let index = full_tiles(published, 0);
        let width = partial_width(published, 0);
        let path = tile_path(0, index, Some(width));
        match self.snapshot.partials.get(&path) {
            Some(bytes) if index == full_tiles(self.snapshot.head.size, 0) => {
                let hashes = hashes(&path, bytes, width)?;
                Ok((path, hashes))
            }
            _ => Ok((path, Vec::new())),
        }
    }

    /// Adds entries and compares them with the hashes that there are for them.
    fn push_all(
        &mut self,
        entries: &[&[u8]],
        tile: &[Hash],
        (bundle_path, tile_path): (&str, &str),
    ) -> Result<(), Fault> {
        for (place, &entry) in entries.iter().enumerate() {
            let index = self.edge.size();
            let mut sealed = Vec::new();
            let leaf = self.edge.push(Arc::from(entry), &mut sealed);
            let hash = tile.get(place).copied().unwrap_or(leaf);
            self.by_hashes.push(hash);
            if hash != leaf && self.differing.is_none() {
                let (bundle, tile) = (bundle_path.to_owned(), tile_path.to_owned());
                self.differing = Some(Differing { index, bundle, tile });
            }
            self.check_receipt(entry, bundle_path, index);
            self.compare_upper(&sealed)?;
        }
        Ok(())
    }

    /// The bundle and the lowest tile were compared entry by entry; the tiles above are left.
    fn compare_upper(&mut self, sealed: &[Contents]) -> Result<(), Fault> {
        for contents in sealed.iter().skip(2) {
            let found = disk::read(self.snapshot.dir, &contents.path)?;
            hashes(&contents.path, &found, TILE_WIDTH)?;
            if let Some(at) = first_difference(&found, &contents.bytes) {
                let fault = Fault::new(Wrong::Hash, &*contents.path, Place::Byte(at as u64));
                self.upper.get_or_insert(fault);
            }
        }
        Ok(())
    }

    fn check_receipt(&mut self, entry: &[u8], path: &str, index: u64) {
        if self.receipt.is_some() {
            return;
        }
        let reason = match Receipt::from_entry(entry) {
            Err(error) => error.to_string(),
            Ok(_) if !canonical::is_canonical(entry) => "it is not canonical JSON".to_owned(),
            Ok(receipt) => return self.look_at_time(receipt.time, index),
        };
        self.receipt = Some(Fault::new(Wrong::Receipt(reason), path, Place::Entry(index)));
    }

    fn look_at_time(&mut self, time: Timestamp, index: u64) {
        if self.latest.duration_since(time) > APART_MAX {
            self.dated_back.get_or_insert(index);
        }
        self.latest = self.latest.max(time);
    }

    /// Says which file is wrong, if any. The signed root decides.
    fn judge(&mut self) -> Result<(), Fault> {
        let root = self.snapshot.head.root;
        let entries_lead_there = self.edge.root() == root;
        if let Some(Differing { index, bundle, tile }) = self.differing.take() {
            let place = Place::Entry(index);
            return Err(match (entries_lead_there, self.by_hashes.root() == root) {
                (true, _) => Fault::new(Wrong::Hash, tile, place),
                (false, true) => Fault::new(Wrong::Entry, bundle, place),
                (false, false) => Fault::new(Wrong::Root, bundle, place),
            });
        }
        if !entries_lead_there {
            return Err(self.root_fault());
        }
        self.upper.take().or(self.receipt.take()).map_or(Ok(()), Err)
    }

    /// The entries do not lead to the root, and all hashes agree with them. Where no hashes were
    /// published, that is the tail.
    fn root_fault(&self) -> Fault {
        let (head, published) = (self.snapshot.head.size, self.snapshot.published.size);
        let first = published.max(tail_start(head));
        if first < head {
            let place = Place::Entries(first, head);
            return Fault::new(Wrong::Root, tail_path(tail_start(head)), place);
        }
        Fault::new(Wrong::Root, HEAD, Place::File)
    }
}
