//! A reader over bytes that never reads past their end and says where it stopped.

use crate::error::Fault;

pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Fault> {
        if count > self.remaining() {
            let left = self.remaining();
            let text = format!("{what} needs {count} bytes but the file has {left} left");
            return Err(Fault::new(self.at, text));
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let bytes = self.take(N, what)?;
        Ok(bytes.try_into().expect("take returns as many bytes as asked"))
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A 64-bit count of items that take at least `item_bytes` each, so that the count is
    /// justified by what is left of the file before anyone allocates for it.
    pub fn count(&mut self, item_bytes: usize, what: &str) -> Result<usize, Fault> {
        let at = self.at;
        let count = self.u64(what)?;
        let most = self.remaining() / item_bytes.max(1);
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(Fault::new(at, format!("{what} is {count}, more than the file can hold"))),
        }
    }

    /// A string: 64-bit length, then UTF-8 without a terminator.
    pub fn string(&mut self, what: &str) -> Result<&'a str, Fault> {
        let length = self.count(1, what)?;
        let at = self.at;
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|error| {
            Fault::new(at + error.valid_up_to(), format!("{what} is not valid UTF-8"))
        })
    }
}
