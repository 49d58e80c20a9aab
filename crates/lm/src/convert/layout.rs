//! Which rows of which weights a tensor is made of: places, the other way round.

use crate::arch::{Holder, Place};
use crate::error::{Error, Result};
use crate::spec::ModelSpec;
use crate::weight::{Part, WeightId};
use std::collections::HashMap;

/// A tensor that is to be written.
#[derive(Debug)]
pub(super) struct Assembly {
    /// Its name.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// What it is made of.
    pub pieces: Vec<Piece>,
    /// Length of a row as the weights have it; 1 for vectors.
    pub columns: usize,
    /// Rows as the weights have them, all slabs together.
    pub rows: usize,
    /// Whether each slab is stored as `[columns, rows]`, and how many rows a slab has.
    pub turned: Option<usize>,
    /// What loading adds to every value.
    pub plus: f32,
    /// Whether it is an output matrix of its own.
    pub is_output: bool,
}

/// The rows of a weight in a tensor: `first, first + step, …`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// The weight.
    pub id: WeightId,
    /// Which expert's.
    pub expert: usize,
    /// Whether the weight, or what each expert has of it, is a matrix.
    pub is_matrix: bool,
    first: usize,
    step: usize,
    count: usize,
}

impl Piece {
    /// Which row of the weight stands at `row` of the tensor, if one does.
    pub fn row(&self, row: usize) -> Option<usize> {
        let past = row.checked_sub(self.first)?;
        (past.is_multiple_of(self.step) && past / self.step < self.count).then(|| past / self.step)
    }
}

/// Numbers that stand under a key: one for each layer.
pub(super) struct KeyPart {
    /// The key.
    pub name: String,
    /// The part whose values they are.
    pub part: Part,
}

/// All that a checkpoint of the spec holds, in the order of the weights.
#[derive(Default)]
pub(super) struct Layout {
    /// The tensors.
    pub assemblies: Vec<Assembly>,
    /// The keys.
    pub keys: Vec<KeyPart>,
    by_name: HashMap<String, usize>,
}

impl Layout {
    /// The layout that `place` describes. `doubled` asks for an output matrix of its own where it
    /// is the embedding.
    ///
    /// # Errors
    /// If a place can be read but not written.
    pub fn new(
        spec: &impl ModelSpec,
        place: &dyn Fn(Part) -> Place,
        doubled: Option<Part>,
    ) -> Result<Layout> {
        let mut layout = Layout::default();
        let embedding = WeightId { layer: 0, part: Part::TokenEmbedding };
        let mut of_embedding = Vec::new();
        for (id, shape) in spec.inventory() {
            layout.add(&place(id.part), id, &shape)?;
            // Where the output matrix stands if it is one of its own.
            if let Some(part) = doubled.filter(|_| id.part == Part::OutputNorm) {
                layout.add(&place(part), embedding, &of_embedding)?;
            }
            if id == embedding {
                of_embedding = shape;
            }
        }
        let output = place(Part::Output).name;
        layout.assemblies.iter_mut().for_each(|own| own.is_output = own.name == output);
        Ok(layout)
    }

    fn add(&mut self, place: &Place, id: WeightId, shape: &[usize]) -> Result<()> {
        match place.holder {
            Holder::Key => {
                let part = id.part;
                if !self.keys.iter().any(|key| key.part == part) {
                    self.keys.push(KeyPart { name: place.name.clone(), part });
                }
                Ok(())
            }
            Holder::Tensor if id.part.is_of_expert() => {
                (0..shape[0]).for_each(|expert| self.add_expert(place, id, shape, expert));
                Ok(())
            }
            Holder::Tensor => {
                self.add_piece(place, id, shape, (place.name(id.layer, 0), 0), None);
                Ok(())
            }
            _ => Err(Error::Convert {
                file: place.name.clone().into(),
                what: "weights are not written in this packing".to_string(),
            }),
        }
    }

    fn add_expert(&mut self, place: &Place, id: WeightId, shape: &[usize], expert: usize) {
        let own = place.name.contains("{e}");
        let name = place.name(id.layer, expert);
        self.add_piece(place, id, &shape[1..], (name, expert), (!own).then_some(shape[0]));
    }

    /// Adds the rows of a weight, or of one expert of `slabs` in the same tensor.
    fn add_piece(
        &mut self,
        place: &Place,
        id: WeightId,
        shape: &[usize],
        (name, expert): (String, usize),
        slabs: Option<usize>,
    ) {
        let count = shape[0];
        let (first, step, of) =
            place.rows.map_or((0, 1, count), |rows| (rows.first, rows.step, rows.of));
        let columns = shape.get(1).copied().unwrap_or(1);
        let slab = if slabs.is_some() { expert } else { 0 };
        let index = *self.by_name.entry(name.clone()).or_insert_with(|| {
            let mut whole = shape.to_vec();
            whole[0] = of;
            if place.turned {
                whole.reverse();
            }
            slabs.into_iter().for_each(|count| whole.insert(0, count));
            if place.scalar {
                whole.clear();
            }
            self.assemblies.push(Assembly {
                name,
                shape: whole,
                pieces: Vec::new(),
                columns,
                rows: of * slabs.unwrap_or(1),
                turned: place.turned.then_some(of),
                plus: place.plus,
                is_output: false,
            });
            self.assemblies.len() - 1
        });
        let (first, is_matrix) = (slab * of + first, shape.len() > 1);
        let piece = Piece { id, expert, is_matrix, first, step, count };
        self.assemblies[index].pieces.push(piece);
    }
}
