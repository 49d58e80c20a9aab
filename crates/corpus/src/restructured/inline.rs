//! Inline markup: what it says stays, its signs go.

use std::collections::HashMap;

/// The longest name of a role, or label of a note, with its signs.
const MAX_NAME_BYTES: usize = 64;

/// The text without its markup, and how many bytes at its start are bold.
pub(super) fn plain(text: &str, substitutions: &HashMap<String, String>) -> (String, usize) {
    let mut scan = Scan { text, at: 0, out: String::with_capacity(text.len()), lead: 0 };
    while scan.at < text.len() {
        scan.step(substitutions);
    }
    (scan.out, scan.lead)
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: String,
    lead: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self, substitutions: &HashMap<String, String>) {
        let rest = self.rest();
        let Some(character) = rest.chars().next() else { return };
        let taken = match character {
            '\\' => self.escape(rest),
            '`' if rest.starts_with("``") => self.enclosed(rest, "``"),
            '`' => self.interpreted(rest),
            ':' => self.role(rest),
            '*' if rest.starts_with("**") => self.strong(rest),
            '*' => self.enclosed(rest, "*"),
            '|' => self.substitution(rest, substitutions),
            '[' => self.note_mark(rest),
            '_' => self.reference_end(rest),
            _ => None,
        };
        match taken {
            Some(taken) => self.at += taken,
            None => {
                self.out.push(character);
                self.at += character.len_utf8();
            }
        }
    }

    /// Markup begins after a blank or an opening sign only.
    fn can_begin(&self) -> bool {
        let before = self.text[..self.at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '\\')
            || self.text[..self.at].ends_with("\\ ")
    }

    fn escape(&mut self, rest: &str) -> Option<usize> {
        let next = rest[1..].chars().next()?;
        if !next.is_whitespace() {
            self.out.push(next);
        }
        Some(1 + next.len_utf8())
    }

    /// `*text*`: the text; nothing if it does not end in this paragraph.
    fn enclosed(&mut self, rest: &str, sign: &str) -> Option<usize> {
        let inner = self.inner(rest, sign)?;
        self.out.push_str(inner);
        Some(inner.len() + 2 * sign.len())
    }

    fn strong(&mut self, rest: &str) -> Option<usize> {
        let begins = self.out.trim().is_empty();
        let taken = self.enclosed(rest, "**")?;
        if begins {
            self.lead = self.out.len();
        }
        Some(taken)
    }

    fn inner<'b>(&self, rest: &'b str, sign: &str) -> Option<&'b str> {
        let after = &rest[sign.len()..];
        if !self.can_begin() || after.starts_with(char::is_whitespace) {
            return None;
        }
        let end = after.find(sign).filter(|end| *end > 0)?;
        let inner = &after[..end];
        (!inner.ends_with(char::is_whitespace)).then_some(inner)
    }

    /// `` `text <target>`_ ``, `` `text` ``.
    fn interpreted(&mut self, rest: &str) -> Option<usize> {
        let inner = self.inner(rest, "`")?;
        self.out.push_str(shown(inner));
        let after = &rest[inner.len() + 2..];
        let underscores = after.bytes().take_while(|byte| *byte == b'_').count().min(2);
        Some(inner.len() + 2 + underscores)
    }

    /// `` :role:`text <target>` ``.
    fn role(&mut self, rest: &str) -> Option<usize> {
        let name_end = near(rest)[1..].find(":`")? + 1;
        let name = &rest[1..name_end];
        let is_name = |c: char| c.is_alphanumeric() || "-_.+:".contains(c);
        if name.is_empty() || name.len() > 60 || !name.chars().all(is_name) || !self.can_begin() {
            return None;
        }
        let after = &rest[name_end + 2..];
        let end = after.find('`')?;
        self.out.push_str(shown(&after[..end]));
        Some(name_end + 2 + end + 1)
    }

    fn substitution(
        &mut self,
        rest: &str,
        substitutions: &HashMap<String, String>,
    ) -> Option<usize> {
        let inner = self.inner(rest, "|")?;
        let text = substitutions.get(inner)?;
        self.out.push_str(text);
        let after = &rest[inner.len() + 2..];
        Some(inner.len() + 2 + after.bytes().take_while(|byte| *byte == b'_').count().min(2))
    }

    /// "[1]_", "[#]_", "[#name]_": a footnote's mark goes; a citation's name stays.
    fn note_mark(&mut self, rest: &str) -> Option<usize> {
        let end = near(rest).find("]_")?;
        let label = &rest[1..end];
        if label.is_empty() || label.len() > 60 || label.contains([' ', '[', '\n']) {
            return None;
        }
        let is_note = label.starts_with(['#', '*']) || label.bytes().all(|b| b.is_ascii_digit());
        match is_note {
            true => {
                let kept = self.out.trim_end().len();
                self.out.truncate(kept);
            }
            false => self.out.push_str(&rest[..end + 1]),
        }
        Some(end + 2)
    }

    /// The sign at the end of "word_" makes a link.
    fn reference_end(&mut self, rest: &str) -> Option<usize> {
        let signs = rest.bytes().take_while(|byte| *byte == b'_').count();
        let after = rest[signs..].chars().next();
        let ends = after.is_none_or(|c| c.is_whitespace() || ".,;:!?)]}>\"'»”’".contains(c));
        let is_word = self.text[..self.at].ends_with(char::is_alphanumeric);
        (signs <= 2 && ends && is_word).then_some(signs)
    }
}

/// Names and labels are short: a search for their ends goes no further than this.
fn near(rest: &str) -> &str {
    &rest[..rest.floor_char_boundary(MAX_NAME_BYTES.min(rest.len()))]
}

/// What is shown of "text <target>"; "~a.b.c" is "c", "!x" is "x".
fn shown(inner: &str) -> &str {
    let inner = match inner.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((text, _)) if !text.trim().is_empty() => text.trim_end(),
        Some((_, target)) => target,
        None => inner,
    };
    match inner.strip_prefix('~') {
        Some(path) => path.rsplit('.').next().unwrap_or(path),
        None => inner.strip_prefix('!').unwrap_or(inner),
    }
}
