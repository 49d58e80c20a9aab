//! Acts that a question names by another name than their titles have: acts of the Union by their
//! names in the languages of the house, books of the German Sozialgesetzbuch by their number, and
//! Swiss acts by the names and abbreviations that they have in the other languages.

use crate::analysis::{Word, words};
use allod_corpus::{Language, is_month};

/// Bytes of a title in which an act's own number stands; later ones are of acts that it names.
const OWN_NUMBER_WITHIN: usize = 60;

/// Words of a name that are looked up have more letters.
const LONG_WORD: usize = 3;

/// An act of the Union.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnionAct {
    /// Its number, as it stands in its title.
    number: &'static str,
    /// Its names; folded words with single blanks between.
    names: &'static [&'static str],
}

/// An act of Switzerland.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SwissAct {
    /// Its abbreviations; folded.
    short: &'static [&'static str],
    /// How its titles begin and what people call it; folded words with single blanks between.
    names: &'static [&'static str],
}

impl SwissAct {
    /// Whether a question names it, by its folded words or by its abbreviations.
    fn is_named(&self, said: &str, abbreviations: &[String]) -> bool {
        let has = |name: &&&str| said.contains(&format!(" {name} "));
        let short = |name: &&str| abbreviations.iter().any(|own| own == name);
        self.short.iter().any(short) || self.names.iter().any(|name| has(&name))
    }

    /// Whether a title is its own: it begins with one of its names or bears its abbreviation. An
    /// ordinance has the name of its act in its title, but not first.
    fn is(&self, title: &str) -> bool {
        let all = words(title, Language::Other);
        // `vom 25. September 2020` may stand between `Bundesgesetz` and `über`.
        let month = |word: &Word| is_month(&title[word.range.clone()]);
        let number = |word: &Word| word.folded.starts_with(|c: char| c.is_ascii_digit());
        let dated =
            |word: &Word| month(word) || number(word) || DATED.contains(&word.folded.as_str());
        let undated: Vec<&str> =
            all.iter().filter(|word| !dated(word)).map(|word| word.folded.as_str()).collect();
        let own = format!("{} ", undated.join(" "));
        let undated_name = |name: &str| -> String {
            name.split(' ').filter(|word| !DATED.contains(word)).collect::<Vec<_>>().join(" ")
        };
        let begins = |name: &&&str| own.starts_with(&format!("{} ", undated_name(name)));
        let first = all.first().map(|word| word.folded.as_str());
        let ordinance = first.is_some_and(|first| ORDINANCES.contains(&first));
        let abbreviated =
            || abbreviations(title).iter().any(|word| self.short.contains(&word.as_str()));
        !ordinance && (self.names.iter().any(|name| begins(&name)) || abbreviated())
    }
}

/// An act that a question names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Named {
    /// An act of Switzerland.
    Swiss(&'static SwissAct),
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
        let named: Vec<&str> = folded.iter().map(|word| nominative(word)).collect();
        let said = format!(" {} ", named.join(" "));
        let has = |name: &&&str| said.contains(&format!(" {name} "));
        let union = UNION.iter().filter(|act| act.names.iter().any(|name| has(&name)));
        let short = abbreviations(text);
        let swiss = SWISS.iter().filter(|act| act.is_named(&said, &short)).map(Named::Swiss);
        union.map(Named::Union).chain(book(&folded).map(Named::Book)).chain(swiss).collect()
    }

    /// Words of which all stand in the title or the name of the act's file; each list is another
    /// way to write them.
    pub(crate) fn marks(self) -> Vec<Vec<String>> {
        match self {
            Named::Union(act) => vec![act.number.split('/').map(str::to_owned).collect()],
            Named::Swiss(act) => {
                let short = act.short.iter().map(|name| vec![(*name).to_owned()]);
                let telling = |name: &&str| -> Vec<String> {
                    let long = |word: &&str| word.len() > LONG_WORD;
                    name.split(' ').filter(long).map(str::to_owned).collect()
                };
                short.chain(act.names.iter().map(telling)).filter(|m| !m.is_empty()).collect()
            }
            Named::Book(number) => {
                let code = || "sgb".to_owned();
                let roman = ROMAN[number - 1].to_owned();
                vec![vec![code(), number.to_string()], vec![code(), roman]]
            }
        }
    }

    /// Abbreviations of the act and the longer words of its names.
    pub(crate) fn words(self) -> Vec<&'static str> {
        let (short, names): (&[&str], &[&str]) = match self {
            Named::Union(act) => (&[], act.names),
            Named::Swiss(act) => (act.short, act.names),
            Named::Book(_) => (&[], &[]),
        };
        let one = |name: &&&str| !name.contains(' ');
        let long = |word: &&str| word.len() > LONG_WORD;
        let alone = names.iter().filter(one).copied();
        let words = names.iter().flat_map(|name| name.split(' ')).filter(long);
        short.iter().copied().chain(alone).chain(words).collect()
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
            Named::Swiss(act) => act.is(title),
            Named::Book(number) => {
                let folded = |text| words(text, Language::Other).into_iter().map(|w| w.folded);
                let title: Vec<String> = folded(title).collect();
                let file: Vec<String> = folded(file).collect();
                book(&title).or_else(|| book(&file)) == Some(number)
            }
        }
    }
}

