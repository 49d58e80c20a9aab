//! Office files made by hand, and what a reader sees of them.

use proptest::prelude::*;

use super::samples::{docx, open_document, pptx, with_files, xlsx, zip};
use crate::{BlockKind, Document, Source, Unreadable, read, read_all};

fn document(path: &str, bytes: &[u8]) -> Document {
    read(&Source { path, bytes, sidecar: None }).unwrap()
}

fn blocks(path: &str, bytes: &[u8]) -> Vec<(BlockKind, String)> {
    let document = document(path, bytes);
    let text = |block: &crate::Block| document.slice(block.range).to_owned();
    document.blocks.iter().map(|block| (block.kind.clone(), text(block))).collect()
}

fn texts(path: &str, bytes: &[u8]) -> Vec<String> {
    blocks(path, bytes).into_iter().map(|(_, text)| text).collect()
}

fn p(style: &str, runs: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val='{style}'/></w:pPr>{runs}</w:p>")
}

fn r(text: &str) -> String {
    format!("<w:r><w:t>{text}</w:t></w:r>")
}

const STYLES: &str = "<w:style w:type='paragraph' w:styleId='U1'><w:name w:val='heading 1'/>\
    <w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr></w:style>\
    <w:style w:type='paragraph' w:styleId='U2'><w:name w:val='heading 2'/><w:basedOn w:val='U1'/>\
    <w:pPr><w:numPr><w:ilvl w:val='1'/></w:numPr></w:pPr></w:style>\
    <w:style w:type='paragraph' w:styleId='T1'><w:name w:val='toc 1'/></w:style>\
    <w:style w:type='character' w:styleId='H'><w:name w:val='x'/><w:rPr><w:vanish/></w:rPr>\
    </w:style>";
const LISTS: &str = "<w:abstractNum w:abstractNumId='0'>\
    <w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='decimal'/><w:lvlText w:val='%1'/>\
    </w:lvl>\
    <w:lvl w:ilvl='1'><w:start w:val='1'/><w:numFmt w:val='decimal'/><w:lvlText w:val='%1.%2'/>\
    </w:lvl>\
    </w:abstractNum><w:abstractNum w:abstractNumId='1'>\
    <w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='lowerLetter'/><w:lvlText w:val='%1)'/>\
    </w:lvl>\
    <w:lvl w:ilvl='1'><w:numFmt w:val='bullet'/><w:lvlText w:val='·'/></w:lvl></w:abstractNum>\
    <w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num>\
    <w:num w:numId='2'><w:abstractNumId w:val='1'/></w:num>";

fn item(level: usize, text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:numPr><w:ilvl w:val='{level}'/><w:numId w:val='2'/></w:numPr>\
            </w:pPr>{}</w:p>",
        r(text)
    )
}

#[test]
fn a_word_document_as_word_shows_it() {
    let body = [
        p("T1", &r("Scope 3")),
        p("U1", &r("Scope")),
        p(
            "",
            &format!(
                "{}<w:del><w:r><w:delText>not </w:delText></w:r></w:del><w:ins>{}</w:ins>\
             <w:r><w:rPr><w:strike/></w:rPr><w:t>old</w:t></w:r>\
             <w:r><w:rPr><w:rStyle w:val='H'/></w:rPr><w:t>secret</w:t></w:r>\
             <w:r><w:footnoteReference w:id='2'/></w:r><w:hyperlink r:id='x'>{}</w:hyperlink>\
             <w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>PAGE</w:instrText>\
             </w:r>\
             <w:r><w:fldChar w:fldCharType='separate'/></w:r>{}\
             <w:r><w:fldChar w:fldCharType='end'/></w:r>",
                r("It is "),
                r("allowed, see "),
                r("the list "),
                r("7")
            ),
        ),
        p("U2", &r("Who")),
        item(0, "one"),
        item(1, "inner"),
        item(0, "two"),
        p("U2", &r("When")),
        p("U1", &r("Fees")),
        format!("<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>", p("", &r("Controlled."))),
    ];
    let notes = format!(
        "<w:footnote w:type='separator' w:id='0'/><w:footnote w:id='2'>{}</w:footnote>",
        p("", &r("A note."))
    );
    let bytes = docx(&body.concat(), STYLES, LISTS, &notes);
    let found = blocks("a.docx", &bytes);
    let heading = |level| BlockKind::Heading { level };
    let expected = [
        (BlockKind::Title, "1 Scope"),
        (BlockKind::Paragraph, "It is allowed, see the list 7"),
        (BlockKind::Note, "A note."),
        (heading(2), "1.1 Who"),
        (BlockKind::ListItem, "a) one"),
        (BlockKind::ListItem, "- inner"),
        (BlockKind::ListItem, "b) two"),
        (heading(2), "1.2 When"),
        (heading(1), "2 Fees"),
        (BlockKind::Paragraph, "Controlled."),
    ];
    let expected: Vec<_> = expected.map(|(kind, text)| (kind, text.to_owned())).into();
    assert_eq!(found, expected);
    assert_eq!(document("a.docx", &bytes).metadata.title, "The title");
    assert_eq!(texts("a.bin", &bytes), texts("a.docx", &bytes), "known by what is in it");
}

