//! Memory that is read from one end to the other: in large pages of the system where it has them,
//! as the processor looks ahead no further than a page.

#![allow(unsafe_code)] // memory that is given a type

use crate::packed::Tile;
use memmap2::MmapMut;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Bytes of a large page, on whose multiples memory of that size begins.
pub(crate) const LARGE_PAGE: usize = 2 << 20;

/// Asks for values that will be read soon, where the processor can be asked.
pub fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults and changes no value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

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

/// What a [`Buffer`] may hold: any bytes are a value, and it may begin at a multiple of 64.
///
/// # Safety
/// As said; it has no bytes that are not part of its value.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: any four bytes are a number.
unsafe impl Plain for f32 {}
// SAFETY: it is 512 whole numbers, aligned to 64.
unsafe impl Plain for Tile {}

/// Values in [`Memory`], as many as were ever asked for; what they are is for who uses them to set.
pub(crate) struct Buffer<T: Plain> {
    memory: Option<Memory>,
    len: usize,
    kind: PhantomData<T>,
}

impl<T: Plain> Buffer<T> {
    pub const EMPTY: Buffer<T> = Buffer { memory: None, len: 0, kind: PhantomData };

    /// At least `len` values. Those that were there are lost when it grows.
    ///
    /// # Panics
    /// When the system does not give so much.
    pub fn reach(&mut self, len: usize) -> &mut [T] {
        if len > self.len {
            // The old memory first, so that both are never there.
            (self.memory, self.len) = (None, 0);
            let bytes = len.checked_mul(size_of::<T>()).expect("a size in bytes");
            // What is read again and again is worth a whole large page.
            let bytes = if bytes < LARGE_PAGE / 8 { bytes } else { bytes.max(LARGE_PAGE) };
            self.memory = Some(Memory::zeroed(bytes).expect("memory for a buffer"));
            self.len = len;
        }
        &mut self[..]
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.memory {
            // SAFETY: the memory has `len` values, begins at a multiple of 64, and is borrowed for
            // as long; any bytes are values.
            Some(memory) => unsafe { from_raw_parts(memory.as_ptr().cast(), self.len) },
            None => &[],
        }
    }
}

impl<T: Plain> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.memory {
            // SAFETY: as above, and nobody else has it.
            Some(memory) => unsafe { from_raw_parts_mut(memory.as_mut_ptr().cast(), self.len) },
            None => &mut [],
        }
    }
}

impl<T: Plain> Clone for Buffer<T> {
    fn clone(&self) -> Buffer<T> {
        let mut copy = Buffer::EMPTY;
        copy.reach(self.len).copy_from_slice(self);
        copy
    }
}

impl<T: Plain> Default for Buffer<T> {
    fn default() -> Buffer<T> {
        Buffer::EMPTY
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

    #[test]
    fn a_buffer_grows_to_the_most_that_was_asked_for() {
        let mut buffer = Buffer::<f32>::default();
        assert!(buffer.is_empty() && buffer.clone().is_empty());
        for len in [1, 1_000_000, 100] {
            assert!(buffer.reach(len).len() >= len);
        }
        assert_eq!(buffer.len(), 1_000_000);
        assert!(buffer.as_ptr().cast::<Tile>().is_aligned());
        buffer.fill(1.5);
        assert!(buffer.clone().iter().all(|value| *value == 1.5));
    }
}
