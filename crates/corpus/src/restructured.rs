//! Reading reStructuredText: sections, lists, tables, notes and directives.

mod directive;
mod inline;
mod table;

use std::collections::HashMap;

use crate::clean::LINE_BREAK;
use crate::found::Found;
use crate::raw::{Raw, check_count};
use crate::{BlockKind, Unreadable};

/// The deepest nesting of lists, quotes and directives.
const MAX_DEPTH: usize = 48;
const TAB_COLUMNS: usize = 8;

/// Reads a text.
pub(crate) fn read(text: &str) -> Result<Found, Unreadable> {
    let lines: Vec<String> = text.lines().map(expanded).collect();
    let mut reader = Reader::default();
    reader.define(&lines);
    reader.blocks(&lines, 0)?;
    reader.flush_notes();
    check_count(&reader.found)?;
    Ok(Found { left_out: reader.left_out, ..Found::of(reader.found) })
}

/// A line with tabs as blanks and nothing at its end.
fn expanded(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for character in line.trim_end().chars() {
        let width = if character == '\t' { TAB_COLUMNS - column % TAB_COLUMNS } else { 1 };
        match character {
            '\t' => out.extend(std::iter::repeat_n(' ', width)),
            character => out.push(character),
        }
        column += width;
    }
    out
}

#[derive(Default)]
struct Reader {
    found: Vec<Raw>,
    /// Footnotes; they come at the end of the section.
    notes: Vec<Raw>,
    left_out: Vec<String>,
    /// Adornments of titles in the order of their levels.
    levels: Vec<(char, Overline)>,
    substitutions: HashMap<String, String>,
    depth: usize,
}

/// Whether a title has a line above it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overline {
    With,
    Without,
}

impl Reader {
    /// Collects what `|name|` stands for; it may be defined after its use.
    fn define(&mut self, lines: &[String]) {
        for line in lines {
            let Some(rest) = line.trim_start().strip_prefix(".. |") else { continue };
            let Some((name, rest)) = rest.split_once("| ") else { continue };
            if let Some(text) = rest.trim().strip_prefix("replace::") {
                self.substitutions.insert(name.to_owned(), text.trim().to_owned());
            }
        }
    }