fn tc(properties: &str, content: &str) -> String {
    format!("<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>")
}

fn cell(text: &str) -> String {
    tc("", &p("", &r(text)))
}

fn tr(properties: &str, cells: &[String]) -> String {
    format!("<w:tr><w:trPr>{properties}</w:trPr>{}</w:tr>", cells.concat())
}

#[test]
fn tables_of_word_keep_header_and_cell_together() {
    let inner = format!("<w:tbl>{}</w:tbl>", tr("", &[cell("k"), cell("v")]));
    let table = [
        tr("", &[tc("<w:gridSpan w:val='3'/>", &p("", &r("Fees 2026")))]),
        tr("<w:tblHeader/>", &[cell("Service"), cell("Who"), cell("Fee")]),
        tr(
            "",
            &[
                tc("<w:vMerge w:val='restart'/>", &p("", &r("Copy"))),
                cell("Residents"),
                cell("CHF 1"),
            ],
        ),
        tr("", &[tc("<w:vMerge/>", &p("", "")), cell("Others"), cell("CHF 2")]),
        tr("", &[tc("<w:gridSpan w:val='3'/>", &p("", &r("Per page")))]),
        tr("", &[tc("<w:gridSpan w:val='2'/>", &p("", &r("Post"))), tc("", &inner)]),
        tr("<w:del/>", &[cell("gone"), cell("gone"), cell("gone")]),
    ];
    let bytes = docx(&format!("<w:tbl>{}</w:tbl>", table.concat()), "", "", "");
    let expected = [
        "Fees 2026",
        "Service: Copy; Who: Residents; Fee: CHF 1",
        "Service: Copy; Who: Others; Fee: CHF 2",
        "Per page",
        "Service: Post; Who: Post; Fee: k | v",
    ];
    assert_eq!(texts("a.docx", &bytes), expected);
}

#[test]
fn a_header_of_two_rows_names_each_column() {
    let wide = |text: &str| tc("<w:gridSpan w:val='2'/>", &p("", &r(text)));
    let begins = tc("<w:vMerge w:val='restart'/>", &p("", &r("Ticket")));
    let goes_on = tc("<w:vMerge/>", &p("", ""));
    let table = [
        tr("<w:tblHeader/>", &[begins, wide("Residents")]),
        tr("", &[goes_on, cell("Child"), cell("Adult")]),
        tr("", &[cell("Day"), cell("2"), cell("5")]),
        tr("", &[cell("Year"), cell("20"), cell("50")]),
    ];
    let bytes = docx(&format!("<w:tbl>{}</w:tbl>", table.concat()), "", "", "");
    let expected = [
        "Ticket: Day; Residents, Child: 2; Residents, Adult: 5",
        "Ticket: Year; Residents, Child: 20; Residents, Adult: 50",
    ];
    assert_eq!(texts("a.docx", &bytes), expected);
    let facts = [
        tr("", &[cell("Responsible"), cell("Market police, R. Roe")]),
        tr("", &[cell("Telephone"), cell("041 555 17 17")]),
        tr("", &[cell("Permit"), cell("in writing, 14 days before")]),
    ];
    let bytes = docx(&format!("<w:tbl>{}</w:tbl>", facts.concat()), "", "", "");
    assert_eq!(texts("a.docx", &bytes)[0], "Responsible | Market police, R. Roe");
    let form = [tr("", &[cell("Name:"), cell("Ann")]), tr("", &[cell("Born:"), cell("1990")])];
    let bytes = docx(&format!("<w:tbl>{}</w:tbl>", form.concat()), "", "", "");
    assert_eq!(texts("a.docx", &bytes), ["Name: Ann", "Born: 1990"]);
}

#[test]
fn headings_are_known_by_the_names_that_other_programs_give_them() {
    for name in ["Überschrift 2", "Titre 2", "Titolo2", "heading 2"] {
        let styles =
            format!("<w:style w:type='paragraph' w:styleId='H'><w:name w:val='{name}'/></w:style>");
        let bytes = docx(&(p("H", &r("Fees")) + &p("", &r("None."))), &styles, "", "");
        let found = blocks("a.docx", &bytes);
        assert_eq!(found[1], (BlockKind::Paragraph, "None.".to_owned()));
        let kind = &found[0].0;
        assert!(matches!(kind, BlockKind::Heading { .. } | BlockKind::Title), "{name} {kind:?}");
    }
}

