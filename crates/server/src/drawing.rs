//! How tokens are to be drawn, as far as a request says it.

use std::collections::BTreeMap;

use allod_engine::{Dry, Sampling};
use serde_json::Value;

use crate::fields::{Fields, texts};
use crate::problem::Problem;

/// The fields that every interface that lets a model write takes.
pub(crate) const DRAWING_FIELDS: [&str; 15] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "dry_sequence_breakers",
    "seed",
];

/// OpenAI's interface says no number; this many is more than anyone means.
const BIASES_MAX: usize = 4_096;

/// How tokens are to be drawn; what is absent is as [`Sampling::default`] has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawing {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    min_p: Option<f64>,
    typical_p: Option<f64>,
    repetition_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    logit_bias: BTreeMap<u32, f32>,
    dry: Option<Dry>,
    seed: Option<u64>,
}

impl Drawing {
    /// Reads the fields; a temperature is at most `warmest`.
    pub(crate) fn read(fields: &Fields, warmest: f64) -> Result<Drawing, Problem> {
        Ok(Drawing {
            temperature: fields.number("temperature", 0.0, warmest)?,
            top_p: fields.number("top_p", f64::MIN_POSITIVE, 1.0)?,
            top_k: top_k(fields)?,
            min_p: fields.number("min_p", 0.0, 1.0)?,
            typical_p: fields.number("typical_p", f64::MIN_POSITIVE, 1.0)?,
            repetition_penalty: fields.number("repetition_penalty", 0.01, 10.0)?,
            frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
            presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
            logit_bias: logit_bias(fields.get("logit_bias"))?,
            dry: dry(fields)?,
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
            typical_p: narrow(self.typical_p, standard.typical_p),
            repetition_penalty: narrow(self.repetition_penalty, standard.repetition_penalty),
            frequency_penalty: narrow(self.frequency_penalty, standard.frequency_penalty),
            presence_penalty: narrow(self.presence_penalty, standard.presence_penalty),
            logit_bias: self.logit_bias.clone(),
            dry: self.dry.clone(),
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
            ("typical_p", self.typical_p.is_some_and(|p| p != 1.0)),
            ("repetition_penalty", self.repetition_penalty.is_some_and(|p| p != 1.0)),
            ("frequency_penalty", self.frequency_penalty.is_some_and(|p| p != 0.0)),
            ("presence_penalty", self.presence_penalty.is_some_and(|p| p != 0.0)),
            ("logit_bias", !self.logit_bias.is_empty()),
            ("dry_multiplier", self.dry.is_some()),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(name, _)| name)
    }
}

/// Off is 0, and -1 as vLLM's clients write it.
fn top_k(fields: &Fields) -> Result<Option<u64>, Problem> {
    match fields.get("top_k") {
        Some(off) if *off == -1 => Ok(Some(0)),
        _ => fields.whole("top_k", 0, 1 << 20),
    }
}

/// Biases by token id, which JSON writes as a text.
fn logit_bias(value: Option<&Value>) -> Result<BTreeMap<u32, f32>, Problem> {
    let wrong = || {
        let message = "`logit_bias` must hold numbers from -100 to 100 by token id";
        Problem::field("logit_bias", message)
    };
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let pairs = value.as_object().filter(|pairs| pairs.len() <= BIASES_MAX).ok_or_else(wrong)?;
    let bias = |(id, bias): (&String, &Value)| {
        let bias = bias.as_f64().filter(|bias| (-100.0..=100.0).contains(bias))?;
        Some((id.parse().ok()?, bias as f32))
    };
    pairs.iter().map(|pair| bias(pair).ok_or_else(wrong)).collect()
}

/// What going on with a repetition costs; off unless there is a multiplier.
fn dry(fields: &Fields) -> Result<Option<Dry>, Problem> {
    let standard = Dry::default();
    let multiplier = fields.number("dry_multiplier", 0.0, 100.0)?;
    let base = fields.number("dry_base", 1.0, 100.0)?;
    let allowed_length = fields.whole("dry_allowed_length", 0, 1 << 20)?;
    let window = fields.whole("dry_penalty_last_n", 0, 1 << 20)?;
    let breakers = fields.get("dry_sequence_breakers");
    let breakers = breakers.map(|value| {
        texts(value).filter(|texts| texts.len() <= 64).ok_or_else(|| {
            Problem::field("dry_sequence_breakers", "it must be a list of up to 64 texts")
        })
    });
    let breakers = breakers.transpose()?;
    let Some(multiplier) = multiplier.filter(|multiplier| *multiplier > 0.0) else {
        return Ok(None);
    };
    Ok(Some(Dry {
        multiplier: multiplier as f32,
        base: base.map_or(standard.base, |base| base as f32),
        allowed_length: allowed_length.map_or(standard.allowed_length, |length| length as usize),
        window: window.map_or(standard.window, |window| window as usize),
        breakers: breakers.unwrap_or(standard.breakers),
    }))
}

/// A seed may be any integer of 64 bits; a negative one stands for its bits.
fn seed(value: Option<&Value>) -> Result<Option<u64>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let bits = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    bits.map(Some).ok_or_else(|| Problem::field("seed", "`seed` must be an integer of 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(fields: Value) -> Result<Drawing, Problem> {
        Drawing::read(&Fields(fields.as_object().unwrap()), 2.0)
    }

    #[test]
    fn what_is_given_is_set() {
        let sampling = read(json!({
            "typical_p": 0.5, "frequency_penalty": -1, "presence_penalty": 2,
            "logit_bias": {"5": -100, "7": 1.5},
            "dry_multiplier": 0.5, "dry_base": 2, "dry_allowed_length": 3,
            "dry_penalty_last_n": 9, "dry_sequence_breakers": ["x"],
        }))
        .unwrap()
        .sampling();
        let penalties = (sampling.frequency_penalty, sampling.presence_penalty);
        assert_eq!((sampling.typical_p, penalties), (0.5, (-1.0, 2.0)));
        assert_eq!(sampling.logit_bias, BTreeMap::from([(5, -100.0), (7, 1.5)]));
        let dry = Dry {
            multiplier: 0.5,
            base: 2.0,
            allowed_length: 3,
            window: 9,
            breakers: vec!["x".into()],
        };
        assert_eq!(sampling.dry, Some(dry));
        assert_eq!(read(json!({"dry_multiplier": 0})).unwrap().sampling(), Sampling::default());
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (name, value) in [
            ("frequency_penalty", json!(2.5)),
            ("presence_penalty", json!(-3)),
            ("typical_p", json!(0)),
            ("logit_bias", json!({"x": 1})),
            ("logit_bias", json!({"5": 101})),
            ("logit_bias", json!([1])),
            ("dry_base", json!(0.5)),
            ("dry_sequence_breakers", json!("x")),
        ] {
            let body = read(json!({name: value})).expect_err(name).body();
            assert_eq!(body["error"]["param"], name);
        }
    }
}
