//! PEFT's folders: a configuration, and the factors of each module.

use super::config::{ModuleScale, PeftConfig};
use super::factors::{Factors, values};
use super::modules::{Module, Naming, modules};
use super::{Adapter, LowRank, Target, fault, find};
use crate::arch::plain_name;
use crate::checkpoint::{Checkpoint, read_object};
use crate::error::{Error, Result};
use allod_weights::make::safetensors;
use allod_weights::{Tensor, TensorFile, digest_bytes, digest_file};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Configurations that list every module of a large model have a few hundred kilobytes.
const CONFIG_BYTES: u64 = 4 << 20;
/// What stands before a module's path in the base.
const ROOT: &str = "base_model.model.";

/// The ends of names, after a module's path.
const A: &str = ".lora_A.weight";
const B: &str = ".lora_B.weight";
const EMBEDDING_A: &str = ".lora_embedding_A";
const EMBEDDING_B: &str = ".lora_embedding_B";

/// Other ends, what they mean and what to do.
const REFUSED: [(&str, &str); 4] = [
    ("lora_magnitude_vector", "belongs to DoRA, which is not computed here"),
    ("lora_magnitude_vector.weight", "belongs to DoRA, which is not computed here"),
    ("lora_A.bias", "is a trained bias, which is not computed here"),
    ("lora_B.bias", "is a trained bias, which is not computed here"),
];

/// Which tensors belong to a module.
#[derive(Debug, Default, Clone, Copy)]
struct Named<T> {
    a: Option<T>,
    b: Option<T>,
    embedding: bool,
}

/// The tensors of each module, and those that are whole weights of the base.
type Sorted<T> = (BTreeMap<String, Named<T>>, Vec<(String, T)>);

impl PeftConfig {
    /// The modules that tensors of these names change, with rank and scale: what can be said of an
    /// adapter before its base is known.
    ///
    /// # Errors
    /// Names that are none of PEFT's, modules that lack a factor or that the configuration does
    /// not name, and ranks and scales that are not possible.
    pub fn modules<'a>(
        &self,
        file: &Path,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, ModuleScale>> {
        let (named, _) = sort(file, names.into_iter().map(|name| (name, ())))?;
        let module = |(name, named): (String, Named<()>)| {
            pair(file, &name, &named)?;
            let scale = self.checked(file, &name)?;
            Ok((name, scale))
        };
        named.into_iter().map(module).collect()
    }

    /// Rank and scale of a module that the configuration must name.
    fn checked(&self, file: &Path, name: &str) -> Result<ModuleScale> {
        if !self.targets(name) {
            let what = format!("the tensors of `{name}` are there, but {CONFIG} does not name it");
            return Err(fault(file, what));
        }
        self.module(name)
    }
}

/// The digest and the changes of a folder.
pub(super) fn open(
    folder: &Path,
    checkpoint: &Checkpoint,
) -> Result<(String, Vec<(Target, LowRank)>)> {
    let paths = [folder.join(CONFIG), folder.join(WEIGHTS)];
    if let Some(missing) = [CONFIG, WEIGHTS].into_iter().find(|name| !folder.join(name).is_file()) {
        let needed =
            "adapter_config.json and adapter_model.safetensors (not a .bin: save it again)";
        let folder = folder.to_path_buf();
        return Err(Error::Incomplete { folder, missing: missing.to_string(), needed });
    }
    let config = PeftConfig::read(&paths[0], &read_object(&paths[0], CONFIG_BYTES)?)?;
    let file = TensorFile::open(&paths[1])?;
    let reader = Reader { path: &paths[1], config, file: &file, checkpoint };
    let changes = reader.changes()?;
    let line = |name, path| Ok(format!("{}  {name}\n", hex(&digest_file(path)?)));
    let lines: Result<String> =
        [CONFIG, WEIGHTS].into_iter().zip(&paths).map(|(n, p)| line(n, p)).collect();
    Ok((digest_bytes(lines?.as_bytes()), changes))
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

/// What the tensors of these names belong to.
fn sort<'a, T: Copy>(file: &Path, names: impl Iterator<Item = (&'a str, T)>) -> Result<Sorted<T>> {
    let mut modules: BTreeMap<String, Named<T>> = BTreeMap::new();
    let mut whole = Vec::new();
    for (name, tensor) in names {
        let Some(path) = name.strip_prefix(ROOT) else {
            return Err(fault(file, format!("the tensor `{name}` does not begin with `{ROOT}`")));
        };
        let end = [A, B, EMBEDDING_A, EMBEDDING_B].into_iter().find(|end| path.ends_with(end));
        let Some(end) = end else {
            match REFUSED.iter().find(|(end, _)| path.ends_with(end)) {
                Some((_, why)) => return Err(fault(file, format!("the tensor `{name}` {why}"))),
                None => whole.push((path.to_string(), tensor)),
            }
            continue;
        };
        let module = modules.entry(path[..path.len() - end.len()].to_string());
        let empty = || Named { a: None, b: None, embedding: end.contains("embedding") };
        let named = module.or_insert_with(empty);
        if named.embedding != end.contains("embedding") {
            return Err(fault(file, format!("`{name}` is one of two pairs for one module")));
        }
        let factor = if end.contains("_A") { &mut named.a } else { &mut named.b };
        *factor = Some(tensor);
    }
    Ok((modules, whole))
}

