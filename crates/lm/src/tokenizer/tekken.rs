//! tekken.json: byte sequences in the order of their ranks, behind a block of special tokens.

use super::pieces::{Pieces, char_of_byte};
use super::pre_tokenizer;
use super::splitter::{Entry, Splitter};
use super::{Encoder, Tokenizer, byte_level};
use crate::checkpoint::read_text;
use crate::error::Result;
use allod_weights::digest_bytes;
use base64::Engine;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The largest published file has some 20 MB.
const FILE_BYTES: u64 = 128 << 20;
/// The longest published token has 128 bytes.
const TOKEN_BYTES: usize = 4096;

#[derive(Deserialize)]
struct File {
    config: Config,
    vocab: Vec<Ranked>,
    #[serde(default)]
    special_tokens: Vec<Special>,
}

#[derive(Deserialize)]
struct Config {
    pattern: String,
    default_vocab_size: usize,
    default_num_special_tokens: usize,
}

#[derive(Deserialize)]
struct Ranked {
    token_bytes: String,
}

#[derive(Deserialize)]
struct Special {
    rank: usize,
    token_str: String,
}

pub(super) fn read(path: &Path) -> Result<Tokenizer> {
    let text = read_text(path, FILE_BYTES)?;
    parse(&text).map_err(|what| super::sentencepiece::bad(path, what))
}

fn parse(text: &str) -> std::result::Result<Tokenizer, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let cut = pre_tokenizer::by_name("tekken").expect("the name is known");
    if !cut.is_expression(&file.config.pattern) {
        return Err(format!("the pattern `{}` is not tekken's", file.config.pattern));
    }
    let specials = specials(&file)?;
    let plain = file.config.default_vocab_size.saturating_sub(specials.len());
    let ranked = file.vocab.iter().take(plain).map(|ranked| bytes(&ranked.token_bytes));
    let ranked: Vec<Vec<u8>> = ranked.collect::<std::result::Result<_, _>>()?;
    let ranks: HashMap<&[u8], u32> = ranked.iter().map(Vec::as_slice).zip(0..).collect();
    let merges: Vec<String> = ranked.iter().filter_map(|token| merge(token, &ranks)).collect();
    let first = specials.len() as u32;
    let tokens = ranked.iter().zip(first..).map(|(token, id)| (written(token), id)).collect();
    let mut pieces = Pieces::default();
    specials.iter().for_each(|text| pieces.push(text.as_bytes()));
    ranked.iter().for_each(|token| pieces.push(token));
    let entries = || specials.iter().zip(0_u32..);
    let encoder = byte_level::encoder(tokens, &merges, &cut, Splitter::default())?;
    let id = |name: &str| entries().find(|(text, _)| *text == name).map(|(_, id)| id);
    Ok(Tokenizer {
        encoder: Encoder::Words(Box::new(encoder)),
        pieces,
        special_ids: (0..first).collect(),
        unknown: id("<unk>"),
        begin: id("<s>").into_iter().collect(),
        end: Vec::new(),
        pair: None,
        strips_first_space: false,
        digest: digest_bytes(text.as_bytes()),
        specials: Splitter::new(entries().map(|(text, id)| Entry::plain(text, id))),
    })
}

/// The special tokens by id; those that have no name are `<SPECIAL_n>`.
fn specials(file: &File) -> std::result::Result<Vec<String>, String> {
    let count = file.config.default_num_special_tokens;
    if count > file.config.default_vocab_size || count > 1 << 20 {
        return Err(format!("{count} special tokens"));
    }
    let mut texts: Vec<String> = (0..count).map(|id| format!("<SPECIAL_{id}>")).collect();
    let standard = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]"];
    let standard = standard.iter().chain(&["[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"]);
    let standard = standard.chain(&["[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>"]);
    if file.special_tokens.is_empty() {
        texts.iter_mut().zip(standard).for_each(|(text, name)| *text = (*name).to_string());
    }
    for special in &file.special_tokens {
        let text = texts.get_mut(special.rank);
        let text = text.ok_or_else(|| format!("`{}` has no place", special.token_str))?;
        text.clone_from(&special.token_str);
    }
    Ok(texts)
}

fn bytes(base64: &str) -> std::result::Result<Vec<u8>, String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
    let bytes = bytes.map_err(|error| format!("`{base64}`: {error}"))?;
    match bytes.len() {
        1..=TOKEN_BYTES => Ok(bytes),
        length => Err(format!("a token has {length} bytes")),
    }
}

fn written(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char_of_byte(*byte)).collect()
}

/// The last merge that makes a token: its bytes are merged by lower ranks until two parts are left.
fn merge(token: &[u8], ranks: &HashMap<&[u8], u32>) -> Option<String> {
    let own = *ranks.get(token)?;
    let mut ends: Vec<usize> = (0..=token.len()).collect();
    while ends.len() > 3 {
        let rank = |window: &[usize]| {
            let rank = *ranks.get(&token[window[0]..window[2]])?;
            Some(rank).filter(|rank| *rank < own)
        };
        let best = ends.windows(3).zip(1..).filter_map(|(window, at)| Some((rank(window)?, at)));
        let (_, at) = best.min()?;
        ends.remove(at);
    }
    let middle = *ends.get(1).filter(|_| ends.len() == 3)?;
    Some(format!("{} {}", written(&token[..middle]), written(&token[middle..])))
}