    /// Reads blocks of lines that begin at the same column.
    fn blocks(&mut self, lines: &[String], first_line: usize) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep { limit: MAX_DEPTH, offset: first_line });
        }
        let mut at = 0;
        while at < lines.len() {
            at += self.block(&lines[at..], first_line + at)?.max(1);
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads one block; says how many lines it took.
    fn block(&mut self, lines: &[String], number: usize) -> Result<usize, Unreadable> {
        let line = lines[0].as_str();
        if line.trim().is_empty() {
            return Ok(1);
        }
        if line.starts_with(' ') {
            return self.quote(lines, number);
        }
        if self.depth == 1
            && let Some(taken) = self.title(lines)
        {
            return Ok(taken);
        }
        if line.starts_with(".. ") || line == ".." || line.starts_with("__ ") {
            return self.explicit(lines, number);
        }
        if let Some(taken) = self.table(lines, number)? {
            return Ok(taken);
        }
        if is_adornment(line) && line.len() >= 4 {
            return Ok(1);
        }
        if let Some(item) = Item::of(line) {
            return self.item(lines, &item, number);
        }
        if let Some((name, value)) = field(line) {
            return self.field(lines, name, value, number);
        }
        if line.starts_with("| ") || line == "|" {
            return Ok(self.line_block(lines));
        }
        if line.starts_with(">>> ") {
            return Ok(self.code(lines, 0));
        }
        let is_definition = lines.get(1).is_some_and(|next| next.starts_with(' '));
        if is_definition && !line.ends_with("::") {
            return self.definition(lines, number);
        }
        Ok(self.paragraph(lines))
    }

    fn push(&mut self, kind: BlockKind, text: &str) {
        let (text, lead) = inline::plain(text, &self.substitutions);
        self.found.push(Raw { kind, text, lead });
    }

    /// A title under, or between, a row of signs.
    fn title(&mut self, lines: &[String]) -> Option<usize> {
        let line = |at: usize| lines.get(at).map_or("", |line| line.as_str());
        let (text, sign, overline, taken) = match is_adornment(line(0)) {
            true => {
                let is_closed = line(0) == line(2) && !line(1).trim().is_empty();
                is_closed.then(|| (line(1), line(0), Overline::With, 3))?
            }
            false => (line(0), line(1), Overline::Without, 2),
        };
        let width = text.trim().chars().count();
        let is_long = sign.len() >= width || sign.len() >= 4;
        if !is_adornment(sign) || !is_long || text.trim().is_empty() || is_grid(text) {
            return None;
        }
        let style = (sign.chars().next()?, overline);
        let level = self.levels.iter().position(|known| *known == style).unwrap_or_else(|| {
            self.levels.push(style);
            self.levels.len() - 1
        });
        self.flush_notes();
        let level = u8::try_from(level + 1).unwrap_or(6).min(6);
        self.push(BlockKind::Heading { level }, text);
        Some(taken)
    }

    fn flush_notes(&mut self) {
        self.found.append(&mut self.notes);
    }

    fn paragraph(&mut self, lines: &[String]) -> usize {
        let taken = lines
            .iter()
            .take_while(|line| !line.trim().is_empty() && !line.starts_with(' '))
            .count();
        let text = lines[..taken].join("\n");
        let introduces = text.ends_with("::");
        let shown = match text.strip_suffix("::") {
            // "::" alone, or after a blank, is not shown.
            Some(before) if before.is_empty() || before.ends_with([' ', '\n']) => before.trim_end(),
            Some(before) => &text[..before.len() + 1],
            None => text.as_str(),
        };
        if !shown.is_empty() {
            self.push(BlockKind::Paragraph, shown);
        }
        match introduces {
            true => taken + self.code(&lines[taken..], 1),
            false => taken,
        }
    }

    /// Lines as they stand: those that are indented, or up to the next blank line.
    fn code(&mut self, lines: &[String], indent: usize) -> usize {
        let taken = match indent {
            0 => lines.iter().take_while(|line| !line.trim().is_empty()).count(),
            _ => indented(lines),
        };
        let body = dedented(&lines[..taken]);
        if body.iter().any(|line| !line.trim().is_empty()) {
            self.found.push(Raw::new(BlockKind::Code, body.join("\n")));
        }
        taken
    }

    fn quote(&mut self, lines: &[String], number: usize) -> Result<usize, Unreadable> {
        let taken = indented(lines);
        let from = self.found.len();
        self.blocks(&dedented(&lines[..taken]), number)?;
        for raw in &mut self.found[from..] {
            if raw.kind == BlockKind::Paragraph {
                raw.kind = BlockKind::Quote;
            }
        }
        Ok(taken)
    }

    fn item(&mut self, lines: &[String], item: &Item, number: usize) -> Result<usize, Unreadable> {
        let (body, taken) = item.body(lines);
        let marker = match item.marker.as_str() {
            "#." => format!("{}.", self.count_items()),
            marker => marker.to_owned(),
        };
        let from = self.found.len();
        self.blocks(&body, number)?;
        self.lead_in(from, &marker, BlockKind::ListItem);
        Ok(taken)
    }

    /// The number of an item that is counted by the reader: one more than the item before.
    fn count_items(&self) -> u32 {
        let last = self.found.iter().rev().find(|raw| raw.kind == BlockKind::ListItem);
        let number = last.and_then(|raw| raw.text.split('.').next()?.parse::<u32>().ok());
        number.map_or(1, |number| number.saturating_add(1))
    }

    /// Puts a marker before the first block found since, and makes it of this kind.
    fn lead_in(&mut self, from: usize, marker: &str, kind: BlockKind) {
        match self.found.get_mut(from) {
            Some(raw) if matches!(raw.kind, BlockKind::Paragraph | BlockKind::ListItem) => {
                raw.text = format!("{marker} {}", raw.text);
                raw.lead = 0;
                raw.kind = kind;
            }
            _ => self.found.insert(from.min(self.found.len()), Raw::new(kind, marker)),
        }
    }

    fn field(
        &mut self,
        lines: &[String],
        name: &str,
        value: &str,
        number: usize,
    ) -> Result<usize, Unreadable> {
        let taken = 1 + indented(&lines[1..]);
        let mut body = vec![value.to_owned()];
        body.extend(dedented(&lines[1..taken]));
        let from = self.found.len();
        self.blocks(&body, number)?;
        if self.found.len() > from {
            let name = inline::plain(name, &self.substitutions).0;
            self.lead_in(from, &format!("{name}:"), BlockKind::Paragraph);
        }
        Ok(taken)
    }

    fn definition(&mut self, lines: &[String], number: usize) -> Result<usize, Unreadable> {
        let taken = 1 + indented(&lines[1..]);
        let term = lines[0].split(" : ").next().unwrap_or_default();
        let term = inline::plain(term, &self.substitutions).0;
        let term = crate::table::column_name(&term);
        let from = self.found.len();
        self.blocks(&dedented(&lines[1..taken]), number)?;
        self.lead_in(from, &format!("{term}:"), BlockKind::ListItem);
        Ok(taken)
    }

    fn line_block(&mut self, lines: &[String]) -> usize {
        let is_line = |line: &&String| line.starts_with("| ") || line.as_str() == "|";
        let taken = lines.iter().take_while(is_line).count();
        let texts: Vec<&str> = lines[..taken].iter().map(|line| line[1..].trim()).collect();
        self.push(BlockKind::Paragraph, &texts.join(LINE_BREAK.encode_utf8(&mut [0; 4])));
        taken
    }
}

