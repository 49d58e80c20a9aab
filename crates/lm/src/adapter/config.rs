//! `adapter_config.json`, as PEFT writes it.

use super::pattern::{self, Pattern};
use crate::arch::Settings;
use crate::error::{Error, Result};
use regex::bytes::Regex;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// Largest rank: more than any model is wide.
const RANK: usize = 1 << 24;
/// Most patterns that are more than a name; each is held against every module.
const EXPRESSIONS: usize = 64;
/// Most entries of a table by pattern.
const PATTERNS: usize = 1 << 15;

/// Settings that change what is computed in a way that is not computed here, and what to do.
const REFUSED: &[(&str, &str)] = &[
    ("use_dora", "merge the adapter with its own library (`merge_and_unload`) and load the result"),
    ("lora_bias", "train with `lora_bias: false`, or merge the adapter with its own library"),
    ("modules_to_save", "it replaces whole modules: merge the adapter with its own library"),
    ("trainable_token_indices", "it replaces embeddings: merge the adapter with its own library"),
    ("layer_replication", "it makes another model: merge the adapter with its own library"),
    ("target_parameters", "name modules with `target_modules`, or merge with its own library"),
    ("ensure_weight_tying", "merge the adapter with its own library"),
    ("alora_invocation_tokens", "adapters that begin within a text are not computed"),
    ("use_qalora", "merge the adapter with its own library"),
    ("use_bdlora", "merge the adapter with its own library"),
    ("arrow_config", "load one adapter for each request"),
    ("kasa_config", "merge the adapter with its own library"),
    ("monteclora_config", "merge the adapter with its own library"),
    ("velora_config", "merge the adapter with its own library"),
    ("megatron_config", "save the adapter from a model that is not split"),
];

/// Settings that are read, or that change nothing once the adapter is trained.
const READ: &[&str] = &[
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// How the first values are chosen, where the base stays as it is.
const STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// A LoRA configuration of PEFT: which modules it changes, with which rank and scale.
#[derive(Debug, Clone)]
pub struct PeftConfig {
    file: PathBuf,
    rank: usize,
    alpha: f64,
    rooted: bool,
    targets: Names,
    excluded: Option<Names>,
    layers: Option<BTreeSet<usize>>,
    /// Expressions that find the layer's number.
    layer_lists: Vec<Regex>,
    ranks: Vec<(Pattern, usize)>,
    alphas: Vec<(Pattern, f64)>,
}

/// A choice of modules.
#[derive(Debug, Clone)]
enum Names {
    /// Every linear but the output's.
    Linear,
    /// Those that are called so, or end so after a dot.
    Ends(HashSet<String>),
    /// Those whose whole name matches.
    Expression(Regex),
}

impl Names {
    fn hold(&self, module: &str) -> bool {
        match self {
            Names::Linear => true,
            Names::Ends(ends) => {
                let after_dots = module.match_indices('.').map(|(at, _)| &module[at + 1..]);
                ends.contains(module) || after_dots.into_iter().any(|end| ends.contains(end))
            }
            Names::Expression(expression) => expression.is_match(module.as_bytes()),
        }
    }
}

/// What an adapter makes of a module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModuleScale {
    /// Rank of the two factors.
    pub rank: usize,
    /// What their product is multiplied with: alpha / rank, or alpha / sqrt(rank).
    pub scale: f32,
}

