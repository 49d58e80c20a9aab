//! Sources that do not agree are said not to; what a quote refers to comes along; quotes of PDF
//! files know their page.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use allod_answer::{Ask, Caller, Desk, DeskOptions, Mode, Outcome, Reply};
use allod_policy::Facts;
use allod_retrieval::{Beside, Clearance, IngestOptions, Silent};

const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 21);

/// A desk over these files, each with its path and text.
fn desk(folder: &Path, files: &[(&str, String)]) -> Desk {
    let documents = folder.join("documents");
    for (path, text) in files {
        let place = documents.join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
    let policy = "retrieval: {minimum_confidence: 0.01}\n";
    std::fs::write(folder.join("allod.yaml"), policy).unwrap();
    let desk = Desk::open(folder, &DeskOptions::default()).unwrap();
    desk.library().ingest(&[documents], &IngestOptions::default(), &Silent).unwrap();
    desk
}

fn ask(desk: &Desk, question: &str, labels: &[&str]) -> Reply {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    let caller = Caller::operator(Clearance { labels });
    let ask = Ask { question: question.into(), caller, on: Some(TODAY), language: None };
    desk.ask(&ask).unwrap()
}

/// A document of one article.
fn document(language: &str, title: &str, heading: &str, more: &str, text: &str) -> String {
    format!("---\nlanguage: {language}\n{more}---\n\n# {title}\n\n## {heading}\n\n{text}\n")
}

/// Title, heading and text of a document.
type Source = (&'static str, &'static str, &'static str);

/// Language, question, what is said of the dispute, the sources, and what they differ in.
type Dispute = (&'static str, &'static str, &'static str, [Source; 2], &'static str);

/// Two documents that answer a question differently, in each language.
const DISPUTES: [Dispute; 5] = [
    (
        "de",
        "Was kostet die Hundetaxe?",
        "stimmen hier nicht überein",
        [
            ("Hundereglement", "Art. 4 Hundetaxe", "Die Hundetaxe beträgt CHF 120 im Jahr."),
            ("Merkblatt Hunde", "Hundetaxe", "Die Hundetaxe beträgt CHF 150 im Jahr."),
        ],
        "figure",
    ),
    (
        "fr",
        "Combien coûte la taxe sur les chiens ?",
        "ne concordent pas",
        [
            (
                "Règlement sur les chiens",
                "Art. 4 Taxe",
                "La taxe sur les chiens est de 120 francs par an.",
            ),
            ("Aide-mémoire des chiens", "Taxe", "La taxe sur les chiens est de 150 francs par an."),
        ],
        "figure",
    ),
    (
        "it",
        "Quanto costa la tassa sui cani?",
        "non concordano",
        [
            ("Regolamento sui cani", "Art. 4 Tassa", "La tassa sui cani è di 120 franchi l'anno."),
            ("Promemoria cani", "Tassa", "La tassa sui cani è di 150 franchi l'anno."),
        ],
        "figure",
    ),
    (
        "rm",
        "Quant custa la taxa da chauns?",
        "na concordan qua betg",
        [
            ("Reglament da chauns", "Art. 4 Taxa", "La taxa da chauns munta a 120 francs."),
            ("Infurmaziun da chauns", "Taxa", "La taxa da chauns munta a 150 francs."),
        ],
        "figure",
    ),
    (
        "en",
        "Are dogs allowed in the park?",
        "do not agree here",
        [
            ("Dog rules", "Article 4 Park", "Dogs are allowed in the park."),
            ("Park leaflet", "Dogs", "Dogs are not allowed in the park."),
        ],
        "duty",
    ),
];

#[test]
fn two_sources_that_answer_differently_are_both_shown_in_five_languages() {
    for (language, question, notice, sources, about) in DISPUTES {
        let files: Vec<(String, String)> = (1..)
            .zip(sources)
            .map(|(number, (title, heading, text))| {
                (format!("{number}.md"), document(language, title, heading, "", text))
            })
            .collect();
        let files: Vec<(&str, String)> =
            files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path(), &files);
        let reply = ask(&desk, question, &[]);
        assert_eq!((reply.outcome, reply.mode), (Outcome::Answered, Mode::Quote), "{reply:?}");
        assert!(reply.answer.contains(notice), "{}", reply.answer);
        for (_, _, text) in sources {
            assert!(reply.answer.contains(text), "{}", reply.answer);
        }
        let said = |number: u32| reply.citations[number as usize - 1].path.clone();
        assert_eq!(reply.disputes.len(), 1, "{reply:?}");
        let dispute = &reply.disputes[0];
        assert_ne!(said(dispute.citation), said(dispute.other));
        assert_eq!(dispute.about, about);
        let receipt = desk.ledger().read(reply.receipt.index).unwrap();
        let facts: Facts = serde_json::from_value(receipt.facts).unwrap();
        assert_eq!(facts.answer.unwrap().disputes, reply.disputes);
        assert_eq!(receipt.citations.len(), reply.citations.len());
    }
}

#[test]
fn a_source_that_is_not_in_force_or_may_not_be_read_disputes_nothing() {
    let (question, text) = ("Was kostet die Hundetaxe?", "Die Hundetaxe beträgt CHF");
    let one = || {
        let more = "valid_from: 2024-01-01\n";
        document("de", "Hundereglement", "Art. 4 Hundetaxe", more, &format!("{text} 120."))
    };
    let other = |title: &str, more: &str| {
        document("de", title, "Art. 4 Hundetaxe", more, &format!("{text} 150."))
    };
    let cases = [
        // It ended; it has not begun; an older state of the same document; nobody's to read.
        other("Merkblatt", "valid_until: 2025-12-31\n"),
        other("Merkblatt", "valid_from: 2027-01-01\n"),
        other("Hundereglement", "valid_from: 2019-01-01\n"),
        other("Merkblatt", "label: confidential\n"),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path(), &[("1.md", one()), ("2.md", case)]);
        let reply = ask(&desk, question, &[]);
        assert!(reply.disputes.is_empty(), "{number}: {reply:?}");
        assert!(reply.answer.contains("CHF 120"), "{number}: {}", reply.answer);
        if number == 3 {
            let reply = ask(&desk, question, &["confidential"]);
            assert_eq!(reply.disputes.len(), 1, "{reply:?}");
        }
    }
}

