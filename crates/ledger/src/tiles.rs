//! The files of a ledger: their names and forms (C2SP tlog-tiles).

use std::ops::Range;
use std::path::Path;

use crate::disk;
use crate::edge::Edge;
use crate::error::Result;
use crate::fault::{Fault, Place, Wrong};
use crate::hash::{HASH_BYTES, Hash};
use crate::tree::{self, Nodes};

/// How many hashes a full tile has, and how many entries a full bundle.
pub(crate) const TILE_WIDTH: u64 = 256;

/// The height of a tile's subtree: `TILE_WIDTH` is `1 << TILE_HEIGHT`.
pub(crate) const TILE_HEIGHT: u32 = 8;

/// What the length of a tail with room is a multiple of.
const TAIL_STEP: u64 = 65_536;

/// Verifier key, head, and published checkpoint; see `docs/ledger.md`.
pub(crate) const VKEY: &str = "vkey";
pub(crate) const HEAD: &str = "head";
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// What is written beside a file before it takes the file's name.
pub(crate) const DRAFT_SUFFIX: &str = ".new";

/// A file of the ledger. Indices count tiles or bundles; a width marks a partial one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `vkey`
    Vkey,
    /// `head`
    Head,
    /// `checkpoint`
    Checkpoint,
    /// `head.new` and `checkpoint.new`
    Draft,
    /// `tail.<start>`: the entries after the last full bundle.
    Tail { start: u64 },
    /// `tile/<level>/<index>[.p/<width>]`
    Tile { level: u32, index: u64, width: Option<u64> },
    /// `tile/entries/<index>[.p/<width>]`
    Bundle { index: u64, width: Option<u64> },
}

impl Name {
    /// Reads a path relative to the ledger's folder; `None` if it is not a ledger file's.
    pub fn parse(path: &str) -> Option<Name> {
        match path {
            VKEY => return Some(Name::Vkey),
            HEAD => return Some(Name::Head),
            CHECKPOINT => return Some(Name::Checkpoint),
            "head.new" | "checkpoint.new" => return Some(Name::Draft),
            _ => {}
        }
        let name = parse_numbered(path)?;
        // Only the one way to write a name counts: no leading zeros, no missing ones.
        (name.path()? == path).then_some(name)
    }

    /// The path of a numbered file.
    fn path(self) -> Option<String> {
        match self {
            Name::Tail { start } => Some(tail_path(start)),
            Name::Tile { level, index, width } => Some(tile_path(level, index, width)),
            Name::Bundle { index, width } => Some(bundle_path(index, width)),
            Name::Vkey | Name::Head | Name::Checkpoint | Name::Draft => None,
        }
    }

    /// Whether a log of `size` entries that has published its first `published` has this file.
    pub fn belongs(self, size: u64, published: u64) -> bool {
        let (level, index, width) = match self {
            Name::Vkey | Name::Head | Name::Checkpoint => return true,
            Name::Draft => return false,
            Name::Tail { start } => return start == tail_start(size),
            Name::Tile { level, index, width } => (level, index, width),
            Name::Bundle { index, width } => (0, index, width),
        };
        match width {
            None => index < full_tiles(size, level),
            Some(width) => {
                let partial = (full_tiles(published, level), partial_width(published, level));
                width > 0 && (index, width) == partial
            }
        }
    }
}

fn parse_numbered(path: &str) -> Option<Name> {
    if let Some(start) = path.strip_prefix("tail.") {
        return Some(Name::Tail { start: start.parse().ok()? });
    }
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (parse_index(index)?, Some(width.parse().ok()?)),
        None => (parse_index(rest)?, None),
    };
    if level == "entries" {
        return Some(Name::Bundle { index, width });
    }
    Some(Name::Tile { level: level.parse().ok()?, index, width })
}

fn parse_index(text: &str) -> Option<u64> {
    text.split('/').try_fold(0_u64, |index, part| {
        let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
        index.checked_mul(1000)?.checked_add(digits)
    })
}

/// How many full tiles a log of `size` entries has at `level`.
pub(crate) fn full_tiles(size: u64, level: u32) -> u64 {
    size.checked_shr(TILE_HEIGHT.saturating_mul(level.saturating_add(1))).unwrap_or(0)
}