impl PeftConfig {
    /// Reads the text of an `adapter_config.json`; `file` is for messages. Everything that would
    /// change a result in a way that is not computed here is refused by name.
    ///
    /// # Errors
    /// What is missing, out of range or not supported.
    pub fn parse(file: &Path, text: &str) -> Result<PeftConfig> {
        let map: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| Error::Setting {
                file: file.to_path_buf(),
                key: "the whole".to_string(),
                what: format!("is not a JSON object: {error}"),
            })?;
        PeftConfig::read(file, &map)
    }

    pub(super) fn read(file: &Path, map: &Map<String, Value>) -> Result<PeftConfig> {
        let settings = Settings::json(file, map);
        refuse(&settings, map)?;
        let reader = Reader { settings, map };
        let targets = reader.names("target_modules")?;
        let config = PeftConfig {
            file: file.to_path_buf(),
            rank: settings.size("r")?,
            alpha: settings.float("lora_alpha")?,
            rooted: settings.truth("use_rslora")?,
            targets: targets.ok_or_else(|| settings.bad("target_modules", "is missing"))?,
            excluded: reader.names("exclude_modules")?,
            layers: reader.layers()?,
            layer_lists: reader.layer_lists()?,
            ranks: reader.by_pattern("rank_pattern", |value| {
                value.as_u64().and_then(|rank| usize::try_from(rank).ok())
            })?,
            alphas: reader.by_pattern("alpha_pattern", Value::as_f64)?,
        };
        let expressions = config.ranks.iter().filter(|(pattern, _)| is_expression(pattern)).count()
            + config.alphas.iter().filter(|(pattern, _)| is_expression(pattern)).count();
        if expressions > EXPRESSIONS {
            let what = format!("has {expressions} expressions; {EXPRESSIONS} is the most");
            return Err(settings.bad("rank_pattern and alpha_pattern", what));
        }
        Ok(config)
    }

    /// Whether the configuration names the module. `module` is its path in the base model, such
    /// as `model.layers.0.self_attn.q_proj`.
    pub fn targets(&self, module: &str) -> bool {
        if self.excluded.as_ref().is_some_and(|names| names.hold(module)) {
            return false;
        }
        let in_layers = match (&self.targets, &self.layers) {
            (Names::Ends(_), Some(layers)) => {
                self.layer_of(module).is_some_and(|layer| layers.contains(&layer))
            }
            _ => true,
        };
        in_layers && self.targets.hold(module)
    }

    /// Whether every linear is meant, whatever it is called.
    pub(super) fn targets_every_linear(&self) -> bool {
        matches!(self.targets, Names::Linear)
    }

    /// Rank and scale of a module.
    ///
    /// # Errors
    /// If the rank is not possible or the scale is no number.
    pub fn module(&self, module: &str) -> Result<ModuleScale> {
        let rank = first(&self.ranks, module).unwrap_or(self.rank);
        let alpha = first(&self.alphas, module).unwrap_or(self.alpha);
        let bad = |key: &str, what: String| {
            Err(Error::Setting { file: self.file.clone(), key: key.to_string(), what })
        };
        if rank == 0 || rank > RANK {
            return bad("r", format!("is {rank} for `{module}`; a rank is from 1 to {RANK}"));
        }
        let divisor = if self.rooted { (rank as f64).sqrt() } else { rank as f64 };
        let scale = (alpha / divisor) as f32;
        if !scale.is_finite() {
            return bad("lora_alpha", format!("is {alpha} for `{module}`, which is no scale"));
        }
        Ok(ModuleScale { rank, scale })
    }

    /// The number of the layer that a module is in: the number after `layers_pattern`, or the
    /// first number of the name if that is not given.
    fn layer_of(&self, module: &str) -> Option<usize> {
        let find = |list: &Regex| {
            let digits = list.captures(module.as_bytes())?.name("layer")?.as_bytes();
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        self.layer_lists.iter().find_map(find)
    }
}

fn is_expression(pattern: &Pattern) -> bool {
    matches!(pattern, Pattern::Expression(_))
}

fn first<T: Copy>(list: &[(Pattern, T)], module: &str) -> Option<T> {
    list.iter().find(|(pattern, _)| pattern.matches(module)).map(|(_, value)| *value)
}

