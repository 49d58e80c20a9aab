//! Ids against those that the reference libraries give, made by `reference/tokens_reference.py`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::Tokenizer;
use base64::Engine;
use common::shared;
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/tokens.json")).unwrap()
}

fn texts(reference: &Value) -> Vec<String> {
    serde_json::from_value(reference["texts"].clone()).unwrap()
}

fn ids(list: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(list.clone()).unwrap()
}

#[test]
fn qwen_s_folder_gives_the_reference_ids() {
    let Some(folder) = shared("models/qwen2.5-tokenizer") else { return };
    let (reference, tokenizer) = (reference(), Tokenizer::from_folder(&folder).unwrap());
    for (text, expected) in texts(&reference).iter().zip(ids(&reference["qwen2.5"])) {
        assert_eq!(tokenizer.encode_text(text).unwrap(), expected, "{text:?}");
    }
    assert_eq!(tokenizer.special_id("<|im_end|>"), Some(151_645));
}

#[test]
fn smollm_2_gives_the_reference_ids() {
    let Some(folder) = shared("models/smollm2-tokenizer") else { return };
    let (reference, tokenizer) = (reference(), Tokenizer::from_folder(&folder).unwrap());
    for (text, expected) in texts(&reference).iter().zip(ids(&reference["smollm2"])) {
        assert_eq!(tokenizer.encode_text(text).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn minilm_gives_the_reference_ids_with_its_frame() {
    let Some(folder) = shared("models/minilm-l6-v2-tokenizer-only") else { return };
    let (reference, tokenizer) = (reference(), Tokenizer::from_folder(&folder).unwrap());
    for (text, expected) in texts(&reference).iter().zip(ids(&reference["minilm"])) {
        assert_eq!(tokenizer.encode_whole(text).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn sentencepiece_models_give_the_reference_ids() {
    let reference = reference();
    let folder = tempfile::tempdir().unwrap();
    let models = reference["sentencepiece"].as_object().unwrap();
    assert_eq!(models.len(), 4);
    for (name, model) in models {
        let path = folder.path().join("tokenizer.model");
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(model["model"].as_str().unwrap());
        std::fs::write(&path, bytes.unwrap()).unwrap();
        let tokenizer = Tokenizer::from_sentencepiece(&path).unwrap();
        let decoded: Vec<String> = serde_json::from_value(model["decoded"].clone()).unwrap();
        let expected = ids(&model["ids"]).into_iter().zip(decoded);
        for (text, (expected, decoded)) in texts(&reference).iter().zip(expected) {
            let ids = tokenizer.encode_text(text).unwrap();
            assert_eq!(ids, expected, "{name} {text:?}");
            // A text's own marks for spaces cannot be told from spaces.
            if !ids.iter().any(|id| tokenizer.is_special(*id)) && !text.contains('▁') {
                assert_eq!(tokenizer.decode(&ids), decoded, "{name} {text:?}");
            }
        }
    }
}
