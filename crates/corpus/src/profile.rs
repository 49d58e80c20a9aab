//! Function words and spellings that tell the five languages apart, one question being enough.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::LazyLock;

use crate::Language;

/// How much of a text is looked at.
const SAMPLE_BYTES: usize = 8 << 10;

const GERMAN: &str = "\
    der die das den dem des ein eine einen einem einer eines und oder ist sind war wird werden \
    wurde hat haben kann können darf dürfen muss müssen soll sollen nicht kein keine für mit von \
    vom zu zur zum bei beim nach auf aus über unter durch gegen ohne wie was wer wo wann warum \
    wen wem welche welcher welches welchen wieviel wie viele viel ich mich mir mein meine meinen \
    meinem meiner sie ihr ihre ihren er es wir uns unser sich man als auch nur noch wenn dass ob \
    bis ab im am an um hoch lange gibt gilt dieser diese dieses diesem jede jeder jedes alle \
    gemäss sowie innert pro offen kostet";

const FRENCH: &str = "\
    le la les un une des du de et ou où est sont était sera été être a ont avoir peut peuvent \
    doit doivent dois puis faut ne pas plus pour par avec sans sur sous dans en au aux à ce cet \
    cette ces qui que quoi quand comment combien pourquoi quel quelle quels quelles je tu il elle \
    nous vous ils elles on se me mon ma mes son sa ses leur leurs notre votre si entre chez selon \
    dont y l d qu n s j c m t jusqu lors dès très aussi tout toute tous toutes cas délai coûte \
    heures horaires tarif taxe commune enfant enfants prix séjour décision contre adultes";

const ITALIAN: &str = "\
    il lo la i gli le un uno una di del dello della dei degli delle da dal dalla dai dalle in nel \
    nella nei nelle su sul sulla per con tra fra e ed o è sono era sarà essere ha hanno avere può \
    possono posso deve devono devo bisogna non più che chi cosa quando come quanto quanti quanta \
    quante perché dove quale quali qual si mi ci vi ne se al alla ai agli alle questo questa \
    questi queste suo sua suoi loro mio mia anche ogni entro senza prima dopo sopra sotto presso \
    l d un c dell all nell sull dall serve servono costa orari tariffa tassa comune numero giorni \
    anno anni ore";

const ROMANSH: &str = "\
    il ils la las in ina ins da dal dals dalla dad e ed u ubain è èn era sun es vegn vegnan \
    vegnir vegnì ha han hai avair po pon poss pos pudair sto ston stoss stuair duai duain na \
    nagin nagina betg cun senza per tras sin sut en tar tranter suenter avant cunter fin davent \
    che ch tgi tge tgeninas tgenina tgenin tgenins cura nua co quant quants quanta quantas pertge \
    jau ti el ella nus vus els ellas ses sia sias mes mia mias ans as sa ma ta quai quest questa \
    quests questas quel quella quels quellas sco er era mintga tut tuts tuttas auter autra auters \
    sche cas tenor pervia dapi adina gia anc pli datti custa dretg vischnanca communala communal \
    chantun lescha uffants uffant chasa chaun chauns onn onns emna mais uras ura scola plazza \
    taxa taxas permiss dumonda dumondas avert averta avertura serrà mesemna gievgia venderdi \
    sonda dumengia glindesdi mardi annunziar biro dovra daut stad d n l esser pajar vi";

const ENGLISH: &str = "\
    the a an of to in on at for from with by about and or is are was were be been has have had do \
    does did can could may might must shall should will would not no if when where who whom what \
    which why how much many long i me my you your he she it its we us our they their them this \
    that these those there here any all each every as than then after before under over between \
    during without per late tell need open opening fee fees deadline cost costs hours prices pay \
    allowed";

/// Words that only one of the languages has, so that one of them outweighs shared ones.
fn is_telling(word: &[u8], lists: u32) -> bool {
    lists == 1 && word.len() >= 2
}

/// How strongly `text` speaks for each of [`Language::ALL`].
pub(crate) fn scores(text: &str) -> [u32; 5] {
    let mut scores = [0; 5];
    let lower = Lower::of(sample(text));
    let (mut start, mut hash) = (lower.begin(), FNV_START);
    for at in lower.begin()..=lower.end() {
        let byte = lower.bytes[at];
        if is_letter(byte) {
            hash = fnv_on(hash, byte);
            continue;
        }
        if start < at {
            lower.count(start..at, hash, &mut scores);
        }
        (start, hash) = (at + 1, FNV_START);
    }
    scores
}

/// A text in lower case with zeros where it has other than letters, and some more before and after
/// it, so that signs can be looked for eight bytes at once.
struct Lower {
    bytes: Vec<u8>,
}