/// Refuses what is not a plain LoRA.
fn refuse(settings: &Settings, map: &Map<String, Value>) -> Result<()> {
    let kind = settings.text("peft_type")?;
    if kind != "LORA" {
        let what = format!("the adapter type `{kind}` (`peft_type`)");
        return Err(settings.unsupported(what, "LORA is"));
    }
    for (key, advice) in REFUSED {
        settings.refuse([key], advice)?;
    }
    let known = |key: &str| READ.contains(&key) || REFUSED.iter().any(|(name, _)| *name == key);
    let advice = "plain LoRA is; remove the setting if it changes nothing";
    settings.refuse(map.keys().filter(|key| !known(key)), advice)?;
    match settings.text_if_any("bias")? {
        None | Some("none") => {}
        Some(other) => {
            let what = format!("a trained bias (`bias`: `{other}`)");
            return Err(settings.unsupported(what, "`none` is; merge with the adapter's library"));
        }
    }
    match map.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => Ok(()),
        Some(Value::String(start)) if STARTS.contains(&start.as_str()) => Ok(()),
        Some(other) => {
            let what = format!("a base whose weights were changed (`init_lora_weights`: {other})");
            let advice = "save the adapter again with `path_initial_model_for_weight_conversion`, \
                          which makes it fit the unchanged base";
            Err(settings.unsupported(what, advice))
        }
    }
}

/// Reads lists and patterns.
struct Reader<'a> {
    settings: Settings<'a>,
    map: &'a Map<String, Value>,
}

impl Reader<'_> {
    /// A list of names, one regular expression, or the word for every linear.
    fn names(&self, key: &str) -> Result<Option<Names>> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("all-linear") => {
                Ok(Some(Names::Linear))
            }
            Some(Value::String(text)) => {
                let expression = pattern::whole(text);
                let expression = expression.map_err(|what| self.settings.bad(key, what))?;
                Ok(Some(Names::Expression(expression)))
            }
            Some(_) => {
                let ends = self.settings.texts_if_any(key)?.unwrap_or_default();
                Ok(Some(Names::Ends(ends.into_iter().map(str::to_string).collect())))
            }
        }
    }

    /// One layer or several; none and an empty list mean all.
    fn layers(&self) -> Result<Option<BTreeSet<usize>>> {
        let key = "layers_to_transform";
        let Some(list) = self.settings.floats_if_any(key)? else { return Ok(None) };
        let layer = |number: f64| {
            let whole = number >= 0.0 && number.fract() == 0.0 && number < RANK as f64;
            whole.then_some(number as usize)
        };
        let layers: Option<BTreeSet<usize>> = list.into_iter().map(layer).collect();
        let layers = layers.ok_or_else(|| self.settings.bad(key, "has what is no layer"))?;
        Ok(Some(layers).filter(|layers| !layers.is_empty()))
    }

    fn layer_lists(&self) -> Result<Vec<Regex>> {
        let key = "layers_pattern";
        let lists = match self.map.get(key) {
            Some(Value::String(list)) => vec![list.as_str()],
            _ => self.settings.texts_if_any(key)?.unwrap_or_default(),
        };
        let mut lists: Vec<&str> = lists.into_iter().filter(|list| !list.is_empty()).collect();
        if lists.is_empty() {
            lists.push(r"[^.]*");
        }
        if lists.len() > EXPRESSIONS {
            return Err(self.settings.bad(key, format!("has more than {EXPRESSIONS} entries")));
        }
        let compile = |list| pattern::layer(list).map_err(|what| self.settings.bad(key, what));
        lists.into_iter().map(compile).collect()
    }

    /// Numbers by pattern, in the order of the file.
    fn by_pattern<T>(
        &self,
        key: &str,
        number: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<(Pattern, T)>> {
        let map = match self.map.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(map)) if map.len() <= PATTERNS => map,
            Some(Value::Object(map)) => {
                let what = format!("has {} entries; {PATTERNS} is the most", map.len());
                return Err(self.settings.bad(key, what));
            }
            Some(_) => return Err(self.settings.bad(key, "is not an object")),
        };
        let entry = |(text, value): (&String, &Value)| {
            let bad = |what: String| self.settings.bad(key, format!("at `{text}` {what}"));
            let pattern = Pattern::of_end(text).map_err(bad)?;
            let number = number(value).ok_or_else(|| bad("has no such number".to_string()))?;
            Ok((pattern, number))
        };
        map.iter().map(entry).collect()
    }
}
