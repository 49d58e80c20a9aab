//! Models of random shapes with random weights in every format.

use super::{Numbers, open};
use allod_kernels::encode_row;
use allod_lm::{Checkpoint, Format};
use allod_weights::make::{GgufBuilder, safetensors_with_header};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Tokens that a sequence can have.
pub const CONTEXT: usize = 192;
pub const VOCABULARY: usize = 71;

/// Sizes of a model.
struct Shape {
    width: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    inner: usize,
    layers: usize,
}

impl Shape {
    fn draw(numbers: &mut Numbers) -> Shape {
        let (kv_heads, shared) = (1 + numbers.below(2), 1 + numbers.below(3));
        if numbers.below(4) == 0 {
            // For blocks of 256.
            return Shape {
                width: 256,
                heads: 4,
                kv_heads,
                head_dim: 64,
                inner: 256,
                layers: 1 + numbers.below(2),
            };
        }
        Shape {
            width: [32, 48, 64, 96][numbers.below(4)],
            heads: 2 * kv_heads * shared,
            kv_heads: 2 * kv_heads,
            head_dim: [16, 32, 12][numbers.below(3)],
            inner: [32, 80, 160][numbers.below(3)],
            layers: 1 + numbers.below(2),
        }
    }

    /// Names and sizes in a GGUF file.
    fn matrices(&self, name: &str, experts: usize) -> Vec<(String, Vec<usize>)> {
        let Shape { width, inner, .. } = *self;
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut all = vec![
            ("token_embd".to_string(), vec![VOCABULARY, width]),
            ("output".to_string(), vec![VOCABULARY, width]),
        ];
        for layer in 0..self.layers {
            let mut add = |name: &str, sizes: &[usize]| {
                all.push((format!("blk.{layer}.{name}"), sizes.to_vec()));
            };
            add("attn_q", &[queries, width]);
            add("attn_k", &[keys, width]);
            add("attn_v", &[keys, width]);
            add("attn_output", &[width, queries]);
            let stacked = name == "qwen3moe";
            if stacked {
                add("ffn_gate_inp", &[experts, width]);
            }
            for (part, rows, columns) in
                [("gate", inner, width), ("up", inner, width), ("down", width, inner)]
            {
                match stacked {
                    true => add(&format!("ffn_{part}_exps"), &[experts, rows, columns]),
                    false => add(&format!("ffn_{part}"), &[rows, columns]),
                }
            }
        }
        all
    }

    /// Factors of norms.
    fn vectors(&self, name: &str) -> Vec<(String, usize)> {
        let mut all = vec![("output_norm".to_string(), self.width)];
        for layer in 0..self.layers {
            let of = |name: &str| format!("blk.{layer}.{name}");
            all.extend(["attn_norm", "ffn_norm"].map(|norm| (of(norm), self.width)));
            if name != "llama" {
                all.extend(["attn_q_norm", "attn_k_norm"].map(|norm| (of(norm), self.head_dim)));
            }
        }
        all
    }
}

/// A GGUF file: Llama, Qwen3 or its mixture of experts, each matrix in a format of its own or all
/// in one as far as it fits.
pub fn gguf(numbers: &mut Numbers) -> (String, Arc<Checkpoint>) {
    let shape = Shape::draw(numbers);
    let name = ["llama", "qwen3", "qwen3moe"][numbers.below(3)];
    let (experts, used) = (1 + numbers.below(6), 1 + numbers.below(3));
    let mut file = keys(name, &shape);
    if name == "qwen3moe" {
        file = file
            .u32("qwen3moe.expert_count", experts as u32)
            .u32("qwen3moe.expert_used_count", used.min(experts) as u32)
            .u32("qwen3moe.expert_feed_forward_length", shape.inner as u32);
    }
    let (mut names, first) = (vec![name], any_format(numbers, 1));
    let one = numbers.below(2) == 0;
    for (name, sizes) in shape.matrices(name, experts) {
        let columns = sizes[sizes.len() - 1];
        let format = match columns.is_multiple_of(first.block_len()) {
            true if one => first,
            _ => any_format(numbers, columns),
        };
        names.push(format.name());
        let bytes = stored(format, sizes.iter().product(), numbers);
        file = file.tensor(&format!("{name}.weight"), &sizes, format, &bytes);
    }
    for (name, length) in shape.vectors(name) {
        let values: Vec<f32> = numbers.take(length).iter().map(|value| 1.0 + value).collect();
        file = file.f32_tensor(&format!("{name}.weight"), &[length], &values);
    }
    names.dedup();
    (names.join(" "), Arc::new(open(&file.build()).unwrap()))
}

