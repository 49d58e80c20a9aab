//! What names modules: a name, a regular expression, or a kind.

use crate::error::{Error, Result};
use fancy_regex::{Regex, RegexBuilder};
use std::fmt::Display;
use std::path::PathBuf;

/// Steps after which a search gives up.
const STEPS: usize = 10_000;
/// Bytes that a compiled expression may take.
const BYTES: usize = 256 << 10;
/// Longest expression that is compiled.
const EXPRESSION_BYTES: usize = 16 << 10;
/// Deepest nesting of brackets.
const DEPTH: usize = 64;
/// Expressions that a file may have; each is tried on every module.
pub(super) const EXPRESSIONS: usize = 512;

/// What names modules.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// A name, or the kind of a module.
    Text(String),
    /// A regular expression that the start of a name must match, as Python's `re.match` does.
    Regular(Box<Regex>),
}

impl Pattern {
    /// A pattern of compressed-tensors: `re:` and an expression, a name, or a kind (0.20.0,
    /// `utils/match.py`).
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn new(text: &str) -> std::result::Result<Pattern, String> {
        match text.strip_prefix("re:") {
            Some(expression) => Pattern::regular(expression),
            None => Ok(Pattern::Text(text.to_string())),
        }
    }

    /// A regular expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn regular(expression: &str) -> std::result::Result<Pattern, String> {
        let failed = |error: &dyn Display| {
            let text: String = error.to_string().chars().take(200).collect();
            format!("is no regular expression that can be used: {text}")
        };
        if expression.len() > EXPRESSION_BYTES || depth(expression) > DEPTH {
            let most = format!("at most {EXPRESSION_BYTES} characters and {DEPTH} brackets deep");
            return Err(failed(&most));
        }
        let build = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            builder.backtrack_limit(STEPS).delegate_size_limit(BYTES).build()
        };
        // By itself first, so that it cannot close the brackets that are put around it.
        build(expression).map_err(|error| failed(&error))?;
        let regex = build(&format!("^(?:{expression})")).map_err(|error| failed(&error))?;
        Ok(Pattern::Regular(Box::new(regex)))
    }

    /// Whether a module is meant by its name.
    ///
    /// # Errors
    /// If the expression takes too long.
    pub fn matches(&self, name: &str) -> Result<bool> {
        match self {
            Pattern::Text(text) => Ok(text == name),
            Pattern::Regular(regex) => regex.is_match(name).map_err(|error| Error::Unsupported {
                file: PathBuf::from("config.json"),
                what: format!("the expression `{}` against `{name}`: {error}", regex.as_str()),
            }),
        }
    }

    /// Whether a module is meant by its kind.
    pub fn is_kind(&self, kind: &str) -> bool {
        matches!(self, Pattern::Text(text) if text == kind)
    }
}

/// How deep brackets may nest, counted without regard to what escapes them.
fn depth(expression: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' => now += 1,
            b')' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_expressions_and_kinds() {
        let matches =
            |pattern: &str, name: &str| Pattern::new(pattern).unwrap().matches(name).unwrap();
        assert!(matches("lm_head", "lm_head") && !matches("lm_head", "model.lm_head"));
        assert!(matches("re:.*gate$", "model.mlp.gate") && !matches("re:gate", "model.mlp.gate"));
        assert!(matches("re:model.*q", "model.x.q_proj.more"));
        assert!(
            matches("re:(?!.*down).*mlp.*", "a.mlp.up") && !matches("re:(?!.*down).*", "a.down")
        );
        assert!(Pattern::new("Linear").unwrap().is_kind("Linear"));
        assert!(Pattern::new("re:(").is_err());
        let slow = Pattern::new("re:(?=(a*)*\\1b)c").unwrap();
        assert!(slow.matches(&"a".repeat(60)).is_err() || !slow.matches("aaaa").unwrap());
    }
}
