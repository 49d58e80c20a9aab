//! The file of a table: a header in JSON, the entries, a scale for each row, the rows in 8 bits.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;

/// The first bytes of a table's file.
const MAGIC: &[u8; 12] = b"allod-table1";
/// Entries at most.
const MOST_ENTRIES: usize = 1 << 20;
/// Elements of a row at most; they come in sixteens.
const MOST_DIMENSION: usize = 1024;
/// The largest magnitude of a stored weight.
const LARGEST: f32 = 127.0;

/// What a table's file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFacts {
    /// The table's name.
    pub name: String,
    /// Elements of a row.
    pub dimension: usize,
    /// Rows.
    pub entries: usize,
    /// The recipe's settings.
    pub recipe: Value,
    /// The training data: names, digests, licences, attribution.
    pub data: Value,
}

/// A file taken apart.
pub(super) struct Parts {
    pub(super) facts: TableFacts,
    pub(super) entries: Vec<String>,
    pub(super) scales: Vec<f32>,
    /// Where the rows lie in the file.
    pub(super) rows: Range<usize>,
}

/// The bytes of a table whose rows are `weights` (`[entries, dimension]`), rounded to 8 bits with
/// one scale a row.
///
/// # Errors
/// [`Error::Table`] if the sizes do not fit together or a weight is not finite.
pub fn write_table(facts: &TableFacts, entries: &[String], weights: &[f32]) -> Result<Vec<u8>> {
    check_sizes(facts)?;
    if entries.len() != facts.entries || weights.len() != facts.entries * facts.dimension {
        return Err(Error::Table("rows, entries and weights differ in number".to_string()));
    }
    let header = serde_json::to_vec(facts).map_err(|error| Error::Table(error.to_string()))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header);
    for entry in entries {
        let length = u8::try_from(entry.len())
            .map_err(|_| Error::Table(format!("entry {entry:?} is longer than 255 bytes")))?;
        bytes.push(length);
        bytes.extend(entry.as_bytes());
    }
    let scales = weights.chunks_exact(facts.dimension).map(scale_of).collect::<Result<Vec<_>>>()?;
    bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
    for (row, scale) in weights.chunks_exact(facts.dimension).zip(&scales) {
        bytes.extend(row.iter().map(|weight| rounded(*weight, *scale) as u8));
    }
    Ok(bytes)
}

fn scale_of(row: &[f32]) -> Result<f32> {
    match row.iter().all(|weight| weight.is_finite()) {
        true => Ok(row.iter().fold(0.0f32, |most, weight| most.max(weight.abs())) / LARGEST),
        false => Err(Error::Table("a trained weight is not finite".to_string())),
    }
}

fn rounded(weight: f32, scale: f32) -> i8 {
    match scale > 0.0 {
        true => (weight / scale).round().clamp(-LARGEST, LARGEST) as i8,
        false => 0,
    }
}

/// Takes a file apart; every size is checked against the bytes that are there.
pub(super) fn read_table(bytes: &[u8]) -> Result<Parts> {
    let mut rest = Rest { bytes, at: 0 };
    if rest.take(MAGIC.len())? != MAGIC {
        return Err(Error::Table("it does not begin as a table's file does".to_string()));
    }
    let length = rest.take(4)?.try_into().expect("four bytes were taken");
    let header = rest.take(u32::from_le_bytes(length) as usize)?;
    let facts: TableFacts = serde_json::from_slice(header)
        .map_err(|error| Error::Table(format!("its header cannot be read: {error}")))?;
    check_sizes(&facts)?;
    let mut entries = Vec::new();
    for _ in 0..facts.entries {
        let length = usize::from(rest.take(1)?[0]);
        let entry = std::str::from_utf8(rest.take(length)?);
        let entry = entry.map_err(|_| Error::Table("an entry is not UTF-8".to_string()))?;
        entries.push(entry.to_string());
    }
    let scales = rest.take(facts.entries * 4)?.as_chunks::<4>().0.iter();
    let scales: Vec<f32> = scales.map(|scale| f32::from_le_bytes(*scale)).collect();
    if let Some(at) = scales.iter().position(|scale| !(0.0..=1e6).contains(scale)) {
        return Err(Error::Table(format!("the scale of row {at} is not a number from 0 to 1e6")));
    }
    let start = rest.at;
    rest.take(facts.entries * facts.dimension)?;
    match rest.at == bytes.len() {
        true => Ok(Parts { facts, entries, scales, rows: start..rest.at }),
        false => Err(Error::Table(format!("{} bytes follow its end", bytes.len() - rest.at))),
    }
}

fn check_sizes(facts: &TableFacts) -> Result<()> {
    let TableFacts { entries, dimension, .. } = *facts;
    if entries == 0 || entries > MOST_ENTRIES {
        return Err(Error::Table(format!("it has {entries} entries; 1 to {MOST_ENTRIES} can be")));
    }
    if dimension == 0 || dimension > MOST_DIMENSION || dimension % 16 != 0 {
        return Err(Error::Table(format!(
            "its rows have {dimension} elements; multiples of 16 up to {MOST_DIMENSION} can be"
        )));
    }
    Ok(())
}

/// What is left of a file.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::Table(format!("it ends at byte {}, too early", self.bytes.len())));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}
