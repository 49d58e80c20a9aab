//! Why the policy decided as it did, in the language of the question. The receipt keeps the
//! policy's own words; these are for the person who asked.

use allod_corpus::Language;
use allod_policy::{Decision, Fired};

/// The reason of the rule that decided: the first one that fired.
pub(crate) fn deciding(decision: &Decision, language: Language) -> String {
    decision.rules.first().map_or_else(String::new, |rule| told(rule, language))
}

/// A rule's reason. Rules that a policy adds of its own speak its author's language.
fn told(rule: &Fired, language: Language) -> String {
    let row = REASONS.iter().find(|row| row.0 == rule.id);
    let column = match language {
        Language::De => 0,
        Language::Fr => 1,
        Language::It => 2,
        Language::Rm => 3,
        Language::En | Language::Other => return rule.because.clone(),
    };
    row.map_or_else(|| rule.because.clone(), |row| row.1[column].to_owned())
}

/// Rule, and its reason in German, French, Italian and Romansh.
const REASONS: [(&str, [&str; 4]); 11] = [
    (
        "work.affects_person",
        [
            "was an eine Person geht oder über sie entscheidet, sieht erst jemand an",
            "ce qui s'adresse à une personne ou décide d'elle est d'abord examiné par quelqu'un",
            "ciò che va a una persona o decide di lei è prima esaminato da qualcuno",
            "quai che va ad ina persuna u decida dad ella vegn l'emprim examinà d'insatgi",
        ],
    ),
    (
        "work.handed_over",
        [
            "die zuständige Stelle übernimmt",
            "le service compétent prend le relais",
            "se ne occupa l'ufficio competente",
            "il post cumpetent surpiglia",
        ],
    ),
    (
        "work.no_office",
        [
            "keine Stelle ist sicher genug die zuständige",
            "aucun service n'est assez sûrement le bon",
            "nessun ufficio è con sufficiente certezza quello giusto",
            "nagin post n'è segir avunda il cumpetent",
        ],
    ),
    (
        "answers.max_error",
        [
            "die Antwort wäre nicht so sicher, wie es die Richtlinie verlangt",
            "la réponse ne serait pas aussi sûre que la politique l'exige",
            "la risposta non sarebbe così sicura come la direttiva richiede",
            "la resposta na fiss betg uschè segira sco quai che la directiva pretenda",
        ],
    ),
    (
        "routing.user_request",
        [
            "Sie möchten mit einer Person sprechen",
            "vous souhaitez parler à une personne",
            "Lei desidera parlare con una persona",
            "Vus giavischais da discurrer cun ina persuna",
        ],
    ),
    (
        "routing.complex_reasoning",
        [
            "die Frage verlangt ein Abwägen mehrerer Regeln oder Fälle",
            "la question demande de combiner plusieurs règles ou cas",
            "la domanda richiede di combinare più regole o casi",
            "la dumonda pretenda da cumbinar pliras reglas u plirs cas",
        ],
    ),
    (
        "routing.regulated_decision",
        [
            "die Frage verlangt einen Entscheid über den Fall einer Person",
            "la question demande une décision sur le cas d'une personne",
            "la domanda chiede una decisione sul caso di una persona",
            "la dumonda pretenda ina decisiun davart il cas d'ina persuna",
        ],
    ),
    (
        "human_review.adverse_request",
        [
            "die Anfrage richtet sich gegen eine Person; darüber entscheidet ein Mensch",
            "la demande vise une personne ; un être humain en décide",
            "la richiesta è rivolta contro una persona; decide un essere umano",
            "la dumonda sa drizza cunter ina persuna; i decida in uman",
        ],
    ),
    (
        "human_review.adverse_answer",
        [
            "die Antwort richtet sich gegen eine Person; darüber entscheidet ein Mensch",
            "la réponse vise une personne ; un être humain en décide",
            "la risposta è rivolta contro una persona; decide un essere umano",
            "la resposta sa drizza cunter ina persuna; i decida in uman",
        ],
    ),
    (
        "human_review.all",
        [
            "jede Antwort wird von einer Person geprüft",
            "toute réponse est vérifiée par une personne",
            "ogni risposta è verificata da una persona",
            "mintga resposta vegn controllada d'ina persuna",
        ],
    ),
    (
        "retrieval.low_confidence",
        [
            "die Dokumente beantworten die Frage nicht sicher genug",
            "les documents ne répondent pas assez sûrement à la question",
            "i documenti non rispondono con sufficiente sicurezza alla domanda",
            "ils documents na respundan betg segir avunda a la dumonda",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use allod_policy::{Policy, decide, observe};

    use super::*;

    #[test]
    fn a_reason_is_told_in_the_language_of_the_question() {
        let policy = Policy::built_in();
        let question = "Bitte verbinden Sie mich mit einem Mitarbeiter.";
        let request = observe(&policy, question, "de");
        let facts = allod_policy::Facts { request, ..allod_policy::Facts::default() };
        let decision = decide(&policy, &facts);
        assert_eq!(deciding(&decision, Language::De), "Sie möchten mit einer Person sprechen");
        assert_eq!(deciding(&decision, Language::En), decision.rules[0].because);
    }

    #[test]
    fn a_policys_own_rule_keeps_its_words() {
        let rule = Fired { id: "rules.own".into(), because: "so steht es hier".into() };
        assert_eq!(told(&rule, Language::Fr), "so steht es hier");
    }
}
