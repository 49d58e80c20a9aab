//! Quantised matrices whose settings or tensors lie are refused with a reason; none makes the
//! reader panic or take more memory than the file's size justifies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_kernels::Matrix;
use allod_weights::make::safetensors_with_header;
use allod_weights::{Error, Quantisation, TensorFile, Value as Entry};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use std::path::Path;
use tempfile::tempdir;

/// A tensor: the last part of its name, type, shape and bytes.
#[derive(Clone)]
struct Part {
    name: String,
    kind: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// One quantised matrix as its library wrote it.
#[derive(Clone)]
struct Sample {
    name: String,
    config: Value,
    parts: Vec<Part>,
    rows: usize,
    columns: usize,
}

/// The matrices that the libraries made.
fn samples() -> Vec<Sample> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quantised/modules.safetensors");
    let file = TensorFile::open(Path::new(path)).unwrap();
    let names = file.tensors().filter_map(|tensor| tensor.name.strip_suffix(".expected"));
    let sample = |name: &str| {
        let Some(Entry::Text(config)) = file.metadata().get(name) else { panic!("{name}") };
        let prefix = format!("{name}.proj.");
        let own = file.tensors().filter_map(|tensor| {
            Some(Part {
                name: tensor.name.strip_prefix(&prefix)?.to_string(),
                kind: tensor.data_type.to_string(),
                shape: tensor.shape.to_vec(),
                bytes: tensor.bytes.to_vec(),
            })
        });
        let expected = file.tensor(&format!("{name}.expected")).unwrap();
        let &[rows, columns] = expected.shape else { panic!("{name}") };
        let config = serde_json::from_str(config).unwrap();
        Sample { name: name.to_string(), config, parts: own.collect(), rows, columns }
    };
    names.map(sample).collect()
}

fn named(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap()
}

impl Sample {
    fn part(&mut self, name: &str) -> &mut Part {
        self.parts.iter_mut().find(|part| part.name == name).unwrap()
    }

    /// The bytes of a file with the matrix as module `proj`.
    fn file(&self) -> Vec<u8> {
        let (mut header, mut data) = (Map::new(), Vec::new());
        for part in &self.parts {
            let start = data.len();
            data.extend(&part.bytes);
            let at = json!({
                "dtype": part.kind, "shape": part.shape, "data_offsets": [start, data.len()],
            });
            header.insert(format!("proj.{}", part.name), at);
        }
        safetensors_with_header(&Value::Object(header).to_string(), &data)
    }

    fn read(&self) -> Result<Option<Vec<u32>>, Error> {
        read(&self.file(), &self.config, self.rows, self.columns)
    }

    fn refusal(&self) -> String {
        match self.read() {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{}: {} was read", self.name, self.config),
        }
    }
}

/// The bits of every weight of the matrix in a file; none if it says that it is not quantised.
fn read(
    bytes: &[u8],
    config: &Value,
    rows: usize,
    columns: usize,
) -> Result<Option<Vec<u32>>, Error> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let file = TensorFile::open(&path)?;
    let mut settings = Map::new();
    settings.insert("quantization_config".to_string(), config.clone());
    let Some(quantisation) = Quantisation::read(folder.path(), &settings)? else { return Ok(None) };
    let Some(packed) = quantisation.packed(&file, "proj.weight", (rows, columns))? else {
        return Ok(None);
    };
    let found: Vec<usize> = (0..rows).collect();
    let matrix = packed.matrix(&found);
    // One bit for each weight is the least that a file holds, four bytes the most that it becomes.
    assert!(matrix.len() <= 32 * bytes.len(), "{} bytes from {}", matrix.len(), bytes.len());
    let decoded = Matrix::new(packed.format(), rows, columns, &matrix).unwrap();
    let mut values = vec![0.0; rows * columns];
    let each = values.chunks_exact_mut(columns).enumerate();
    each.for_each(|(row, out)| decoded.decode_row(row, out));
    Ok(Some(values.iter().map(|value: &f32| value.to_bits()).collect()))
}

/// More than any file can have.
const HUGE: u64 = 1 << 62;

/// Where the settings of the first group's weights are.
const WEIGHTS: &str = "/config_groups/group_0/weights/";