/// How many hashes the partial tile at `level` has; 0 if there is none.
pub(crate) fn partial_width(size: u64, level: u32) -> u64 {
    size.checked_shr(TILE_HEIGHT.saturating_mul(level)).unwrap_or(0) % TILE_WIDTH
}

/// The levels of a log of `size` entries at which there are hashes.
pub(crate) fn levels(size: u64) -> Range<u32> {
    0..(u64::BITS - size.leading_zeros()).div_ceil(TILE_HEIGHT)
}

/// The index of the first entry after the last full bundle.
pub(crate) fn tail_start(size: u64) -> u64 {
    size - size % TILE_WIDTH
}

pub(crate) fn tail_path(start: u64) -> String {
    format!("tail.{start}")
}

/// Where a tail ends that has these bytes of entries and room for more: zeros, written ahead, so
/// that the next entries change bytes of the file and not its length, which is quicker to sync.
pub(crate) fn roomy_tail(bytes: u64) -> u64 {
    bytes.next_multiple_of(TAIL_STEP)
}

/// Whether what follows the bytes of entries in a tail of this length is nothing, or room.
pub(crate) fn is_room(rest: &[u8], length: u64, entries: u64) -> bool {
    // In this form many bytes are looked at with one instruction.
    let is_zero = |part: &[u8]| part.iter().fold(0, |any, byte| any | byte) == 0;
    length == entries || length == roomy_tail(entries) && rest.chunks(4096).all(is_zero)
}

pub(crate) fn tile_path(level: u32, index: u64, width: Option<u64>) -> String {
    format!("tile/{level}/{}", index_path(index, width))
}

pub(crate) fn bundle_path(index: u64, width: Option<u64>) -> String {
    format!("tile/entries/{}", index_path(index, width))
}

/// 1234067 is `x001/x234/067`.
fn index_path(index: u64, width: Option<u64>) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    match width {
        Some(width) => format!("{path}.p/{width}"),
        None => path,
    }
}

/// Adds an entry to a bundle: its length in two bytes, big-endian, then the entry.
pub(crate) fn frame(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).expect("an entry is at most RECEIPT_BYTES_MAX long");
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
}

/// How many bytes an entry of this length has in a bundle.
pub(crate) fn framed_bytes(length: usize) -> u64 {
    2 + length as u64
}

/// Reads the first `count` entries of a bundle: where each lies. The rest is not looked at.
///
/// # Errors
/// The offset of the entry that is cut off.
pub(crate) fn unframe(bundle: &[u8], count: u64) -> Result<Vec<Range<usize>>, u64> {
    let mut entries = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let length = bundle.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        let end = at + 2 + usize::from(u16::from_be_bytes(length.ok_or(at as u64)?));
        if end > bundle.len() {
            return Err(at as u64);
        }
        entries.push(at + 2..end);
        at = end;
    }
    Ok(entries)
}

/// Reads a file that holds exactly `count` entries, no more.
pub(crate) fn whole_bundle(
    path: &str,
    bytes: &[u8],
    count: u64,
) -> Result<Vec<Range<usize>>, Fault> {
    let cut =
        |at| Wrong::Malformed(format!("an entry is cut off, {count} must be whole")).at(path, at);
    let entries = unframe(bytes, count).map_err(cut)?;
    let end = entries.last().map_or(0, |entry| entry.end);
    if end != bytes.len() {
        let what = Wrong::Malformed(format!("there are bytes after the {count} entries"));
        return Err(what.at(path, end as u64));
    }
    Ok(entries)
}

impl Wrong {
    fn at(self, path: &str, offset: u64) -> Fault {
        Fault::new(self, path, Place::Byte(offset))
    }
}

/// The bytes of a tile.
pub(crate) fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads a full tile.
pub(crate) fn read_tile(dir: &Path, level: u32, index: u64) -> Result<Vec<Hash>, Fault> {
    let path = tile_path(level, index, None);
    hashes(&path, &disk::read(dir, &path)?, TILE_WIDTH)
}

/// Takes the bytes of a tile apart, which must hold `count` hashes.
pub(crate) fn hashes(path: &str, bytes: &[u8], count: u64) -> Result<Vec<Hash>, Fault> {
    let (found, expected) = (bytes.len() as u64, count * HASH_BYTES as u64);
    if found != expected {
        return Err(Fault::file(Wrong::Length { found, expected }, path));
    }
    let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The tree's nodes, from the full tiles on the disk and the right edge in memory.
pub(crate) struct Tiles<'a> {
    pub dir: &'a Path,
    pub edge: &'a Edge,
}

