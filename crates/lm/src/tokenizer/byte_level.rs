//! The `gpt2` vocabulary: bytes, merged by rank within words that a pre-tokenizer cuts.

use super::pre_tokenizer::PreTokenizer;
use super::splitter::{Fragment, Splitter};
use crate::error::{Error, Result};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;

/// Encodes text through the `tokenizers` crate, tokens that a user defined split off before.
pub(super) struct ByteLevelBpe {
    library: tokenizers::Tokenizer,
    user_defined: Splitter,
}

impl ByteLevelBpe {
    /// `tokens` are those that merging may give; merges that would give another are dropped.
    pub fn new(
        tokens: Vec<(String, u32)>,
        merges: &[String],
        pre_tokenizer: &PreTokenizer,
        user_defined: Splitter,
    ) -> std::result::Result<ByteLevelBpe, String> {
        let vocabulary: Vocab = tokens.into_iter().collect();
        let mut pairs = Vec::with_capacity(merges.len());
        for merge in merges {
            let (left, right) = split_merge(merge).ok_or_else(|| format!("merge `{merge}`"))?;
            let known = |text: &str| vocabulary.contains_key(text);
            if known(left) && known(right) && known(&format!("{left}{right}")) {
                pairs.push((left.to_string(), right.to_string()));
            }
        }
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary, pairs)
            .ignore_merges(pre_tokenizer.whole_words)
            .build()
            .map_err(|error| error.to_string())?;
        let mut library = tokenizers::Tokenizer::new(bpe);
        library.with_pre_tokenizer(Some(pre_tokenizer.build()?));
        if pre_tokenizer.composes {
            library.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
        }
        Ok(ByteLevelBpe { library, user_defined })
    }

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

/// The two sides of a merge, which are parted by the first space that does not begin it.
fn split_merge(merge: &str) -> Option<(&str, &str)> {
    let first = merge.chars().next()?.len_utf8();
    let space = first + merge[first..].find(' ')?;
    Some((&merge[..space], &merge[space + 1..]))
}