#[test]
fn text_of_word_that_nobody_sees_goes() {
    let run = |look: &str| format!("<w:r><w:rPr>{look}</w:rPr><w:t> unseen</w:t></w:r>");
    for look in ["<w:vanish/>", "<w:sz w:val='1'/>", "<w:color w:val='FFFFFF'/>"] {
        let bytes = docx(&p("", &(r("Seen.") + &run(look))), "", "", "");
        assert_eq!(texts("a.docx", &bytes), ["Seen."], "{look}");
    }
    // White on a filled ground is seen, and a cell may be filled by its table's style.
    let white = "<w:color w:val='FFFFFF'/>";
    let ground = format!("{white}<w:shd w:fill='000000'/>");
    let bytes = docx(&p("", &(r("Seen.") + &run(&ground))), "", "", "");
    assert_eq!(texts("a.docx", &bytes), ["Seen. unseen"]);
    let table = tr("", &[tc("", &p("", &run(white))), cell("b")]);
    let bytes = docx(&format!("<w:tbl>{table}</w:tbl>"), "", "", "");
    assert_eq!(texts("a.docx", &bytes), ["unseen | b"]);
}

#[test]
fn the_main_part_may_have_any_name() {
    let document =
        format!("<w:document xmlns:w='w'><w:body>{}</w:body></w:document>", p("", &r("Hi.")));
    let relations = "<Relationships><Relationship Id='r1' Type='x/officeDocument' \
        Target='/word/document2.xml'/></Relationships>";
    let files: [(&str, &[u8]); 2] =
        [("_rels/.rels", relations.as_bytes()), ("word/document2.xml", document.as_bytes())];
    assert_eq!(texts("a.docx", &zip(&files)), ["Hi."]);
}

#[test]
fn charts_and_diagrams_of_slides_are_read() {
    let points = |values: &[&str]| -> String {
        let point =
            |(at, value): (usize, &&str)| format!("<c:pt idx='{at}'><c:v>{value}</c:v></c:pt>");
        values.iter().enumerate().map(point).collect()
    };
    let chart = format!(
        "<c:chartSpace xmlns:c='c'><c:chart><c:plotArea><c:barChart><c:ser><c:tx>{}</c:tx>\
         <c:cat>{}</c:cat><c:val>{}</c:val></c:ser></c:barChart></c:plotArea></c:chart>\
         </c:chartSpace>",
        points(&["Sales"]),
        points(&["East", "West"]),
        points(&["19.199999999999999", "21"])
    );
    let diagram = "<d:dataModel xmlns:d='d' xmlns:a='a'><d:ptLst><d:pt type='doc'/><d:pt><d:t><a:p>\
        <a:r><a:t>Plan</a:t></a:r></a:p></d:t></d:pt></d:ptLst></d:dataModel>";
    let frame = "<p:graphicFrame><c:chart xmlns:c='c' r:id='g1'/></p:graphicFrame>\
        <p:graphicFrame><d:relIds xmlns:d='d' r:dm='g2'/></p:graphicFrame>";
    let mut bytes = pptx(&[("xmlns:r='r'", frame, "")]);
    bytes = with_files(
        &bytes,
        &[
            (
                "ppt/slides/_rels/slide1.xml.rels",
                b"<Relationships><Relationship Id='g1' Type='x/chart' Target='../charts/c.xml'/>\
                  <Relationship Id='g2' Type='x/diagramData' Target='../diagrams/d.xml'/>\
                  </Relationships>",
            ),
            ("ppt/charts/c.xml", chart.as_bytes()),
            ("ppt/diagrams/d.xml", diagram.as_bytes()),
        ],
    );
    assert_eq!(
        texts("a.pptx", &bytes),
        ["Slide 1", "East; Sales: 19.2", "West; Sales: 21", "- Plan"]
    );
}

#[test]
fn charts_and_formulas_of_word_are_read() {
    let point = |at: usize, value: &str| format!("<c:pt idx='{at}'><c:v>{value}</c:v></c:pt>");
    let chart = format!(
        "<c:chartSpace xmlns:c='c'><c:chart><c:plotArea><c:pieChart><c:ser><c:tx>{}</c:tx>\
         <c:cat>{}</c:cat><c:val>{}</c:val></c:ser></c:pieChart></c:plotArea></c:chart>\
         </c:chartSpace>",
        point(0, "Votes"),
        point(0, "Yes") + &point(1, "No"),
        point(0, "12") + &point(1, "7")
    );
    let drawing = "<w:p><w:r><w:t>See.</w:t></w:r><w:r><w:drawing><c:chart xmlns:c='c' \
        xmlns:r='r' r:id='g1'/></w:drawing></w:r></w:p>";
    let fraction = "<w:p><m:oMath xmlns:m='m'><m:r><m:t>x=</m:t></m:r><m:f><m:num><m:r><m:t>a+b\
        </m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>";
    let bytes = with_files(
        &docx(&format!("{drawing}{fraction}"), "", "", ""),
        &[
            (
                "word/_rels/document.xml.rels",
                b"<Relationships><Relationship Id='g1' Type='x/chart' Target='charts/c.xml'/>\
                  </Relationships>",
            ),
            ("word/charts/c.xml", chart.as_bytes()),
        ],
    );
    assert_eq!(texts("a.docx", &bytes), ["See.", "Yes; Votes: 12", "No; Votes: 7", "x=(a+b)/2"]);
}

