//! Text to rows of a table: known words have a row of their own, others are cut into pieces.

use super::{Bag, TABLE_WORDS};
use std::collections::HashMap;

/// Marks the beginning and the end of a word in a piece; no word contains them.
const OPEN: char = '<';
const CLOSE: char = '>';
/// Letters of a word, marks included, beyond which the rest is not cut into pieces.
const WORD_LETTERS: usize = 42;
/// Letters of a piece at most, marks included.
const PIECE_LETTERS: usize = 12;
/// What a letter costs that no piece covers; a piece costs 1 and 1 divided by its letters.
const UNCOVERED: f32 = 3.0;

/// The words and pieces of a table, by their row.
#[derive(Debug, Default)]
pub struct Lexicon {
    rows: HashMap<String, u32>,
}

/// The cheapest way to cover a word up to some letter.
#[derive(Clone, Copy)]
struct Cover {
    cost: f32,
    // Where the last piece begins.
    from: usize,
    row: Option<u32>,
}

impl Lexicon {
    /// The lexicon whose row `i` is the `i`-th entry.
    ///
    /// # Errors
    /// What is wrong, where an entry is empty or stands twice.
    pub fn new(entries: Vec<String>) -> Result<Lexicon, String> {
        let mut rows = HashMap::with_capacity(entries.len());
        for (row, entry) in entries.into_iter().enumerate() {
            if entry.is_empty() {
                return Err(format!("entry {row} is empty"));
            }
            if rows.contains_key(&entry) {
                return Err(format!("entry {row}, {entry:?}, stands twice"));
            }
            rows.insert(entry, row as u32);
        }
        Ok(Lexicon { rows })
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a word, or a piece with its marks, is an entry.
    pub fn contains(&self, entry: &str) -> bool {
        self.rows.contains_key(entry)
    }

    /// The rows of a text's first [`TABLE_WORDS`] words with their factors.
    pub fn bag(&self, text: &str) -> Bag {
        let mut bag = Bag::new();
        let mut count = 0;
        each_word(text, |word| {
            if count < TABLE_WORDS {
                count += 1;
                bag.extend(self.rows_of(word));
            }
        });
        gather(bag)
    }

    /// The rows of a word: its own with factor 1, or those of its pieces with equal factors whose
    /// squares add up to 1.
    pub fn rows_of(&self, word: &str) -> Bag {
        if let Some(&row) = self.rows.get(word) {
            return vec![(row, 1.0)];
        }
        let mut rows = self.pieces(word);
        let factor = 1.0 / (rows.len().max(1) as f32).sqrt();
        rows.iter_mut().for_each(|(_, slot)| *slot = factor);
        rows
    }

    /// The pieces that cover a word with the least cost; of equal covers, the first found.
    pub fn pieces(&self, word: &str) -> Bag {
        let letters: Vec<char> =
            std::iter::once(OPEN).chain(word.chars()).chain(std::iter::once(CLOSE)).collect();
        if letters.len() > WORD_LETTERS {
            return Bag::new();
        }
        let covers = self.covers(&letters);
        let mut pieces = Bag::new();
        let mut end = letters.len();
        while end > 0 {
            pieces.extend(covers[end].row.map(|row| (row, 1.0)));
            end = covers[end].from;
        }
        pieces
    }

    fn covers(&self, letters: &[char]) -> Vec<Cover> {
        let unreached = Cover { cost: f32::INFINITY, from: 0, row: None };
        let mut covers = vec![unreached; letters.len() + 1];
        covers[0].cost = 0.0;
        let mut piece = String::new();
        for from in 0..letters.len() {
            piece.clear();
            for end in from + 1..=letters.len().min(from + PIECE_LETTERS) {
                piece.push(letters[end - 1]);
                let length = end - from;
                let row = (length > 1).then(|| self.rows.get(&piece).copied()).flatten();
                let cost = match row {
                    Some(_) => 1.0 + 1.0 / length as f32,
                    None if length == 1 => UNCOVERED,
                    None => continue,
                };
                let cost = covers[from].cost + cost;
                if cost < covers[end].cost {
                    covers[end] = Cover { cost, from, row };
                }
            }
        }
        covers
    }
}

/// Calls `take` with each word of a text: a run of letters and digits, in lower case.
pub fn each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        } else if !word.is_empty() {
            take(&word);
            word.clear();
        }
    }
    if !word.is_empty() {
        take(&word);
    }
}

/// Rows in rising order, each once, with the sum of its factors from first to last.
pub fn gather(mut bag: Bag) -> Bag {
    bag.sort_by_key(|(row, _)| *row);
    let mut out = Bag::with_capacity(bag.len());
    for (row, factor) in bag {
        match out.last_mut() {
            Some((last, sum)) if *last == row => *sum += factor,
            _ => out.push((row, factor)),
        }
    }
    out
}
