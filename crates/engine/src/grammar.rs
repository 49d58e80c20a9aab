//! Completions that keep to a grammar.
//!
//! Grammars are compiled and followed by the crate `llguidance`: before each token it says which
//! tokens can still lead to a text of the grammar, and only those are chosen among. So what comes
//! out is always a beginning of such a text, and a whole one unless it was cut off for its length.

use crate::compiled::{Compiled, key};
use crate::error::{Error, Result};
use crate::schema::narrowed;
use crate::unkept;
use allod_lm::Model;
use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// What a completion has to keep to.
#[derive(Debug, Clone, PartialEq)]
pub enum Constraint {
    /// A JSON text that a schema (2020-12) allows; keywords that are not supported are refused by
    /// name. `{"type": "object"}` is any object. Numbers are within 2^53 unless the schema bounds
    /// them otherwise, and days, times, hosts and addresses are usual ones.
    JsonSchema(Value),
    /// A text that a regular expression matches from its beginning to its end, in the syntax of
    /// Rust's `regex` without anchors and look-around.
    Regex(String),
    /// A grammar in the Lark format as llguidance has it; it begins with the rule `start`.
    Lark(String),
    /// A grammar in that format whose rules call others, `@name`.
    Parts {
        /// The grammar.
        whole: String,
        /// The others by their names; they hold no parts of their own.
        parts: Vec<(String, Constraint)>,
    },
}

/// Compiles grammars for one vocabulary.
pub(crate) struct Grammars {
    factory: ParserFactory,
    /// Stands for whatever ends a text; one past the vocabulary.
    end: u32,
    compiled: Mutex<Compiled>,
}

impl Grammars {
    /// Grammars over a model's vocabulary.
    ///
    /// # Errors
    /// If the vocabulary cannot be used.
    pub fn new(model: &Model) -> Result<Grammars> {
        let tokenizer = &model.tokenizer;
        let end = tokenizer.vocabulary() as u32;
        let marked = |text: &[u8]| [&[TokTrie::SPECIAL_TOKEN_MARKER], text].concat();
        let word = |id| match tokenizer.is_special(id) {
            true => marked(tokenizer.token_bytes(id)),
            false => tokenizer.token_bytes(id).to_vec(),
        };
        let mut words: Vec<Vec<u8>> = (0..end).map(word).collect();
        words.push(marked(b"<the end of the text>"));
        let trie = TokTrie::from(&TokRxInfo::new(end + 1, end), &words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(refused)?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Grammars { factory, end, compiled: Mutex::default() })
    }

    /// A guide at the beginning of a text.
    ///
    /// # Errors
    /// If the constraint is not understood, too large, or cannot be met.
    pub fn guide(&self, constraint: &Constraint) -> Result<Guide> {
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(constraint);
        if let Some(guide) = compiled().find(&key) {
            return Ok(guide);
        }
        let guide = self.compile(constraint)?;
        compiled().keep(key, &guide);
        Ok(guide)
    }

    fn compile(&self, constraint: &Constraint) -> Result<Guide> {
        let grammars = all(constraint)?;
        let parser = self.factory.create_parser(TopLevelGrammar { grammars, max_tokens: None });
        let parser = parser.map_err(refused)?;
        Ok(Guide { matcher: Matcher::new(Ok(parser)), end: self.end })
    }
}

/// A constraint's grammar, and those that it calls.
fn all(constraint: &Constraint) -> Result<Vec<GrammarWithLexer>> {
    let Constraint::Parts { whole, parts } = constraint else { return Ok(vec![one(constraint)?]) };
    let mut grammars = vec![one(&Constraint::Lark(whole.clone()))?];
    for (name, part) in parts {
        grammars.push(GrammarWithLexer { name: Some(name.clone()), ..one(part)? });
    }
    Ok(grammars)
}

fn one(constraint: &Constraint) -> Result<GrammarWithLexer> {
    Ok(match constraint {
        Constraint::JsonSchema(schema) => {
            unkept::check(schema)?;
            GrammarWithLexer::from_json_schema(narrowed(schema))
        }
        Constraint::Regex(expression) => GrammarWithLexer::from_regex(expression),
        Constraint::Lark(grammar) => GrammarWithLexer::from_lark(grammar.clone()),
        Constraint::Parts { .. } => {
            let what = "a part of a grammar has parts of its own".to_string();
            return Err(Error::Constraint { what });
        }
    })
}

/// Follows one text through a grammar.
pub(crate) struct Guide {
    matcher: Matcher,
    end: u32,
}

/// A copy that goes its own way.
impl Clone for Guide {
    fn clone(&self) -> Guide {
        Guide { matcher: self.matcher.deep_clone(), end: self.end }
    }
}

/// The tokens that can follow.
pub(crate) struct Allowed {
    tokens: SimpleVob,
    /// Whether the text may end.
    pub end: bool,
}

impl Guide {
    /// What can follow.
    ///
    /// # Errors
    /// If the grammar has become too costly to follow, or nothing can.
    pub fn allowed(&mut self) -> Result<Allowed> {
        let tokens = self.matcher.compute_mask().map_err(refused)?;
        let end = tokens.is_allowed(self.end);
        match tokens.is_zero() {
            true => Err(Error::Constraint { what: "no token of this model can follow".into() }),
            false => Ok(Allowed { tokens, end }),
        }
    }

    /// Whether a token can follow.
    pub fn takes(&mut self, token: u32) -> bool {
        self.matcher.validate_tokens(&[token]).is_ok_and(|taken| taken == 1)
    }

    /// Goes on by a token. Says whether the text is whole and nothing can follow.
    ///
    /// # Errors
    /// If the token was not allowed, or the grammar has become too costly to follow.
    pub fn go_on(&mut self, token: u32) -> Result<bool> {
        self.matcher.consume_token(token).map_err(refused)?;
        Ok(self.matcher.is_stopped())
    }
}

impl Allowed {
    /// Takes all chances from the tokens that cannot follow; `ends` are those that end a text.
    pub fn apply(&self, scores: &mut [f32], ends: impl Fn(u32) -> bool) {
        for (score, token) in scores.iter_mut().zip(0..) {
            let known = (token as usize) < self.tokens.len() && self.tokens.is_allowed(token);
            let follows = known || (self.end && ends(token));
            if !follows {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Error {
    let what = error.to_string();
    let what = match what {
        // What the crate advises there cannot be had here.
        what if what.contains("oneOf constraints are not supported") => {
            "the schema's `oneOf`: two of its options could both hold; tell them apart by \
                 their types, or by a required member with another `const` in each, or use `anyOf`"
                .to_string()
        }
        what if what.contains("regex parse error") => format!("a `pattern` or expression: {what}"),
        what => what,
    };
    Error::Constraint { what }
}
