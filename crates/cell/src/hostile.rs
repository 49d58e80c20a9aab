//! What a cell that was taken over may say, as it would be heard: for fuzzing.

use crate::frame::{self, SAY_BYTES_MAX};
use crate::message::Say;
use crate::route::{More, Route, Stream};
use allod_engine::{Event, GenerateRequest, Inlet, TOP_LOGPROBS_MAX, connection};
use std::collections::HashMap;
use std::sync::mpsc::channel;

/// The model that is asked has so many tokens, and so long a context.
const TOKENS: usize = 300;
const CONTEXT_TOKENS: usize = 64;
/// Pieces that a completion may have: one for each token, and those that hold none.
const PIECES_MAX: usize = 20 + 64;

/// Hears what a cell says that was asked for two completions (under the numbers 1 and 2) and one
/// plain question (3). Gives how many messages were as agreed.
///
/// # Panics
/// If anything reaches who asked that was not agreed: that is what is looked for.
#[must_use]
pub fn hear(bytes: &[u8]) -> usize {
    let request = GenerateRequest { max_tokens: 20, n: 2, ..GenerateRequest::default() };
    let (mut open, mut outlets) = (HashMap::new(), Vec::new());
    for number in [1, 2] {
        let ((asker, begun), (inlet, outlet)) = (channel(), connection());
        let stream = Stream::new(&request, asker, outlet, (CONTEXT_TOKENS, TOKENS));
        open.insert(number, Route::Stream(Box::new(stream)));
        outlets.push((begun, inlet));
    }
    let (asker, answer) = channel();
    open.insert(3, Route::Once(asker));
    let (mut input, mut agreed) = (bytes, 0);
    while let Ok((number, said)) = frame::read::<Say>(&mut input, SAY_BYTES_MAX) {
        let Some(route) = open.get_mut(&number) else { continue };
        match route.take(said) {
            Ok(More::Comes | More::Begins(_)) => {}
            Ok(More::None) => drop(open.remove(&number)),
            Err(_) => break,
        }
        agreed += 1;
    }
    drop(open);
    for (begun, inlet) in outlets {
        assert!(begun.try_iter().count() <= 1, "a request begins once");
        check(&inlet, &request);
    }
    assert!(answer.try_iter().count() <= 1, "a question has one answer");
    agreed
}

fn check(inlet: &Inlet, request: &GenerateRequest) {
    let mut pieces = vec![0; request.n];
    let mut ended = vec![false; request.n];
    for event in inlet.events.try_iter() {
        let Event::Text { choice, token, finish, .. } = event else { continue };
        assert!(!ended[choice], "nothing comes after the end");
        pieces[choice] += 1;
        ended[choice] = finish.is_some();
        let Some(token) = token else { continue };
        assert!(token.top.len() <= TOP_LOGPROBS_MAX);
        let all = token.top.iter().map(|(id, _)| *id).chain([token.token]);
        assert!(all.into_iter().all(|id| (id as usize) < TOKENS), "tokens are the vocabulary's");
    }
    assert!(pieces.iter().all(|pieces| *pieces <= PIECES_MAX), "no more than was asked for");
}

/// Sound conversations, to begin from.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let event = |event| Say::Event(event);
    let text = |choice, token, finish| {
        let token = Some(allod_engine::ChosenToken {
            token,
            score: 0.5,
            logprob: Some(-0.5),
            top: vec![(token, -0.5), (7, -1.0)],
        });
        event(Event::Text { choice, text: "é".into(), token, finish })
    };
    let stop = Some(allod_engine::Finish::Stop);
    let begun = || Say::Begun { prompt_tokens: 3, adapter: None, comes: true };
    let whole = vec![
        (1, begun()),
        (0, Say::Pulse),
        (1, event(Event::Reading { cached: 2 })),
        (2, begun()),
        (1, text(0, 9, None)),
        (1, text(1, 299, stop)),
        (2, text(1, 1, None)),
        (3, Say::Tokens(vec![1, 2, 3])),
        (1, text(0, 4, stop)),
    ];
    let failed = allod_engine::Error::Run { what: "it broke".into() };
    let others = vec![
        (3, Say::Counts(vec![1, 2])),
        (3, Say::Vectors(vec![vec![0.5, -0.0], vec![1.0]])),
        (3, Say::Scores(vec![0.25])),
        (3, Say::Stats(Box::default())),
        (3, Say::Text("plain".into())),
        (1, Say::Failed(failed)),
        (2, Say::Done),
    ];
    let written = |messages: Vec<(u64, Say)>| {
        let bytes = messages.iter().filter_map(|(number, said)| frame::bytes(*number, said).ok());
        bytes.collect::<Vec<_>>().concat()
    };
    let each = others.into_iter().map(|message| vec![message]);
    std::iter::once(whole).chain(each).map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ mixed >> 31) as usize % bound.max(1)
        }
    }

    /// One change of what was sound: a byte, a cut, a length, a part of another.
    fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] = random.below(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 if bytes.len() >= at + 4 => {
                let lengths = [0, 1, 1 << 16, u32::MAX, bytes.len() as u32];
                let length = lengths[random.below(lengths.len())];
                bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            }
            4 => drop(bytes.splice(at..at, other[random.below(other.len())..].iter().copied())),
            _ => bytes.extend_from_slice(other),
        }
        bytes.truncate(1 << 14);
    }

    /// 200,000 were run by hand with `ALLOD_HOSTILE_INPUTS=200000`.
    #[test]
    fn whatever_a_cell_says_nobody_gets_what_was_not_agreed() {
        let count = std::env::var("ALLOD_HOSTILE_INPUTS").ok().and_then(|text| text.parse().ok());
        let (seeds, mut random) = (seeds(), Random(1));
        assert_eq!(hear(&seeds[0]), 8, "what is sound is heard to its end");
        let (mut agreed, mut none) = (0, 0);
        for _ in 0..count.unwrap_or(5_000) {
            let mut bytes = match random.below(10) {
                0 => (0..random.below(200)).map(|_| random.below(256) as u8).collect(),
                _ => seeds[random.below(seeds.len())].clone(),
            };
            for _ in 0..random.below(5) {
                let other = &seeds[random.below(seeds.len())];
                change(&mut bytes, other, &mut random);
            }
            let heard = hear(&bytes);
            agreed += usize::from(heard > 0);
            none += usize::from(heard == 0);
        }
        assert!(agreed > none / 4 && none > 0, "{agreed} said something, {none} nothing");
    }
}