/// Wants `sample` refused, in words that hold the last of each case, when the setting at its first
/// is its second.
fn refused(sample: &str, parent: &str, cases: &[(&str, Value, &str)]) {
    for (key, value, expected) in cases {
        let (mut sample, key) = (named(sample), format!("{parent}{key}"));
        let (parent, last) = key.rsplit_once('/').unwrap();
        sample.config.pointer_mut(parent).unwrap()[last] = value.clone();
        let message = sample.refusal();
        assert!(message.contains(expected), "{key} {value}: {message} should say {expected}");
    }
}

#[test]
fn settings_of_awq_out_of_range_are_refused_by_name() {
    let cases = [
        ("bits", json!(0), "`quantization_config.bits`: 0"),
        ("bits", json!(-4), "bits"),
        ("bits", json!(8), "4 bits are"),
        ("bits", json!("4"), "is not an integer"),
        ("bits", json!(u64::MAX), "is not an integer"),
        ("group_size", json!(0), "is 0, neither positive nor -1"),
        ("group_size", json!(-2), "is -2"),
        ("group_size", json!(HUGE), "of groups of 4611686018427387904 inputs"),
        ("group_size", json!(48), "of groups of 48 inputs"),
        ("group_size", json!(16), "has shape [2, 4], not [4, 4]"),
        ("version", json!("gemv"), "the layout `gemm` is"),
        ("version", json!(1), "is not a text"),
        ("zero_point", json!(false), "zero points are"),
        ("zero_point", json!("no"), "is not true or false"),
        ("quant_method", json!("awq_marlin"), "`awq_marlin`"),
        ("quant_method", json!(7), "quant_method` is missing"),
    ];
    refused("awq", "/", &cases);
}

#[test]
fn settings_of_gptq_out_of_range_are_refused_by_name() {
    let cases = [
        ("bits", json!(0), "2, 3, 4 and 8 are"),
        ("bits", json!(5), "2, 3, 4 and 8 are"),
        ("bits", Value::Null, "`quantization_config.bits` is missing"),
        ("bits", json!(8), "has shape [8, 16], not [16, 16]"),
        ("group_size", json!(0), "is 0"),
        ("group_size", json!(i64::MIN), "neither positive nor -1"),
        ("group_size", json!(HUGE), "has shape [2, 2], not [1, 2]"),
        ("checkpoint_format", json!("marlin"), "gptq and gptq_v2 are"),
        ("desc_act", json!(1), "is not true or false"),
        ("sym", json!({}), "is not true or false"),
        ("pack_dtype", json!("int64"), "int32 is"),
        ("dynamic", json!([]), "`quantization_config.dynamic` is not an object"),
        ("dynamic", json!({"+:(": {}}), "is no regular expression"),
        ("dynamic", json!({"+:a)|(.*": {}}), "is no regular expression"),
        ("dynamic", json!({"+:.*": {"bits": 7}}), "2, 3, 4 and 8 are"),
        ("dynamic", json!({"+:.*": {"bits": 2}}), "not [4, 16]"),
        ("dynamic", json!({"+:.*": []}), "is not an object"),
    ];
    refused("gptq1-4-asym", "/", &cases);
}

#[test]
fn groups_that_cannot_be_are_refused_by_name() {
    let cases = [
        ("config_groups", Value::Null, "config_groups` is missing"),
        ("config_groups", json!([1]), "config_groups` is not an object"),
        ("config_groups", json!({}), "by the settings it is not"),
        ("config_groups/group_0/targets", Value::Null, "targets` is missing"),
        ("config_groups/group_0/targets", json!("Linear"), "is not a list of texts"),
        ("config_groups/group_0/targets", json!(["re:["]), "is no regular expression"),
        ("config_groups/group_0/targets", json!(["Embedding"]), "by the settings it is not"),
        ("ignore", json!(["re:pro"]), "by the settings it is not"),
        ("ignore", json!([7]), "is not a list of texts"),
        ("kv_cache_scheme", json!({"num_bits": 8}), "kv_cache_scheme"),
        ("sparsity_config", json!({"format": "sparse-24-bitmask"}), "dense matrices are"),
    ];
    refused("pack-asym", "/", &cases);
}

