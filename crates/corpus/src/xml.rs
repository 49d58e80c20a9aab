//! XML as a tree in three flat lists: no recursion, no entities, limits on depth and size.

use std::collections::HashMap;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::Unreadable;

/// The deepest nesting of elements.
const MAX_DEPTH: usize = 256;
/// How many elements, texts and attributes a part may have; each costs more memory than text.
const MAX_NODES: usize = 6_000_000;

/// The name of a text.
const TEXT: u32 = u32::MAX;

/// A part that was parsed.
pub(crate) struct Xml {
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    names: Vec<String>,
    text: String,
}

/// An element or a text. Nodes stand in the order of the file, children after their parent.
struct Node {
    name: u32,
    /// One past the last node below it.
    end: u32,
    /// An element's attributes, or a text's bytes.
    from: u32,
    to: u32,
}

struct Attribute {
    name: u32,
    from: u32,
    to: u32,
}

/// An element of a part.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    xml: &'a Xml,
    index: u32,
}

/// What stands in an element.
pub(crate) enum Child<'a> {
    Element(Element<'a>),
    Text(&'a str),
}

impl Xml {
    pub(crate) fn parse(bytes: &[u8], format: &'static str) -> Result<Xml, Unreadable> {
        let text = decode(bytes, format)?;
        let mut builder = Builder::new(format);
        let mut reader = Reader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        loop {
            let event = reader.read_event().map_err(|error| Unreadable::Broken {
                format,
                detail: format!("{error} at byte {}", reader.error_position()),
            })?;
            match event {
                Event::Eof => break,
                event => builder.take(event, reader.buffer_position() as usize)?,
            }
        }
        builder.finish()
    }

    /// The outermost element.
    pub(crate) fn root(&self) -> Element<'_> {
        Element { xml: self, index: 0 }
    }
}

/// A part's characters: UTF-8, UTF-16, or what its first line says.
fn decode(bytes: &[u8], format: &'static str) -> Result<String, Unreadable> {
    let text = match bytes {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => encoding_rs::UTF_16LE.decode(bytes).0,
        [0xfe, 0xff, ..] | [0, b'<', ..] => encoding_rs::UTF_16BE.decode(bytes).0,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}').into(),
            Err(error) => {
                let detail = format!("a part is not UTF-8 at byte {}", error.valid_up_to());
                let named = named_encoding(bytes).map(|encoding| encoding.decode(bytes));
                let sound = named.filter(|(_, _, had_errors)| !had_errors);
                sound.ok_or(Unreadable::Broken { format, detail })?.0
            }
        },
    };
    Ok(text.into_owned())
}

/// `<?xml version="1.0" encoding="…"?>`.
fn named_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = bytes.split(|byte| *byte == b'>').next()?;
    let head = std::str::from_utf8(head).ok().filter(|head| head.starts_with("<?xml"))?;
    let (_, value) = head.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let label = value.trim_start_matches(['"', '\'']).split(['"', '\'']).next()?;
    encoding_rs::Encoding::for_label(label.as_bytes())
}

struct Builder {
    format: &'static str,
    xml: Xml,
    known: HashMap<String, u32>,
    open: Vec<u32>,
    /// Whether the last node is a text that may go on.
    in_text: bool,
}

impl Builder {
    fn new(format: &'static str) -> Builder {
        let xml = Xml {
            nodes: Vec::new(),
            attributes: Vec::new(),
            names: Vec::new(),
            text: String::new(),
        };
        Builder { format, xml, known: HashMap::new(), open: Vec::new(), in_text: false }
    }