/// Any format of which `columns` are whole blocks; of one column, any at all.
fn any_format(numbers: &mut Numbers, columns: usize) -> Format {
    let fits = |format: &Format| columns == 1 || columns.is_multiple_of(format.block_len());
    let fitting: Vec<Format> = Format::ALL.into_iter().filter(fits).collect();
    fitting[numbers.below(fitting.len())]
}

fn keys(name: &str, shape: &Shape) -> GgufBuilder {
    let key = |key: &str| format!("{name}.{key}");
    GgufBuilder::new()
        .text("general.architecture", name)
        .u32(&key("context_length"), CONTEXT as u32)
        .u32(&key("embedding_length"), shape.width as u32)
        .u32(&key("block_count"), shape.layers as u32)
        .u32(&key("feed_forward_length"), shape.inner as u32)
        .u32(&key("attention.head_count"), shape.heads as u32)
        .u32(&key("attention.head_count_kv"), shape.kv_heads as u32)
        .u32(&key("attention.key_length"), shape.head_dim as u32)
        .u32(&key("attention.value_length"), shape.head_dim as u32)
        .u32(&key("rope.dimension_count"), shape.head_dim as u32)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .f32(&key("rope.freq_base"), 10000.0)
}

/// Random weights of about a tenth in size.
fn stored(format: Format, count: usize, numbers: &mut Numbers) -> Vec<u8> {
    let encoded = |format: Format, values: &[f32]| {
        let mut bytes = vec![0; format.row_bytes(values.len()).unwrap()];
        encode_row(format, values, &mut bytes).unwrap();
        bytes
    };
    if format.block_len() == 1 {
        return encoded(format, &numbers.take(count));
    }
    // Where scales stand in a block, and what whole numbers they are multiplied with at most.
    let (places, most): (&[usize], f32) = match format {
        Format::Q4_1 | Format::Q5_1 => (&[0, 2], 16.0),
        Format::Q2_K => (&[80, 82], 45.0),
        Format::Q3_K => (&[108], 128.0),
        Format::Q4_K => (&[0, 2], 1000.0),
        Format::Q5_K => (&[0, 2], 2000.0),
        Format::Q6_K => (&[208], 4000.0),
        Format::IQ4_XS => (&[0], 4000.0),
        Format::Q8_0 | Format::IQ4_NL => (&[0], 128.0),
        _ => (&[0], 12.0),
    };
    let mut bytes = Vec::new();
    for _ in 0..count / format.block_len() {
        let start = bytes.len();
        bytes.extend((0..format.block_bytes()).map(|_| numbers.below(256) as u8));
        let block = &mut bytes[start..];
        if format == Format::MXFP4 {
            block[0] = 119 + block[0] % 4;
            continue;
        }
        for place in places {
            let scale = encoded(Format::F16, &[numbers.next() / most]);
            block[*place..place + 2].copy_from_slice(&scale);
        }
    }
    bytes
}

/// A folder whose matrices have scales in tensors of their own.
pub fn packed(numbers: &mut Numbers) -> (String, Arc<Checkpoint>) {
    let shape = Shape { width: 64, inner: 96, head_dim: 16, heads: 4, kv_heads: 2, layers: 1 };
    let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let layer = "model.layers.0.";
    let mut folder = Folder::default();
    folder.plain("model.embed_tokens.weight", &[VOCABULARY, shape.width], numbers);
    for norm in [
        "model.norm",
        &format!("{layer}input_layernorm"),
        &format!("{layer}post_attention_layernorm"),
    ] {
        folder.plain(&format!("{norm}.weight"), &[shape.width], numbers);
    }
    let form = ["int4", "int8", "float8", "float4"][numbers.below(4)];
    for (name, rows, columns) in [
        ("self_attn.q_proj", queries, shape.width),
        ("self_attn.k_proj", keys, shape.width),
        ("self_attn.v_proj", keys, shape.width),
        ("self_attn.o_proj", shape.width, queries),
        ("mlp.gate_proj", shape.inner, shape.width),
        ("mlp.up_proj", shape.inner, shape.width),
        ("mlp.down_proj", shape.width, shape.inner),
    ] {
        folder.matrix(&format!("{layer}{name}"), form, [rows, columns], numbers);
    }
    let config = settings(&shape, form);
    (form.to_string(), Arc::new(folder.open(&config)))
}

