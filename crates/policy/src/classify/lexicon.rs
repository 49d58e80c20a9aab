//! All words of all lists in one tree, so that each word of a text is looked up once, whatever
//! the number of patterns.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::complexity::kinds_of_words;
use super::pattern::{Pattern, Word};
use super::places::{Places, width};
use super::tokens::Tokens;
use super::words::{Entry, Kind, lists};

/// Words that stand for each other in a pattern: their number.
pub(super) type Class = u16;

/// The tree, and the patterns over its classes.
pub(super) struct Lexicon {
    tree: Tree,
    /// The classes that hold every number.
    numbers: Vec<Class>,
    /// By their kind, those of one in the order of the lists.
    patterns: Vec<(Kind, String, Pattern<Class>)>,
    /// Of each pattern, the class of its last word, by which most are known not to be there.
    last: Vec<Class>,
    /// The classes of the kinds of words that [`super::Complexity`] counts, in their order.
    counted: Vec<Class>,
    classes: usize,
}

/// All nodes one after the other, as a text is read: no node has memory of its own.
#[derive(Default)]
struct Tree {
    nodes: Vec<Flat>,
    /// The bytes that go on from the nodes, and the nodes that they lead to.
    bytes: Vec<u8>,
    next: Vec<u32>,
    classes: Vec<Class>,
    /// The node of each first byte; 0 where there is none, as no byte leads to the root.
    first: Vec<u32>,
}

/// A node: its share of the bytes, and of the classes, those of whole words after those of
/// beginnings.
struct Flat {
    bytes: Range<u32>,
    beginnings: Range<u32>,
    wholes: Range<u32>,
}

impl Tree {
    fn of(nodes: &[Node]) -> Tree {
        let mut tree = Tree { first: vec![0; 256], ..Tree::default() };
        let add = |all: &mut Vec<Class>, these: &[Class]| {
            let from = all.len() as u32;
            all.extend(these);
            from..all.len() as u32
        };
        for node in nodes {
            let from = tree.bytes.len() as u32;
            tree.bytes.extend(&node.bytes);
            tree.next.extend(node.next.iter().map(|next| *next as u32));
            let bytes = from..tree.bytes.len() as u32;
            let beginnings = add(&mut tree.classes, &node.beginning);
            let wholes = add(&mut tree.classes, &node.whole);
            tree.nodes.push(Flat { bytes, beginnings, wholes });
        }
        for (byte, next) in nodes[0].bytes.iter().zip(&nodes[0].next) {
            tree.first[usize::from(*byte)] = *next as u32;
        }
        tree
    }

    /// The node that a byte leads to.
    fn next(&self, node: &Flat, byte: u8) -> Option<&Flat> {
        let edges = node.bytes.start as usize..node.bytes.end as usize;
        let at = self.bytes[edges.clone()].iter().position(|known| *known == byte)?;
        Some(&self.nodes[self.next[edges.start + at] as usize])
    }

    fn classes(&self, range: &Range<u32>) -> &[Class] {
        &self.classes[range.start as usize..range.end as usize]
    }
}

/// A beginning of words.
#[derive(Default)]
struct Node {
    /// The bytes that go on, and the nodes that they lead to.
    bytes: Vec<u8>,
    next: Vec<usize>,
    /// The classes that hold this word.
    whole: Vec<Class>,
    /// The classes that hold every word that begins so.
    beginning: Vec<Class>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

impl Lexicon {
    fn new() -> Lexicon {
        let mut builder = Builder::default();
        let counted = kinds_of_words().map(|words| builder.class(words)).collect();
        let mut patterns: Vec<_> = lists()
            .map(|Entry { kind, name, pattern }| {
                (kind, name, pattern.map(|words| builder.class(words)))
            })
            .collect();
        // Stable: those of one kind stay in the order of the lists.
        patterns.sort_by_key(|(kind, ..)| *kind);
        let last = patterns.iter().map(|(_, _, pattern)| pattern.last().copied());
        let last = last.map(|last| last.expect("a pattern ends with a word")).collect();
        let classes = builder.known.len();
        let Builder { nodes, numbers, .. } = builder;
        Lexicon { tree: Tree::of(&nodes), numbers, patterns, last, counted, classes }
    }

    /// Calls for each class that holds a word.
    fn look_up(&self, word: &str, mut found: impl FnMut(Class)) {
        let Some((first, rest)) = word.as_bytes().split_first() else { return };
        let first = self.tree.first[usize::from(*first)];
        if first == 0 {
            return;
        }
        let mut node = &self.tree.nodes[first as usize];
        self.tree.classes(&node.beginnings).iter().for_each(|class| found(*class));
        for byte in rest {
            let Some(next) = self.tree.next(node, *byte) else { return };
            node = next;
            self.tree.classes(&node.beginnings).iter().for_each(|class| found(*class));
        }
        self.tree.classes(&node.wholes).iter().for_each(|class| found(*class));
    }
}

/// A lexicon in the making.
struct Builder {
    nodes: Vec<Node>,
    numbers: Vec<Class>,
    known: BTreeMap<Vec<Word>, Class>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder { nodes: vec![Node::default()], numbers: Vec::new(), known: BTreeMap::new() }
    }
}

