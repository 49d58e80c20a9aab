//! Numbers of a few bits in words of 32, least significant first.

/// Word `index` of little-endian words.
#[inline(always)]
pub(super) fn word(bytes: &[u8], index: usize) -> u32 {
    let at = 4 * index;
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The number of `bits` (at most 8) bits at bit `shift` (below 32) of `low`, which may reach into
/// `high`.
#[inline(always)]
pub(super) fn field(low: u32, high: u32, shift: usize, bits: u32) -> u8 {
    let both = u64::from(low) | u64::from(high) << 32;
    (both >> shift) as u8 & mask(bits)
}

/// The largest number of `bits` (1 to 8) bits.
#[inline(always)]
pub(super) fn mask(bits: u32) -> u8 {
    u8::MAX >> (8 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_span_two_words() {
        assert_eq!(field(0xc000_0000, 0b1, 30, 3), 0b111);
        assert_eq!(field(0xdead_beef, 0, 8, 8), 0xbe);
        assert_eq!((mask(1), mask(3), mask(8)), (1, 7, 255));
    }
}
