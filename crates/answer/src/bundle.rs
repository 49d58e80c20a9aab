//! One recorded answer with all that it was made of, but for the weights, in one file.
//!
//! A line is a JSON object. The first is the receipt as it stands in the log, with its proof; then
//! come the words that it commits to, what it names by digest, and the documents that the search
//! could have found. Everything is held against a digest, a commitment or the signature when it is
//! read.

use std::sync::Arc;

use allod_ledger::{Checkpoint, Ledger, Receipt, check_proof};
use allod_policy::Policy;
use allod_retrieval::Manifest;
use allod_store::{ArtifactRow, DocumentRow, DocumentState, PayloadRow, VersionRow};
use allod_store::{SqliteStore, Store};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The form of the file.
const VERSION: &str = "allod-bundle-1";

/// A bundle that was read and found whole.
pub struct Bundle {
    /// The receipt.
    pub receipt: Receipt,
    /// Its index in the log.
    pub index: u64,
    /// The head of the log that the receipt was proven under.
    pub checkpoint: Checkpoint,
    /// The log's key, by which the proof holds.
    pub vkey: String,
    store: Arc<dyn Store>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Bundle(Head),
    Payload(PayloadRow),
    Artifact(ArtifactRow),
    Document(Text),
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: String,
    entry: String,
    proof: String,
    vkey: String,
}

#[derive(Serialize, Deserialize)]
struct Text {
    path: String,
    digest: String,
    about: String,
    text: String,
}

impl Bundle {
    /// Writes the bundle of the receipt at `index`, proven by `proof`. Documents are all that the
    /// search could have found: without them its scores cannot be had again.
    ///
    /// # Errors
    /// When the receipt is not there, or a part of it is not kept any longer.
    pub fn write(
        store: &dyn Store,
        ledger: &Ledger,
        index: u64,
        proof: String,
    ) -> Result<String, Error> {
        let entry = ledger.entry(index)?;
        let receipt = Receipt::from_entry(&entry)?;
        let entry = String::from_utf8_lossy(&entry).into_owned();
        let head = Head { version: VERSION.into(), entry, proof, vkey: ledger.vkey() };
        let mut lines = vec![Line::Bundle(head)];
        for commitment in commitments(&receipt) {
            let row = store.payload(commitment)?;
            let lost = || missing(&format!("{commitment}, words of the request"));
            lines.push(Line::Payload(row.ok_or_else(lost)?));
        }
        let policy = store.artifact(&receipt.policy.digest)?;
        let built_in = || {
            let policy = Policy::built_in();
            let row = ArtifactRow::new("policy", policy.text().to_owned());
            (row.digest == receipt.policy.digest).then_some(row)
        };
        let lost = || missing(&format!("the policy {}", receipt.policy.digest));
        lines.push(Line::Artifact(policy.or_else(built_in).ok_or_else(lost)?));
        let calibration = receipt.facts["evidence"]["calibrated"]["calibration"].as_str();
        if let Some(row) = calibration.map(|digest| store.artifact(digest)).transpose()?.flatten() {
            lines.push(Line::Artifact(row));
        }
        let files = receipt.model.as_ref().and_then(|model| model.files.as_deref());
        if let Some(row) = files.map(|digest| store.artifact(digest)).transpose()?.flatten() {
            lines.push(Line::Artifact(row));
        }
        if let Some(digest) = &receipt.index {
            documents(store, digest, &mut lines)?;
        }
        Ok(lines.iter().map(|line| json(line) + "\n").collect())
    }

