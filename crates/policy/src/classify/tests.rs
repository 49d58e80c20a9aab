//! Tables of questions in five languages.

use super::*;
use crate::decide::{Outcome, decide};
use crate::facts::Facts;

fn ask(question: &str) -> RequestFacts {
    classify(question, "und")
}

fn all(questions: &[&str], shows: impl Fn(&RequestFacts) -> bool) {
    let wrong = questions.iter().filter(|question| !shows(&ask(question)));
    let wrong: Vec<_> = wrong.map(|question| (question, ask(question))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn complex_reasoning() {
    let questions = [
        "Vergleichen Sie die Gebühren der Kita mit denen der Tagesfamilien.",
        "Was ist der Unterschied zwischen der Bewilligung B und der Bewilligung C?",
        "Angenommen, ich ziehe im März weg: Welche Steuern schulde ich dann noch?",
        "Berechnen Sie, was ich für zwei Kinder und drei Tage Kita bezahle.",
        "Wenn ich zwei Hunde habe und wenn der eine ein Blindenhund ist, was zahle ich?",
        "Comparez le tarif des résidents avec celui des visiteurs.",
        "Quels sont les avantages et les inconvénients de la naturalisation ?",
        "Supposons que je déménage en mai, que dois-je payer ?",
        "Calculez le montant que je dois pour trois enfants.",
        "Confronti la tassa per gli hotel con quella per gli appartamenti.",
        "Supponiamo che io affitti la casa per due mesi: quanto pago?",
        "Quali sono i vantaggi e gli svantaggi del forfait?",
        "Cumparegliai la taxa da l'alp cun la taxa da pastgira.",
        "Supponin che jau hai trais vatgas: quant stoss jau pajar?",
        "Compare the e-bike pass with the single ticket.",
        "What is the difference between a residence permit and a settlement permit?",
        "Suppose I move in March and my partner in June: who pays what?",
        "Can you work out how much we owe for the allotment and the deposit?",
        "Who pays? Who decides? And who can appeal?",
    ];
    all(&questions, |facts| !facts.complex_reasoning.is_empty());
}

#[test]
fn regulated_decisions() {
    let questions = [
        "Habe ich Anspruch auf Sozialhilfe?",
        "Wird mein Gesuch bewilligt?",
        "Werden unsere Einsprachen gutgeheissen?",
        "Steht mir eine Prämienverbilligung zu?",
        "Erfülle ich die Voraussetzungen für die Einbürgerung?",
        "Bitte entscheiden Sie, ob Frau Meier eine Bewilligung erhält.",
        "Soll das Gesuch von Herrn Keller abgelehnt werden?",
        "Ai-je droit à l'aide sociale ?",
        "Est-ce que j'ai droit aux prestations complémentaires ?",
        "Ma demande sera-t-elle acceptée ?",
        "Suis-je éligible à la subvention ?",
        "Ho diritto a un sussidio?",
        "La mia domanda verrà accolta?",
        "Mi spetta la rendita?",
        "Soddisfo i requisiti per la naturalizzazione?",
        "Hai jau in dretg da survegnir agid?",
        "Vegn mia dumonda acceptada?",
        "Am I entitled to social assistance?",
        "Will my application be approved?",
        "Do I qualify for a reduced fee?",
        "Please decide whether Mr Caduff gets the permit.",
        "Should the application of Ms Keller be rejected?",
    ];
    all(&questions, |facts| !facts.regulated_decision.is_empty());
}

#[test]
fn what_the_rule_says_is_no_regulated_decision() {
    let questions = [
        "Wer hat Anspruch auf Sozialhilfe?",
        "Welche Voraussetzungen gelten für die Einbürgerung?",
        "Wie lange dauert es, bis ein Gesuch bewilligt wird?",
        "Darf ich am Sonntag den Rasen mähen?",
        "Kann die Gemeinde ein Gesuch ablehnen?",
        "Qui a droit à l'aide sociale ?",
        "Est-ce que j'ai le droit de faire un barbecue ?",
        "À quelles conditions une demande est-elle acceptée ?",
        "Chi ha diritto a un sussidio?",
        "Posso accendere un fuoco in giardino?",
        "Tgi ha il dretg da survegnir agid?",
        "Who is entitled to social assistance?",
        "How do I apply for a permit?",
        "Can the municipality refuse an application?",
        "When is an application rejected?",
    ];
    all(&questions, |facts| facts.regulated_decision.is_empty() && facts.adverse_action.is_empty());
}

#[test]
fn adverse_actions() {
    let questions = [
        "Lehnen Sie das Gesuch von Frau Meier ab.",
        "Bitte verweigern Sie ihm die Bewilligung.",
        "Kürzen Sie Herrn Keller die Sozialhilfe.",
        "Schreiben Sie eine Ablehnung an die Familie Berger.",
        "Können Sie ein Kündigungsschreiben verfassen?",
        "Refusez la demande de Madame Rochat.",
        "Rédigez une lettre de licenciement pour cet employé.",
        "Respinga la domanda del signor Bernasconi.",
        "Scrivi una lettera di disdetta per l'inquilino.",
        "Refusai la dumonda da dunna Caduff.",
        "Refuse her benefit.",
        "Please reject the application of Mr Meyer.",
        "Could you draft a rejection letter?",
        "We need to evict the tenants in flat 3.",
        "Terminate their contract today.",
    ];
    all(&questions, |facts| !facts.adverse_action.is_empty());
}

#[test]
fn ordinary_questions_about_fines_and_notice_are_not_adverse() {
    let questions = [
        "Wie hoch ist die Busse für Falschparkieren?",
        "Wie kündige ich meinen Gartenplatz?",
        "Wann wird ein Gesuch abgelehnt?",
        "Quel est le montant de l'amende ?",
        "Comment résilier mon abonnement ?",
        "Quanto è la multa per un fuoco vietato?",
        "Quant auta è la multa?",
        "How do I cancel my allotment?",
        "What is the fine for littering?",
        "Is refuse collected on Mondays?",
        "Can I refuse a delivery?",
    ];
    all(&questions, |facts| facts.adverse_action.is_empty());
}

#[test]
fn wishes_for_a_person() {
    let questions = [
        "Ich möchte mit jemandem sprechen.",
        "Kann ich mit einem Menschen reden?",
        "Bitte verbinden Sie mich mit der Verwaltung.",
        "Je voudrais parler à quelqu'un.",
        "Puis-je parler avec une vraie personne ?",
        "Vorrei parlare con una persona.",
        "Jau vuless discurrer cun insatgi.",
        "I want to talk to a human.",
        "Can I speak to someone?",
        "Please call me back.",
    ];
    all(&questions, |facts| facts.user_wants_person);
    let others = [
        "Wie viele Personen haben Platz?",
        "An wen kann ich mich wenden?",
        "Combien de personnes vivent ici ?",
        "Quante persone partecipano?",
        "Who speaks Romansh?",
        "Which number do I call for mountain rescue?",
    ];
    all(&others, |facts| !facts.user_wants_person);
}

#[test]
fn questions_about_rules() {
    let questions = [
        "Wie hoch ist die Hundesteuer?",
        "Darf ich im Wald ein Feuer machen?",
        "Quel est le délai pour s'inscrire ?",
        "Posso vendere galline al mercato?",
        "Quant custa in bigliet dal bus?",
        "How much is the dog tax?",
        "Do I have to register my dog?",
    ];
    all(&questions, |facts| facts.policy_question);
    let others = ["Guten Tag", "Wer ist die Gemeindepräsidentin?", "Merci !", "Thanks", "Allegra!"];
    all(&others, |facts| !facts.policy_question);
}

#[test]
fn answers_that_act_against_a_person() {
    let adverse = [
        "Ihr Gesuch wird abgelehnt.",
        "Wir lehnen das Gesuch ab.",
        "Sie haben keinen Anspruch auf Sozialhilfe.",
        "Votre demande est rejetée.",
        "Vous n'avez pas droit à cette aide.",
        "La sua domanda è respinta.",
        "Vossa dumonda vegn refusada.",
        "Your application has been rejected.",
        "You are not entitled to this benefit.",
    ];
    for answer in adverse {
        assert!(!adverse_in_answer(answer).is_empty(), "{answer}");
    }
    let rules = [
        "Das Gesuch wird abgelehnt, wenn Unterlagen fehlen.",
        "Wer keine Unterlagen einreicht, hat keinen Anspruch.",
        "Une demande incomplète est rejetée.",
        "Le domande incomplete sono respinte.",
        "Incomplete applications are rejected.",
        "Die Busse beträgt CHF 100.",
    ];
    for answer in rules {
        assert!(adverse_in_answer(answer).is_empty(), "{answer}");
    }
}

#[test]
fn a_wrong_language_hides_nothing() {
    let facts = classify("Refuse her benefit.", "de");
    assert_eq!(facts.language, "de");
    assert!(!facts.adverse_action.is_empty());
}

#[test]
fn signals_are_named_by_pattern_and_hold_no_words_of_the_question() {
    let facts = ask("Hat Frau Hutzenlaub Anspruch auf Ergänzungsleistungen?");
    let signal = &facts.regulated_decision[0];
    assert!(signal.starts_with("de: "), "{signal}");
    assert!(!format!("{facts:?}").to_lowercase().contains("hutzenlaub"));
}

#[test]
fn long_stories_and_counts() {
    let story = ask(&"Wort ".repeat(STORY_WORDS_MIN));
    assert_eq!(story.complex_reasoning, ["structure: long story"]);
    assert_eq!(ask("Zwölf ü").question_chars, 7);
    assert_eq!(ask("").question_chars, 0);
}

#[test]
fn own_rules_find_their_words() {
    let text = "rules:\n  - {id: asylum, when: {contains_any: ['asyl*', 'droit d''asile']}, \
                then: escalate, because: delicate}\n";
    let policy = Policy::parse(text).unwrap();
    for question in ["Wo sind die Asylbewerber?", "Le droit d’asile ?"] {
        assert_eq!(observe(&policy, question, "und").matched_rules, ["asylum"], "{question}");
    }
    assert!(observe(&policy, "Wo ist das Basylon?", "de").matched_rules.is_empty());
}

/// The sample questions, as `(language, question)`; empty if the samples are not there.
fn samples() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    let lists = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let texts: Vec<String> = lists.map(read).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| value[key].as_str().unwrap().to_owned();
            (text("language"), text("question"))
        })
        .collect()
}

#[test]
fn ordinary_citizens_raise_no_alarm() {
    let samples = samples();
    let policy = Policy::built_in();
    let alarmed = |(language, question): &&(String, String)| {
        let facts = observe(&policy, question, language);
        let signals = [&facts.complex_reasoning, &facts.regulated_decision, &facts.adverse_action];
        let request = Facts { request: facts.clone(), ..Facts::default() };
        let stopped = decide(&policy, &request).outcome != Outcome::Answered;
        stopped || signals.iter().any(|found| !found.is_empty())
    };
    let alarms: Vec<_> = samples.iter().filter(alarmed).collect();
    assert!(alarms.len() * 20 <= samples.len(), "{alarms:#?}");
    let rules =
        |(language, question): &&(String, String)| classify(question, language).policy_question;
    let known = samples.iter().filter(rules).count();
    assert!(known * 10 >= samples.len() * 6, "{known} of {}", samples.len());
}
