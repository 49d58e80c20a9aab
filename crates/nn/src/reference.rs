//! The operations as their definitions have them, in double precision and without any care for
//! speed: what gradients are compared with. Values are flat, row after row.

use crate::Sight;

/// `x * w^T + bias`
pub fn linear(x: &[f64], w: &[f64], inputs: usize, bias: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for x in x.chunks(inputs) {
        for (index, w) in w.chunks(inputs).enumerate() {
            let product: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            out.push(product + bias.get(index).copied().unwrap_or(0.0));
        }
    }
    out
}

pub fn embed(tokens: &[u32], w: &[f64], width: usize) -> Vec<f64> {
    tokens.iter().flat_map(|token| w[*token as usize * width..][..width].to_vec()).collect()
}

pub fn rms_norm(x: &[f64], w: &[f64], epsilon: f64) -> Vec<f64> {
    let pieces = x.chunks(w.len()).flat_map(|x| {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / w.len() as f64;
        let factor = 1.0 / (mean + epsilon).sqrt();
        x.iter().zip(w).map(move |(x, w)| x * factor * w).collect::<Vec<_>>()
    });
    pieces.collect()
}

pub fn layer_norm(x: &[f64], w: &[f64], bias: &[f64], epsilon: f64) -> Vec<f64> {
    let rows = x.chunks(w.len()).flat_map(|x| {
        let mean = x.iter().sum::<f64>() / w.len() as f64;
        let centred: Vec<f64> = x.iter().map(|x| x - mean).collect();
        let row = rms_norm(&centred, w, epsilon);
        row.iter().enumerate().map(|(i, x)| x + bias.get(i).unwrap_or(&0.0)).collect::<Vec<_>>()
    });
    rows.collect()
}

/// Angles are `position / 3^pair`, as [`crate::checks::rotation`] has them.
pub fn rope(
    x: &[f64],
    width: usize,
    head: usize,
    at: &[usize],
    pairs: usize,
    half: usize,
) -> Vec<f64> {
    let mut out = x.to_vec();
    for (row, position) in out.chunks_mut(width).zip(at) {
        for head in row.chunks_mut(head) {
            let from = head.to_vec();
            for pair in 0..pairs {
                // Halves stand `pairs` apart, neighbours one.
                let (a, b) =
                    if half == 1 { (pair, pair + pairs) } else { (2 * pair, 2 * pair + 1) };
                let (sin, cos) = (*position as f64 / 3f64.powi(pair as i32)).sin_cos();
                head[a] = from[a] * cos - from[b] * sin;
                head[b] = from[a] * sin + from[b] * cos;
            }
        }
    }
    out
}

pub fn softmax(x: &[f64]) -> Vec<f64> {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

pub struct Attend<'a> {
    pub lengths: &'a [usize],
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub scale: f64,
    pub cap: Option<f64>,
    pub sight: Sight,
    pub sinks: &'a [f64],
}

impl Attend<'_> {
    pub fn run(&self, [q, k, v]: [&[f64]; 3]) -> Vec<f64> {
        let (mut out, mut first) = (Vec::new(), 0);
        for length in self.lengths {
            for position in 0..*length {
                (0..self.heads).for_each(|head| {
                    out.extend(self.one([q, k, v], first, *length, position, head));
                });
            }
            first += length;
        }
        out
    }

    fn sees(&self, from: usize, to: usize) -> bool {
        match self.sight {
            Sight::Causal => to <= from,
            Sight::CausalWindow(window) => to <= from && from - to < window,
            Sight::Both => true,
            Sight::BothWithin(reach) => from.abs_diff(to) <= reach,
        }
    }

    fn one(
        &self,
        [q, k, v]: [&[f64]; 3],
        first: usize,
        length: usize,
        position: usize,
        head: usize,
    ) -> Vec<f64> {
        let of = |x: &[f64], heads: usize, position: usize, head: usize| {
            let at = ((first + position) * heads + head) * self.head_dim;
            x[at..at + self.head_dim].to_vec()
        };
        let kv = head * self.kv_heads / self.heads;
        let query = of(q, self.heads, position, head);
        let seen: Vec<usize> = (0..length).filter(|to| self.sees(position, *to)).collect();
        let mut scores: Vec<f64> = seen
            .iter()
            .map(|to| {
                let key = of(k, self.kv_heads, *to, kv);
                let score: f64 =
                    query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() * self.scale;
                self.cap.map_or(score, |cap| (score / cap).tanh() * cap)
            })
            .collect();
        scores.extend(self.sinks.get(head));
        let weights = softmax(&scores);
        let mut out = vec![0.0; self.head_dim];
        for (to, weight) in seen.iter().zip(weights) {
            let value = of(v, self.kv_heads, *to, kv);
            out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
        }
        out
    }
}

pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

pub fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
}

pub fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt()))
}

pub fn bounded(gate: f64, up: f64, alpha: f64, limit: f64) -> f64 {
    let gate = gate.min(limit);
    (up.clamp(-limit, limit) + 1.0) * gate / (1.0 + (-alpha * gate).exp())
}

pub fn xielu(x: f64, positive: f64, negative: f64, beta: f64, epsilon: f64) -> f64 {
    let softplus = |x: f64| x.exp().ln_1p();
    if x > 0.0 {
        softplus(positive) * x * x + beta * x
    } else {
        (beta + softplus(negative)) * (x.min(epsilon).exp_m1() - x) + beta * x
    }
}

/// Element by element.
pub fn zip(a: &[f64], b: &[f64], with: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| with(*a, *b)).collect()
}

pub fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    zip(a, b, |a, b| a + b)
}

/// The mean of `-ln softmax(logits)[target]`.
pub fn cross_entropy(logits: &[f64], width: usize, targets: &[Option<u32>]) -> f64 {
    let rows = logits.chunks(width).zip(targets);
    let losses: Vec<f64> =
        rows.filter_map(|(row, target)| Some(-softmax(row)[(*target)? as usize].ln())).collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// The best `used` of a row, the best first.
pub fn best(scores: &[f64], used: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(used);
    order
}
