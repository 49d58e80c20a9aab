//! What was computed for beginnings of sequences: a tree of pages of keys and values.
//!
//! A page holds [`allod_lm::PAGE_TOKENS`] tokens; its place in the tree says what stands before it,
//! so that the same tokens after other ones are another page. Every tenant has trees of its own,
//! one for each adapter: nothing about what others asked, not even the time it takes, can be
//! learned. When there are too many bytes, the page goes that was not used for longest and that no
//! other page follows.

use crate::line::Tenant;
use allod_lm::{PAGE_TOKENS, Page};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// What pages are computed for, beside their tokens. The model is the engine's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PrefixKey {
    pub tenant: Tenant,
    /// The digest of the adapter.
    pub adapter: Option<Arc<str>>,
}

/// The trees.
pub(crate) struct Prefixes {
    roots: HashMap<PrefixKey, Children>,
    nodes: HashMap<u64, Node>,
    /// Nodes that no node follows, by when they were used last.
    leaves: BTreeSet<(u64, u64)>,
    bytes: usize,
    bytes_max: usize,
    clock: u64,
}

type Children = HashMap<Box<[u32]>, u64>;

struct Node {
    page: Page,
    tokens: Box<[u32]>,
    parent: Parent,
    children: Children,
    used: u64,
}

enum Parent {
    Root(PrefixKey),
    Node(u64),
}

impl Prefixes {
    pub fn new(bytes_max: usize) -> Prefixes {
        Prefixes {
            roots: HashMap::new(),
            nodes: HashMap::new(),
            leaves: BTreeSet::new(),
            bytes: 0,
            bytes_max,
            clock: 0,
        }
    }

    /// Bytes of all pages.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether pages are kept at all.
    pub fn is_used(&self) -> bool {
        self.bytes_max > 0
    }

    /// The pages of the longest known beginning of `tokens`, first page first.
    pub fn find(&mut self, key: &PrefixKey, tokens: &[u32]) -> Vec<Page> {
        let path = self.path(key, tokens);
        path.iter().for_each(|id| self.touch(*id));
        path.iter().map(|id| self.nodes[id].page.clone()).collect()
    }

    /// How many tokens of the longest known beginning there are.
    pub fn known(&self, key: &PrefixKey, tokens: &[u32]) -> usize {
        self.path(key, tokens).len() * PAGE_TOKENS
    }

    /// The last page of `tokens`, if that and all before it are known.
    pub fn page(&self, key: &PrefixKey, tokens: &[u32]) -> Option<Page> {
        let path = self.path(key, tokens);
        let whole = path.len() * PAGE_TOKENS == tokens.len();
        path.last().filter(|_| whole).map(|id| self.nodes[id].page.clone())
    }

    fn path(&self, key: &PrefixKey, tokens: &[u32]) -> Vec<u64> {
        let (mut path, mut children) = (Vec::new(), self.roots.get(key));
        for piece in tokens.chunks_exact(PAGE_TOKENS) {
            let Some(id) = children.and_then(|children| children.get(piece)) else { break };
            path.push(*id);
            children = Some(&self.nodes[id].children);
        }
        path
    }

    /// Keeps the pages of `tokens`. Those that are not known are made by `page`, which gets their
    /// positions.
    pub fn keep(&mut self, key: &PrefixKey, tokens: &[u32], page: impl Fn(Range<usize>) -> Page) {
        if !self.is_used() {
            return;
        }
        let path = self.path(key, tokens);
        path.iter().for_each(|id| self.touch(*id));
        let mut last = path.last().copied();
        for (number, piece) in tokens.chunks_exact(PAGE_TOKENS).enumerate().skip(path.len()) {
            let start = number * PAGE_TOKENS;
            let parent = last.map_or_else(|| Parent::Root(key.clone()), Parent::Node);
            last = Some(self.add(parent, piece.into(), page(start..start + PAGE_TOKENS)));
        }
        while self.bytes > self.bytes_max {
            self.drop_oldest();
        }
    }

    fn add(&mut self, parent: Parent, tokens: Box<[u32]>, page: Page) -> u64 {
        self.clock += 1;
        let id = self.clock;
        match &parent {
            Parent::Root(key) => {
                self.roots.entry(key.clone()).or_default().insert(tokens.clone(), id);
            }
            Parent::Node(parent) => {
                let node = self.nodes.get_mut(parent).expect("a parent outlives its children");
                self.leaves.remove(&(node.used, *parent));
                node.children.insert(tokens.clone(), id);
            }
        }
        self.bytes += page.bytes();
        self.leaves.insert((id, id));
        self.nodes.insert(id, Node { page, tokens, parent, children: Children::new(), used: id });
        id
    }