/// Both factors of a module.
fn pair<T: Copy>(file: &Path, name: &str, named: &Named<T>) -> Result<(T, T)> {
    match (named.a, named.b) {
        (Some(a), Some(b)) => Ok((a, b)),
        (a, _) => {
            let missing = if a.is_some() { "B" } else { "A" };
            Err(fault(file, format!("the module `{name}` has no {missing}")))
        }
    }
}

/// Reads the tensors of a folder.
struct Reader<'a> {
    path: &'a Path,
    config: PeftConfig,
    file: &'a TensorFile,
    checkpoint: &'a Checkpoint,
}

impl Reader<'_> {
    fn changes(&self) -> Result<Vec<(Target, LowRank)>> {
        let spec = self.checkpoint.spec();
        let known = modules(self.checkpoint, Naming::Modules);
        let (named, whole) = sort(self.path, self.file.tensors().map(|t| (t.name, t)))?;
        for (name, tensor) in whole {
            self.check_whole(&name, &tensor, &known)?;
        }
        let mut changes = Vec::new();
        for (name, named) in &named {
            if self.checkpoint.architecture().ignores(name, spec) {
                continue;
            }
            let module = find(self.path, &known, name, spec)?;
            changes.extend(self.factors(name, named, module)?.changes(module));
        }
        let there: Vec<String> = named.keys().map(|n| plain_name(n)).collect();
        self.check_complete(&known, &there.iter().map(String::as_str).collect())?;
        Ok(changes)
    }

    fn factors(&self, name: &str, named: &Named<Tensor>, module: &Module) -> Result<Factors> {
        let (a, b) = pair(self.path, name, named)?;
        let ModuleScale { rank, scale } = self.config.checked(self.path, name)?;
        let (rows, inputs) = (module.rows, module.inputs);
        match (named.embedding, module.is_embedding()) {
            (false, false) => {
                let a = values(self.path, &a, &[rank, inputs])?;
                let b = values(self.path, &b, &[rows, rank])?;
                Ok(Factors { rank, scale, a, b })
            }
            (true, true) => {
                let a = values(self.path, &a, &[rank, rows])?;
                let b = values(self.path, &b, &[inputs, rank])?;
                Ok(Factors::from_embedding(&a, &b, module, scale))
            }
            _ => {
                let what = format!("the factors of `{name}` are of another kind than the module");
                Err(fault(self.path, what))
            }
        }
    }

    /// A module that is to be changed but whose factors are not there: a file that was cut, or one
    /// for a smaller model.
    fn check_complete(
        &self,
        known: &BTreeMap<String, Module>,
        there: &HashSet<&str>,
    ) -> Result<()> {
        let every = self.config.targets_every_linear();
        let expected = |(name, module): &(&String, &Module)| {
            let open =
                module.is_of_experts() || (every && (module.is_embedding() || module.is_output()));
            !open && self.config.targets(name)
        };
        match known.iter().filter(expected).find(|(name, _)| !there.contains(name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let what = format!("{CONFIG} names `{name}`, whose tensors are missing");
                Err(fault(self.path, what))
            }
        }
    }

    /// PEFT saves embeddings along with an adapter that changes them. They may be there if they are
    /// the base's own.
    fn check_whole(
        &self,
        name: &str,
        tensor: &Tensor,
        known: &BTreeMap<String, Module>,
    ) -> Result<()> {
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let module = module.strip_suffix(".base_layer").unwrap_or(module);
        let ends = known.get(&plain_name(module));
        let target = ends.filter(|m| m.is_embedding() || m.is_output()).map(|m| m.pieces[0].target);
        let same = match target {
            Some(target) => self.is_base(target, tensor)?,
            None => false,
        };
        if same {
            return Ok(());
        }
        let what = format!(
            "the tensor `{ROOT}{name}` replaces a weight of the base (`modules_to_save`, or a \
             vocabulary that was changed), which is not computed beside it: merge the adapter \
             with its own library, or save it with `save_embedding_layers=False`"
        );
        Err(fault(self.path, what))
    }

    fn is_base(&self, target: Target, tensor: &Tensor) -> Result<bool> {
        let base = self.checkpoint.matrix(self.checkpoint.stored(target.weight));
        if tensor.shape != [base.rows, base.columns] {
            return Ok(false);
        }
        let own = tensor.matrix()?;
        let mut rows = [vec![0.0; base.columns], vec![0.0; base.columns]];
        Ok((0..base.rows).all(|row| {
            base.decode_row(row, &mut rows[0]);
            own.decode_row(row, &mut rows[1]);
            rows[0] == rows[1]
        }))
    }
}

