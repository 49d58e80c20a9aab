//! Windows-1252: what programs for Western Europe wrote before UTF-8, known by what it cannot be.

/// Letters of the languages that are read, beyond ASCII.
const LETTERS: &str = "àâäáåæçèéêëìíîïñòóôöøœùúûüÿßÀÂÄÁÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖØŒÙÚÛÜ";
/// Signs that such texts have.
const SIGNS: &str = "«»‹›„“”‚‘’–—…•€£§°²³¹½¼¾©®·´`×÷±µ†‰™ªº¡¿¬¶¨\u{a0}\u{ad}";
/// Signs that may stand between two small letters.
const INSIDE: &str = "’´`–·\u{a0}\u{ad}";
/// Words of one letter.
const WORDS: &str = "àèéòùÀÈÉ";
/// Of all letters, at most this part in percent is beyond ASCII; in other scripts most are.
const FOREIGN_SHARE_MAX: usize = 40;

/// The text, if every byte beyond ASCII makes sense as a letter or sign where it stands. Other
/// code pages have other signs in these places: the `ü` of the code page of DOS is no character
/// here, its `ä` an opening quotation mark in the middle of a word.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let (text, had_errors) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
    let fits = !had_errors && is_western(&text);
    fits.then(|| text.into_owned())
}

fn is_western(text: &str) -> bool {
    let (mut foreign, mut letters) = (0_usize, 0_usize);
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        letters += usize::from(character.is_alphabetic());
        foreign += usize::from(!character.is_ascii() && character.is_alphabetic());
        if !character.is_ascii() && !fits(before, character, after) {
            return false;
        }
        before = character;
    }
    foreign * 100 <= letters * FOREIGN_SHARE_MAX
}

fn fits(before: char, character: char, after: char) -> bool {
    if SIGNS.contains(character) {
        let opens = matches!(character, '„' | '‚' | '¡' | '¿');
        let is_between = before.is_lowercase() && after.is_lowercase();
        return (!is_between || INSIDE.contains(character)) && !(opens && before.is_alphanumeric());
    }
    let alone = !before.is_alphabetic() && !after.is_alphabetic();
    let leaps = character.is_uppercase() && before.is_lowercase();
    LETTERS.contains(character) && !leaps && (!alone || WORDS.contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_text_is_read_and_other_code_pages_are_not() {
        let texts = [
            "Für Bürger, «Übung» – œuvre à 5 €",
            "L’été è così; caffè, perché. Il a été élu.",
            "La lescha vala er per ils uffants pigns: è e à.",
        ];
        for text in texts {
            let bytes = encoding_rs::WINDOWS_1252.encode(text).0;
            assert_eq!(decode(&bytes).as_deref(), Some(text));
        }
        // "Für Gebühr" and "jährlich génie" as DOS and the old Macintosh wrote them.
        let others: [&[u8]; 6] = [
            b"F\x81r Geb\x81hr",
            b"j\x84hrlich",
            b"le g\x82nie",
            b"F\x9fr j\x8ahrlich",
            "Gebühr".as_bytes(),
            b"\xcf\xf0\xe8\xe2\xe5\xf2",
        ];
        for bytes in others {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
