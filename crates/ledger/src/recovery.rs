//! Opening a ledger after whatever happened: load what is acknowledged, clear away what is not.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::disk::{self, Disk};
use crate::edge::Edge;
use crate::error::{Error, Result};
use crate::fault::{Fault, Place, Wrong};
use crate::hash::Hash;
use crate::head::{Head, read_signed};
use crate::key::VerifierKey;
use crate::round::{Entry, adopt_draft, write_draft};
use crate::tiles::{
    HEAD, Name, TILE_WIDTH, full_tiles, is_room, levels, partial_width, read_tile, roomy_tail,
    tail_path, tail_start, unframe,
};
use crate::tree;

/// Reads the head and what it stands on. Changes nothing.
///
/// # Errors
/// A [`Fault`] if the tail or the tiles at the right edge do not lead to the signed root. Bytes
/// beyond what the head covers are no fault: they were never acknowledged.
pub(crate) fn load(dir: &Path, key: &VerifierKey) -> Result<Head, Fault> {
    let (checkpoint, note) = read_signed(dir, HEAD, key)?;
    let size = checkpoint.size;
    let entries = read_tail(dir, size)?;
    let upper = levels(size).skip(1).map(|level| read_level(dir, size, level));
    let edge = Edge::new(size, entries, upper.collect::<Result<_, Fault>>()?);
    if edge.root() != checkpoint.root {
        let place = Place::Entries(tail_start(size), size);
        return Err(Fault::new(Wrong::Root, tail_path(tail_start(size)), place));
    }
    Ok(Head { checkpoint, note, edge })
}

/// The entries after the last full bundle that the head covers.
fn read_tail(dir: &Path, size: u64) -> Result<Vec<Entry>, Fault> {
    let path = tail_path(tail_start(size));
    let bytes = disk::read(dir, &path)?;
    let entries = unframe(&bytes, size - tail_start(size)).map_err(|offset| {
        let reason = "an entry that the head covers is cut off".to_owned();
        Fault::new(Wrong::Malformed(reason), path, Place::Byte(offset))
    })?;
    Ok(entries.into_iter().map(|range| Arc::from(&bytes[range])).collect())
}

/// The hashes after the last full tile at `level`: each the root of a full tile one level below.
fn read_level(dir: &Path, size: u64, level: u32) -> Result<Vec<Hash>, Fault> {
    let first = full_tiles(size, level) * TILE_WIDTH;
    let tiles = first..first + partial_width(size, level);
    tiles.map(|tile| Ok(tree::complete_root(&read_tile(dir, level - 1, tile)?))).collect()
}

/// Writes the head once more, so that it is durable whatever became of the process that moved it.
pub(crate) fn settle(dir: &Path, disk: &dyn Disk, head: &Head) -> Result<()> {
    write_draft(dir, disk, HEAD, &head.note)?;
    adopt_draft(dir, disk, HEAD)
}

/// Makes the tail end where the head says, but for room; gives its length. What else comes after
/// was never acknowledged.
///
/// # Errors
/// A [`Fault`] if the tail is too short.
pub(crate) fn trim_tail(dir: &Path, disk: &dyn Disk, head: &Head) -> Result<u64> {
    let (name, entries) = (head.edge.tail_path(), head.edge.tail_bytes());
    let path = dir.join(&name);
    let (length, rest) =
        read_from(&path, entries).map_err(|error| Error::file("read", &path, error))?;
    if length < entries {
        let wrong = Wrong::Length { found: length, expected: entries };
        return Err(Fault::file(wrong, name).into());
    }
    if is_room(&rest, length, entries) {
        return Ok(length);
    }
    cut_tail(dir, disk, head)?;
    Ok(entries)
}

/// The length of a file, and what stands in it from an offset on, as far as room may go.
fn read_from(path: &Path, offset: u64) -> std::io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut rest = Vec::new();
    if length > offset {
        let most = roomy_tail(offset) - offset;
        rest.reserve(most as usize);
        file.seek(SeekFrom::Start(offset))?;
        file.take(most).read_to_end(&mut rest)?;
    }
    Ok((length, rest))
}

/// Makes the tail end where the head says, without room.
pub(crate) fn cut_tail(dir: &Path, disk: &dyn Disk, head: &Head) -> Result<()> {
    let path = dir.join(head.edge.tail_path());
    let cut = disk.set_len(&path, head.edge.tail_bytes());
    cut.map_err(|error| Error::file("cut", &path, error))
}

/// Removes what an interrupted round or publication left. Files that no ledger has are left alone;
/// `verify` names them.
pub(crate) fn sweep(dir: &Path, disk: &dyn Disk, size: u64, published: u64) -> Result<()> {
    for path in disk::list(dir)? {
        let left = Name::parse(&path).is_some_and(|name| !name.belongs(size, published));
        if left {
            let path = dir.join(path);
            disk.remove(&path).map_err(|error| Error::file("remove", &path, error))?;
        }
    }
    Ok(())
}
