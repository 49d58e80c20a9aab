//! Which words and pieces of words get a row.

use super::documents::{LANGUAGES, ROMANSH};
use super::words::Count;
use allod_lm::Lexicon;
use std::collections::HashMap;

/// Romansh has far fewer words than the others; its shares count so much.
const ROMANSH_SHARE: f64 = 0.6;
/// Letters of a piece, the marks of a word's ends included.
const PIECE_LETTERS: [usize; 2] = [2, 8];
/// A word that is read less often does not speak for its pieces.
const PIECE_COUNT: u32 = 3;
/// Candidates for each piece that is kept.
const CANDIDATES: usize = 4;

/// `words` most frequent words, by the mean of their shares in the languages, then the `pieces`
/// that are used most to cover the other words.
pub(super) fn vocabulary(counts: &[Count], words: usize, pieces: usize) -> Vec<String> {
    let mut entries = frequent(counts, words);
    let known = lexicon(entries.clone());
    let candidates: Vec<String> = candidates(counts)
        .into_iter()
        .filter(|piece| !known.contains(piece))
        .take(pieces * CANDIDATES)
        .collect();
    let first = entries.len();
    let both = lexicon(entries.iter().chain(&candidates).cloned().collect());
    let mut uses = vec![0.0f64; candidates.len()];
    for (word, counts) in counts {
        let count: u32 = counts.iter().sum();
        if count < PIECE_COUNT || known.contains(word) || has_digit(word) {
            continue;
        }
        let rows = both.pieces(word).into_iter().map(|(row, _)| row as usize);
        rows.filter(|row| *row >= first)
            .for_each(|row| uses[row - first] += f64::from(count).sqrt());
    }
    entries.extend(most(uses.into_iter().zip(candidates).collect(), pieces));
    entries
}

fn lexicon(entries: Vec<String>) -> Lexicon {
    Lexicon::new(entries).expect("words differ, and candidates are not among the words")
}

fn frequent(counts: &[Count], words: usize) -> Vec<String> {
    let mut totals = [0.0f64; LANGUAGES.len()];
    for (_, counts) in counts {
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += f64::from(*count));
    }
    let share = |counts: &[u32; LANGUAGES.len()]| -> f64 {
        let shares = counts.iter().zip(totals).map(|(c, total)| f64::from(*c) / total.max(1.0));
        let weigh = |(language, share)| match language {
            ROMANSH => share * ROMANSH_SHARE,
            _ => share,
        };
        shares.enumerate().map(weigh).sum()
    };
    let fits = |word: &str| word.len() <= 3 || word.chars().any(char::is_alphabetic);
    let words_of = counts.iter().filter(|(word, _)| fits(word) && word.len() < 256);
    most(words_of.map(|(word, counts)| (share(counts), word.clone())).collect(), words)
}

/// Runs of letters of all words, those that cover most of what is read first.
fn candidates(counts: &[Count]) -> Vec<String> {
    let mut scores: HashMap<String, f64> = HashMap::new();
    for (word, counts) in counts {
        let count: u32 = counts.iter().sum();
        if count < 2 || has_digit(word) {
            continue;
        }
        let letters: Vec<char> = format!("<{word}>").chars().collect();
        for length in PIECE_LETTERS[0]..=PIECE_LETTERS[1].min(letters.len() - 1) {
            let score = f64::from(count).sqrt() * (length as f64).sqrt();
            for piece in letters.windows(length) {
                *scores.entry(piece.iter().collect()).or_default() += score;
            }
        }
    }
    let all = scores.len();
    most(scores.into_iter().map(|(piece, score)| (score, piece)).collect(), all)
}

/// The best `count` by score, then by name.
fn most(mut scored: Vec<(f64, String)>, count: usize) -> Vec<String> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.truncate(count);
    scored.into_iter().map(|(_, name)| name).collect()
}

fn has_digit(word: &str) -> bool {
    word.chars().any(|letter| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_come_whole_and_pieces_cover_the_others() {
        let count = |word: &str, count: u32| (word.to_string(), [count, 0, 0, 0, 0]);
        let counts =
            [count("schule", 90), count("weg", 80), count("schulweg", 5), count("schulhaus", 5)];
        let entries = vocabulary(&counts, 2, 3);
        assert_eq!(entries[..2], ["schule", "weg"]);
        assert_eq!(entries.len(), 5);
        let lexicon = Lexicon::new(entries).unwrap();
        assert!(lexicon.rows_of("schulweg").len() > 1);
    }
}