/// Writes both files.
pub(super) fn save(
    adapter: &Adapter,
    folder: &Path,
    checkpoint: &Checkpoint,
    base: &str,
) -> Result<()> {
    let known = modules(checkpoint, Naming::Modules);
    let mut saved = BTreeMap::new();
    let mut tensors = Vec::new();
    for (name, module) in &known {
        let Some(factors) = Factors::of(adapter, module) else { continue };
        let rank = factors.rank;
        saved.insert(name.clone(), ModuleScale { rank, scale: factors.scale });
        let (rows, inputs) = (module.rows, module.inputs);
        if module.is_embedding() {
            let (a, b) = factors.of_embedding(module);
            tensors.push((format!("{ROOT}{name}{EMBEDDING_A}"), vec![rank, rows], a));
            tensors.push((format!("{ROOT}{name}{EMBEDDING_B}"), vec![inputs, rank], b));
        } else {
            tensors.push((format!("{ROOT}{name}{A}"), vec![rank, inputs], factors.a));
            tensors.push((format!("{ROOT}{name}{B}"), vec![rows, rank], factors.b));
        }
    }
    complete(adapter, folder, &known, &saved)?;
    let io = |source| Error::Io { file: folder.to_path_buf(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    let config = Value::Object(config(&known, &saved, base));
    let text = serde_json::to_string_pretty(&config).expect("numbers and texts are JSON");
    std::fs::write(folder.join(CONFIG), text + "\n").map_err(io)?;
    std::fs::write(folder.join(WEIGHTS), safetensors(&tensors)).map_err(io)
}

/// Whether each change has a module.
fn complete(
    adapter: &Adapter,
    folder: &Path,
    known: &BTreeMap<String, Module>,
    saved: &BTreeMap<String, ModuleScale>,
) -> Result<()> {
    let pieces = saved.keys().flat_map(|name| &known[name].pieces);
    let targets: HashSet<Target> = pieces.map(|piece| piece.target).collect();
    match adapter.changes().find(|(target, _)| !targets.contains(target)) {
        None => Ok(()),
        Some((target, _)) => {
            let what = format!("{target:?} is no module by itself; save it as GGUF");
            Err(fault(folder, what))
        }
    }
}

/// The configuration: rank and alpha that most modules have, and the rest by name.
fn config(
    known: &BTreeMap<String, Module>,
    saved: &BTreeMap<String, ModuleScale>,
    base: &str,
) -> Map<String, Value> {
    let alpha = |module: &ModuleScale| f64::from(module.scale) * module.rank as f64;
    let rank = most(saved.values().map(|module| module.rank)).unwrap_or(1);
    let usual = most(saved.values().map(|module| alpha(module).to_bits())).map(f64::from_bits);
    let usual = usual.unwrap_or(1.0);
    let others = |differs: &dyn Fn(&ModuleScale) -> Option<Value>| -> Map<String, Value> {
        let entry = |(name, module): (&String, &ModuleScale)| {
            Some((format!("^{}", name.replace('.', r"\.")), differs(module)?))
        };
        saved.iter().filter_map(entry).collect()
    };
    let ranks = others(&|module| (module.rank != rank).then(|| json!(module.rank)));
    let alphas = others(&|module| (alpha(module) != usual).then(|| number(alpha(module))));
    let members = json!({
        "alpha_pattern": alphas,
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": number(usual),
        "lora_dropout": 0.0,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": rank,
        "rank_pattern": ranks,
        "target_modules": targets(known, saved),
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    match members {
        Value::Object(map) => map,
        _ => unreachable!("it was written as an object"),
    }
}

/// The last parts of names where all modules that have them are changed, else whole names.
fn targets(
    known: &BTreeMap<String, Module>,
    saved: &BTreeMap<String, ModuleScale>,
) -> BTreeSet<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    let partial: HashSet<String> =
        known.keys().filter(|name| !saved.contains_key(*name)).map(|name| last(name)).collect();
    let target = |name: &String| match partial.contains(&last(name)) {
        true => name.clone(),
        false => last(name),
    };
    saved.keys().map(target).collect()
}

/// A whole number as such.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

/// The value that occurs most often, of several the smallest.
fn most<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}