/// Documents that programs make of pages take the page in as it is.
#[test]
fn inserted_pages_of_word_are_read() {
    let chunk = |id: &str| format!("<w:altChunk r:id='{id}'/>");
    let body = [p("", &r("Before.")), chunk("c1"), chunk("c2"), chunk("c3"), p("", &r("After."))];
    let relation = |id: &str, target: &str| {
        format!("<Relationship Id='{id}' Type='x/aFChunk' Target='{target}'/>")
    };
    let relations = format!(
        "<Relationships>{}{}{}</Relationships>",
        relation("c1", "/word/a.html"),
        relation("c2", "b.mht"),
        relation("c3", "c.rtf")
    );
    let page = b"Subject: x\nMIME-Version: 1.0\nContent-Type: text/html\n\n<p>Opened <b>daily</b>.";
    let files: [(&str, &[u8]); 4] = [
        ("word/_rels/document.xml.rels", relations.as_bytes()),
        ("word/a.html", b"<h2>Fees</h2><ul><li>CHF 5</ul>"),
        ("word/b.mht", page),
        ("word/c.rtf", b"{\\rtf1 x}"),
    ];
    let bytes = with_files(&docx(&body.concat(), "", "", ""), &files);
    let expected = ["Before.", "Fees", "- CHF 5", "Opened daily.", "After."];
    assert_eq!(texts("a.docx", &bytes), expected);
    let left_out = document("a.docx", &bytes).metadata.left_out;
    assert!(left_out.len() == 1 && left_out[0].contains("\"c.rtf\""), "{left_out:?}");
}

#[test]
fn formulas_of_word_keep_their_signs() {
    let t = |text: &str| format!("<m:r><m:t>{text}</m:t></m:r>");
    let part = |name: &str, text: &str| format!("<m:{name}>{}</m:{name}>", t(text));
    let sum = format!(
        "<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr>{}{}{}</m:nary>",
        part("sub", "i=1"),
        part("sup", "n"),
        part("e", "x")
    );
    let row = |a: &str, b: &str| format!("<m:mr>{}{}</m:mr>", part("e", a), part("e", b));
    let matrix = format!(
        "<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=']'/></m:dPr><m:e><m:m>{}{}</m:m></m:e>\
         </m:d>",
        row("a", "b"),
        row("c", "d")
    );
    let all = format!("<w:p><m:oMath xmlns:m='m'>{sum}{}{matrix}</m:oMath></w:p>", t("="));
    assert_eq!(texts("a.docx", &docx(&all, "", "", "")), ["∑_(i=1)^n x=[a, b; c, d]"]);
}

#[test]
fn boxes_and_forms_of_word() {
    let drawing = format!(
        "<mc:AlternateContent><mc:Choice><w:drawing><w:txbxContent>{0}</w:txbxContent></w:drawing>\
         </mc:Choice><mc:Fallback><w:pict><w:txbxContent>{0}</w:txbxContent></w:pict></mc:Fallback>\
         </mc:AlternateContent>",
        p("", &r("In a box."))
    );
    let form = "<w:r><w:fldChar w:fldCharType='begin'><w:ffData><w:checkBox><w:checked/>\
        </w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType='end'/></w:r>";
    let raised = "<w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr><w:t>2</w:t></w:r>";
    let body = [
        p("", &format!("{}<w:r>{drawing}</w:r>", r("Outside."))),
        p("", &format!("{form}{}", r("Yes"))),
        p("", &format!("{raised}{}{raised}", r("The roof has 3 m"))),
    ];
    let found = texts("a.docx", &docx(&body.concat(), "", "", ""));
    assert_eq!(found, ["Outside.", "In a box.", "☒ Yes", "2 The roof has 3 m²"]);
}

#[test]
fn a_workbook_as_excel_shows_it() {
    let styles = "<numFmts><numFmt numFmtId='170' formatCode='dd.mm.yyyy'/></numFmts>\
        <fonts><font/><font><b/></font></fonts>\
        <cellXfs><xf numFmtId='0'/><xf numFmtId='0' fontId='1'/><xf numFmtId='170'/>\
        <xf numFmtId='9'/></cellXfs>";
    let sheet = "<sheetData>\
        <row r='1'><c r='A1' t='s' s='1'><v>0</v></c></row>\
        <row r='3'><c r='A3' t='s' s='1'><v>1</v></c><c r='B3' t='s' s='1'><v>2</v></c>\
        <c r='C3' t='inlineStr' s='1'><is><t>Anteil</t></is></c></row>\
        <row r='4'><c r='A4' t='s'><v>3</v></c><c r='B4' s='2'><v>46023</v></c>\
        <c r='C4' s='3'><v>0.25</v></c></row>\
        <row r='5' hidden='1'><c r='A5' t='s'><v>4</v></c><c r='B5'><v>1</v></c></row>\
        <row r='6'><c r='A6' t='s'><v>3</v></c><c r='C6' t='str'><f>1/0</f><v>n/a</v></c></row>\
        </sheetData><mergeCells><mergeCell ref='A1:C1'/></mergeCells>";
    let hidden = "<sheetData><row r='1'><c r='A1'><v>42</v></c></row></sheetData>";
    let bytes = xlsx(
        &[("Liste", "visible", sheet), ("Geheim", "hidden", hidden)],
        styles,
        &["Preise", "Ware", "Datum", "Salz", "weg"],
    );
    let expected = [
        "Liste",
        "Preise",
        "Ware: Salz; Datum: 01.01.2026; Anteil: 25%",
        "Ware: Salz; Anteil: n/a",
    ];
    assert_eq!(texts("a.xlsx", &bytes), expected);
    let left_out = document("a.xlsx", &bytes).metadata.left_out;
    assert_eq!(left_out, ["the hidden sheet \"Geheim\""]);
}

