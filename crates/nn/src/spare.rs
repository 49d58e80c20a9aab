//! Buffers that have come back, to be used again.

use std::collections::HashMap;

/// Steps that a spare buffer is kept for without being used.
const KEPT_STEPS: u64 = 2;

/// Smallest length worth keeping.
const LEAST: usize = 64;

/// Spare buffers by length class. Classes lie at most an eighth apart, so that batches of varying
/// sizes find buffers too; those that no step of late has used are let go.
#[derive(Default)]
pub(crate) struct Spare {
    step: u64,
    /// With the step in which each came back, the latest last.
    by_class: HashMap<usize, Vec<(u64, Vec<f32>)>>,
}

/// Distance of the classes around a length.
fn distance(length: usize) -> usize {
    (length.next_power_of_two() / 8).max(LEAST)
}

impl Spare {
    /// Begins a step: lets go of what the last ones did not use.
    pub fn begin(&mut self) {
        self.step += 1;
        self.by_class.retain(|_, buffers| {
            buffers.retain(|(step, _)| step + KEPT_STEPS >= self.step);
            !buffers.is_empty()
        });
    }

    /// A buffer with anything in it.
    pub fn take(&mut self, length: usize) -> Vec<f32> {
        let class = length.next_multiple_of(distance(length));
        let spare = self.by_class.get_mut(&class).and_then(Vec::pop);
        let mut buffer = spare.map_or_else(|| vec![0.0; class], |(_, buffer)| buffer);
        buffer.resize(length, 0.0);
        buffer
    }

    /// Takes a buffer back.
    pub fn give(&mut self, buffer: Vec<f32>) {
        let room = buffer.capacity();
        let class = room - room % distance(room);
        if class > 0 {
            self.by_class.entry(class).or_default().push((self.step, buffer));
        }
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.by_class.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_what_comes_back_to_it() {
        let mut spare = Spare::default();
        for length in [1, 63, 64, 65, 1000, 1024, 1025, 12_345, 1 << 20] {
            let buffer = spare.take(length);
            assert_eq!(buffer.len(), length);
            let place = buffer.as_ptr();
            spare.give(buffer);
            let again = spare.take(length);
            assert_eq!((again.as_ptr(), again.len()), (place, length));
            assert!(again.capacity() <= length.max(LEAST) + length / 4 + LEAST, "{length}");
        }
    }

    #[test]
    fn any_buffer_serves_the_lengths_of_its_class() {
        let mut spare = Spare::default();
        for room in [0, 10, 64, 100, 129, 1000, 1023, 4097, 10_000] {
            spare.give(Vec::with_capacity(room));
        }
        for (class, buffers) in &spare.by_class {
            assert_eq!(class.next_multiple_of(distance(*class)), *class);
            assert!(buffers.iter().all(|(_, buffer)| buffer.capacity() >= *class));
        }
    }

    #[test]
    fn what_no_step_uses_is_let_go() {
        let mut spare = Spare::default();
        for step in 0..10 {
            spare.begin();
            let (used, other) = (spare.take(100), spare.take(1000 * (step + 1)));
            spare.give(used);
            spare.give(other);
            let kept: usize = spare.by_class.values().map(Vec::len).sum();
            assert!(kept <= 1 + KEPT_STEPS as usize + 1, "{kept}");
        }
    }
}
