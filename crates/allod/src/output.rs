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
        let shown = if self.json { serde_json::to_string(value)? } else { text(value) };
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

/// Says something to the person at the terminal that is not part of the result.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Says what went wrong.
pub fn complain(text: &str) {
    eprintln!("allod: {text}");
}
