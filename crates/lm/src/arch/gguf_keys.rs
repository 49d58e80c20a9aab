//! What a GGUF file says about a decoder: the other way round from `keys`, under the same names.

use crate::spec::{DecoderSpec, RopeScaling, RopeSpec};
use allod_weights::{Metadata, Value};

/// Keys under an architecture's prefix, and tensors that are no weights, on their way into a file.
pub(crate) struct GgufKeys {
    prefix: &'static str,
    /// Everything said so far.
    pub metadata: Metadata,
    /// Tensors of one dimension, by name.
    pub tensors: Vec<(&'static str, Vec<f32>)>,
    /// What llama.cpp does otherwise.
    pub notes: Vec<String>,
}

impl GgufKeys {
    /// All that is not as it is usual, under the names that most architectures use; or what cannot
    /// be said.
    pub fn new(spec: &DecoderSpec, prefix: &'static str) -> Result<GgufKeys, String> {
        let mut keys = GgufKeys::plain(prefix);
        keys.sizes(spec);
        keys.numbers(spec);
        keys.layers(spec);
        keys.rope(&spec.rope)?;
        if let Some(rope) = &spec.window_rope {
            keys.put("rope.freq_base_swa", rope.theta as f32);
        }
        Ok(keys)
    }

    /// No more than what the architecture is called.
    pub fn plain(prefix: &'static str) -> GgufKeys {
        let (tensors, notes) = (Vec::new(), Vec::new());
        let mut keys = GgufKeys { prefix, metadata: Metadata::default(), tensors, notes };
        keys.metadata.insert("general.architecture", prefix);
        keys
    }

    /// Says `value` under `name`, which follows the architecture's own.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.metadata.insert(format!("{}.{name}", self.prefix), value);
    }

    /// Takes back what was said under `name`: the architecture implies it.
    pub fn imply(&mut self, name: &str) {
        self.metadata.remove(&format!("{}.{name}", self.prefix));
    }

    /// Notes that llama.cpp reads no window in such files.
    pub fn note_window(&mut self, spec: &DecoderSpec) {
        let windows = (0..spec.layers).filter_map(|layer| spec.layer(layer).window);
        if let Some(window) = windows.min() {
            self.notes.push(format!(
                "llama.cpp reads no window in files of `{}`, and computes something else where \
                 texts are longer than {window} tokens",
                self.prefix,
            ));
        }
    }

    fn sizes(&mut self, spec: &DecoderSpec) {
        for (name, size) in [
            ("vocab_size", spec.vocabulary),
            ("context_length", spec.context_length),
            ("embedding_length", spec.width),
            ("block_count", spec.layers),
            ("feed_forward_length", spec.feed_forward),
            ("attention.head_count", spec.heads),
            ("attention.head_count_kv", spec.kv_heads),
            ("attention.key_length", spec.head_dim),
            ("attention.value_length", spec.head_dim),
            ("rope.dimension_count", spec.rope.dimensions),
        ] {
            self.put(name, size as u32);
        }
        if let Some(experts) = &spec.experts {
            self.put("expert_count", experts.count as u32);
            self.put("expert_used_count", experts.used as u32);
            self.put("expert_feed_forward_length", experts.feed_forward as u32);
        }
    }

    fn numbers(&mut self, spec: &DecoderSpec) {
        self.put("attention.layer_norm_rms_epsilon", spec.norm_epsilon);
        let usual = (1.0 / (spec.head_dim as f64).sqrt()) as f32;
        let scales = &spec.scales;
        for (name, value) in [
            ("attention.scale", Some(spec.attention_scale).filter(|scale| *scale != usual)),
            ("attn_logit_softcapping", spec.attention_cap),
            ("final_logit_softcapping", spec.output_cap),
            ("attention.clamp_kqv", spec.query_key_value_limit),
            ("embedding_scale", Some(scales.embedding).filter(|scale| *scale != 1.0)),
            ("residual_scale", Some(scales.residual).filter(|scale| *scale != 1.0)),
            ("logit_scale", Some(1.0 / scales.logits).filter(|scale| *scale != 1.0)),
        ] {
            value.into_iter().for_each(|value| self.put(name, value));
        }
    }

    /// The window, and which layers have it.
    fn layers(&mut self, spec: &DecoderSpec) {
        let windows: Vec<Option<usize>> =
            (0..spec.layers).map(|layer| spec.layer(layer).window).collect();
        if let Some(window) = windows.iter().flatten().next() {
            self.put("attention.sliding_window", *window as u32);
            let pattern: Vec<bool> = windows.iter().map(Option::is_some).collect();
            self.put("attention.sliding_window_pattern", pattern);
        }
    }

    fn rope(&mut self, rope: &RopeSpec) -> Result<(), String> {
        self.put("rope.freq_base", rope.theta as f32);
        if let Some(divisors) = rope.divisors() {
            self.tensors.push(("rope_freqs.weight", divisors));
            return Ok(());
        }
        match &rope.scaling {
            RopeScaling::Linear { factor } => {
                self.put("rope.scaling.type", "linear");
                self.put("rope.scaling.factor", *factor as f32);
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, .. } => {
                self.put("rope.scaling.type", "yarn");
                self.put("rope.scaling.factor", *factor as f32);
                self.put("rope.scaling.original_context_length", *original_context as u32);
                self.put("rope.scaling.yarn_beta_fast", *beta_fast as f32);
                self.put("rope.scaling.yarn_beta_slow", *beta_slow as f32);
                self.magnitude(rope);
            }
            RopeScaling::Long { short, long, original_context, .. } => {
                self.put("rope.scaling.type", "longrope");
                self.put("rope.scaling.original_context_length", *original_context as u32);
                self.tensors.push(("rope_factors_long.weight", long.clone()));
                self.tensors.push(("rope_factors_short.weight", short.clone()));
                self.magnitude(rope);
            }
            RopeScaling::Dynamic { .. } => return Err("`dynamic` rope scaling in GGUF".to_string()),
            RopeScaling::None | RopeScaling::Llama3 { .. } | RopeScaling::Divisors(_) => {}
        }
        Ok(())
    }

    /// What cosines and sines are multiplied with; of YaRN, beyond what its factor gives.
    fn magnitude(&mut self, rope: &RopeSpec) {
        let beyond = match rope.scaling {
            RopeScaling::Yarn { factor, magnitude, .. } => {
                magnitude / super::rope::yarn_magnitude(factor, 1.0)
            }
            RopeScaling::Long { magnitude, .. } => magnitude,
            _ => 1.0,
        };
        let said = matches!(rope.scaling, RopeScaling::Long { .. });
        if said || (beyond - 1.0).abs() > 1e-9 {
            self.put("rope.scaling.attn_factor", beyond as f32);
        }
    }
}

/// The order in which llama.cpp's quantiser writes tensors: those of no layer, then layer by layer,
/// each by name.
pub(crate) fn order(name: &str) -> (Option<usize>, String) {
    let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next());
    (layer.and_then(|layer| layer.parse().ok()), name.to_string())
}
