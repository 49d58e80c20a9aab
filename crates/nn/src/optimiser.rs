//! Optimisers: how gradients change parameters.
//!
//! Every element is computed by itself, or (in [`Muon`]) by products with the canonical order of
//! sums, so a step has the same bits on any number of threads. It runs in the current `rayon` pool.

mod adamw;
mod ademamix;
mod clip;
mod muon;

use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::parameters::{Parameter, ParameterId, Parameters};
pub use adamw::AdamW;
pub use ademamix::AdEMAMix;
pub use clip::clip_gradients;
pub use muon::{Muon, RateByShape};
use std::collections::BTreeMap;

/// Elements that a thread takes at a time.
const CHUNK: usize = 1 << 14;
/// An `f32` holds integers up to this exactly.
const EXACT: u64 = 1 << 24;

/// What an optimiser remembers of a parameter: one vector of its length for each kind of moment.
type Moments = Vec<Vec<f32>>;

/// What a step does to a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// See [`AdamW`].
    AdamW(AdamW),
    /// See [`AdEMAMix`].
    AdEMAMix(AdEMAMix),
    /// See [`Muon`].
    Muon(Muon),
}

/// Which parameters decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decayed {
    /// All.
    All,
    /// Those with two dimensions or more: no norms and no biases.
    Matrices,
}

/// A rule and what it remembers.
#[derive(Debug, Clone)]
pub struct Optimiser {
    rule: Rule,
    decayed: Decayed,
    /// By parameter.
    states: Vec<State>,
}

#[derive(Debug, Clone)]
struct State {
    name: String,
    /// The innermost two dimensions, where Muon takes the parameter as matrices.
    matrix: Option<[usize; 2]>,
    decays: bool,
    /// What it decays towards.
    rest: f32,
    /// Steps in which the parameter had a gradient.
    steps: u64,
    moments: Moments,
}

