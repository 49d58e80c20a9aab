//! Notes that a conversion left inside the text of Swiss acts: which law gave a provision its
//! wording, and where that was published.

use crate::BlockKind;
use crate::raw::Raw;

/// How such notes begin.
const BEGINNINGS: &[&str] = &[
    "Fassung gemäss ",
    "Fassung des ",
    "Eingefügt durch ",
    "Eingefügt gemäss ",
    "Aufgehoben durch ",
    "Ursprünglich Art",
    "Ursprünglich: Art",
    "Bereinigt gemäss ",
    "Berichtigt ",
    "Nouvelle teneur selon ",
    "Introduit par ",
    "Introduite par ",
    "Introduits par ",
    "Abrogé par ",
    "Abrogée par ",
    "Abrogés par ",
    "Anciennement ",
    "Nuovo testo giusta ",
    "Introdotto dal",
    "Introdotta dal",
    "Introdotti dal",
    "Abrogato dal",
    "Abrogata dal",
    "Abrogati dal",
    "Originario art",
];
/// Parts of a provision that a note may name first: "Zweiter Satz eingefügt durch …".
const PARTS: &[&str] = &[
    "Satz eingefügt durch ",
    "Satz aufgehoben durch ",
    "Satz gemäss ",
    "phrase introduite par ",
    "phrase abrogée par ",
    "per. introdotto dal",
    "per. abrogato dal",
];
/// The collections where acts are published; a note ends with its places in them.
const COLLECTIONS: &[&str] = &["(AS ", "(RO ", "(RU "];

/// A note is not longer.
const MAX_NOTE_BYTES: usize = 700;

/// Whether a text only says which law gave a provision its wording.
#[must_use]
pub fn is_amendment(text: &str) -> bool {
    let text = text.trim_start();
    let begins = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
    let part = || PARTS.iter().any(|part| text.get(..40).unwrap_or(text).contains(part));
    (begins || part()) && COLLECTIONS.iter().any(|sign| text.contains(sign))
}

/// The blocks with such notes as blocks of their own, each after the block that it stood in.
pub(crate) fn apart(raws: Vec<Raw>) -> Vec<Raw> {
    let mut found = Vec::with_capacity(raws.len());
    for raw in raws {
        let is_text = !matches!(raw.kind, BlockKind::Code | BlockKind::Note | BlockKind::Quote);
        if !is_text || !COLLECTIONS.iter().any(|sign| raw.text.contains(sign)) {
            found.push(raw);
            continue;
        }
        let (text, notes) = split(raw);
        found.push(text);
        let mut last = String::new();
        for note in notes.into_iter().map(|note| note.trim().to_owned()) {
            if note != last {
                found.push(Raw::new(BlockKind::Note, note.clone()));
                last = note;
            }
        }
    }
    found
}

/// The notes of a section at its end.
pub(crate) fn settle(raws: Vec<Raw>) -> Vec<Raw> {
    let mut found = Vec::with_capacity(raws.len());
    let mut notes = Vec::new();
    for raw in raws {
        match raw.kind {
            BlockKind::Note => notes.push(raw),
            BlockKind::Title | BlockKind::Heading { .. } | BlockKind::Article { .. } => {
                found.append(&mut notes);
                found.push(raw);
            }
            _ => found.push(raw),
        }
    }
    found.append(&mut notes);
    found
}

/// A block without its notes, and the notes.
fn split(raw: Raw) -> (Raw, Vec<String>) {
    let mut text = String::with_capacity(raw.text.len());
    let (mut notes, mut lead, mut done) = (Vec::new(), raw.lead, 0);
    for start in beginnings(&raw.text) {
        let Some(end) = end(&raw.text[start..]).map(|end| start + end) else { continue };
        if start < done {
            continue;
        }
        text.push_str(&raw.text[done..start]);
        notes.push(raw.text[start..end].to_owned());
        // What goes from the bold start makes it shorter.
        lead -= raw.lead.min(end) - raw.lead.min(start);
        done = end;
    }
    text.push_str(&raw.text[done..]);
    (Raw { text, lead, ..raw }, notes)
}

