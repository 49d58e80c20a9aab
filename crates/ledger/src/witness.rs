//! A witness (C2SP tlog-witness): someone else's memory of a log. It cosigns a checkpoint if that
//! continues the last one it cosigned, so a log cannot show two people two histories, nor forget
//! what it has shown.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decimal, hash_line};
use crate::cosignature::{cosign, now};
use crate::create::{read_key, write_key};
use crate::disk::{Disk, RealDisk};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::key::{KeyType, SigningKey, VerifierKey};
use crate::lock::LockFile;
use crate::{note, tree};

/// A request is at most this long: a proof of 63 hashes and a note with many signatures.
pub const WITNESS_REQUEST_BYTES_MAX: usize = 64 << 10;

/// More hashes than a proof between any two sizes has.
const PROOF_HASHES_MAX: usize = 63;

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness {
    key: SigningKey,
    logs: Vec<VerifierKey>,
    dir: PathBuf,
    lock: LockFile,
    one_at_a_time: Mutex<()>,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is not in its form, or goes back.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// The log is none of this witness's.
    #[error("this witness does not know the log {0}")]
    UnknownLog(String),
    /// The checkpoint is not signed by the log's key.
    #[error("the checkpoint is not signed by the key that this witness knows of the log")]
    NotSigned,
    /// The proof does not begin at the last checkpoint that was cosigned.
    #[error("the last checkpoint cosigned has {size} entries")]
    Conflict {
        /// How many entries that has.
        size: u64,
    },
    /// The log at the checkpoint does not continue what it was.
    #[error("the checkpoint does not continue the one of {size} entries that was cosigned")]
    Inconsistent {
        /// How many entries that has.
        size: u64,
    },
    /// The witness itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Witness {
    /// A witness in a folder of its own, with the key `name`, made at the first time.
    ///
    /// # Errors
    /// If the folder cannot be used, or the key there has another name.
    pub fn open(dir: &Path, name: &str, logs: Vec<VerifierKey>) -> Result<Witness> {
        fs::create_dir_all(dir).map_err(|error| Error::file("create", dir, error))?;
        let key_file = dir.join("witness.key");
        let lock = LockFile::open(&key_file)?;
        let held = lock.exclusive()?;
        if !key_file.exists() {
            let draft = dir.join("witness.key.new");
            write_key(&draft, &SigningKey::generate_for(name, KeyType::Cosignature)?)?;
            fs::rename(&draft, &key_file).map_err(|error| Error::file("rename", &draft, error))?;
            sync(dir)?;
        }
        let key = read_key(&key_file)?;
        drop(held);
        if key.verifier().name() != name || key.verifier().kind() != KeyType::Cosignature {
            let found = key.verifier().name();
            let reason = format!("{} holds the key of {found}, not of {name}", key_file.display());
            return Err(Error::malformed("the witness's key", &reason));
        }
        if logs.iter().any(|key| key.kind() != KeyType::Note) {
            let reason = "it is one of a witness";
            return Err(Error::malformed("the key of a log", reason));
        }
        Ok(Witness { key, logs, dir: dir.to_owned(), lock, one_at_a_time: Mutex::new(()) })
    }

    /// The text of the key that checks its cosignatures.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    /// The last checkpoint of a log that it cosigned, as the note that it was shown.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn last(&self, log: &VerifierKey) -> Result<Option<String>> {
        let path = self.path(log);
        match fs::read_to_string(&path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path, error)),
        }
    }

    /// Answers `add-checkpoint`: the line of the cosignature, once the checkpoint is remembered for
    /// good.
    ///
    /// # Errors
    /// The [`Refusal`] that the specification has a status for.
    pub fn add_checkpoint(&self, request: &str) -> Result<String, Refusal> {
        let request = Request::read(request)?;
        let (log, checkpoint) = self.log_of(&request)?;
        if request.old_size > checkpoint.size {
            let reason = "the old size is above that of the checkpoint";
            return Err(Refusal::Malformed(reason.into()));
        }
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = self.lock.exclusive()?;
        let (size, root) = match self.last(log)? {
            Some(last) => {
                let last = Checkpoint::open(&last, log)?;
                (last.size, last.root)
            }
            None => (0, Hash::empty()),
        };
        if request.old_size != size || size == checkpoint.size && root != checkpoint.root {
            return Err(Refusal::Conflict { size });
        }
        tree::check_consistency((size, root), (checkpoint.size, checkpoint.root), &request.proof)
            .map_err(|_| Refusal::Inconsistent { size })?;
        self.remember(log, request.note)?;
        let text = note::open(request.note, log).map_err(|_| Refusal::NotSigned)?;
        Ok(cosign(text, &self.key, now())?)
    }

    /// The log that signed the checkpoint. Logs of one origin are told apart by their keys.
    fn log_of(&self, request: &Request) -> Result<(&VerifierKey, Checkpoint), Refusal> {
        let origin = &request.origin;
        let mut known = self.logs.iter().filter(|key| key.name() == origin).peekable();
        if known.peek().is_none() {
            return Err(Refusal::UnknownLog(origin.clone()));
        }
        let signed = |key| Some((key, Checkpoint::open(request.note, key).ok()?));
        known.find_map(signed).ok_or(Refusal::NotSigned)
    }

    fn remember(&self, log: &VerifierKey, note: &str) -> Result<()> {
        let (path, draft) = (self.path(log), self.path(log).with_extension("new"));
        let failed = |error| Error::file("write", &path, error);
        RealDisk.create(&draft, note.as_bytes()).map_err(failed)?;
        RealDisk.rename(&draft, &path).map_err(failed)?;
        sync(&self.dir)
    }

    /// A key's name may hold any character, a file name not.
    fn path(&self, log: &VerifierKey) -> PathBuf {
        self.dir.join(format!("{}.checkpoint", Hash::leaf(log.to_string().as_bytes())))
    }
}