    fn take(&mut self, event: Event, offset: usize) -> Result<(), Unreadable> {
        match event {
            Event::Start(start) => self.open(&start, offset)?,
            Event::End(_) => self.close(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(name) => self.reference(&name)?,
            // Old programs name a definition that stands elsewhere; nothing is fetched.
            Event::DocType(definition) if definition.contains('[') => {
                return Err(Unreadable::Definition { format: self.format });
            }
            _ => {}
        }
        match self.xml.nodes.len() + self.xml.attributes.len() > MAX_NODES {
            true => Err(Unreadable::TooManyBlocks { limit: MAX_NODES }),
            false => Ok(()),
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let index = self.xml.names.len() as u32;
        self.xml.names.push(name.to_owned());
        self.known.insert(name.to_owned(), index);
        index
    }

    fn open(&mut self, start: &BytesStart, offset: usize) -> Result<(), Unreadable> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep { limit: MAX_DEPTH, offset });
        }
        self.in_text = false;
        let from = self.xml.attributes.len() as u32;
        for attribute in start.attributes().with_checks(false) {
            let damaged = |detail: String| Unreadable::Broken { format: self.format, detail };
            let attribute = attribute.map_err(|error| damaged(error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| damaged(error.to_string()))?;
            let start = self.xml.text.len() as u32;
            self.xml.text.push_str(&value);
            let to = self.xml.text.len() as u32;
            let name = self.name(attribute.key.as_ref());
            self.xml.attributes.push(Attribute { name, from: start, to });
        }
        let to = self.xml.attributes.len() as u32;
        let name = self.name(start.local_name().as_ref());
        self.open.push(self.xml.nodes.len() as u32);
        self.xml.nodes.push(Node { name, end: 0, from, to });
        Ok(())
    }

    fn close(&mut self) {
        self.in_text = false;
        let end = self.xml.nodes.len() as u32;
        if let Some(index) = self.open.pop() {
            self.xml.nodes[index as usize].end = end;
        }
    }

    fn text(&mut self, text: &str) {
        if self.open.is_empty() || text.is_empty() {
            return;
        }
        let from = self.xml.text.len() as u32;
        self.xml.text.push_str(text);
        let to = self.xml.text.len() as u32;
        match self.xml.nodes.last_mut().filter(|_| self.in_text) {
            Some(node) => node.to = to,
            None => {
                let end = self.xml.nodes.len() as u32 + 1;
                self.xml.nodes.push(Node { name: TEXT, end, from, to });
            }
        }
        self.in_text = true;
    }

    fn reference(&mut self, reference: &BytesRef) -> Result<(), Unreadable> {
        let damaged = |detail: String| Unreadable::Broken { format: self.format, detail };
        if let Some(character) =
            reference.resolve_char_ref().map_err(|error| damaged(error.to_string()))?
        {
            self.text(character.encode_utf8(&mut [0; 4]));
            return Ok(());
        }
        let text = match &**reference {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "quot" => "\"",
            "apos" => "'",
            name => return Err(damaged(format!("an entity {name:?} that is not defined"))),
        };
        self.text(text);
        Ok(())
    }

    fn finish(self) -> Result<Xml, Unreadable> {
        let is_sound = self.open.is_empty()
            && self.xml.nodes.first().is_some_and(|root| root.end as usize == self.xml.nodes.len());
        match is_sound {
            true => Ok(self.xml),
            false => Err(Unreadable::Broken {
                format: self.format,
                detail: "a part has no single outermost element".to_owned(),
            }),
        }
    }
}