const ACT: &str = "## Art. 2 Begriffe\n\n- Halter: wer einen Hund dauernd bei sich hat;\n- \
    Welpe: ein Hund von weniger als sechs Monaten.\n\n## Art. 7 Meldung\n\n1 Wer einen Hund \
    anschafft, meldet dies der Gemeinde innert zehn Tagen mit dem Formular der Gemeinde, das am \
    Schalter aufliegt und im Netz steht.\n\n2 Der Halter bezahlt für jede verspätete Meldung nach \
    Absatz 1 eine Busse von CHF 80.\n\n3 Nach Artikel 9 Absatz 4 bleibt der Erlass \
    vorbehalten.\n\n## Art. 9 Erlass\n\n4 Der Gemeinderat kann Bussen erlassen.\n";

fn act(more: &str) -> String {
    format!("---\nlanguage: de\n{more}---\n\n# Hundereglement\n\n{ACT}")
}

#[test]
fn what_a_quote_refers_to_and_what_defines_its_words_comes_along() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), &[("act.md", act(""))]);
    let reply = ask(&desk, "Wie hoch ist die Busse für eine verspätete Meldung?", &[]);
    assert!(reply.answer.contains("CHF 80"), "{}", reply.answer);
    let beside: Vec<(Beside, &str)> =
        reply.beside.iter().map(|one| (one.why, one.passage.quote.as_str())).collect();
    let whys: Vec<Beside> = beside.iter().map(|(why, _)| *why).collect();
    // The article is one passage where it is short: then the paragraph is in it already.
    let own = reply.citations[0].passage;
    let text = desk.store().version(&reply.citations[0].digest, None).unwrap().unwrap().text;
    let holds_both = text[own.0..own.1].contains("innert zehn Tagen");
    assert!(holds_both || whys.contains(&Beside::Referred), "{beside:?}");
    assert!(whys.contains(&Beside::Defines), "{beside:?} {}", reply.answer);
    assert!(beside.len() <= 2 && !beside.iter().any(|(_, text)| text.contains("erlassen")));
    let receipt = desk.ledger().read(reply.receipt.index).unwrap();
    for one in &reply.beside {
        let place = (one.passage.start as u64, one.passage.end as u64);
        assert!(receipt.evidence.iter().any(|e| (e.start, e.end) == place), "{receipt:?}");
    }
}

