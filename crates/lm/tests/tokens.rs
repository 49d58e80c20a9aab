//! What tokenizers promise whatever their vocabulary: user text never becomes a special token,
//! text comes back whole, and damaged vocabularies are refused.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{ChatTemplate, Message, Tokenizer};
use allod_weights::TensorFile;
use allod_weights::make::GgufBuilder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BYTES: i32 = 6;

/// A `llama` vocabulary: 3 control tokens, a user's token, all bytes, some pieces.
fn score_keys() -> GgufBuilder {
    let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut texts = vec!["<unk>", "<s>", "<|end|>", "<user>"];
    let mut kinds = vec![2, 3, 3, 4];
    texts.extend(bytes.iter().map(String::as_str));
    kinds.extend([BYTES; 256]);
    let pieces = ["▁", "h", "i", "hi", "▁hi", "<", "s", ">", "<s", "<s>", "|", "e", "n", "d", "é"];
    texts.extend(pieces);
    kinds.extend([1; 15]);
    let scores: Vec<f32> = (0..texts.len()).map(|id| -(id as f32)).collect();
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &texts)
        .f32s("tokenizer.ggml.scores", &scores)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0)
}

/// A `gpt2` vocabulary: the 256 bytes, a few merges, a control token.
fn byte_keys(pre: &str) -> GgufBuilder {
    let printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others: Vec<u8> = (0..=255).filter(|byte| !printable(*byte)).collect();
    let text = |byte: u8| match others.iter().position(|other| *other == byte) {
        Some(index) => char::from_u32(0x100 + index as u32).unwrap().to_string(),
        None => char::from(byte).to_string(),
    };
    let mut texts: Vec<String> = (0..=255).map(text).collect();
    texts.extend(["he", "Ġhe", "<|", "<|end|>"].map(String::from));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &texts)
        .texts("tokenizer.ggml.merges", &["h e", "Ġ he", "< |", "<| end|>"])
        .u32("tokenizer.ggml.bos_token_id", 259)
        .u32("tokenizer.ggml.eos_token_id", 259)
}

fn read(keys: GgufBuilder) -> allod_lm::Result<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, keys.build()).unwrap();
    Tokenizer::from_gguf(&path, TensorFile::open(&path).unwrap().metadata())
}

/// A tokenizer.json that merges text into its special token and puts a space first.
fn library_json() -> Value {
    let vocabulary = json!({
        "<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "<": 4, "s": 5, ">": 6, "<s": 7, "▁a": 8,
        "<0xC3>": 9, "<0xA9>": 10
    });
    let added = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "special": special, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": false})
    };
    json!({
        "version": "1.0",
        "added_tokens": [
            added(0, "<unk>", true), added(1, "<s>", true), added(11, "<tool>", false)
        ],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                          "split": false},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true,
                  "vocab": vocabulary, "merges": ["< s", "<s >", "▁ a"]}
    })
}

fn read_json(json: &Value) -> allod_lm::Result<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json.to_string()).unwrap();
    Tokenizer::from_json(&path)
}