impl Nodes for Tiles<'_> {
    fn node(&self, height: u32, index: u64) -> Result<Hash> {
        let (level, rest) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << rest;
        let (tile, offset) = (first / TILE_WIDTH, (first % TILE_WIDTH) as usize);
        let range = offset..offset + (1 << rest);
        if tile >= full_tiles(self.edge.size(), level) {
            return Ok(tree::complete_root(&self.edge.level(level)[range]));
        }
        Ok(tree::complete_root(&read_tile(self.dir, level, tile)?[range]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile_path(0, 1_234_067, None), "tile/0/x001/x234/067");
        assert_eq!(tile_path(3, 0, Some(1)), "tile/3/000.p/1");
        assert_eq!(tile_path(0, 1000, Some(255)), "tile/0/x001/000.p/255");
        assert_eq!(bundle_path(234, None), "tile/entries/234");
    }

    #[test]
    fn names_read_back() {
        for path in [
            "tile/0/x001/x234/067",
            "tile/3/000.p/1",
            "tile/entries/x001/234.p/17",
            "tail.0",
            "tail.512",
        ] {
            assert_eq!(Name::parse(path).unwrap().path().unwrap(), path);
        }
        for path in [
            "tile/00/000",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/+01",
            "tile/0/000.p/",
            "tile/0/000.p/01",
            "tile/0/000.q/1",
            "tail.",
            "tail.01",
            "tail.+1",
            "tile",
            "tile/0",
            "Head",
            "head ",
            "tile/entries",
            "readme",
            "tail.0.new",
        ] {
            assert_eq!(Name::parse(path), None, "{path}");
        }
    }

    /// The two examples in C2SP tlog-tiles, "Partial Tiles".
    #[test]
    fn a_log_of_70000_entries() {
        assert_eq!([0, 1, 2].map(|level| full_tiles(70_000, level)), [273, 1, 0]);
        assert_eq!([0, 1, 2, 3].map(|level| partial_width(70_000, level)), [112, 17, 1, 0]);
        assert_eq!(levels(70_000), 0..3);
        assert_eq!([0, 1].map(|level| full_tiles(256, level)), [1, 0]);
        assert_eq!([0, 1].map(|level| partial_width(256, level)), [0, 1]);
        assert_eq!(levels(256), 0..2);
        assert_eq!((levels(0), levels(255)), (0..0, 0..1));
        assert_eq!((full_tiles(u64::MAX, 63), partial_width(u64::MAX, 63)), (0, 0));
    }

    #[test]
    fn files_belong_by_size() {
        let belongs = |path| Name::parse(path).unwrap().belongs(70_000, 600);
        for path in ["vkey", "head", "checkpoint", "tail.69888", "tile/0/272", "tile/entries/272"] {
            assert!(belongs(path), "{path}");
        }
        for path in ["tile/1/000", "tile/0/002.p/88", "tile/entries/002.p/88", "tile/1/000.p/2"] {
            assert!(belongs(path), "{path}");
        }
        for path in ["head.new", "tail.0", "tail.70000", "tile/0/273", "tile/0/273.p/112"] {
            assert!(!belongs(path), "{path}");
        }
        for path in ["tile/2/000.p/1", "tile/0/002.p/87", "tile/2/000.p/0", "tile/63/000"] {
            assert!(!belongs(path), "{path}");
        }
    }

    #[test]
    fn bundles_read_back() {
        let mut bundle = Vec::new();
        frame(&mut bundle, b"one");
        frame(&mut bundle, b"");
        frame(&mut bundle, b"three");
        assert_eq!(unframe(&bundle, 3).unwrap(), [2..5, 7..7, 9..14]);
        assert_eq!(unframe(&bundle, 2).unwrap(), [2..5, 7..7]);
        assert_eq!(unframe(&bundle, 4), Err(14));
        assert_eq!(unframe(&bundle[..13], 3), Err(7));
        assert!(whole_bundle("tail.0", &bundle, 3).is_ok());
        let fault = whole_bundle("tail.0", &bundle, 2).unwrap_err();
        assert_eq!(fault.place, Place::Byte(7));
    }
}