fn sync(dir: &Path) -> Result<()> {
    RealDisk.sync_dir(dir).map_err(|error| Error::file("sync", dir, error))
}

/// What a log asks: a checkpoint, and the proof that it continues one of `old_size` entries.
struct Request<'a> {
    old_size: u64,
    proof: Vec<Hash>,
    note: &'a str,
    /// What the note says it is of; not yet known to be signed.
    origin: String,
}

impl Request<'_> {
    fn read(text: &str) -> Result<Request<'_>, Refusal> {
        let malformed = |reason: &str| Refusal::Malformed(reason.to_owned());
        if text.len() > WITNESS_REQUEST_BYTES_MAX {
            return Err(malformed("it is longer than 64 KiB"));
        }
        let (head, note) = text.split_once("\n\n").ok_or_else(|| malformed("no blank line"))?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or_else(|| malformed("its first line is not `old SIZE`"))?;
        let proof: Option<Vec<Hash>> = lines.map(hash_line).collect();
        let proof =
            proof.ok_or_else(|| malformed("a line of the proof is not a hash in base64"))?;
        if proof.len() > PROOF_HASHES_MAX {
            return Err(malformed("the proof has more than 63 hashes"));
        }
        let of_note = |error: Error| Refusal::Malformed(error.to_string());
        let (body, _) = note::split(note).map_err(of_note)?;
        let origin = Checkpoint::from_text(body).map_err(of_note)?.origin;
        Ok(Request { old_size, proof, note, origin })
    }
}

/// The body of a request to a witness that has last seen `old_size` entries.
pub(crate) fn request(old_size: u64, proof: &[Hash], note: &str) -> String {
    let mut text = format!("old {old_size}\n");
    for hash in proof {
        writeln!(text, "{}", STANDARD.encode(hash.0)).expect("a string takes any text");
    }
    text.push('\n');
    text.push_str(note);
    text
}

#[cfg(test)]
mod tests;
