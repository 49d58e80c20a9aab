//! What one token costs: the yardstick for speeds.

use crate::checkpoint::Checkpoint;
use crate::spec::DecoderSpec;
use crate::weight::Part;

/// What the weights cost for one token. Attention comes on top of it, by the tokens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Bytes of weights that are read: all of them but an embedding that is only looked up, and of
    /// experts as many as a token is sent to.
    pub bytes: u64,
    /// Multiplications of weights with activations.
    pub multiplications: u64,
    /// Numbers that are kept of a token: its keys and values in all layers.
    pub cached: u64,
}

impl Checkpoint {
    /// What one token costs.
    pub fn work(&self) -> Work {
        let spec: &DecoderSpec = self.spec();
        let experts = spec.experts.as_ref().map_or((1, 1), |experts| (experts.used, experts.count));
        let cached = 2 * spec.layers * spec.kv_heads * spec.head_dim;
        let mut work = Work { cached: cached as u64, ..Work::default() };
        for (id, shape) in spec.weights() {
            if id.part == Part::TokenEmbedding && !spec.tied {
                continue;
            }
            let (used, count) = if id.part.is_of_expert() { experts } else { (1, 1) };
            work.bytes += (self.weight(id).bytes(self.file()) * used / count.max(1)) as u64;
            if shape.len() > 1 && !id.part.is_expert_bias() {
                let products = shape.iter().product::<usize>();
                work.multiplications += (products * used / count.max(1)) as u64;
            }
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_weights::make::GgufBuilder;

    /// A Llama of one layer with `f32` weights, tied or not.
    fn checkpoint(tied: bool) -> Checkpoint {
        let (width, inner, words) = (8, 16, 10);
        let mut file = GgufBuilder::new()
            .text("general.architecture", "llama")
            .u32("llama.context_length", 64)
            .u32("llama.embedding_length", width as u32)
            .u32("llama.block_count", 1)
            .u32("llama.feed_forward_length", inner as u32)
            .u32("llama.attention.head_count", 2)
            .u32("llama.vocab_size", words as u32)
            .f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
        let mut add = |name: &str, shape: &[usize]| {
            let values = vec![0.5; shape.iter().product()];
            let name = format!("{name}.weight");
            file = std::mem::take(&mut file).f32_tensor(&name, shape, &values);
        };
        add("token_embd", &[words, width]);
        add("output_norm", &[width]);
        if !tied {
            add("output", &[words, width]);
        }
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            add(&format!("blk.0.{name}"), &[width, width]);
        }
        add("blk.0.ffn_gate", &[inner, width]);
        add("blk.0.ffn_up", &[inner, width]);
        add("blk.0.ffn_down", &[width, inner]);
        add("blk.0.attn_norm", &[width]);
        add("blk.0.ffn_norm", &[width]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        std::fs::write(&path, file.build()).unwrap();
        Checkpoint::open(&path).unwrap()
    }

    #[test]
    fn an_embedding_counts_where_it_is_the_output_too() {
        let products = 10 * 8 + 4 * 8 * 8 + 3 * 8 * 16;
        let expected =
            Work { bytes: 4 * (products + 3 * 8), multiplications: products, cached: 2 * 8 };
        assert_eq!(checkpoint(true).work(), expected);
        assert_eq!(checkpoint(false).work(), expected);
    }
}
