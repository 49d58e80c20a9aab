//! The Merkle tree: roots, inclusion, consistency (RFC 6962, section 2.1; RFC 9162, section 2.1).

use crate::error::{Error, Result};
use crate::hash::Hash;

/// Where the hashes of complete subtrees come from.
pub(crate) trait Nodes {
    /// The root of the complete subtree over leaves `index << height .. (index + 1) << height`.
    fn node(&self, height: u32, index: u64) -> Result<Hash>;
}

/// The roots of the complete subtrees that a tree consists of, from the largest to the smallest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Adds one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Adds a complete subtree of `1 << height` leaves. The size must be a multiple of that.
    pub fn push_subtree(&mut self, height: u32, root: Hash) {
        debug_assert_eq!(self.size & ((1 << height) - 1), 0);
        let mut root = root;
        let mut subtrees = self.size >> height;
        while subtrees & 1 == 1 {
            let left = self.roots.pop().expect("one root stands for each bit of the size");
            root = Hash::node(&left, &root);
            subtrees >>= 1;
        }
        self.roots.push(root);
        self.size += 1 << height;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        fold(&self.roots)
    }
}

/// Joins the roots of neighbouring complete subtrees, the largest first.
fn fold(roots: &[Hash]) -> Hash {
    let joined = roots.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right));
    joined.unwrap_or_else(Hash::empty)
}

/// The root of a complete tree. The number of leaves must be a power of two.
pub(crate) fn complete_root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|&leaf| frontier.push(leaf));
    frontier.root()
}

/// The root of the tree over the first `size` leaves.
pub(crate) fn root(nodes: &impl Nodes, size: u64) -> Result<Hash> {
    range_root(nodes, 0, size)
}

