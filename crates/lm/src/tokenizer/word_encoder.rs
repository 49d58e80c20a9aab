//! Encodes words through the `tokenizers` crate, tokens that a user defined split off before.

use super::splitter::{Fragment, Splitter};
use crate::error::{Error, Result};

/// A vocabulary of the crate's, and the texts that it must not cut.
pub(super) struct WordEncoder {
    pub library: tokenizers::Tokenizer,
    pub user_defined: Splitter,
}

impl WordEncoder {
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for fragment in self.user_defined.split(text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => {
                    let encoding = self.library.encode_fast(text, false);
                    let encoding = encoding.map_err(|error| Error::Text(error.to_string()))?;
                    ids.extend(encoding.get_ids());
                }
            }
        }
        Ok(ids)
    }
}
