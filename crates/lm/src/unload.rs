//! Weights, or values in their shape, back into the tensors of a checkpoint: what `load` does, the
//! other way round and from the same table of names.

use crate::arch::{self, Holder, Known, Place};
use crate::error::{Error, Result};
use crate::spec::DecoderSpec;
use crate::weight::WeightId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A tensor on its way into a file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Its name there.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The values; those that no weight was given for are 0.
    pub values: Vec<f32>,
}

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Weights: what loading adds to them is taken off.
    Weights,
    /// Changes or gradients of weights: what loading adds does not matter.
    Slopes,
}

/// `values` by weight, in the spec's shapes, as the tensors that a Hugging Face checkpoint of the
/// architecture has, in order of name. `names` tells the layout: whether there is a tensor of a
/// name (some architectures have their experts in one tensor or in one each).
///
/// # Errors
/// If the architecture is not known, or a weight is not of the spec or has another length.
pub fn huggingface_tensors<V: AsRef<[f32]>>(
    spec: &DecoderSpec,
    names: &dyn Fn(&str) -> bool,
    stored: Stored,
    values: impl IntoIterator<Item = (WeightId, V)>,
) -> Result<Vec<NamedTensor>> {
    let fault = |what: String| Error::Tensors { file: PathBuf::from(spec.architecture), what };
    let architecture = arch::named(spec.architecture)
        .ok_or_else(|| fault("is no architecture that has tensor names".to_string()))?;
    let mut tensors = BTreeMap::new();
    for (id, values) in values {
        let values = values.as_ref();
        let shape = if spec.has(id) { spec.shape(id.part) } else { Vec::new() };
        if shape.is_empty() || shape.iter().product::<usize>() != values.len() {
            let what = format!("{} values for {id:?}, which has shape {shape:?}", values.len());
            return Err(fault(what));
        }
        let place = architecture.huggingface_place(Known { spec, names }, id.part);
        if place.holder != Holder::Tensor {
            return Err(fault(format!("{id:?} is packed as no training changes it")));
        }
        put(&mut tensors, &place, id, &shape, values, stored);
    }
    let named = |(name, (shape, values))| NamedTensor { name, shape, values };
    Ok(tensors.into_iter().map(named).collect())
}

/// Shapes and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Puts a weight of `shape`, experts outermost, where its place says.
fn put(
    tensors: &mut Tensors,
    place: &Place,
    id: WeightId,
    shape: &[usize],
    values: &[f32],
    stored: Stored,
) {
    let plus = if stored == Stored::Weights { place.plus } else { 0.0 };
    if !id.part.is_of_expert() {
        let tensor = tensor(tensors, place, place.name(id.layer, 0), shape, None);
        return scatter(place, shape, values, plus, tensor);
    }
    let own = place.name.contains("{e}");
    let (count, shape) = (shape[0], &shape[1..]);
    for (expert, values) in values.chunks_exact(values.len() / count).enumerate() {
        let name = place.name(id.layer, expert);
        let all = tensor(tensors, place, name, shape, (!own).then_some(count));
        let (index, slabs) = if own { (0, 1) } else { (expert, count) };
        let length = all.len() / slabs;
        scatter(place, shape, values, plus, &mut all[index * length..(index + 1) * length]);
    }
}

/// The values of a tensor, of zeros at first.
fn tensor<'t>(
    tensors: &'t mut Tensors,
    place: &Place,
    name: String,
    shape: &[usize],
    slabs: Option<usize>,
) -> &'t mut [f32] {
    let mut whole = shape.to_vec();
    whole[0] = place.rows.map_or(shape[0], |rows| rows.of);
    if place.turned {
        whole.reverse();
    }
    slabs.into_iter().for_each(|count| whole.insert(0, count));
    let length = whole.iter().product();
    let (_, values) = tensors.entry(name).or_insert_with(|| (whole, vec![0.0; length]));
    values
}

