//! Proofs that an entry is in the log (C2SP tlog-proof), to be checked without the log.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decimal, hash_line};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::tree;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The entry's index in the log.
    pub index: u64,
    /// The head under which it was proven.
    pub checkpoint: Checkpoint,
}

/// Writes a proof: index, path, and the signed checkpoint word for word.
pub(crate) fn to_text(index: u64, path: &[Hash], checkpoint_note: &str) -> String {
    let mut text = format!("{HEADER}\nindex {index}\n");
    for hash in path {
        writeln!(text, "{}", STANDARD.encode(hash.0)).expect("a string takes any text");
    }
    text.push('\n');
    text.push_str(checkpoint_note);
    text
}

/// Checks that `entry` is in the log whose verifier key is `vkey`, with nothing but the proof.
///
/// The entry is the receipt's canonical JSON, byte for byte.
///
/// # Errors
/// If the proof is malformed, its checkpoint is not signed by the key, or its path does not lead
/// from the entry to the checkpoint's root.
pub fn check_proof(proof: &str, vkey: &str, entry: &[u8]) -> Result<Proven> {
    let key: VerifierKey = vkey.trim_end_matches('\n').parse()?;
    let (head, note) = proof.split_once("\n\n").ok_or_else(|| malformed("it has no checkpoint"))?;
    let (index, path) = read_head(head)?;
    let checkpoint = Checkpoint::open(note, &key)?;
    let root = tree::root_of_inclusion(index, checkpoint.size, Hash::leaf(entry), &path)?;
    if root != checkpoint.root {
        let reason = "the entry is not the one that was recorded at this index";
        return Err(Error::ProofFails { kind: "inclusion", reason });
    }
    Ok(Proven { index, checkpoint })
}

/// Checks that the log at `new` begins with all that it held at `old`.
///
/// # Errors
/// If the proof does not show it, or the two are heads of different logs.
pub fn check_consistency(old: &Checkpoint, new: &Checkpoint, proof: &[Hash]) -> Result<()> {
    if old.origin != new.origin {
        let reason = "the checkpoints are of different logs";
        return Err(Error::ProofFails { kind: "consistency", reason });
    }
    tree::check_consistency((old.size, old.root), (new.size, new.root), proof)
}

/// Reads what stands above the checkpoint: index and path.
fn read_head(head: &str) -> Result<(u64, Vec<Hash>)> {
    let mut lines = head.split('\n').peekable();
    if lines.next() != Some(HEADER) {
        return Err(malformed("it does not begin with c2sp.org/tlog-proof@v1"));
    }
    // Extra data is not authenticated; nothing here relies on it.
    if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
        STANDARD.decode(&extra[6..]).map_err(|_| malformed("the extra data is not base64"))?;
    }
    let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
    let index = index.ok_or_else(|| malformed("it has no index"))?;
    let path: Option<Vec<Hash>> = lines.map(hash_line).collect();
    Ok((index, path.ok_or_else(|| malformed("a line of the path is not a hash in base64"))?))
}

fn malformed(reason: &str) -> Error {
    Error::malformed("the proof", reason)
}
