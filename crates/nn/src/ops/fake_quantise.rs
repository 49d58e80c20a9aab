//! Rounding to what a block format can hold, with a gradient that goes straight through.

use crate::parameters::ParameterId;
use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::weight::{Stored, Weight, WeightRows, rows_of};
use crate::workspace::{Work, Workspace};
use allod_kernels::{Format, Matrix, decode_row, encode_row};
use std::sync::Arc;

/// Stores each row and reads it back. A row that the format cannot hold (it has a NaN or an
/// infinity, or too large a number) stays as it is.
fn round_rows(workspace: &mut Workspace, format: Format, values: &mut [f32], width: usize) {
    let bytes = format.row_bytes(width).unwrap_or_default();
    let rows = values.len().checked_div(width).unwrap_or(0);
    workspace.split(Work::rows(rows, 8 * width), [(values, width)], |_, [values], _| {
        let mut stored = vec![0; bytes];
        for row in values.chunks_exact_mut(width) {
            if encode_row(format, row, &mut stored).is_ok() {
                decode_row(format, &stored, row);
            }
        }
    });
}

fn check_blocks(format: Format, width: usize) {
    let whole = width.is_multiple_of(format.block_len());
    assert!(whole, "rows of {width} are no whole blocks of {}", format.name());
    assert!(format.is_encodable(), "{} cannot be written", format.name());
}

struct FakeQuantise {
    x: Var,
    format: Format,
}

