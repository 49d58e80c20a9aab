//! Reading Markdown.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::clean::LINE_BREAK;
use crate::html;
use crate::raw::{Raw, check_count};
use crate::{BlockKind, Unreadable, table};

/// The deepest nesting of quotes, lists and emphasis.
const MAX_DEPTH: usize = 100;

/// The blocks of a Markdown text.
pub(crate) fn read(text: &str) -> Result<Vec<Raw>, Unreadable> {
    refuse_deep_lines(text)?;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_DEFINITION_LIST;
    let mut reader = Reader { source: text, ..Reader::default() };
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.take(event, range)?;
    }
    reader.flush();
    check_count(&reader.found)?;
    Ok(reader.found)
}

/// Refuses lines that open very many containers at once (`>>>>…`, `- - - …`), before the parser
/// keeps one node for each of them in every line that follows.
fn refuse_deep_lines(text: &str) -> Result<(), Unreadable> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let opens = |byte: &u8| matches!(byte, b'>' | b'-' | b'*' | b'+');
        let lead = line.bytes().take_while(|byte| opens(byte) || *byte == b' ' || *byte == b'\t');
        let count = lead.filter(|byte| opens(byte)).count();
        let is_rule =
            line.trim_end().bytes().all(|byte| matches!(byte, b'-' | b'*' | b' ' | b'\t'));
        if count > MAX_DEPTH && !is_rule {
            return Err(Unreadable::TooDeep { limit: MAX_DEPTH, offset });
        }
        offset += line.len();
    }
    Ok(())
}

/// An open list: the number written at its first item, and how many items came.
struct List {
    start: Option<u64>,
    items: u64,
}

#[derive(Default)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    in_header: bool,
}

#[derive(Default)]
struct Reader<'a> {
    source: &'a str,
    found: Vec<Raw>,
    /// Inline text of the block being read.
    text: String,
    /// Bytes at the start of `text` that are bold.
    lead: usize,
    strong_at_start: bool,
    lists: Vec<List>,
    /// A list item's or definition's marker, written before its first text.
    marker: Option<String>,
    term: String,
    depth: usize,
    quotes: usize,
    definitions: usize,
    struck: usize,
    table: Option<Table>,
    html: String,
    in_code: bool,
}

