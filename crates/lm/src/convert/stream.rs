//! Rows of weights into the bytes of a tensor, a few megabytes at a time.

use super::layout::{Assembly, Piece};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::spec::ModelSpec;
use crate::weight::Part;
use allod_kernels::{Format, Matrix, RopePairing, decode_row, encode_row};
use allod_weights::TensorWriter;
use rayon::prelude::*;

/// Values that are held at a time, unless a slab is turned.
const VALUES: usize = 1 << 20;

/// Where rows come from, and in which order queries and keys have theirs in the target.
pub(super) struct Source<'a, S> {
    pub checkpoint: &'a Checkpoint<S>,
    pub pairing: RopePairing,
}

/// A piece's weight, ready for its rows to be read.
enum Rows<'a> {
    Matrix(Matrix<'a>),
    Vector(&'a [f32]),
}

impl<S: ModelSpec> Source<'_, S> {
    fn rows(&self, piece: &Piece) -> Rows<'_> {
        let id = piece.id;
        match (id.part.is_of_expert(), piece.is_matrix) {
            (true, true) => Rows::Matrix(self.checkpoint.expert_matrix(id, piece.expert)),
            (true, false) => Rows::Vector(self.checkpoint.expert_vector(id, piece.expert)),
            (false, true) => Rows::Matrix(self.checkpoint.matrix(id)),
            (false, false) => Rows::Vector(self.checkpoint.vector(id)),
        }
    }

    /// The formats that an assembly's pieces are stored in.
    pub fn formats(&self, assembly: &Assembly) -> Vec<Format> {
        let format = |piece: &Piece| match self.rows(piece) {
            Rows::Matrix(matrix) => matrix.format,
            Rows::Vector(_) => Format::F32,
        };
        assembly.pieces.iter().map(format).collect()
    }

    /// The row that stands at `row` of a query or key projection in the target's order.
    fn ordered(&self, part: Part, row: usize) -> usize {
        let spec = self.checkpoint.spec();
        let turned = matches!(part, Part::Query | Part::Key | Part::QueryBias | Part::KeyBias);
        let stored = spec.ropes()[0].map(|rope| rope.pairing);
        if !turned || stored.is_none_or(|stored| stored == self.pairing) {
            return row;
        }
        let head_dim = spec.attention().head_dim;
        let half = head_dim / 2;
        let (head, at) = (row / head_dim, row % head_dim);
        let from = match self.pairing {
            RopePairing::Interleaved => at / 2 + at % 2 * half,
            RopePairing::Half => at % half * 2 + at / half,
        };
        head * head_dim + from
    }

    /// The values of a vector to which loading adds something, as the source has them, where it has
    /// a tensor of the same name: taking off what was added would round.
    fn stored(&self, assembly: &Assembly) -> Option<Vec<f32>> {
        let tensor = self.checkpoint.file().tensor(&assembly.name);
        let vector = assembly.plus != 0.0 && assembly.columns == 1;
        let tensor = tensor.filter(|own| vector && own.shape == assembly.shape)?;
        let mut values = vec![0.0; assembly.rows];
        decode_row(tensor.format().ok()?, tensor.bytes, &mut values);
        Some(values)
    }

    /// Writes a tensor.
    pub fn write(
        &self,
        assembly: &Assembly,
        format: Format,
        writer: &mut TensorWriter,
    ) -> Result<()> {
        let pieces: Vec<(Piece, Rows)> =
            assembly.pieces.iter().map(|piece| (*piece, self.rows(piece))).collect();
        let stored = self.stored(assembly);
        let reader = Reader { source: self, assembly, pieces, stored, format };
        match assembly.turned {
            Some(slab) => reader.write_turned(slab, writer),
            None => reader.write(writer),
        }
    }
}

/// Reads the rows of one tensor.
struct Reader<'a, S> {
    source: &'a Source<'a, S>,
    assembly: &'a Assembly,
    pieces: Vec<(Piece, Rows<'a>)>,
    /// The values as they are to be written, one a row, where they are not in the pieces.
    stored: Option<Vec<f32>>,
    format: Format,
}

