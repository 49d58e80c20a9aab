//! The log's checkpoints before outside witnesses: asked, checked, kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use allod_ledger::{Checkpoint, Cosignature, Ledger, VerifierKey, cosignatures, with_cosignature};
use allod_policy::Witness;

use crate::error::Error;

/// The folder of a data folder that cosigned checkpoints lie in, a file for each witness.
pub const WITNESSED_FOLDER: &str = "witnessed";

/// What to do with a folder that is an older state of itself.
const TO_DO: &str = "Put back the newest copy of the data folder if there is one. If there is \
                     none, run `allod ledger erase --again FILE` with what `allod ledger \
                     erasures` wrote last, so that nobody who was erased since comes back";

const TIMEOUT: Duration = Duration::from_secs(30);
/// A witness answers with a line for each of its keys.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Checkpoints of a log that witnesses have cosigned.
#[derive(Debug)]
pub struct Witnessed {
    dir: PathBuf,
    log: VerifierKey,
}

/// A checkpoint that the log signed, with more entries than it has now: this is an older state of
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Where the checkpoint lies.
    pub file: PathBuf,
    /// Entries that it covers.
    pub size: u64,
    /// Entries that the log has.
    pub held: u64,
}

/// What a witness said.
enum Said {
    /// Signature lines.
    Cosigned(String),
    /// It has cosigned another size than the one that was thought.
    Seen(u64),
}

impl Witnessed {
    /// Those of a log, in a data folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(data: &Path, ledger: &Ledger) -> Result<Witnessed, Error> {
        let dir = data.join(WITNESSED_FOLDER);
        std::fs::create_dir_all(&dir).map_err(|error| of_file(&dir, &error))?;
        Ok(Witnessed { dir, log: ledger.vkey().parse()? })
    }

    /// The furthest checkpoint that lies here, if it covers more than the log has.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn ahead(&self, ledger: &Ledger) -> Result<Option<Ahead>, Error> {
        let held = ledger.checkpoint().size;
        let mut furthest: Option<Ahead> = None;
        let entries = std::fs::read_dir(&self.dir).map_err(|error| of_file(&self.dir, &error))?;
        for entry in entries {
            let file = entry.map_err(|error| of_file(&self.dir, &error))?.path();
            if file.extension().is_none_or(|extension| extension != "checkpoint") {
                continue;
            }
            let note = std::fs::read_to_string(&file).map_err(|error| of_file(&file, &error))?;
            // One of another log says nothing of this one.
            let Ok(seen) = Checkpoint::open(&note, &self.log) else { continue };
            let known = furthest.as_ref().map_or(held, |ahead| ahead.size);
            if seen.size > known {
                furthest = Some(Ahead { file, size: seen.size, held });
            }
        }
        Ok(furthest)
    }

    /// Lets a witness cosign the log's head, and keeps it.
    ///
    /// # Errors
    /// When the witness cannot be reached, refuses, has seen more than the log holds, or signs
    /// something else.
    pub fn ask(&self, ledger: &Ledger, witness: &Witness) -> Result<Cosignature, Error> {
        let key: VerifierKey = witness.vkey.parse()?;
        let kept = self.kept(&key)?;
        let mut old_size = match &kept {
            Some(note) => Checkpoint::open(note, &self.log)?.size,
            None => 0,
        };
        for _ in 0..2 {
            let (request, note) = ledger.witness_request(old_size).map_err(|error| {
                let what = format!(
                    "{error}; it has seen more than this log holds, so the log was cut or put back \
                     from a backup. {TO_DO}"
                );
                refused(witness, what)
            })?;
            match post(witness, &request)? {
                Said::Cosigned(lines) => return self.keep(&note, &lines, &key),
                Said::Seen(size) if size == old_size => {
                    let what =
                        format!("it remembers another log of {size} entries: this one forked");
                    return Err(refused(witness, what));
                }
                Said::Seen(size) => old_size = size,
            }
        }
        Err(refused(witness, "another process asks it at the same time; ask again".into()))
    }

    /// The newest cosigned checkpoint, as a note with the lines of all who signed just that one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn newest(&self, witnesses: &[Witness]) -> Result<Option<String>, Error> {
        let mut newest: Option<(u64, String)> = None;
        for witness in witnesses {
            let Some(note) = self.kept(&witness.vkey.parse()?)? else { continue };
            let size = Checkpoint::open(&note, &self.log)?.size;
            newest = match newest {
                Some((most, all)) if most == size && text(&all) == text(&note) => {
                    Some((size, format!("{all}{}", lines_of(&note, &self.log))))
                }
                Some((most, all)) if most >= size => Some((most, all)),
                _ => Some((size, note)),
            };
        }
        Ok(newest.map(|(_, note)| note))
    }

    /// What a witness cosigned last, if it did.
    fn kept(&self, key: &VerifierKey) -> Result<Option<String>, Error> {
        let path = self.path(key);
        match std::fs::read_to_string(&path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(of_file(&path, &error)),
        }
    }

    fn keep(&self, note: &str, lines: &str, key: &VerifierKey) -> Result<Cosignature, Error> {
        let cosigned = with_cosignature(note, lines, key)?;
        let path = self.path(key);
        let draft = path.with_extension("new");
        std::fs::write(&draft, &cosigned).map_err(|error| of_file(&draft, &error))?;
        std::fs::rename(&draft, &path).map_err(|error| of_file(&path, &error))?;
        let found = cosignatures(&cosigned, std::slice::from_ref(key))?;
        Ok(found.into_iter().next().expect("lines without one are not taken"))
    }

    fn path(&self, key: &VerifierKey) -> PathBuf {
        let id: String = key.id().iter().map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(format!("{id}.checkpoint"))
    }
}

impl std::fmt::Display for Ahead {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ahead { file, size, held } = self;
        write!(
            out,
            "the log has {held} entries, but {} shows that it had {size}: this is an older state \
             of the data folder. {TO_DO}; then keep that file elsewhere, as it proves what is \
             missing, tell whoever runs the witness, who will not cosign this log any more, and \
             start again",
            file.display()
        )
    }
}

/// A note without its signatures.
fn text(note: &str) -> &str {
    note.rfind("\n\n").map_or(note, |end| &note[..end])
}

/// The signature lines of all but the log itself.
fn lines_of(note: &str, log: &VerifierKey) -> String {
    let own = format!("— {} ", log.name());
    let lines = note.rfind("\n\n").map_or("", |end| &note[end + 2..]).split_inclusive('\n');
    lines.filter(|line| !line.starts_with(&own)).collect()
}

fn post(witness: &Witness, request: &str) -> Result<Said, Error> {
    // Redirects and proxies would lead to an address that the policy does not name.
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .new_agent();
    let url = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
    let unreachable = |error: ureq::Error| refused(witness, error.to_string());
    let mut answer = agent.post(&url).send(request).map_err(unreachable)?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    let body = body.read_to_string().map_err(unreachable)?;
    match answer.status().as_u16() {
        200 => Ok(Said::Cosigned(body)),
        409 => match body.trim().parse() {
            Ok(size) => Ok(Said::Seen(size)),
            Err(_) => Err(refused(witness, format!("it answered 409 without a size: {body}"))),
        },
        422 => Err(refused(witness, "this log does not continue what it has seen".into())),
        status => Err(refused(witness, format!("it answered {status}: {}", body.trim()))),
    }
}

fn refused(witness: &Witness, reason: String) -> Error {
    Error::Witness { url: witness.url.clone(), reason }
}

fn of_file(path: &Path, error: &std::io::Error) -> Error {
    Error::Folder { path: path.into(), reason: error.to_string() }
}
