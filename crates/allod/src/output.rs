//! Printing: text for people, JSON for programs. The only place that prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;

use serde::Serialize;

/// How to print.
pub struct Output {
    /// JSON instead of text.
    pub json: bool,
}

impl Output {
    /// Prints a value as one line of JSON, or as the text that `text` makes of it.
    pub fn print<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let shown = if self.json { serde_json::to_string(value)? } else { harmless(&text(value)) };
        self.line(shown.trim_end_matches('\n'))
    }

    /// Prints a line.
    pub fn line(&self, text: &str) -> anyhow::Result<()> {
        self.raw(text)?;
        self.raw("\n")
    }

    /// Prints text as it is, and at once.
    pub fn raw(&self, text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}

/// Text without what a terminal would take as a command: the words of whoever asked are shown to
/// whoever decides.
fn harmless(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\n' | '\t' => letter,
        letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.chars().map(shown).collect()
}

/// What went wrong and why, each said once: many errors say themselves what caused them.
pub fn reasons(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |mut told, cause| {
        if !told.contains(&cause) {
            told.push_str(if told.is_empty() { "" } else { ": " });
            told.push_str(&cause);
        }
        told
    })
}

/// Says something to the person at the terminal that is not part of the result.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Says what went wrong.
pub fn complain(text: &str) {
    eprintln!("allod: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_someone_asked_gives_a_terminal_no_commands() {
        assert_eq!(harmless("a\x1b]0;b\x07\tc\n\u{9b}é"), "a\u{fffd}]0;b\u{fffd}\tc\n\u{fffd}é");
    }

    #[test]
    fn a_cause_is_told_once() {
        let gone = || std::io::Error::other("gone");
        let error = anyhow::Error::from(gone()).context("x: gone; do this");
        assert_eq!(reasons(&error), "x: gone; do this");
        assert_eq!(reasons(&anyhow::Error::from(gone()).context("x")), "x: gone");
    }
}