    fn touch(&mut self, id: u64) {
        self.clock += 1;
        let node = self.nodes.get_mut(&id).expect("a path is made of nodes");
        if self.leaves.remove(&(node.used, id)) {
            self.leaves.insert((self.clock, id));
        }
        node.used = self.clock;
    }

    fn drop_oldest(&mut self) {
        let (_, id) = self.leaves.pop_first().expect("where there are bytes, there is a leaf");
        let Node { page, tokens, parent, .. } = self.nodes.remove(&id).expect("a leaf is a node");
        self.bytes -= page.bytes();
        match parent {
            Parent::Root(key) => {
                let children = self.roots.get_mut(&key).expect("a root outlives its children");
                children.remove(&tokens);
                if children.is_empty() {
                    self.roots.remove(&key);
                }
            }
            Parent::Node(parent) => {
                let node = self.nodes.get_mut(&parent).expect("a parent outlives its children");
                node.children.remove(&tokens);
                if node.children.is_empty() {
                    self.leaves.insert((node.used, parent));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(tenant: &str) -> PrefixKey {
        PrefixKey { tenant: tenant.into(), adapter: None }
    }

    /// `count` pages; each is made of one token.
    fn text(pages: &[u32]) -> Vec<u32> {
        pages.iter().flat_map(|token| [*token; PAGE_TOKENS]).collect()
    }

    /// A page of 100 bytes that holds where it starts.
    fn page(range: Range<usize>) -> Page {
        Page::new(vec![range.start as f32; 25])
    }

    fn found(prefixes: &mut Prefixes, key: &PrefixKey, pages: &[u32]) -> usize {
        prefixes.find(key, &text(pages)).len()
    }

    #[test]
    fn the_longest_beginning_is_found_and_only_by_its_tenant() {
        let mut prefixes = Prefixes::new(10_000);
        prefixes.keep(&key("a"), &text(&[1, 2, 3]), page);
        prefixes.keep(&key("a"), &text(&[1, 2, 4]), page);
        assert_eq!(prefixes.bytes(), 400);
        assert_eq!(found(&mut prefixes, &key("a"), &[1, 2, 4, 5]), 3);
        assert_eq!(found(&mut prefixes, &key("a"), &[1, 5]), 1);
        assert_eq!(found(&mut prefixes, &key("a"), &[2]), 0);
        assert_eq!(found(&mut prefixes, &key("b"), &[1, 2, 3]), 0);
        let adapted = PrefixKey { adapter: Some("sha256:1".into()), ..key("a") };
        assert_eq!(found(&mut prefixes, &adapted, &[1, 2, 3]), 0);
        let mut part = text(&[1, 2]);
        part.pop();
        assert_eq!(prefixes.find(&key("a"), &part).len(), 1);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_never_a_page_before_another() {
        let mut prefixes = Prefixes::new(400);
        prefixes.keep(&key("a"), &text(&[1, 2]), page);
        prefixes.keep(&key("b"), &text(&[1, 2]), page);
        assert_eq!(found(&mut prefixes, &key("a"), &[1, 2]), 2);
        prefixes.keep(&key("c"), &text(&[1]), page);
        assert_eq!(found(&mut prefixes, &key("b"), &[1, 2]), 1);
        assert_eq!(found(&mut prefixes, &key("a"), &[1, 2]), 2);
        prefixes.keep(&key("d"), &text(&[1, 2, 3, 4, 5]), page);
        assert_eq!(prefixes.bytes(), 400);
        assert_eq!(found(&mut prefixes, &key("d"), &[1, 2, 3, 4, 5]), 4);
    }

    proptest! {
        #[test]
        fn a_hit_is_always_what_was_kept(
            texts in prop::collection::vec(prop::collection::vec(0_u32..3, 0..5), 1..40),
            pages_max in 0_usize..8,
        ) {
            let mut prefixes = Prefixes::new(pages_max * 100);
            for pages in texts {
                let hit = prefixes.find(&key("a"), &text(&pages));
                for (number, page) in hit.iter().enumerate() {
                    prop_assert_eq!(page, &self::page(number * PAGE_TOKENS..0));
                }
                prefixes.keep(&key("a"), &text(&pages), page);
                prop_assert!(prefixes.bytes() <= pages_max * 100);
                prop_assert_eq!(prefixes.bytes(), prefixes.nodes.len() * 100);
                let leaves = prefixes.nodes.values().filter(|node| node.children.is_empty());
                prop_assert_eq!(prefixes.leaves.len(), leaves.count());
                let whole = prefixes.known(&key("a"), &text(&pages));
                prop_assert!(pages.len() > pages_max || whole == pages.len() * PAGE_TOKENS);
            }
        }
    }
}