#[test]
fn schemes_out_of_range_are_refused_by_name() {
    let cases = [
        ("num_bits", json!(0), "`int` of 0 bits"),
        ("num_bits", json!(-3), "`int` of -3 bits"),
        ("num_bits", json!(9), "`int` of 9 bits"),
        ("num_bits", json!(3), "has shape [12, 12], not [12, 9]"),
        ("type", json!("float"), "`float` of 4 bits"),
        ("strategy", json!("token"), "tensor, channel, group"),
        ("group_size", json!(0), "tensor, channel, group"),
        ("group_size", json!(-7), "tensor, channel, group"),
        ("group_size", json!(HUGE), "no whole groups of 4611686018427387904"),
        ("group_size", json!(5), "no whole groups of 5"),
        ("group_size", json!(16), "has shape [12, 3], not [12, 6]"),
        ("dynamic", json!(true), "weights with scales of their own are"),
    ];
    refused("pack-asym", WEIGHTS, &cases);
}

#[test]
fn what_a_form_does_not_have_is_refused_by_name() {
    let blocks = [
        ("block_structure", json!([0, 32]), "is not a list of positive integers"),
        ("block_structure", json!([16]), "is not [rows, columns]"),
        ("block_structure", json!([usize::MAX, usize::MAX]), "not [1, 1]"),
        ("block_structure", json!([1, 1]), "not [24, 80]"),
    ];
    refused("fp8-block", WEIGHTS, &blocks);
    let activations = [("output_activations", json!({"a": 1}), "output_activ")];
    refused("pack-asym", "/config_groups/group_0/", &activations);
    refused("mxfp4", WEIGHTS, &[("group_size", json!(16), "32 (MX formats)")]);
    refused("nvfp4", WEIGHTS, &[("group_size", json!(32), "16 (NVFP4)")]);
    refused("nvfp4", WEIGHTS, &[("symmetric", json!(false), "without zero points")]);
}

#[test]
fn many_or_deep_expressions_are_refused() {
    let mut sample = named("gptq2-4-sym");
    let many: Map<String, Value> = (0..2000).map(|at| (format!("x{at}"), json!({}))).collect();
    sample.config["dynamic"] = Value::Object(many);
    assert!(sample.refusal().contains("more than 512 expressions"));
    for text in ["*".repeat(16_000), "?".repeat(16_000), "|".repeat(16_000), "\\(".repeat(60)] {
        let mut sample = named("gptq2-4-sym");
        sample.config["dynamic"] = json!({format!("+:a{text}"): {"bits": 8}});
        let _ = sample.read();
    }
    for text in ["(".repeat(100_000), "(?:".repeat(5000) + &")".repeat(5000), "a|".repeat(50_000)] {
        let mut sample = named("gptq2-4-sym");
        sample.config["dynamic"] = json!({format!("+:{text}"): {}});
        assert!(sample.refusal().contains("is no regular expression"));
        let mut sample = named("pack-4");
        sample.config["ignore"] = json!([format!("re:{text}")]);
        assert!(sample.refusal().contains("is no regular expression"));
    }
}

/// Whatever is done to one tensor: a refusal, or nothing changes because it said nothing.
#[test]
fn tensors_of_another_shape_or_type_are_refused() {
    for sample in samples() {
        let sound = sample.read().unwrap();
        assert!(sound.is_some(), "{}", sample.name);
        for at in 0..sample.parts.len() {
            let changed = |change: &dyn Fn(&mut Part)| {
                let mut sample = sample.clone();
                change(&mut sample.parts[at]);
                let (name, part) = (&sample.name, &sample.parts[at].name);
                let found = sample.read();
                assert!(found.is_err(), "{name}: {part} {:?}", sample.parts[at].shape);
            };
            changed(&|part| {
                part.shape.push(2);
                part.bytes.extend_from_within(..);
            });
            changed(&|part| (part.shape, part.bytes) = (vec![0], Vec::new()));
            changed(&|part| part.shape = vec![1, 1, part.shape.iter().product()]);
            changed(&|part| {
                part.kind = if part.bytes.len().is_multiple_of(8) { "F64" } else { "BOOL" }.into();
                let bytes = if part.kind == "F64" { 8 } else { 1 };
                part.shape = vec![part.bytes.len() / bytes];
            });
            let mut without = sample.clone();
            let gone = without.parts.remove(at);
            match without.read() {
                Err(_) | Ok(None) => {}
                same => assert_eq!(same.unwrap(), sound, "{}: {}", sample.name, gone.name),
            }
        }
    }
}

