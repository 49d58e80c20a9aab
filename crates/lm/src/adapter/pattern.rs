//! Patterns over module names, as PEFT's configurations write them.

use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern that is compiled.
const PATTERN_BYTES: usize = 16 << 10;
/// Most memory that a compiled pattern takes.
const COMPILED_BYTES: usize = 256 << 10;

/// A pattern that a name has to match as a whole, or from a dot on.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Letters, digits and `_-`, and dots, which stand for any character, as they do in a regular
    /// expression.
    Plain(String),
    /// Any other regular expression, in linear time: what needs to look around or back is refused.
    Expression(Regex),
}

impl Pattern {
    /// A name, or the end of one after a dot, that matches `text`.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn of_end(text: &str) -> Result<Pattern, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        match text.bytes().all(plain) {
            true => Ok(Pattern::Plain(text.to_string())),
            false => compile(text, r"\A(?:(?s:.*)\.)?", r"\z").map(Pattern::Expression),
        }
    }

    /// Whether a module's name, or what comes after one of its dots, matches.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Plain(text) => ends_with(name.as_bytes(), text.as_bytes()),
            Pattern::Expression(expression) => expression.is_match(name.as_bytes()),
        }
    }
}

fn ends_with(name: &[u8], text: &[u8]) -> bool {
    let Some(rest) = name.len().checked_sub(text.len()) else { return false };
    let (start, end) = name.split_at(rest);
    let same = |(found, wanted): (&u8, &u8)| *wanted == b'.' || found == wanted;
    (start.is_empty() || start.ends_with(b".")) && end.iter().zip(text).all(same)
}

/// A regular expression that a name matches as a whole.
///
/// # Errors
/// What is wrong with it.
pub(super) fn whole(text: &str) -> Result<Regex, String> {
    compile(text, r"\A", r"\z")
}

/// An expression that finds the layer's number after a list's name, as group `layer`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn layer(list: &str) -> Result<Regex, String> {
    compile(list, r"\A(?:|.*?\.)", r"\.(?P<layer>\d+)\.")
}

/// Compiles `text` between `before` and `after`. Names are ASCII, so bytes are characters.
fn compile(text: &str, before: &str, after: &str) -> Result<Regex, String> {
    if text.len() > PATTERN_BYTES {
        let length = text.len();
        return Err(format!("has {length} characters; {PATTERN_BYTES} is the most that is read"));
    }
    let build = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.unicode(false).size_limit(COMPILED_BYTES).nest_limit(64).build()
    };
    let failed = |error: regex::Error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim();
        format!("is no regular expression that is computed here ({last}); list the names instead")
    };
    // By itself first, so that it cannot close the brackets that are put around it.
    build(text).map_err(failed)?;
    build(&format!("{before}(?:{text}){after}")).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_ends_as_python_does() {
        let name = "model.layers.10.self_attn.q_proj";
        let cases = [
            ("q_proj", true),
            ("self_attn.q_proj", true),
            ("model.layers.10.self_attn.q_proj", true),
            ("proj", false),
            ("layers.1.self_attn.q_proj", false),
            (r"layers\.\d+\.self_attn\.(q|k)_proj", true),
            (r"^model\.layers\.10\..*", true),
            (r"^layers\.10\..*", false),
            (r".*\.mlp\..*", false),
            ("self_attn.x.model.layers.10.self_attn.q_proj", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Pattern::of_end(text).unwrap().matches(name), expected, "{text}");
        }
    }

    #[test]
    fn bombs_and_what_is_not_linear_are_refused() {
        for text in ["(a{1000}){1000}", r"(?=x)y", r"(a)\1", "a)|(b", "(", &"a|".repeat(1 << 14)] {
            assert!(Pattern::of_end(text).is_err(), "{text:.20}");
            assert!(whole(text).is_err() && layer(text).is_err());
        }
        let slow = Pattern::of_end("(a|a)*(a|aa)*(a?){50}b").unwrap();
        assert!(!slow.matches(&"a".repeat(10_000)));
    }
}
