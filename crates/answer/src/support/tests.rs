use super::*;
use Language::{De, En, Fr, It, Rm};

/// Language, cited text, a faithful sentence, and altered ones.
type Case = (Language, &'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (
        Fr,
        "Le registre transmet chaque année à l’office, au plus tard le 31 mars de la deuxième \
         année, les données préparées. La commission siège au moins une fois par an et publie \
         ses décisions chaque mois.",
        &["Chaque année, le registre transmet à l’office les données préparées."],
        &[
            "Le registre transmet chaque mois à l’office, au plus tard le 31 mars de la deuxième \
             année, les données préparées.",
            "La commission siège au moins deux fois par an et publie ses décisions chaque mois.",
        ],
    ),
    (
        De,
        "Sofern nicht mit Dämpfen zu rechnen ist (z. B. bei kaltem Betrieb), kann auf den Einbau \
         von Abscheidern verzichtet werden. Auszuzahlende Beträge sind auf Euro abzurunden. Der \
         Ausstoss beträgt 149 g/km. Die Frist dauert zwölf Monate ab der Eröffnung.",
        &[
            "Auf den Einbau von Abscheidern kann verzichtet werden, sofern nicht mit Dämpfen zu \
             rechnen ist.",
            "Kurz gesagt: Auszuzahlende Beträge sind auf Euro abzurunden.",
        ],
        &[
            "Auf den Einbau von Abscheidern kann verzichtet werden.",
            "Auszuzahlende Beträge sind auf Dollar abzurunden.",
            "Der Ausstoss beträgt 149 g/m.",
            "Folgendes trifft nicht zu: Der Ausstoss beträgt 149 g/km.",
            "Die Frist dauert zwölf Wochen ab der Eröffnung.",
        ],
    ),
    (
        En,
        "The period starts on the day of receipt. Where the council has formed lots, bidders may \
         offer for several lots, unless the notice says otherwise.",
        &["The period starts on the day on which it is received."],
        &[
            "Bidders may offer for several lots, unless the notice says otherwise.",
            "The period starts on the ground floor wall behind curtains.",
        ],
    ),
    (
        En,
        "The library opens at 9 a.m. and closes at 6 p.m. from Monday to Friday. Fines are 50 \
         pence per day.",
        &["The library opens at 9 am from Monday to Friday."],
        &["The library opens at 9 p.m. from Monday to Friday.", "Fines are 50 pounds per day."],
    ),
    (
        En,
        "A licence is granted unless the applicant has been convicted within the last five years.",
        &["A licence is granted unless the applicant has been convicted in the last five years."],
        &["A licence is granted if the applicant has been convicted within the last five years."],
    ),
    (
        It,
        "La quota è di 1,5 franchi al chilogrammo. Le persone sopra i 65 anni pagano la metà. Il \
         municipio concede l’autorizzazione, a meno che si oppongano i vicini.",
        &["La quota è di franchi 1.50 al chilogrammo."],
        &[
            "La quota è di 1,5 franchi alla tonnellata.",
            "Le persone sotto i 65 anni pagano la metà.",
            "Le persone sopra i 65 anni pagano il doppio.",
            "Il municipio concede l’autorizzazione se si oppongono i vicini.",
        ],
    ),
    (
        Fr,
        "La taxe est de 2 ‰ de la valeur. Elle est due avant le 31 mars, sauf si le propriétaire a \
         obtenu un sursis. Le guichet ouvre le lundi à 8 h 30.",
        &["La taxe est de 2 pour mille de la valeur."],
        &[
            "Elle est due avant le 31 mars si le propriétaire a obtenu un sursis.",
            "Le guichet ferme le lundi à 8 h 30.",
        ],
    ),
    (
        De,
        "Die Rechnung ist innert 30 Tagen zu bezahlen. Der Beitrag wird im dritten Jahr um ein \
         Viertel gekürzt.",
        &["Die Rechnung ist innert dreissig Tagen zu bezahlen."],
        &[
            "Die Rechnung ist innert 30 Arbeitstagen zu bezahlen.",
            "Der Beitrag wird im dritten Jahr um ein Viertel erhöht.",
        ],
    ),
    (
        De,
        "Die Hundetaxe beträgt CHF 120 pro Jahr für den ersten Hund. Sie ist bis zum 31. März \
         2026 zu bezahlen.",
        &[
            "Die Hundetaxe beträgt CHF 120 pro Jahr für den ersten Hund.",
            "Für den ersten Hund beträgt die Taxe 120 Franken pro Jahr.",
            "Die Hundetaxe ist bis zum 31. März 2026 zu bezahlen.",
            "Die Hundetaxe ist bis zum 31.03.2026 zu bezahlen.",
        ],
        &[
            "Die Hundetaxe beträgt CHF 130 pro Jahr für den ersten Hund.",
            "Die Hundetaxe beträgt CHF 12 pro Jahr für den ersten Hund.",
            "Die Hundetaxe beträgt EUR 120.50 pro Jahr für den ersten Hund.",
            "Die Hundetaxe ist bis zum 31. Mai 2026 zu bezahlen.",
            "Die Hundetaxe ist bis zum 30. März 2026 zu bezahlen.",
            "Die Hundetaxe ist bis zum 31. März 2027 zu bezahlen.",
            "Die Hundetaxe ist nicht bis zum 31. März 2026 zu bezahlen.",
            "Die Hundetaxe beträgt keine CHF 120 pro Jahr für den ersten Hund.",
        ],
    ),
    (
        De,
        "Das Hinausstellen am Vorabend ist verboten. Die Säcke müssen am Abfuhrtag bis 07:00 Uhr \
         bereitstehen.",
        &[
            "Das Hinausstellen der Säcke am Vorabend ist verboten.",
            "Am Abfuhrtag müssen die Säcke bis 7.00 Uhr bereitstehen.",
        ],
        &[
            "Das Hinausstellen am Vorabend ist erlaubt.",
            "Das Hinausstellen am Vorabend ist nicht verboten.",
            "Die Säcke müssen am Abfuhrtag bis 08:00 Uhr bereitstehen.",
            "Die Säcke können am Abfuhrtag bis 07:00 Uhr bereitstehen.",
        ],
    ),
    (
        De,
        "Die Frist für die Beschwerde beträgt 30 Tage. Die Gemeindepräsidentin Seraina Caduff \
         unterschreibt den Entscheid.",
        &[
            "Die Frist für die Beschwerde beträgt dreissig Tage.",
            "Den Entscheid unterschreibt die Gemeindepräsidentin Seraina Caduff.",
        ],
        &[
            "Die Frist für die Beschwerde beträgt 20 Tage.",
            "Die Frist für die Beschwerde beträgt 30 Monate.",
            "Die Frist für die Beschwerde beträgt zehn Tage.",
            "Die Gemeindepräsidentin Ladina Bezzola unterschreibt den Entscheid.",
            "Die Gemeindepräsidentin Seraina Caduff unterschreibt den Entscheid nicht.",
        ],
    ),
    (
        De,
        "Der Beitrag beträgt mindestens 10 Prozent und höchstens 40 Prozent der Kosten. Der \
         Schalter ist am Dienstag \
         von 14:00 bis 18:00 Uhr geöffnet.",
        &["Der Schalter ist am Dienstag von 14:00 bis 18:00 Uhr geöffnet."],
        &[
            "Der Schalter ist am Mittwoch von 14:00 bis 18:00 Uhr geöffnet.",
            "Der Schalter ist am Dienstag von 14:00 bis 18:00 Uhr geschlossen.",
            "Der Beitrag beträgt mindestens 15 Prozent der Kosten.",
            "Der Beitrag beträgt CHF 10 der Kosten.",
            "Die Bibliothek verleiht Bücher und Spiele an alle Kinder.",
        ],
    ),
    (
        Fr,
        "La taxe de séjour s'élève à 3 francs par nuitée. Les enfants de moins de douze ans ne \
         paient pas la taxe.",
        &[
            "La taxe de séjour s'élève à trois francs par nuitée.",
            "Les enfants de moins de 12 ans ne paient pas la taxe.",
        ],
        &[
            "La taxe de séjour s'élève à 4 francs par nuitée.",
            "La taxe de séjour s'élève à 3 % par nuitée.",
            "Les enfants de moins de douze ans paient la taxe.",
            "Les enfants de plus de douze ans ne paient pas la taxe.",
            "Les enfants de moins de seize ans ne paient pas la taxe.",
            "La taxe de séjour s'élève à 3 francs par mois et par nuitée de Berne.",
        ],
    ),
    (
        Fr,
        "L'autorisation doit être demandée au plus tard le 15 mars 2026. Elle est interdite après \
         22 h 00. Le guichet \
         ouvre à 8h30 le lundi.",
        &[
            "L'autorisation doit être demandée au plus tard le 15.03.2026.",
            "Le lundi, le guichet ouvre à 08:30.",
        ],
        &[
            "L'autorisation peut être demandée au plus tard le 15 mars 2026.",
            "L'autorisation doit être demandée au plus tard le 15 avril 2026.",
            "L'autorisation ne doit pas être demandée au plus tard le 15 mars 2026.",
            "Le guichet ouvre à 9h30 le lundi.",
            "Le guichet ouvre à 8h30 le mardi.",
            "Le guichet n'ouvre jamais à 8h30 le lundi.",
        ],
    ),
    (
        It,
        "La tassa per il posteggio è di 50 franchi al mese. È vietato parcheggiare dopo le 22:00.",
        &[
            "Per il posteggio la tassa è di 50 franchi al mese.",
            "Dopo le 22:00 è vietato parcheggiare.",
        ],
        &[
            "La tassa per il posteggio è di 60 franchi al mese.",
            "La tassa per il posteggio è di 50 franchi alla settimana per 2 mesi.",
            "È permesso parcheggiare dopo le 22:00.",
            "Non è vietato parcheggiare dopo le 22:00.",
            "È vietato parcheggiare prima delle 22:00.",
            "È vietato parcheggiare dopo le 21:00.",
        ],
    ),
    (
        It,
        "La domanda deve essere presentata entro 30 giorni. Il municipio non rimborsa la \
         cauzione. La sindaca Elena \
         Bianchi decide entro giugno.",
        &[
            "La domanda deve essere presentata entro trenta giorni.",
            "Il municipio non rimborsa la cauzione.",
        ],
        &[
            "La domanda deve essere presentata entro 60 giorni.",
            "La domanda può essere presentata entro 30 giorni.",
            "La domanda deve essere presentata entro 30 mesi.",
            "Il municipio rimborsa la cauzione.",
            "La sindaca Elena Rossi decide entro giugno.",
            "La sindaca Elena Bianchi decide entro luglio.",
        ],
    ),
    (
        Rm,
        "La taxa munta a 40 francs per persuna. Igl è scumandà da parcar sin la plazza. L'uffizi \
         è avert il mardi.",
        &["La taxa munta a 40 francs per persuna.", "L'uffizi è avert il mardi."],
        &[
            "La taxa munta a 45 francs per persuna.",
            "La taxa na munta betg a 40 francs per persuna.",
            "Igl è lubì da parcar sin la plazza.",
            "L'uffizi è avert la mesemna.",
            "L'uffizi è serrà il mardi.",
        ],
    ),
    (
        En,
        "A permit is required for fires above 1,000 m. Dogs must be kept on a lead before 1 July \
         2026. Children under \
         12 travel free of charge.",
        &[
            "Dogs must be kept on a lead before 1 July 2026.",
            "Children under twelve travel free of charge.",
            "Before 1 July 2026, dogs must be kept on a lead.",
        ],
        &[
            "Dogs may be kept on a lead before 1 July 2026.",
            "Dogs must not be kept on a lead before 1 July 2026.",
            "Dogs must be kept on a lead after 1 July 2026.",
            "Dogs must be kept on a lead before 1 June 2026.",
            "Children under 16 travel free of charge.",
            "Children under 12 never travel free of charge.",
            "Children under 12 travel to Geneva free of charge.",
        ],
    ),
    (
        En,
        "The fee is CHF 25 per hour. The pool is closed on Mondays. Payment is due within 30 days \
         of the invoice.",
        &[
            "The fee is 25 francs per hour.",
            "On Mondays the pool is closed.",
            "Payment is due within thirty days of the invoice.",
        ],
        &[
            "The fee is CHF 52 per hour.",
            "The pool is open on Mondays.",
            "The pool is closed on Tuesdays.",
            "The pool is not closed on Mondays.",
            "Payment is due within 30 weeks of the invoice.",
            "Payment is due within 10 days of the invoice.",
        ],
    ),
    (
        De,
        "Service: Hundemarke; Gebühr: CHF 52; Frist: 11 Tage\nService: Parkkarte; Gebühr: CHF 83; \
         Frist: 24 Tage",
        &["Die Gebühr für die Parkkarte beträgt CHF 83.", "Die Frist für Parkkarte ist 24 Tage."],
        &["Die Gebühr für die Parkkarte beträgt CHF 52.", "Die Frist für Parkkarte ist 11 Tage."],
    ),
    (
        En,
        "The fee must be paid if the permit is granted. The fund holds 50 million francs. It may \
         be used for bridges.",
        &[
            "The fund holds CHF 50,000,000.",
            "The fee must be paid if the permit is granted; the fund holds 50 million francs.",
        ],
        &[
            "The fee should be paid if the permit is granted.",
            "The fee must be paid even if the permit is granted.",
            "The fund holds 50 billion francs.",
            "The fund holds 50 million centimes.",
            "The following is not true: the fee must be paid if the permit is granted.",
            "The fee must be paid if the permit is granted; the fund holds 60 million francs.",
        ],
    ),
    (
        Fr,
        "Le canton peut accorder une prolongation d’un an. Les chiens doivent être tenus en \
         laisse.",
        &["Le canton peut accorder une prolongation d'un an."],
        &[
            "Le canton ne peut accorder une prolongation que d’un an.",
            "Le canton peut accorder une prolongation de plusieurs années.",
            "Les chiens devraient être tenus en laisse.",
        ],
    ),
];