/// Language, title, question, text of the sum, words of the paragraph that is referred to, words of
/// what must not come along, and the act.
const ACTS: [[&str; 7]; 4] = [
    [
        "fr",
        "Règlement sur les chiens",
        "À combien s’élève l’amende pour une annonce tardive ?",
        "80 francs",
        "dans les dix jours",
        "remettre",
        "## Art. 2 Définitions\n\n- Détenteur : celui qui garde durablement un chien ;\n- Chiot \
         : un \
         chien de moins de six mois.\n\n## Art. 7 Annonce\n\n1 Celui qui acquiert un chien \
         l’annonce à \
         la commune dans les dix jours au moyen du formulaire de la commune, disponible au guichet \
         et en ligne.\n\n2 Le détenteur paie une amende de 80 francs pour toute annonce tardive au \
         sens de l’alinéa 1.\n\n3 L’art. 9, al. 4, est réservé.\n\n## Art. 9 Remise\n\n4 La \
         commune \
         peut remettre les amendes.\n",
    ],
    [
        "it",
        "Regolamento sui cani",
        "A quanto ammonta la multa per una notifica tardiva?",
        "80 franchi",
        "entro dieci giorni",
        "condonare",
        "## Art. 2 Definizioni\n\n- Detentore: chi tiene stabilmente un cane;\n- Cucciolo: un \
         cane di \
         meno di sei mesi.\n\n## Art. 7 Notifica\n\n1 Chi acquista un cane lo notifica al Comune \
         entro \
         dieci giorni con il modulo del Comune, disponibile allo sportello e in rete.\n\n2 Il \
         detentore paga una multa di 80 franchi per ogni notifica tardiva secondo il capoverso \
         1.\n\n3 È fatto salvo l’articolo 9 capoverso 4.\n\n## Art. 9 Condono\n\n4 Il Comune può \
         condonare le multe.\n",
    ],
    [
        "rm",
        "Reglament da chauns",
        "Quant auta è la multa per in’annunzia tardiva?",
        "80 francs",
        "entaifer diesch dis",
        "relaschar",
        "## Art. 2 Definiziuns\n\n- Possessur: tgi che tegna permanentamain in chaun;\n- Giuven: \
         in \
         chaun da main che sis mais.\n\n## Art. 7 Annunzia\n\n1 Tgi che cumpra in chaun annunzia \
         quai \
         a la vischnanca entaifer diesch dis cun il formular da la vischnanca, che stat a \
         disposiziun \
         al fanestrigl ed en la rait.\n\n2 Il possessur paja ina multa da 80 francs per mintga \
         annunzia tardiva tenor alinea 1.\n\n3 L’artitgel 9 alinea 4 resta resalvà.\n\n## Art. 9 \
         Relasch\n\n4 La vischnanca po relaschar multas.\n",
    ],
    [
        "en",
        "Dog regulation",
        "How high is the fine for a late notice?",
        "80 francs",
        "within ten days",
        "waive",
        "## Art. 2 Definitions\n\n- Keeper: a person who keeps a dog for good;\n- Puppy: a dog \
         of less \
         than six months.\n\n## Art. 7 Notice\n\n1 A person who buys a dog gives notice to the \
         municipality within ten days on the form of the municipality, which lies at the desk and \
         online.\n\n2 The keeper pays a fine of 80 francs for each late notice under paragraph \
         1.\n\n3 Article 9 paragraph 4 is reserved.\n\n## Art. 9 Waiver\n\n4 The municipality may \
         waive fines.\n",
    ],
];

#[test]
fn what_is_needed_beside_a_quote_comes_along_in_every_language() {
    for [language, title, question, sum, referred, other, act] in ACTS {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("---\nlanguage: {language}\n---\n\n# {title}\n\n{act}");
        let desk = desk(folder.path(), &[("act.md", text)]);
        let reply = ask(&desk, question, &[]);
        assert!(reply.answer.contains(sum), "{language} {}", reply.answer);
        let own = reply.citations[0].passage;
        let text = desk.store().version(&reply.citations[0].digest, None).unwrap().unwrap().text;
        let holds = |why: Beside, words: &str| {
            reply.beside.iter().any(|one| one.why == why && one.passage.quote.contains(words))
        };
        let has_first = text[own.0..own.1].contains(referred);
        assert!(has_first || holds(Beside::Referred, referred), "{language} {:?}", reply.beside);
        let defines = reply.beside.iter().any(|one| one.why == Beside::Defines);
        assert!(defines, "{language} {:?}", reply.beside);
        let brought = reply.beside.iter().map(|one| one.passage.quote.as_str());
        assert!(reply.beside.len() <= 2 && !brought.into_iter().any(|text| text.contains(other)));
    }
}

#[test]
fn quotes_of_a_pdf_file_say_their_page() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/documents/services");
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), &[("other.md", "# Anderes\n\nNichts davon.\n".into())]);
    let pdf = samples.join("merkblatt-winterdienst.pdf");
    desk.library().ingest(&[pdf], &IngestOptions::default(), &Silent).unwrap();
    let reply = ask(&desk, "Wer räumt die Trottoirs und die Gemeindestrassen?", &[]);
    assert_eq!(reply.outcome, Outcome::Answered, "{reply:?}");
    let citation = &reply.citations[0];
    assert_eq!(citation.page, Some(1), "{citation:?}");
    assert!(!citation.rects.is_empty());
    for place in &citation.rects {
        let rect = place.rect;
        assert!(place.page == 1 && rect.x0 < rect.x1 && rect.y0 < rect.y1, "{place:?}");
    }
}
