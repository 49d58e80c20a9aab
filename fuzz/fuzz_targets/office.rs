//! Any bytes as the main part of an office file: the XML and what is made of it.
#![no_main]

use std::io::{Cursor, Write};

use allod_corpus::{Source, read_all};
use libfuzzer_sys::fuzz_target;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The file's path and the part that takes the bytes; the other parts are small and sound.
const PARTS: [(&str, &str); 6] = [
    ("a.docx", "word/document.xml"),
    ("a.docx", "word/styles.xml"),
    ("a.docx", "word/numbering.xml"),
    ("a.xlsx", "xl/worksheets/sheet1.xml"),
    ("a.pptx", "ppt/slides/slide1.xml"),
    ("a.odt", "content.xml"),
];

const RELATIONS: &[u8] = b"<Relationships><Relationship Id='r1' Type='x/styles' \
    Target='styles.xml'/>\
    <Relationship Id='r2' Type='x/numbering' Target='numbering.xml'/>\
    <Relationship Id='r3' Type='x/worksheet' Target='worksheets/sheet1.xml'/>\
    <Relationship Id='r4' Type='x/slide' Target='slides/slide1.xml'/></Relationships>";

const SOUND: [(&str, &[u8]); 10] = [
    ("word/document.xml", b"<d><body><p><pPr><pStyle val='a'/><numPr><numId val='1'/></numPr></pPr>\
        <r><t>x</t></r></p></body></d>"),
    ("word/styles.xml", b"<s><style styleId='a'><name val='heading 1'/></style></s>"),
    ("word/numbering.xml", b"<n><abstractNum abstractNumId='0'><lvl ilvl='0'><lvlText val='%1.'/>\
        </lvl></abstractNum><num numId='1'><abstractNumId val='0'/></num></n>"),
    ("word/_rels/document.xml.rels", RELATIONS),
    ("xl/workbook.xml", b"<w><sheets><sheet name='S' r:id='r3'/></sheets></w>"),
    ("xl/_rels/workbook.xml.rels", RELATIONS),
    ("ppt/presentation.xml", b"<p><sldIdLst><sldId r:id='r4'/></sldIdLst></p>"),
    ("ppt/_rels/presentation.xml.rels", RELATIONS),
    ("mimetype", b"application/vnd.oasis.opendocument.text"),
    ("_rels/.rels", RELATIONS),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let (path, part) = PARTS[usize::from(*kind) % PARTS.len()];
    let folder = part.split('/').next().unwrap_or_default();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let others = SOUND.iter().filter(|(name, _)| *name != part && name.starts_with(folder));
    for (name, content) in others.copied().chain([(part, bytes)]) {
        if writer.start_file(name, options).is_err() || writer.write_all(content).is_err() {
            return;
        }
    }
    if path == "a.odt" && writer.start_file("mimetype", options).is_err() {
        return;
    }
    let Ok(file) = writer.finish() else { return };
    let _ = read_all(&Source { path, bytes: &file.into_inner(), sidecar: None });
});
