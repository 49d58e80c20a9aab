//! Documents are read in cells: what is sent to one, what it does, and what comes back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use allod_corpus::{Block, Digest, Document, Source};
use allod_ledger::receipt::Confinement;
use allod_retrieval::{InProcess, ReadFile, ReadPart};
use allod_sandbox::{Cells, Missing, Report, Setup, self_test};
use anyhow::bail;

use crate::output::say;

/// What to do where the sandbox is weaker than promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weaker {
    /// Begin nothing.
    Refused,
    /// Say so and go on with what there is.
    Allowed,
}

/// Who reads documents, and what keeps them in.
pub struct Confined {
    /// Reads documents.
    pub reader: Arc<dyn ReadFile>,
    /// What receipts say about it.
    pub confinement: Confinement,
}

/// Makes cells for documents, after trying to break out of one.
pub fn confine(data: &Path, weaker: Weaker) -> anyhow::Result<Confined> {
    let setup = setup(weaker);
    let tested = self_test(&setup, data);
    let report = tested.as_ref().ok();
    if report.is_some_and(Report::holds) {
        let reader = InCells { cells: Cells::new(setup)? };
        return Ok(Confined { reader: Arc::new(reader), confinement: Confinement::default() });
    }
    let wrong = match &tested {
        Ok(report) => report.summary(),
        Err(error) => error.to_string(),
    };
    if weaker == Weaker::Refused {
        bail!(
            "the sandbox for documents does not hold ({wrong}): `allod doctor` says more, \
             --allow-weaker-sandbox goes on with what there is"
        );
    }
    say(&format!("WARNING: documents are read in a weaker sandbox than promised: {wrong}"));
    let reader: Arc<dyn ReadFile> = match Cells::new(setup) {
        Ok(cells) if report.is_some() && cfg!(target_os = "linux") => Arc::new(InCells { cells }),
        _ => Arc::new(InProcess),
    };
    let weaknesses = report.map_or_else(|| vec!["all".to_owned()], weaknesses);
    Ok(Confined { reader, confinement: Confinement { weaknesses, ..Confinement::default() } })
}

/// The layers that are missing, and the acts that could be done with all others.
pub fn weaknesses(report: &Report) -> Vec<String> {
    let missing = report.missing.iter().map(|layer| layer.name().to_owned());
    let done = report.acts.iter().filter(|(_, act)| act.error.is_none());
    let mut all: Vec<String> = missing.chain(done.map(|(name, _)| name.clone())).collect();
    if all.is_empty() {
        all.push("a layer that denies less than it must".to_owned());
    }
    all
}

/// How cells are made.
pub fn setup(weaker: Weaker) -> Setup {
    let missing = match weaker {
        Weaker::Refused => Missing::Refuse,
        Weaker::Allowed => Missing::GoOn,
    };
    Setup { missing, ..Setup::default() }
}

/// Tries to break out of a cell.
pub fn test(data: &Path) -> allod_sandbox::Result<Report> {
    self_test(&setup(Weaker::Allowed), data)
}

/// Reads each document in a cell of its own.
#[derive(Debug)]
struct InCells {
    cells: Cells,
}

impl ReadFile for InCells {
    fn read(&self, source: &Source) -> Vec<ReadPart> {
        match self.cells.ask(&request(source)) {
            Ok(answer) => serde_json::from_slice(&answer)
                .ok()
                .filter(|parts: &Vec<ReadPart>| are_sound(parts))
                .unwrap_or_else(|| vec![ReadPart::refused(NOT_AS_AGREED)]),
            Err(error) => vec![ReadPart::refused(error.to_string())],
        }
    }
}

/// Whether parts are what an honest reader could give. One that was taken over may say what it
/// likes of its own file, but it must not pass for another document: the digest is that of the
/// text, what points into the text fits it, and paths stay inside the file.
fn are_sound(parts: &[ReadPart]) -> bool {
    let mut paths = BTreeSet::new();
    parts.iter().all(|part| {
        paths.insert(part.path.as_str())
            && stays_inside(&part.path)
            && part.document.as_ref().map_or(true, is_sound)
    })
}

fn stays_inside(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..") && !name.contains(|c: char| c.is_control() || c == '\\')
    };
    path.is_empty() || path.split('/').all(is_name)
}

