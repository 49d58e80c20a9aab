//! Small encoders made in code, and the same forward pass written plainly in `f64`.

use super::Numbers;
use allod_weights::make::safetensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

pub const VOCABULARY: usize = 23;
pub const WIDTH: usize = 12;
pub const HEADS: usize = 3;
pub const FEED_FORWARD: usize = 20;
pub const POSITIONS: usize = 40;
const HEAD_DIM: usize = WIDTH / HEADS;

/// Tensors by name: shape and values.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Adds a tensor of numbers; factors of norms lie around 1.
fn add(tensors: &mut Tensors, numbers: &mut Numbers, name: &str, shape: &[usize]) {
    let mut values = numbers.take(shape.iter().product());
    if shape.len() == 1 && name.contains("orm") && name.ends_with("weight") {
        values.iter_mut().for_each(|value| *value += 1.0);
    }
    tensors.insert(name.to_string(), (shape.to_vec(), values));
}

/// BERT's tensors under `root`; `unused` positions before those of the first token.
pub fn bert(root: &str, layers: usize, segments: usize, unused: usize) -> Tensors {
    let (mut tensors, mut numbers) = (Tensors::new(), Numbers(11));
    let mut add = |name: &str, shape: &[usize]| {
        add(&mut tensors, &mut numbers, &format!("{root}{name}"), shape);
    };
    add("embeddings.word_embeddings.weight", &[VOCABULARY, WIDTH]);
    add("embeddings.position_embeddings.weight", &[POSITIONS + unused, WIDTH]);
    add("embeddings.token_type_embeddings.weight", &[segments, WIDTH]);
    add("embeddings.LayerNorm.weight", &[WIDTH]);
    add("embeddings.LayerNorm.bias", &[WIDTH]);
    for layer in 0..layers {
        let mut linear = |name: &str, outputs: usize, inputs: usize| {
            add(&format!("encoder.layer.{layer}.{name}.weight"), &[outputs, inputs]);
            add(&format!("encoder.layer.{layer}.{name}.bias"), &[outputs]);
        };
        linear("attention.self.query", WIDTH, WIDTH);
        linear("attention.self.key", WIDTH, WIDTH);
        linear("attention.self.value", WIDTH, WIDTH);
        linear("attention.output.dense", WIDTH, WIDTH);
        linear("intermediate.dense", FEED_FORWARD, WIDTH);
        linear("output.dense", WIDTH, FEED_FORWARD);
        for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(&format!("encoder.layer.{layer}.{norm}.weight"), &[WIDTH]);
            add(&format!("encoder.layer.{layer}.{norm}.bias"), &[WIDTH]);
        }
    }
    tensors
}

/// ModernBERT's tensors, with biases everywhere.
pub fn modernbert(layers: usize) -> Tensors {
    let (mut tensors, mut numbers) = (Tensors::new(), Numbers(13));
    let mut pair = |name: &str, shape: &[usize]| {
        add(&mut tensors, &mut numbers, &format!("{name}.weight"), shape);
        add(&mut tensors, &mut numbers, &format!("{name}.bias"), &shape[..1]);
    };
    pair("embeddings.norm", &[WIDTH]);
    pair("final_norm", &[WIDTH]);
    for layer in 0..layers {
        if layer > 0 {
            pair(&format!("layers.{layer}.attn_norm"), &[WIDTH]);
        }
        pair(&format!("layers.{layer}.attn.Wqkv"), &[3 * WIDTH, WIDTH]);
        pair(&format!("layers.{layer}.attn.Wo"), &[WIDTH, WIDTH]);
        pair(&format!("layers.{layer}.mlp_norm"), &[WIDTH]);
        pair(&format!("layers.{layer}.mlp.Wi"), &[2 * FEED_FORWARD, WIDTH]);
        pair(&format!("layers.{layer}.mlp.Wo"), &[WIDTH, FEED_FORWARD]);
    }
    let embedding = "embeddings.tok_embeddings.weight";
    add(&mut tensors, &mut numbers, embedding, &[VOCABULARY, WIDTH]);
    tensors
}