/// Where notes may begin, in order.
fn beginnings(text: &str) -> Vec<usize> {
    let begins = BEGINNINGS.iter().flat_map(|begin| text.match_indices(begin));
    let mut starts: Vec<usize> = begins.map(|(at, _)| at).collect();
    let parts = PARTS.iter().flat_map(|part| text.match_indices(part));
    starts.extend(parts.map(|(at, _)| word_before(text, at)));
    starts.retain(|at| begins_sentence(text, *at));
    starts.sort_unstable();
    starts
}

/// The start of "Zweiter" in "Zweiter Satz eingefügt durch".
fn word_before(text: &str, at: usize) -> usize {
    let before = text[..at].trim_end();
    before.rfind(' ').map_or(0, |blank| blank + 1)
}

/// Whether a sentence can begin here: after a sign, a label such as "Art. 6", or nothing.
fn begins_sentence(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end();
    before.is_empty()
        || before.ends_with(['.', ':', ';', ')', '*', '»', '"'])
        || before.ends_with(|c: char| c.is_ascii_digit())
        || before
            .rsplit(' ')
            .next()
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

/// The end of a note: after the brackets with the places of publication, and the full stop.
fn end(note: &str) -> Option<usize> {
    let head = &note[..note.floor_char_boundary(MAX_NOTE_BYTES.min(note.len()))];
    let open = COLLECTIONS.iter().filter_map(|sign| head.find(sign)).min()?;
    let close = open + head[open..].find(')')? + 1;
    let stop = usize::from(head[close..].starts_with('.'));
    Some(close + stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, lead: usize) -> Vec<(BlockKind, String, usize)> {
        let raw = Raw { kind: BlockKind::Paragraph, text: text.to_owned(), lead };
        apart(vec![raw]).into_iter().map(|raw| (raw.kind, raw.text, raw.lead)).collect()
    }

    #[test]
    fn notes_leave_the_text() {
        let note = "Fassung gemäss Ziff. I des BG vom 24. März 2006, in Kraft seit 1. Jan. 2008  \
            (AS 2007 4983; BBl 2003 2101).";
        let found = texts(&format!("1 Daten sind richtig. {note} Und neu."), 0);
        assert_eq!(found[0].1, "1 Daten sind richtig.  Und neu.");
        assert_eq!((found[1].0.clone(), found[1].1.as_str()), (BlockKind::Note, note));
        let head = format!("Art. 6 {note}");
        let found = texts(&format!("{head} {head} Bekanntgabe"), head.len());
        assert_eq!((found[0].1.as_str(), found[0].2), ("Art. 6  Art. 6  Bekanntgabe", 7));
        assert_eq!(found.len(), 2, "the same note is said once");
        let found = texts("2 La loi. Introduit par le ch. I de la LF (RO 2007 4983).", 0);
        assert_eq!(found[1].1, "Introduit par le ch. I de la LF (RO 2007 4983).");
    }

    #[test]
    fn text_about_laws_stays() {
        for text in [
            "Die Kommission wurde eingesetzt. Fassung gemäss Beschluss gilt.",
            "Ein durch die Verordnung (AS 2007 1) geschaffenes Recht.",
        ] {
            assert_eq!(texts(text, 0).len(), 1, "{text}");
        }
    }

    #[test]
    fn notes_settle_at_the_end_of_their_section() {
        let raw = |kind, text: &str| Raw::new(kind, text);
        let heading = BlockKind::Heading { level: 2 };
        let found = settle(vec![
            raw(BlockKind::Note, "n"),
            raw(BlockKind::Paragraph, "p"),
            raw(heading.clone(), "h"),
            raw(BlockKind::Note, "m"),
        ]);
        let texts: Vec<&str> = found.iter().map(|raw| raw.text.as_str()).collect();
        assert_eq!(texts, ["p", "n", "h", "m"]);
    }

    #[test]
    fn many_beginnings_take_no_time() {
        let start = std::time::Instant::now();
        let text = ". Fassung gemäss ".repeat(20_000) + "(AS 1)";
        assert!(!texts(&text, 0).is_empty());
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
