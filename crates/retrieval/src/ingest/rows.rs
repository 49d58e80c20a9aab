//! Rows for passages, and the vectors that are written to them.

use crate::code::{Codes, encode_passages};
use crate::compartment::{Compartment, PassageEntry, PreparedDocument, entry, rows};
use crate::encoder::Encoder;
use crate::error::Result;
use crate::vectors::{VectorFile, Vectors};
use rayon::prelude::*;

/// Texts that are encoded by one call.
const TEXTS: usize = 32;
/// Passages whose vectors are missing that are read from the index together.
const PASSAGES: usize = 4096;

/// Gives out the rows of a compartment.
pub(super) struct Rows {
    /// Rows of passages that were gone when the ingest began, the lowest last.
    free: Vec<u32>,
    next: u32,
    file: Option<VectorFile>,
    pending: Vec<(u32, Codes)>,
}

impl Rows {
    /// The rows of a compartment; vectors that are missing are made. True if some were.
    pub(super) fn open(
        compartment: &Compartment,
        encoder: Option<&dyn Encoder>,
    ) -> Result<(Rows, bool)> {
        let used = rows(&compartment.searcher()?).map_err(|e| compartment.failed(e))?;
        let next = used.last().map_or(0, |(row, _)| row + 1);
        let mut used_rows = used.iter().map(|(row, _)| *row).peekable();
        let mut free: Vec<u32> = Vec::new();
        for row in 0..next {
            if used_rows.next_if_eq(&row).is_none() {
                free.push(row);
            }
        }
        free.reverse();
        let (file, made) = match encoder {
            Some(encoder) => complete(compartment, encoder)?,
            None => {
                VectorFile::remove(&compartment.folder)?;
                (None, false)
            }
        };
        Ok((Rows { free, next, file, pending: Vec::new() }, made))
    }

    /// Rows of a compartment that is empty or will be emptied.
    pub(super) fn empty(compartment: &Compartment, encoder: Option<&dyn Encoder>) -> Result<Rows> {
        VectorFile::remove(&compartment.folder)?;
        let file = encoder.map(|e| VectorFile::replace(&compartment.folder, e, &[])).transpose()?;
        Ok(Rows { free: Vec::new(), next: 0, file, pending: Vec::new() })
    }

    /// Rows for the passages of a document, whose vectors are written by the next
    /// [`Rows::write`].
    pub(super) fn take(&mut self, document: &PreparedDocument) -> Vec<u32> {
        let mut taken = Vec::with_capacity(document.passages.len());
        for passage in &document.passages {
            let row = self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            taken.push(row);
            self.pending.extend(passage.codes.clone().map(|codes| (row, codes)));
        }
        taken
    }

    /// Writes what is pending; durable when this returns.
    pub(super) fn write(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.file.as_mut().map_or(Ok(()), |file| file.write(&pending))
    }
}

/// Makes the vectors of all passages of these documents.
pub(super) fn encode_all(
    encoder: Option<&dyn Encoder>,
    documents: &mut [&mut PreparedDocument],
) -> Result<()> {
    let Some(encoder) = encoder else { return Ok(()) };
    let mut passages: Vec<_> = documents
        .iter_mut()
        .flat_map(|d| d.passages.iter_mut().map(|passage| (d.title.as_str(), passage)))
        .collect();
    passages.par_chunks_mut(TEXTS).try_for_each(|passages| {
        let texts: Vec<(&str, &str)> =
            passages.iter().map(|(title, passage)| (*title, passage.meaning.as_str())).collect();
        let codes = encode_passages(encoder, &texts)?;
        for ((_, passage), codes) in passages.iter_mut().zip(codes) {
            passage.codes = Some(codes);
        }
        Ok(())
    })
}

/// The file of a compartment's vectors, with one for each passage. True if some had to be made.
fn complete(
    compartment: &Compartment,
    encoder: &dyn Encoder,
) -> Result<(Option<VectorFile>, bool)> {
    let folder = &compartment.folder;
    let there = Vectors::load(folder, encoder)?;
    let mut file = match VectorFile::open(folder, encoder)? {
        Some(file) => file,
        None => VectorFile::replace(folder, encoder, &[])?,
    };
    let searcher = compartment.searcher()?;
    let mut missing = rows(&searcher).map_err(|e| compartment.failed(e))?;
    missing.retain(|(row, _)| !there.has(*row));
    for part in missing.chunks(PASSAGES) {
        let mut texts = Vec::with_capacity(part.len());
        for (row, address) in part {
            let document = searcher.doc(*address).map_err(|e| compartment.failed(e))?;
            let found: Option<PassageEntry> = entry(&document, compartment.fields);
            texts.extend(found.map(|entry| Unencoded::new(*row, entry)));
        }
        let codes: Result<Vec<Vec<(u32, Codes)>>> =
            texts.par_chunks(TEXTS).map(|texts| encode_rows(encoder, texts)).collect();
        file.write(&codes?.concat())?;
    }
    Ok((Some(file), !missing.is_empty()))
}

/// A passage that has no vectors yet.
struct Unencoded {
    row: u32,
    title: String,
    meaning: String,
}

impl Unencoded {
    fn new(row: u32, entry: PassageEntry) -> Unencoded {
        Unencoded { row, meaning: entry.meaning(), title: entry.title }
    }
}

fn encode_rows(encoder: &dyn Encoder, rows: &[Unencoded]) -> Result<Vec<(u32, Codes)>> {
    let texts: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.title.as_str(), row.meaning.as_str())).collect();
    let codes = encode_passages(encoder, &texts)?;
    Ok(rows.iter().map(|row| row.row).zip(codes).collect())
}
