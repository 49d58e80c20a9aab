//! Quantised matrices in the order in which products read them: made once, when a model begins to
//! serve, and used by everyone who runs it.

use crate::error::{Error, Result};
use crate::load::Weight;
use crate::weight::WeightId;
use allod_kernels::{BlockSums, Coded, Isa, Matrix};
use allod_weights::{Memory, TensorFile};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes that a thread packs at a time.
const PIECE_BYTES: usize = 1 << 20;

/// All matrices of a checkpoint whose products are those of codes.
#[derive(Debug)]
pub(crate) struct CodedWeights {
    memory: Memory,
    /// By [`WeightId::index`] and expert.
    places: Vec<Vec<Option<Range<usize>>>>,
    sums: BlockSums,
}

impl CodedWeights {
    /// Packs the matrices of the weights that `multiplied` gives, in the current pool.
    ///
    /// # Errors
    /// When the system does not give the memory.
    pub fn new<'a>(
        isa: Isa,
        file: &TensorFile,
        multiplied: impl Iterator<Item = (WeightId, &'a Weight)>,
    ) -> Result<CodedWeights> {
        let mut places = Vec::new();
        let (mut matrices, mut end, mut sums) = (Vec::new(), 0, BlockSums::Unwanted);
        for (id, weight) in multiplied {
            let mut of_experts = Vec::new();
            for matrix in matrices_of(weight, file) {
                let size = matrix.and_then(|m| Coded::size(m.format, m.rows, m.columns));
                let place = size.map(|size| end..end + size.next_multiple_of(64));
                if let (Some(place), Some(matrix), Some(size)) = (&place, matrix, size) {
                    if Coded::sums(matrix.format) == BlockSums::Wanted {
                        sums = BlockSums::Wanted;
                    }
                    end = place.end;
                    matrices.push((matrix, place.len(), size));
                }
                of_experts
                    .push(place.zip(size).map(|(place, size)| place.start..place.start + size));
            }
            if places.len() <= id.index() {
                places.resize_with(id.index() + 1, Vec::new);
            }
            places[id.index()] = of_experts;
        }
        let memory = |source| Error::Memory { bytes: end, source };
        let mut coded = CodedWeights { memory: Memory::zeroed(end).map_err(memory)?, places, sums };
        let mut rest = &mut coded.memory[..];
        for (matrix, room, size) in matrices {
            let (own, others) = rest.split_at_mut(room);
            rest = others;
            pack(isa, &matrix, &mut own[..size]);
            file.forget(matrix.bytes);
        }
        Ok(coded)
    }

    /// What products with the matrices need of activations.
    pub fn sums(&self) -> BlockSums {
        self.sums
    }

    /// A matrix, of which `stored` is the original.
    pub fn matrix(
        &self,
        id: WeightId,
        expert: Option<usize>,
        stored: &Matrix,
    ) -> Option<Coded<'_>> {
        let place = self.places.get(id.index())?.get(expert.unwrap_or(0))?.clone()?;
        Some(Coded::new(stored.format, stored.rows, stored.columns, &self.memory[place]))
    }
}

/// The matrix of a weight, or those of its experts; none for what is a vector.
fn matrices_of<'a>(weight: &'a Weight, file: &'a TensorFile) -> Vec<Option<Matrix<'a>>> {
    match weight {
        Weight::Experts(experts) => experts.iter().map(|own| own.matrix(file)).collect(),
        _ => vec![weight.matrix(file)],
    }
}

fn pack(isa: Isa, matrix: &Matrix, out: &mut [u8]) {
    let strip = Coded::strip_size(matrix.format, matrix.columns).expect("it has a size");
    let strips = (PIECE_BYTES / strip.max(1)).max(1);
    let pieces = out.par_chunks_mut((strips * strip).max(1)).enumerate();
    pieces.for_each(|(piece, out)| Coded::pack(isa, matrix, piece * strips * 16, out));
}
