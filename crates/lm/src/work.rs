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
