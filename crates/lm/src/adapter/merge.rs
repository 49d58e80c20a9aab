//! An adapter put into the weights.

use super::{Adapter, LowRank};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::load::Weight;
use crate::weight::Part;
use allod_kernels::{Format, Isa, Matrix, Scratch, add, linear, scale};

/// Rows that are computed together.
const ROWS: usize = 64;

impl Checkpoint {
    /// The checkpoint with the adapter in its weights: `W + scale * (B * A)`, in `F32` whatever
    /// format `W` is in, the sums over the rank in the canonical order. Matrices that the adapter
    /// does not change stay as they are in the file; [`Checkpoint::file`] is still the base's.
    /// Where the output is the embedding and the adapter changes either, they are two matrices
    /// afterwards.
    ///
    /// Results differ by rounding from those with the adapter beside the weights.
    ///
    /// # Errors
    /// If the adapter was opened for another model.
    pub fn merged(mut self, adapter: &Adapter, isa: Isa) -> Result<Checkpoint> {
        adapter.check(self.spec())?;
        let ends = [Part::TokenEmbedding, Part::Output];
        if adapter.changes().any(|(target, _)| ends.contains(&target.weight.part)) {
            self.untie();
        }
        for (target, change) in adapter.changes() {
            let base = match target.expert {
                Some(expert) => self.expert_matrix(target.weight, expert),
                None => self.matrix(target.weight),
            };
            let (rows, columns) = (base.rows, base.columns);
            let bytes = sum(&base, change, isa);
            let matrix = Weight::Owned { format: Format::F32, bytes, rows, columns };
            self.replace(target.weight, target.expert, matrix);
        }
        Ok(self)
    }
}

/// The bytes of `base + scale * (B * A)`.
fn sum(base: &Matrix, change: &LowRank, isa: Isa) -> Vec<u8> {
    let (width, rank, turned) = (base.columns, change.rank(), change.a_turned());
    let a = Matrix { format: Format::F32, rows: width, columns: rank, bytes: &turned };
    let (b, mut scratch) = (change.b(), Scratch::new());
    let mut bytes = Vec::with_capacity(base.rows * width * size_of::<f32>());
    let mut row_of_base = vec![0.0; width];
    for (group, b) in b.chunks(ROWS * rank).enumerate() {
        let mut added = vec![0.0; b.len() / rank * width];
        linear(isa, b, &a, 0..width, &mut added, &mut scratch);
        scale(isa, &mut added, change.scale());
        for (row, added) in added.chunks_exact(width).enumerate() {
            base.decode_row(group * ROWS + row, &mut row_of_base);
            add(isa, &mut row_of_base, added);
            bytes.extend(row_of_base.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    bytes
}
