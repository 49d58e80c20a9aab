//! What is trained: single-precision masters, by name.

use crate::error::{Error, Result};
use std::collections::HashMap;

/// Names one parameter of a [`Parameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterId(pub usize);

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, as the caller's checkpoint has it.
    pub name: String,
    /// Outermost dimension first; matrices are `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// The values, the last dimension's together.
    pub values: Vec<f32>,
    /// What decay pulls the values towards.
    pub rest: f32,
}

impl Parameter {
    /// Rows when seen as a matrix: all dimensions but the last, together. A vector has one.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns()).unwrap_or(0)
    }

    /// The last dimension.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// All parameters of a model, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    all: Vec<Parameter>,
    by_name: HashMap<String, ParameterId>,
}

impl Parameters {
    /// No parameters yet.
    pub fn new() -> Parameters {
        Parameters::default()
    }

    /// Adds a parameter that decays towards 0.
    ///
    /// # Errors
    /// If the name is taken, or the values are not as many as the shape says.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<ParameterId> {
        self.add_resting(name, shape, values, 0.0)
    }

    /// Adds a parameter that decays towards `rest`.
    ///
    /// # Errors
    /// As [`Parameters::add`].
    pub fn add_resting(
        &mut self,
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
        rest: f32,
    ) -> Result<ParameterId> {
        let expected = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        if expected != Some(values.len()) {
            let (shape, values) = (shape.to_vec(), values.len());
            return Err(Error::Shape { name: name.to_string(), shape, values });
        }
        let id = ParameterId(self.all.len());
        if self.by_name.insert(name.to_string(), id).is_some() {
            return Err(Error::Twice(name.to_string()));
        }
        self.all.push(Parameter { name: name.to_string(), shape: shape.to_vec(), values, rest });
        Ok(id)
    }

    /// A parameter.
    ///
    /// # Panics
    /// When the id is from elsewhere.
    pub fn get(&self, id: ParameterId) -> &Parameter {
        &self.all[id.0]
    }

    /// The values of a parameter, to be changed.
    ///
    /// # Panics
    /// When the id is from elsewhere.
    pub fn values_mut(&mut self, id: ParameterId) -> &mut [f32] {
        &mut self.all[id.0].values
    }

    /// The parameter of that name.
    pub fn find(&self, name: &str) -> Option<ParameterId> {
        self.by_name.get(name).copied()
    }

    /// All parameters.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ParameterId, &Parameter)> {
        self.all.iter().enumerate().map(|(index, parameter)| (ParameterId(index), parameter))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_names_are_checked() {
        let mut parameters = Parameters::new();
        let id = parameters.add("a", &[2, 3], vec![0.0; 6]).unwrap();
        assert_eq!(parameters.find("a"), Some(id));
        assert_eq!((parameters.get(id).rows(), parameters.get(id).columns()), (2, 3));
        let wrong = parameters.add("b", &[2, 3], vec![0.0; 5]);
        assert!(matches!(wrong, Err(Error::Shape { values: 5, .. })));
        let absurd = parameters.add("b", &[usize::MAX, 3], vec![]);
        assert!(matches!(absurd, Err(Error::Shape { .. })));
        assert_eq!(parameters.add("a", &[1], vec![0.0]), Err(Error::Twice("a".to_string())));
        assert_eq!(parameters.len(), 1);
    }
}
