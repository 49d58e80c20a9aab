//! The two hashes of the Merkle tree (RFC 6962, section 2.1).

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 hash in the tree. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

/// How many bytes a hash has.
pub const HASH_BYTES: usize = 32;

impl Hash {
    /// The hash of an entry: SHA-256 of a zero byte and the entry.
    #[must_use]
    pub fn leaf(entry: &[u8]) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update([0]);
        hasher.update(entry);
        Hash(hasher.finalize().into())
    }

    /// The hash of an inner node: SHA-256 of a one byte and its children.
    #[must_use]
    pub fn node(left: &Hash, right: &Hash) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update([1]);
        hasher.update(left.0);
        hasher.update(right.0);
        Hash(hasher.finalize().into())
    }

    /// The root of the tree without entries: SHA-256 of nothing.
    #[must_use]
    pub fn empty() -> Hash {
        Hash(Sha256::digest([]).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
