//! The two hashes of the Merkle tree (RFC 6962, section 2.1).

use std::fmt;
use std::str::FromStr;

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

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Hash, NotAHash> {
        if text.len() != 2 * HASH_BYTES || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotAHash);
        }
        let mut bytes = [0; HASH_BYTES];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAHash)?;
        }
        Ok(Hash(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_as_it_is_written() {
        let hash = Hash::leaf(b"entry");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("ab".parse::<Hash>(), Err(NotAHash));
        assert_eq!("é".repeat(32).parse::<Hash>(), Err(NotAHash));
    }
}
