//! Small PDF files for tests, written by hand.

use std::fmt::Write as _;

/// A file being made: objects in order, the first being the catalog and the second the pages.
pub(super) struct Maker {
    pages: Vec<Page>,
    catalog: String,
    objects: Vec<Vec<u8>>,
    info: String,
}

struct Page {
    content: String,
    extra: String,
}

/// Where object numbers of pages begin; before it stand catalog, pages and three fonts.
const FIRST: usize = 6;

impl Maker {
    pub(super) fn new() -> Maker {
        let (pages, objects) = (Vec::new(), Vec::new());
        Maker { pages, objects, catalog: String::new(), info: String::new() }
    }

    /// A page with these drawing instructions.
    pub(super) fn page(self, content: &str) -> Maker {
        self.page_with(content, "")
    }

    /// The same with more entries in the page's dictionary.
    pub(super) fn page_with(mut self, content: &str, extra: &str) -> Maker {
        self.pages.push(Page { content: content.to_owned(), extra: extra.to_owned() });
        self
    }

    /// More entries of the catalog, and the title in the information dictionary.
    pub(super) fn about(mut self, catalog: &str, title: &str) -> Maker {
        self.catalog = catalog.to_owned();
        self.info = format!("<</Title ({title})>>");
        self
    }

    /// An object beside the pages; its number is 100 and up.
    pub(super) fn object(mut self, object: &str) -> Maker {
        self.objects.push(object.as_bytes().to_vec());
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut objects: Vec<(usize, Vec<u8>)> = Vec::new();
        let kids: String =
            (0..self.pages.len()).map(|page| format!("{} 0 R ", FIRST + 2 * page)).collect();
        let count = self.pages.len();
        let catalog = format!("<</Type /Catalog /Pages 2 0 R {}>>", self.catalog);
        objects.push((1, catalog.into_bytes()));
        objects.push((2, format!("<</Type /Pages /Kids [{kids}] /Count {count}>>").into_bytes()));
        for (number, name) in [(3, "Helvetica"), (4, "Helvetica-Bold"), (5, "Courier")] {
            let font = format!(
                "<</Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding>>"
            );
            objects.push((number, font.into_bytes()));
        }
        for (index, page) in self.pages.iter().enumerate() {
            let number = FIRST + 2 * index;
            let dict = format!(
                "<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources \
                 <</Font <</F 3 0 R /B 4 0 R /C 5 0 R>> /XObject <</X 100 0 R>>>> {}>>",
                number + 1,
                page.extra
            );
            objects.push((number, dict.into_bytes()));
            objects.push((number + 1, stream("", page.content.as_bytes())));
        }
        let extra = self.objects.iter().enumerate();
        objects.extend(extra.map(|(index, object)| (100 + index, object.clone())));
        objects.push((99, self.info.clone().into_bytes()));
        file(&objects)
    }
}

/// A stream object with these entries.
pub(super) fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("<</Length {} {entries}>> stream\n", data.len());
    [head.as_bytes(), data, b"\nendstream"].concat()
}

fn file(objects: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut table = String::new();
    for (number, object) in objects.iter().filter(|(_, object)| !object.is_empty()) {
        writeln!(table, "{number} 1\n{:010} 00000 n ", out.len()).expect("writing to memory");
        out.extend(format!("{number} 0 obj ").bytes());
        out.extend(object);
        out.extend(b" endobj\n");
    }
    let at = out.len();
    let end = format!(
        "xref\n0 1\n0000000000 65535 f \n{table}trailer <</Size 200 /Root 1 0 R /Info 99 0 R>>\n\
         startxref\n{at}\n%%EOF"
    );
    out.extend(end.bytes());
    out
}

/// Instructions that write one line at a place (from the lower left corner, in points).
pub(super) fn text(font: char, size: f32, x: f32, y: f32, text: &str) -> String {
    let bytes: String = text
        .chars()
        .map(|c| match c {
            '(' | ')' | '\\' => format!("\\{c}"),
            _ if c.is_ascii() => c.to_string(),
            _ => format!("\\{:03o}", u32::from(c)),
        })
        .collect();
    format!("BT /{font} {size} Tf {x} {y} Td ({bytes}) Tj ET\n")
}

/// Lines of text below one another, 12 points apart.
pub(super) fn lines(x: f32, y: f32, lines: &[&str]) -> String {
    let line = |(index, line): (usize, &&str)| text('F', 10.0, x, y - 12.0 * index as f32, line);
    lines.iter().enumerate().map(line).collect()
}