/// Writes the rows of a weight to the rows of its tensor that are its own.
fn scatter(place: &Place, shape: &[usize], values: &[f32], plus: f32, out: &mut [f32]) {
    let rows = shape[0];
    let columns = shape.get(1).copied().unwrap_or(1);
    let (first, step, of) =
        place.rows.map_or((0, 1, rows), |rows| (rows.first, rows.step, rows.of));
    for (row, values) in values.chunks_exact(columns).enumerate() {
        let row = first + row * step;
        for (column, value) in values.iter().enumerate() {
            let at = if place.turned { column * of + row } else { row * columns + column };
            out[at] = value - plus;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Settings;
    use crate::checkpoint::Checkpoint;
    use allod_weights::make::safetensors;
    use serde_json::json;
    use std::path::Path;

    /// Small models of every way in which tensors hold weights, and a name that only the form with
    /// experts together has.
    fn models() -> Vec<(serde_json::Value, bool)> {
        let model = |name: &str, more: serde_json::Value| {
            let mut config = json!({
                "model_type": name, "vocab_size": 7, "hidden_size": 6, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 5,
                "max_position_embeddings": 32, "head_dim": 4, "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0,
            });
            let more = more.as_object().unwrap().clone();
            config.as_object_mut().unwrap().extend(more);
            config
        };
        let experts = json!({"num_local_experts": 3, "num_experts_per_tok": 2});
        let with_moe = json!({
            "num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 3,
        });
        let mut last_sparse = with_moe.clone();
        last_sparse["mlp_only_layers"] = json!([0]);
        vec![
            (model("llama", json!({})), false),
            (model("phi3", json!({})), false),
            (model("gemma2", json!({"hidden_activation": "gelu_pytorch_tanh"})), false),
            (model("gpt_oss", experts.clone()), false),
            (model("mixtral", experts.clone()), false),
            (model("mixtral", experts), true),
            (model("qwen3_moe", with_moe.clone()), false),
            (model("qwen3_moe", with_moe), true),
            (model("qwen3_moe", last_sparse), true),
        ]
    }

    #[test]
    fn what_is_stored_is_loaded_again() {
        for (config, together) in models() {
            let map = config.as_object().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            let settings = Settings::json(path, map);
            let (_, spec) = arch::from_config::<DecoderSpec>(&settings).unwrap();
            // Multiples of 1/64, so that adding and taking off 1 is exact.
            let wave = |salt: usize, at: usize| ((at * 31 + salt * 7) % 101) as f32 / 64.0;
            let weights: Vec<(WeightId, Vec<f32>)> = spec
                .weights()
                .map(|(id, shape)| {
                    let length = shape.iter().product::<usize>();
                    (id, (0..length).map(|at| wave(id.index(), at)).collect())
                })
                .collect();
            let names = |name: &str| {
                together && (name.contains("mlp.experts.gate_up") || name.contains("mlp.gate.w"))
            };
            let given = weights.iter().map(|(id, values)| (*id, values.as_slice()));
            let tensors = huggingface_tensors(&spec, &names, Stored::Weights, given).unwrap();
            write(path, &config, &tensors);
            let checkpoint = Checkpoint::open(path).unwrap();
            for (id, values) in &weights {
                assert!(checkpoint.values(*id) == *values, "{id:?} of {config}");
            }
        }
    }

    fn write(folder: &Path, config: &serde_json::Value, tensors: &[NamedTensor]) {
        let of = |t: &NamedTensor| (t.name.clone(), t.shape.clone(), t.values.clone());
        let tensors: Vec<_> = tensors.iter().map(of).collect();
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        std::fs::write(folder.join("model.safetensors"), safetensors(&tensors)).unwrap();
    }

    #[test]
    fn values_that_do_not_fit_are_refused_and_slopes_get_nothing_added() {
        let config = &models()[2].0;
        let settings = Settings::json(Path::new("config.json"), config.as_object().unwrap());
        let (_, spec) = arch::from_config::<DecoderSpec>(&settings).unwrap();
        let id = WeightId { layer: 1, part: crate::weight::Part::AttentionNorm };
        let store =
            |stored, values: &[f32]| huggingface_tensors(&spec, &|_| false, stored, [(id, values)]);
        assert!(store(Stored::Weights, &[0.0; 5]).unwrap_err().to_string().contains("5 values"));
        assert_eq!(store(Stored::Weights, &[1.5; 6]).unwrap()[0].values, [0.5; 6]);
        assert_eq!(store(Stored::Slopes, &[1.5; 6]).unwrap()[0].values, [1.5; 6]);
    }
}
