//! What becomes of findings: masks, pseudonyms that can be taken back, or a refusal.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::finding::Finding;
use crate::fold::Folded;
use crate::kept::Change;
use crate::kind::Kind;
use crate::scan::{numbers, scan_changed, scan_keeping};

/// What is done with personal data in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A mark that names the kind takes its place.
    Redact,
    /// A pseudonym takes its place, the same for the same value; answers are mapped back.
    Pseudonymise,
    /// The text goes nowhere.
    Block,
}

/// Why a text may go nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The action is to block, and it holds personal data.
    #[error(
        "the text holds personal data ({0}), which the policy lets go nowhere; take it out, or \
         choose `redact` or `pseudonymise` in the policy"
    )]
    Blocked(String),
    /// Something is still found after all that was found was replaced.
    #[error("personal data ({0}) is still found after redaction, so the text is held back")]
    Remains(String),
    /// The system gave no random bytes for the key of pseudonyms.
    #[error("the system gave no random bytes: {0}")]
    NoRandomness(String),
}

/// Hides personal data in texts, as one key of a policy says.
#[derive(Clone)]
pub struct Shield {
    action: Action,
    kinds: BTreeSet<Kind>,
    /// Pseudonyms are made with it; it never leaves the process.
    key: [u8; 32],
}

// The key would let pseudonyms be guessed.
impl std::fmt::Debug for Shield {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shield").field("action", &self.action).finish_non_exhaustive()
    }
}

/// How often a text is gone over: what a replacement brings together may be found then.
const PASSES: usize = 3;

impl Shield {
    /// A shield for findings of these kinds; those that lead to a person by themselves if none is
    /// named.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn new(action: Action, kinds: &[Kind]) -> Result<Shield, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::NoRandomness(error.to_string()))?;
        let kinds = match kinds {
            [] => Kind::ALL.iter().copied().filter(|kind| kind.is_direct()).collect(),
            named => named.iter().copied().collect(),
        };
        Ok(Shield { action, kinds, key })
    }

    /// Begins a request of a tenant. The same value has the same pseudonym in all its texts, and
    /// in those of the tenant's other requests while the program runs.
    #[must_use]
    pub fn cover(&self, tenant: &str) -> Cover<'_> {
        Cover {
            shield: self,
            tenant: tenant.into(),
            given: BTreeMap::new(),
            hidden: BTreeMap::new(),
        }
    }

    /// What is to be hidden of what was found.
    fn meant(&self, mut found: Vec<Finding>) -> Vec<Finding> {
        found.retain(|one| self.kinds.contains(&one.kind));
        found
    }
}

/// The texts of one request, and what was hidden in them. It holds what pseudonyms stand for, in
/// memory only, and goes with the request.
pub struct Cover<'a> {
    shield: &'a Shield,
    tenant: String,
    given: BTreeMap<String, String>,
    hidden: BTreeMap<Kind, u64>,
}

