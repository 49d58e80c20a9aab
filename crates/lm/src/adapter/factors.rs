//! The two factors of a module, from a file's tensors to the model's matrices and back.

use super::low_rank::turned;
use super::modules::Module;
use super::{Adapter, LowRank, Target, fault};
use crate::error::Result;
use allod_kernels::decode_row;
use allod_weights::Tensor;
use std::path::Path;

/// The factors of a module, or of each expert in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factors {
    pub rank: usize,
    pub scale: f32,
    /// `[experts, rank, inputs]`
    pub a: Vec<f32>,
    /// `[experts, rows, rank]`
    pub b: Vec<f32>,
}

/// The values of a tensor, which must have this shape.
pub(super) fn values(file: &Path, tensor: &Tensor, shape: &[usize]) -> Result<Vec<f32>> {
    if tensor.shape != shape {
        let (name, found) = (tensor.name, tensor.shape);
        let what = format!("the tensor `{name}` has shape {found:?}, not {shape:?}");
        return Err(fault(file, what));
    }
    let format = tensor.format()?;
    let count = shape.iter().product();
    if format.row_bytes(count) != Some(tensor.bytes.len()) {
        return Err(fault(file, format!("the rows of `{}` are no whole blocks", tensor.name)));
    }
    let mut values = vec![0.0; count];
    decode_row(format, tensor.bytes, &mut values);
    Ok(values)
}

impl Factors {
    /// What they change.
    pub fn changes<'a>(
        &'a self,
        module: &'a Module,
    ) -> impl Iterator<Item = (Target, LowRank)> + 'a {
        let Factors { rank, scale, a, b } = self;
        module.pieces.iter().map(move |piece| {
            let slab = module.experts.and(piece.target.expert).unwrap_or(0);
            let a = &a[slab * rank * module.inputs..][..rank * module.inputs];
            let b = &b[slab * rank * module.rows..][..rank * module.rows];
            let rows = (0..piece.rows).map(|row| &b[piece.source(row) * rank..][..*rank]);
            let b: Vec<f32> = rows.flatten().copied().collect();
            (piece.target, LowRank::new(*rank, a, &b, *scale))
        })
    }

    /// The factors of a module as an adapter has them; none where it changes nothing. Where parts
    /// of a module have factors of their own, they stand beside each other, with zeros elsewhere.
    pub fn of(adapter: &Adapter, module: &Module) -> Option<Factors> {
        let slabs = module.experts.unwrap_or(1);
        let slabs: Vec<Option<Factors>> =
            (0..slabs).map(|slab| Factors::of_slab(adapter, module, slab)).collect();
        let widest = slabs.iter().flatten().max_by_key(|factors| factors.rank)?;
        let rank = widest.rank;
        let scale = common(slabs.iter().flatten().map(|factors| factors.scale));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for slab in slabs {
            let slab = slab.unwrap_or_else(|| Factors::nothing(module, rank, scale));
            let slab = slab.widened(module, rank, scale);
            a.extend(slab.a);
            b.extend(slab.b);
        }
        Some(Factors { rank, scale, a, b })
    }

    fn nothing(module: &Module, rank: usize, scale: f32) -> Factors {
        let (a, b) = (vec![0.0; rank * module.inputs], vec![0.0; rank * module.rows]);
        Factors { rank, scale, a, b }
    }

    /// The same change with zeros up to `rank`, and with `scale`.
    fn widened(self, module: &Module, rank: usize, scale: f32) -> Factors {
        let mut wide = Factors::nothing(module, rank, scale);
        wide.a[..self.a.len()].copy_from_slice(&self.a);
        let factor = ratio(self.scale, scale);
        for (wide, own) in wide.b.chunks_exact_mut(rank).zip(self.b.chunks_exact(self.rank)) {
            wide.iter_mut().zip(own).for_each(|(wide, own)| *wide = own * factor);
        }
        wide
    }

    fn of_slab(adapter: &Adapter, module: &Module, slab: usize) -> Option<Factors> {
        let in_slab = |target: Target| module.experts.is_none() || target.expert == Some(slab);
        let pieces = module.pieces.iter().filter(|piece| in_slab(piece.target));
        let pieces: Vec<_> =
            pieces.filter_map(|piece| Some((piece, adapter.change(piece.target)?))).collect();
        let (_, first) = pieces.first()?;
        let shared = pieces.iter().all(|(_, change)| change.shares_a(first));
        let ranks = pieces.iter().map(|(_, change)| change.rank());
        let rank = if shared { first.rank() } else { ranks.sum() };
        let scale = common(pieces.iter().map(|(_, change)| change.scale()));
        let mut out = Factors::nothing(module, rank, scale);
        let mut from = 0;
        for (piece, change) in pieces {
            let (a, own) = (change.a(), change.rank());
            out.a[from * module.inputs..][..a.len()].copy_from_slice(&a);
            let factor = ratio(change.scale(), scale);
            for (row, values) in change.b().chunks_exact(own).enumerate() {
                let to = &mut out.b[piece.source(row) * rank + from..][..own];
                to.iter_mut().zip(values).for_each(|(to, value)| *to = value * factor);
            }
            from += if shared { 0 } else { own };
        }
        Some(out)
    }

    /// The factors of an embedding as files have them: A `[rank, tokens]`, B `[width, rank]`.
    pub fn of_embedding(&self, module: &Module) -> (Vec<f32>, Vec<f32>) {
        (turned(&self.b, self.rank), turned(&self.a, module.inputs))
    }

    /// As [`Factors::of_embedding`], the other way round.
    pub fn from_embedding(a: &[f32], b: &[f32], module: &Module, scale: f32) -> Factors {
        let rank = b.len() / module.inputs.max(1);
        Factors { rank, scale, a: turned(b, rank), b: turned(a, module.rows) }
    }
}

/// The first scale that others can be made of.
fn common(mut scales: impl Iterator<Item = f32>) -> f32 {
    scales.find(|scale| *scale != 0.0).unwrap_or(0.0)
}

/// What to multiply with so that `to` does what `from` did.
fn ratio(from: f32, to: f32) -> f32 {
    if from == to { 1.0 } else { from / to }
}
