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

/// A `bert` vocabulary.
fn word_keys() -> GgufBuilder {
    let texts =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁h", "i", "▁hi", "▁[", "▁]", "▁cls", "▁.", "▁é"];
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "bert")
        .texts("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &[3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1])
        .u32("tokenizer.ggml.unknown_token_id", 1)
        .u32("tokenizer.ggml.cls_token_id", 2)
        .u32("tokenizer.ggml.seperator_token_id", 3)
}

/// A `t5` vocabulary that falls back to bytes.
fn unigram_keys() -> GgufBuilder {
    let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut texts = vec!["<pad>", "</s>", "<unk>", "<user>"];
    let mut kinds = vec![3, 3, 2, 4];
    texts.extend(bytes.iter().map(String::as_str));
    kinds.extend([BYTES; 256]);
    texts.extend(["▁", "h", "i", "hi", "▁hi", "<", "/s", ">", "</s", "é"]);
    kinds.extend([1; 10]);
    let scores: Vec<f32> = (0..texts.len()).map(|id| -1.0 - id as f32 / 100.0).collect();
    GgufBuilder::new()
        .text("tokenizer.ggml.model", "t5")
        .texts("tokenizer.ggml.tokens", &texts)
        .f32s("tokenizer.ggml.scores", &scores)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.eos_token_id", 1)
        .u32("tokenizer.ggml.unknown_token_id", 2)
        .truth("tokenizer.ggml.remove_extra_whitespaces", false)
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
    all.push(read(word_keys()).unwrap());
    all.push(read(unigram_keys()).unwrap());
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
        for text in ["<s>", "<|end|>", "a<s>", "<unk>", "[CLS] [SEP]", "</s>hi<pad>"] {
            let ids = tokenizer.encode_text(text).unwrap();
            let unknown = tokenizer.special_id("<unk>").or(tokenizer.special_id("[UNK]"));
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

/// `<s>` is a piece of the vocabulary, likelier than its letters, and HTML too.
#[test]
fn text_that_spells_a_piece_that_is_special_is_read_as_other_pieces() {
    let mut json = library_json();
    let pieces = [("<unk>", 0.0), ("<s>", 0.0), ("▁", -2.0), ("a", -3.0), ("<", -4.0)];
    let more = [("s", -3.0), (">", -4.0), ("▁a", -2.5), ("<s", -9.0)];
    let pieces: Vec<Value> = pieces.iter().chain(&more).map(|piece| json!(piece)).collect();
    json["model"] = json!({"type": "Unigram", "unk_id": 0, "vocab": pieces});
    json["added_tokens"].as_array_mut().unwrap().truncate(2);
    let tokenizer = read_json(&json).unwrap();
    assert_eq!(tokenizer.encode_prompt("a<s>a").unwrap(), [1, 7, 4, 5, 6, 3]);
    assert_eq!(tokenizer.encode_text("<s>").unwrap(), [2, 4, 5, 6]);
    assert_eq!(tokenizer.encode_with_specials("<s>a").unwrap(), [1, 3]);
    assert_eq!(tokenizer.decode(&[1, 7, 4, 5, 6]), "a<s>");
    assert_eq!((tokenizer.vocabulary(), tokenizer.special_id("<s>")), (9, Some(1)));
}

#[test]
fn whole_texts_are_framed() {
    let words = read(word_keys()).unwrap();
    assert_eq!(words.encode_whole("Hi, [CLS].").unwrap(), [2, 6, 1, 7, 9, 8, 10, 3]);
    assert_eq!(words.decode(&[2, 6, 4, 5, 10, 3]), "hi hi.");
    let unigram = read(unigram_keys()).unwrap();
    assert_eq!(unigram.encode_whole("hi").unwrap(), [264, 1]);
    assert_eq!(unigram.encode_text("<user></s>").unwrap(), [260, 3, 268, 267]);
    assert_eq!(unigram.decode(&[264, 3, 264, 1]), "hi<user> hi");
}

#[test]
fn damaged_sentencepiece_models_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.model");
    let piece = [0x0a, 3, 0x0a, 1, b'a'];
    let cases: [(&[u8], &str); 7] = [
        (&[], "no pieces"),
        (&[0x0a, 200, 1], "beyond the end"),
        (&[0x0a, 2, 0x18, 1], "no text"),
        (&[0x0a, 5, 0x0a, 1, 0xff, 0x18, 1], "not UTF-8"),
        (&[0x12, 2, 0x18, 3], "word"),
        (&[0x12, 3, 0xc0, 1, 1], "treat_whitespace_as_suffix"),
        (&[0x1a, 3, 0x12, 1, 7], "character map"),
    ];
    for (part, expected) in cases {
        let whole =
            if part.len() > 3 && part[0] != 0x0a { [&piece, part].concat() } else { part.to_vec() };
        std::fs::write(&path, whole).unwrap();
        let message = Tokenizer::from_sentencepiece(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    std::fs::write(&path, piece).unwrap();
    assert!(Tokenizer::from_sentencepiece(&path).is_ok());
}

/// A tekken.json of the bytes and two merges.
#[test]
fn tekken_merges_by_rank() {
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let mut vocabulary: Vec<Value> =
        (0..=255_u8).map(|byte| json!({"rank": byte, "token_bytes": base64(&[byte])})).collect();
    for token in ["he", "ll", "hell", " é", "unused"] {
        vocabulary.push(json!({"rank": 0, "token_bytes": base64(token.as_bytes())}));
    }
    let pattern = concat!(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
        r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    );
    let config = |pattern: &str| {
        let (size, special) = (264, 4);
        json!({"pattern": pattern, "default_vocab_size": size,
               "default_num_special_tokens": special})
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |pattern: &str| {
        let file = json!({"config": config(pattern), "vocab": vocabulary});
        std::fs::write(folder.path().join("tekken.json"), file.to_string()).unwrap();
        Tokenizer::from_folder(folder.path())
    };
    let tokenizer = write(pattern).unwrap();
    assert_eq!(tokenizer.encode_prompt("hello é</s>").unwrap()[..4], [1, 262, 4 + 111, 263]);
    let ids = tokenizer.encode_text("hello é</s> 🦙").unwrap();
    assert_eq!(tokenizer.decode(&ids), "hello é</s> 🦙");
    assert!(ids.iter().all(|id| !tokenizer.is_special(*id)));
    assert!(write("x+").unwrap_err().to_string().contains("`x+`"));
}

#[test]
fn folders_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let message = Tokenizer::from_folder(folder.path()).unwrap_err().to_string();
    assert!(message.contains("vocab.json"), "{message}");
    std::fs::write(folder.path().join("vocab.json"), r#"{"a": 0}"#).unwrap();
    std::fs::write(folder.path().join("merges.txt"), "").unwrap();
    let message = Tokenizer::from_folder(folder.path()).unwrap_err().to_string();
    assert!(message.contains("tokenizer_class"), "{message}");
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
        (
            GgufBuilder::new()
                .text("tokenizer.ggml.model", "rwkv")
                .texts("tokenizer.ggml.tokens", &["a"]),
            "`rwkv`",
        ),
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
    fn no_kind_splits_a_character(text in "\\PC{0,20}|[a-z <>|éß🦙\n0-9]{0,40}") {
        for tokenizer in tokenizers() {
            let ids = tokenizer.encode_text(&text).unwrap();
            let mut detokenizer = tokenizer.detokenizer(&[]);
            let mut whole: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
            prop_assert!(text.contains('\u{fffd}') || !whole.contains('\u{fffd}'), "{whole}");
            let rest = detokenizer.finish();
            prop_assert!(rest.is_empty());
            whole += &rest;
            prop_assert_eq!(whole, tokenizer.decode(&ids));
        }
    }

    #[test]
    fn any_tokens_give_text(ids in prop::collection::vec(0_u32..400, 0..40)) {
        for tokenizer in tokenizers() {
            let mut detokenizer = tokenizer.detokenizer(&[]);
            let mut pieces: String = ids.iter().map(|id| detokenizer.push(*id)).collect();
            pieces += &detokenizer.finish();
            prop_assert_eq!(pieces, tokenizer.decode(&ids));
        }
    }

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