impl Cover<'_> {
    /// The text with nothing of it left to be found.
    ///
    /// # Errors
    /// [`Error::Blocked`] if that is the action and something was found; [`Error::Remains`] when a
    /// number with a checksum is still found at the end.
    pub fn hide(&mut self, text: &str) -> Result<String, Error> {
        let mut text = text.to_owned();
        let (mut found, mut kept) = scan_keeping(&text);
        for _ in 0..PASSES {
            found = self.shield.meant(found);
            found.retain(|one| !is_mark(&text, one));
            if found.is_empty() {
                return Ok(text);
            }
            if self.shield.action == Action::Block {
                return Err(Error::Blocked(words(&found)));
            }
            let changes;
            (text, changes) = self.replaced(&text, &found);
            (found, kept) = scan_changed(&text, &changes, &kept);
        }
        let left = self.shield.meant(found);
        let left: Vec<Finding> = left.into_iter().filter(|one| one.kind.is_checked()).collect();
        if left.is_empty() { Ok(text) } else { Err(Error::Remains(words(&left))) }
    }

    /// Hides numbers with a checksum that are parted over several texts, which lie beside each
    /// other where they are read. What lies within one text is left to [`Cover::hide`].
    ///
    /// # Errors
    /// [`Error::Blocked`] if that is the action and a number was found.
    pub fn hide_parted(&mut self, texts: &mut [&mut String]) -> Result<(), Error> {
        let mut ends = Vec::with_capacity(texts.len());
        let mut joined = String::new();
        for text in texts.iter() {
            joined.push_str(text);
            ends.push(joined.len());
            joined.push('\n');
        }
        let across = |one: &Finding| {
            let crosses = |end: &usize| one.range.start < *end && *end < one.range.end;
            self.shield.kinds.contains(&one.kind) && ends.iter().any(crosses)
        };
        let found: Vec<Finding> = numbers(&joined).into_iter().filter(across).collect();
        if self.shield.action == Action::Block && !found.is_empty() {
            return Err(Error::Blocked(words(&found)));
        }
        // From the end, so that places before stay where they are.
        for one in found.iter().rev() {
            let mark = self.mark(one.kind, &joined[one.range.clone()]);
            *self.hidden.entry(one.kind).or_insert(0) += 1;
            for (text, end) in texts.iter_mut().zip(&ends).rev() {
                let start = end - text.len().min(*end);
                let from = one.range.start.max(start);
                let to = one.range.end.min(*end);
                if from < to {
                    text.replace_range(from - start..to - start, &mark);
                }
            }
        }
        Ok(())
    }

    /// The text with marks, and where these are.
    fn replaced(&mut self, text: &str, found: &[Finding]) -> (String, Vec<Change>) {
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        let mut changes = Vec::with_capacity(found.len());
        for one in found {
            out.push_str(&text[at..one.range.start]);
            let value = &text[one.range.clone()];
            let mark = self.mark(one.kind, value);
            *self.hidden.entry(one.kind).or_insert(0) += 1;
            let is = out.len()..out.len() + mark.len();
            changes.push(Change { was: one.range.clone(), is });
            out.push_str(&mark);
            at = one.range.end;
        }
        out.push_str(&text[at..]);
        (out, changes)
    }

    fn mark(&mut self, kind: Kind, value: &str) -> String {
        let word = kind.word().to_ascii_uppercase();
        if self.shield.action != Action::Pseudonymise {
            return format!("[{word}]");
        }
        let hash = Sha256::new()
            .chain_update(self.shield.key)
            .chain_update(self.tenant.as_bytes())
            .chain_update([0])
            .chain_update(word.as_bytes())
            .chain_update([0])
            .chain_update(same(value).as_bytes())
            .finalize();
        // Letters only: digits beside digits could be taken for a number again.
        let name: String = hash[..8].iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let mark = format!("[{word}:{name}]");
        self.given.entry(mark.clone()).or_insert_with(|| value.to_owned());
        mark
    }

    /// A text that came back, with what its pseudonyms stand for.
    #[must_use]
    pub fn reveal(&self, text: &str) -> String {
        if self.given.is_empty() || !text.contains('[') {
            return text.to_owned();
        }
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('[') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let mark = from.find(']').map(|end| &from[..=end]);
            match mark.and_then(|mark| Some((mark, self.given.get(mark)?))) {
                Some((mark, value)) => {
                    out.push_str(value);
                    rest = &from[mark.len()..];
                }
                None => {
                    out.push('[');
                    rest = &from[1..];
                }
            }
        }
        out + rest
    }

    /// How many findings of each kind were hidden.
    #[must_use]
    pub fn hidden(&self) -> &BTreeMap<Kind, u64> {
        &self.hidden
    }
}