    /// Reads a bundle, and checks all of it: the proof by the log's key, every word by its
    /// commitment when it is replayed, every text by its digest.
    ///
    /// # Errors
    /// [`Error::Bundle`] with what is wrong.
    pub fn read(text: &str, vkey: Option<&str>) -> Result<Bundle, Error> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory()?);
        let mut head = None;
        for (number, line) in text.lines().enumerate() {
            let wrong =
                |reason: String| bad(&format!("is damaged in line {}: {reason}", number + 1));
            let line: Line =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            match line {
                Line::Bundle(first) if number == 0 => head = Some(first),
                Line::Bundle(_) => return Err(wrong("it begins again".into())),
                Line::Payload(row) => store.put_payloads(&[row])?,
                Line::Artifact(row) if row.is_whole() => store.put_artifacts(&[row])?,
                Line::Artifact(row) => {
                    return Err(wrong(format!("the {} {} was changed", row.kind, row.digest)));
                }
                Line::Document(text) => put(store.as_ref(), text).map_err(wrong)?,
            }
        }
        let head = head.ok_or_else(|| bad("does not begin with a receipt"))?;
        if head.version != VERSION {
            return Err(bad(&format!("is of the form {}, this reads {VERSION}", head.version)));
        }
        proven(head, vkey, store)
    }

    /// The words, documents and artifacts of the bundle.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

fn proven(head: Head, vkey: Option<&str>, store: Arc<dyn Store>) -> Result<Bundle, Error> {
    let given = vkey.map(str::trim_end);
    if given.is_some_and(|given| given != head.vkey.trim_end()) {
        return Err(bad(&format!("is of another log: its key is {}", head.vkey)));
    }
    let proven = check_proof(&head.proof, &head.vkey, head.entry.as_bytes())
        .map_err(|error| bad(&format!("proves nothing: {error}")))?;
    let receipt = Receipt::from_entry(head.entry.as_bytes())
        .map_err(|error| bad(&format!("holds no receipt: {error}")))?;
    let (index, checkpoint) = (proven.index, proven.checkpoint);
    Ok(Bundle { receipt, index, checkpoint, vkey: head.vkey, store })
}

fn commitments(receipt: &Receipt) -> impl Iterator<Item = &str> {
    let prompt = std::iter::once(receipt.prompt_commitment.as_str());
    let others = [&receipt.answer_commitment, &receipt.output_commitment];
    prompt.chain(others.into_iter().filter_map(|one| one.as_deref()))
}

fn documents(store: &dyn Store, digest: &str, lines: &mut Vec<Line>) -> Result<(), Error> {
    let manifest = Manifest::read(digest, store)?;
    lines.extend(manifest.artifacts().cloned().map(Line::Artifact));
    for listed in manifest.documents()? {
        let version = listed.version(store)?;
        let about = version.about();
        let text = version.text;
        lines.push(Line::Document(Text { path: listed.path, digest: listed.digest, about, text }));
    }
    Ok(())
}

/// Puts a document into the store of a bundle; what it is called and whose it is stands in what is
/// said about it.
fn put(store: &dyn Store, text: Text) -> Result<(), String> {
    let now = allod_corpus::Digest::of(text.text.as_bytes()).to_string();
    if now != text.digest {
        return Err(format!("the text of {} was changed", text.path));
    }
    let row = DocumentRow {
        path: text.path.clone(),
        source_digest: text.digest.clone(),
        source_bytes: text.text.len() as u64,
        modified_ns: 0,
        state: DocumentState::Current,
        digest: Some(text.digest.clone()),
        reason: None,
    };
    let version = VersionRow {
        digest: text.digest,
        path: text.path,
        title: String::new(),
        language: "und".into(),
        label: None,
        valid_from: None,
        valid_until: None,
        metadata_json: String::new(),
        blocks_json: String::new(),
        pages_json: None,
        text: text.text,
        ingested_at: String::new(),
    };
    let version = version.with_about(&text.about).ok_or("a document is without its structure")?;
    store.put_document(&row, Some(&version)).map_err(|error| error.to_string())
}

fn json(line: &Line) -> String {
    serde_json::to_string(line).expect("a line has only string keys")
}

fn bad(reason: &str) -> Error {
    Error::Bundle { reason: reason.to_owned() }
}

fn missing(what: &str) -> Error {
    bad(&format!("cannot be written: {what}, is not kept here"))
}
