//! Adapters: what is added to the rows of those sequences that have one.
//!
//! A row's change is computed from that row alone, after the base's product and bias, so a row has
//! the same bits whatever adapters the others have, and untouched ones where it has none.

use super::{Activations, Infer};
use crate::adapter::{Adapter, LowRank, Target};
use crate::error::{Error, Result};
use crate::exec::Exec;
use crate::spec::{DecoderSpec, ModelSpec};
use crate::weight::WeightId;
use allod_kernels::{Format, Matrix, Weights, add, scale};
use std::sync::Arc;

/// The rows whose sequences have the same adapter.
pub(super) struct Share {
    adapter: Arc<Adapter>,
    rows: Vec<usize>,
}

impl Infer<DecoderSpec> {
    /// Begins a new sequence in `slot`: forgets what it holds. All of the sequence's rows are
    /// computed with `adapter`, whatever those beside it in a batch are computed with; without one,
    /// with the bits of a model that has none.
    ///
    /// # Errors
    /// If there is no such slot, or the adapter was made for another model.
    pub fn begin(&mut self, slot: usize, adapter: Option<Arc<Adapter>>) -> Result<()> {
        let slots = self.adapters.len();
        let own = self.adapters.get_mut(slot);
        let own =
            own.ok_or_else(|| Error::Batch(format!("there are {slots} slots, not {slot}")))?;
        if let Some(adapter) = &adapter {
            adapter.check(self.checkpoint.spec())?;
        }
        *own = adapter;
        self.cache.truncate(slot, 0);
        Ok(())
    }
}

impl<S: ModelSpec> Infer<S> {
    /// The rows by adapter, for rows of sequences in `slots`.
    pub(super) fn shares(&self, slots: impl Iterator<Item = usize>) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::new();
        for (row, slot) in slots.enumerate() {
            let Some(adapter) = &self.adapters[slot] else { continue };
            match shares.iter_mut().find(|share| Arc::ptr_eq(&share.adapter, adapter)) {
                Some(share) => share.rows.push(row),
                None => shares.push(Share { adapter: adapter.clone(), rows: vec![row] }),
            }
        }
        shares
    }

    /// `y + scale * (B (A x))` for the rows whose adapters change `target`.
    pub(super) fn adapt(
        &mut self,
        shares: &[Share],
        target: Target,
        x: &Activations,
        y: &mut Activations,
    ) {
        for Share { adapter, rows } in shares {
            let Some(change) = adapter.change(target) else { continue };
            let mut own = self.buffer(rows.len(), x.width);
            for (row, own) in rows.iter().zip(own.values.chunks_exact_mut(x.width)) {
                own.copy_from_slice(&x.values[row * x.width..][..x.width]);
            }
            let inner = self.product(&own, &Weights::Stored(change.a_matrix()), None);
            self.release(own);
            self.add_change(change, inner, &change.b_matrix(), rows, y);
        }
    }

    /// The same for the embeddings `x` of the batch's tokens.
    pub(super) fn adapt_embedding(&mut self, weight: WeightId, x: &mut Activations) {
        let shares = std::mem::take(&mut self.shares);
        for Share { adapter, rows } in &shares {
            let Some(change) = adapter.change(Target { weight, expert: None }) else { continue };
            let (tokens, rank) = (change.b_matrix(), change.rank());
            let mut inner = self.buffer(rows.len(), rank);
            for (row, inner) in rows.iter().zip(inner.values.chunks_exact_mut(rank)) {
                tokens.decode_row(self.batch.token(*row) as usize, inner);
            }
            let bytes = change.a_turned();
            let (format, rows_of) = (Format::F32, change.inputs());
            let a = Matrix { format, rows: rows_of, columns: rank, bytes: &bytes };
            self.add_change(change, inner, &a, rows, x);
        }
        self.shares = shares;
    }

    /// `y + scale * (outer inner)` for `rows` of `y`.
    fn add_change(
        &mut self,
        change: &LowRank,
        inner: Activations,
        outer: &Matrix,
        rows: &[usize],
        y: &mut Activations,
    ) {
        let mut added = self.product(&inner, &Weights::Stored(*outer), None);
        self.release(inner);
        scale(self.isa, &mut added.values, change.scale());
        for (row, added) in rows.iter().zip(added.values.chunks_exact(y.width)) {
            add(self.isa, &mut y.values[row * y.width..][..y.width], added);
        }
        self.release(added);
    }
}