/// A value as its pseudonym sees it: `756.9217.0769.85` and `7569217076985` are one.
fn same(value: &str) -> String {
    let folded = Folded::new(value);
    let letters = folded.text(0..folded.len());
    letters.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a finding is nothing but a mark that stands for an earlier one, or lies within one.
fn is_mark(text: &str, one: &Finding) -> bool {
    let open = text[..one.range.start]
        .rfind('[')
        .or_else(|| text[one.range.clone()].starts_with('[').then_some(one.range.start));
    let Some(open) = open else { return false };
    let Some(close) = text[open..].find(']').map(|end| open + end) else { return false };
    let inner = &text[open + 1..close];
    let word = inner.split(':').next().unwrap_or_default().to_ascii_lowercase();
    Kind::from_word(&word).is_some() && one.range.end <= close + 1 && !one.kind.is_checked()
}

fn words(found: &[Finding]) -> String {
    let kinds: BTreeSet<&str> = found.iter().map(|one| one.kind.word()).collect();
    kinds.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "Meine AHV-Nummer ist 756.9217.0769.85, Mail anna@example.ch.";

    #[test]
    fn a_mark_takes_the_place_of_what_is_found() {
        let shield = Shield::new(Action::Redact, &[]).unwrap();
        let mut cover = shield.cover("t");
        let hidden = cover.hide(LETTER).unwrap();
        assert_eq!(hidden, "Meine AHV-Nummer ist [AHV], Mail [EMAIL].");
        assert_eq!(cover.hidden()[&Kind::Ahv], 1);
        assert_eq!(cover.hide(&hidden).unwrap(), hidden, "twice is as once");
        assert_eq!(cover.reveal(&hidden), hidden);
    }

    #[test]
    fn the_same_value_has_the_same_pseudonym_and_comes_back() {
        let shield = Shield::new(Action::Pseudonymise, &[]).unwrap();
        let mut cover = shield.cover("t");
        let hidden = cover.hide(LETTER).unwrap();
        assert!(!hidden.contains("9217") && !hidden.contains("anna"), "{hidden}");
        assert_eq!(cover.reveal(&hidden), LETTER);
        let again = cover.hide("AHV 7569217076985?").unwrap();
        let mark = &hidden[hidden.find('[').unwrap()..=hidden.find(']').unwrap()];
        assert!(again.contains(mark), "{again} has {mark}");
        let mut other = shield.cover("another tenant");
        assert!(!other.hide(LETTER).unwrap().contains(mark));
        assert_eq!(other.reveal(mark), mark, "a tenant takes back its own only");
    }

    #[test]
    fn a_text_with_personal_data_is_blocked_and_the_error_does_not_repeat_it() {
        let shield = Shield::new(Action::Block, &[]).unwrap();
        let error = shield.cover("t").hide(LETTER).unwrap_err();
        assert_eq!(error, Error::Blocked("ahv, email".into()));
        assert!(!error.to_string().contains("9217"));
        assert_eq!(shield.cover("t").hide("Was kostet es?"), Ok("Was kostet es?".into()));
    }

    #[test]
    fn a_number_that_is_parted_over_texts_is_hidden_in_all_of_them() {
        let shield = Shield::new(Action::Redact, &[]).unwrap();
        let mut texts =
            ["AHV 756.92".to_owned(), "17.07".into(), "69.85, and 4".into(), "no".into()];
        shield.cover("t").hide_parted(&mut texts.each_mut()).unwrap();
        assert_eq!(texts, ["AHV [AHV]", "[AHV]", "[AHV], and 4", "no"]);
        let mut within = [LETTER.to_owned(), "x".into()];
        shield.cover("t").hide_parted(&mut within.each_mut()).unwrap();
        assert_eq!(within[0], LETTER);
        let block = Shield::new(Action::Block, &[]).unwrap();
        let mut texts = ["CH93 0076 2011".to_owned(), "6238 5295 7".into()];
        let error = block.cover("t").hide_parted(&mut texts.each_mut()).unwrap_err();
        assert_eq!(error, Error::Blocked("iban".into()));
    }

    /// Only what is near a mark is looked at again by the tagger, and that changes nothing.
    #[test]
    fn a_long_text_is_hidden_as_a_short_one() {
        let shield = Shield::new(Action::Redact, &[]).unwrap();
        let filler = "Das ist ein Satz, in dem nichts steht. ".repeat(40);
        let text = format!("{filler}{LETTER} {filler}{LETTER} {filler}");
        let hidden = shield.cover("t").hide(&text).unwrap();
        let letter = "Meine AHV-Nummer ist [AHV], Mail [EMAIL].";
        assert_eq!(hidden, format!("{filler}{letter} {filler}{letter} {filler}"));
        assert_eq!(shield.cover("t").hide(&hidden).unwrap(), hidden);
    }

    #[test]
    fn only_the_kinds_that_are_named_are_hidden() {
        let shield = Shield::new(Action::Redact, &[Kind::Email]).unwrap();
        let hidden = shield.cover("t").hide(LETTER).unwrap();
        assert!(hidden.contains("9217") && !hidden.contains("anna"));
    }
}
