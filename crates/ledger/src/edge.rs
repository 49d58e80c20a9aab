//! The right edge of the tree: the entries and hashes that are not yet in a full tile.

use std::sync::Arc;

use crate::hash::Hash;
use crate::tiles::{
    TILE_HEIGHT, TILE_WIDTH, bundle_path, frame, framed_bytes, full_tiles, levels, partial_width,
    tail_path, tail_start, tile_bytes, tile_path,
};
use crate::tree::{Frontier, complete_root};

/// A file and what is to stand in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// The entries after the last full bundle, and at each level the hashes after the last full tile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    entries: Vec<Arc<[u8]>>,
    levels: Vec<Vec<Hash>>,
    frontier: Frontier,
}

impl Edge {
    /// Puts an edge together from the entries of the tail and the hashes at each level above the
    /// lowest.
    pub fn new(size: u64, entries: Vec<Arc<[u8]>>, upper: Vec<Vec<Hash>>) -> Edge {
        let lowest = entries.iter().map(|entry| Hash::leaf(entry)).collect();
        let levels: Vec<Vec<Hash>> = std::iter::once(lowest).chain(upper).collect();
        let mut frontier = Frontier::default();
        for (level, hashes) in (0..levels.len() as u32).zip(&levels).rev() {
            hashes.iter().for_each(|&hash| frontier.push_subtree(level * TILE_HEIGHT, hash));
        }
        Edge { size, entries, levels, frontier }
    }

    /// How many entries the log holds.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The hashes after the last full tile at `level`.
    pub fn level(&self, level: u32) -> &[Hash] {
        self.levels.get(level as usize).map_or(&[], Vec::as_slice)
    }

    /// The entries after the last full bundle.
    pub fn entries(&self) -> &[Arc<[u8]>] {
        &self.entries
    }

    /// Adds an entry. Tiles and the bundle that it fills go to `sealed`, lower levels first.
    pub fn push(&mut self, entry: Arc<[u8]>, sealed: &mut Vec<Contents>) -> Hash {
        let leaf = Hash::leaf(&entry);
        self.entries.push(entry);
        self.frontier.push(leaf);
        self.size += 1;
        if self.size.is_multiple_of(TILE_WIDTH) {
            let path = bundle_path(full_tiles(self.size, 0) - 1, None);
            sealed.push(Contents { path, bytes: bundle(&self.entries) });
            self.entries.clear();
        }
        self.push_hash(leaf, sealed);
        leaf
    }

    /// Adds a hash at the lowest level, and at each level above whose tile below is now full.
    fn push_hash(&mut self, leaf: Hash, sealed: &mut Vec<Contents>) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            let index = full_tiles(self.size, level as u32) - 1;
            let path = tile_path(level as u32, index, None);
            sealed.push(Contents { path, bytes: tile_bytes(hashes) });
            hash = complete_root(hashes);
            hashes.clear();
        }
    }

    /// The file of the entries after the last full bundle.
    pub fn tail(&self) -> Contents {
        Contents { path: self.tail_path(), bytes: bundle(&self.entries) }
    }

    /// The name of that file.
    pub fn tail_path(&self) -> String {
        tail_path(tail_start(self.size))
    }

    /// How many bytes it has.
    pub fn tail_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| framed_bytes(entry.len())).sum()
    }

    /// The partial tiles and the partial bundle that C2SP tlog-tiles asks for at this size.
    pub fn partials(&self) -> Vec<Contents> {
        let mut partials = Vec::new();
        if !self.entries.is_empty() {
            let width = Some(self.entries.len() as u64);
            let path = bundle_path(full_tiles(self.size, 0), width);
            partials.push(Contents { path, bytes: bundle(&self.entries) });
        }
        for level in levels(self.size) {
            let width = partial_width(self.size, level);
            if width > 0 {
                let path = tile_path(level, full_tiles(self.size, level), Some(width));
                partials.push(Contents { path, bytes: tile_bytes(self.level(level)) });
            }
        }
        partials
    }
}

/// Entries in the form of a bundle.
pub(crate) fn bundle(entries: &[Arc<[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| frame(&mut bytes, entry));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::{Name, Tiles, hashes};
    use crate::tree::{prove_inclusion, root, root_of_inclusion};
    use std::collections::BTreeMap;

    fn entry(index: u64) -> Arc<[u8]> {
        Arc::from(index.to_be_bytes())
    }

    /// 70,000 entries, the example in C2SP tlog-tiles: which tiles there are, that proofs can be
    /// made from them, and that the edge can be put together again from them.
    #[test]
    fn a_log_of_70000_entries() {
        let dir = tempfile::TempDir::new().unwrap();
        let (mut edge, mut sealed) = (Edge::default(), Vec::new());
        for index in 0..70_000 {
            edge.push(entry(index), &mut sealed);
        }
        let mut counts = BTreeMap::new();
        for Contents { path, bytes } in &sealed {
            let file = dir.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
            *counts.entry(path.split('/').nth(1).unwrap().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(
            counts,
            [("0", 273), ("1", 1), ("entries", 273)].map(|(k, v)| (k.into(), v)).into()
        );
        let partials: Vec<String> = edge.partials().into_iter().map(|file| file.path).collect();
        let expected =
            ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"];
        assert_eq!(partials, expected);
        assert!(partials.iter().all(|path| Name::parse(path).unwrap().belongs(70_000, 70_000)));

        let tiles = Tiles { dir: dir.path(), edge: &edge };
        assert_eq!(root(&tiles, 70_000).unwrap(), edge.root());
        for index in [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
            let path = prove_inclusion(&tiles, index, 70_000).unwrap();
            let leaf = Hash::leaf(&entry(index));
            assert_eq!(root_of_inclusion(index, 70_000, leaf, &path).unwrap(), edge.root());
        }
        let partials = edge.partials();
        let upper = partials[2..]
            .iter()
            .map(|file| hashes(&file.path, &file.bytes, file.bytes.len() as u64 / 32).unwrap());
        let again = Edge::new(70_000, edge.entries().to_vec(), upper.collect());
        assert_eq!(again.root(), edge.root());
    }
}
