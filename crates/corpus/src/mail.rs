//! Mails: who wrote to whom, the text, quoted replies apart, and what is attached.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    Address, DateTime, Encoding, HeaderName, Message, MessageParser, MessagePart, MimeHeaders,
    PartType,
};

use crate::found::Found;
use crate::raw::Raw;
use crate::{BlockKind, Language, Unreadable, clean, html, plain, table, western};

/// A mail that was read.
pub(crate) struct Mail {
    pub found: Found,
    pub attachments: Vec<Attachment>,
}

/// A file that hangs on a mail.
pub(crate) struct Attachment {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Parts that are attached by programs and say nothing to a reader.
const SIGNATURES: &[&str] = &["pgp-signature", "pkcs7-signature", "x-pkcs7-signature"];

/// Parts without a name that say to programs what the text says to people.
const REPORTS: &[&str] =
    &["calendar", "x-amp-html", "delivery-status", "disposition-notification", "feedback-report"];

/// A text this many times shorter than its HTML form only says that there is one.
const LEAST_SHARE: usize = 4;

/// Reads a mail.
pub(crate) fn read(bytes: &[u8]) -> Result<Mail, Unreadable> {
    if bytes.len() > clean::MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: clean::MAX_BYTES });
    }
    let bytes = with_sound_headers(bytes.trim_ascii_start());
    let message = MessageParser::default().parse(&*bytes);
    let message = message.filter(has_headers).ok_or_else(|| {
        let detail = "it has no header lines such as From and Subject".to_owned();
        Unreadable::Broken { format: "mail", detail }
    })?;
    let attachments: Vec<Attachment> = attachments(&message);
    let title = message.subject().map(clean::tidy).unwrap_or_default();
    let mut raws = Vec::new();
    if !title.is_empty() {
        raws.push(Raw::new(BlockKind::Heading { level: 1 }, title.clone()));
    }
    raws.extend(head(&message, &attachments));
    raws.extend(body(&message)?);
    Ok(Mail { found: Found { title, ..Found::of(raws) }, attachments })
}

/// The mail with header lines in UTF-8; some programs write them as they are, in Windows-1252.
fn with_sound_headers(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = |sign: &[u8]| bytes.windows(sign.len()).position(|window| window == sign);
    let end = end(b"\n\n").into_iter().chain(end(b"\n\r\n")).min().unwrap_or(bytes.len());
    let (headers, rest) = bytes.split_at(end);
    let decoded = match std::str::from_utf8(headers) {
        Ok(_) => None,
        Err(_) => western::decode(headers),
    };
    match decoded {
        Some(text) => Cow::Owned([text.as_bytes(), rest].concat()),
        None => Cow::Borrowed(bytes),
    }
}

/// The text of a page that was packed as a mail.
pub(crate) fn page(bytes: &[u8]) -> Result<Vec<Raw>, Unreadable> {
    let detail = "it has no header lines".to_owned();
    let message = MessageParser::default().parse(bytes);
    body(&message.ok_or(Unreadable::Broken { format: "mail", detail })?)
}

/// Whether it begins like a mail: with several header lines, or one that mails have.
fn has_headers(message: &Message) -> bool {
    let mut headers = message.headers().iter();
    message.headers().len() > 1
        || headers.any(|header| !matches!(header.name, HeaderName::Other(_)))
}

/// The header lines that readers see, as one row.
fn head(message: &Message, attachments: &[Attachment]) -> Vec<Raw> {
    let names: Vec<&str> = attachments.iter().map(|file| file.name.as_str()).collect();
    let fields = [
        ("From", people(message.from())),
        ("To", people(message.to())),
        ("Cc", people(message.cc())),
        ("Date", message.date().map(date).unwrap_or_default()),
        ("Attachments", names.join(", ")),
    ];
    let (names, values): (Vec<String>, Vec<String>) =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).unzip();
    table::rows(&names, &[values])
}

