//! Protocol Buffers' wire format, as far as a SentencePiece model needs it.
//!
//! <https://protobuf.dev/programming-guides/encoding>. Nothing is copied; a length beyond the end
//! of the bytes is an error before anything is taken.

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged {
    pub at: usize,
    pub what: &'static str,
}

/// The value of a field.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    /// Eight bytes; no field that is read here has this form.
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of a message in the order of its bytes.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    pub fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, position: 0 }
    }

    fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { at: self.position, what }
    }

    fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.take(1)?.first().expect("one byte was taken");
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.damaged("a number has more than 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number has more than ten bytes"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let end = self.position.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.damaged("a field reaches beyond the end"))?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Damaged> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed64)?,
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?.try_into().expect("four bytes were taken");
                Field::Fixed32(u32::from_le_bytes(bytes))
            }
            _ => return Err(self.damaged("a field has a form that is no longer used")),
        };
        Ok((key >> 3, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.position = self.bytes.len();
        }
        Some(field)
    }
}

/// Writes the fields of a message.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub fn varint(&mut self, field: u64, value: u64) {
        self.number(field << 3);
        self.number(value);
    }

    pub fn fixed32(&mut self, field: u64, value: u32) {
        self.number(field << 3 | 5);
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn bytes(&mut self, field: u64, value: &[u8]) {
        self.number(field << 3 | 2);
        self.number(value.len() as u64);
        self.bytes.extend(value);
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let fields: Vec<_> = Fields::new(&bytes).map(Result::unwrap).collect();
        let expected =
            [(1, Field::Varint(150)), (2, Field::Bytes(b"hi")), (3, Field::Fixed32(0x3f80_0000))];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.varint(41, u64::MAX);
        writer.bytes(2, b"hi");
        writer.fixed32(3, 7);
        writer.varint(1, 300);
        let bytes = writer.finish();
        let fields: Vec<_> = Fields::new(&bytes).map(Result::unwrap).collect();
        let expected = [
            (41, Field::Varint(u64::MAX)),
            (2, Field::Bytes(b"hi")),
            (3, Field::Fixed32(7)),
            (1, Field::Varint(300)),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn lengths_that_lie_and_numbers_without_end_are_refused() {
        let what = |bytes: &[u8]| Fields::new(bytes).find_map(Result::err).unwrap().what;
        assert!(what(&[0x12, 5, b'h']).contains("beyond"));
        assert!(
            what(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).contains("beyond")
        );
        assert!(what(&[0x08, 0xff]).contains("beyond"));
        assert!(what(&[0xff; 20]).contains("64 bits"));
        assert!(what(&[0x0b]).contains("no longer"));
        assert_eq!(Fields::new(&[]).count(), 0);
    }
}
