//! Explicit markup: notes, targets, comments and directives.

use super::{Item, Reader, dedented, indented, inline};
use crate::frame::Frame;
use crate::raw::Raw;
use crate::{BlockKind, Unreadable};

/// Directives that show nothing, or what stands elsewhere.
const SILENT: &[&str] = &[
    "contents",
    "toctree",
    "raw",
    "index",
    "highlight",
    "meta",
    "role",
    "default-role",
    "sectnum",
    "class",
    "rst-class",
    "tabularcolumns",
    "title",
    "header",
    "footer",
    "target-notes",
    "restructuredtext-test-directive",
    "currentmodule",
    "module",
    "graphviz",
    "mermaid",
    "bibliography",
];
const INCLUDES: &[&str] = &["include", "literalinclude"];
const CODE: &[&str] =
    &["code", "code-block", "sourcecode", "parsed-literal", "math", "prompt", "productionlist"];
const PICTURES: &[&str] = &["image", "figure"];

/// A directive as it stands.
struct Directive {
    name: String,
    argument: String,
    options: Vec<(String, String)>,
    body: Vec<String>,
}

impl Directive {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn count(&self, name: &str) -> usize {
        self.option(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

impl Reader {
    /// Reads what begins with "..".
    pub(super) fn explicit(
        &mut self,
        lines: &[String],
        number: usize,
    ) -> Result<usize, Unreadable> {
        let taken = 1 + indented(&lines[1..]);
        let first = lines[0].trim_start_matches('.').trim_start();
        let below = dedented(&lines[1..taken]);
        if lines[0].starts_with("__") || first.starts_with('_') {
            return Ok(taken);
        }
        let note = first.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((label, text)) = note.filter(|(l, _)| !l.is_empty() && !l.contains(' ')) {
            self.note(label, text, &below, number)?;
            return Ok(taken);
        }
        let named = match first.strip_prefix('|').and_then(|rest| rest.split_once("| ")) {
            // A picture or text under a name is read where the name stands.
            Some(_) => return Ok(taken),
            None => first.split_once("::"),
        };
        if let Some((name, argument)) = named
            && is_name(name)
            && (argument.is_empty() || argument.starts_with(' '))
        {
            let directive = directive(name, argument.trim(), below);
            self.directive(&directive, number)?;
        }
        Ok(taken)
    }

    fn note(
        &mut self,
        label: &str,
        text: &str,
        below: &[String],
        number: usize,
    ) -> Result<(), Unreadable> {
        let mut body = vec![text.trim().to_owned()];
        body.extend_from_slice(below);
        let from = self.found.len();
        self.blocks(&body, number)?;
        let is_note = label.starts_with(['#', '*']) || label.bytes().all(|b| b.is_ascii_digit());
        for (index, raw) in self.found.drain(from..).enumerate() {
            let is_citation = !is_note && index == 0;
            let text = if is_citation { format!("[{label}] {}", raw.text) } else { raw.text };
            self.notes.push(Raw::new(BlockKind::Note, text));
        }
        Ok(())
    }

    fn directive(&mut self, directive: &Directive, number: usize) -> Result<(), Unreadable> {
        let name = directive.name.as_str();
        match name {
            _ if SILENT.contains(&name) || name.starts_with("auto") => {}
            _ if INCLUDES.contains(&name) => {
                self.left_out.push(format!("the included file {}", directive.argument));
            }
            _ if CODE.contains(&name) => {
                let code = match directive.body.is_empty() && name == "math" {
                    true => directive.argument.clone(),
                    false => directive.body.join("\n"),
                };
                self.found.push(Raw::new(BlockKind::Code, code));
            }
            _ if PICTURES.contains(&name) => {
                self.push(BlockKind::Paragraph, directive.option("alt").unwrap_or_default());
                self.blocks(&directive.body, number)?;
            }
            "list-table" => self.list_table(directive, number)?,
            "csv-table" => self.csv_table(directive),
            "table" | "rubric" | "topic" | "sidebar" | "admonition" | "centered" | "epigraph" => {
                self.push(BlockKind::Paragraph, &directive.argument);
                self.blocks(&directive.body, number)?;
            }
            // Of admonitions and unknown directives, what stands in them is text.
            _ => self.admonition(directive, number)?,
        }
        Ok(())
    }

    /// The argument of "note" is the first line of its text; of unknown directives it is not shown.
    fn admonition(&mut self, directive: &Directive, number: usize) -> Result<(), Unreadable> {
        const NOTED: &[&str] = &[
            "note",
            "warning",
            "tip",
            "hint",
            "important",
            "attention",
            "caution",
            "danger",
            "error",
            "seealso",
            "todo",
            "deprecated",
            "versionadded",
            "versionchanged",
        ];
        let mut body = Vec::new();
        if NOTED.contains(&directive.name.as_str()) {
            body.push(directive.argument.clone());
        }
        body.extend(directive.body.iter().cloned());
        self.blocks(&body, number)
    }

    /// A table whose rows are the items of a list and its cells the items in those.
    fn list_table(&mut self, directive: &Directive, number: usize) -> Result<(), Unreadable> {
        self.push(BlockKind::Paragraph, &directive.argument);
        let headers = directive.count("header-rows");
        let mut frame = Frame::default();
        for (index, row) in items(&directive.body).into_iter().enumerate() {
            frame.open_row();
            for cell in items(&row) {
                self.cell(&mut frame, &cell, number, (1, 1))?;
                frame.close_cell(index < headers);
            }
        }
        self.found.extend(frame.finish());
        Ok(())
    }

    /// Reads a cell's lines into the frame.
    pub(super) fn cell(
        &mut self,
        frame: &mut Frame,
        lines: &[String],
        number: usize,
        (columns, rows): (usize, usize),
    ) -> Result<(), Unreadable> {
        let from = self.found.len();
        self.depth += 1;
        self.blocks(lines, number)?;
        self.depth -= 1;
        frame.open_cell(columns, rows);
        let blocks = self.found.split_off(from);
        frame.open_cell_blocks().into_iter().for_each(|open| open.extend_from_slice(&blocks));
        Ok(())
    }

    fn csv_table(&mut self, directive: &Directive) {
        self.push(BlockKind::Paragraph, &directive.argument);
        let sign = match directive.option("delim") {
            Some("tab") => b'\t',
            Some(sign) if sign.len() == 1 => sign.as_bytes()[0],
            _ => b',',
        };
        // Blanks between the sign and a quoted cell do not count.
        let (loose, tight) =
            (format!("{} \"", char::from(sign)), format!("{}\"", char::from(sign)));
        let read = |text: &str| {
            let text = text.replace(&loose, &tight);
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(sign)
                .trim(csv::Trim::All)
                .from_reader(text.as_bytes());
            let rows = reader.records().map_while(Result::ok).map(|row| {
                row.iter().map(|cell| inline::plain(cell, &self.substitutions).0).collect()
            });
            rows.collect::<Vec<Vec<String>>>()
        };
        let mut rows = read(&directive.body.join("\n"));
        let header = match directive.option("header") {
            Some(header) => read(header).into_iter().next().unwrap_or_default(),
            None if directive.count("header-rows") > 0 && !rows.is_empty() => rows.remove(0),
            None => Vec::new(),
        };
        self.found.extend(crate::table::rows(&header, &rows));
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 60
        && name.chars().all(|c| c.is_alphanumeric() || "-_.:+".contains(c))
}

/// Argument, options and body; the argument may go on in the lines below it.
fn directive(name: &str, argument: &str, below: Vec<String>) -> Directive {
    let mut argument = argument.to_owned();
    let mut options = Vec::new();
    let mut lines = below.into_iter().peekable();
    let goes_on = |line: &String| !line.trim().is_empty();
    while let Some(line) = lines.next_if(goes_on) {
        let field = super::field(line.trim());
        match (field, options.last_mut()) {
            (Some((name, value)), _) => options.push((name.to_owned(), value.to_owned())),
            // Such a line goes on with the option or the argument above.
            (None, Some((_, value))) if line.starts_with(' ') => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (None, None) if !argument.is_empty() => {
                argument.push(' ');
                argument.push_str(line.trim());
            }
            _ => {
                let body = std::iter::once(line).chain(lines).collect();
                return Directive { name: name.to_lowercase(), argument, options, body };
            }
        }
    }
    let body = dedented(&lines.collect::<Vec<_>>());
    Directive { name: name.to_lowercase(), argument, options, body }
}

/// The items of a list of bullets, each as its lines.
fn items(lines: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        match Item::of(&lines[at]).filter(|item| item.marker == "-") {
            Some(item) => {
                let (body, taken) = item.body(&lines[at..]);
                found.push(body);
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}
