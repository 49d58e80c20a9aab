//! Memory for weights: large, and read from one end to the other.

use std::io;
use std::ops::{Deref, DerefMut};

/// Zeroed memory of its own, in huge pages where the system has them: streams of weights are then
/// read faster, as the processor looks ahead no further than a page.
#[derive(Debug)]
pub struct Memory {
    map: memmap2::MmapMut,
    len: usize,
}

impl Memory {
    /// Memory of `len` bytes, at a multiple of 64.
    ///
    /// # Errors
    /// When the system does not give so much.
    pub fn zeroed(len: usize) -> io::Result<Memory> {
        let map = memmap2::MmapMut::map_anon(len.max(1))?;
        // It is a wish: a system without huge pages serves as well, only slower.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Memory { map, len })
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_can_be_written() {
        for len in [0, 1, 5_000_000] {
            let mut memory = Memory::zeroed(len).unwrap();
            assert_eq!(memory.len(), len);
            assert!(memory.iter().all(|byte| *byte == 0));
            memory.fill(7);
            assert!(memory.iter().all(|byte| *byte == 7));
        }
    }
}