/// Settings of the small BERT.
pub fn bert_config(layers: usize) -> Value {
    json!({
        "model_type": "bert", "architectures": ["BertModel"], "vocab_size": VOCABULARY,
        "hidden_size": WIDTH, "num_hidden_layers": layers, "num_attention_heads": HEADS,
        "intermediate_size": FEED_FORWARD, "hidden_act": "gelu", "type_vocab_size": 2,
        "max_position_embeddings": POSITIONS, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    })
}

/// Settings of the small ModernBERT: two of three layers see two positions on either side.
pub fn modernbert_config(layers: usize) -> Value {
    json!({
        "model_type": "modernbert", "architectures": ["ModernBertModel"],
        "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": layers,
        "num_attention_heads": HEADS, "intermediate_size": FEED_FORWARD,
        "hidden_activation": "gelu", "max_position_embeddings": POSITIONS, "norm_eps": 1e-5,
        "norm_bias": true, "attention_bias": true, "mlp_bias": true, "local_attention": 5,
        "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0,
    })
}

/// Writes config.json and model.safetensors.
pub fn write(folder: &Path, config: &Value, tensors: &Tensors) {
    let list: Vec<_> = tensors
        .iter()
        .map(|(name, (shape, values))| (name.clone(), shape.clone(), values.clone()))
        .collect();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("model.safetensors"), safetensors(&list)).unwrap();
}

/// A forward pass as plainly as possible: rows of `f64`.
pub struct Plain<'a>(pub &'a Tensors);

type Rows = Vec<Vec<f64>>;

impl Plain<'_> {
    fn values(&self, name: &str) -> Vec<f64> {
        self.0[name].1.iter().map(|value| f64::from(*value)).collect()
    }

    fn row(&self, name: &str, row: usize) -> Vec<f64> {
        self.values(name)[row * WIDTH..(row + 1) * WIDTH].to_vec()
    }

    fn linear(&self, x: &Rows, name: &str) -> Rows {
        let (weight, bias) =
            (self.values(&format!("{name}.weight")), self.values(&format!("{name}.bias")));
        let output = |x: &Vec<f64>, (row, bias): (&[f64], &f64)| {
            row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias
        };
        let rows = |x: &Vec<f64>| {
            weight.chunks_exact(x.len()).zip(&bias).map(|pair| output(x, pair)).collect()
        };
        x.iter().map(rows).collect()
    }

    fn norm(&self, x: &Rows, name: &str, epsilon: f64) -> Rows {
        let (weight, bias) =
            (self.values(&format!("{name}.weight")), self.values(&format!("{name}.bias")));
        let one = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let scaled = x.iter().map(|x| (x - mean) / (variance + epsilon).sqrt());
            scaled.zip(&weight).zip(&bias).map(|((x, w), b)| x * w + b).collect()
        };
        x.iter().map(one).collect()
    }

    /// The last hidden states of BERT; `unused` is where positions start.
    pub fn bert(
        &self,
        root: &str,
        layers: usize,
        unused: usize,
        tokens: &[u32],
        segments: &[u32],
    ) -> Rows {
        let name = |name: &str| format!("{root}{name}");
        let embed = |(position, (token, segment)): (usize, (&u32, &u32))| {
            let parts = [
                self.row(&name("embeddings.word_embeddings.weight"), *token as usize),
                self.row(&name("embeddings.position_embeddings.weight"), position + unused),
                self.row(&name("embeddings.token_type_embeddings.weight"), *segment as usize),
            ];
            (0..WIDTH).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
        };
        let mut x: Rows = tokens.iter().zip(segments).enumerate().map(embed).collect();
        x = self.norm(&x, &name("embeddings.LayerNorm"), 1e-12);
        for layer in 0..layers {
            let name = |name: &str| format!("{root}encoder.layer.{layer}.{name}");
            let [q, k, v] = ["query", "key", "value"]
                .map(|part| self.linear(&x, &name(&format!("attention.self.{part}"))));
            let mixed = self.linear(&attend(&q, &k, &v, None), &name("attention.output.dense"));
            x = self.norm(&sum(&x, &mixed), &name("attention.output.LayerNorm"), 1e-12);
            let mut inner = self.linear(&x, &name("intermediate.dense"));
            inner.iter_mut().flatten().for_each(|x| *x = gelu(*x));
            let outer = self.linear(&inner, &name("output.dense"));
            x = self.norm(&sum(&x, &outer), &name("output.LayerNorm"), 1e-12);
        }
        x
    }

    /// The last hidden states of ModernBERT.
    pub fn modernbert(&self, layers: usize, tokens: &[u32]) -> Rows {
        let embedding = "embeddings.tok_embeddings.weight";
        let mut x = tokens.iter().map(|token| self.row(embedding, *token as usize)).collect();
        x = self.norm(&x, "embeddings.norm", 1e-5);
        for layer in 0..layers {
            let name = |name: &str| format!("layers.{layer}.{name}");
            let normed = match layer {
                0 => x.clone(),
                _ => self.norm(&x, &name("attn_norm"), 1e-5),
            };
            let all = self.linear(&normed, &name("attn.Wqkv"));
            let [mut q, mut k, v] = [0, 1, 2].map(|nth| {
                let third = |row: &Vec<f64>| row[nth * WIDTH..(nth + 1) * WIDTH].to_vec();
                all.iter().map(third).collect::<Rows>()
            });
            let (theta, window) = if layer % 3 == 0 { (160_000.0, None) } else { (1e4, Some(2)) };
            rotate(&mut q, theta);
            rotate(&mut k, theta);
            let mixed = attend(&q, &k, &v, window);
            x = sum(&x, &self.linear(&mixed, &name("attn.Wo")));
            let both = self.linear(&self.norm(&x, &name("mlp_norm"), 1e-5), &name("mlp.Wi"));
            let gated = |row: &Vec<f64>| {
                let (gate, up) = row.split_at(FEED_FORWARD);
                gate.iter().zip(up).map(|(gate, up)| gelu(*gate) * up).collect()
            };
            x = sum(&x, &self.linear(&both.iter().map(gated).collect(), &name("mlp.Wo")));
        }
        self.norm(&x, "final_norm", 1e-5)
    }
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + libm::erf(x / 2.0_f64.sqrt()))
}

