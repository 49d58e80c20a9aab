//! How the `gpt2` vocabularies cut text into words, by the name in `tokenizer.ggml.pre`.

use tokenizers::PreTokenizerWrapper;
use tokenizers::SplitDelimiterBehavior::{Contiguous, Isolated};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// Llama 3: contractions, words with one sign before them, up to three digits, signs, line ends.
const LLAMA_3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// Qwen 2: as Llama 3, digits one by one.
const QWEN_2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// Tekken: words are cut where capitals follow small letters, digits one by one.
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// A way to cut text into words.
#[derive(Clone, Copy)]
pub(super) struct PreTokenizer {
    cut: Cut,
    /// Whether a word that is a token is taken whole, merges or not.
    pub whole_words: bool,
    /// Whether text is composed (NFC) first.
    pub composes: bool,
    /// Whether a begin-of-text token comes first unless the file says otherwise.
    pub begins: bool,
}

#[derive(Clone, Copy)]
enum Cut {
    /// GPT-2's expression.
    Gpt2,
    /// Every digit by itself, then GPT-2's.
    DigitsThenGpt2,
    /// Falcon: runs of punctuation, GPT-2's, runs of digits in threes.
    Falcon,
    /// One expression.
    Expression(&'static str),
}

const PLAIN: PreTokenizer =
    PreTokenizer { cut: Cut::Gpt2, whole_words: false, composes: false, begins: false };

/// The names that are known. Others would cut text in another way and are refused.
pub(super) const NAMES: &str = "default, gpt-2, llama-bpe, qwen2, smollm, starcoder, refact, \
                                falcon, tekken";

/// The pre-tokenizer called `name`.
pub(super) fn by_name(name: &str) -> Option<PreTokenizer> {
    Some(match name {
        "default" | "gpt-2" | "gpt2" => PLAIN,
        "llama-bpe" | "llama3" | "llama-v3" => {
            PreTokenizer { cut: Cut::Expression(LLAMA_3), whole_words: true, begins: true, ..PLAIN }
        }
        "qwen2" => PreTokenizer { cut: Cut::Expression(QWEN_2), composes: true, ..PLAIN },
        "smollm" | "starcoder" | "refact" => PreTokenizer { cut: Cut::DigitsThenGpt2, ..PLAIN },
        "falcon" => PreTokenizer { cut: Cut::Falcon, ..PLAIN },
        "tekken" => {
            PreTokenizer { cut: Cut::Expression(TEKKEN), whole_words: true, begins: true, ..PLAIN }
        }
        _ => return None,
    })
}

impl PreTokenizer {
    /// The steps in the `tokenizers` crate.
    pub fn build(&self) -> Result<PreTokenizerWrapper, String> {
        let gpt2 = || ByteLevel::new(false, true, true).into();
        let steps: Vec<PreTokenizerWrapper> = match self.cut {
            Cut::Gpt2 => vec![gpt2()],
            Cut::DigitsThenGpt2 => vec![Digits::new(true).into(), gpt2()],
            Cut::Falcon => vec![
                Punctuation::new(Contiguous).into(),
                gpt2(),
                Digits::new(false).into(),
                split("[0-9][0-9][0-9]")?,
            ],
            Cut::Expression(expression) => {
                vec![split(expression)?, ByteLevel::new(false, true, false).into()]
            }
        };
        Ok(Sequence::new(steps).into())
    }
}

fn split(expression: &str) -> Result<PreTokenizerWrapper, String> {
    let pattern = SplitPattern::Regex(expression.to_string());
    let split = Split::new(pattern, Isolated, false).map_err(|error| error.to_string())?;
    Ok(split.into())
}
