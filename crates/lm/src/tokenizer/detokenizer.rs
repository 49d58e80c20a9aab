//! Tokens to text, piece by piece, never splitting a character.

use super::Tokenizer;

/// Gives the text of tokens as they come. Bytes of a character that is not complete wait.
#[derive(Debug)]
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    strip_space: bool,
    waiting: Vec<u8>,
}

impl<'a> Detokenizer<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, strip_space: bool) -> Detokenizer<'a> {
        Detokenizer { tokenizer, strip_space, waiting: Vec::new() }
    }

    /// The text that `id` completes: empty for special tokens and within a character.
    pub fn push(&mut self, id: u32) -> String {
        if self.tokenizer.is_special(id) {
            return String::new();
        }
        let mut bytes = self.tokenizer.pieces.bytes(id);
        if std::mem::take(&mut self.strip_space) {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
        }
        self.waiting.extend_from_slice(bytes);
        self.complete()
    }

    /// Whether no bytes of a character wait.
    pub fn is_whole(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is left at the end, with U+FFFD for a character that was never completed.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.waiting)).into_owned()
    }

    fn complete(&mut self) -> String {
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.waiting) {
                Ok(rest) => {
                    text += rest;
                    self.waiting.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text += &String::from_utf8_lossy(&self.waiting[..valid]);
                    let Some(wrong) = error.error_len() else {
                        self.waiting.drain(..valid);
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.waiting.drain(..valid + wrong);
                }
            }
        }
    }
}
