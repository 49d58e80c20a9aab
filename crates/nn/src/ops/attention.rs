//! Attention within the sequences of a batch.

use super::attention_bf16;
use super::attention_gradient::{Job, Slopes, gradient};
use crate::rows::Rows;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::Vector;
use crate::workspace::{Precision, Work, Workspace};
use allod_kernels::{CacheLayout, KeyValues, Scoring, attend_by};
use std::ops::Range;
use std::sync::Arc;

/// Which positions of its own sequence a row sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Those up to its own.
    Causal,
    /// The last so many up to its own, which counts.
    CausalWindow(usize),
    /// All.
    Both,
    /// Those at most so far away, before and after.
    BothWithin(usize),
}

impl Sight {
    /// What a row at `position` of `length` sees.
    pub(crate) fn range(self, position: usize, length: usize) -> Range<usize> {
        match self {
            Sight::Causal => 0..position + 1,
            Sight::CausalWindow(window) => (position + 1).saturating_sub(window)..position + 1,
            Sight::Both => 0..length,
            Sight::BothWithin(reach) => {
                position.saturating_sub(reach)..position.saturating_add(reach + 1).min(length)
            }
        }
    }
}

/// How heads attend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Elements of a head.
    pub head_dim: usize,
    /// Key and value heads; query heads share them evenly.
    pub kv_heads: usize,
    /// What scores are multiplied with before the softmax.
    pub scale: f32,
    /// Bounds scaled scores softly.
    pub cap: Option<f32>,
    /// Which positions a row sees.
    pub sight: Sight,
}

struct Attend<'a> {
    inputs: [Var; 3],
    how: Attention,
    sinks: Option<Vector<'a>>,
    rows: Arc<Rows>,
}

/// Keys and values of a sequence's kv head as the kernel takes them.
struct Cached {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl<'a> Attend<'a> {
    fn check(&self, q: &Tensor, k: &Tensor, v: &Tensor, sinks: &[f32]) {
        let (rows, width) = (self.rows.len(), self.how.kv_heads * self.how.head_dim);
        assert!(width > 0 && q.width.is_multiple_of(width), "query heads share kv heads evenly");
        assert!(k.width == width && v.width == width, "keys and values are [rows, {width}]");
        assert!(q.rows == rows && k.rows == rows && v.rows == rows, "{rows} rows");
        let heads = q.width / self.how.head_dim;
        assert!(self.sinks.is_none() || sinks.len() == heads, "a sink for each of {heads} heads");
        assert!(self.how.sight != Sight::CausalWindow(0), "a row sees at least itself");
    }

    fn sinks(&self, tape: &Tape<'a>) -> &'a [f32] {
        self.sinks.map_or(&[], |sinks| sinks.values(tape.parameters))
    }

    /// By sequence, then kv head.
    fn cache(&self, tape: &mut Tape, k: &Tensor, v: &Tensor) -> Vec<Cached> {
        let (head_dim, kv_heads) = (self.how.head_dim, self.how.kv_heads);
        let layout = CacheLayout::new(head_dim);
        let places =
            self.rows.sequences().flat_map(|rows| (0..kv_heads).map(move |h| (rows.clone(), h)));
        let mut all: Vec<(Range<usize>, usize, Cached)> = places
            .map(|(rows, head)| {
                let keys = tape.workspace.buffer(layout.keys_len(rows.len()));
                let values = tape.workspace.buffer(layout.values_len(rows.len()));
                (rows, head, Cached { keys, values })
            })
            .collect();
        tape.workspace.each(all.iter_mut().collect(), |(rows, head, cached), _| {
            for (position, row) in rows.clone().enumerate() {
                let place = *head * head_dim..(*head + 1) * head_dim;
                layout.write_key(&mut cached.keys, position, &k.row(row)[place.clone()]);
                layout.write_value(&mut cached.values, position, &v.row(row)[place]);
            }
        });
        all.into_iter().map(|(_, _, cached)| cached).collect()
    }

    /// For each row its sequence and the sequence's length.
    fn sequences(&self) -> Vec<(usize, usize)> {
        let sequences = self.rows.sequences().enumerate();
        sequences.flat_map(|(index, rows)| vec![(index, rows.len()); rows.len()]).collect()
    }

    /// The slopes along the inputs and the sinks.
    fn slopes(
        &self,
        workspace: &mut Workspace,
        sinks: &[f32],
        [q, k, v, slope]: [&Tensor; 4],
    ) -> ([Tensor; 3], Vec<f32>) {
        let mut slopes = [q, k, v].map(|x| workspace.tensor(x.rows, x.width));
        let mut dsinks = vec![0.0; sinks.len()];
        let (how, isa) = (self.how, workspace.isa);
        let places = self.rows.sequences();
        let jobs = places.flat_map(|rows| (0..how.kv_heads).map(move |h| (rows.clone(), h)));
        let mut jobs: Vec<(Job, Option<Slopes>)> =
            jobs.map(|(rows, head)| (Job { isa, how, rows, head, sinks }, None)).collect();
        workspace.each(jobs.iter_mut().collect(), |(job, found), scratch| {
            *found = Some(gradient(job, [q, k, v, slope], scratch));
        });
        // Sequence after sequence, so that sinks add up in one order.
        for (job, found) in jobs {
            found.expect("every job was done").place(&job, &mut slopes, &mut dsinks);
        }
        (slopes, dsinks)
    }
}

impl<'a> Operation<'a> for Attend<'a> {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let [q, k, v] = self.inputs.map(|input| tape.shared(input));
        let sinks = self.sinks(tape);
        self.check(&q, &k, &v, sinks);
        if tape.workspace.precision == Precision::Bf16 {
            let inputs = [&*q, &*k, &*v];
            return attention_bf16::forward(tape.workspace, self.how, &self.rows, sinks, inputs);
        }
        let cache = self.cache(tape, &k, &v);
        let (isa, how, rows) = (tape.workspace.isa, self.how, &self.rows);
        let (layout, sequences) = (CacheLayout::new(how.head_dim), self.sequences());
        let share = q.width / how.kv_heads;
        let group = if sinks.is_empty() { 0 } else { share / how.head_dim };
        let mut out = tape.workspace.tensor(q.rows, q.width);
        let work = Work::rows(q.rows, 256 * q.width);
        tape.workspace.split(work, [(&mut out.values, q.width)], |part, [out], scratch| {
            // A piece of work is one row and one kv head with the query heads that share it.
            for (index, out) in out.chunks_exact_mut(share).enumerate() {
                let (row, head) = (part.start + index / how.kv_heads, index % how.kv_heads);
                let (sequence, length) = sequences[row];
                let Cached { keys, values } = &cache[sequence * how.kv_heads + head];
                let seen = how.sight.range(rows.positions()[row], length);
                let sinks = &sinks[head * group..(head + 1) * group];
                let scoring = Scoring { scale: how.scale, cap: how.cap, sinks };
                let queries = &q.row(row)[head * share..(head + 1) * share];
                let cached = KeyValues { layout, keys, values };
                attend_by(isa, queries, &cached, seen, &scoring, out, scratch);
            }
        });
        for Cached { keys, values } in cache {
            tape.workspace.recycle(keys);
            tape.workspace.recycle(values);
        }
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let [q, k, v] = self.inputs.map(|input| tape.shared(input));
        let sinks = self.sinks(tape);
        let given = [&*q, &*k, &*v, &*slope];
        let (slopes, dsinks) = match tape.workspace.precision {
            Precision::F32 => self.slopes(tape.workspace, sinks, given),
            Precision::Bf16 => {
                attention_bf16::backward(tape.workspace, self.how, &self.rows, sinks, given)
            }
        };
        let isa = tape.workspace.isa;
        if let Some(id) = self.sinks.and_then(Vector::trained) {
            allod_kernels::add(isa, tape.gradient(id).0, &dsinks);
        }
        tape.workspace.give_up(slope);
        self.inputs.iter().zip(slopes).for_each(|(input, slope)| tape.pass(*input, slope));
    }