/// How many lines, blank ones between them, are indented.
fn indented(lines: &[String]) -> usize {
    let taken =
        lines.iter().take_while(|line| line.trim().is_empty() || line.starts_with(' ')).count();
    let blank = lines[..taken].iter().rev().take_while(|line| line.trim().is_empty()).count();
    taken - blank
}

/// Lines without the blanks that all of them begin with.
fn dedented(lines: &[String]) -> Vec<String> {
    let width = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let least = lines.iter().filter(|line| !line.trim().is_empty()).map(width).min().unwrap_or(0);
    lines.iter().map(|line| line.get(least..).unwrap_or_default().to_owned()).collect()
}

/// A row of one sign: "=====".
fn is_adornment(line: &str) -> bool {
    let mut characters = line.chars();
    let first = characters.next().filter(char::is_ascii_punctuation);
    line.len() >= 2 && first.is_some_and(|first| characters.all(|next| next == first))
}

fn is_grid(line: &str) -> bool {
    line.starts_with("+-") || line.starts_with("+=")
}

/// ":name: value"; roles such as `:ref:` stand before a backquote.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(':')?.split_once(':')?;
    let is_name = !name.is_empty() && name.len() <= 80 && !name.starts_with(' ');
    let is_field = value.is_empty() || value.starts_with(' ');
    (is_name && is_field).then_some((name, value.trim()))
}

/// The marker of a list item and where its text begins.
struct Item {
    marker: String,
    indent: usize,
}

impl Item {
    fn of(line: &str) -> Option<Item> {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        let indent = line.len() - rest.trim_start().len();
        if matches!(sign, "-" | "*" | "+" | "•" | "‣" | "⁃") {
            return Some(Item { marker: "-".to_owned(), indent });
        }
        let bare = sign.strip_prefix('(').unwrap_or(sign);
        let count = bare.strip_suffix(['.', ')'])?;
        let is_roman = count.len() <= 6 && count.bytes().all(|byte| b"ivxlcIVXLC".contains(&byte));
        let is_count = count == "#"
            || !count.is_empty() && count.len() <= 4 && count.bytes().all(|b| b.is_ascii_digit())
            || count.len() == 1 && count.bytes().all(|b| b.is_ascii_alphabetic())
            || !count.is_empty() && is_roman;
        let is_item = is_count && !rest.trim().is_empty();
        is_item.then(|| Item { marker: sign.to_owned(), indent })
    }

