//! Acts that a question names by another name than their titles have: acts of the Union by their
//! names in the languages of the house, books of the German Sozialgesetzbuch by their number.

use crate::analysis::words;
use allod_corpus::Language;

/// Bytes of a title in which an act's own number stands; later ones are of acts that it names.
const OWN_NUMBER_WITHIN: usize = 60;

/// An act of the Union.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnionAct {
    /// Its number, as it stands in its title.
    number: &'static str,
    /// Its names; folded words with single blanks between.
    names: &'static [&'static str],
}

/// An act that a question names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Named {
    /// An act of the Union.
    Union(&'static UnionAct),
    /// A book of the Sozialgesetzbuch, 1 to 14.
    Book(usize),
}

impl Named {
    /// The acts that a text names.
    pub(crate) fn all(text: &str) -> Vec<Named> {
        let folded: Vec<String> =
            words(text, Language::Other).into_iter().map(|word| word.folded).collect();
        let said = format!(" {} ", folded.join(" "));
        let has = |name: &&&str| said.contains(&format!(" {name} "));
        let union = UNION.iter().filter(|act| act.names.iter().any(|name| has(&name)));
        union.map(Named::Union).chain(book(&folded).map(Named::Book)).collect()
    }

    /// Words of which all stand in the title or the name of the act's file; each list is another
    /// way to write them.
    pub(crate) fn marks(self) -> Vec<Vec<String>> {
        match self {
            Named::Union(act) => vec![act.number.split('/').map(str::to_owned).collect()],
            Named::Book(number) => {
                let code = || "sgb".to_owned();
                let roman = ROMAN[number - 1].to_owned();
                vec![vec![code(), number.to_string()], vec![code(), roman]]
            }
        }
    }

    /// Whether a document with this title and file name is the act.
    pub(crate) fn is(self, title: &str, file: &str) -> bool {
        match self {
            Named::Union(act) => {
                let number = own_number(title);
                let folded = words(title, Language::Other).into_iter().map(|word| word.folded);
                let own = format!(" {} ", folded.collect::<Vec<_>>().join(" "));
                let named = || act.names.iter().any(|name| own.contains(&format!(" {name} ")));
                number.map_or_else(named, |number| number == act.number)
            }
            Named::Book(number) => {
                let folded = |text| words(text, Language::Other).into_iter().map(|w| w.folded);
                let title: Vec<String> = folded(title).collect();
                let file: Vec<String> = folded(file).collect();
                book(&title).or_else(|| book(&file)) == Some(number)
            }
        }
    }
}

/// The number in a title of an act of the Union: that which comes first.
fn own_number(title: &str) -> Option<&str> {
    let own = &title[..title.floor_char_boundary(OWN_NUMBER_WITHIN)];
    let numbers = |c: char| !(c.is_ascii_digit() || c == '/');
    let number = own.split(numbers).find(|word| word.len() > 4 && word.contains('/'))?;
    Some(number.trim_matches('/'))
}

/// The book of the Sozialgesetzbuch that folded words name: `sgb x`, `zehntes buch
/// sozialgesetzbuch`, `sozialgesetzbuch sgb erstes buch i`. Titles that speak of a book in passing
/// have other words first.
fn book(words: &[String]) -> Option<usize> {
    let at = |at: usize| words.get(at).map(String::as_str);
    let is_code = |word: Option<&str>| matches!(word, Some("sgb" | "sozialgesetzbuch"));
    for first in 0..words.len() {
        let next = at(first + 1);
        if is_code(at(first)) {
            // `Sozialgesetzbuch (SGB) Erstes Buch (I)`.
            let after = first + 1 + usize::from(is_code(next));
            let number = at(after).and_then(|word| numeral(word).or_else(|| ordinal(word)));
            if number.is_some() {
                return number;
            }
        }
        let of_code = is_code(at(first + 2)) || at(first + 2) == Some("des");
        if matches!(next, Some("buch" | "buches")) && of_code {
            return at(first).and_then(ordinal);
        }
    }
    None
}

const ROMAN: [&str; 14] =
    ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv"];
const ORDINALS: [&str; 14] = [
    "erst",
    "zweit",
    "dritt",
    "viert",
    "funft",
    "sechst",
    "siebt",
    "acht",
    "neunt",
    "zehnt",
    "elft",
    "zwolft",
    "dreizehnt",
    "vierzehnt",
];

/// `x` and `10`.
fn numeral(word: &str) -> Option<usize> {
    let arabic = word.parse().ok().filter(|number| (1..=ROMAN.len()).contains(number));
    arabic.or_else(|| ROMAN.iter().position(|roman| *roman == word).map(|at| at + 1))
}

/// `zehntes`, `zehnten`, `zehnte`.
fn ordinal(word: &str) -> Option<usize> {
    let stem = ["es", "en", "er", "em", "e"].iter().find_map(|end| word.strip_suffix(end))?;
    ORDINALS.iter().position(|ordinal| *ordinal == stem).map(|at| at + 1)
}

