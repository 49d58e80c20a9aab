//! The loss of being unlike a teacher.

use crate::tape::{Operation, Reads, Tape, Var};
use crate::tensor::Tensor;
use crate::workspace::Work;
use allod_kernels::{Isa, largest_and_total, scale, softmax};
use std::sync::Arc;

struct Distil {
    logits: Var,
    teacher: Var,
    temperature: f32,
}

/// Two rows of logits over the temperature.
struct Pair {
    isa: Isa,
    student: Vec<f32>,
    teacher: Vec<f32>,
}

impl Pair {
    fn new(isa: Isa, student: &[f32], teacher: &[f32], temperature: f32) -> Pair {
        let cooled = |x: &[f32]| {
            let mut x = x.to_vec();
            scale(isa, &mut x, 1.0 / temperature);
            x
        };
        Pair { isa, student: cooled(student), teacher: cooled(teacher) }
    }

    /// The sum of `t * (ln t - ln s)` with the shares t and s.
    fn divergence(mut self) -> f32 {
        let normaliser = |x: &[f32]| {
            let [largest, total] = largest_and_total(self.isa, x).map(f64::from);
            largest + libm::log(total)
        };
        let apart = normaliser(&self.student) - normaliser(&self.teacher);
        let logits = self.teacher.clone();
        softmax(self.isa, &mut self.teacher);
        let terms = self.teacher.iter().zip(logits).zip(&self.student);
        let sum: f64 =
            terms.map(|((t, own), s)| f64::from(*t) * (f64::from(own) - f64::from(*s))).sum();
        (sum + apart) as f32
    }

    /// `(s - t) * factor`
    fn slope(mut self, factor: f32, out: &mut [f32]) {
        softmax(self.isa, &mut self.student);
        softmax(self.isa, &mut self.teacher);
        for ((out, s), t) in out.iter_mut().zip(&self.student).zip(&self.teacher) {
            *out = (s - t) * factor;
        }
    }
}

impl<'a> Operation<'a> for Distil {
    fn forward(&mut self, tape: &mut Tape<'a>) -> Tensor {
        let (logits, teacher) = (tape.shared(self.logits), tape.shared(self.teacher));
        let (isa, temperature) = (tape.workspace.isa, self.temperature);
        let mut losses = tape.workspace.buffer(logits.rows);
        let work = Work::rows(logits.rows, 60 * logits.width);
        tape.workspace.split(work, [(&mut losses, 1)], |rows, [losses], _| {
            for (row, loss) in rows.zip(losses) {
                let pair = Pair::new(isa, logits.row(row), teacher.row(row), temperature);
                *loss = pair.divergence();
            }
        });
        // Row after row, in double precision.
        let sum: f64 = losses.iter().map(|loss| f64::from(*loss)).sum();
        tape.workspace.recycle(losses);
        Tensor::scalar((sum / logits.rows.max(1) as f64) as f32)
    }

    fn backward(&mut self, tape: &mut Tape<'a>, _: Var, slope: Arc<Tensor>) {
        let (logits, teacher) = (tape.shared(self.logits), tape.shared(self.teacher));
        let (isa, temperature, width) = (tape.workspace.isa, self.temperature, logits.width);
        let factor = slope.item() / (temperature * logits.rows.max(1) as f32);
        let mut out = tape.workspace.tensor(logits.rows, width);
        let work = Work::rows(logits.rows, 60 * width);
        tape.workspace.split(work, [(&mut out.values, width)], |rows, [out], _| {
            for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
                let pair = Pair::new(isa, logits.row(row), teacher.row(row), temperature);
                pair.slope(factor, out);
            }
        });
        tape.pass(self.logits, out);
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }
}

impl Tape<'_> {
    /// The mean over rows of the divergence (Kullback-Leibler) of `softmax(logits / temperature)`
    /// from `softmax(teacher / temperature)`. The teacher gets no slope. (Where losses of different
    /// temperatures are mixed, arXiv 1503.02531 multiplies by the temperature squared: see
    /// [`Tape::weighted_sum`].)
    ///
    /// # Panics
    /// When the shapes differ or the temperature is not positive.
    pub fn distil(&mut self, logits: Var, teacher: Var, temperature: f32) -> Var {
        let (student, master) = (self.value(logits), self.value(teacher));
        assert!(student.rows == master.rows && student.width == master.width, "shapes of logits");
        assert!(temperature > 0.0, "the temperature is positive");
        self.record(Distil { logits, teacher, temperature }, &[logits, teacher])
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::{check, numbers, parameters};
    use crate::{Tensor, reference};

    #[test]
    fn the_gradient_is_that_of_the_reference() {
        for (rows, width, temperature) in
            [(1, 2, 1.0f32), (5, 23, 2.5), (5, 23, 1.0), (33, 17, 0.7), (3, 130, 4.0)]
        {
            let teacher: Vec<f32> = numbers(rows * width, 9).iter().map(|x| 4.0 * x).collect();
            let cooled = |x: f64| x / f64::from(temperature);
            check(
                parameters(&[&[rows, width]], 3.0, 3),
                |tape, ids| {
                    let logits = tape.parameter(ids[0]);
                    let teacher = tape.input(Tensor::new(rows, width, teacher.clone()));
                    tape.distil(logits, teacher, temperature)
                },
                |p| {
                    let pairs = p[0].chunks(width).zip(teacher.chunks(width));
                    let sum: f64 = pairs
                        .map(|(student, teacher)| {
                            let s: Vec<f64> = student.iter().map(|x| cooled(*x)).collect();
                            let t: Vec<f64> =
                                teacher.iter().map(|x| cooled(f64::from(*x))).collect();
                            let (s, t) = (reference::softmax(&s), reference::softmax(&t));
                            s.iter().zip(&t).map(|(s, t)| t * (t.ln() - s.ln())).sum::<f64>()
                        })
                        .sum();
                    vec![sum / rows as f64]
                },
            );
        }
    }
}
