//! Which matrices of a model stand behind the names in an adapter's file.

use super::Target;
use crate::arch::{Architecture, Holder, Known, Place, plain_name};
use crate::checkpoint::Checkpoint;
use crate::spec::DecoderSpec;
use crate::weight::{Part, WeightId};
use allod_kernels::RopePairing;
use std::collections::BTreeMap;

/// The ways in which names are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Hugging Face's modules.
    Modules,
    /// GGUF's tensors.
    Tensors,
}

/// A module of the base, or a tensor of a GGUF base: one matrix or several, rows put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// Rows of the whole.
    pub rows: usize,
    /// Inputs of every row.
    pub inputs: usize,
    /// Experts that lie in it one after the other.
    pub experts: Option<usize>,
    /// What is made of it.
    pub pieces: Vec<Piece>,
}

/// A matrix: the rows `first, first + step, …` of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub target: Target,
    pub first: usize,
    pub step: usize,
    pub rows: usize,
    /// Heads whose rows stand in another order than the base has them.
    pub reordered: Option<Reordered>,
}

/// How the rows of heads are to be put in the base's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reordered {
    pub head_dim: usize,
    /// How the base pairs them.
    pub pairing: RopePairing,
}

impl Reordered {
    /// The row of the file that is row `row` of the base.
    fn source(self, row: usize) -> usize {
        let half = self.head_dim / 2;
        let (head, at) = (row - row % self.head_dim, row % self.head_dim);
        head + match self.pairing {
            RopePairing::Interleaved => at / 2 + at % 2 * half,
            RopePairing::Half => at % half * 2 + at / half,
        }
    }
}

impl Piece {
    /// The row of the module that is row `row` of the matrix.
    pub fn source(&self, row: usize) -> usize {
        let row = self.reordered.map_or(row, |reordered| reordered.source(row));
        self.first + row * self.step
    }
}

impl Module {
    /// Whether the module is the token embedding.
    pub fn is_embedding(&self) -> bool {
        self.pieces.iter().any(|piece| piece.target.weight.part == Part::TokenEmbedding)
    }

    /// Whether the module is the output's projection.
    pub fn is_output(&self) -> bool {
        self.pieces.iter().any(|piece| piece.target.weight.part == Part::Output)
    }

    /// Whether it belongs to a choice of experts. What a library takes for a module there depends
    /// on its version.
    pub fn is_of_experts(&self) -> bool {
        let part = |piece: &Piece| piece.target.weight.part;
        self.pieces.iter().any(|piece| part(piece).is_of_expert() || part(piece) == Part::Router)
    }
}

/// The modules of a checkpoint's model by name.
pub(super) fn modules(checkpoint: &Checkpoint, naming: Naming) -> BTreeMap<String, Module> {
    let (architecture, spec) = (checkpoint.architecture(), checkpoint.spec());
    let names = |name: &str| checkpoint.file().position(name).is_some();
    let known = Known { spec, names: &names };
    let reordered = reordered(architecture, spec, naming);
    let mut modules = BTreeMap::new();
    for (weight, shape) in matrices(spec) {
        let place = match naming {
            Naming::Modules => architecture.huggingface_place(known, weight.part),
            Naming::Tensors => architecture.gguf_place(known, weight.part),
        };
        add(&mut modules, &place, weight, &shape, naming, reordered);
    }
    modules
}

/// Every matrix of a spec. Where the output is the embedding, an adapter may still change each by
/// itself.
fn matrices(spec: &DecoderSpec) -> impl Iterator<Item = (WeightId, Vec<usize>)> + '_ {
    let output = WeightId { layer: 0, part: Part::Output };
    let output = spec.tied.then(|| (output, spec.shape(Part::Output)));
    let is_matrix = |weight: &WeightId, shape: &[usize]| {
        shape.len() == 2 + usize::from(weight.part.is_of_expert())
    };
    spec.weights().chain(output).filter(move |(weight, shape)| is_matrix(weight, shape))
}

/// What has to be done to rows of queries and keys.
fn reordered(architecture: &Architecture, spec: &DecoderSpec, naming: Naming) -> Option<Reordered> {
    let given = match naming {
        Naming::Modules => RopePairing::Half,
        Naming::Tensors => architecture.gguf_pairing,
    };
    let pairing = spec.rope.pairing;
    let even = spec.head_dim.is_multiple_of(2);
    (given != pairing && even).then_some(Reordered { head_dim: spec.head_dim, pairing })
}

fn add(
    modules: &mut BTreeMap<String, Module>,
    place: &Place,
    weight: WeightId,
    shape: &[usize],
    naming: Naming,
    reordered: Option<Reordered>,
) {
    let of_expert = weight.part.is_of_expert();
    let (experts, shape) = if of_expert { (shape[0], &shape[1..]) } else { (1, shape) };
    let together = of_expert && !place.name.contains("{e}");
    let is_module = place.name.ends_with(".weight") && !(naming == Naming::Modules && together);
    if place.holder != Holder::Tensor || place.turned || !is_module {
        return;
    }
    let rotated = matches!(weight.part, Part::Query | Part::Key);
    let (first, step, of) = place.rows.map_or((0, 1, shape[0]), |r| (r.first, r.step, r.of));
    for expert in 0..experts {
        let name = place.name(weight.layer, expert);
        let name = match naming {
            Naming::Modules => plain_name(name.strip_suffix(".weight").unwrap_or(&name)),
            Naming::Tensors => name,
        };
        let module = modules.entry(name).or_insert_with(|| Module {
            rows: of,
            inputs: shape[1],
            experts: together.then_some(experts),
            pieces: Vec::new(),
        });
        let target = Target { weight, expert: of_expert.then_some(expert) };
        let reordered = reordered.filter(|_| rotated);
        module.pieces.push(Piece { target, first, step, rows: shape[0], reordered });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_orders_of_rows_undo_each_other() {
        let to = Reordered { head_dim: 6, pairing: RopePairing::Interleaved };
        let back = Reordered { head_dim: 6, pairing: RopePairing::Half };
        let rows: Vec<usize> = (0..12).map(|row| to.source(row)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        (0..12).for_each(|row| assert_eq!(to.source(back.source(row)), row));
    }
}
