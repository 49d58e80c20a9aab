//! Reading HTML.
//!
//! Only the tokenizer of html5ever is used, not its tree: building a tree takes quadratic time on
//! deeply nested input, and nothing here needs one. What is open is kept on a stack of our own.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use crate::clean::{MAX_BYTES, decode_text, tidy};
use crate::found::Found;
use crate::html_page::Page;
use crate::raw::{Raw, check_count};
use crate::{Language, Unreadable};

/// How much of a file is searched for the name of its encoding.
const PROBE_BYTES: usize = 16 << 10;

/// How much is given to the tokenizer at once.
const PIECE_BYTES: usize = 16 << 10;

/// How many blanks and slashes one tag may have, or one comment: more than any embedded picture.
const MAX_SEPARATORS: usize = 60_000;

/// Reads an HTML file; if it has a `main` element, only what stands there.
pub(crate) fn found(text: &str) -> Result<Found, Unreadable> {
    let page = tokenize(text)?;
    let act_title = tidy(&page.act_title);
    let title = if act_title.is_empty() { tidy(&page.title) } else { act_title };
    let language = Language::from_code(&page.language).filter(|lang| *lang != Language::Other);
    let raws = page.into_text();
    check_count(&raws)?;
    Ok(Found { title, language, ..Found::of(raws) })
}

/// The characters of an HTML file, in the encoding that it names.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, Unreadable> {
    let is_sound = bytes.len() > MAX_BYTES || std::str::from_utf8(bytes).is_ok();
    let named = if is_sound { None } else { named_encoding(bytes) };
    match named.map(|encoding| encoding.decode(bytes)) {
        // A page that is not in the encoding that it names is told by its bytes.
        Some((text, _, false)) => decode_text(&text),
        _ => crate::clean::decode(bytes),
    }
}

/// `<meta charset="…">`, `content="text/html; charset=…"`, and what the first line of XHTML says.
fn named_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PROBE_BYTES)]).to_ascii_lowercase();
    let mut tags = head.split('<').map(|tag| tag.split('>').next().unwrap_or_default());
    tags.find_map(|tag| {
        let name = match tag {
            _ if tag.starts_with("meta") => "charset",
            _ if tag.starts_with("?xml") => "encoding",
            _ => return None,
        };
        let value = tag.split_once(name)?.1.trim_start().strip_prefix('=')?;
        let value = value.trim_start_matches([' ', '"', '\'']);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
        let end = value.find(|c| !is_part(c)).unwrap_or(value.len());
        encoding_rs::Encoding::for_label(&value.as_bytes()[..end])
    })
}

/// The blocks of a piece of HTML that stands in another text.
pub(crate) fn fragment(text: &str) -> Result<Vec<Raw>, Unreadable> {
    Ok(tokenize(text)?.into_main())
}

fn tokenize(text: &str) -> Result<Page, Unreadable> {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    feed(&tokenizer, text)?;
    tokenizer.end();
    let page = tokenizer.sink.page.into_inner();
    match page.too_deep_line {
        Some(line) => {
            let before = text.split_inclusive('\n').take(line.saturating_sub(1) as usize);
            let offset = before.map(str::len).sum();
            Err(Unreadable::TooDeep { limit: crate::html_page::MAX_DEPTH, offset })
        }
        None => Ok(page),
    }
}

/// Feeds the text in pieces, and gives up in a tag that has too many attributes: the tokenizer
/// compares each with all before it.
fn feed(tokenizer: &Tokenizer<Sink>, text: &str) -> Result<(), Unreadable> {
    let queue = BufferQueue::default();
    let (mut offset, mut tag_offset, mut separators, mut tokens) = (0, 0, 0, 0);
    while offset < text.len() {
        let end = text.floor_char_boundary((offset + PIECE_BYTES).min(text.len()));
        let piece = &text[offset..end];
        queue.push_back(StrTendril::from_slice(piece));
        let _ = tokenizer.feed(&queue);
        if tokenizer.sink.tokens.get() != tokens {
            (tokens, separators, tag_offset) = (tokenizer.sink.tokens.get(), 0, offset);
        }
        separators += piece.bytes().filter(|b| b.is_ascii_whitespace() || *b == b'/').count();
        if separators > MAX_SEPARATORS {
            return Err(Unreadable::TagTooLong { limit: MAX_SEPARATORS, offset: tag_offset });
        }
        offset = end;
    }
    Ok(())
}

