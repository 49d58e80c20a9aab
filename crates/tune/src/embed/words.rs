//! Texts as numbers of words, and how often each word stands in each language.

use super::documents::LANGUAGES;
use super::works::{Kind, Version, Work, Works};
use allod_lm::each_word;
use std::collections::HashMap;

/// Words of a title, a heading and a paragraph that are kept.
const TITLE_WORDS: usize = 60;
const PARAGRAPH_WORDS: usize = 300;
/// Paragraphs of prose shorter than this many words are left out.
const PROSE_WORDS: usize = 12;

/// Numbers of words.
pub(super) type Text = Vec<u32>;

/// A word and its count in each language.
pub(super) type Count = (String, [u32; LANGUAGES.len()]);

/// Every word that was read, by its number.
#[derive(Default)]
pub(super) struct Words {
    numbers: HashMap<String, u32>,
    pub(super) counts: Vec<Count>,
}

impl Words {
    fn text(&mut self, text: &str, language: usize, most: usize) -> Text {
        let mut out = Text::new();
        each_word(text, |word| {
            if out.len() == most {
                return;
            }
            let number = self.number(word);
            self.counts[number as usize].1[language] += 1;
            out.push(number);
        });
        out
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.counts.len() as u32;
        self.numbers.insert(word.to_string(), number);
        self.counts.push((word.to_string(), [0; LANGUAGES.len()]));
        number
    }
}

/// An article in one language, in words.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) language: usize,
    pub(super) title: Text,
    pub(super) heading: Text,
    pub(super) lines: Vec<Text>,
    /// The lines one after the other.
    pub(super) text: Text,
}

/// An act in words.
pub(super) struct Act {
    pub(super) kind: Kind,
    pub(super) articles: Vec<Vec<Side>>,
}

/// All that is trained on, in words.
pub(super) struct Reader {
    pub(super) words: Words,
    pub(super) acts: Vec<Act>,
    pub(super) prose: Vec<Vec<Text>>,
    pub(super) lines: Vec<[Text; 2]>,
}

impl Reader {
    pub(super) fn of(works: Works) -> Reader {
        let mut words = Words::default();
        let acts = works.works.iter().map(|work| words.act(work)).collect();
        let prose = works.prose.iter().map(|(language, paragraphs)| {
            let texts = paragraphs.iter().map(|text| words.text(text, *language, PARAGRAPH_WORDS));
            texts.filter(|text| text.len() >= PROSE_WORDS).collect()
        });
        let prose = prose.collect();
        let lines = works.lines.iter().map(|[german, romansh]| {
            let german = words.text(german, super::documents::GERMAN, PARAGRAPH_WORDS);
            [german, words.text(romansh, super::documents::ROMANSH, PARAGRAPH_WORDS)]
        });
        let lines = lines.collect();
        Reader { words, acts, prose, lines }
    }
}

impl Words {
    fn act(&mut self, work: &Work) -> Act {
        let articles = work.articles.iter();
        let articles = articles.map(|versions| versions.iter().map(|v| self.side(v)).collect());
        Act { kind: work.kind, articles: articles.collect() }
    }

    fn side(&mut self, version: &Version) -> Side {
        let language = version.language;
        let lines: Vec<Text> = version
            .lines
            .iter()
            .map(|line| self.text(line, language, PARAGRAPH_WORDS))
            .filter(|line| !line.is_empty())
            .collect();
        Side {
            language,
            title: self.text(&version.title, language, TITLE_WORDS),
            heading: self.text(&version.heading, language, TITLE_WORDS),
            text: lines.concat(),
            lines,
        }
    }
}
