//! GGUF adapters, as llama.cpp reads them (`src/llama-adapter.cpp`, `convert_lora_to_gguf.py`).

use super::factors::{Factors, values};
use super::low_rank::turned;
use super::modules::{Module, Naming, modules};
use super::{Adapter, LowRank, Target, fault, find};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use allod_weights::make::GgufBuilder;
use allod_weights::{Tensor, TensorFile};
use std::collections::BTreeMap;
use std::path::Path;

const ALPHA: &str = "adapter.lora.alpha";
const TOKENS: &str = "adapter.alora.invocation_tokens";

/// The digest and the changes of a file.
pub(super) fn open(
    path: &Path,
    checkpoint: &Checkpoint,
) -> Result<(String, Vec<(Target, LowRank)>)> {
    let file = TensorFile::open(path)?;
    check_keys(path, &file, checkpoint)?;
    let alpha = file.metadata().number(ALPHA).and_then(|number| number.as_f64()).unwrap_or(0.0);
    let known = modules(checkpoint, Naming::Tensors);
    let mut changes = Vec::new();
    for (name, [a, b]) in pairs(path, &file)? {
        let module = find(path, &known, &name, checkpoint.spec())?;
        changes.extend(factors(path, module, &a, &b, alpha)?.changes(module));
    }
    Ok((file.digest(), changes))
}

fn check_keys(path: &Path, file: &TensorFile, checkpoint: &Checkpoint) -> Result<()> {
    let keys = file.metadata();
    for (key, expected) in [("general.type", "adapter"), ("adapter.type", "lora")] {
        match keys.text(key) {
            Some(found) if found == expected => {}
            Some(found) => {
                let what = format!("`{key}` is `{found}`, not `{expected}`");
                return Err(fault(path, what));
            }
            None => return Err(fault(path, format!("it has no `{key}`: it is no GGUF adapter"))),
        }
    }
    let made_for = keys.text("general.architecture").unwrap_or_default();
    if !checkpoint.architecture().is_gguf_name(made_for) {
        let kind = checkpoint.spec().architecture;
        return Err(fault(path, format!("it is for the architecture `{made_for}`, not `{kind}`")));
    }
    if keys.get(TOKENS).is_some() {
        let what = format!("adapters that begin within a text (`{TOKENS}`)");
        let supported = "those that change a whole sequence are".to_string();
        return Err(Error::Unsupported { file: path.to_path_buf(), what, supported });
    }
    Ok(())
}

/// Both factors of each tensor of the base.
fn pairs<'a>(path: &Path, file: &'a TensorFile) -> Result<BTreeMap<String, [Tensor<'a>; 2]>> {
    let mut found: BTreeMap<String, [Option<Tensor>; 2]> = BTreeMap::new();
    for tensor in file.tensors() {
        let ends = [".lora_a", ".lora_b"].map(|end| tensor.name.strip_suffix(end));
        let (name, factor) = match ends {
            [Some(name), _] => (name, 0),
            [_, Some(name)] => (name, 1),
            _ => {
                let what = format!("the tensor `{}` is no factor of a change", tensor.name);
                return Err(fault(path, what));
            }
        };
        found.entry(name.to_string()).or_default()[factor] = Some(tensor);
    }
    let whole = |(name, factors): (String, [Option<Tensor<'a>>; 2])| match factors {
        [Some(a), Some(b)] => Ok((name, [a, b])),
        [a, _] => {
            let missing = if a.is_some() { "lora_b" } else { "lora_a" };
            Err(fault(path, format!("the tensor `{name}` has no `{missing}`")))
        }
    };
    found.into_iter().map(whole).collect()
}

fn factors(path: &Path, module: &Module, a: &Tensor, b: &Tensor, alpha: f64) -> Result<Factors> {
    let rank = b.shape.last().copied().unwrap_or(0);
    if rank == 0 {
        return Err(fault(path, format!("the tensor `{}` has rank 0", b.name)));
    }
    let scale = if alpha == 0.0 { 1.0 } else { (alpha / rank as f64) as f32 };
    if !scale.is_finite() {
        return Err(fault(path, format!("`{ALPHA}` is {alpha}, which is no scale")));
    }
    let (rows, inputs) = (module.rows, module.inputs);
    if module.is_embedding() {
        // A is turned: it has a row for each token.
        let a = values(path, a, &[rows, rank])?;
        let b = values(path, b, &[inputs, rank])?;
        return Ok(Factors { rank, scale, a: turned(&b, rank), b: a });
    }
    let shaped = |shape: [usize; 2]| module.experts.into_iter().chain(shape).collect::<Vec<_>>();
    let a = values(path, a, &shaped([rank, inputs]))?;
    let b = values(path, b, &shaped([rows, rank]))?;
    Ok(Factors { rank, scale, a, b })
}

/// Writes the file. One alpha serves all tensors: where a scale needs another, what is left of it
/// goes into B.
pub(super) fn save(adapter: &Adapter, path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let architecture = checkpoint.architecture().gguf_name().ok_or_else(|| {
        fault(path, "its architecture has no name in GGUF; save it as PEFT".to_string())
    })?;
    let known = modules(checkpoint, Naming::Tensors);
    let all = known.iter().filter_map(|(name, module)| {
        Factors::of(adapter, module).map(|factors| (name, module, factors))
    });
    let all: Vec<_> = all.collect();
    let alpha_of = |factors: &Factors| factors.scale * factors.rank as f32;
    let alpha = all.iter().map(|(.., factors)| alpha_of(factors)).find(|alpha| *alpha != 0.0);
    let alpha = alpha.unwrap_or(1.0);
    let mut file = GgufBuilder::new()
        .text("general.architecture", architecture)
        .text("general.type", "adapter")
        .text("general.name", adapter.name())
        .text("adapter.type", "lora")
        .f32(ALPHA, alpha);
    for (name, module, mut factors) in all {
        let (rank, factor) = (factors.rank, alpha_of(&factors) / alpha);
        if factor != 1.0 {
            factors.b.iter_mut().for_each(|value| *value *= factor);
        }
        let (rows, inputs) = (module.rows, module.inputs);
        let shaped =
            |shape: [usize; 2]| -> Vec<usize> { module.experts.into_iter().chain(shape).collect() };
        let names = [format!("{name}.lora_a"), format!("{name}.lora_b")];
        file = if module.is_embedding() {
            let (_, b) = factors.of_embedding(module);
            file.f32_tensor(&names[0], &[rows, rank], &factors.b).f32_tensor(
                &names[1],
                &[inputs, rank],
                &b,
            )
        } else {
            file.f32_tensor(&names[0], &shaped([rank, inputs]), &factors.a).f32_tensor(
                &names[1],
                &shaped([rows, rank]),
                &factors.b,
            )
        };
    }
    std::fs::write(path, file.build())
        .map_err(|source| Error::Io { file: path.to_path_buf(), source })
}
