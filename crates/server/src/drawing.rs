//! How tokens are to be drawn, as far as a request says it.

use allod_engine::Sampling;
use serde_json::Value;

use crate::fields::Fields;
use crate::problem::Problem;

/// The fields that every interface that lets a model write takes.
pub(crate) const DRAWING_FIELDS: [&str; 6] =
    ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"];

/// How tokens are to be drawn; what is absent is as [`Sampling::default`] has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawing {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    seed: Option<u64>,
}

impl Drawing {
    /// Reads the fields; a temperature is at most `warmest`.
    pub(crate) fn read(fields: &Fields, warmest: f64) -> Result<Drawing, Problem> {
        Ok(Drawing {
            temperature: fields.number("temperature", 0.0, warmest)?,
            top_p: fields.number("top_p", f64::MIN_POSITIVE, 1.0)?,
            top_k: fields.whole("top_k", 0, 1 << 20)?,
            min_p: fields.number("min_p", 0.0, 1.0)?,
            repetition_penalty: fields.number("repetition_penalty", 0.01, 10.0)?,
            seed: seed(fields.get("seed"))?,
        })
    }

    /// Greedy, unless the request draws. A draw without a seed gets a random one, which the receipt
    /// holds.
    pub(crate) fn sampling(&self) -> Sampling {
        let standard = Sampling::default();
        let narrow = |given: Option<f64>, standard: f32| given.map_or(standard, |x| x as f32);
        let temperature = narrow(self.temperature, standard.temperature);
        let draws = temperature > 0.0;
        let random = || if draws { getrandom::u64().unwrap_or_default() } else { standard.seed };
        Sampling {
            temperature,
            top_p: narrow(self.top_p, standard.top_p),
            top_k: self.top_k.map_or(standard.top_k, |k| k as usize),
            min_p: narrow(self.min_p, standard.min_p),
            repetition_penalty: narrow(self.repetition_penalty, standard.repetition_penalty),
            seed: self.seed.unwrap_or_else(random),
            ..standard
        }
    }

    /// The first field that asks for something else than the likeliest token each time.
    pub(crate) fn not_greedy(&self) -> Option<&'static str> {
        let set = [
            ("temperature", self.temperature.is_some_and(|t| t != 0.0)),
            ("top_p", self.top_p.is_some_and(|p| p != 1.0)),
            ("top_k", self.top_k.is_some_and(|k| k > 1)),
            ("min_p", self.min_p.is_some_and(|p| p != 0.0)),
            ("repetition_penalty", self.repetition_penalty.is_some_and(|p| p != 1.0)),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(name, _)| name)
    }
}

/// A seed may be any integer of 64 bits; a negative one stands for its bits.
fn seed(value: Option<&Value>) -> Result<Option<u64>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let bits = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    bits.map(Some).ok_or_else(|| Problem::field("seed", "`seed` must be an integer of 64 bits"))
}