    fn trains(&self) -> bool {
        self.sinks.and_then(Vector::trained).is_some()
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl<'a> Tape<'a> {
    /// Attention of each row of `q` (`[rows, heads * head_dim]`) over the rows of its sequence that
    /// it sees, with `k` and `v` `[rows, kv_heads * head_dim]`. `sinks`: for each query head, the
    /// score of a position that has no value.
    pub fn attend(
        &mut self,
        [q, k, v]: [Var; 3],
        how: Attention,
        sinks: Option<Vector<'a>>,
        rows: &Arc<Rows>,
    ) -> Var {
        let inputs = [q, k, v];
        self.record(Attend { inputs, how, sinks, rows: rows.clone() }, &inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{check, parameters, rows};
    use crate::reference;

    const LENGTHS: [usize; 3] = [5, 1, 9];

    /// Checks attention of 4 heads over 2 in packed sequences.
    fn check_attention(lengths: &[usize], sight: Sight, cap: Option<f32>, with_sinks: bool) {
        let (heads, kv_heads, head_dim, scale) = (4, 2, 3, 0.7);
        let all: usize = lengths.iter().sum();
        let (wide, narrow) = ([all, heads * head_dim], [all, kv_heads * head_dim]);
        let shapes: [&[usize]; 4] = [&wide, &narrow, &narrow, &[heads]];
        let how = Attention { head_dim, kv_heads, scale, cap, sight };
        check(
            parameters(&shapes[..if with_sinks { 4 } else { 3 }], 1.5, 4),
            |tape, ids| {
                let inputs = [ids[0], ids[1], ids[2]].map(|id| tape.parameter(id));
                let sinks = ids.get(3).map(|id| Vector::Trained(*id));
                tape.attend(inputs, how, sinks, &rows(lengths))
            },
            |p| {
                let how = reference::Attend {
                    lengths,
                    heads,
                    kv_heads,
                    head_dim,
                    scale: f64::from(scale),
                    cap: cap.map(f64::from),
                    sight,
                    sinks: p.get(3).map_or(&[], Vec::as_slice),
                };
                how.run([&p[0], &p[1], &p[2]])
            },
        );
    }

    #[test]
    fn causal_over_packed_sequences() {
        check_attention(&LENGTHS, Sight::Causal, None, false);
        check_attention(&[1], Sight::Causal, None, true);
    }

    #[test]
    fn windows_at_their_edges() {
        // A row that sees only itself has slopes along scores if there is a sink.
        check_attention(&LENGTHS, Sight::CausalWindow(1), None, true);
        check_attention(&LENGTHS, Sight::BothWithin(0), None, true);
        for window in [4, 5, 6, 100] {
            check_attention(&LENGTHS, Sight::CausalWindow(window), None, false);
        }
        for reach in [4, 8, usize::MAX - 1] {
            check_attention(&LENGTHS, Sight::BothWithin(reach), None, false);
        }
        check_attention(&LENGTHS, Sight::Both, None, false);
    }

    #[test]
    fn sinks_and_caps() {
        check_attention(&LENGTHS, Sight::Causal, Some(0.8), false);
        check_attention(&LENGTHS, Sight::Causal, None, true);
        check_attention(&LENGTHS, Sight::CausalWindow(3), Some(0.8), true);
    }

    #[test]
    fn sequences_longer_than_a_block() {
        check_attention(&[67], Sight::CausalWindow(40), None, true);
    }
}