#[test]
fn groups_out_of_range_are_refused() {
    for (name, groups) in [("gptq1-4-shuffled", 4_i32), ("gptq2-8-shuffled", 2)] {
        for value in [-1, groups, i32::MIN, i32::MAX] {
            let mut sample = named(name);
            sample.part("g_idx").bytes[..4].copy_from_slice(&value.to_le_bytes());
            let message = sample.refusal();
            let expected = format!("holds {value}, not a number below {groups}");
            assert!(message.contains(&expected), "{message}");
        }
    }
    let mut sample = named("gptq1-4-shuffled");
    sample.parts.retain(|part| part.name != "g_idx");
    assert!(sample.refusal().contains("`proj.g_idx` is missing"));
    let mut sample = named("pack-4");
    let index = |value: i32| value.to_le_bytes().repeat(64);
    let (name, kind) = ("weight_g_idx".to_string(), "I32".to_string());
    sample.parts.push(Part { name, kind, shape: vec![64], bytes: index(-1) });
    assert_eq!(sample.read().unwrap(), named("pack-4").read().unwrap());
    for value in [2, -2, i32::MIN, i32::MAX] {
        sample.part("weight_g_idx").bytes = index(value);
        assert!(sample.refusal().contains("not a number below 2"));
    }
}

#[test]
fn stored_shapes_and_zero_points_must_fit() {
    for (at, value) in [(0, i64::MAX), (0, -1), (8, 0), (8, 63)] {
        let mut sample = named("pack-4");
        sample.part("weight_shape").bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        assert!(sample.refusal().contains("weight_shape` holds"));
    }
    let mut sample = named("int8-asym");
    sample.config["config_groups"]["group_0"]["weights"]["symmetric"] = json!(true);
    assert!(sample.refusal().contains("is not zero in a symmetric scheme"));
    for (rows, columns) in [(usize::MAX, usize::MAX), (usize::MAX, 64), (8, usize::MAX), (9, 64)] {
        let mut sample = named("pack-4");
        (sample.rows, sample.columns) = (rows, columns);
        assert!(sample.read().is_err());
    }
}

/// Every value of `config` that is no object, by its place.
fn leaves<'a>(config: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match config {
        Value::Object(map) => map.values_mut().for_each(|value| leaves(value, found)),
        value => found.push(value),
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(-1),
        json!(0),
        json!(1),
        json!(3),
        json!(8),
        json!(16),
        json!(64),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(0.5),
        json!("group"),
        json!("channel"),
        json!("tensor"),
        json!("block"),
        json!("float"),
        json!("pack-quantized"),
        json!("int-quantized"),
        json!("gptq_v2"),
        json!([]),
        json!([1, 1]),
        json!(["re:.*"]),
        json!({}),
        json!({"+:.*": {"bits": 8, "group_size": 1}}),
    ];
    prop::sample::select(values.to_vec())
}

fn odd_size() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 96, 1 << 32, usize::MAX])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_panics(
        which in any::<Index>(),
        settings in prop::collection::vec((any::<Index>(), odd_value()), 0..3),
        header in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        numbers in prop::collection::vec((any::<Index>(), any::<u8>()), 0..8),
        size in prop::option::weighted(0.3, (odd_size(), odd_size())),
    ) {
        let samples = samples();
        let mut sample = which.get(&samples).clone();
        for (at, value) in settings {
            let mut found = Vec::new();
            leaves(&mut sample.config, &mut found);
            *found.swap_remove(at.index(found.len())) = value;
        }
        for (at, value) in numbers {
            let part = at.index(sample.parts.len());
            let bytes = &mut sample.parts[part].bytes;
            let place = at.index(bytes.len());
            bytes[place] = value;
        }
        let mut bytes = sample.file();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        header.iter().for_each(|(at, value)| bytes[8 + at.index(length)] = *value);
        let (rows, columns) = size.unwrap_or((sample.rows, sample.columns));
        let _ = read(&bytes, &sample.config, rows, columns);
    }
}
