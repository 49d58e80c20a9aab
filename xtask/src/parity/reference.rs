//! What another implementation computed.

use allod_lm::{Batch, Documents};
use allod_weights::{Tensor, TensorFile};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// The file's name in a model's folder.
pub const FILE: &str = "reference.safetensors";
/// What names of gradients begin with.
const GRADIENT: &str = "grad.";

/// A reference file.
pub struct Reference {
    file: TensorFile,
    /// `[sequences, tokens]`
    pub sequences: Vec<Vec<u32>>,
}

impl Reference {
    /// Opens the reference in a model's folder.
    pub fn open(folder: &Path) -> Result<Reference> {
        let file = TensorFile::open(&folder.join(FILE))?;
        let ids = file.tensor("input_ids").context("there are no `input_ids`")?;
        let &[_, length] = ids.shape else { bail!("`input_ids` are not [B, T]") };
        ensure!(length > 1, "`input_ids` have {length} tokens a row: at least two are needed");
        let sequences = integers(&ids)?.chunks_exact(length).map(<[u32]>::to_vec).collect();
        Ok(Reference { file, sequences })
    }

    /// Tokens of a sequence.
    pub fn length(&self) -> usize {
        self.sequences.first().map_or(0, Vec::len)
    }

    /// Whether it is an encoder's: it holds hidden states.
    pub fn is_of_encoder(&self) -> bool {
        self.file.position("last_hidden_state").is_some()
    }

    /// All sequences, each in a slot of its own, every row wanted.
    pub fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        for (slot, sequence) in self.sequences.iter().enumerate() {
            for (position, token) in sequence.iter().enumerate() {
                batch.push(slot, position, *token);
                batch.want_last();
            }
        }
        batch
    }

    /// All sequences, each as a document that predicts its own next tokens.
    pub fn documents(&self) -> Documents {
        let mut documents = Documents::new();
        self.sequences.iter().for_each(|sequence| documents.push_text(sequence));
        documents
    }

    /// Floats by name.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        self.file.tensor(name).map(|tensor| floats(&tensor)).transpose()
    }

    /// The greedy continuation, what is given included.
    pub fn greedy(&self) -> Result<Option<Vec<u32>>> {
        self.file.tensor("greedy").map(|tensor| integers(&tensor)).transpose()
    }

    /// Whether there is a gradient of a tensor.
    pub fn has_gradient(&self, name: &str) -> bool {
        self.file.position(&format!("{GRADIENT}{name}")).is_some()
    }

    /// All gradients, by the name of the tensor.
    pub fn gradients(&self) -> impl Iterator<Item = Result<(&str, Vec<f32>)>> {
        self.file.tensors().filter_map(|tensor| {
            let name = tensor.name.strip_prefix(GRADIENT)?;
            Some(floats(&tensor).map(|values| (name, values)))
        })
    }
}

fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    allod_lm::decode_row(tensor.format()?, tensor.bytes, &mut values);
    Ok(values)
}

/// Non-negative integers of 32 or 64 bits.
fn integers(tensor: &Tensor) -> Result<Vec<u32>> {
    let size = match tensor.data_type.to_string().as_str() {
        "I32" => 4,
        "I64" => 8,
        other => bail!("`{}` holds {other}, no integers of 32 or 64 bits", tensor.name),
    };
    let integer = |bytes: &[u8]| {
        let value = bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        u32::try_from(value).with_context(|| format!("`{}` holds a negative", tensor.name))
    };
    tensor.bytes.chunks_exact(size).map(integer).collect()
}
