//! Languages, and telling them apart.

use serde::{Deserialize, Serialize};

use crate::profile;

/// A language that documents are written in.
#[derive(
    Default, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Language {
    /// German.
    #[serde(rename = "de")]
    De,
    /// French.
    #[serde(rename = "fr")]
    Fr,
    /// Italian.
    #[serde(rename = "it")]
    It,
    /// Romansh.
    #[serde(rename = "rm")]
    Rm,
    /// English.
    #[serde(rename = "en")]
    En,
    /// Any other, or not known.
    #[serde(rename = "und")]
    #[default]
    Other,
}

impl Language {
    /// The five languages that are told apart.
    pub const ALL: [Language; 5] =
        [Language::De, Language::Fr, Language::It, Language::Rm, Language::En];

    /// The language `text` is written in, good for one question as for a whole act;
    /// [`Language::Other`] if there is too little evidence.
    ///
    /// Function words of the five languages decide; only without any of them is `whatlang` asked,
    /// which does not know Romansh.
    pub fn detect(text: &str) -> Language {
        let scores = profile::scores(text);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(scores[*index]));
        let (best, second) = (order[0], order[1]);
        if scores[best] >= 2 && scores[best] > scores[second] {
            return Language::ALL[best];
        }
        let guess = whatlang::detect(profile::sample(text));
        let known = guess.as_ref().and_then(|info| match info.lang() {
            whatlang::Lang::Deu => Some(Language::De),
            whatlang::Lang::Fra => Some(Language::Fr),
            whatlang::Lang::Ita => Some(Language::It),
            whatlang::Lang::Eng => Some(Language::En),
            _ => None,
        });
        let is_sure = guess.is_some_and(|info| info.is_reliable());
        match known {
            // A tie is decided by it, if it is for one of the two.
            Some(language) if scores[best] > 0 => {
                let tied = |index: &usize| {
                    Language::ALL[*index] == language && scores[*index] == scores[best]
                };
                order
                    .iter()
                    .find(|index| tied(index))
                    .map_or(Language::ALL[best], |at| Language::ALL[*at])
            }
            Some(language) if is_sure => language,
            _ if scores[best] > scores[second] => Language::ALL[best],
            _ => Language::Other,
        }
    }

    /// The two-letter code, "und" for [`Language::Other`].
    pub fn code(self) -> &'static str {
        match self {
            Language::De => "de",
            Language::Fr => "fr",
            Language::It => "it",
            Language::Rm => "rm",
            Language::En => "en",
            Language::Other => "und",
        }
    }

    /// The language of a code: "de", "DE", "de-CH"; `None` if it is not one.
    pub fn from_code(code: &str) -> Option<Language> {
        let primary = code.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "de" | "deu" | "ger" => Some(Language::De),
            "fr" | "fra" | "fre" => Some(Language::Fr),
            "it" | "ita" => Some(Language::It),
            "rm" | "roh" => Some(Language::Rm),
            "en" | "eng" => Some(Language::En),
            "und" => Some(Language::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &[&str] = &[
        "Wann ist das Gemeindehaus offen?",
        "Was kostet ein Abfallsack?",
        "Wie hoch ist die Hundesteuer?",
        "Wo melde ich meinen Umzug?",
        "Darf ich am Sonntag Rasen mähen?",
        "Welche Unterlagen braucht es für eine Baubewilligung?",
        "Gebühr Wohnsitzbestätigung",
        "Wer leert die Kehrichtcontainer?",
        "Muss mein Kind geimpft sein?",
        "Kann ich die Mehrzweckhalle mieten?",
        "Bis wann muss ich die Steuererklärung einreichen?",
        "Wie lange ist die Ruhefrist eines Grabes?",
        "Ist das Parkieren gratis?",
        "Öffnungszeiten der Bibliothek",
        "Wie viele Ferientage haben Angestellte?",
        "Wer ist Gemeindepräsidentin?",
        "Gibt es einen Fahrdienst für Betagte?",
        "An wen wende ich mich bei Wasserschaden?",
        "Sperrgut Abholung Termin",
        "Wieviel Lohn bekommt der Werkhofleiter?",
        "Hund anmelden",
    ];
    const FRENCH: &[&str] = &[
        "Quand la déchetterie est-elle ouverte ?",
        "Combien coûte la location de la salle ?",
        "Où puis-je déposer mes gravats ?",
        "Qui préside la commune ?",
        "Faut-il une autorisation pour un feu d'artifice ?",
        "Quel est le prix d'un sac de 35 litres ?",
        "Comment inscrire mon enfant à l'école ?",
        "Horaires de la bibliothèque",
        "Puis-je camper au bord du lac ?",
        "Quels documents faut-il pour la naturalisation ?",
        "Y a-t-il un bus scolaire ?",
        "À qui s'adresser pour une subvention ?",
        "Est-ce que les chiens sont admis ?",
        "Taxe de séjour par nuit",
        "Combien de livres peut-on emprunter ?",
        "Délai de recours contre une décision",
        "Jusqu'à quand dois-je payer l'impôt ?",
        "Les entreprises sont-elles admises ?",
        "Tarif camping adultes",
        "Que se passe-t-il en cas de retard ?",
        "Quelle amende pour un chien sans laisse ?",
    ];
    const ITALIAN: &[&str] = &[
        "Quando è aperta la piscina?",
        "Quanto costa un biglietto per adulti?",
        "Dove posso parcheggiare?",
        "Chi è il sindaco del comune?",
        "Come si richiede un permesso per una manifestazione?",
        "Qual è la tassa di soggiorno?",
        "Serve un'autorizzazione per accendere fuochi?",
        "Orari della biblioteca",
        "Posso portare il cane al mercato?",
        "Quali documenti servono per aprire un'impresa?",
        "A chi mi rivolgo per i pasti a domicilio?",
        "Entro quando devo pagare la fattura?",
        "Ci sono sconti per anziani?",
        "Tariffa posteggio mercato",
        "È vietato il rumore di notte?",
        "Quante ore di assistenza sono previste?",
        "Che multa rischio senza permesso?",
        "La sauna è aperta anche la domenica?",
        "Come disdico il telesoccorso?",
        "Quanti giorni prima bisogna annunciarsi?",
        "Numero di telefono della polizia",
    ];
    const ROMANSH: &[&str] = &[
        "Cura è la chasa communala averta?",
        "Quant custa il satg da rument?",
        "Nua poss jau annunziar mes chaun?",
        "Tgi è la presidenta communala?",
        "Co vegn ins burgais da la vischnanca?",
        "Quants cudeschs pon ins emprestar?",
        "Tge documents dovra per il permiss?",
        "Uras d'avertura da la biblioteca",
        "Datti in bus da scola?",
        "Stoss jau pajar ina taxa?",
        "Cura cumenzan las vacanzas da stad?",
        "È il museum avert la dumengia?",
        "Quant daut è il dretg da pastgira?",
        "Tgi po ir ad alp cun ses muvel?",
        "Quant custa la scola da musica per uffants?",
        "Pon ils chauns ir sin la plazza da gieu?",
        "Fin cura sto la glisch esser stizzada?",
        "Dumonda da dispensa per la scola",
        "Tgeninas taxas vegnan incassadas?",
        "Nua è il center da reciclagi?",
        "Co ma poss jau s'annunziar en vischnanca?",
    ];
    const ENGLISH: &[&str] = &[
        "When is the town hall open?",
        "How much does a waste bag cost?",
        "Where can I register my dog?",
        "Who is the mayor?",
        "Do I need a permit for a party?",
        "What documents do I need?",
        "Opening hours of the library",
        "Is parking free on Sundays?",
        "How do I sign up my child for school?",
        "Which day is the bulky waste collected?",
        "Can I pay by card?",
        "How long is a grave kept?",
        "Are dogs allowed at the market?",
        "Fee for a residence certificate",
        "What happens if I pay late?",
        "Does the bus run at night?",
        "Who do I call about a water leak?",
        "How many books may I borrow?",
        "Tell me about the swimming pool prices",
        "Is there a school bus?",
        "Deadline for appeals",
    ];

    #[test]
    fn one_question_is_enough() {
        let all = [GERMAN, FRENCH, ITALIAN, ROMANSH, ENGLISH];
        let mut wrong = Vec::new();
        for (language, questions) in Language::ALL.iter().zip(all) {
            for question in questions {
                let found = Language::detect(question);
                if found != *language {
                    wrong.push(format!("{} for {}: {question}", found.code(), language.code()));
                }
            }
        }
        assert!(wrong.len() <= 5, "of 105 wrong: {wrong:#?}");
    }

    #[test]
    fn nothing_is_no_language() {
        assert_eq!(Language::detect(""), Language::Other);
        assert_eq!(Language::detect("12345 --"), Language::Other);
        assert_eq!(Language::detect("Это не один из пяти языков."), Language::Other);
    }

    #[test]
    fn codes() {
        for language in Language::ALL {
            assert_eq!(Language::from_code(language.code()), Some(language));
        }
        assert_eq!(Language::from_code("de-CH"), Some(Language::De));
        assert_eq!(Language::from_code("german"), None);
        assert_eq!(serde_json::to_string(&Language::Other).unwrap(), "\"und\"");
    }
}