const AROUND: usize = size_of::<u64>();

impl Lower {
    fn of(text: &str) -> Lower {
        let mut bytes = Vec::with_capacity(text.len() + 2 * AROUND);
        bytes.extend([0; AROUND]);
        // Only that letter is another small one at the end of a word.
        match text.contains('Σ') {
            true => add_lower(&text.to_lowercase(), &mut bytes),
            false => add_lower(text, &mut bytes),
        }
        bytes.extend([0; AROUND]);
        Lower { bytes }
    }

    fn begin(&self) -> usize {
        AROUND
    }

    /// The place after the last letter.
    fn end(&self) -> usize {
        self.bytes.len() - AROUND
    }

    /// Counts a word of this hash.
    fn count(&self, word: Range<usize>, hash: u64, scores: &mut [u32; 5]) {
        let letters = &self.bytes[word.clone()];
        let listed = WORDS.get(&hash).filter(|(listed, _)| listed.as_bytes() == letters);
        let Some((_, languages)) = listed else { return self.spelling(word, scores) };
        let is_telling = is_telling(letters, languages.count_ones());
        add(scores, *languages, if is_telling { 3 } else { 1 });
    }

    fn spelling(&self, word: Range<usize>, scores: &mut [u32; 5]) {
        let signs = &*SIGNS_BY_BYTE;
        let eight = |at: usize| -> u64 {
            let bytes = self.bytes[at..].first_chunk();
            bytes.map_or(0, |bytes: &[u8; AROUND]| u64::from_le_bytes(*bytes))
        };
        let (mut inside, mut ends) = (0, 0);
        // No sign has anything but letters, so none reaches beyond the word.
        for at in word.clone() {
            for sign in &signs[usize::from(self.bytes[at])][0] {
                let has = eight(at) << sign.unused == sign.bytes << sign.unused;
                inside |= if has { sign.languages } else { 0 };
            }
        }
        let last = eight(word.end - AROUND);
        for sign in &signs[usize::from(self.bytes[word.end - 1])][1] {
            let has = word.len() > sign.length + 1 && last >> sign.unused == sign.bytes;
            ends |= if has { sign.languages } else { 0 };
        }
        add(scores, inside, 1);
        add(scores, ends, 1);
    }
}

/// Adds letters in lower case, and a zero for each other one.
fn add_lower(text: &str, bytes: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let count = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (ascii, after) = rest.split_at(count);
        let lower = |byte: u8| if byte.is_ascii_alphabetic() { byte | 0x20 } else { 0 };
        bytes.extend(ascii.bytes().map(lower));
        let Some(char) = after.chars().next() else { break };
        for small in char.to_lowercase() {
            match is_alphabetic(small) {
                true => bytes.extend(small.encode_utf8(&mut [0; 4]).bytes()),
                false => bytes.push(0),
            }
        }
        rest = &after[char.len_utf8()..];
    }
}

/// As `char` has it, soon said for the letters of Latin with accents.
fn is_alphabetic(char: char) -> bool {
    match char {
        'À'..='ſ' => !matches!(char, '×' | '÷'),
        _ => char.is_alphabetic(),
    }
}

fn is_letter(byte: u8) -> bool {
    byte != 0
}

/// The start of a text, cut at a character.
pub(crate) fn sample(text: &str) -> &str {
    &text[..text.floor_char_boundary(SAMPLE_BYTES.min(text.len()))]
}

/// Some of [`Language::ALL`]: a bit each.
type Languages = u8;

fn add(scores: &mut [u32; 5], languages: Languages, weight: u32) {
    for (index, score) in scores.iter_mut().enumerate() {
        *score += if languages & 1 << index != 0 { weight } else { 0 };
    }
}

/// The words of all lists by their hashes, and whose they are. A test says that no two have one.
static WORDS: LazyLock<HashMap<u64, (&str, Languages), BuildHasherDefault<Itself>>> =
    LazyLock::new(|| {
        let lists = [GERMAN, FRENCH, ITALIAN, ROMANSH, ENGLISH];
        let mut words = HashMap::default();
        for (index, list) in lists.iter().enumerate() {
            for word in list.split_whitespace() {
                let hash = word.bytes().fold(FNV_START, fnv_on);
                words.entry(hash).or_insert((word, 0)).1 |= 1 << index;
            }
        }
        words
    });

/// FNV-1a: quick for short words, and nobody chooses what is kept here.
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv_on(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
}

