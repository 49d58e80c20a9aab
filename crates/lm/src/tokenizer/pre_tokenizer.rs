//! How the `gpt2` vocabularies cut text into words, by the name in `tokenizer.ggml.pre`.

use super::export::steps;
use serde_json::Value;
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
/// As Llama 3, signs with the letters after them, contractions not parted (DeepSeek 3).
const DEEPSEEK_3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##,
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// GPT-4o: as Tekken, contractions with the word before them, up to three digits.
const GPT_4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// Cased letters as DeepSeek's first models list them.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿ",
    r"ᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼ\u{1fbe}ῂ-ῄῆ-ῌῐ-\u{1fd3}ῖ-\u{1fdb}ῠ-Ῥῲ-ῴῶ-ῼ",
    r"ℂℇℊ-ℓℕℙ-ℝℤ\u{2126}ℨ\u{212a}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ",
    r"𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
);
/// Ideographs and syllables, which are cut off as runs.
const DEEPSEEK_SYLLABLES: &str = "[一-龥ࠀ-一가-퟿]+";
/// DeepSeek LLM: line ends, words, signs, white space at the end.
const DEEPSEEK_LLM: &[&str] = &[
    r"[\r\n]",
    DEEPSEEK_LETTERS,
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    DEEPSEEK_SYLLABLES,
    r"\p{N}",
];
/// DeepSeek Coder: line ends, words, signs.
const DEEPSEEK_CODER: &[&str] =
    &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_SYLLABLES, r"\p{N}"];
/// DeepSeek 3: digits in threes, Chinese and Japanese runs, the rest.
const DEEPSEEK_3_CUTS: &[&str] = &[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK_3];
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
    /// One expression after the other, each within what those before left uncut.
    Expressions(&'static [&'static str]),
}

const PLAIN: PreTokenizer =
    PreTokenizer { cut: Cut::Gpt2, whole_words: false, composes: false, begins: false };

/// The names that are known. Others would cut text in another way and are refused.
pub(super) const NAMES: &str = "default, gpt-2, mpt, olmo, jais, roberta-bpe, modern-bert, \
    jina-v2-code, phi-2, llama-bpe, dbrx, smaug-bpe, chatglm4, qwen2, stablelm2, smollm, \
    starcoder, refact, command-r, codeshell, exaone, minerva, falcon, tekken, gpt-4o, \
    deepseek-llm, deepseek-coder, deepseek-v3";

/// The pre-tokenizer called `name`.
pub(super) fn by_name(name: &str) -> Option<PreTokenizer> {
    Some(match name {
        "default" | "gpt-2" | "gpt2" | "mpt" | "olmo" | "jais" | "phi-2" | "modern-bert"
        | "roberta-bpe" | "jina-v2-code" => PLAIN,
        "llama-bpe" | "llama3" | "llama-v3" => {
            PreTokenizer { cut: Cut::Expression(LLAMA_3), whole_words: true, begins: true, ..PLAIN }
        }
        "dbrx" | "smaug-bpe" | "chatglm4" => {
            PreTokenizer { cut: Cut::Expression(LLAMA_3), ..PLAIN }
        }
        "stablelm2" => PreTokenizer { cut: Cut::Expression(QWEN_2), ..PLAIN },
        "gpt-4o" => PreTokenizer { cut: Cut::Expression(GPT_4O), ..PLAIN },
        "deepseek-llm" => PreTokenizer { cut: Cut::Expressions(DEEPSEEK_LLM), ..PLAIN },
        "deepseek-coder" => PreTokenizer { cut: Cut::Expressions(DEEPSEEK_CODER), ..PLAIN },
        "deepseek-v3" => PreTokenizer { cut: Cut::Expressions(DEEPSEEK_3_CUTS), ..PLAIN },
        "qwen2" => PreTokenizer { cut: Cut::Expression(QWEN_2), composes: true, ..PLAIN },
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva" => {
            PreTokenizer { cut: Cut::DigitsThenGpt2, ..PLAIN }
        }
        "falcon" => PreTokenizer { cut: Cut::Falcon, ..PLAIN },
        "tekken" => {
            PreTokenizer { cut: Cut::Expression(TEKKEN), whole_words: true, begins: true, ..PLAIN }
        }
        _ => return None,
    })
}

/// The names that vocabularies get in GGUF files, one for each way to cut.
const WRITTEN: [&str; 12] = [
    "gpt-2",
    "llama-bpe",
    "dbrx",
    "qwen2",
    "stablelm2",
    "smollm",
    "falcon",
    "tekken",
    "gpt-4o",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
];

/// The name of what a tokenizer.json does before it merges bytes.
pub(super) fn name_of(json: &Value) -> Result<&'static str, String> {
    let wanted = steps(&json["pre_tokenizer"]);
    let whole_words = json["model"]["ignore_merges"] == true;
    let composes = json["normalizer"]["type"] == "NFC";
    if !composes && !json["normalizer"].is_null() {
        return Err("GGUF has no name for its normalizer".to_string());
    }
    let found = WRITTEN.into_iter().find(|name| {
        by_name(name).is_some_and(|cut| {
            cut.whole_words == whole_words
                && cut.composes == composes
                && cut.steps().is_ok_and(|steps| steps == wanted)
        })
    });
    found.ok_or_else(|| "GGUF has no name for its pre_tokenizer".to_string())
}

impl PreTokenizer {
    /// What it does, in the form of [`steps`].
    fn steps(&self) -> Result<Vec<Value>, String> {
        let json = serde_json::to_value(self.build()?).map_err(|error| error.to_string())?;
        Ok(steps(&json))
    }

    /// Whether this is the cut by `expression` alone.
    pub fn is_expression(&self, expression: &str) -> bool {
        matches!(self.cut, Cut::Expression(own) if own == expression)
    }

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
            Cut::Expressions(expressions) => {
                let cuts = expressions.iter().map(|expression| split(expression));
                let mut steps = cuts.collect::<Result<Vec<_>, _>>()?;
                steps.push(ByteLevel::new(false, true, false).into());
                steps
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