/// The name of an act as a title has it: `des Datenschutzgesetzes` is of the *Datenschutzgesetz*.
pub(crate) fn nominative(word: &str) -> &str {
    let kind = |kind: &&str| {
        let bare = word.strip_suffix("es").or(word.strip_suffix('s'));
        bare.filter(|bare| bare.ends_with(*kind))
    };
    KINDS.iter().find_map(kind).unwrap_or(word)
}

/// Ends of the names of acts that take an ending in the genitive.
const KINDS: [&str; 3] = ["gesetz", "gesetzbuch", "recht"];

/// The words of a text that are written as abbreviations, folded: `OR` is one, `or` is none.
fn abbreviations(text: &str) -> Vec<String> {
    let is_one = |raw: &str| {
        let capitals = raw.chars().filter(|letter| letter.is_uppercase()).count();
        capitals > 1 || matches!(raw, "Cst" | "Cost")
    };
    let all = words(text, Language::Other).into_iter();
    all.filter(|word| is_one(&text[word.range.clone()])).map(|word| word.folded).collect()
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

/// Swiss acts by the abbreviations and titles that they have in the languages of the country, and
/// in English.
static SWISS: [SwissAct; 23] = [
    SwissAct {
        short: &["bv", "cst", "cost", "fc"],
        names: &[
            "bundesverfassung",
            "bundesverfassung der schweizerischen eidgenossenschaft",
            "constitution federale",
            "constitution federale de la confederation suisse",
            "costituzione federale",
            "costituzione federale della confederazione svizzera",
            "constituziun federala",
            "constituziun federala da la confederaziun svizra",
            "federal constitution",
            "federal constitution of the swiss confederation",
            "swiss constitution",
        ],
    },
    SwissAct {
        short: &["dsg", "lpd", "fadp"],
        names: &[
            "datenschutzgesetz",
            "bundesgesetz uber den datenschutz",
            "loi federale sur la protection des donnees",
            "legge federale sulla protezione dei dati",
            "lescha federala davart la protecziun da datas",
            "federal act on data protection",
            "data protection act",
            "federal data protection act",
        ],
    },
    SwissAct {
        short: &["zgb", "cc", "ccs"],
        names: &[
            "zivilgesetzbuch",
            "schweizerisches zivilgesetzbuch",
            "code civil",
            "code civil suisse",
            "codice civile",
            "codice civile svizzero",
            "cudesch civil svizzer",
            "swiss civil code",
        ],
    },
    SwissAct {
        short: &["or", "co"],
        names: &[
            "obligationenrecht",
            "bundesgesetz betreffend die erganzung des schweizerischen zivilgesetzbuches",
            "droit des obligations",
            "code des obligations",
            "loi federale completant le code civil suisse",
            "diritto delle obbligazioni",
            "codice delle obbligazioni",
            "legge federale di complemento del codice civile svizzero",
            "dretg d obligaziuns",
            "code of obligations",
            "swiss code of obligations",
        ],
    },
    SwissAct {
        short: &["stgb", "cp", "cps"],
        names: &[
            "strafgesetzbuch",
            "schweizerisches strafgesetzbuch",
            "code penal",
            "code penal suisse",
            "codice penale",
            "codice penale svizzero",
            "cudesch penal svizzer",
            "swiss criminal code",
        ],
    },
    SwissAct {
        short: &["zpo", "cpc"],
        names: &[
            "zivilprozessordnung",
            "schweizerische zivilprozessordnung",
            "code de procedure civile",
            "codice di procedura civile",
            "civil procedure code",
            "swiss civil procedure code",
        ],
    },
    SwissAct {
        short: &["stpo", "cpp"],
        names: &[
            "strafprozessordnung",
            "schweizerische strafprozessordnung",
            "code de procedure penale",
            "codice di procedura penale",
            "criminal procedure code",
        ],
    },
    SwissAct {
        short: &["schkg", "lp", "lef", "deba"],
        names: &[
            "bundesgesetz uber schuldbetreibung und konkurs",
            "loi federale sur la poursuite pour dettes et la faillite",
            "legge federale sulla esecuzione e sul fallimento",
            "debt enforcement and bankruptcy act",
        ],
    },
    SwissAct {
        short: &["vwvg", "apa"],
        names: &[
            "verwaltungsverfahrensgesetz",
            "bundesgesetz uber das verwaltungsverfahren",
            "loi federale sur la procedure administrative",
            "legge federale sulla procedura amministrativa",
            "administrative procedure act",
        ],
    },
    SwissAct {
        short: &["bgg", "ltf"],
        names: &[
            "bundesgerichtsgesetz",
            "bundesgesetz uber das bundesgericht",
            "loi sur le tribunal federal",
            "legge sul tribunale federale",
            "federal supreme court act",
        ],
    },
    SwissAct {
        short: &["arg", "ltr", "emplaw"],
        names: &[
            "arbeitsgesetz",
            "bundesgesetz uber die arbeit in industrie gewerbe und handel",
            "loi sur le travail",
            "loi federale sur le travail dans l industrie l artisanat et le commerce",
            "legge sul lavoro",
            "legge federale sul lavoro nell industria nell artigianato e nel commercio",
            "employment act",
            "labour act",
        ],
    },
    SwissAct {
        short: &["usg", "lpe", "lpamb", "epa"],
        names: &[
            "umweltschutzgesetz",
            "bundesgesetz uber den umweltschutz",
            "loi federale sur la protection de l environnement",
            "legge federale sulla protezione dell ambiente",
            "environmental protection act",
        ],
    },
    SwissAct {
        short: &["rpg", "lat", "lpt", "spa"],
        names: &[
            "raumplanungsgesetz",
            "bundesgesetz uber die raumplanung",
            "loi federale sur l amenagement du territoire",
            "loi sur l amenagement du territoire",
            "legge federale sulla pianificazione del territorio",
            "spatial planning act",
        ],
    },
    SwissAct {
        short: &["kvg", "lamal"],
        names: &[
            "krankenversicherungsgesetz",
            "bundesgesetz uber die krankenversicherung",
            "loi federale sur l assurance maladie",
            "legge federale sull assicurazione malattie",
            "health insurance act",
        ],
    },
    SwissAct {
        short: &["ahvg", "lavs"],
        names: &[
            "bundesgesetz uber die alters und hinterlassenenversicherung",
            "loi federale sur l assurance vieillesse et survivants",
            "legge federale sull assicurazione per la vecchiaia e per i superstiti",
        ],
    },
    SwissAct {
        short: &["ivg", "lai"],
        names: &[
            "bundesgesetz uber die invalidenversicherung",
            "loi federale sur l assurance invalidite",
            "legge federale sull assicurazione per l invalidita",
        ],
    },
    SwissAct {
        short: &["bgo", "ltrans", "ltras"],
        names: &[
            "offentlichkeitsgesetz",
            "bundesgesetz uber das offentlichkeitsprinzip der verwaltung",
            "loi federale sur le principe de la transparence dans l administration",
            "legge federale sul principio di trasparenza dell amministrazione",
            "freedom of information act",
        ],
    },
    SwissAct {
        short: &["svg", "lcr", "lcstr"],
        names: &[
            "strassenverkehrsgesetz",
            "loi federale sur la circulation routiere",
            "loi sur la circulation routiere",
            "legge federale sulla circolazione stradale",
            "road traffic act",
        ],
    },
    SwissAct {
        short: &["mwstg", "ltva", "liva"],
        names: &[
            "mehrwertsteuergesetz",
            "bundesgesetz uber die mehrwertsteuer",
            "loi federale regissant la taxe sur la valeur ajoutee",
            "legge federale concernente l imposta sul valore aggiunto",
            "vat act",
        ],
    },
    SwissAct {
        short: &["dbg", "lifd"],
        names: &[
            "bundesgesetz uber die direkte bundessteuer",
            "loi federale sur l impot federal direct",
            "legge federale sull imposta federale diretta",
        ],
    },
    SwissAct {
        short: &["aig", "lei", "lstri"],
        names: &[
            "auslander und integrationsgesetz",
            "bundesgesetz uber die auslanderinnen und auslander und uber die integration",
            "loi federale sur les etrangers et l integration",
            "legge federale sugli stranieri e la loro integrazione",
            "foreign nationals and integration act",
        ],
    },
    SwissAct {
        short: &["uwg", "lcd", "lcsl"],
        names: &[
            "bundesgesetz gegen den unlauteren wettbewerb",
            "loi federale contre la concurrence deloyale",
            "legge federale contro la concorrenza sleale",
            "unfair competition act",
        ],
    },
    SwissAct {
        short: &["bob", "lmp", "lapub"],
        names: &[
            "bundesgesetz uber das offentliche beschaffungswesen",
            "loi federale sur les marches publics",
            "legge federale sugli appalti pubblici",
        ],
    },
];

/// Words of a date in a title.
const DATED: [&str; 9] = ["vom", "du", "del", "dell", "da", "of", "dals", "dal", "1er"];
/// How the titles of ordinances begin.
const ORDINANCES: [&str; 5] = ["verordnung", "ordonnance", "ordinanza", "ordinaziun", "ordinance"];

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
        let named = Named::all("Wann gilt die Verordnung über das Datenschutzgesetz?");
        assert!(!named.iter().any(|act| matches!(act, Named::Union(_))), "{named:?}");
    }

    #[test]
    fn an_act_is_known_by_its_own_number_or_name_and_not_by_one_that_it_cites() {
        let named = Named::all("DSGVO")[0];
        let other = "Règlement (UE) 2018/1725 relatif à la protection (voir 2016/679)";
        assert!(!named.is(other, "") && !named.is("Kehrichtreglement", ""));
        assert!(named.is("Datenschutz-Grundverordnung, Textausgabe", ""));
    }

    #[test]
    fn swiss_acts_are_known_by_their_names_in_other_languages() {
        let french = "Loi fédérale du 25 septembre 2020 sur la protection des données (LPD)";
        let italian = "Costituzione federale della Confederazione Svizzera";
        for (question, title) in [
            ("Was sagt Art. 8 DSG?", french),
            ("Article 8 FADP", french),
            ("Art. 8 des Datenschutzgesetzes", french),
            ("Art. 8 des Bundesgesetzes über den Datenschutz", french),
            ("Art. 8 des Datenschutzgesetzes (DSG)", french),
            ("Art. 10 BV", italian),
            ("Art. 10 Cst.", italian),
            ("Article 10 of the Federal Constitution", italian),
        ] {
            let named = Named::all(question);
            assert!(named.iter().any(|act| act.is(title, "")), "{question}");
        }
        let ordinance = "Ordonnance du 31 août 2022 sur la protection des données (OPDo)";
        let relating = "Ordonnance relative à la loi fédérale sur la protection des données";
        for title in [ordinance, relating, italian, "Reglement über den Datenschutz"] {
            assert!(!Named::all("Art. 8 DSG")[0].is(title, ""), "{title}");
        }
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
