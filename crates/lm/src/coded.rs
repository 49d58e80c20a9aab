//! Quantised matrices in the order in which products read them: made once, before the first prompt
//! is read, and used by everyone who runs the model.

use crate::error::{Error, Result};
use crate::load::Weight;
use crate::pause::Pause;
use crate::weight::WeightId;
use allod_kernels::{BlockSums, Coded, Isa, Matrix, Memory};
use allod_weights::TensorFile;
use rayon::prelude::*;
use std::ops::Range;

/// Where a matrix may begin: a line of the caches.
const ALIGNMENT: usize = 64;
/// Rows that a thread packs at a time, a multiple of 16.
const PIECE_ROWS: usize = 1024;

/// All matrices of a checkpoint whose products are those of codes.
#[derive(Debug)]
pub(crate) struct CodedWeights {
    memory: Memory,
    /// By [`WeightId::index`] and expert.
    places: Vec<Vec<Option<Range<usize>>>>,
    sums: BlockSums,
}

impl CodedWeights {
    /// Packs the matrices of the weights that `multiplied` gives; waits between two pieces while
    /// something is urgent.
    ///
    /// # Errors
    /// When the system does not give the memory.
    pub fn new<'a>(
        isa: Isa,
        file: &TensorFile,
        multiplied: impl Iterator<Item = (WeightId, &'a Weight)>,
        pause: &Pause,
    ) -> Result<CodedWeights> {
        let mut places = Vec::new();
        let (mut matrices, mut end) = (Vec::new(), 0_usize);
        for (id, weight) in multiplied {
            let mut of_experts = Vec::new();
            for matrix in matrices_of(weight, file) {
                let coded =
                    matrix.and_then(|m| Some((m, Coded::size(m.format, m.rows, m.columns)?)));
                of_experts.push(coded.map(|(matrix, size)| {
                    let start = end.next_multiple_of(ALIGNMENT);
                    end = start + size;
                    matrices.push((matrix, start..end));
                    start..end
                }));
            }
            if places.len() <= id.index() {
                places.resize_with(id.index() + 1, Vec::new);
            }
            places[id.index()] = of_experts;
        }
        let wants = |(matrix, _): &(Matrix, _)| Coded::sums(matrix.format) == BlockSums::Wanted;
        let wanted = matrices.iter().any(wants);
        let sums = if wanted { BlockSums::Wanted } else { BlockSums::Unwanted };
        let mut memory =
            Memory::zeroed(end).map_err(|source| Error::Memory { bytes: end, source })?;
        pieces(&matrices, &mut memory).into_par_iter().for_each(|(matrix, out)| {
            pause.wait();
            Coded::pack(isa, &matrix, out);
            file.release(matrix.bytes);
        });
        // What was packed early may have been read once more by a prompt that did not wait.
        matrices.iter().for_each(|(matrix, _)| file.release(matrix.bytes));
        Ok(CodedWeights { memory, places, sums })
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

/// The matrices in pieces of some rows, each with its place in memory.
fn pieces<'a, 'm>(
    matrices: &[(Matrix<'a>, Range<usize>)],
    memory: &'m mut [u8],
) -> Vec<(Matrix<'a>, &'m mut [u8])> {
    let (mut pieces, mut rest, mut at) = (Vec::new(), memory, 0);
    for (matrix, place) in matrices {
        let (before, others) = std::mem::take(&mut rest).split_at_mut(place.end - at);
        let mut own = &mut before[place.start - at..];
        (rest, at) = (others, place.end);
        for first in (0..matrix.rows).step_by(PIECE_ROWS) {
            let rows = PIECE_ROWS.min(matrix.rows - first);
            let size = Coded::size(matrix.format, rows, matrix.columns).expect("as the whole has");
            let (piece, others) = own.split_at_mut(size);
            own = others;
            let bytes = &matrix.bytes[first * matrix.row_bytes()..][..rows * matrix.row_bytes()];
            pieces.push((Matrix { rows, bytes, ..*matrix }, piece));
        }
    }
    pieces
}

/// The matrix of a weight, or those of its experts; none for what is a vector.
fn matrices_of<'a>(weight: &'a Weight, file: &'a TensorFile) -> Vec<Option<Matrix<'a>>> {
    match weight {
        Weight::Experts(experts) => experts.iter().map(|own| own.matrix(file)).collect(),
        _ => vec![weight.matrix(file)],
    }
}
