//! The head of a log as it stands on the disk: the signed checkpoint and the tree's right edge.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::disk;
use crate::edge::Edge;
use crate::error::Error;
use crate::fault::{Fault, Wrong};
use crate::key::VerifierKey;
use crate::note;

/// A durable head.
#[derive(Debug)]
pub(crate) struct Head {
    pub checkpoint: Checkpoint,
    /// The checkpoint as a signed note, byte for byte.
    pub note: String,
    pub edge: Edge,
}

/// A checkpoint and its signed note.
pub(crate) type Signed = (Checkpoint, String);

/// Reads a signed checkpoint from the ledger's folder. Only the one form that this crate writes is
/// taken, so that no byte of the file can change unnoticed.
pub(crate) fn read_signed(dir: &Path, path: &str, key: &VerifierKey) -> Result<Signed, Fault> {
    let note = disk::read_text(dir, path)?;
    let checkpoint = check_signed(&note, key).map_err(|wrong| Fault::file(wrong, path))?;
    Ok((checkpoint, note))
}

fn check_signed(note: &str, key: &VerifierKey) -> Result<Checkpoint, Wrong> {
    let checkpoint = Checkpoint::open(note, key).map_err(wrong)?;
    let (text, signatures) = note::split(note).map_err(wrong)?;
    if signatures.len() != 1 || checkpoint.to_text() != text {
        let reason = "it has lines beside origin, size, root and one signature";
        return Err(Wrong::Malformed(reason.to_owned()));
    }
    Ok(checkpoint)
}

fn wrong(error: Error) -> Wrong {
    match error {
        Error::NotSigned { .. } | Error::BadSignature { .. } => Wrong::Signature,
        other => Wrong::Malformed(other.to_string()),
    }
}

/// Reads the verifier key from the ledger's folder.
pub(crate) fn read_vkey(dir: &Path) -> Result<VerifierKey, Fault> {
    let text = disk::read_text(dir, crate::tiles::VKEY)?;
    let key = text.strip_suffix('\n').unwrap_or_default().parse::<VerifierKey>();
    key.map_err(|error| Fault::file(Wrong::Malformed(error.to_string()), crate::tiles::VKEY))
}