fn sum(x: &Rows, y: &Rows) -> Rows {
    x.iter().zip(y).map(|(x, y)| x.iter().zip(y).map(|(x, y)| x + y).collect()).collect()
}

fn rotate(x: &mut Rows, theta: f64) {
    for (position, row) in x.iter_mut().enumerate() {
        for head in row.chunks_exact_mut(HEAD_DIM) {
            for pair in 0..HEAD_DIM / 2 {
                let turn = position as f64 * theta.powf(-2.0 * pair as f64 / HEAD_DIM as f64);
                let (a, b) = (head[pair], head[pair + HEAD_DIM / 2]);
                head[pair] = a * turn.cos() - b * turn.sin();
                head[pair + HEAD_DIM / 2] = a * turn.sin() + b * turn.cos();
            }
        }
    }
}

/// Attention both ways, within a window on each side.
fn attend(q: &Rows, k: &Rows, v: &Rows, window: Option<usize>) -> Rows {
    let mut out = vec![vec![0.0; WIDTH]; q.len()];
    for (position, out) in out.iter_mut().enumerate() {
        for head in 0..HEADS {
            let part = head * HEAD_DIM..(head + 1) * HEAD_DIM;
            let seen = |other: &usize| window.is_none_or(|most| position.abs_diff(*other) <= most);
            let seen: Vec<usize> = (0..k.len()).filter(seen).collect();
            let weight = |other: &usize| {
                let pairs = q[position][part.clone()].iter().zip(&k[*other][part.clone()]);
                (pairs.map(|(q, k)| q * k).sum::<f64>() / (HEAD_DIM as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = seen.iter().map(weight).collect();
            let total: f64 = weights.iter().sum();
            for (other, weight) in seen.iter().zip(&weights) {
                for at in part.clone() {
                    out[at] += weight / total * v[*other][at];
                }
            }
        }
    }
    out
}
