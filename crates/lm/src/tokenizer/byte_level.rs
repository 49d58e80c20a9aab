//! The `gpt2` vocabulary: bytes, merged by rank within words that a pre-tokenizer cuts.

use super::pre_tokenizer::PreTokenizer;
use super::splitter::Splitter;
use super::word_encoder::WordEncoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;

/// The encoder of a vocabulary. `tokens` are those that merging may give; merges that would give
/// another are dropped.
pub(super) fn encoder(
    tokens: Vec<(String, u32)>,
    merges: &[String],
    pre_tokenizer: &PreTokenizer,
    user_defined: Splitter,
) -> Result<WordEncoder, String> {
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
        .cache_capacity(0)
        .build()
        .map_err(|error| error.to_string())?;
    let mut library = tokenizers::Tokenizer::new(bpe);
    library.with_pre_tokenizer(Some(pre_tokenizer.build()?));
    if pre_tokenizer.composes {
        library.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
    }
    Ok(WordEncoder { library, user_defined })
}

/// The two sides of a merge, which are parted by the first space that does not begin it.
fn split_merge(merge: &str) -> Option<(&str, &str)> {
    let first = merge.chars().next()?.len_utf8();
    let space = first + merge[first..].find(' ')?;
    Some((&merge[..space], &merge[space + 1..]))
}