fn people(address: Option<&Address>) -> String {
    let shown = address.into_iter().flat_map(|address| address.iter()).map(|person| {
        match (person.name(), person.address()) {
            (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
            (name, address) => address.or(name).unwrap_or_default().to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn date(date: &DateTime) -> String {
    let sign = if date.tz_before_gmt { '-' } else { '+' };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} {sign}{:02}:{:02}",
        date.year, date.month, date.day, date.hour, date.minute, date.tz_hour, date.tz_minute
    )
}

/// The text: the plain form unless only the other says something.
fn body(message: &Message) -> Result<Vec<Raw>, Unreadable> {
    let plain = parts(message, &message.text_body)?;
    let rich = parts(message, &message.html_body)?;
    let length = |raws: &[Raw]| raws.iter().map(|raw| raw.text.trim().len()).sum::<usize>();
    let is_stub = length(&plain) * LEAST_SHARE < length(&rich);
    Ok(if is_stub { rich } else { plain })
}

fn parts(message: &Message, ids: &[u32]) -> Result<Vec<Raw>, Unreadable> {
    let mut raws = Vec::new();
    for part in ids.iter().filter_map(|id| message.part(*id)) {
        match &part.body {
            PartType::Text(text) => raws.extend(text_blocks(&readable(message, part, text))?),
            PartType::Html(text) => raws.extend(rich_blocks(&readable(message, part, text))?),
            _ => {}
        }
    }
    Ok(raws)
}

/// A part's text; one that is not in the encoding that it names, or names none, by its bytes.
fn readable<'a>(message: &Message, part: &MessagePart, text: &'a str) -> Cow<'a, str> {
    if !text.contains(char::REPLACEMENT_CHARACTER) {
        return Cow::Borrowed(text);
    }
    let text_of = |bytes: Vec<u8>| clean::decode(&bytes).ok();
    sent(message, part).and_then(text_of).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A part's bytes as they were before they were packed for the way.
fn sent(message: &Message, part: &MessagePart) -> Option<Vec<u8>> {
    let body = part.offset_body as usize..part.offset_end as usize;
    let bytes = message.raw_message().get(body)?;
    match part.encoding {
        Encoding::None => Some(bytes.to_vec()),
        Encoding::Base64 => base64_decode(bytes),
        Encoding::QuotedPrintable => quoted_printable_decode(bytes),
    }
}

/// The bytes of a text that is attached: those of the file, so that its own reader finds out the
/// encoding, unless the mail names one in which the text makes sense.
fn attached(message: &Message, part: &MessagePart, text: &str) -> Vec<u8> {
    let named = part.content_type().is_some_and(|kind| kind.has_attribute("charset"));
    let sound = named && !text.contains([char::REPLACEMENT_CHARACTER, '\0']);
    let sent = if sound { None } else { sent(message, part) };
    sent.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn rich_blocks(text: &str) -> Result<Vec<Raw>, Unreadable> {
    let mut raws = html::fragment(&clean::decode_text(text)?)?;
    let quoted = raws.iter().position(|raw| begins_forwarded(&raw.text)).unwrap_or(raws.len());
    raws[quoted..].iter_mut().for_each(quote);
    Ok(raws)
}

/// Plain text: what was written, and what is quoted in it.
fn text_blocks(text: &str) -> Result<Vec<Raw>, Unreadable> {
    let text = clean::decode_text(text)?;
    let language = Language::detect(&text);
    let mut raws = Vec::new();
    for (is_quoted, piece) in pieces(&text) {
        let mut found = plain::read(&piece, language)?;
        // A greeting that stands alone is no heading.
        if raws.is_empty()
            && let Some(first) = found.first_mut()
            && matches!(first.kind, BlockKind::Heading { .. })
        {
            first.kind = BlockKind::Paragraph;
        }
        if is_quoted {
            found.iter_mut().for_each(quote);
        }
        raws.extend(found);
    }
    Ok(raws)
}

/// What stands in a quoted mail is quoted text, whatever it was there.
fn quote(raw: &mut Raw) {
    raw.kind = BlockKind::Quote;
}

/// Runs of lines that are quoted or not, without the marks.
fn pieces(text: &str) -> Vec<(bool, String)> {
    let mut pieces: Vec<(bool, String)> = Vec::new();
    let mut is_forwarded = false;
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let bare = line.trim_start_matches(['>', ' ']);
        is_forwarded |= begins_forwarded(&lines[index..lines.len().min(index + 4)].join("\n"));
        let next = || lines[index + 1..].iter().find(|next| !next.trim().is_empty());
        let leads = is_attribution(line) && next().is_some_and(|next| next.starts_with('>'));
        let is_quoted = is_forwarded || line.starts_with('>') || leads;
        let shown = if line.starts_with('>') { bare } else { line };
        // "-- " stands over a signature.
        let (line, shown) = if line.trim_end() == "--" { (&"", "") } else { (line, shown) };
        let is_blank = line.trim().is_empty();
        match pieces.last_mut().filter(|(quoted, _)| *quoted == is_quoted || is_blank) {
            Some((_, piece)) => {
                piece.push('\n');
                piece.push_str(shown);
            }
            None => pieces.push((is_quoted, shown.to_owned())),
        }
    }
    pieces
}

/// "On Monday, A wrote:", "Am 5.1. schrieb A:", "Le 5 janvier, A a écrit :".
fn is_attribution(line: &str) -> bool {
    let line = line.trim();
    let words = ["wrote", "schrieb", "écrit", "scritto", "scrit", "geschrieben"];
    line.ends_with(':') && words.iter().any(|word| line.contains(word))
}

/// Whether a forwarded or answered mail begins here: a rule with words, or its header lines.
fn begins_forwarded(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default().trim();
    let rule = first.trim_matches(['-', '_', ' ']).to_lowercase();
    let rules = [
        "original message",
        "ursprüngliche nachricht",
        "originalnachricht",
        "message d'origine",
        "message original",
        "messaggio originale",
        "forwarded message",
        "weitergeleitete nachricht",
        "message transféré",
        "messaggio inoltrato",
        "original-nachricht",
    ];
    if first.starts_with("--") && rules.contains(&rule.as_str()) {
        return true;
    }
    let senders = ["From:", "Von:", "De :", "De:", "Da:"];
    let dates =
        ["Sent:", "Date:", "Gesendet:", "Datum:", "Envoyé :", "Envoyé:", "Inviato:", "Data:"];
    let has = |starts: &[&str]| {
        let lines = text.split(['\n', clean::LINE_BREAK]).map(str::trim_start);
        lines.take(4).any(|line| starts.iter().any(|start| line.starts_with(start)))
    };
    senders.iter().any(|sender| first.starts_with(sender)) && has(&dates)
}

/// The files attached; pictures of the text's own layout and signatures are none.
fn attachments(message: &Message) -> Vec<Attachment> {
    let parts = message.attachments().filter(|part| !is_decoration(part));
    parts
        .enumerate()
        .map(|(index, part)| {
            let bytes = match &part.body {
                PartType::Text(text) | PartType::Html(text) => attached(message, part, text),
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.to_vec(),
                PartType::Message(message) => message.raw_message().to_vec(),
                PartType::Multipart(_) => Vec::new(),
            };
            Attachment { name: name(part, index), bytes }
        })
        .collect()
}

/// Whether a part only dresses the text, or was attached by a program for programs.
fn is_decoration(part: &MessagePart) -> bool {
    let Some(kind) = part.content_type() else { return false };
    let is_inline = part.content_id().is_some()
        || part.content_location().is_some()
        || part.content_disposition().is_some_and(|place| place.is_inline());
    let ctype = kind.ctype().to_ascii_lowercase();
    let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
    let is_alternative = part.attachment_name().is_none() && REPORTS.contains(&subtype.as_str());
    let is_style = matches!(subtype.as_str(), "css" | "javascript" | "x-javascript")
        || ctype == "font"
        || subtype.starts_with("font-");
    matches!(ctype.as_str(), "image" | "font") && is_inline
        || is_style && part.content_location().is_some()
        || SIGNATURES.contains(&subtype.as_str())
        || is_alternative
}

/// An attachment's name; one without a name is called after its kind.
fn name(part: &MessagePart, index: usize) -> String {
    if let Some(name) = part.attachment_name().map(clean::tidy).filter(|name| !name.is_empty()) {
        return name;
    }
    let kind = part.content_type();
    let kind = (kind.map_or("", |k| k.ctype()), kind.and_then(|k| k.subtype()).unwrap_or(""));
    let ending = match kind {
        _ if matches!(part.body, PartType::Message(_)) => "eml",
        ("text", "html") => "html",
        ("text", "csv") => "csv",
        ("text", _) => "txt",
        ("application", "pdf") => "pdf",
        ("application", "zip") => "zip",
        (_, subtype) if subtype.ends_with("wordprocessingml.document") => "docx",
        (_, subtype) if subtype.ends_with("spreadsheetml.sheet") => "xlsx",
        (_, subtype) => return format!("attachment-{}.{}", index + 1, clean::tidy(subtype)),
    };
    format!("attachment-{}.{ending}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_without_an_encoding_is_read_by_its_bytes() {
        let mail = b"From: a@b.ch\nSubject: x\n\nF\xfcr B\xfcrger: 5 Franken.\n\n-- \nAmt\n";
        let found = read(mail).unwrap().found.raws;
        let texts: Vec<&str> = found.iter().map(|raw| raw.text.as_str()).collect();
        assert!(texts.contains(&"Für Bürger: 5 Franken.") && texts.contains(&"Amt"), "{texts:?}");
    }
    use crate::{Source, read_all};

    fn members(mail: &[u8]) -> Vec<(String, Result<crate::Document, Unreadable>)> {
        let members = read_all(&Source { path: "a.eml", bytes: mail, sidecar: None });
        members.into_iter().map(|member| (member.path, member.document)).collect()
    }

    fn blocks(mail: &[u8]) -> Vec<(BlockKind, String)> {
        let document = members(mail).swap_remove(0).1.unwrap();
        let text = |block: &crate::Block| document.slice(block.range).to_owned();
        document.blocks.iter().map(|block| (block.kind.clone(), text(block))).collect()
    }

    #[test]
    fn odd_charsets_are_read() {
        let mail = b"From: =?iso-8859-1?Q?J=FCrg_M=FCller?= <j@example.ch>\r\nTo: a@example.ch\r\n\
            Subject: =?utf-8?B?R2Viw7xocg==?=\r\nDate: Mon, 5 Jan 2026 10:00:00 +0100\r\n\
            Content-Type: text/plain; charset=windows-1252\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nDie Geb=FChr ist 20 =80.\r\n";
        let found = blocks(mail);
        assert_eq!(found[0], (BlockKind::Title, "Gebühr".to_owned()));
        let head = "From: Jürg Müller <j@example.ch>; To: a@example.ch; \
            Date: 2026-01-05 10:00 +01:00";
        assert_eq!(found[1], (BlockKind::TableRow, head.to_owned()));
        assert_eq!(found[2].1, "Die Gebühr ist 20 €.");
    }

    #[test]
    fn bare_letters_in_header_lines_are_read() {
        let mail = b"\r\n\nFrom: J\xfcrg <j@a.ch>\nSubject: Geb\xfchr\n\nF\xfcr B\xfcrger.\n";
        let found: Vec<String> = blocks(mail).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, ["Gebühr", "From: Jürg <j@a.ch>", "Für Bürger."]);
    }

    #[test]
    fn quoted_replies_stand_apart() {
        let text = "From: a@b.ch\nSubject: Re: x\n\nThank you, that settles it.\n\n\
            On Mon, 5 Jan 2026, C wrote:\n> Is the fee CHF 20?\n> Or more?\n\nBest, A\n\n\
            -----Original Message-----\nFrom: c@d.ch\nThe first mail.\n";
        let found = blocks(text.as_bytes());
        let quoted: Vec<&str> = found
            .iter()
            .filter(|(kind, _)| *kind == BlockKind::Quote)
            .map(|(_, text)| text.as_str())
            .collect();
        assert!(quoted[0].contains("C wrote:"), "{found:?}");
        assert!(quoted.iter().any(|text| text.contains("Is the fee CHF 20?")), "{found:?}");
        assert!(quoted.last().unwrap().contains("The first mail"), "{found:?}");
        let own = |text: &str| {
            found.iter().any(|(kind, t)| *kind != BlockKind::Quote && t.contains(text))
        };
        assert!(own("that settles it") && own("Best, A"), "{found:?}");
    }

    #[test]
    fn attachments_are_documents_of_their_own() {
        let mail = b"From: a@b.ch\nSubject: Offer\nMIME-Version: 1.0\n\
            Content-Type: multipart/mixed; boundary=X\n\n--X\n\
            Content-Type: multipart/alternative; boundary=Y\n\n--Y\n\
            Content-Type: text/plain\n\nSee the list.\n--Y\nContent-Type: text/html\n\n\
            <p>See the <b>list</b>.</p>\n--Y--\n--X\nContent-Type: text/csv; name=list.csv\n\
            Content-Disposition: attachment; filename=list.csv\n\nWare,Preis\nSalz,3\n--X\n\
            Content-Type: image/png; name=photo.png\n\
            Content-Disposition: attachment; filename=photo.png\n\
            Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--X\nContent-Type: image/png\n\
            Content-ID: <logo>\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--X\n\
            Content-Type: message/rfc822\n\nFrom: c@d.ch\nSubject: Inner\n\nHello.\n--X--\n";
        let found = members(mail);
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["", "list.csv", "photo.png", "attachment-3.eml"]);
        let text = |at: usize| found[at].1.as_ref().unwrap().text.clone();
        assert!(text(0).ends_with("See the list."), "{}", text(0));
        assert_eq!(text(1), "Ware: Salz; Preis: 3");
        assert!(matches!(found[2].1, Err(Unreadable::NotYet { .. })));
        assert!(text(3).starts_with("Inner\n\nFrom: c@d.ch"), "{}", text(3));
    }

    #[test]
    fn a_greeting_is_no_heading() {
        let mail = b"From: a@b.ch\nSubject: Hut\n\nGuten Tag\n\nDie Hutte ist 2 m hoch.\n";
        assert_eq!(blocks(mail)[2], (BlockKind::Paragraph, "Guten Tag".to_owned()));
    }

    #[test]
    fn an_attached_text_keeps_its_bytes() {
        // "Straße;Müll", "Ahornweg;grün" in Latin-1, and "é" said to be UTF-8 but in Latin-1.
        let mail = b"From: a@b.ch\nSubject: x\nMIME-Version: 1.0\n\
            Content-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/plain\n\nSiehe.\n\
            --X\nContent-Type: text/csv\nContent-Disposition: attachment; filename=a.csv\n\
            Content-Transfer-Encoding: base64\n\nU3RyYd9lO038bGwKQWhvcm53ZWc7Z3L8bgo=\n\
            --X\nContent-Type: text/plain; charset=utf-8\n\
            Content-Disposition: attachment; filename=b.txt\n\
            Content-Transfer-Encoding: quoted-printable\n\nLe caf=E9 est ferm=E9 lundi.\n--X--\n";
        let found = members(mail);
        let text = |at: usize| found[at].1.as_ref().unwrap().text.clone();
        assert_eq!(text(1), "Straße: Ahornweg; Müll: grün");
        assert_eq!(text(2), "Le café est fermé lundi.");
    }

    #[test]
    fn a_saved_page_is_read() {
        let page = b"From: <Saved by a browser>\nSubject: Bad\nMIME-Version: 1.0\n\
            Content-Type: multipart/related; type=\"text/html\"; boundary=X\n\n--X\n\
            Content-Type: text/html; charset=utf-8\nContent-Location: https://a.example/\n\n\
            <h1>Bad</h1><p>Offen ab 9 Uhr.</p>\n--X\nContent-Type: text/css\n\
            Content-Location: https://a.example/a.css\n\np {}\n--X\nContent-Type: image/png\n\
            Content-Location: https://a.example/a.png\nContent-Transfer-Encoding: base64\n\n\
            iVBORw0KGgo=\n--X--\n";
        let found = read_all(&Source { path: "a.mhtml", bytes: page, sidecar: None });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].document.as_ref().unwrap().text.ends_with("Bad\n\nOffen ab 9 Uhr."));
    }

    #[test]
    fn what_is_no_mail_is_refused() {
        assert!(read(b"Date: Mon, 5 Jan 2026 10:00:00 +0100\n\nHello.\n").is_ok());
        assert!(matches!(read(b"Note: x\n\nHello.\n"), Err(Unreadable::Broken { .. })));
        assert!(matches!(read(b"hello"), Err(Unreadable::Broken { .. })));
        assert!(matches!(read(b""), Err(Unreadable::Broken { .. })));
    }
}
