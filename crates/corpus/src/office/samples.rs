//! Small office files for tests, made here.

use std::io::{Cursor, Read, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A ZIP container of these files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The container with these files put in or in the place of others.
pub(crate) fn with_files(bytes: &[u8], files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = String::from_utf8(file.name_raw().to_vec()).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if !files.iter().any(|(other, _)| *other == name) {
            all.push((name, content));
        }
    }
    let kept = all.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
    zip(&kept.chain(files.iter().copied()).collect::<Vec<_>>())
}

/// Relations of identifiers `r1`, `r2` … to kinds and targets.
fn relations(targets: &[(&str, &str)]) -> String {
    let one = |(index, (kind, target)): (usize, &(&str, &str))| {
        format!("<Relationship Id='r{}' Type='x/{kind}' Target='{target}'/>", index + 1)
    };
    let all: String = targets.iter().enumerate().map(one).collect();
    format!("<Relationships>{all}</Relationships>")
}

const CORE: &str = "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>The title</dc:title>\
    </cp:coreProperties>";

/// A Word document with this body, these styles, lists and notes.
pub(crate) fn docx(body: &str, styles: &str, lists: &str, notes: &str) -> Vec<u8> {
    let document = format!("<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>");
    let styles = format!("<w:styles xmlns:w='w'>{styles}</w:styles>");
    let lists = format!("<w:numbering xmlns:w='w'>{lists}</w:numbering>");
    let notes = format!("<w:footnotes xmlns:w='w'>{notes}</w:footnotes>");
    let targets =
        [("styles", "styles.xml"), ("numbering", "numbering.xml"), ("footnotes", "notes.xml")];
    zip(&[
        ("word/document.xml", document.as_bytes()),
        ("word/_rels/document.xml.rels", relations(&targets).as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
        ("word/numbering.xml", lists.as_bytes()),
        ("word/notes.xml", notes.as_bytes()),
        ("docProps/core.xml", CORE.as_bytes()),
    ])
}

/// A workbook of sheets: name, state and the XML in the sheet.
pub(crate) fn xlsx(sheets: &[(&str, &str, &str)], styles: &str, texts: &[&str]) -> Vec<u8> {
    let list: String = sheets
        .iter()
        .enumerate()
        .map(|(index, (name, state, _))| {
            format!("<sheet name='{name}' state='{state}' r:id='r{}'/>", index + 1)
        })
        .collect();
    let workbook = format!("<workbook xmlns:r='r'><sheets>{list}</sheets></workbook>");
    let names: Vec<String> =
        (1..=sheets.len()).map(|index| format!("worksheets/sheet{index}.xml")).collect();
    let mut targets: Vec<(&str, &str)> =
        names.iter().map(|name| ("worksheet", name.as_str())).collect();
    targets.extend([("sharedStrings", "texts.xml"), ("styles", "styles.xml")]);
    let texts: String = texts.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
    let texts = format!("<sst>{texts}</sst>");
    let styles = format!("<styleSheet>{styles}</styleSheet>");
    let paths: Vec<String> = names.iter().map(|name| format!("xl/{name}")).collect();
    let bodies: Vec<String> =
        sheets.iter().map(|(_, _, xml)| format!("<worksheet>{xml}</worksheet>")).collect();
    let relations = relations(&targets);
    let mut files: Vec<(&str, &[u8])> = vec![
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/texts.xml", texts.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
    ];
    files.extend(paths.iter().zip(&bodies).map(|(path, body)| (path.as_str(), body.as_bytes())));
    zip(&files)
}

/// A presentation of slides: attributes, the shapes, and the speaker's note.
pub(crate) fn pptx(slides: &[(&str, &str, &str)]) -> Vec<u8> {
    let list: String = (1..=slides.len())
        .map(|index| format!("<p:sldId id='{}' r:id='r{index}'/>", 255 + index))
        .collect();
    let presentation = format!(
        "<p:presentation xmlns:p='p' xmlns:r='r'><p:sldIdLst>{list}</p:sldIdLst></p:presentation>"
    );
    let names: Vec<String> =
        (1..=slides.len()).map(|index| format!("slides/slide{index}.xml")).collect();
    let targets: Vec<(&str, &str)> = names.iter().map(|name| ("slide", name.as_str())).collect();
    let mut files: Vec<(String, String)> = vec![
        ("ppt/presentation.xml".to_owned(), presentation),
        ("ppt/_rels/presentation.xml.rels".to_owned(), relations(&targets)),
    ];
    for (index, (attributes, shapes, note)) in slides.iter().enumerate() {
        let number = index + 1;
        let xml = |root: &str, attributes: &str, shapes: &str| {
            format!(
                "<p:{root} xmlns:p='p' xmlns:a='a' {attributes}><p:cSld>\
                    <p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>"
            )
        };
        let note = format!(
            "<p:sp><p:nvSpPr><p:cNvPr/><p:nvPr><p:ph type='body'/></p:nvPr></p:nvSpPr>\
             <p:txBody><a:p><a:r><a:t>{note}</a:t></a:r></a:p></p:txBody></p:sp>"
        );
        let target = format!("../notesSlides/n{number}.xml");
        files.extend([
            (format!("ppt/slides/slide{number}.xml"), xml("sld", attributes, shapes)),
            (
                format!("ppt/slides/_rels/slide{number}.xml.rels"),
                relations(&[("notesSlide", target.as_str())]),
            ),
            (format!("ppt/notesSlides/n{number}.xml"), xml("notes", "", &note)),
        ]);
    }
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, xml)| (path.as_str(), xml.as_bytes())).collect();
    zip(&files)
}

/// An OpenDocument file with this body and these styles.
pub(crate) fn open_document(body: &str, styles: &str) -> Vec<u8> {
    let names = "xmlns:office='o' xmlns:text='t' xmlns:table='b' xmlns:style='s' xmlns:fo='f' \
        xmlns:draw='d' xmlns:presentation='p'";
    let content = format!(
        "<office:document-content {names}><office:automatic-styles>{styles}\
         </office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    );
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", content.as_bytes()),
    ])
}
