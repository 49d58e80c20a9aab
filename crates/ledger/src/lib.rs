//! Receipts in an append-only Merkle log whose head is signed.
//!
//! A *receipt* says what was asked, with which model, policy and passages, and what came of it. Its
//! canonical JSON is one entry of an RFC 6962 Merkle tree. The tree's head is a C2SP checkpoint, a
//! note signed with Ed25519; entries and hashes lie in the files of C2SP tlog-tiles; a proof is a
//! C2SP tlog-proof. `docs/ledger.md` gives the layout byte by byte.

#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as allod_ledger;

pub mod canonical;
mod checkpoint;
mod commitment;
mod cosignature;
mod create;
mod disk;
mod edge;
mod error;
#[cfg(test)]
mod failure;
mod fault;
mod hash;
mod head;
mod key;
mod lock;
mod log;
pub mod note;
mod page;
mod proof;
mod publish;
mod queue;
pub mod receipt;
mod recovery;
mod round;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod sample;
mod tiles;
mod tree;
mod verify;
mod witness;

pub use checkpoint::Checkpoint;
pub use commitment::{commit, new_salt};
pub use cosignature::{Cosignature, cosignatures, with_cosignature};
pub use error::{Error, Result};
pub use fault::{Fault, Place, Wrong};
pub use hash::{Hash, NotAHash};
pub use key::{KeyType, SigningKey, VerifierKey};
pub use log::{Leaf, Ledger, Prepared};
pub use proof::{Proven, check_consistency, check_proof};
pub use queue::Queue;
pub use receipt::{RECEIPT_BYTES_MAX, RECEIPT_VERSION, Receipt};
pub use verify::{Expected, Verified, verify, verify_with};
pub use witness::{Refusal, WITNESS_REQUEST_BYTES_MAX, Witness};