#[test]
fn faithful_sentences_are_supported() {
    for (language, cited, faithful, _) in CASES {
        for sentence in *faithful {
            let support = check(sentence, cited, *language);
            assert_eq!(support.verdict, Verdict::Supported, "{sentence}: {:?}", support.because);
            assert!(support.score > 0.5);
        }
    }
}

#[test]
fn altered_sentences_are_not_supported() {
    let mut pairs = 0;
    for (language, cited, _, altered) in CASES {
        for sentence in *altered {
            let support = check(sentence, cited, *language);
            assert_ne!(support.verdict, Verdict::Supported, "{sentence} of {cited}");
            assert!(!support.because.is_empty(), "{sentence}");
            pairs += 1;
        }
    }
    assert!(pairs >= 60, "only {pairs} altered pairs");
}

#[test]
fn an_altered_number_or_negation_about_the_same_thing_contradicts() {
    let cited = "Die Grundgebühr beträgt CHF 84 für jede Wohnung.";
    for sentence in [
        "Die Grundgebühr beträgt CHF 48 für jede Wohnung.",
        "Die Grundgebühr beträgt nicht CHF 84 für jede Wohnung.",
    ] {
        assert_eq!(check(sentence, cited, De).verdict, Verdict::Contradicted, "{sentence}");
    }
    let elsewhere = "Der Hund kostet CHF 48 im Jahr.";
    assert_eq!(check(elsewhere, cited, De).verdict, Verdict::Unsupported);
}

#[test]
fn a_whole_sentence_word_for_word_is_supported_but_a_part_is_checked() {
    let cited = "Rauchen ist nicht gestattet. Essen ist gestattet.";
    assert_eq!(check("Essen ist gestattet.", cited, De).score, 1.0);
    assert_ne!(check("Rauchen ist gestattet.", cited, De).verdict, Verdict::Supported);
}

#[test]
fn nothing_supports_the_empty_sentence_and_nothing_is_supported_by_nothing() {
    assert_eq!(check("", "Ein Satz.", De).verdict, Verdict::Unsupported);
    assert_eq!(check("Ein guter Satz.", "", De).verdict, Verdict::Unsupported);
}