#[derive(Default)]
struct Sink {
    page: RefCell<Page>,
    tokens: Cell<u64>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        self.tokens.set(self.tokens.get() + 1);
        let mut page = self.page.borrow_mut();
        if page.too_deep_line.is_some() {
            return TokenSinkResult::Continue;
        }
        match token {
            Token::CharacterTokens(text) => page.text(&text),
            Token::TagToken(tag) => return take_tag(&mut page, &tag, line),
            Token::EOFToken => page.finish(),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn take_tag(page: &mut Page, tag: &Tag, line: u64) -> TokenSinkResult<()> {
    if tag.kind == TagKind::EndTag {
        page.close(&tag.name);
        return TokenSinkResult::Continue;
    }
    let attribute = |name: &str| {
        let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
        found.map(|attribute| attribute.value.as_ref())
    };
    page.open(&tag.name, &attribute, tag.self_closing, line);
    // What follows these is text up to their end tag, whatever it looks like.
    match &*tag.name {
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        _ => TokenSinkResult::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::assemble;

    fn canonical(html: &str) -> String {
        assemble(found(html).unwrap().raws).0
    }

    #[test]
    fn main_content_stays() {
        let html = "<html lang=it><head><title>Il &amp; La</title><style>p{}</style></head><body>\
            <nav><p>menu</p></nav><header>top</header><main><header><h1>Tassa</h1></header>\
            <p>Uno<br>due&nbsp;tre</p><script>var x='</p>';</script><aside>x</aside></main>\
            <p>outside</p><footer>end</footer></body></html>";
        let page = found(html).unwrap();
        assert_eq!((page.title.as_str(), page.language), ("Il & La", Some(Language::It)));
        assert_eq!(assemble(page.raws).0, "Tassa\n\nUno\ndue tre");
    }

    /// The page's own title of such a page is its number.
    #[test]
    fn an_act_of_the_union_has_the_title_that_its_text_has() {
        let html = "<title>Consolidated TEXT: 32016R0679</title>\
            <p class='title-doc-first'>REGULATION (EU) 2016/679\n<p class='title-doc-first'>of 27 \
            April 2016<p class='title-doc-last'>(Text with EEA relevance)</p><p>Article 1</p>";
        let page = found(html).unwrap();
        assert_eq!(page.title, "REGULATION (EU) 2016/679 of 27 April 2016");
        assert!(assemble(page.raws).0.starts_with("REGULATION (EU) 2016/679\n\nof 27 April 2016"));
    }

    #[test]
    fn what_surrounds_the_text_goes() {
        let text = "Das Bad ist am Montag geschlossen, am Dienstag und Mittwoch von 9 bis 20 Uhr \
            offen und an den anderen Tagen von 9 bis 18 Uhr; Kinder zahlen die Hälfte.";
        let menu =
            "<ul><li><a href=/>Start</a><li><a href=/b>Bad</a><li><a href=/k>Kontakt</a></ul>";
        let html = format!(
            "<div class='cookie-consent'>Wir verwenden Cookies. <a>Alle annehmen</a></div>\
             <div id='sidebar'><p>Newsletter bestellen</p></div><div class=top>{menu}</div>\
             <div class=content><h1>Bad</h1><p>{text}</p><p>Mehr im <a>Tarif</a>.</p></div>{menu}"
        );
        assert_eq!(canonical(&html), format!("Bad\n\n{text}\n\nMehr im Tarif."));
        // A page that is nothing else is not lost.
        assert_eq!(canonical(menu), "- Start\n\n- Bad\n\n- Kontakt");
        let html = format!("<div class='sidebar-layout'><p>{text}</p></div>");
        assert_eq!(canonical(&html), text);
    }

    #[test]
    fn what_readers_say_about_a_page_is_not_its_text() {
        let text =
            "Das Bad ist am Montag geschlossen und sonst von 9 bis 20 Uhr offen. ".repeat(10);
        let said = "<ol class=comment-list><li>Stimmt nicht, am Montag ist offen!</ol>";
        let html = format!("<p>{text}</p><div id=comments><h3>1 Kommentar</h3>{said}</div>");
        assert_eq!(canonical(&html), text.trim());
        assert!(
            canonical(&format!("<p>Frage?</p><div id=comments>{said}</div>")).contains("Stimmt")
        );
        let html =
            "<h2>Bad <span class=mw-editsection>[edit]</span></h2><div class=noprint>x</div>";
        assert_eq!(canonical(html), "Bad");
    }

    #[test]
    fn the_main_part_of_a_page_may_be_named_by_its_role() {
        let text = "Das Bad ist am Montag geschlossen und sonst von 9 bis 20 Uhr offen. ".repeat(2);
        let links = "<ul><li><a>Tarif</a><li><a>Plan</a><li><a>Kurse</a></ul>";
        let html = format!(
            "<div>Start</div><div role=main><p>{text}</p>{links}<div class=share-links>Teilen\
             </div></div><div>Impressum</div>"
        );
        let expected = format!("{}\n\n- Tarif\n\n- Plan\n\n- Kurse", text.trim());
        assert_eq!(canonical(&html), expected);
        assert_eq!(canonical("<main role=main><p>a</main><p>b"), "a");
    }

    #[test]
    fn names_of_pictures_and_bullets_of_headings_go() {
        let html = "<img alt='hotel-1.jpg'><img alt='Plan of the bath'><ul><li><h3>Fees</h3><p>3";
        assert_eq!(canonical(html), "Plan of the bath\n\nFees\n\n3");
        assert_eq!(canonical("<ol><li><h3>Fees</h3></ol>"), "1. Fees");
    }

    #[test]
    fn unclosed_and_bare_text() {
        assert_eq!(
            canonical("bare<p>one<p>two<div>three</div>four"),
            "bare\n\none\n\ntwo\n\nthree\n\nfour"
        );
        assert_eq!(canonical("<p>a<b>b</p><p>c</b>d"), "ab\n\ncd");
    }

    #[test]
    fn lists_tables_definitions() {
        let html = "<ul><li>a<li>b<ol start=3 type=a><li>x<li>y</ol></ul><dl><dt>T<dd>D</dl>";
        assert_eq!(canonical(html), "- a\n\n- b\n\nc. x\n\nd. y\n\nT: D");
        let html = "<table><caption>Tarif</caption><thead><tr><th>A<th colspan=2>B</thead>\
            <tr><td rowspan=2>1<td>2<td>3<tr><td>4<td>5</table>";
        assert_eq!(canonical(html), "Tarif\n\nA: 1; B: 2; B: 3\n\nA: 1; B: 4; B: 5");
        assert_eq!(canonical("<table><tr><th>Mo<td>8–12</table>"), "Mo | 8–12");
        let html = "<table><tr><td><b>Art</b><td><b>Tage</b><tr><td>Bau<td>30<tr><td>Bad<td>5";
        assert_eq!(canonical(html), "Art: Bau; Tage: 30\n\nArt: Bad; Tage: 5");
        let html = "<table><tr><td>Name<td>Ann<tr><td>Ort<td>Chur<tr><td>Jahr<td>1990</table>";
        assert_eq!(canonical(html), "Name | Ann\n\nOrt | Chur\n\nJahr | 1990");
    }

    #[test]
    fn layout_tables_are_no_tables() {
        let html = "<table><tr><td>(a)</td><td><p>first point;</p></td></tr></table>";
        assert_eq!(canonical(html), "(a) first point;");
        let html = "<table><tr><td><h1>Act</h1><p>one</p><p>two</p></td></tr></table>";
        assert_eq!(canonical(html), "Act\n\none\n\ntwo");
    }

    #[test]
    fn hidden_and_struck_text_goes() {
        let html = "<p>a<span style='Display : none'>b</span><i hidden>c</i><del>d</del>\
            <sup>1</sup></p><p hidden>e</p><p>f</p>";
        assert_eq!(canonical(html), "a¹\n\nf");
        assert_eq!(canonical("<p><sup>2</sup>Die m<sup>2</sup>"), "2 Die m²");
    }

    #[test]
    fn text_that_nobody_sees_goes() {
        let hiding = [
            "font-size:0",
            "font-size: 1px",
            "opacity:0",
            "position:absolute; left:-9999px",
            "height:0;overflow:hidden",
            "color:#fff;background:#FFF",
            "color:transparent !important",
            "text-indent:-9999px",
        ];
        for style in hiding {
            assert_eq!(canonical(&format!("<p>a</p><p style='{style}'>b</p>")), "a", "{style}");
        }
        let shown = ["font-size:1.2em", "opacity:0.9", "left:-3px", "color:#fff;background:#000"];
        for style in shown {
            assert_eq!(canonical(&format!("<p style='{style}'>b</p>")), "b", "{style}");
        }
    }

    #[test]
    fn a_page_is_read_in_the_encoding_that_it_has() {
        let page = |head: &[u8]| decode(&[head, b"<p>F\xfcr B\xfcrger</p>"].concat());
        for head in [&b""[..], b"<meta charset=utf-8>", b"<meta charset=iso-8859-1>"] {
            assert!(page(head).unwrap().ends_with("<p>Für Bürger</p>"));
        }
        let cyrillic = |head: &[u8]| decode(&[head, b"<p>\xc4\xe0"].concat());
        let blanks = " ".repeat(5000);
        for head in [
            "<script charset=utf-8></script><meta content='text/html; charset = windows-1251'>",
            "<?xml version='1.0' encoding='windows-1251'?>",
            &format!("{blanks}<meta charset=windows-1251>"),
        ] {
            assert!(cyrillic(head.as_bytes()).unwrap().ends_with("<p>Да"), "{head}");
        }
    }

    #[test]
    fn quotes_and_code() {
        let html = "<blockquote><p>q</p></blockquote><pre>a\n  b</pre>";
        let (text, blocks) = assemble(found(html).unwrap().raws);
        assert_eq!(text, "q\n\na\n  b");
        assert_eq!(blocks[0].kind, crate::BlockKind::Quote);
        assert_eq!(blocks[1].kind, crate::BlockKind::Code);
    }

    #[test]
    fn deep_nesting_is_refused_at_once() {
        let start = std::time::Instant::now();
        for part in ["<div>", "<b id=1>", "<table><tr><td>", "<ul><li>", "<svg>"] {
            let html = part.repeat(100_000);
            assert!(matches!(found(&html), Err(Unreadable::TooDeep { .. })), "{part}");
        }
        let attributes: String = (0..500_000).map(|n| format!("a{n} ")).collect();
        let html = format!("<p>x<a {attributes}>");
        assert!(matches!(found(&html), Err(Unreadable::TagTooLong { .. })));
        for part in ["<p>", "</i>", "<li>", "<br>", "<p></b>", "<td>", "<!--", "<a b=", "&amp"] {
            assert!(found(&part.repeat(100_000)).is_ok(), "{part}");
        }
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
