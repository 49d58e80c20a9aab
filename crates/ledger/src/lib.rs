//! Receipts in an append-only Merkle log whose head is signed.
//!
//! A *receipt* says what was asked, with which model, policy and passages, and what came of it. Its
//! canonical JSON is one entry of an RFC 6962 Merkle tree. The tree's head is a C2SP checkpoint, a
//! note signed with Ed25519; entries and hashes lie in the files of C2SP tlog-tiles; a proof is a
//! C2SP tlog-proof. `docs/ledger.md` gives the layout byte by byte.

#![forbid(unsafe_code)]

pub mod canonical;
mod commitment;
mod error;
mod fault;
mod hash;
mod log;
pub mod receipt;

pub use commitment::{commit, new_salt};
pub use error::{Error, Result};
pub use fault::{Fault, Place, Wrong};
pub use hash::Hash;
pub use log::{
    Checkpoint, Expected, Leaf, Ledger, Proven, Verified, check_consistency, check_proof, verify,
    verify_with,
};
pub use receipt::{RECEIPT_BYTES_MAX, RECEIPT_VERSION, Receipt};