fn is_sound(document: &Document) -> bool {
    let mut end = 0;
    let fits = |block: &Block| {
        let follows = block.range.start >= end;
        end = block.range.end;
        follows && block.range.slice(&document.text).is_some()
    };
    !document.metadata.title.is_empty()
        && document.digest == Digest::of(document.text.as_bytes())
        && document.blocks.iter().all(fits)
}

/// The path, the sidecar and the bytes, each of the first two with its length before it; no
/// sidecar has the length of 32 ones.
fn request(source: &Source) -> Vec<u8> {
    let mut request = Vec::with_capacity(source.bytes.len() + source.path.len() + 64);
    part(&mut request, Some(source.path));
    part(&mut request, source.sidecar);
    request.extend_from_slice(source.bytes);
    request
}

const NOT_AS_AGREED: &str = "its reader did not answer as agreed";

const NONE: u32 = u32::MAX;

fn part(request: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(NONE, |text| u32::try_from(text.len()).unwrap_or(NONE));
    request.extend_from_slice(&length.to_le_bytes());
    request.extend_from_slice(text.filter(|_| length != NONE).unwrap_or_default().as_bytes());
}

/// What a cell does: reads the document that it is sent.
pub fn work(request: &[u8]) -> Vec<u8> {
    let read = match source(request) {
        Some(source) => InProcess.read(&source),
        None => vec![ReadPart::refused(NOT_AS_AGREED)],
    };
    serde_json::to_vec(&read).unwrap_or_default()
}

fn source(request: &[u8]) -> Option<Source<'_>> {
    let (path, rest) = taken(request)?;
    let (sidecar, bytes) = taken(rest)?;
    Some(Source { path: path?, bytes, sidecar })
}

/// A part and what comes after it.
fn taken(bytes: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match u32::from_le_bytes(*length) {
        NONE => Some((None, rest)),
        length => {
            let (text, rest) = rest.split_at_checked(length as usize)?;
            Some((Some(std::str::from_utf8(text).ok()?), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_survives_the_pipe() {
        for sidecar in [None, Some(""), Some("label: hr")] {
            let sent = Source { path: "a/é.md", bytes: b"# A\n\0", sidecar };
            let bytes = request(&sent);
            let got = source(&bytes).unwrap();
            assert_eq!((got.path, got.bytes, got.sidecar), (sent.path, sent.bytes, sent.sidecar));
        }
        assert!(source(&[1, 0, 0]).is_none());
        assert!(source(&[9, 0, 0, 0, b'a']).is_none());
    }

    #[test]
    fn a_reader_that_was_taken_over_cannot_pass_for_another_document() {
        let bytes = b"# Fees\n\nA stamp costs CHF 2.";
        let read = InProcess.read(&Source { path: "fees.md", bytes, sidecar: None });
        assert!(are_sound(&read));
        let changed = |change: fn(&mut Document)| {
            let mut parts = read.clone();
            change(parts[0].document.as_mut().unwrap());
            are_sound(&parts)
        };
        assert!(changed(|_| ()));
        assert!(!changed(|document| document.text.push('.')));
        assert!(!changed(|document| document.digest = Digest::of(b"another")));
        assert!(!changed(|document| document.blocks[0].range.end = 1 << 40));
        assert!(!changed(|document| document.blocks.reverse()));
        assert!(!changed(|document| document.metadata.title.clear()));
        let named = |paths: &[&str]| {
            let part = |path: &&str| ReadPart { path: (*path).into(), ..read[0].clone() };
            are_sound(&paths.iter().map(part).collect::<Vec<_>>())
        };
        assert!(named(&["", "a.md", "old.zip/b c.md"]));
        for paths in [&["a", "a"][..], &["../b.md"], &["/etc"], &["a//b"], &["a/..\\b"], &["a\n"]] {
            assert!(!named(paths), "{paths:?}");
        }
    }

    #[test]
    fn a_document_survives_the_pipe() {
        let read = |sent: &Source| -> Vec<ReadPart> {
            serde_json::from_slice(&work(&request(sent))).unwrap()
        };
        let bytes = b"# Fees\n\nA stamp costs CHF 2.";
        let sent = Source { path: "fees.md", bytes, sidecar: None };
        assert_eq!(read(&sent), InProcess.read(&sent));
        assert!(read(&sent)[0].document.is_ok());
        let sent = Source { path: "fees.exe", ..sent };
        assert!(read(&sent)[0].document.as_ref().unwrap_err().contains("unknown format"));
    }
}
