//! What a backward pass gives: the slope of the loss along every parameter.

use crate::parameters::{ParameterId, Parameters};

/// Gradients by parameter. A parameter that the loss does not depend on has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gradients {
    all: Vec<Option<Vec<f32>>>,
}

impl Gradients {
    /// No gradients, for the parameters given.
    pub fn new(parameters: &Parameters) -> Gradients {
        Gradients { all: vec![None; parameters.len()] }
    }

    /// The gradients given, for some of the parameters.
    ///
    /// # Panics
    /// When one has another length than its parameter, or the id is from elsewhere.
    pub fn of(
        parameters: &Parameters,
        given: impl IntoIterator<Item = (ParameterId, Vec<f32>)>,
    ) -> Gradients {
        let mut gradients = Gradients::new(parameters);
        for (id, values) in given {
            assert_eq!(values.len(), parameters.get(id).values.len(), "values of the gradient");
            gradients.all[id.0] = Some(values);
        }
        gradients
    }

    /// The gradient of a parameter, in its shape.
    pub fn get(&self, id: ParameterId) -> Option<&[f32]> {
        self.all.get(id.0)?.as_deref()
    }

    /// The gradient of a parameter, to be changed.
    pub fn get_mut(&mut self, id: ParameterId) -> Option<&mut [f32]> {
        self.all.get_mut(id.0)?.as_deref_mut()
    }

    /// Every gradient that there is, by parameter.
    pub fn iter(&self) -> impl Iterator<Item = (ParameterId, &[f32])> {
        let all = self.all.iter().enumerate();
        all.filter_map(|(index, values)| Some((ParameterId(index), values.as_deref()?)))
    }

    /// Every gradient that there is, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ParameterId, &mut [f32])> {
        let all = self.all.iter_mut().enumerate();
        all.filter_map(|(index, values)| Some((ParameterId(index), values.as_deref_mut()?)))
    }

    /// Adds the gradients of another batch, element by element.
    ///
    /// # Panics
    /// When they are of other parameters.
    pub fn add(&mut self, other: &Gradients) {
        assert_eq!(self.all.len(), other.all.len(), "gradients of the same parameters");
        for (own, other) in self.all.iter_mut().zip(&other.all) {
            match (own.as_mut(), other) {
                (Some(own), Some(other)) => {
                    assert_eq!(own.len(), other.len(), "gradients of the same parameters");
                    own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
                }
                (None, Some(other)) => *own = Some(other.clone()),
                (_, None) => {}
            }
        }
    }

    /// Multiplies all with a factor.
    pub fn scale(&mut self, factor: f32) {
        self.iter_mut().for_each(|(_, values)| values.iter_mut().for_each(|v| *v *= factor));
    }

    /// The buffer of a parameter's gradient, of zeros at first.
    pub(crate) fn buffer(&mut self, id: ParameterId, length: usize) -> &mut Vec<f32> {
        self.all[id.0].get_or_insert_with(|| vec![0.0; length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up() {
        let mut parameters = Parameters::new();
        let ids = ["a", "b"].map(|name| parameters.add(name, &[2], vec![0.0; 2]).unwrap());
        let mut first = Gradients::new(&parameters);
        first.buffer(ids[0], 2).copy_from_slice(&[1.0, 2.0]);
        let mut second = Gradients::new(&parameters);
        second.buffer(ids[0], 2).copy_from_slice(&[10.0, 20.0]);
        second.buffer(ids[1], 2).copy_from_slice(&[3.0, 4.0]);
        first.add(&second);
        first.scale(0.5);
        assert_eq!(first.get(ids[0]), Some([5.5, 11.0].as_slice()));
        assert_eq!(first.get(ids[1]), Some([1.5, 2.0].as_slice()));
        assert_eq!(first.iter().count(), 2);
    }
}