impl<S: ModelSpec> Reader<'_, S> {
    fn fault(&self, what: impl std::fmt::Display) -> Error {
        let what = format!("the tensor `{}`: {what}", self.assembly.name);
        Error::Convert { file: self.source.checkpoint.spec().architecture().into(), what }
    }

    /// The rows of which weight, and which of them, stand at `row`.
    fn at(&self, row: usize) -> Result<(&Rows<'_>, usize)> {
        let found = self.pieces.iter().find_map(|(piece, rows)| {
            let row = piece.row(row)?;
            Some((rows, self.source.ordered(piece.id.part, row)))
        });
        found.ok_or_else(|| self.fault(format!("no weight fills row {row}")))
    }

    /// Whether it is a row for a position that no token has: there is nothing to put there.
    fn is_unused(&self, row: usize) -> bool {
        let piece = &self.pieces[0].0;
        piece.id.part == Part::PositionEmbedding && piece.row(row).is_none()
    }

    /// The values of a row as the target holds them.
    fn values(&self, row: usize, out: &mut [f32]) -> Result<()> {
        if self.is_unused(row) {
            out.fill(0.0);
            return Ok(());
        }
        if let Some(stored) = &self.stored {
            out[0] = stored[row];
            return Ok(());
        }
        match self.at(row)? {
            (Rows::Matrix(matrix), row) => matrix.decode_row(row, out),
            (Rows::Vector(values), row) => out[0] = values[row],
        }
        if self.assembly.plus != 0.0 {
            out.iter_mut().for_each(|value| *value -= self.assembly.plus);
        }
        Ok(())
    }

    /// The bytes of a row: the stored ones where nothing changes.
    fn encode(&self, row: usize, values: &mut [f32], out: &mut [u8]) -> Result<()> {
        if !self.is_unused(row)
            && let (Rows::Matrix(matrix), row) = self.at(row)?
            && matrix.format == self.format
            && self.assembly.plus == 0.0
        {
            out.copy_from_slice(matrix.row(row));
            return Ok(());
        }
        self.values(row, values)?;
        encode_row(self.format, values, out).map_err(|error| self.fault(error))
    }

    fn write(&self, writer: &mut TensorWriter) -> Result<()> {
        let columns = self.assembly.columns;
        let row_bytes = self.format.row_bytes(columns).ok_or_else(|| self.fault("odd rows"))?;
        let step = (VALUES / columns.max(1)).max(1);
        let mut bytes = vec![0; step.min(self.assembly.rows) * row_bytes];
        for start in (0..self.assembly.rows).step_by(step) {
            let count = step.min(self.assembly.rows - start);
            let bytes = &mut bytes[..count * row_bytes];
            let rows = bytes.par_chunks_mut(row_bytes).enumerate();
            rows.try_for_each_init(
                || vec![0.0; columns],
                |values, (row, out)| self.encode(start + row, values, out),
            )?;
            writer.write(bytes)?;
        }
        Ok(())
    }

    /// Slabs of `[columns, rows]`, each held whole.
    fn write_turned(&self, slab: usize, writer: &mut TensorWriter) -> Result<()> {
        let columns = self.assembly.columns;
        let row_bytes = self.format.row_bytes(slab).ok_or_else(|| self.fault("odd rows"))?;
        let mut values = vec![0.0; slab * columns];
        let mut turned = vec![0.0; slab];
        let mut bytes = vec![0; row_bytes];
        for start in (0..self.assembly.rows).step_by(slab) {
            let rows = values.par_chunks_mut(columns).enumerate();
            rows.try_for_each(|(row, out)| self.values(start + row, out))?;
            for column in 0..columns {
                let of_column = values[column..].iter().step_by(columns);
                turned.iter_mut().zip(of_column).for_each(|(out, value)| *out = *value);
                encode_row(self.format, &turned, &mut bytes).map_err(|error| self.fault(error))?;
                writer.write(&bytes)?;
            }
        }
        Ok(())
    }
}
