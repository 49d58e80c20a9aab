//! WordPiece vocabularies (BERT): words of letters, each cut into the longest known pieces.

use super::splitter::Splitter;
use super::word_encoder::WordEncoder;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

/// Stands before pieces that go on a word.
pub(super) const PREFIX: &str = "##";

/// The encoder of a vocabulary. `tokens` are written with [`PREFIX`]; `unknown` is the text of one
/// of them.
pub(super) fn encoder(
    tokens: Vec<(String, u32)>,
    unknown: String,
    lower_case: bool,
    user_defined: Splitter,
) -> Result<WordEncoder, String> {
    let vocabulary: Vocab = tokens.into_iter().collect();
    if !vocabulary.contains_key(&unknown) {
        return Err(format!("the token `{unknown}` for unknown words is missing"));
    }
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unknown)
        .continuing_subword_prefix(PREFIX.to_string())
        .build()
        .map_err(|error| error.to_string())?;
    let mut library = tokenizers::Tokenizer::new(model);
    let normaliser = BertNormalizer::new(true, true, None, lower_case);
    library.with_normalizer(Some(normaliser)).map_err(|error| error.to_string())?;
    library.with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(WordEncoder { library, user_defined })
}

/// The text that a piece gives within a sentence: words are parted by spaces, but not from the
/// signs and endings after them.
pub(super) fn text(token: &str) -> String {
    if let Some(rest) = token.strip_prefix(PREFIX) {
        return rest.to_string();
    }
    match token {
        "." | "?" | "!" | "," | "n't" | "'m" | "'s" | "'ve" | "'re" => token.to_string(),
        _ => format!(" {token}"),
    }
}

/// The token in WordPiece's writing of one in a GGUF file, which marks the beginnings of words by
/// `▁` and leaves what goes on a word bare.
pub(super) fn from_gguf(token: &str) -> String {
    match token.strip_prefix('▁') {
        Some(word) => word.to_string(),
        None if token.starts_with('[') && token.ends_with(']') => token.to_string(),
        None => format!("{PREFIX}{token}"),
    }
}

/// Whether letters are made small, which GGUF files do not say: they are where no word has a
/// capital of ASCII.
pub(super) fn is_lower_case(tokens: &[String]) -> bool {
    let capital =
        |text: &String| text.starts_with('▁') && text.contains(|c: char| c.is_ascii_uppercase());
    !tokens.iter().any(capital)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_three_ways() {
        assert_eq!(from_gguf("▁the"), "the");
        assert_eq!(from_gguf("ing"), "##ing");
        assert_eq!(from_gguf("[CLS]"), "[CLS]");
        assert_eq!(text("##ing"), "ing");
        assert_eq!(text("the"), " the");
        assert_eq!(text("."), ".");
    }
}
