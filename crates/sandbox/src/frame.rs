//! What goes through the pipes: a kind, a length, and so many bytes.

/// Kind and length: one byte and four, the least significant first.
pub(crate) const HEADER_BYTES: usize = 5;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To a cell: do your work on this.
    Work = 0,
    /// To a cell: try these acts.
    Acts = 1,
    /// From a cell: what the work gave.
    Done = 2,
    /// From a cell: the work panicked, and said this.
    Panicked = 3,
    /// From a cell: these required layers are missing, nothing was read.
    Layers = 4,
}

impl Kind {
    pub(crate) fn of(byte: u8) -> Option<Kind> {
        let all = [Kind::Work, Kind::Acts, Kind::Done, Kind::Panicked, Kind::Layers];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The header of a frame with so many bytes. What is longer than a frame can say is refused before.
pub(crate) fn header(kind: Kind, bytes: usize) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(bytes).expect("requests and answers are limited to less");
    let [a, b, c, d] = length.to_le_bytes();
    [kind as u8, a, b, c, d]
}

/// The kind and length that a header says; `None` if it is none.
pub(crate) fn parse(header: &[u8]) -> Option<(Kind, usize)> {
    let [kind, length @ ..] = header.first_chunk::<HEADER_BYTES>()?;
    Some((Kind::of(*kind)?, u32::from_le_bytes(*length) as usize))
}

/// The one frame that these bytes are, and nothing else.
pub(crate) fn only(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let (kind, length) = parse(bytes)?;
    let body = &bytes[HEADER_BYTES..];
    (body.len() == length).then_some((kind, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_or_none() {
        let mut frame = header(Kind::Done, 3).to_vec();
        assert_eq!(only(&frame), None);
        frame.extend(b"abc");
        assert_eq!(only(&frame), Some((Kind::Done, &b"abc"[..])));
        frame.push(0);
        assert_eq!(only(&frame), None);
        assert_eq!(only(&[9, 0, 0, 0, 0]), None);
        assert_eq!(only(&[]), None);
    }
}
