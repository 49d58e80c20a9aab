//! Checkpoints of every quantised form, made here from the form's definition, against the same
//! model with the weights that the definition gives. All numbers are such that no product is
//! rounded; how products are rounded is tested in `allod-weights`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod common;

use allod_lm::{Checkpoint, Isa, Part, WeightId};
use allod_weights::make::safetensors_with_header;
use common::{Numbers, all_logits, infer};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A tensor: name, type, shape and bytes.
type Tensor = (String, &'static str, Vec<usize>, Vec<u8>);

const LAYER: &str = "model.layers.0.";
const WIDTH: usize = 64;
const KEYS: usize = 32;
const INNER: usize = 96;
const VOCABULARY: usize = 40;
/// Matrices of the layer: part, module, outputs and inputs.
const MATRICES: [(Part, &str, usize, usize); 7] = [
    (Part::Query, "self_attn.q_proj", WIDTH, WIDTH),
    (Part::Key, "self_attn.k_proj", KEYS, WIDTH),
    (Part::Value, "self_attn.v_proj", KEYS, WIDTH),
    (Part::AttentionOutput, "self_attn.o_proj", WIDTH, WIDTH),
    (Part::Gate, "mlp.gate_proj", INNER, WIDTH),
    (Part::Up, "mlp.up_proj", INNER, WIDTH),
    (Part::Down, "mlp.down_proj", WIDTH, INNER),
];

/// How a matrix was quantised: its tensors by the last part of their names, and its weights.
struct Made {
    parts: Vec<Tensor>,
    weights: Vec<f32>,
}

/// A matrix's small numbers `[rows, columns]`, and scales and zero points `[rows, groups]`.
struct Small {
    bits: usize,
    rows: usize,
    columns: usize,
    groups: usize,
    /// The group of each column.
    index: Vec<usize>,
    codes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<u8>,
}

/// Numbers below `end` that look random.
fn draw(numbers: &mut Numbers, count: usize, end: usize) -> Vec<u8> {
    let one = |value: f32| (((value / 0.4 + 0.5) * end as f32) as usize).min(end - 1) as u8;
    numbers.take(count).into_iter().map(one).collect()
}

impl Small {
    /// Groups of `length` columns (all if none); zero points in the middle, or anywhere.
    fn new(
        numbers: &mut Numbers,
        bits: usize,
        (rows, columns): (usize, usize),
        length: Option<usize>,
        symmetric: Symmetric,
    ) -> Small {
        let length = length.unwrap_or(columns);
        let groups = columns.div_ceil(length);
        let zeros = match symmetric {
            Symmetric::Yes => vec![1 << (bits - 1); rows * groups],
            // Format `gptq` cannot hold a zero point of 0.
            Symmetric::No => {
                let zeros = draw(numbers, rows * groups, (1 << bits) - 1);
                zeros.into_iter().map(|zero| zero + 1).collect()
            }
        };
        Small {
            bits,
            rows,
            columns,
            groups,
            index: (0..columns).map(|column| column / length).collect(),
            codes: draw(numbers, rows * columns, 1 << bits),
            scales: scales(numbers, rows * groups),
            zeros,
        }
    }

    /// Inputs in another order, so that neighbours are of different groups.
    fn shuffled(mut self) -> Small {
        self.index = (0..self.columns).map(|column| column * 7 % self.columns).collect();
        let length = self.columns / self.groups;
        self.index.iter_mut().for_each(|group| *group /= length);
        self
    }

    fn weights(&self) -> Vec<f32> {
        let weight = |at: usize| {
            let group = at / self.columns * self.groups + self.index[at % self.columns];
            (f32::from(self.codes[at]) - f32::from(self.zeros[group])) * self.scales[group]
        };
        (0..self.rows * self.columns).map(weight).collect()
    }

    fn row(&self, row: usize) -> Vec<u8> {
        self.codes[row * self.columns..(row + 1) * self.columns].to_vec()
    }

    /// A table `[groups, rows]` of one `[rows, groups]`.
    fn turned<T: Copy>(&self, table: &[T]) -> Vec<T> {
        let rows = |group: usize| (0..self.rows).map(move |row| table[row * self.groups + group]);
        (0..self.groups).flat_map(rows).collect()
    }

    fn index_bytes(&self) -> Vec<u8> {
        self.index.iter().flat_map(|group| (*group as i32).to_le_bytes()).collect()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Symmetric {
    Yes,
    No,
}

/// 2^-k or 3/2 · 2^-k, which half precision holds.
fn scales(numbers: &mut Numbers, count: usize) -> Vec<f32> {
    let one = |code: u8| (1.0 + f32::from(code % 2) / 2.0) * 2.0_f32.powi(-5 - i32::from(code / 2));
    draw(numbers, count, 8).into_iter().map(one).collect()
}

/// Numbers one after the other in words, the least significant bits first.
fn words(values: &[u8], bits: usize) -> Vec<u32> {
    let mut words = vec![0_u32; (values.len() * bits).div_ceil(32)];
    for (at, bit) in (0..values.len() * bits).map(|at| (at, values[at / bits] >> (at % bits) & 1)) {
        words[at / 32] |= u32::from(bit) << (at % 32);
    }
    words
}

/// Rows of words as columns: `[length, rows]`.
fn down(lines: &[Vec<u32>]) -> Vec<u32> {
    (0..lines[0].len()).flat_map(|at| lines.iter().map(move |line| line[at])).collect()
}

fn tensor(name: &str, kind: &'static str, shape: &[usize], bytes: Vec<u8>) -> Tensor {
    (name.to_string(), kind, shape.to_vec(), bytes)
}

fn integers(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn singles(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Half precision of numbers that it holds.
fn halves(values: &[f32]) -> Vec<u8> {
    let half = |value: &f32| ((value.to_bits() >> 13) as u16).wrapping_sub(112 << 10).to_le_bytes();
    values.iter().flat_map(half).collect()
}

fn awq(numbers: &mut Numbers, shape: (usize, usize), length: Option<usize>) -> Made {
    let small = Small::new(numbers, 4, shape, length, Symmetric::No);
    let (rows, columns, groups) = (small.rows, small.columns, small.groups);
    // Nibble k of a word holds output ORDER[k] of eight.
    const ORDER: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];
    let pack = |line: Vec<u8>| -> Vec<u32> {
        let eight = |eight: &[u8]| words(&ORDER.map(|at| eight[at]), 4)[0];
        line.chunks_exact(8).map(eight).collect()
    };
    let column = |column: usize| (0..rows).map(move |row| row * columns + column);
    let codes = (0..columns).flat_map(|at| pack(column(at).map(|at| small.codes[at]).collect()));
    let codes: Vec<u32> = codes.collect();
    let zeros: Vec<u32> =
        small.turned(&small.zeros).chunks(rows).flat_map(|line| pack(line.to_vec())).collect();
    let parts = vec![
        tensor("qweight", "I32", &[columns, rows / 8], integers(&codes)),
        tensor("qzeros", "I32", &[groups, rows / 8], integers(&zeros)),
        tensor("scales", "F16", &[groups, rows], halves(&small.turned(&small.scales))),
    ];
    Made { parts, weights: small.weights() }
}

/// `less`: what is taken off zero points.
fn gptq(small: Small, less: u8) -> Made {
    let (bits, rows, columns, groups) = (small.bits, small.rows, small.columns, small.groups);
    let lines: Vec<Vec<u32>> = (0..rows).map(|row| words(&small.row(row), bits)).collect();
    let stored: Vec<u8> = small.turned(&small.zeros).iter().map(|zero| zero - less).collect();
    let zeros: Vec<u32> = stored.chunks(rows).flat_map(|line| words(line, bits)).collect();
    let parts = vec![
        tensor("qweight", "I32", &[columns * bits / 32, rows], integers(&down(&lines))),
        tensor("qzeros", "I32", &[groups, rows * bits / 32], integers(&zeros)),
        tensor("scales", "F16", &[groups, rows], halves(&small.turned(&small.scales))),
        tensor("g_idx", "I32", &[columns], small.index_bytes()),
    ];
    Made { parts, weights: small.weights() }
}

fn pack(small: Small, symmetric: Symmetric) -> Made {
    let (bits, rows, groups) = (small.bits, small.rows, small.groups);
    let codes: Vec<u32> = (0..rows).flat_map(|row| words(&small.row(row), bits)).collect();
    let shape: Vec<u8> =
        [rows, small.columns].iter().flat_map(|size| (*size as i64).to_le_bytes()).collect();
    let mut parts = vec![
        tensor("weight_packed", "I32", &[rows, small.columns * bits / 32], integers(&codes)),
        tensor("weight_scale", "F32", &[rows, groups], singles(&small.scales)),
        tensor("weight_shape", "I64", &[2], shape),
    ];
    if symmetric == Symmetric::No {
        let zeros = small.turned(&small.zeros);
        let lines: Vec<Vec<u32>> = zeros.chunks(rows).map(|line| words(line, bits)).collect();
        let bytes = integers(&down(&lines));
        parts.push(tensor("weight_zero_point", "I32", &[rows * bits / 32, groups], bytes));
    }
    let plain = small.index.is_sorted();
    if !plain {
        parts.push(tensor("weight_g_idx", "I32", &[small.columns], small.index_bytes()));
    }
    Made { parts, weights: small.weights() }
}

fn bytes(small: Small) -> Made {
    let signed = small.codes.iter().map(|code| code.wrapping_sub(128)).collect();
    let parts = vec![
        tensor("weight", "I8", &[small.rows, small.columns], signed),
        tensor("weight_scale", "F32", &[small.rows, 1], singles(&small.scales)),
    ];
    Made { parts, weights: small.weights() }
}

/// A float of a sign, `8 - 1 - fraction` bits of exponent and some of fraction, without infinities.
fn small_float(code: u8, fraction: u32, exponent: u32) -> f32 {
    let part = f32::from(code & ((1 << fraction) - 1)) / (1 << fraction) as f32;
    let power = i32::from(code >> fraction & ((1 << exponent) - 1));
    let bias = (1 << (exponent - 1)) - 1;
    let size = if power == 0 { part } else { 1.0 + part } * 2.0_f32.powi(power.max(1) - bias);
    if code >> (fraction + exponent) & 1 == 1 { -size } else { size }
}

fn float8(numbers: &mut Numbers, (rows, columns): (usize, usize)) -> Made {
    // Below 1 in size; both signs.
    let one = |code: u8| (code / 2 % 56) | ((code & 1) << 7);
    let codes: Vec<u8> = draw(numbers, rows * columns, 256).into_iter().map(one).collect();
    let parts = vec![
        tensor("weight", "F8_E4M3", &[rows, columns], codes.clone()),
        tensor("weight_scale", "F32", &[1], singles(&[0.375])),
    ];
    Made { parts, weights: codes.iter().map(|code| small_float(*code, 3, 4) * 0.375).collect() }
}

/// 4-bit floats with a scale for each `length`: MX powers of two for 32, NV's E4M3 for 16.
fn float4(numbers: &mut Numbers, (rows, columns): (usize, usize), length: usize) -> Made {
    // A zero has one sign in MXFP4 as it is computed with.
    let codes: Vec<u8> =
        draw(numbers, rows * columns, 15).into_iter().map(|code| (code + 9) % 16).collect();
    let groups = columns / length;
    let stored = draw(numbers, rows * groups, 8);
    let (kind, stored): (_, Vec<u8>) = match length {
        32 => ("U8", stored.iter().map(|code| 119 + code).collect()),
        _ => ("F8_E4M3", stored.iter().map(|code| 0x40 + code).collect()),
    };
    let scale = |code: u8| match length {
        32 => 2.0_f32.powi(i32::from(code) - 127),
        _ => small_float(code, 3, 4) / 64.0,
    };
    let weight = |(at, code): (usize, &u8)| {
        small_float(*code, 1, 2) * scale(stored[at / columns * groups + at % columns / length])
    };
    let weights = codes.iter().enumerate().map(weight).collect();
    let pairs = codes.chunks_exact(2).map(|pair| pair[0] | pair[1] << 4).collect();
    let mut parts = vec![
        tensor("weight_packed", "U8", &[rows, columns / 2], pairs),
        tensor("weight_scale", kind, &[rows, groups], stored),
    ];
    if length == 16 {
        parts.push(tensor("weight_global_scale", "F32", &[1], singles(&[64.0])));
    }
    Made { parts, weights }
}

/// Numbers rounded to BF16, ties to even.
fn rounded(values: &[f32]) -> Vec<u8> {
    let half = |value: &f32| {
        let bits = value.to_bits();
        ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
    };
    values.iter().flat_map(|value| half(value).to_le_bytes()).collect()
}

/// A plain matrix.
fn plain(numbers: &mut Numbers, rows: usize, columns: usize) -> Made {
    let weights = numbers.take(rows * columns);
    Made { parts: vec![tensor("weight", "F32", &[rows, columns], singles(&weights))], weights }
}

fn settings() -> Value {
    json!({
        "model_type": "llama", "hidden_size": WIDTH, "num_attention_heads": 4, "head_dim": 16,
        "num_key_value_heads": 2, "vocab_size": VOCABULARY, "num_hidden_layers": 1,
        "intermediate_size": INNER, "tie_word_embeddings": true, "hidden_act": "silu",
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
    })
}

fn open(config: &Value, tensors: &[Tensor]) -> allod_lm::Result<Checkpoint> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, kind, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let at = json!({"dtype": kind, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), at);
    }
    let bytes = safetensors_with_header(&Value::Object(header).to_string(), &data);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    Checkpoint::open(folder.path())
}

/// Makes the model with `make` for each module, and checks weights and logits.
fn check(
    form: &str,
    config: Value,
    mut make: impl FnMut(&str, &mut Numbers, (usize, usize)) -> Made,
) {
    let mut numbers = Numbers(form.len() as u64);
    let embedding = numbers.take(VOCABULARY * WIDTH);
    let norm = || singles(&[1.0; WIDTH]);
    let mut packed = vec![
        tensor("model.embed_tokens.weight", "F32", &[VOCABULARY, WIDTH], singles(&embedding)),
        tensor("model.norm.weight", "F32", &[WIDTH], norm()),
        tensor(&format!("{LAYER}input_layernorm.weight"), "F32", &[WIDTH], norm()),
        tensor(&format!("{LAYER}post_attention_layernorm.weight"), "F32", &[WIDTH], norm()),
    ];
    let (mut whole, mut short, mut expected) = (packed.clone(), packed.clone(), Vec::new());
    for (part, module, rows, columns) in MATRICES {
        let made = make(module, &mut numbers, (rows, columns));
        let name = format!("{LAYER}{module}");
        let stored = |kind, values| (format!("{name}.weight"), kind, vec![rows, columns], values);
        let single = stored("F32", singles(&made.weights));
        let is_plain =
            made.parts.iter().any(|(part, ..)| part == "weight" && made.parts.len() == 1);
        short.push(match is_plain {
            true => single.clone(),
            false => stored("BF16", rounded(&made.weights)),
        });
        whole.push(single);
        let named = |(part, kind, shape, bytes)| (format!("{name}.{part}"), kind, shape, bytes);
        packed.extend(made.parts.into_iter().map(named));
        expected.push((part, made.weights));
    }
    let mut quantised = settings();
    quantised["quantization_config"] = config;
    let packed = Arc::new(open(&quantised, &packed).unwrap());
    for (part, expected) in expected {
        let found = packed.values(WeightId { layer: 0, part });
        assert!(found == expected, "{form}: {part:?}");
    }
    let tokens: Vec<u32> = (0..12).map(|at| at * 7 % VOCABULARY as u32).collect();
    let run = |checkpoint: &Arc<Checkpoint>| {
        all_logits(&mut infer(checkpoint, 1, Isa::detect()), 0, &tokens, 12)
    };
    // Blocks are multiplied rounded to bf16; what fits no block is stored decoded, and multiplied
    // as it is.
    let plain = |tensors: &[Tensor]| run(&Arc::new(open(&settings(), tensors).unwrap()));
    let found = run(&packed);
    assert!(found == plain(&short) || found == plain(&whole), "{form}: logits");
}

#[test]
fn awq_checkpoints() {
    for length in [Some(16), Some(32), None] {
        let size = length.map_or(-1, |length| length as i64);
        let config = json!({
            "quant_method": "awq", "bits": 4, "group_size": size, "zero_point": true,
            "version": "gemm", "modules_to_not_convert": ["lm_head"],
        });
        check("awq", config, |_, numbers, shape| awq(numbers, shape, length));
    }
}

#[test]
fn gptq_checkpoints() {
    let forms =
        [(2, "gptq"), (3, "gptq_v2"), (4, "gptq"), (4, "gptq_v2"), (8, "gptq"), (3, "gptq")];
    for (bits, format) in forms {
        for (length, symmetric) in [(Some(32), Symmetric::Yes), (None, Symmetric::No)] {
            let config = json!({
                "quant_method": "gptq", "bits": bits, "checkpoint_format": format,
                "group_size": length.map_or(-1, |length| length as i64), "desc_act": false,
                "sym": symmetric == Symmetric::Yes,
            });
            check(format, config, |_, numbers, shape| {
                let small = Small::new(numbers, bits, shape, length, symmetric);
                gptq(small, u8::from(format == "gptq"))
            });
        }
    }
}

#[test]
fn gptq_with_another_order_and_with_settings_of_its_own() {
    let config = json!({
        "quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": true, "sym": true,
        "dynamic": {
            "+:.*\\.down_proj": {"bits": 8, "group_size": 48},
            "-:.*\\.o_proj": {},
            "+:.*": {"group_size": 16},
        },
    });
    check("gptq dynamic", config, |module, numbers, shape| {
        let (bits, length) = if module == "mlp.down_proj" { (8, 48) } else { (4, 16) };
        if module == "self_attn.o_proj" {
            return plain(numbers, shape.0, shape.1);
        }
        let small = Small::new(numbers, bits, shape, Some(length), Symmetric::Yes);
        gptq(small.shuffled(), 1)
    });
}

/// Settings of compressed-tensors with one group for each of `schemes`: targets, format, weights.
fn groups(schemes: &[(&str, &str, Value)], ignore: &[&str]) -> Value {
    let group = |scheme: &(&str, &str, Value)| {
        let (target, format, weights) = scheme;
        json!({"targets": [target], "format": format, "weights": weights})
    };
    let groups = schemes.iter().map(group).enumerate();
    let groups: Map<String, Value> =
        groups.map(|(at, group)| (format!("group_{at}"), group)).collect();
    let format = if schemes.len() == 1 { schemes[0].1 } else { "mixed-precision" };
    json!({
        "quant_method": "compressed-tensors", "format": format, "config_groups": groups,
        "ignore": ignore,
    })
}

fn whole_numbers(bits: usize, length: Option<usize>, symmetric: Symmetric) -> Value {
    json!({
        "num_bits": bits, "type": "int", "group_size": length,
        "strategy": if length.is_some() { "group" } else { "channel" },
        "symmetric": symmetric == Symmetric::Yes,
    })
}

#[test]
fn packed_whole_numbers() {
    for (bits, length, symmetric) in [
        (4, Some(32), Symmetric::Yes),
        (4, Some(16), Symmetric::No),
        (8, None, Symmetric::Yes),
        (3, None, Symmetric::No),
        (2, Some(8), Symmetric::No),
    ] {
        let weights = whole_numbers(bits, length, symmetric);
        let config = groups(&[("Linear", "pack-quantized", weights)], &["lm_head"]);
        check("pack", config, |_, numbers, shape| {
            pack(Small::new(numbers, bits, shape, length, symmetric), symmetric)
        });
    }
    let weights = whole_numbers(4, Some(16), Symmetric::Yes);
    let config = groups(&[("Linear", "pack-quantized", weights)], &[]);
    check("pack, another order", config, |_, numbers, shape| {
        let small = Small::new(numbers, 4, shape, Some(16), Symmetric::Yes);
        pack(small.shuffled(), Symmetric::Yes)
    });
}

fn mx_weights() -> Value {
    json!({"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32})
}

fn nv_weights() -> Value {
    json!({"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16})
}

#[test]
fn bytes_and_floats() {
    let eight = whole_numbers(8, None, Symmetric::Yes);
    let config = groups(&[("Linear", "int-quantized", eight)], &["lm_head"]);
    check("int8", config, |_, numbers, shape| {
        bytes(Small::new(numbers, 8, shape, None, Symmetric::Yes))
    });
    let eight = json!({"num_bits": 8, "type": "float", "strategy": "tensor"});
    let config = groups(&[("Linear", "float-quantized", eight)], &["lm_head"]);
    check("fp8", config, |_, numbers, shape| float8(numbers, shape));
    let config = groups(&[("Linear", "mxfp4-pack-quantized", mx_weights())], &["lm_head"]);
    check("mxfp4", config, |_, numbers, shape| float4(numbers, shape, 32));
    let config = groups(&[("Linear", "nvfp4-pack-quantized", nv_weights())], &["lm_head"]);
    check("nvfp4", config, |_, numbers, shape| float4(numbers, shape, 16));
}

#[test]
fn every_module_has_the_scheme_of_its_first_target() {
    let four = whole_numbers(4, Some(32), Symmetric::Yes);
    let eight = json!({"num_bits": 8, "type": "float", "strategy": "tensor"});
    let schemes = [
        ("Linear", "pack-quantized", four),
        ("re:.*self_attn\\.[qk]_proj$", "float-quantized", eight),
        ("model.layers.0.mlp.up_proj", "nvfp4-pack-quantized", nv_weights()),
        ("re:.*mlp.*", "mxfp4-pack-quantized", mx_weights()),
    ];
    let config = groups(&schemes, &["lm_head", "re:.*v_proj"]);
    check("mixed", config, |module, numbers, shape| match module {
        "self_attn.q_proj" | "self_attn.k_proj" => float8(numbers, shape),
        "self_attn.v_proj" => plain(numbers, shape.0, shape.1),
        "mlp.up_proj" => float4(numbers, shape, 16),
        "mlp.gate_proj" | "mlp.down_proj" => float4(numbers, shape, 32),
        _ => {
            let small = Small::new(numbers, 4, shape, Some(32), Symmetric::Yes);
            pack(small, Symmetric::Yes)
        }
    });
}

/// Encoders are not read quantised; their settings say so before their tensors are looked at.
#[test]
fn quantised_encoders_are_refused_by_name() {
    for kind in ["bert", "xlm-roberta", "modernbert"] {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({"model_type": kind, "quantization_config": {"quant_method": "awq"}});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let error = Checkpoint::open_encoder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("quantization_config"), "{kind}: {error}");
    }
}
