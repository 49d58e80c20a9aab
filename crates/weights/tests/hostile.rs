//! Files that lie are refused with a reason; no file makes the readers panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_weights::make::{GgufBuilder, safetensors, safetensors_with_header};
use allod_weights::{Error, Number, TensorFile, Value};
use proptest::prelude::*;
use std::path::Path;
use tempfile::tempdir;

fn open(bytes: &[u8], name: &str) -> Result<TensorFile, Error> {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    TensorFile::open(&path)
}

fn refusal(bytes: &[u8], name: &str) -> String {
    open(bytes, name).expect_err("the file is not sound").to_string()
}

fn sample() -> GgufBuilder {
    GgufBuilder::new()
        .text("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .f32("x.eps", 0.5)
        .truth("x.flag", true)
        .texts("x.texts", &["a", "ß", ""])
        .i32s("x.numbers", &[1, -2, 3])
        .f32s("x.floats", &[0.25])
}

fn sample_file() -> Vec<u8> {
    let values: Vec<f32> = (0..6).map(|value| value as f32).collect();
    sample().f32_tensor("a", &[2, 3], &values).f32_tensor("b", &[1], &[7.0]).build()
}

#[test]
fn gguf_round_trip() {
    let file = open(&sample_file(), "x.gguf").unwrap();
    let metadata = file.metadata();
    assert_eq!(metadata.text("general.architecture"), Some("llama"));
    assert_eq!(metadata.number("llama.block_count"), Some(Number::Unsigned(2)));
    assert_eq!(metadata.truth("x.flag"), Some(true));
    assert_eq!(metadata.texts("x.texts").unwrap(), ["a", "ß", ""]);
    let numbers: Vec<Number> = metadata.array("x.numbers").unwrap().numbers().collect();
    assert_eq!(numbers, [Number::Signed(1), Number::Signed(-2), Number::Signed(3)]);
    let tensor = file.tensor("a").unwrap();
    assert_eq!(tensor.shape, [2, 3]);
    assert_eq!(tensor.matrix().unwrap().columns, 3);
    assert_eq!(file.tensor("b").unwrap().vector().unwrap(), [7.0]);
    assert_eq!(file.parameters(), 7);
    assert_eq!(file.main_type(), "F32");
}

#[test]
fn safetensors_round_trip_and_shards() {
    let a = ("a".to_string(), vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    let b = ("b".to_string(), vec![1], vec![5.0]);
    let folder = tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("one.safetensors", &safetensors(std::slice::from_ref(&a)));
    write("two.safetensors", &safetensors(std::slice::from_ref(&b)));
    let index = r#"{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"#;
    write("model.safetensors.index.json", index.as_bytes());
    let file = TensorFile::open(folder.path()).unwrap();
    assert_eq!(file.tensor("b").unwrap().vector().unwrap(), [5.0]);
    assert!(file.digest().starts_with("sha256:"));
    write("model.safetensors", &safetensors(&[a, b]));
    let file = TensorFile::open(folder.path()).unwrap();
    assert_eq!(file.paths().count(), 1);
    assert_eq!(file.tensor("a").unwrap().matrix().unwrap().rows, 2);
}

#[test]
fn shard_names_that_lead_elsewhere_are_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    std::fs::write(&path, r#"{"weight_map":{"a":"../../etc/passwd"}}"#).unwrap();
    let message = TensorFile::open(&path).unwrap_err().to_string();
    assert!(message.contains("no plain file name"), "{message}");
}

#[test]
fn shards_must_hold_what_the_index_says() {
    let folder = tempdir().unwrap();
    let a = ("a".to_string(), vec![1], vec![1.0]);
    std::fs::write(folder.path().join("one.safetensors"), safetensors(&[a])).unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    for (map, expected) in [
        (r#"{"a":"one.safetensors","b":"one.safetensors"}"#, "`b` is not in the shard"),
        (r#"{"b":"one.safetensors"}"#, "`a` is in one.safetensors but not listed"),
        (r#"{}"#, "names 0 shards"),
    ] {
        std::fs::write(&path, format!(r#"{{"weight_map":{map}}}"#)).unwrap();
        let message = TensorFile::open(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn unknown_types_are_listed_and_refused_when_used() {
    let bytes = sample().raw_tensor("k", &[1, 256], 16, &[0; 66]).raw_tensor("u", &[4], 77, &[]);
    let file = open(&bytes.build(), "x.gguf").unwrap();
    let message = file.tensor("k").unwrap().matrix().unwrap_err().to_string();
    assert!(message.contains("`k` has type IQ2_XXS"), "{message}");
    assert!(message.contains("Q6_K, IQ4_NL"), "{message}");
    let message = file.tensor("u").unwrap().vector().unwrap_err().to_string();
    assert!(message.contains("ggml type 77"), "{message}");
}

#[test]
fn block_formats_are_matrices() {
    let bytes = sample().raw_tensor("k", &[1, 256], 14, &[0; 210]).build();
    let file = open(&bytes, "x.gguf").unwrap();
    let mut row = [1.0; 256];
    file.tensor("k").unwrap().matrix().unwrap().decode_row(0, &mut row);
    assert_eq!(row, [0.0; 256]);
    let ragged = sample().raw_tensor("k", &[1, 255], 14, &[0; 210]).build();
    assert!(refusal(&ragged, "x.gguf").contains("no whole number of Q6_K"));
}

#[test]
fn gguf_lies_are_named() {
    let header = |version: u32, tensors: u64, keys: u64| {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(keys.to_le_bytes());
        bytes
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (header(3, u64::MAX, 0), "number of tensors is 18446744073709551615"),
        (header(3, 0, 1 << 40), "number of metadata keys is"),
        (header(1, 0, 0), "version 1"),
        (header(0x0300_0000, 0, 0), "big endian"),
        (header(9, 0, 0), "version 9"),
        (sample().u32("general.alignment", 3).build(), "not a power of two"),
        (sample().u32("general.alignment", 0).build(), "not a power of two"),
        (sample().u32("x.eps", 1).build(), "`x.eps` occurs twice"),
        (
            sample().f32_tensor("a", &[1], &[1.0]).f32_tensor("a", &[1], &[1.0]).build(),
            "`a` occurs twice",
        ),
        (sample().raw_tensor("a", &[1, 1 << 40], 0, &[0; 4]).build(), "past the end"),
        (sample().raw_tensor("a", &[1 << 62, 1 << 62], 0, &[0; 4]).build(), "be counted"),
        (sample().raw_tensor("a", &[0], 0, &[0; 4]).build(), "impossible dimension"),
        (sample().raw_tensor("a", &[1, 33], 8, &[0; 64]).build(), "no whole number of Q8_0"),
        (sample().raw_tensor("a", &[1; 5], 0, &[0; 4]).build(), "5 dimensions"),
        (sample().u32("split.count", 2).build(), "one of 2 parts"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(&bytes, "x.gguf");
        assert!(message.contains(expected), "{message} should say {expected}");
    }
}

#[test]
fn a_key_that_is_not_utf8_is_refused_at_its_place() {
    let mut bytes = GgufBuilder::new().text("abcd", "v").build();
    let at = bytes.windows(4).position(|window| window == b"abcd").unwrap();
    bytes[at + 2] = 0xff;
    let message = refusal(&bytes, "x.gguf");
    assert!(message.contains("not valid UTF-8"), "{message}");
    assert!(message.contains(&format!("byte {}", at + 2)), "{message}");
}

#[test]
fn safetensors_lies_are_named() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let twice = r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
                    "a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#;
    let surplus = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#;
    let cases = [
        (entry("F32", "[2]", "[0,4]"), "its shape and type make 8"),
        (entry("F32", "[3]", "[0,12]"), "outside the file's data"),
        (entry("F32", "[1]", "[4,8]"), "not where the one before ends"),
        (entry("F32", "[1]", "[0,4]"), "belong to no tensor"),
        (entry("F32", "[2,9223372036854775807]", "[0,8]"), "overflows"),
        (entry("X9", "[2]", "[0,8]"), "type `X9`"),
        (entry("F32", "[-1]", "[0,8]"), "invalid value"),
        (entry("F32", "[2]", "[8,0]"), "not where the one before ends"),
        (twice.to_string(), "occurs twice"),
        (surplus.to_string(), "unknown field"),
        ("[]".to_string(), "does not begin with `{`"),
        ("{".to_string(), "EOF"),
        (format!("{{\"a\":{}", "[".repeat(100_000)), "invalid type"),
    ];
    for (header, expected) in cases {
        let message = refusal(&safetensors_with_header(&header, &[0; 8]), "x.safetensors");
        assert!(message.contains(expected), "{message} should say {expected}");
    }
}

#[test]
fn a_header_of_four_gibibytes_is_refused_at_once() {
    let mut bytes = (4_u64 << 30).to_le_bytes().to_vec();
    bytes.extend(b"{}");
    let message = refusal(&bytes, "x.safetensors");
    assert!(message.contains("4294967296 bytes"), "{message}");
}

#[test]
fn other_files_and_folders_say_what_was_looked_for() {
    assert!(refusal(b"hello, world", "x.txt").contains("neither GGUF nor safetensors"));
    let folder = tempdir().unwrap();
    let message = TensorFile::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("model.safetensors.index.json"), "{message}");
    assert!(TensorFile::open(Path::new("/does/not/exist.gguf")).is_err());
    assert!(refusal(b"", "x.gguf").contains("neither GGUF"));
}

fn walk(file: &TensorFile) {
    for tensor in file.tensors() {
        let _ = tensor.matrix();
        if tensor.shape.iter().product::<usize>() < 1 << 20 {
            let _ = tensor.vector();
        }
    }
    for (_, value) in file.metadata().iter() {
        if let Value::Array(array) = value {
            assert!(array.numbers().count() <= array.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_gguf_never_panics(
        cut in 0_usize..2000,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = sample_file();
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        bytes.truncate(cut.max(4));
        if let Ok(file) = open(&bytes, "x.gguf") {
            walk(&file);
        }
    }

    #[test]
    fn damaged_safetensors_never_panics(
        cut in 0_usize..300,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let tensors = [
            ("a".to_string(), vec![2, 2], vec![1.0; 4]),
            ("b".to_string(), vec![3], vec![2.0; 3]),
        ];
        let mut bytes = safetensors(&tensors);
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        bytes.truncate(cut);
        if let Ok(file) = open(&bytes, "x.safetensors") {
            walk(&file);
        }
    }
}