impl<'a> Operation<'a> for FakeQuantise {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let x = tape.shared(self.x);
        let mut out = tape.workspace.copy(&x);
        round_rows(tape.workspace, self.format, &mut out.values, x.width);
        out
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        tape.pass(self.x, slope);
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl<'a> Tape<'a> {
    /// `x` rounded to what `format` can hold (`Q8_0`, `Q4_0` and others), block by block, as if
    /// stored and read back. The gradient goes straight through (arXiv 1308.3432). For weights use
    /// [`Weight::Rounded`].
    ///
    /// # Panics
    /// When a row is not whole blocks, or the format cannot be written.
    pub fn fake_quantise(&mut self, x: Var, format: Format) -> Var {
        check_blocks(format, self.value(x).width);
        self.record(FakeQuantise { x, format }, &[x])
    }

    /// A weight as products take it.
    pub(crate) fn stored(&mut self, weight: &WeightRows<'a>) -> Stored<'a> {
        let parameters = self.parameters;
        match weight.weight {
            Weight::Frozen(matrix) => Stored::AsIs(rows_of(matrix, &weight.rows)),
            Weight::Trained(id) => {
                let parameter = parameters.get(id);
                let (rows, columns) = (parameter.rows(), parameter.columns());
                let whole = Matrix::of_floats(rows, columns, &parameter.values);
                Stored::AsIs(rows_of(whole, &weight.rows))
            }
            Weight::Rounded(id, format) => {
                Stored::Rounded(self.rounded_parameter(id, format), weight.rows.clone())
            }
        }
    }

    /// A parameter rounded to a format, once for the whole tape.
    fn rounded_parameter(&mut self, id: ParameterId, format: Format) -> Arc<Tensor> {
        if let Some(known) = self.rounded.get(&(id, format)) {
            return known.clone();
        }
        let parameter = self.parameters.get(id);
        check_blocks(format, parameter.columns());
        let mut rounded = self.workspace.tensor(parameter.rows(), parameter.columns());
        rounded.values.copy_from_slice(&parameter.values);
        round_rows(self.workspace, format, &mut rounded.values, parameter.columns());
        let rounded = Arc::new(rounded);
        self.rounded.insert((id, format), rounded.clone());
        rounded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{WAYS, bits, check, numbers, parameters, run};
    use crate::{Parameters, Precision, reference};

    /// A parameter's rows as stored in a format.
    fn stored(parameters: &Parameters, id: ParameterId, format: Format) -> Vec<u8> {
        let parameter = parameters.get(id);
        let rows = parameter.values.chunks(parameter.columns());
        let encoded = rows.map(|row| {
            let mut bytes = vec![0; format.row_bytes(row.len()).unwrap()];
            encode_row(format, row, &mut bytes).unwrap();
            bytes
        });
        encoded.flatten().collect()
    }

    #[test]
    fn rounded_weights_give_the_bits_of_the_stored_ones_and_train_the_master() {
        for format in [Format::Q8_0, Format::Q4_0] {
            let (parameters, ids) = parameters(&[&[7, 64], &[5, 64]], 1.0, 3);
            let (value, factors, gradients) = run(&parameters, &ids, WAYS[3], &|tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.linear(x, Weight::Rounded(ids[1], format), None)
            });
            let bytes: &'static [u8] = stored(&parameters, ids[1], format).leak();
            let matrix = Matrix::new(format, 5, 64, bytes).unwrap();
            let (expected, _, of_input) = run(&parameters, &ids, WAYS[0], &|tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.linear(x, Weight::Frozen(matrix), None)
            });
            assert_eq!(value, expected);
            assert_eq!(gradients.get(ids[0]), of_input.get(ids[0]));
            // Straight through: the slope along the weights that were rounded.
            let (_, _, plain) = run(&parameters, &ids, WAYS[0], &|tape, ids| {
                let x = tape.parameter(ids[0]);
                tape.linear(x, Weight::Trained(ids[1]), None)
            });
            assert_eq!(factors.len(), 35);
            assert_eq!(gradients.get(ids[1]), plain.get(ids[1]));
        }
    }

    /// What the values of a parameter are rounded to, and by how much they change.
    fn rounding(parameters: &Parameters, id: ParameterId, format: Format) -> Vec<f64> {
        let values = &parameters.get(id).values;
        let mut rounded = vec![0.0; values.len()];
        decode_row(format, &stored(parameters, id, format), &mut rounded);
        let pairs = rounded.iter().zip(values);
        pairs.map(|(rounded, value)| f64::from(*rounded) - f64::from(*value)).collect()
    }

    /// Straight through: as if what rounding adds were constant.
    #[test]
    fn differences_of_a_constant_rounding_give_the_slopes() {
        let shapes = [(3, 64, 5), (1, 32, 1), (7, 96, 2)];
        for (format, (rows, inputs, outputs)) in
            [Format::Q8_0, Format::Q4_0, Format::Q5_0].into_iter().zip(shapes)
        {
            let given = parameters(&[&[rows, inputs], &[outputs, inputs]], 1.0, 3);
            let [of_x, of_w] = [0, 1].map(|at| rounding(&given.0, given.1[at], format));
            check(
                given,
                |tape, ids| {
                    let x = tape.parameter(ids[0]);
                    let x = tape.fake_quantise(x, format);
                    tape.linear(x, Weight::Rounded(ids[1], format), None)
                },
                |p| {
                    let (x, w) = (reference::add(&p[0], &of_x), reference::add(&p[1], &of_w));
                    reference::linear(&x, &w, inputs, &[])
                },
            );
        }
    }

    #[test]
    fn activations_are_rounded_and_their_slope_is_not() {
        let (parameters, ids) = parameters(&[&[3, 32]], 1.0, 3);
        let forward = |tape: &mut Tape<'_>, ids: &[ParameterId]| {
            let x = tape.parameter(ids[0]);
            tape.fake_quantise(x, Format::Q8_0)
        };
        let (value, factors, gradients) = run(&parameters, &ids, WAYS[0], &forward);
        let bytes = stored(&parameters, ids[0], Format::Q8_0);
        let mut expected = vec![0.0; 96];
        decode_row(Format::Q8_0, &bytes, &mut expected);
        assert_eq!(value.values, expected);
        assert_ne!(value.values, parameters.get(ids[0]).values);
        assert_eq!(gradients.get(ids[0]), Some(factors.as_slice()));
        assert_eq!(bits(&gradients), bits(&run(&parameters, &ids, WAYS[3], &forward).2));
    }

    #[test]
    fn what_cannot_be_stored_stays() {
        let mut values = numbers(64, 1);
        values[40] = f32::NAN;
        let mut workspace = crate::checks::workspace(1, Precision::F32);
        let mut rounded = values.clone();
        round_rows(&mut workspace, Format::Q4_0, &mut rounded, 32);
        assert_ne!(rounded[..32], values[..32]);
        assert!(rounded[40].is_nan() && rounded[41..] == values[41..]);
    }
}