/// Settings that go with it.
fn settings(shape: &Shape, form: &str) -> Value {
    let (format, weights) = match form {
        "int4" => (
            "pack-quantized",
            json!({"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32,
                "symmetric": true}),
        ),
        "int8" => (
            "int-quantized",
            json!({"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": true}),
        ),
        "float8" => {
            ("float-quantized", json!({"num_bits": 8, "type": "float", "strategy": "tensor"}))
        }
        _ => (
            "nvfp4-pack-quantized",
            json!({"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}),
        ),
    };
    json!({
        "model_type": "llama", "hidden_size": shape.width, "num_attention_heads": shape.heads,
        "head_dim": shape.head_dim, "num_key_value_heads": shape.kv_heads, "hidden_act": "silu",
        "vocab_size": VOCABULARY, "num_hidden_layers": shape.layers, "rms_norm_eps": 1e-5,
        "intermediate_size": shape.inner, "tie_word_embeddings": true,
        "max_position_embeddings": CONTEXT,
        "quantization_config": {
            "quant_method": "compressed-tensors", "format": format, "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {"targets": ["Linear"], "format": format, "weights": weights},
            },
        },
    })
}

/// Tensors in safetensors' layout.
#[derive(Default)]
struct Folder {
    header: Map<String, Value>,
    data: Vec<u8>,
}

impl Folder {
    fn add(&mut self, name: &str, kind: &str, shape: &[usize], bytes: &[u8]) {
        let start = self.data.len();
        self.data.extend(bytes);
        let at = json!({"dtype": kind, "shape": shape, "data_offsets": [start, self.data.len()]});
        self.header.insert(name.to_string(), at);
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(name, "F32", shape, &bytes);
    }

    fn plain(&mut self, name: &str, shape: &[usize], numbers: &mut Numbers) {
        let shift = if shape.len() == 1 { 1.0 } else { 0.0 };
        let values = numbers.take(shape.iter().product());
        let values: Vec<f32> = values.iter().map(|value| shift + value).collect();
        self.floats(name, shape, &values);
    }

    fn matrix(
        &mut self,
        name: &str,
        form: &str,
        [rows, columns]: [usize; 2],
        numbers: &mut Numbers,
    ) {
        let named = |part: &str| format!("{name}.{part}");
        let mut codes = |count: usize, end: usize| -> Vec<u8> {
            (0..count).map(|_| numbers.below(end) as u8).collect()
        };
        match form {
            "int4" => {
                let (codes, groups) = (codes(rows * columns / 2, 256), columns / 32);
                self.add(&named("weight_packed"), "I32", &[rows, columns / 8], &codes);
                let scales: Vec<f32> =
                    numbers.take(rows * groups).iter().map(|x| x / 8.0).collect();
                self.floats(&named("weight_scale"), &[rows, groups], &scales);
                let shape: Vec<u8> =
                    [rows, columns].iter().flat_map(|size| (*size as i64).to_le_bytes()).collect();
                self.add(&named("weight_shape"), "I64", &[2], &shape);
            }
            "int8" => {
                let codes = codes(rows * columns, 256);
                self.add(&named("weight"), "I8", &[rows, columns], &codes);
                let scales: Vec<f32> = numbers.take(rows).iter().map(|x| x / 128.0).collect();
                self.floats(&named("weight_scale"), &[rows, 1], &scales);
            }
            "float8" => {
                let codes = codes(rows * columns, 2 * 56)
                    .iter()
                    .map(|x| (x / 2) | (x << 7))
                    .collect::<Vec<u8>>();
                self.add(&named("weight"), "F8_E4M3", &[rows, columns], &codes);
                self.floats(&named("weight_scale"), &[1], &[0.2]);
            }
            _ => {
                let (quants, scales) =
                    (codes(rows * columns / 2, 256), codes(rows * columns / 16, 8));
                self.add(&named("weight_packed"), "U8", &[rows, columns / 2], &quants);
                let scales: Vec<u8> = scales.iter().map(|code| 0x40 + code).collect();
                self.add(&named("weight_scale"), "F8_E4M3", &[rows, columns / 16], &scales);
                self.floats(&named("weight_global_scale"), &[1], &[64.0]);
            }
        }
    }

    fn open(self, config: &Value) -> Checkpoint {
        let bytes = safetensors_with_header(&Value::Object(self.header).to_string(), &self.data);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        Checkpoint::open(folder.path()).unwrap()
    }
}