impl<'a> Element<'a> {
    fn node(self) -> &'a Node {
        &self.xml.nodes[self.index as usize]
    }

    /// Tells it from all others of its part.
    pub(crate) fn id(self) -> u32 {
        self.index
    }

    /// Its name without the prefix.
    pub(crate) fn name(self) -> &'a str {
        &self.xml.names[self.node().name as usize]
    }

    pub(crate) fn is(self, name: &str) -> bool {
        self.name() == name
    }

    /// An attribute: the one of exactly this name, else one of this name with any prefix. That of a
    /// relation ("r:id") may have any prefix, but has one.
    pub(crate) fn attribute(self, name: &str) -> Option<&'a str> {
        let node = self.node();
        let attributes = &self.xml.attributes[node.from as usize..node.to as usize];
        let named = |attribute: &&Attribute| &self.xml.names[attribute.name as usize];
        let wanted = name.strip_prefix("r:").unwrap_or(name);
        let found = attributes.iter().find(|attribute| named(attribute) == name).or_else(|| {
            attributes.iter().find(|attribute| {
                let found = named(attribute).rsplit_once(':');
                found.is_some_and(|(prefix, local)| prefix != "xmlns" && local == wanted)
            })
        })?;
        Some(&self.xml.text[found.from as usize..found.to as usize])
    }

    pub(crate) fn number<T: std::str::FromStr>(self, name: &str) -> Option<T> {
        self.attribute(name)?.trim().parse().ok()
    }

    /// What stands in it, one level down.
    pub(crate) fn content(self) -> impl Iterator<Item = Child<'a>> {
        let end = self.node().end;
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let node = &self.xml.nodes[next as usize];
            let index = next;
            next = node.end.max(next + 1);
            Some(match node.name {
                TEXT => Child::Text(&self.xml.text[node.from as usize..node.to as usize]),
                _ => Child::Element(Element { xml: self.xml, index }),
            })
        })
    }

    /// The elements in it, one level down.
    pub(crate) fn children(self) -> impl Iterator<Item = Element<'a>> {
        self.content().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// The first element of this name, one level down.
    pub(crate) fn child(self, name: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.is(name))
    }

    /// The element at the end of a path of names.
    pub(crate) fn at(self, path: &[&str]) -> Option<Element<'a>> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// All elements below it, in order.
    pub(crate) fn descendants(self) -> impl Iterator<Item = Element<'a>> {
        (self.index + 1..self.node().end)
            .filter(move |index| self.xml.nodes[*index as usize].name != TEXT)
            .map(move |index| Element { xml: self.xml, index })
    }

    /// All text below it.
    pub(crate) fn text(self) -> String {
        let nodes = &self.xml.nodes[self.index as usize + 1..self.node().end as usize];
        let texts = nodes.iter().filter(|node| node.name == TEXT);
        texts.map(|node| &self.xml.text[node.from as usize..node.to as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_walked() {
        let xml = b"\xef\xbb\xbf<?xml version='1.0'?><w:a x='1&amp;' r:id='r' id='7'><!-- c -->\
            <w:b>t&lt;u<c/>v<![CDATA[<w>]]></w:b><w:b/></w:a>";
        let xml = Xml::parse(xml, "Word").unwrap();
        let root = xml.root();
        assert_eq!((root.name(), root.attribute("x")), ("a", Some("1&")));
        assert_eq!((root.attribute("r:id"), root.attribute("id")), (Some("r"), Some("7")));
        assert_eq!(root.children().count(), 2);
        assert_eq!(root.child("b").unwrap().text(), "t<uv<w>");
        assert_eq!(root.descendants().count(), 3);
        let after = Xml::parse(b"<a><b>x</b>y&amp;z</a>", "Word").unwrap();
        assert_eq!(after.root().child("b").unwrap().text(), "x");
        let last = after.root().content().last();
        assert!(matches!(last, Some(Child::Text("y&z"))));
    }

    #[test]
    fn parts_have_many_encodings_and_prefixes() {
        let read = |bytes: &[u8]| Xml::parse(bytes, "Word").map(|xml| xml.root().text());
        let text = "<?xml version='1.0' encoding='iso-8859-1'?><a>Z\u{fc}rich</a>";
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        assert_eq!(read(&latin).unwrap(), "Zürich");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&wide).unwrap(), "Zürich");
        assert!(matches!(read(b"<a>\xfc</a>"), Err(Unreadable::Broken { .. })));
        let xml = b"<a xmlns:id='x' x:id='5' id='7'/>";
        let xml = Xml::parse(xml, "Word").unwrap();
        assert_eq!(
            (xml.root().attribute("r:id"), xml.root().attribute("id")),
            (Some("5"), Some("7"))
        );
        let named = b"<!DOCTYPE a PUBLIC \"x\" \"a.dtd\"><a>b</a>";
        assert_eq!(read(named).unwrap(), "b");
    }

    #[test]
    fn what_could_expand_is_refused() {
        let bomb = b"<!DOCTYPE a [<!ENTITY b 'cc'>]><a>&b;</a>";
        assert!(matches!(Xml::parse(bomb, "Word"), Err(Unreadable::Definition { .. })));
        assert!(matches!(Xml::parse(b"<a>&b;</a>", "Word"), Err(Unreadable::Broken { .. })));
        let deep = "<a>".repeat(100_000);
        assert!(matches!(Xml::parse(deep.as_bytes(), "Word"), Err(Unreadable::TooDeep { .. })));
        for broken in ["", "x", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a b></a>", "\u{0}"] {
            let found = Xml::parse(broken.as_bytes(), "Word");
            assert!(matches!(found, Err(Unreadable::Broken { .. })), "{broken}");
        }
    }
}
