//! Memory that is read from one end to the other: in large pages of the system where it has them,
//! as the processor looks ahead no further than a page.

use memmap2::MmapMut;
use std::io;
use std::ops::{Deref, DerefMut};

/// Bytes of a large page, on whose multiples memory of that size begins.
pub(crate) const LARGE_PAGE: usize = 2 << 20;

/// Zeroed memory of its own, at a multiple of 64. What is not touched takes none.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
    start: usize,
    len: usize,
}

impl Memory {
    /// Memory of `len` bytes.
    ///
    /// # Errors
    /// When the system does not give so much.
    pub fn zeroed(len: usize) -> io::Result<Memory> {
        if len < LARGE_PAGE {
            return Ok(Memory { map: MmapMut::map_anon(len.max(1))?, start: 0, len });
        }
        let room = len.checked_add(LARGE_PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(room)?;
        // It is a wish: where there are no large pages small ones do.
        #[cfg(target_os = "linux")]
        map.advise(memmap2::Advice::HugePage).ok();
        let start = map.as_ptr().align_offset(LARGE_PAGE);
        Ok(Memory { map, start, len })
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.start..][..self.len]
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[self.start..][..self.len]
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
        assert!(Memory::zeroed(usize::MAX).is_err());
    }
}