/// The hash of the leaves `start..end`, a range that RFC 6962 splits off: `start` is a multiple of
/// the smallest power of two that is not below the range's length.
fn range_root(nodes: &impl Nodes, start: u64, end: u64) -> Result<Hash> {
    let mut roots = Vec::new();
    let mut at = start;
    while at < end {
        let height = (end - at).ilog2().min(at.trailing_zeros());
        roots.push(nodes.node(height, at >> height)?);
        at += 1 << height;
    }
    Ok(fold(&roots))
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, from the leaf's
/// sibling upwards (RFC 6962, section 2.1.1). `index` must be below `size`.
pub(crate) fn prove_inclusion(nodes: &impl Nodes, index: u64, size: u64) -> Result<Vec<Hash>> {
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show that the first `old` leaves are the same in the tree of `new` leaves
/// (RFC 6962, section 2.1.2). `old` must not be above `new`.
pub(crate) fn prove_consistency(nodes: &impl Nodes, old: u64, new: u64) -> Result<Vec<Hash>> {
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(nodes, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        path.push(range_root(nodes, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `length`, which must be at least 2.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// The root to which an inclusion proof leads (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// If the proof has not exactly the hashes that the index and the size ask for.
pub(crate) fn root_of_inclusion(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Result<Hash> {
    let fails = |reason| Error::ProofFails { kind: "inclusion", reason };
    if index >= size {
        return Err(fails("the index is not below the size"));
    }
    let (mut node, mut last) = (index, size - 1);
    let mut root = leaf;
    for hash in path {
        if last == 0 {
            return Err(fails("there are too many hashes"));
        }
        if node & 1 == 1 || node == last {
            root = Hash::node(hash, &root);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            root = Hash::node(&root, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(root) } else { Err(fails("there are too few hashes")) }
}

/// Checks that the tree `new` begins with the tree `old` (RFC 9162, section 2.1.4.2); each is its
/// size and root.
///
/// # Errors
/// If the proof does not show it.
pub(crate) fn check_consistency(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> Result<()> {
    let fails = |reason| Error::ProofFails { kind: "consistency", reason };
    if old.0 > new.0 {
        return Err(fails("the older tree is the larger one"));
    }
    if old.0 == new.0 || old.0 == 0 {
        let same = old.0 == 0 && old.1 == Hash::empty() || old == new;
        return match (same, proof) {
            (true, []) => Ok(()),
            (true, _) => Err(fails("there are too many hashes")),
            (false, _) => Err(fails("the roots differ")),
        };
    }
    let (old_root, new_root) = roots_of_consistency(old, new.0, proof).map_err(fails)?;
    if (old_root, new_root) == (old.1, new.1) {
        return Ok(());
    }
    Err(fails("the hashes do not lead to the two roots"))
}

/// The two roots to which a consistency proof leads, for `0 < old.0 < new_size`.
fn roots_of_consistency(
    old: (u64, Hash),
    new_size: u64,
    proof: &[Hash],
) -> Result<(Hash, Hash), &'static str> {
    let whole = old.0.is_power_of_two().then_some(old.1);
    let mut hashes = whole.into_iter().chain(proof.iter().copied());
    let first = hashes.next().ok_or("there are too few hashes")?;
    let (mut node, mut last) = (old.0 - 1, new_size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_root, mut new_root) = (first, first);
    for hash in hashes {
        if last == 0 {
            return Err("there are too many hashes");
        }
        if node & 1 == 1 || node == last {
            old_root = Hash::node(&hash, &old_root);
            new_root = Hash::node(&hash, &new_root);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_root = Hash::node(&new_root, &hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok((old_root, new_root)) } else { Err("there are too few hashes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use sha2::Sha256;

    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        fn node(&self, height: u32, index: u64) -> Result<Hash> {
            let (start, end) = ((index << height) as usize, ((index + 1) << height) as usize);
            Ok(complete_root(&self.0[start..end]))
        }
    }

    fn entry(index: usize) -> Vec<u8> {
        format!("entry {index}").into_bytes()
    }

    fn leaves(count: usize) -> Leaves {
        Leaves((0..count).map(|index| Hash::leaf(&entry(index))).collect())
    }

    /// The entries and roots of the Certificate Transparency reference tests.
    #[test]
    fn known_roots() {
        let entries: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root().to_string(), roots[0]);
        for (entry, root) in entries.iter().zip(&roots[1..]) {
            frontier.push(Hash::leaf(entry));
            assert_eq!(frontier.root().to_string(), *root);
        }
    }

    #[test]
    fn agrees_with_another_implementation() {
        let all = leaves(70);
        let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for size in 1..=70_usize {
            other.push(entry(size - 1));
            let root = root(&all, size as u64).unwrap();
            assert_eq!(root.0[..], other.root().as_bytes()[..]);
            for index in 0..size {
                let path = prove_inclusion(&all, index as u64, size as u64).unwrap();
                assert_eq!(flat(&path), other.prove_inclusion(index).as_bytes());
                let leaf = Hash::leaf(&entry(index));
                let led = root_of_inclusion(index as u64, size as u64, leaf, &path).unwrap();
                assert_eq!(led, root);
            }
            for old in 1..size {
                let proof = prove_consistency(&all, old as u64, size as u64).unwrap();
                assert_eq!(flat(&proof), other.prove_consistency(size - old).as_bytes());
                let old_root = super::root(&all, old as u64).unwrap();
                check_consistency((old as u64, old_root), (size as u64, root), &proof).unwrap();
            }
        }
    }

    fn flat(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    #[test]
    fn altered_inclusion_proofs_fail() {
        let all = leaves(13);
        let root = root(&all, 13).unwrap();
        for index in 0..13 {
            let path = prove_inclusion(&all, index, 13).unwrap();
            let leaf = all.0[index as usize];
            for size in (1..30).filter(|&size| size != 13) {
                let led = root_of_inclusion(index, size, leaf, &path);
                // A tree of another size may have a path of the same shape; its signed size tells.
                assert!(led.is_err() || size != 13);
            }
            for other in (0..13).filter(|&other| other != index) {
                assert_ne!(root_of_inclusion(other, 13, leaf, &path).ok(), Some(root));
            }
            for place in 0..path.len() {
                let mut changed = path.clone();
                changed[place].0[5] ^= 1;
                assert_ne!(root_of_inclusion(index, 13, leaf, &changed).unwrap(), root);
                changed.remove(place);
                assert!(root_of_inclusion(index, 13, leaf, &changed).is_err());
            }
            let longer = [&path[..], &[root]].concat();
            assert!(root_of_inclusion(index, 13, leaf, &longer).is_err());
        }
        assert!(root_of_inclusion(13, 13, all.0[0], &[]).is_err());
    }

    #[test]
    fn altered_consistency_proofs_fail() {
        let all = leaves(13);
        let new = (13, root(&all, 13).unwrap());
        for size in 1..13 {
            let old = (size, root(&all, size).unwrap());
            let proof = prove_consistency(&all, size, 13).unwrap();
            check_consistency(old, new, &proof).unwrap();
            for place in 0..proof.len() {
                let mut changed = proof.clone();
                changed[place].0[31] ^= 128;
                assert!(check_consistency(old, new, &changed).is_err());
                changed.remove(place);
                assert!(check_consistency(old, new, &changed).is_err());
            }
            let longer = [&proof[..], &[old.1]].concat();
            assert!(check_consistency(old, new, &longer).is_err());
            assert!(check_consistency(new, old, &proof).is_err());
            assert!(check_consistency((size, Hash::leaf(b"x")), new, &proof).is_err());
        }
    }

    #[test]
    fn trivial_consistency() {
        let all = leaves(3);
        let three = (3, root(&all, 3).unwrap());
        let none = (0, Hash::empty());
        check_consistency(three, three, &[]).unwrap();
        check_consistency(none, three, &[]).unwrap();
        check_consistency(none, none, &[]).unwrap();
        assert!(check_consistency(three, three, &[Hash::empty()]).is_err());
        assert!(check_consistency((0, three.1), three, &[]).is_err());
        assert!(check_consistency((3, Hash::empty()), three, &[]).is_err());
    }
}
