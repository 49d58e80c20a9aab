//! Vectors of texts from a table: one row for each word or piece of a word, added up.
//!
//! Nothing is multiplied but numbers by rows, so a passage costs microseconds, and the order of the
//! words plays no part. The table is trained by `allod tune embed`; docs/embedder.md says how.

mod built_in;
mod file;
mod lexicon;

use crate::error::{Error, Result};
use allod_weights::digest_bytes;
pub use file::{TableFacts, write_table};
pub use lexicon::{Lexicon, each_word, gather};

/// Words of a text beyond which the rest does not count.
pub const TABLE_WORDS: usize = 320;

/// What a text is to the table: rows in rising order, each with its factor.
pub type Bag = Vec<(u32, f32)>;

/// A trained table of words and pieces of words.
pub struct TableEmbedder {
    lexicon: Lexicon,
    dimension: usize,
    scales: Vec<f32>,
    // [entries, dimension]
    rows: Vec<u8>,
    facts: TableFacts,
    digest: String,
}

impl TableEmbedder {
    /// Reads a table from the bytes of its file.
    ///
    /// # Errors
    /// [`Error::Table`] if the bytes are not a whole table.
    pub fn read(bytes: &[u8]) -> Result<TableEmbedder> {
        let parts = file::read_table(bytes)?;
        let rows = bytes[parts.rows].to_vec();
        let (digest, dimension) = (digest_bytes(bytes), parts.facts.dimension);
        let lexicon = Lexicon::new(parts.entries).map_err(Error::Table)?;
        let (scales, facts) = (parts.scales, parts.facts);
        Ok(TableEmbedder { lexicon, dimension, scales, rows, facts, digest })
    }

    /// The vectors of texts, each of length 1, in their order; a text's bits do not depend on the
    /// others. A text without a known word or piece has the zero vector.
    pub fn encode(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        texts.iter().map(|text| self.encode_one(text)).collect()
    }

    fn encode_one(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0f32; self.dimension];
        for (entry, factor) in self.lexicon.bag(text) {
            let entry = entry as usize;
            let factor = factor * self.scales[entry];
            let row = &self.rows[entry * self.dimension..][..self.dimension];
            for (sum, &weight) in sum.iter_mut().zip(row) {
                *sum += factor * f32::from(weight as i8);
            }
        }
        unit(&mut sum);
        sum
    }

    /// Elements of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// SHA-256 of the table's file: it changes whenever a vector would.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Name, recipe, training data and licences, as the file states them.
    pub fn facts(&self) -> &TableFacts {
        &self.facts
    }
}

/// Scales a vector to length 1 and returns the length it had; zero stays zero. The squares are
/// added in 16 chains, then the chains from first to last.
pub fn unit(vector: &mut [f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    for part in vector.chunks(16) {
        for (lane, value) in lanes.iter_mut().zip(part) {
            *lane += value * value;
        }
    }
    let length = lanes.iter().sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    length
}

#[cfg(test)]
mod tests;