#[test]
fn sheets_may_have_any_name_and_missing_ones_are_named() {
    let sheet = "<worksheet><sheetData><row><c><v>5</v></c></row></sheetData></worksheet>";
    let workbook = "<workbook xmlns:q='q'><sheets><sheet name='A' sheetId='1' q:id='r1'/>\
        <sheet name='B' q:id='r2'/><sheet name='C' q:id='r3'/><sheet name='D' q:id=''/></sheets>\
        </workbook>";
    let relation = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id='{id}' Type='x/{kind}' Target='{target}'/>")
    };
    let relations = format!(
        "<Relationships>{}{}{}</Relationships>",
        relation("r1", "worksheet", "/xl/one.xml"),
        relation("r2", "worksheet", "two.xml"),
        relation("r3", "chartsheet", "three.xml")
    );
    let bytes = zip(&[
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/one.xml", sheet.as_bytes()),
    ]);
    assert_eq!(texts("a.xlsx", &bytes), ["A", "5"]);
    let left_out = document("a.xlsx", &bytes).metadata.left_out;
    assert_eq!(left_out, ["sheets that are missing in the file: 1"]);
}

/// Boxes of text lie over a sheet; older programs have another form of the same box.
#[test]
fn boxes_of_text_stand_after_their_sheet() {
    let cells = "<sheetData><row><c t='inlineStr'><is><t>Salt</t></is></c></row></sheetData>";
    let text = |text: &str| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>");
    let shape = |name: &str, texts: &str| {
        format!("<x:sp><x:nvSpPr>{name}</x:nvSpPr><x:txBody>{texts}</x:txBody></x:sp>")
    };
    let drawing = format!(
        "<x:wsDr xmlns:x='x' xmlns:a='a'><x:twoCellAnchor>{}</x:twoCellAnchor><x:oneCellAnchor>\
         <x:grpSp>{}</x:grpSp></x:oneCellAnchor><x:twoCellAnchor><mc:AlternateContent>\
         <mc:Choice>{2}</mc:Choice><mc:Fallback>{2}</mc:Fallback></mc:AlternateContent>\
         </x:twoCellAnchor></x:wsDr>",
        shape("", &(text("Fees hold") + &text("from 1 May."))),
        shape("<x:cNvPr hidden='1'/>", &text("Unseen")),
        shape("", &text("Ask us.")),
    );
    let relations = "<Relationships><Relationship Id='d1' Type='x/drawing' \
        Target='../drawings/d.xml'/></Relationships>";
    let bytes = with_files(
        &xlsx(&[("A", "visible", cells)], "", &[]),
        &[
            ("xl/worksheets/_rels/sheet1.xml.rels", relations.as_bytes()),
            ("xl/drawings/d.xml", drawing.as_bytes()),
        ],
    );
    assert_eq!(texts("a.xlsx", &bytes), ["A", "Salt", "Fees hold", "from 1 May.", "Ask us."]);
}

/// Some programs write the names of parts with backslashes, and other prefixes.
#[test]
fn names_in_a_container_may_have_backslashes() {
    let document =
        format!("<w:document xmlns:w='w'><w:body>{}</w:body></w:document>", p("", &r("Hi.")));
    let bytes = zip(&[("word\\Document.xml", document.as_bytes())]);
    assert_eq!(texts("a.docx", &bytes), ["Hi."]);
}

#[test]
fn merged_cells_of_a_sheet_say_the_same_of_each_column() {
    let text = |place: &str, text: &str| {
        format!("<c r='{place}' t='inlineStr'><is><t>{text}</t></is></c>")
    };
    let sheet = format!(
        "<sheetData><row r='1'>{}{}{}</row><row r='2'>{}{}</row><row r='3'>{}{}\
         <c r='C3'><f>A1+1</f></c></row></sheetData>\
         <mergeCells><mergeCell ref='B2:C2'/></mergeCells>",
        text("A1", "Day"),
        text("B1", "Morning"),
        text("C1", "Afternoon"),
        text("A2", "Monday"),
        text("B2", "closed"),
        text("A3", "Friday"),
        text("B3", "8–12")
    );
    let bytes = xlsx(&[("Hours", "visible", &sheet)], "", &[]);
    let expected =
        ["Hours", "Day: Monday; Morning: closed; Afternoon: closed", "Day: Friday; Morning: 8–12"];
    assert_eq!(texts("a.xlsx", &bytes), expected);
    let left_out = document("a.xlsx", &bytes).metadata.left_out;
    assert!(left_out[0].starts_with("1 formulas without a value"), "{left_out:?}");
}