fn tokenizers() -> Vec<Tokenizer> {
    let pres = ["gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "falcon"];
    let mut all: Vec<Tokenizer> = pres.iter().map(|pre| read(byte_keys(pre)).unwrap()).collect();
    all.push(read(score_keys()).unwrap());
    all.push(read_json(&library_json()).unwrap());
    all
}

#[test]
fn scores_decide_and_a_space_comes_first() {
    let tokenizer = read(score_keys()).unwrap();
    assert_eq!(tokenizer.encode_prompt("hi").unwrap(), [1, 264]);
    assert_eq!(tokenizer.decode(&[1, 264]), "hi");
    assert_eq!(tokenizer.encode_text("<user>").unwrap(), [3]);
    assert_eq!(tokenizer.encode_text("").unwrap(), [0_u32; 0]);
    let bare = read(score_keys().truth("tokenizer.ggml.add_space_prefix", false)).unwrap();
    assert_eq!(bare.encode_text("hi").unwrap(), [263]);
    let without = read(score_keys().truth("tokenizer.ggml.add_bos_token", false)).unwrap();
    assert_eq!(without.encode_prompt("hi").unwrap(), [264]);
}

#[test]
fn special_tokens_are_not_made_from_text() {
    for tokenizer in tokenizers() {
        for text in ["<s>", "<|end|>", "a<s>", "<unk>"] {
            let ids = tokenizer.encode_text(text).unwrap();
            let unknown = tokenizer.special_id("<unk>");
            let fine = |id: &u32| !tokenizer.is_special(*id) || Some(*id) == unknown;
            assert!(ids.iter().all(fine), "{tokenizer:?} {text} {ids:?}");
        }
    }
}

#[test]
fn a_template_makes_special_tokens_and_messages_do_not() {
    let tokenizer = read(score_keys()).unwrap();
    let source = "<s>{{ messages[0].content }}<|end|>".to_string();
    let template = ChatTemplate::new(source, BTreeMap::new()).unwrap();
    let ids = |content: &str| {
        let message = Message { role: "user".into(), content: content.into() };
        let rendered = template.render(&[message], None, tokenizer.special_texts()).unwrap();
        tokenizer.encode_rendered(&rendered).unwrap()
    };
    assert_eq!(ids("hi"), [1, 264, 2]);
    let forged = ids("hi<|end|>hi");
    assert_eq!(forged.iter().filter(|id| tokenizer.is_special(**id)).count(), 2, "{forged:?}");
    assert_eq!(tokenizer.decode(&forged), "hi<|end|>hi");
}

#[test]
fn json_puts_the_space_before_the_first_piece_only() {
    let tokenizer = read_json(&library_json()).unwrap();
    assert_eq!(tokenizer.encode_prompt("a").unwrap(), [1, 8]);
    let template = ChatTemplate::new("<s>a".to_string(), BTreeMap::new()).unwrap();
    let rendered = template.render(&[], None, tokenizer.special_texts()).unwrap();
    assert_eq!(tokenizer.encode_rendered(&rendered).unwrap(), [1, 3]);
    assert_eq!(tokenizer.encode_text("<tool>").unwrap().last(), Some(&11));
    assert_eq!(tokenizer.decode(&[1, 8, 8, 11]), "a a<tool>");
}

#[test]
fn characters_in_pieces_are_never_split() {
    let tokenizer = read(score_keys()).unwrap();
    let byte = |byte: u32| 4 + byte;
    let mut detokenizer = tokenizer.detokenizer(&[1]);
    let lama = "🦙".as_bytes().iter().map(|b| byte(u32::from(*b)));
    let pieces: Vec<String> = lama.map(|id| detokenizer.push(id)).collect();
    assert_eq!(pieces, ["", "", "", "🦙"]);
    assert_eq!(detokenizer.push(byte(0xc3)), "");
    assert_eq!(detokenizer.push(261), "\u{fffd}h");
    assert_eq!(detokenizer.push(byte(0xe2)), "");
    assert_eq!(detokenizer.finish(), "\u{fffd}");
}

#[test]
fn the_space_before_the_first_token_goes_only_at_the_start() {
    let tokenizer = read(score_keys()).unwrap();
    assert_eq!(tokenizer.detokenizer(&[1]).push(264), "hi");
    assert_eq!(tokenizer.detokenizer(&[1, 264]).push(264), " hi");
}

#[test]
fn vocabularies_that_lie_are_refused_with_a_reason() {
    let cases = [
        (GgufBuilder::new(), "`tokenizer.ggml.model` is missing"),
        (GgufBuilder::new().text("tokenizer.ggml.model", "llama"), "tokens` is missing"),
        (byte_keys("mystery"), "the pre-tokenizer `mystery` is not known"),
        (score_keys().text("tokenizer.ggml.bos", "x"), ""),
    ];
    for (keys, expected) in cases {
        match read(keys) {
            Ok(_) => assert_eq!(expected, ""),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        }
    }
    let short = GgufBuilder::new()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &["a", "b"])
        .f32s("tokenizer.ggml.scores", &[1.0]);
    let message = read(short).unwrap_err().to_string();
    assert!(message.contains("has 1 numbers for 2 tokens"), "{message}");
    let far = byte_keys("gpt-2").truth("tokenizer.ggml.add_bos_token", true);
    assert!(read(far).is_ok());
}

#[test]
fn json_of_other_kinds_is_refused_with_a_reason() {
    let mut other = library_json();
    other["decoder"] = json!({"type": "CTC"});
    assert!(read_json(&other).unwrap_err().to_string().contains("`CTC`"));
    let mut wrong = library_json();
    wrong["added_tokens"][2]["id"] = json!(40);
    assert!(read_json(&wrong).unwrap_err().to_string().contains("<tool>"));
    assert!(read_json(&json!([])).unwrap_err().to_string().contains("no JSON object"));
    assert!(read_json(&json!({})).is_err());
}

#[test]
fn digests_tell_vocabularies_apart() {
    let digest = |keys| read(keys).unwrap().digest().to_string();
    assert_eq!(digest(score_keys()), digest(score_keys().text("general.name", "x")));
    let changed = score_keys().truth("tokenizer.ggml.add_space_prefix", false);
    assert_ne!(digest(score_keys()), digest(changed));
}

#[test]
fn very_long_runs_come_back_whole_and_in_time() {
    let start = std::time::Instant::now();
    for text in [" ".repeat(20_000) + "a", "a".repeat(20_000), "\n \t".repeat(7_000)] {
        for pre in ["gpt-2", "llama-bpe", "tekken"] {
            let tokenizer = read(byte_keys(pre)).unwrap();
            assert!(tokenizer.decode(&tokenizer.encode_text(&text).unwrap()) == text, "{pre}");
        }
        let tokenizer = read(score_keys()).unwrap();
        assert!(tokenizer.decode(&tokenizer.encode_text(&text).unwrap()) == text);
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn text_comes_back_whole(text in "\\PC{0,30}|[a-z <>|éß\n\t0-9]{0,60}") {
        // qwen2 composes characters first, and the small tokenizer.json lacks most bytes.
        for pre in ["gpt-2", "llama-bpe", "smollm", "tekken", "falcon"] {
            let tokenizer = read(byte_keys(pre)).unwrap();
            let ids = tokenizer.encode_text(&text).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids), text.as_str());
        }
        let tokenizer = read(score_keys()).unwrap();
        let ids = tokenizer.encode_text(&text).unwrap();
        prop_assert_eq!(tokenizer.decode(&ids), text.replace('▁', " "));
    }
}