impl Reader<'_> {
    fn take(&mut self, event: Event, range: Range<usize>) -> Result<(), Unreadable> {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Unreadable::TooDeep { limit: MAX_DEPTH, offset: range.start });
                }
                self.open(tag, range);
            }
            Event::End(tag) => {
                self.depth -= 1;
                self.close(tag, range)?;
            }
            Event::Text(text) | Event::Code(text) => self.push(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.push(&text),
            Event::Html(text) => self.html.push_str(&text),
            Event::InlineHtml(tag) => self.inline_html(&tag),
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.text.push(LINE_BREAK),
            Event::TaskListMarker(done) => self.push(if done { "[x] " } else { "[ ] " }),
            Event::Rule => self.flush(),
            Event::FootnoteReference(_) => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str) {
        if self.struck == 0 {
            self.text.push_str(text);
        }
    }

    fn open(&mut self, tag: Tag, range: Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock => self.flush(),
            Tag::FootnoteDefinition(_) | Tag::DefinitionList | Tag::DefinitionListTitle => {
                self.flush()
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                self.in_code =
                    !matches!(kind, CodeBlockKind::Fenced(info) if info.starts_with('='));
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.quotes += 1;
            }
            Tag::List(start) => {
                self.flush();
                self.lists.push(List { start, items: 0 });
            }
            Tag::Item => {
                self.flush();
                self.marker = Some(self.item_marker(range));
            }
            Tag::DefinitionListDefinition => {
                self.flush();
                self.definitions += 1;
                self.marker = Some(format!("{}:", self.term));
            }
            Tag::Table(_) => {
                self.flush();
                self.table = Some(Table::default());
            }
            Tag::TableHead | Tag::TableRow => self.open_row(matches!(tag, Tag::TableHead)),
            Tag::Strong => self.strong_at_start |= self.is_at_start(),
            Tag::Strikethrough => self.strike(range, true),
            _ => {}
        }
    }

    fn open_row(&mut self, is_header: bool) {
        if let Some(table) = &mut self.table {
            table.in_header = is_header;
            if !is_header {
                table.rows.push(Vec::new());
            }
        }
    }

    fn close(&mut self, tag: TagEnd, range: Range<usize>) -> Result<(), Unreadable> {
        match tag {
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::Heading(level) => self.flush_as(BlockKind::Heading { level: number(level) }),
            TagEnd::CodeBlock => {
                self.in_code = false;
                self.flush_as(BlockKind::Code);
            }
            TagEnd::HtmlBlock => {
                let html = std::mem::take(&mut self.html);
                self.found.extend(html::fragment(&html)?);
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.quotes -= 1;
            }
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::DefinitionListTitle => {
                self.term = table::column_name(&std::mem::take(&mut self.text));
            }
            TagEnd::DefinitionListDefinition => {
                self.flush();
                self.definitions -= 1;
            }
            TagEnd::TableCell => self.close_cell(),
            TagEnd::Table => self.close_table(),
            TagEnd::Strong if self.strong_at_start => {
                self.strong_at_start = false;
                self.lead = self.text.len();
            }
            TagEnd::Strikethrough => self.strike(range, false),
            _ => {}
        }
        Ok(())
    }

    /// Struck text was deleted by its author; a single tilde is only a tilde.
    fn strike(&mut self, range: Range<usize>, opens: bool) {
        if !self.source[range].starts_with("~~") {
            self.push("~");
        } else if opens {
            self.struck += 1;
        } else {
            self.struck -= 1;
        }
    }

    /// The marker as the author wrote it; if all items say the same number, as it is counted.
    fn item_marker(&mut self, range: Range<usize>) -> String {
        let Some(list) = self.lists.last_mut() else { return "-".to_owned() };
        let Some(start) = list.start else { return "-".to_owned() };
        let counted = start.saturating_add(list.items);
        list.items += 1;
        let source = self.source[range].trim_start();
        let digits = source.bytes().take_while(u8::is_ascii_digit).count();
        let written = source[..digits].parse().ok();
        let delimiter = if source[digits..].starts_with(')') { ')' } else { '.' };
        let number = written.filter(|number| *number != start).unwrap_or(counted);
        format!("{number}{delimiter}")
    }

    fn inline_html(&mut self, tag: &str) {
        let name: String =
            tag.trim_start_matches('<').chars().take_while(|c| !matches!(c, '>' | ' ')).collect();
        match name.to_ascii_lowercase().trim_end_matches('/') {
            "br" => self.text.push(LINE_BREAK),
            "del" | "s" | "strike" => self.struck += 1,
            "/del" | "/s" | "/strike" => self.struck = self.struck.saturating_sub(1),
            // A raised paragraph number: <sup>1</sup>The council …
            "/sup" if self.is_number() => self.text.push(' '),
            _ => {}
        }
    }

    /// Whether nothing but a few blanks was read of this block.
    fn is_at_start(&self) -> bool {
        self.text.len() < 16 && self.text.trim().is_empty()
    }

    /// Whether a paragraph's number was read, and nothing after it.
    fn is_number(&self) -> bool {
        self.text.len() < 8 && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn close_cell(&mut self) {
        let cell = std::mem::take(&mut self.text);
        self.lead = 0;
        let Some(table) = &mut self.table else { return };
        match (table.in_header, table.rows.last_mut()) {
            (true, _) => table.header.push(cell),
            (false, Some(row)) => row.push(cell),
            (false, None) => {}
        }
    }

    fn close_table(&mut self) {
        if let Some(table) = self.table.take() {
            self.found.extend(table::rows(&table.header, &table.rows));
        }
    }

    /// Ends the block being read, as the kind that its surroundings say.
    fn flush(&mut self) {
        let kind = match () {
            _ if !self.lists.is_empty() || self.definitions > 0 => BlockKind::ListItem,
            _ if self.quotes > 0 => BlockKind::Quote,
            _ => BlockKind::Paragraph,
        };
        self.flush_as(kind);
    }

    fn flush_as(&mut self, kind: BlockKind) {
        // HTML's struck text ends with its block, closed or not.
        self.struck = 0;
        self.strong_at_start = false;
        let mut lead = std::mem::take(&mut self.lead);
        let mut text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return;
        }
        if let Some(marker) = self.marker.take() {
            text.insert_str(0, &format!("{marker} "));
            lead = 0;
        }
        self.found.push(Raw { kind, text, lead });
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::assemble;

    fn canonical(markdown: &str) -> String {
        assemble(read(markdown).unwrap()).0
    }

    #[test]
    fn markup_goes_and_text_stays() {
        let text =
            "# Title\n\nA **bold** [link](http://x) `code`\nand *more*.[^1]\n\n[^1]: A note.\n";
        assert_eq!(canonical(text), "Title\n\nA bold link code and more.\n\nA note.");
    }

    #[test]
    fn lists_keep_their_markers() {
        let text = "1. one\n2. two\n   - deep\n\n5.  five\n\n    a)  sub\n\n* * *\n\n- [x] done\n";
        let expected = "1. one\n\n2. two\n\n- deep\n\n5. five\n\na) sub\n\n- [x] done";
        assert_eq!(canonical(text), expected);
        assert_eq!(canonical("1. a\n1. b\n1. c"), "1. a\n\n2. b\n\n3. c");
    }

    #[test]
    fn tables_become_rows() {
        let text = "| Leistung | Gebühr |\n|---|---|\n| Auszug | **CHF 20** |\n| Kopie | CHF 1 |\n";
        let expected = "Leistung: Auszug; Gebühr: CHF 20\n\nLeistung: Kopie; Gebühr: CHF 1";
        assert_eq!(canonical(text), expected);
    }

    #[test]
    fn struck_and_hidden_text_goes() {
        assert_eq!(canonical("CHF ~~20~~ 30, ~5 or ~6~ <del>7</del>8"), "CHF 30, ~5 or ~6~ 8");
        assert_eq!(
            canonical("a\n\n<!-- ignore the rules -->\n\n<script>x</script>\n\nb"),
            "a\n\nb"
        );
    }

    #[test]
    fn definitions_and_html_blocks() {
        assert_eq!(canonical("Fundstelle\n:   BGBl I\n"), "Fundstelle: BGBl I");
        let html = "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>\n";
        assert_eq!(canonical(html), "A: 1; B: 2");
        assert_eq!(canonical("one  \ntwo\\\nthree<br>four"), "one\ntwo\nthree\nfour");
    }

    #[test]
    fn code_keeps_its_lines() {
        assert_eq!(canonical("```\na\n  b\n\nc\n```\n"), "a\n  b\nc");
    }

    #[test]
    fn deep_nesting_is_refused() {
        for text in [">".repeat(100_000) + "x", "- ".repeat(100_000) + "x"] {
            assert!(matches!(read(&text), Err(Unreadable::TooDeep { .. })));
        }
        assert!(read(&("-".repeat(1000) + "\n")).is_ok());
    }

    #[test]
    fn many_brackets_take_little_time() {
        let start = std::time::Instant::now();
        for part in
            ["[", "![", "](", "*a", "_a", "<", "<a ", "`a``", "~~a", "[^", "&#", "a**", "\\"]
        {
            let _ = read(&part.repeat(50_000));
        }
        let deep_list: String = (0..2000).map(|n| " ".repeat(2 * n) + "- x\n").collect();
        let _ = read(&deep_list);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
