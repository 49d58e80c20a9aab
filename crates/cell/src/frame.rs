//! What goes through the pipes: a length, a number that says which request it belongs to, and a
//! message.

use crate::wire::{Wire, only};
use std::io::{self, ErrorKind, Read, Write};

/// The longest message that a cell reads.
pub(crate) const ASK_BYTES_MAX: usize = 256 << 20;
/// The longest that is read of what a cell says.
pub(crate) const SAY_BYTES_MAX: usize = 32 << 20;

const HEADER_BYTES: usize = 12;

/// One message as it is written.
pub(crate) fn bytes<T: Wire>(number: u64, message: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER_BYTES];
    message.put(&mut bytes);
    let length = bytes.len() - HEADER_BYTES;
    if length > ASK_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the message is too long"));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[4..HEADER_BYTES].copy_from_slice(&number.to_le_bytes());
    Ok(bytes)
}

/// Writes one message in one piece.
pub(crate) fn write<T: Wire>(out: &mut impl Write, number: u64, message: &T) -> io::Result<()> {
    out.write_all(&bytes(number, message)?)
}

/// Reads one message of at most `most` bytes, and its number; an error also where it is none, and
/// where nothing comes.
pub(crate) fn read<T: Wire>(input: &mut impl Read, most: usize) -> io::Result<(u64, T)> {
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header)?;
    let [a, b, c, d, number @ ..] = header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let bad = || io::Error::new(ErrorKind::InvalidData, "not a message");
    if length > most {
        return Err(bad());
    }
    // Only what really comes takes memory.
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok((u64::from_le_bytes(number), only(&bytes).ok_or_else(bad)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_as_they_were_sent_and_nothing_else_does() {
        let mut bytes = Vec::new();
        write(&mut bytes, 7, &"one".to_string()).unwrap();
        write(&mut bytes, 1 << 40, &"two".to_string()).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read::<String>(&mut input, 9).unwrap(), (7, "one".into()));
        assert_eq!(read::<String>(&mut input, 9).unwrap(), (1 << 40, "two".into()));
        assert_eq!(read::<String>(&mut input, 9).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(read::<String>(&mut &bytes[..14], 9).is_err());
        assert!(read::<u32>(&mut bytes.as_slice(), 9).is_err());
        bytes[..4].fill(0xff);
        assert_eq!(
            read::<String>(&mut bytes.as_slice(), 9).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
    }
}