/// For keys that are hashes already.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| fnv_on(hash, *byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Spellings that are common in one language and rare in the others: the language, what stands
/// anywhere in a word, what at its end.
const SIGNS: &[(Language, &[&str], &[&str])] = &[
    (
        Language::De,
        &["ä", "ö", "ü", "ß", "sch", "cht", "ck", "tz", "ei", "ie"],
        &["ung", "keit", "heit", "en", "er", "ig"],
    ),
    (
        Language::Fr,
        &["ç", "ê", "œ", "eau", "aux", "oi", "qu", "eu"],
        &["tion", "té", "ée", "és", "ment", "eur", "age", "ez"],
    ),
    (
        Language::It,
        &["zz", "gli", "cch", "ggi", "uo"],
        &["zione", "zioni", "tà", "mento", "are", "ere", "ire", "io", "i", "o"],
    ),
    (
        Language::Rm,
        &["tsch", "tg", "dretg", "tgi", "gl", "schn", "iun"],
        &["ziun", "ziuns", "adad", "ada", "adas", "sch", "ader", "escha", "um"],
    ),
    (
        Language::En,
        &["th", "wh", "sh", "ow", "ea", "ee", "gh"],
        &["ing", "tion", "ly", "ed", "ness", "ment", "y"],
    ),
];

/// A spelling and whose it is.
struct Sign {
    /// From the lowest; at the end of a word to the highest.
    bytes: u64,
    length: usize,
    /// The bits that it has not.
    unused: u32,
    languages: Languages,
}

/// The spellings within a word by their first byte, those at its end by their last.
static SIGNS_BY_BYTE: LazyLock<[[Vec<Sign>; 2]; 256]> = LazyLock::new(|| {
    let mut all: [[Vec<Sign>; 2]; 256] = std::array::from_fn(|_| Default::default());
    for (index, (_, inside, ends)) in SIGNS.iter().enumerate() {
        let of = |text: &str| {
            let bytes = text.bytes().rev().fold(0, |all, byte| all << 8 | u64::from(byte));
            let unused = u64::BITS - 8 * text.len() as u32;
            Sign { bytes, length: text.len(), unused, languages: 1 << index }
        };
        for sign in *inside {
            all[usize::from(sign.as_bytes()[0])][0].push(of(sign));
        }
        for sign in *ends {
            all[usize::from(sign.as_bytes()[sign.len() - 1])][1].push(of(sign));
        }
    }
    all
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The definition: each sign is looked for in each word.
    fn scores_by_signs(text: &str) -> [u32; 5] {
        let mut scores = [0; 5];
        let lists = [GERMAN, FRENCH, ITALIAN, ROMANSH, ENGLISH];
        let lower = text.to_lowercase();
        for word in lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
            let has = |list: &&str| list.split_whitespace().any(|known| known == word);
            let lists: Vec<bool> = lists.iter().map(has).collect();
            let hits = lists.iter().filter(|hit| **hit).count();
            for (index, (_, inside, ends)) in SIGNS.iter().enumerate() {
                if lists[index] {
                    scores[index] += if hits == 1 && word.len() >= 2 { 3 } else { 1 };
                }
                let ends_with = |sign: &&str| word.len() > sign.len() + 1 && word.ends_with(*sign);
                if hits == 0 {
                    scores[index] += u32::from(inside.iter().any(|sign| word.contains(sign)));
                    scores[index] += u32::from(ends.iter().any(ends_with));
                }
            }
        }
        scores
    }

    #[test]
    fn no_two_words_have_one_hash() {
        let lists = [GERMAN, FRENCH, ITALIAN, ROMANSH, ENGLISH];
        let words: BTreeSet<&str> = lists.iter().flat_map(|list| list.split_whitespace()).collect();
        assert_eq!(words.len(), WORDS.len());
        assert!(SIGNS.iter().flat_map(|(_, a, b)| a.iter().chain(*b)).all(|s| s.len() <= AROUND));
        assert!(('\0'..=char::MAX).all(|char| is_alphabetic(char) == char.is_alphabetic()));
    }

    #[test]
    fn words_and_signs_are_counted_as_they_are_defined() {
        let texts = [
            "Was kostet die Bewilligung für eine Baustelle, und wie lange gilt sie? Zürich",
            "Quelle est la décision du chef-lieu à ce sujet, œuvre de l’État ?",
            "Quanto costa la tassa per gli spazzacamini della città, più o meno?",
            "Tge custa la lubientscha per la construcziun en la vischnanca da Glion?",
            "Why would the weather show enough shadow, really? 12 a I x",
            "ΟΔΟΣ ÀÉ×Ü÷ß İstanbul Œuvre ǅ ﬁ Ⅷ ª 中文 e\u{301}té x̧ ÐÞ Ž",
            "",
        ];
        for text in texts {
            assert_eq!(scores(text), scores_by_signs(text), "{text}");
        }
    }
}