/// Acts of the Union that are asked for by name: by abbreviations that the first letters of no
/// title give, and by names written out.
static UNION: [UnionAct; 14] = [
    UnionAct {
        number: "2016/679",
        names: &[
            "gdpr",
            "dsgvo",
            "ds gvo",
            "rgpd",
            "datenschutz grundverordnung",
            "datenschutzgrundverordnung",
            "reglement general sur la protection des donnees",
            "regolamento generale sulla protezione dei dati",
            "general data protection regulation",
        ],
    },
    UnionAct {
        number: "2016/680",
        names: &[
            "led",
            "jirl",
            "ji richtlinie",
            "law enforcement directive",
            "directive police justice",
            "direttiva polizia",
        ],
    },
    UnionAct {
        number: "2024/1689",
        names: &[
            "aia",
            "kivo",
            "ki vo",
            "ria",
            "ai act",
            "artificial intelligence act",
            "ki verordnung",
            "ki gesetz",
            "verordnung uber kunstliche intelligenz",
            "gesetz uber kunstliche intelligenz",
            "reglement sur l ia",
            "loi sur l ia",
            "reglement sur l intelligence artificielle",
            "legislation sur l intelligence artificielle",
            "regolamento sull ia",
            "legge sull ia",
            "regolamento sull intelligenza artificiale",
            "legge sull intelligenza artificiale",
        ],
    },
    UnionAct {
        number: "2022/2065",
        names: &[
            "dsa",
            "gdd",
            "rsn",
            "digital services act",
            "gesetz uber digitale dienste",
            "reglement sur les services numeriques",
            "legislation sur les services numeriques",
            "regolamento sui servizi digitali",
        ],
    },
    UnionAct {
        number: "2022/1925",
        names: &[
            "dma",
            "gdm",
            "digital markets act",
            "gesetz uber digitale markte",
            "reglement sur les marches numeriques",
            "legislation sur les marches numeriques",
            "regolamento sui mercati digitali",
        ],
    },
    UnionAct {
        number: "2022/868",
        names: &[
            "dga",
            "data governance act",
            "daten governance rechtsakt",
            "reglement sur la gouvernance des donnees",
            "regolamento sulla governance dei dati",
        ],
    },
    UnionAct {
        number: "2023/2854",
        names: &[
            "data act",
            "datenverordnung",
            "reglement sur les donnees",
            "regolamento sui dati",
        ],
    },
    UnionAct {
        number: "2022/2555",
        names: &["nis2", "nis 2", "nis 2 richtlinie", "directive nis 2", "direttiva nis 2"],
    },
    UnionAct { number: "2022/2554", names: &["dora", "digital operational resilience act"] },
    UnionAct {
        number: "2024/2847",
        names: &[
            "cra",
            "cyber resilience act",
            "cyberresilienz verordnung",
            "cyberresilienzverordnung",
            "reglement sur la cyberresilience",
            "regolamento sulla ciberresilienza",
        ],
    },
    UnionAct { number: "910/2014", names: &["eidas", "eidas verordnung"] },
    UnionAct { number: "2024/1183", names: &["eidas", "eidas 2"] },
    UnionAct { number: "2014/65", names: &["mifid", "mifid ii", "mifid 2"] },
    UnionAct { number: "1907/2006", names: &["reach", "reach verordnung"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    const GDPR: &str = "REGULATION (EU) 2016/679 OF THE EUROPEAN PARLIAMENT of 27 April 2016";

    #[test]
    fn acts_of_the_union_are_known_by_their_names_in_four_languages() {
        for text in [
            "Datenschutz-Grundverordnung Art. 17",
            "Was sagt Art. 17 DSGVO?",
            "article 17 du règlement général sur la protection des données",
            "l'articolo 17 del regolamento generale sulla protezione dei dati",
            "Article 17 of the General Data Protection Regulation",
        ] {
            let named = Named::all(text);
            assert_eq!(named.len(), 1, "{text}");
            assert!(named[0].is(GDPR, "en"), "{text}");
            assert!(!named[0].is("REGULATION (EU) 2024/1689 OF THE EUROPEAN", "en"), "{text}");
        }
        for text in
            ["Art. 5 der KI-Verordnung", "Article 5 AI Act", "l'art. 5 del regolamento sull'IA"]
        {
            assert!(
                Named::all(text)[0].is("Règlement (UE) 2024/1689 du Parlement", "fr"),
                "{text}"
            );
        }
        assert!(Named::all("Wann gilt die Verordnung über das Datenschutzgesetz?").is_empty());
    }

    #[test]
    fn an_act_is_known_by_its_own_number_or_name_and_not_by_one_that_it_cites() {
        let named = Named::all("DSGVO")[0];
        let other = "Règlement (UE) 2018/1725 relatif à la protection (voir 2016/679)";
        assert!(!named.is(other, "") && !named.is("Kehrichtreglement", ""));
        assert!(named.is("Datenschutz-Grundverordnung, Textausgabe", ""));
    }

    #[test]
    fn books_of_the_sozialgesetzbuch_are_told_apart() {
        let titles = [
            (1, "Sozialgesetzbuch (SGB) Erstes Buch (I) - Allgemeiner Teil - (Artikel I des"),
            (2, "Sozialgesetzbuch (SGB) Zweites Buch (II) - Grundsicherung"),
            (10, "Zehntes Buch Sozialgesetzbuch - Sozialverwaltungsverfahren"),
            (12, "Sozialgesetzbuch (SGB) Zwölftes Buch (XII) - Sozialhilfe"),
        ];
        let questions = ["§ 5 SGB I", "§ 5 SGB II", "§ 5 Abs. 1 SGB X", "SGB XII § 5"];
        for (question, (asked, _)) in questions.into_iter().zip(titles) {
            let named = Named::all(question);
            assert_eq!(named, [Named::Book(asked)], "{question}");
            for (number, title) in titles {
                assert_eq!(named[0].is(title, "sgb_0"), number == asked, "{question} {title}");
            }
        }
        assert_eq!(Named::all("§ 3 des Fünften Buches Sozialgesetzbuch"), [Named::Book(5)]);
        assert!(Named::Book(9).is("Rehabilitation und Teilhabe", "sgb_9"));
        assert!(Named::all("Was steht im SGB?").is_empty());
    }
}
