//! Quantised matrices in the order in which the products of answers read them: made once, while the
//! first prompt is read, and used by everyone who runs the model.

use crate::error::{Error, Result};
use crate::load::Weight;
use crate::weight::WeightId;
use allod_kernels::{BlockSums, Coded, Isa, Matrix};
use allod_weights::{Memory, TensorFile};
use std::ops::Range;

/// All matrices of a checkpoint whose products are those of codes.
#[derive(Debug)]
pub(crate) struct CodedWeights {
    memory: Memory,
    /// By [`WeightId::index`] and expert.
    places: Vec<Vec<Option<Range<usize>>>>,
    sums: BlockSums,
}

impl CodedWeights {
    /// Packs the matrices of the weights that `multiplied` gives.
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
            Coded::pack(isa, &matrix, 0, &mut own[..size]);
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
