//! What the vocabulary puts around texts, and texts cut to what a model can take.

use super::{Place, Tokenizer};
use crate::error::{Error, Result};

/// A special token, and the segment that it belongs to.
pub(super) type Framed = (u32, u32);

/// What stands around two texts, and the segments of their tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PairFrame {
    pub begin: Vec<Framed>,
    pub between: Vec<Framed>,
    pub end: Vec<Framed>,
    pub segments: [u32; 2],
}

/// Tokens of two texts that a model reads together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The tokens, special ones included.
    pub tokens: Vec<u32>,
    /// For each of them, which text it belongs to: 0 or 1, as the vocabulary counts.
    pub segments: Vec<u32>,
}

impl PairFrame {
    fn len(&self) -> usize {
        self.begin.len() + self.between.len() + self.end.len()
    }

    fn join(&self, first: &[u32], second: &[u32]) -> Pair {
        let texts = [first, second].into_iter().zip(self.segments);
        let [first, second]: [Vec<Framed>; 2] = {
            let mut texts =
                texts.map(|(ids, segment)| ids.iter().map(|id| (*id, segment)).collect());
            [texts.next().unwrap_or_default(), texts.next().unwrap_or_default()]
        };
        let all = [&self.begin, &first, &self.between, &second, &self.end];
        let (tokens, segments) = all.into_iter().flatten().copied().unzip();
        Pair { tokens, segments }
    }
}

impl Tokenizer {
    /// [`Tokenizer::encode_whole`] of as much of the text as makes at most `most` tokens, what the
    /// vocabulary puts around it included.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`], and if `most` leaves no room for a text.
    pub fn encode_within(&self, text: &str, most: usize) -> Result<Vec<u32>> {
        let room = room(most, self.begin.len() + self.end.len())?;
        let mut ids = self.begin.clone();
        self.encode_literal(text, Place::Start, &mut ids)?;
        ids.truncate(self.begin.len() + room);
        ids.extend(&self.end);
        Ok(ids)
    }

    /// The tokens of two texts, joined as the vocabulary asks, of which at most `most` are left:
    /// the longer text is shortened first, both to the same length if need be.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`], if `most` leaves no room for texts, and if the vocabulary
    /// does not say how two texts are joined.
    pub fn encode_pair(&self, first: &str, second: &str, most: usize) -> Result<Pair> {
        let frame = self.pair.as_ref();
        let frame = frame.ok_or_else(|| {
            Error::Text("the vocabulary does not say how two texts are joined".to_string())
        })?;
        let (mut first, mut second) = (self.encode_text(first)?, self.encode_text(second)?);
        let lengths = shortened([first.len(), second.len()], room(most, frame.len())?);
        first.truncate(lengths[0]);
        second.truncate(lengths[1]);
        Ok(frame.join(&first, &second))
    }
}

/// Tokens that are left for texts.
fn room(most: usize, around: usize) -> Result<usize> {
    most.checked_sub(around).filter(|room| *room > 0).ok_or_else(|| {
        Error::Text(format!("{most} tokens leave no room beside the {around} put around a text"))
    })
}

/// Two lengths that together are at most `room`, taken from the longer first. Of an odd rest the
/// text that was the longer (the second, if none was) gets one more.
fn shortened([first, second]: [usize; 2], room: usize) -> [usize; 2] {
    if first + second <= room {
        return [first, second];
    }
    let (short, swapped) = if first > second { (second, true) } else { (first, false) };
    // The shorter is kept whole if it fits beside a longer one that is at least as long.
    let kept = if short <= room - short.min(room) { short } else { room / 2 };
    if swapped { [room - kept, kept] } else { [kept, room - kept] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_text_is_shortened_first() {
        assert_eq!(shortened([3, 4], 7), [3, 4]);
        assert_eq!(shortened([3, 40], 10), [3, 7]);
        assert_eq!(shortened([40, 3], 10), [7, 3]);
        assert_eq!(shortened([40, 30], 11), [6, 5]);
        assert_eq!(shortened([30, 40], 11), [5, 6]);
        assert_eq!(shortened([30, 30], 11), [5, 6]);
        assert_eq!(shortened([5, 40], 10), [5, 5]);
    }

    #[test]
    fn a_pair_is_joined_with_its_segments() {
        let frame = PairFrame {
            begin: vec![(1, 0)],
            between: vec![(2, 0)],
            end: vec![(2, 1)],
            segments: [0, 1],
        };
        let pair = frame.join(&[10, 11], &[20]);
        assert_eq!(pair.tokens, [1, 10, 11, 2, 20, 2]);
        assert_eq!(pair.segments, [0, 0, 0, 0, 1, 1]);
    }
}
