//! Quantised matrices against the libraries that wrote them: `quantised/make.py` keeps what
//! AutoAWQ, GPTQModel and compressed-tensors packed, and what their own code makes of it again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use allod_kernels::{Format, Matrix, decode_row};
use allod_weights::{Packed, Quantisation, Tensor, TensorFile, Value};
use serde_json::{Map, json};
use std::path::Path;

fn vectors() -> TensorFile {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quantised/modules.safetensors");
    TensorFile::open(Path::new(path)).unwrap()
}

/// Names of the cases with their `quantization_config`.
fn cases(file: &TensorFile) -> Vec<(String, serde_json::Value)> {
    let mut cases = Vec::new();
    for tensor in file.tensors() {
        if let Some(name) = tensor.name.strip_suffix(".expected") {
            let Some(Value::Text(config)) = file.metadata().get(name) else {
                panic!("{name} has no settings")
            };
            cases.push((name.to_string(), serde_json::from_str(config).unwrap()));
        }
    }
    cases
}

fn read(config: &serde_json::Value) -> Quantisation {
    let mut settings = Map::new();
    settings.insert("quantization_config".to_string(), config.clone());
    Quantisation::read(Path::new("folder"), &settings).unwrap().unwrap()
}

fn decoded(packed: &Packed, rows: &[usize], columns: usize) -> Vec<f32> {
    let bytes = packed.matrix(rows);
    let matrix = Matrix::new(packed.format(), rows.len(), columns, &bytes).unwrap();
    let mut values = vec![0.0; rows.len() * columns];
    let each = values.chunks_exact_mut(columns).enumerate();
    each.for_each(|(row, out)| matrix.decode_row(row, out));
    values
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    decode_row(tensor.format().unwrap(), tensor.bytes, &mut values);
    values
}

#[test]
fn every_matrix_is_what_its_library_makes_of_it_to_the_bit() {
    let file = vectors();
    let cases = cases(&file);
    assert!(cases.len() > 40, "{} cases", cases.len());
    for (name, config) in cases {
        let expected = file.tensor(&format!("{name}.expected")).unwrap();
        let &[rows, columns] = expected.shape else { panic!("{name} is no matrix") };
        let quantisation = read(&config);
        let weight = format!("{name}.proj.weight");
        let packed = quantisation.packed(&file, &weight, (rows, columns)).unwrap().unwrap();
        let all: Vec<usize> = (0..rows).collect();
        let found = decoded(&packed, &all, columns);
        for (at, (found, expected)) in found.iter().zip(floats(&expected)).enumerate() {
            // ggml's MXFP4 has one zero only.
            let zero = packed.format() == Format::MXFP4 && *found == 0.0 && expected == 0.0;
            let same = found.to_bits() == expected.to_bits() || zero;
            assert!(same, "{name}: weight {at} is {found:e}, not {expected:e}");
        }
        let part =
            file.tensors().filter(|tensor| tensor.name.starts_with(&format!("{name}.proj.")));
        let unused =
            part.map(|tensor| tensor.name).find(|name| !packed.tensors().any(|t| t == *name));
        assert_eq!(unused, None, "{name}");
        let picked = decoded(&packed, &[rows - 1, 2], columns);
        assert_eq!(picked[..columns], found[(rows - 1) * columns..], "{name}: rows by themselves");
        assert_eq!(
            picked[columns..],
            found[2 * columns..3 * columns],
            "{name}: rows by themselves"
        );
    }
}

/// Whole blocks stay small; what no block can hold is decoded to the type of the scales.
#[test]
fn matrices_stay_packed_where_a_block_has_one_scale() {
    let file = vectors();
    let expected = [
        ("awq", "INT4/F16"),
        ("awq-odd", "F16"),
        ("gptq1-4-sym", "INT4/F16"),
        ("gptq2-8-asym", "INT8/F16"),
        ("gptq1-3-asym", "INT4/F16"),
        ("gptq1-4-shuffled", "F16"),
        ("gptq1-4-whole", "INT4/F16"),
        ("pack-4", "INT4/BF16"),
        ("pack-asym-f32", "INT4/F32"),
        ("pack-odd", "BF16"),
        ("pack-16", "BF16"),
        ("int8", "INT8/BF16"),
        ("fp8-tensor", "E4M3/F16"),
        ("fp8-block", "BF16"),
        ("fp8-block-32", "E4M3/BF16"),
        ("mxfp4", "MXFP4"),
        ("mxfp8", "E4M3/BF16"),
        ("nvfp4", "E2M1/F32"),
        ("nvfp4-odd", "BF16"),
    ];
    let cases = cases(&file);
    for (name, format) in expected {
        let (_, config) = cases.iter().find(|(known, _)| known == name).unwrap();
        let &[rows, columns] = file.tensor(&format!("{name}.expected")).unwrap().shape else {
            panic!("{name} is no matrix")
        };
        let weight = format!("{name}.proj.weight");
        let packed = read(config).packed(&file, &weight, (rows, columns)).unwrap().unwrap();
        assert_eq!(packed.format().name(), format, "{name}");
    }
}

#[test]
fn what_is_not_quantised_is_left_alone() {
    let file = vectors();
    let awq = read(&json!({"quant_method": "awq"}));
    assert!(awq.packed(&file, "other.weight", (8, 8)).unwrap().is_none());
    assert!(awq.packed(&file, "awq.proj.bias", (32, 64)).unwrap().is_none());
    let none = |config: serde_json::Value| {
        let map = config.as_object().unwrap();
        Quantisation::read(Path::new("folder"), map).unwrap().is_none()
    };
    assert!(none(json!({"quantization_config": null})));
    assert!(none(json!({"quantization_config": {"quant_method": "mxfp4"}})));
}
