//! What a person types of the engine that serves.

use allod_lm::{ActivationForm, CacheForm};
use clap::{Args, ValueEnum};

/// How the built-in engine serves.
#[derive(Debug, Clone, Default, Args)]
pub struct EngineArguments {
    /// Sequences that are computed together [default: 32]
    #[arg(long, value_name = "N")]
    pub slots: Option<usize>,
    /// Tokens of prompts that go through the model together [default: 512]
    #[arg(long, value_name = "N")]
    pub step_tokens: Option<usize>,
    /// Tokens that prompt and answer can have together [default: as the model says]
    #[arg(long, value_name = "N")]
    pub context_tokens: Option<usize>,
    /// Memory for the keys and values of sequences [default: 2048]
    #[arg(long, value_name = "MIB")]
    pub cache_mib: Option<usize>,
    /// How keys and values are kept
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub kv_cache_dtype: KvCacheDtype,
    /// How activations are multiplied with quantised weights
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub activation_dtype: ActivationDtype,
    /// Memory for keys and values that are kept to be used again; 0 keeps none [default: 512]
    #[arg(long, value_name = "MIB")]
    pub prefix_mib: Option<usize>,
    /// Tokens that are guessed in a step, from what stands before; no answer depends on it
    /// [default: 0]
    #[arg(long, value_name = "N")]
    pub draft_tokens: Option<usize>,
}

impl EngineArguments {
    /// The flags that say the same.
    pub fn flags(&self) -> Vec<String> {
        let flags = [
            ("--slots", self.slots),
            ("--step-tokens", self.step_tokens),
            ("--context-tokens", self.context_tokens),
            ("--cache-mib", self.cache_mib),
            ("--prefix-mib", self.prefix_mib),
            ("--draft-tokens", self.draft_tokens),
        ];
        let given = flags.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let cache = ("--kv-cache-dtype", self.kv_cache_dtype.form().name());
        let activations = self.activation_dtype.form().map_or("auto", ActivationForm::name);
        let forms = [cache, ("--activation-dtype", activations)];
        let forms = forms.map(|(name, form)| (name, form.to_owned()));
        let given = given.map(|(name, value)| (name, value.to_string())).chain(forms);
        given.flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// How keys and values are kept; `docs/numerics.md` has the rule of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum KvCacheDtype {
    /// Rounded to bf16
    #[default]
    Bf16,
    /// In 8 bits, 32 with one power of two: half the memory, faster answers after long prompts
    Mxint8,
    /// In f32, as training computes
    F32,
}

impl KvCacheDtype {
    /// The engine's name for it.
    pub fn form(self) -> CacheForm {
        match self {
            KvCacheDtype::Bf16 => CacheForm::Bf16,
            KvCacheDtype::Mxint8 => CacheForm::Mxint8,
            KvCacheDtype::F32 => CacheForm::F32,
        }
    }
}

/// How activations are multiplied with quantised weights; `docs/numerics.md` has the rule of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ActivationDtype {
    /// As this processor is fastest: bf16 where it has tiles (AMX), int8 elsewhere
    #[default]
    Auto,
    /// Rounded to bf16
    Bf16,
    /// In 8 bits, 32 with one scale: faster where there are no tiles
    Int8,
}

impl ActivationDtype {
    /// The engine's name for it, if one was given.
    pub fn form(self) -> Option<ActivationForm> {
        match self {
            ActivationDtype::Auto => None,
            ActivationDtype::Bf16 => Some(ActivationForm::Bf16),
            ActivationDtype::Int8 => Some(ActivationForm::Int8),
        }
    }
}