impl Builder {
    /// The class of these words; the same for the same words.
    fn class(&mut self, words: Vec<Word>) -> Class {
        if let Some(known) = self.known.get(&words) {
            return *known;
        }
        let class = Class::try_from(self.known.len()).expect("the lists have fewer words");
        for word in &words {
            match word {
                Word::Whole(text) => {
                    let node = self.node(text);
                    node.whole.push(class);
                }
                Word::Beginning(text) => {
                    let node = self.node(text);
                    node.beginning.push(class);
                }
                Word::Number => self.numbers.push(class),
            }
        }
        self.known.insert(words, class);
        class
    }

    fn node(&mut self, word: &str) -> &mut Node {
        let mut at = 0;
        for byte in word.bytes() {
            let known = self.nodes[at].bytes.iter().position(|known| *known == byte);
            at = match known {
                Some(known) => self.nodes[at].next[known],
                None => {
                    let new = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].bytes.push(byte);
                    self.nodes[at].next.push(new);
                    new
                }
            };
        }
        &mut self.nodes[at]
    }
}

/// A text as classifiers see it: its words, and where those of the lists stand.
pub(crate) struct Reading {
    pub(crate) tokens: Tokens,
    starts: Places,
    /// Of each class, which row of places is its own, counted from 1; 0 for none.
    row_of: Vec<Class>,
    rows: Vec<u64>,
}

impl Reading {
    pub(super) fn of(text: &str) -> Reading {
        let tokens = Tokens::of(text);
        let (width, lexicon) = (width(&tokens), &*LEXICON);
        let starts = Places::of(&tokens, |token| token.starts);
        let (mut row_of, mut rows) = (vec![0; lexicon.classes], Vec::new());
        for (place, token) in tokens.iter().enumerate() {
            let mut mark = |class: Class| {
                let row = &mut row_of[usize::from(class)];
                if *row == 0 {
                    rows.resize(rows.len() + width, 0_u64);
                    *row = (rows.len() / width) as Class;
                }
                rows[(usize::from(*row) - 1) * width + place / 64] |= 1 << (place % 64);
            };
            lexicon.look_up(token.text, &mut mark);
            if token.text.starts_with(|c: char| c.is_ascii_digit()) {
                lexicon.numbers.iter().for_each(|class| mark(*class));
            }
        }
        Reading { tokens, starts, row_of, rows }
    }

    /// The places of a class, if it has any.
    fn row(&self, class: Class) -> Option<&[u64]> {
        let width = self.starts.0.len();
        let row = usize::from(self.row_of[usize::from(class)]).checked_sub(1)?;
        Some(&self.rows[row * width..(row + 1) * width])
    }

    /// The patterns of a kind that are found, in the order of the lists.
    pub(super) fn found(&self, kind: Kind) -> Vec<String> {
        let Lexicon { patterns, last, .. } = &*LEXICON;
        let first = patterns.partition_point(|(known, ..)| *known < kind);
        let after = patterns.partition_point(|(known, ..)| *known <= kind);
        let may_be = |place: &usize| self.row_of[usize::from(last[*place])] != 0;
        let those = (first..after).filter(may_be).map(|place| &patterns[place]);
        let found = those
            .filter(|(_, _, pattern)| pattern.is_found(&self.starts.0, |class| self.row(*class)));
        found.map(|(_, name, _)| name.clone()).collect()
    }

    /// How many words of each counted kind there are, and whether the first word is one.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, bool)> {
        LEXICON.counted.iter().map(|class| match self.row(*class) {
            Some(row) => {
                let count: u32 = row.iter().map(|places| places.count_ones()).sum();
                (count as usize, row[0] & 1 != 0)
            }
            None => (0, false),
        })
    }

    /// How many sentences begin in it.
    pub(super) fn sentences(&self) -> usize {
        self.starts.0.iter().map(|places| places.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pattern of the lists finds in the tree what it finds by itself.
    #[test]
    fn the_tree_finds_what_each_pattern_finds_alone() {
        let texts = super::super::tests::texts();
        let entries: Vec<Entry> = lists().collect();
        let mut hits = 0;
        for text in &texts {
            let reading = Reading::of(text);
            for (_, kind) in <Kind as crate::choice::Choice>::ALL {
                let alone = entries.iter().filter(|entry| entry.kind == *kind);
                let alone = alone.filter(|entry| entry.pattern.is_in(&reading.tokens));
                let alone: Vec<String> = alone.map(|entry| entry.name.clone()).collect();
                assert_eq!(reading.found(*kind), alone, "{text}");
                hits += alone.len();
            }
        }
        assert!(hits > 100, "{hits}");
    }
}