    /// The lines of the item without its marker, and how many lines it takes.
    fn body(&self, lines: &[String]) -> (Vec<String>, usize) {
        let width = |line: &String| line.len() - line.trim_start_matches(' ').len();
        let after = &lines[1..];
        let mut taken = 1 + after
            .iter()
            .take_while(|line| line.trim().is_empty() || width(line) >= self.indent.min(2))
            .count();
        while taken > 1 && lines[taken - 1].trim().is_empty() {
            taken -= 1;
        }
        let mut body = vec![lines[0].get(self.indent..).unwrap_or_default().to_owned()];
        let cut = |line: &String| line[self.indent.min(width(line))..].to_owned();
        body.extend(lines[1..taken].iter().map(cut));
        (body, taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::assemble;

    fn blocks(text: &str) -> Vec<(BlockKind, String)> {
        let (text, blocks) = assemble(read(text).unwrap().raws);
        let slice = |range: crate::ByteRange| range.slice(&text).unwrap().to_owned();
        blocks.into_iter().map(|block| (block.kind, slice(block.range))).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        blocks(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn sections_have_the_levels_of_their_signs() {
        let text = "=====\nTitle\n=====\n\nText [1]_ here.\n\nPart\n----\n\n.. [1] A *note*.\n\n\
            Sub\n~~~\n\nMore.\n\nPart two\n--------\n\n----\n\nEnd.\n";
        let found = blocks(text);
        let heading = |level| BlockKind::Heading { level };
        let expected = [
            (heading(1), "Title"),
            (BlockKind::Paragraph, "Text here."),
            (heading(2), "Part"),
            (BlockKind::Note, "A note."),
            (heading(3), "Sub"),
            (BlockKind::Paragraph, "More."),
            (heading(2), "Part two"),
            (BlockKind::Paragraph, "End."),
        ];
        let expected: Vec<_> = expected.map(|(kind, text)| (kind, text.to_owned())).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn lists_and_definitions() {
        let text = "- one\n  goes on\n\n  - inner\n- two\n\n1. first\n2. second\n\n#. auto\n#. \
            more\n\n\
            term : kind\n   Its *meaning*.\n\n   More.\n\n:Author: A. Muster\n\n| a\n| b\n";
        let expected = [
            "- one goes on",
            "- inner",
            "- two",
            "1. first",
            "2. second",
            "3. auto",
            "4. more",
            "term: Its meaning.",
            "More.",
            "Author: A. Muster",
            "a\nb",
        ];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn directives_give_what_a_reader_sees() {
        let text = ".. _target:\n\n.. contents::\n   :depth: 2\n\n.. note:: Mind\n   the gap.\n\n\
            .. figure:: x.png\n   :alt: A map\n\n   The caption.\n\n.. code-block:: python\n   \
            :linenos:\n\n   \
            a = 1\n     b\n\n.. include:: other.rst\n\n.. a comment\n   of two lines\n\n\
            .. |CH| replace:: Switzerland\n\nIn |CH|::\n\n  as is\n\nAfter.\n";
        let expected = [
            "Mind the gap.",
            "A map",
            "The caption.",
            "a = 1\n  b",
            "In Switzerland:",
            "as is",
            "After.",
        ];
        assert_eq!(texts(text), expected);
        assert_eq!(read(text).unwrap().left_out, ["the included file other.rst"]);
    }

    #[test]
    fn inline_markup_goes() {
        let text = "**Bold** and ``a*b`` `link <https://x.y>`_ :ref:`the place <p>` :term:`word` \
            a word_ and snake_case_ x\\ y 2 * 3 * 4 `ref`_ [CIT]_ e.g. `title`.\n";
        let expected = "Bold and a*b link the place word a word and snake_case xy 2 * 3 * 4 ref \
            [CIT] e.g. title.";
        assert_eq!(texts(text), [expected]);
    }

    #[test]
    fn hostile_texts_are_read_or_refused_at_once() {
        let start = std::time::Instant::now();
        let nested: String = (0..500).map(|n| format!("{}- x\n", "  ".repeat(n))).collect();
        assert!(matches!(read(&nested), Err(Unreadable::TooDeep { .. })));
        for part in ["- ", "+--", "+---+\n|", ".. x::\n", "`", "**", "= ", "|", ":a:", "\\", "- - "]
        {
            let text = part.repeat(20_000);
            assert!(matches!(read(&text), Ok(_) | Err(Unreadable::TooDeep { .. })), "{part}");
        }
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