fn shape(place: &str, paragraphs: &[&str]) -> String {
    let paragraphs: String =
        paragraphs.iter().map(|text| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>")).collect();
    format!(
        "<p:sp><p:nvSpPr><p:cNvPr id='1'/><p:nvPr>{place}</p:nvPr></p:nvSpPr>\
         <p:txBody>{paragraphs}</p:txBody></p:sp>"
    )
}

#[test]
fn a_presentation_slide_by_slide() {
    let row = |cells: [&str; 2]| {
        let cells: String = cells
            .iter()
            .map(|text| {
                format!("<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>")
            })
            .collect();
        format!("<a:tr>{cells}</a:tr>")
    };
    let table = format!(
        "<p:graphicFrame><a:tbl><a:tblPr firstRow='1'/>{}{}</a:tbl></p:graphicFrame>",
        row(["Year", "Cost"]),
        row(["2026", "5"])
    );
    let first = shape("<p:ph type='body'/>", &["one", "two"])
        + &shape("<p:ph type='title'/>", &["Plan"])
        + &shape("<p:ph type='sldNum'/>", &["1"]);
    let bytes = pptx(&[
        ("", &first, "Say it slowly."),
        ("show='0'", &shape("", &["hidden"]), ""),
        ("", &format!("{}{table}", shape("", &["Free text"])), ""),
    ]);
    let expected =
        ["Plan", "- one", "- two", "Say it slowly.", "Slide 3", "Free text", "Year: 2026; Cost: 5"];
    assert_eq!(texts("a.pptx", &bytes), expected);
    assert_eq!(blocks("a.pptx", &bytes)[3].0, BlockKind::Note);
    assert_eq!(document("a.pptx", &bytes).metadata.left_out, ["the hidden slide 2"]);
}

#[test]
fn an_open_document_text() {
    let styles = "<style:style style:name='G' style:family='text'>\
        <style:text-properties text:display='none'/></style:style>\
        <text:list-style style:name='L'><text:list-level-style-number text:level='1' \
        style:num-format='1' style:num-suffix='.'/><text:list-level-style-bullet text:level='2'/>\
        </text:list-style>";
    let body = "<office:text><text:tracked-changes><text:p>old</text:p></text:tracked-changes>\
        <text:h text:outline-level='1'>Head</text:h>\
        <text:p>A<text:s text:c='2'/>b<text:span text:style-name='G'>hidden</text:span>\
        <text:note><text:note-citation>1</text:note-citation><text:note-body>\
        <text:p>The note.</text:p></text:note-body></text:note>.</text:p>\
        <text:list text:style-name='L'><text:list-item><text:p>one</text:p><text:list>\
        <text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item>\
        <text:list-item><text:p>two</text:p></text:list-item></text:list>\
        <table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>K</text:p>\
        </table:table-cell><table:table-cell><text:p>V</text:p></table:table-cell>\
        </table:table-row>\
        </table:table-header-rows><table:table-row><table:table-cell><text:p>a</text:p>\
        </table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>\
        </table:table-row></table:table></office:text>";
    let bytes = open_document(body, styles);
    let expected = ["Head", "A b.", "1. one", "- inner", "2. two", "K: a; V: b", "The note."];
    assert_eq!(texts("a.odt", &bytes), expected);
}

/// Formulas, charts and tables stand in the container as files of their own.
#[test]
fn objects_of_an_open_document_are_read() {
    let object = |name: &str| {
        format!(
            "<draw:frame><draw:object xlink:href='./{name}'/><draw:image xlink:href='{name}.png'/>\
             </draw:frame>"
        )
    };
    let body = format!(
        "<office:text><text:p>It is {}.</text:p><text:p>Fees:{}</text:p></office:text>",
        object("Object 1"),
        object("Object 2")
    );
    let math = "<math><semantics><mrow><mi>a</mi></mrow><annotation>{a + b} over 2</annotation>\
        </semantics></math>";
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let chart = format!(
        "<o:c xmlns:o='o'><o:body><o:chart><c:chart><c:title><text:p>Votes</text:p></c:title>\
         <table:table><table:table-rows><table:table-row>{}{}</table:table-row></table:table-rows>\
         </table:table></c:chart></o:chart></o:body></o:c>",
        cell("Yes"),
        cell("12")
    );
    let files: [(&str, &[u8]); 2] =
        [("Object 1/content.xml", math.as_bytes()), ("Object 2/content.xml", chart.as_bytes())];
    let bytes = with_files(&open_document(&body, ""), &files);
    let expected = ["It is {a + b} over 2.", "Fees:", "Votes", "Yes | 12"];
    assert_eq!(texts("a.odt", &bytes), expected);
}

#[test]
fn an_open_document_sheet() {
    let body = "<office:spreadsheet><table:table table:name='S'>\
        <table:table-row table:number-rows-repeated='2'><table:table-cell \
        table:number-columns-repeated='1000000'/></table:table-row>\
        <table:table-row><table:table-cell office:value-type='string'><text:p>Ware</text:p>\
        </table:table-cell><table:table-cell office:value-type='string'><text:p>Preis</text:p>\
        </table:table-cell></table:table-row><table:table-row><table:table-cell>\
        <text:p>Salz</text:p></table:table-cell><table:table-cell office:value-type='float' \
        office:value='3.5'><text:p>3,50</text:p></table:table-cell></table:table-row>\
        <table:table-row table:number-rows-repeated='1048576'><table:table-cell/></table:table-row>\
        </table:table></office:spreadsheet>";
    assert_eq!(texts("a.ods", &open_document(body, "")), ["S", "Ware: Salz; Preis: 3,50"]);
}

#[test]
fn hidden_columns_are_not_read() {
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let columns = "<table:table-column/><table:table-column-group><table:table-column \
        table:visibility='collapse' table:number-columns-repeated='2'/></table:table-column-group>";
    let row = ["a", "b", "c", "d"].map(cell).concat();
    let body = format!(
        "<office:spreadsheet><table:table table:name='S'>{columns}<table:table-row>{row}\
         </table:table-row></table:table></office:spreadsheet>"
    );
    assert_eq!(texts("a.ods", &open_document(&body, "")), ["S", "a | d"]);
    // Each cell is looked up among as many columns as a file may name.
    let start = std::time::Instant::now();
    let columns = "<col min='3' max='5' hidden='1'/><col min='9' max='9' hidden='1'/>";
    let cells = "<c><v>1</v></c>".repeat(2);
    let row = format!("<row>{cells}</row>");
    let sheet = format!(
        "<cols>{}</cols><sheetData>{}<row><c r='B1'><v>7</v></c><c r='D1'><v>8</v></c></row>\
         </sheetData>",
        columns.repeat(100_000),
        row.repeat(100_000)
    );
    let found = texts("a.xlsx", &xlsx(&[("A", "visible", &sheet)], "", &[]));
    assert_eq!(found.last().map(String::as_str), Some("7"));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn an_archive_is_read_file_by_file() {
    let inner = zip(&[("c.txt", b"Deep inside.")]);
    let bytes = zip(&[
        ("a.md", b"# A\n\nText."),
        ("sub/b.txt", b"Other text."),
        ("sub/b.txt.meta.yaml", b"label: staff\n"),
        ("in.zip", &inner),
        (".hidden", b"x"),
        ("__MACOSX/a.md", b"x"),
        ("../evil.md", b"x"),
        ("x.exe", b"MZ"),
    ]);
    let sidecar = Some("source: Archive\ntitle: Not theirs\n");
    let members = read_all(&Source { path: "a.zip", bytes: &bytes, sidecar });
    let shown: Vec<String> = members
        .iter()
        .map(|member| match &member.document {
            Ok(document) => format!(
                "{} {} {:?} {:?}",
                member.path,
                document.metadata.title,
                document.metadata.label,
                document.metadata.source
            ),
            Err(error) => {
                format!("{} {}", member.path, error.to_string().split(':').next().unwrap())
            }
        })
        .collect();
    let expected = [
        "a.md A None Some(\"Archive\")",
        "sub/b.txt b Some(\"staff\") Some(\"Archive\")",
        "in.zip/c.txt c None Some(\"Archive\")",
        "evil.md the name \"evil.md\" leads out of the archive",
        "x.exe unknown format of \"x.exe\"",
    ];
    assert_eq!(shown, expected);
    let one = read(&Source { path: "a.zip", bytes: &bytes, sidecar });
    assert_eq!(one, Err(Unreadable::Several { documents: 5 }));
}

#[test]
fn bombs_are_refused() {
    let start = std::time::Instant::now();
    let zeros = vec![b' '; 60 << 20];
    let bomb = zip(&[("a.txt", &zeros), ("b.txt", &zeros)]);
    let members = read_all(&Source { path: "a.zip", bytes: &bomb, sidecar: None });
    assert!(matches!(members[0].document, Err(Unreadable::Expands { .. })), "{:?}", members[0]);
    let nested = (0..8).fold(b"x".to_vec(), |inner, _| zip(&[("a.zip", &inner)]));
    let members = read_all(&Source { path: "a.zip", bytes: &nested, sidecar: None });
    assert!(matches!(members[0].document, Err(Unreadable::NestedFiles { .. })), "{members:?}");
    let dtd = "<!DOCTYPE w [<!ENTITY a 'b'>]><w:document><w:body>&a;</w:body></w:document>";
    let bytes = zip(&[("word/document.xml", dtd.as_bytes())]);
    let refused = read(&Source { path: "a.docx", bytes: &bytes, sidecar: None });
    assert!(matches!(refused, Err(Unreadable::Definition { .. })));
    let deep = "<w:tbl><w:tr><w:tc>".repeat(1000);
    let refused = read(&Source { path: "a.docx", bytes: &docx(&deep, "", "", ""), sidecar: None });
    assert!(matches!(refused, Err(Unreadable::TooDeep { .. } | Unreadable::Broken { .. })));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// A text that stands in the file once, and cells that say that they are repeated.
#[test]
fn cells_that_stand_for_too_much_are_refused() {
    let refused = |path: &str, bytes: &[u8]| {
        let refused = read(&Source { path, bytes, sidecar: None });
        assert!(matches!(refused, Err(Unreadable::Expands { .. })), "{path}");
    };
    let long = "x".repeat(1 << 20);
    let row = format!("<row>{}</row>", "<c t='s'><v>0</v></c>".repeat(300));
    let sheet = format!("<sheetData>{row}</sheetData>");
    refused("a.xlsx", &xlsx(&[("A", "visible", &sheet)], "", &[&long]));
    let cell = "<table:table-cell table:number-columns-repeated='100'><text:p>x</text:p>\
        </table:table-cell>";
    let row = format!("<table:table-row table:number-rows-repeated='100'>{cell}</table:table-row>");
    let table = format!("<table:table table:name='A'>{}</table:table>", row.repeat(1000));
    let body = format!("<office:spreadsheet>{table}</office:spreadsheet>");
    refused("a.ods", &open_document(&body, ""));
}

/// Small files of all kinds.
fn sound_files() -> Vec<(&'static str, Vec<u8>)> {
    let table = format!("<w:tbl>{}</w:tbl>", tr("", &[cell("a"), cell("b")]));
    let sheet = "<sheetData><row r='1'><c r='A1'><v>1</v></c></row></sheetData>";
    vec![
        ("a.docx", docx(&(p("U1", &r("x")) + &item(0, "y") + &table), STYLES, LISTS, "")),
        ("a.xlsx", xlsx(&[("S", "visible", sheet)], "", &["t"])),
        ("a.pptx", pptx(&[("", &shape("", &["x"]), "n")])),
        ("a.odt", open_document("<office:text><text:p>x</text:p></office:text>", "")),
        ("a.zip", zip(&[("a.md", b"# x"), ("b.csv", b"a,b\n1,2")])),
        (
            "a.eml",
            b"From: a@b\nSubject: x\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nt\n\
            --B\nContent-Type: text/csv; name=a.csv\n\na,b\n--B--"
                .to_vec(),
        ),
        ("a.mbox", b"From a\nFrom: a@b\nSubject: x\n\nt\n".to_vec()),
        ("a.csv", b"a;b\n1;2\n".to_vec()),
        ("a.rst", b"T\n=\n\n+-+-+\n|a|b|\n+-+-+\n\n- x\n\n  .. note:: y\n".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_are_read_or_refused(
        kind in 0_usize..9,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        cuts in prop::bool::weighted(0.2),
    ) {
        let (path, mut bytes) = sound_files().swap_remove(kind);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        for member in read_all(&Source { path, bytes: &bytes, sidecar: None }) {
            if let Ok(document) = member.document {
                prop_assert!(!document.text.is_empty() && !crate::passages(&document).is_empty());
            }
        }
    }

    #[test]
    fn odd_markup_is_read_or_refused(parts in prop::collection::vec(0_usize..24, 0..40)) {
        const PARTS: [&str; 24] = [
            "<w:p>", "</w:p>", "<w:r>", "</w:r>", "<w:t>a</w:t>", "<w:tbl>", "</w:tbl>", "<w:tr>",
            "</w:tr>", "<w:tc>", "</w:tc>", "<w:tcPr><w:gridSpan w:val='99999999'/></w:tcPr>",
            "<w:tcPr><w:vMerge/></w:tcPr>", "<w:tcPr><w:vMerge w:val='restart'/></w:tcPr>",
            "<w:pPr><w:numPr><w:ilvl w:val='77'/><w:numId w:val='2'/></w:numPr></w:pPr>",
            "<w:fldChar w:fldCharType='begin'/>", "<w:fldChar w:fldCharType='end'/>", "<w:sdt>",
            "</w:sdt>", "<w:sdtContent>", "</w:sdtContent>", "<w:txbxContent>",
            "</w:txbxContent>", "<w:footnoteReference w:id='2'/>",
        ];
        let body: String = parts.iter().map(|part| PARTS[*part]).collect();
        let notes = format!("<w:footnote w:id='2'>{}</w:footnote>", p("", "<w:r>\
            <w:footnoteReference w:id='2'/></w:r>"));
        let bytes = docx(&body, STYLES, LISTS, &notes);
        let _ = read(&Source { path: "a.docx", bytes: &bytes, sidecar: None });
    }
}
