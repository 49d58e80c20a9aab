//! Signatures first; the bodies follow.
#![allow(clippy::todo, missing_docs, unused_variables, clippy::missing_errors_doc)]

use std::path::{Path, PathBuf};

use crate::{Fault, Hash, Receipt, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub index: u64,
    pub leaf_hash: Hash,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub size: u64,
    pub root: Hash,
    pub origin: String,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    pub index: u64,
    pub checkpoint: Checkpoint,
}
/// What the caller knows from outside the ledger's folder.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// A head seen before: the log must be as long at least, and continue it.
    pub head: Option<Checkpoint>,
    /// The private key must be the ledger's.
    pub key_file: Option<PathBuf>,
}
pub struct Ledger;

impl Ledger {
    /// The private key is `<dir>/../keys/ledger.key`.
    pub fn open(dir: &Path, origin: &str) -> Result<Ledger> {
        todo!()
    }
    pub fn append(&self, receipt: &Receipt) -> Result<Leaf> {
        todo!()
    }
    /// In one round, all or none.
    pub fn append_all(&self, receipts: &[Receipt]) -> Result<Vec<Leaf>> {
        todo!()
    }
    pub fn read(&self, index: u64) -> Result<Receipt> {
        todo!()
    }
    /// The entry's bytes: canonical JSON.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn checkpoint(&self) -> Checkpoint {
        todo!()
    }
    /// The head as a signed note.
    pub fn signed_checkpoint(&self) -> String {
        todo!()
    }
    /// Looks whether another process has appended.
    pub fn refresh(&self) -> Result<Checkpoint> {
        todo!()
    }
    /// Writes the partial tiles and the public checkpoint for the present size.
    pub fn publish(&self) -> Result<Checkpoint> {
        todo!()
    }
    pub fn prove(&self, index: u64) -> Result<String> {
        todo!()
    }
    pub fn prove_consistency(&self, old_size: u64) -> Result<Vec<Hash>> {
        todo!()
    }
    pub fn vkey(&self) -> String {
        todo!()
    }
    pub fn origin(&self) -> &str {
        todo!()
    }
}
pub fn verify(dir: &Path) -> std::result::Result<Verified, Fault> {
    todo!()
}
pub fn verify_with(dir: &Path, expected: &Expected) -> std::result::Result<Verified, Fault> {
    todo!()
}
pub fn check_proof(proof: &str, vkey: &str, entry: &[u8]) -> Result<Proven> {
    todo!()
}
pub fn check_consistency(old: &Checkpoint, new: &Checkpoint, proof: &[Hash]) -> Result<()> {
    todo!()
}