impl Optimiser {
    /// Starts with zero moments for all `parameters`.
    pub fn new(rule: Rule, decayed: Decayed, parameters: &Parameters) -> Optimiser {
        let state = |(id, parameter): (ParameterId, &Parameter)| {
            let shape = &parameter.shape;
            let matrix = match (&rule, shape.as_slice()) {
                (Rule::Muon(muon), &[.., rows, columns]) if muon.takes(id, shape) => {
                    Some([rows, columns])
                }
                _ => None,
            };
            let names = rule.moments(matrix.is_some());
            let moments = names.iter().map(|_| vec![0.0; parameter.values.len()]).collect();
            let decays = decayed == Decayed::All || shape.len() >= 2;
            let (name, rest) = (parameter.name.clone(), parameter.rest);
            State { name, matrix, decays, rest, steps: 0, moments }
        };
        let states = parameters.iter().map(state).collect();
        Optimiser { rule, decayed, states }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Which parameters decay.
    pub fn decayed(&self) -> Decayed {
        self.decayed
    }

    /// Changes every parameter that has a gradient, with the learning rate `rate`.
    ///
    /// # Panics
    /// If `parameters` are not those that the optimiser was made for.
    pub fn step(&mut self, parameters: &mut Parameters, gradients: &Gradients, rate: f64) {
        assert_eq!(parameters.len(), self.states.len(), "parameters of the optimiser");
        for (id, gradient) in gradients.iter() {
            let (state, values) = (&mut self.states[id.0], parameters.values_mut(id));
            assert_eq!(values.len(), gradient.len(), "gradient of {}", state.name);
            state.steps += 1;
            self.rule.update(state, rate, values, gradient);
            let back = (self.rule.decay_of(state, rate) * f64::from(state.rest)) as f32;
            if back != 0.0 {
                values.iter_mut().for_each(|value| *value += back);
            }
        }
    }

    /// What the optimiser remembers, as named tensors of each parameter's length, and the count of
    /// its steps as two numbers (below 2^24, and multiples of it).
    pub fn state(&self) -> BTreeMap<String, Vec<f32>> {
        let of = |state: &State| {
            let names = self.rule.moments(state.matrix.is_some());
            let mut all: Vec<(String, Vec<f32>)> = names
                .iter()
                .zip(&state.moments)
                .map(|(name, moment)| (format!("{}.{name}", state.name), moment.clone()))
                .collect();
            let steps = [state.steps % EXACT, state.steps / EXACT].map(|part| part as f32);
            all.push((format!("{}.steps", state.name), steps.to_vec()));
            all
        };
        self.states.iter().flat_map(of).collect()
    }

    /// Takes over what another run remembered, so that this one goes on bit for bit as that would.
    ///
    /// # Errors
    /// If a tensor is missing, has another length, or belongs to nothing here; then nothing has
    /// changed.
    pub fn restore(&mut self, mut saved: BTreeMap<String, Vec<f32>>) -> Result<()> {
        let mut states = self.states.clone();
        for state in &mut states {
            let names = self.rule.moments(state.matrix.is_some());
            for (name, moment) in names.iter().zip(&mut state.moments) {
                *moment = take(&mut saved, &state.name, name, moment.len())?;
            }
            let steps = take(&mut saved, &state.name, "steps", 2)?;
            let whole = |part: &f32| *part >= 0.0 && *part < EXACT as f32 && part.fract() == 0.0;
            if !steps.iter().all(whole) {
                let what = format!("`{}.steps` is {steps:?}, no count of steps", state.name);
                return Err(Error::State(what));
            }
            state.steps = steps[0] as u64 + steps[1] as u64 * EXACT;
        }
        if let Some(name) = saved.keys().next() {
            return Err(Error::State(format!("`{name}` belongs to no parameter of this run")));
        }
        self.states = states;
        Ok(())
    }
}

fn take(
    saved: &mut BTreeMap<String, Vec<f32>>,
    parameter: &str,
    moment: &str,
    length: usize,
) -> Result<Vec<f32>> {
    let name = format!("{parameter}.{moment}");
    let values = saved.remove(&name);
    let values = values.ok_or_else(|| Error::State(format!("`{name}` is missing")))?;
    match values.len() == length {
        true => Ok(values),
        false => Err(Error::State(format!("`{name}` has {} values, not {length}", values.len()))),
    }
}

impl Rule {
    /// Names of the moments that are kept of a parameter.
    fn moments(&self, is_matrix: bool) -> &'static [&'static str] {
        match self {
            Rule::AdEMAMix(_) => AdEMAMix::MOMENTS,
            Rule::Muon(_) if is_matrix => Muon::MOMENTS,
            Rule::AdamW(_) | Rule::Muon(_) => AdamW::MOMENTS,
        }
    }

    /// The share of a parameter that a step takes off.
    fn decay_of(&self, state: &State, rate: f64) -> f64 {
        match self {
            _ if !state.decays => 0.0,
            Rule::AdamW(adam) => rate * adam.decay,
            Rule::AdEMAMix(mix) => rate * mix.decay,
            Rule::Muon(muon) if state.matrix.is_some() => rate * muon.decay,
            Rule::Muon(muon) => rate * muon.others_rate * muon.others.decay,
        }
    }

    fn update(&self, state: &mut State, rate: f64, values: &mut [f32], gradient: &[f32]) {
        let decay = |decay: f64| if state.decays { decay } else { 0.0 };
        let (step, moments) = (state.steps, &mut state.moments);
        match self {
            Rule::AdamW(adam) => {
                let adam = AdamW { decay: decay(adam.decay), ..*adam };
                adam.update(step, rate, values, gradient, moments);
            }
            Rule::AdEMAMix(mix) => {
                let mix = AdEMAMix { decay: decay(mix.decay), ..*mix };
                mix.update(step, rate, values, gradient, moments);
            }
            Rule::Muon(muon) => match state.matrix {
                Some(shape) => muon.update(rate, shape, values, gradient, moments),
                None => {
                    let adam = AdamW { decay: decay(muon.others.decay), ..muon.others };
                    adam.update(step, rate * muon.others_rate, values, gradient, moments);
                }
            },
        }
    }
}
