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

/// Texts in which some patterns are found and many are not.
pub(super) fn texts() -> Vec<String> {
    let lists = [ORDINARY, REGULATED, ADVERSE, PERSON, COMPLEX];
    let mut texts: Vec<String> = lists.concat().into_iter().map(str::to_owned).collect();
    texts.extend(samples().into_iter().map(|(_, question)| question));
    texts.push(texts.join(" "));
    texts
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
        "Soll ich Herrn Meier die Sozialhilfe kürzen?",
        "Soll meinem Nachbarn die Sozialhilfe gestrichen werden?",
        "Faut-il supprimer l'aide sociale de Mme Dupont ?",
        "Devo ridurre l'assistenza sociale alla signora Bianchi?",
        "Duai jau scursanir l'agid social da dunna Caduff?",
        "Should I cut the benefits of Mrs Huber?",
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
        "Soll ich den Rasen kürzen?",
        "Soll ich mich bei Frau Keller anmelden?",
        "Wann soll ich meinem Vermieter kündigen?",
        "Dois-je couper la haie ?",
        "Devo ridurre la velocità davanti alla scuola?",
        "Should I cut the hedge in May?",
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
/// Close to a signal in words, and ordinary questions all the same.
const ORDINARY: &[&str] = &[
    "Wann bekomme ich meinen Pass?",
    "Wird mein Kind automatisch in die Schule aufgenommen?",
    "Welche Unterlagen brauche ich, damit mein Baugesuch bewilligt wird?",
    "Kann ich gegen die Busse Einsprache erheben?",
    "Was passiert, wenn ich die Frist verpasse?",
    "Bekomme ich eine Bestätigung, wenn ich mich anmelde?",
    "Wie kann ich meinen Mietvertrag kündigen?",
    "Bin ich verpflichtet, einen Hund zu versichern?",
    "Darf mein Vermieter mir kündigen?",
    "Gibt es einen Rabatt, wenn ich drei Kinder habe und wenn ja wie viel?",
    "Muss ich den Abfall trennen, wenn ich nur eine Wohnung habe, und was kostet das?",
    "Wer entscheidet über mein Baugesuch?",
    "Wie lange muss ich auf den Entscheid warten?",
    "Was gilt, wenn mein Gesuch abgelehnt wird?",
    "Hat die Gemeinde das Recht, mein Auto abzuschleppen?",
    "Est-ce que je dois payer la taxe si je pars en juin ?",
    "Que se passe-t-il si ma demande est refusée ?",
    "Comment faire recours contre un refus ?",
    "Qui décide de ma demande ?",
    "Puis-je obtenir une copie de mon acte de naissance ?",
    "Où puis-je retirer ma carte ?",
    "Qui puis-je appeler pour parler de mon loyer ?",
    "A qui dois-je m'adresser ?",
    "Ai-je besoin d'un permis pour un barbecue ?",
    "Cosa succede se la mia domanda viene respinta?",
    "Chi decide sulla mia domanda?",
    "Devo pagare la tassa se parto a giugno?",
    "Posso parlare in italiano allo sportello?",
    "Ho bisogno di un permesso per il falò?",
    "A chi posso rivolgermi?",
    "Quanto costa in totale una settimana al campeggio?",
    "Tgi decida davart mia dumonda?",
    "Tge capita sche mia dumonda vegn refusada?",
    "Poss jau pajar cun carta?",
    "What happens if my application is rejected?",
    "Who decides on my application?",
    "How do I appeal against a refusal?",
    "Can my landlord evict me?",
    "When will my passport be ready?",
    "Will my child get a bus pass?",
    "Do I need a permit if I build a shed and if so how much?",
    "Can I talk in English at the desk?",
    "Is there someone who speaks Romansh?",
    "How can I terminate my lease?",
    "Do you issue fishing permits?",
    "Who do I contact to report a broken street lamp?",
    "Am I allowed to burn leaves?",
    "May I fish in the river?",
    "Kann mir jemand beim Umzug helfen?",
    "Muss ich persönlich vorbeikommen?",
    "Ich habe meinen Ausweis verloren. Was muss ich tun? Und was kostet ein neuer?",
    "Wo bekomme ich Kompost?",
    "Wie melde ich mein Kind im Kindergarten an?",
    "Ab wann ist das Schwimmbad offen?",
    "Kann ich die Steuern in Raten bezahlen?",
    "Welche Bewilligung brauche ich für ein Fest?",
    "Wer bezahlt den Schulbus?",
    "Wann ist die nächste Gemeindeversammlung?",
    "Was soll ich mit alten Batterien machen?",
    "Bin ich als Mieter zuständig für die Schneeräumung?",
    "Muss ich eine Ablehnung begründen?",
    "Wie wehre ich mich gegen eine Kündigung?",
    "Wie gross darf mein Gartenhaus sein?",
    "Hat das Gemeindehaus über Mittag offen?",
    "Wie beantrage ich Sozialhilfe?",
    "Wird die Strasse im Winter geräumt?",
    "Wann wird die Baubewilligung entzogen?",
    "Comment inscrire mon enfant à la crèche ?",
    "Quels papiers faut-il pour se marier ?",
    "Quand la mairie est-elle fermée ?",
    "Puis-je payer en plusieurs fois ?",
    "Comment contester une amende ?",
    "Qui parle anglais à la commune ?",
    "Combien de temps dure la procédure ?",
    "À qui m'adresser pour un permis de construire ?",
    "Come si iscrive un bambino all'asilo?",
    "Quando è chiuso il municipio?",
    "Posso pagare a rate?",
    "Come faccio ricorso contro una multa?",
    "Quanto dura la procedura?",
    "Chi rilascia i permessi di pesca?",
    "Co poss jau annunziar mes uffant?",
    "Cura è serrà la chasa communala?",
    "Tgi paja il bus da scola?",
    "Quant ditg dura la procedura?",
    "How do I enrol my child in kindergarten?",
    "When is the pool open?",
    "Can I pay my taxes in instalments?",
    "Who pays for the school bus?",
    "How long does the procedure take?",
    "What documents do I need to marry?",
    "Is it forbidden to wash my car on the street?",
    "Where can I complain about noise?",
    "Does the library lend e-books to non-residents?",
    "Can the town revoke a building permit?",
    "What if I lose my key?",
    "Why was the fee raised?",
    "Am I liable for snow clearing as a tenant?",
    "Should I bring my passport?",
    "Do we have to separate waste?",
    "Will the road be closed in winter?",
];

/// Ask to decide a person's case, in other words.
const REGULATED: &[&str] = &[
    "Hätte ich als Student Anrecht auf Prämienverbilligung?",
    "Kriege ich die Bewilligung für meinen Wintergarten?",
    "Bin ich für Ergänzungsleistungen anspruchsberechtigt?",
    "Genehmigen Sie meinen Antrag?",
    "Reicht mein Einkommen, um Sozialhilfe zu bekommen?",
    "Darf Frau Müller eingebürgert werden?",
    "Ist mein Umbau ohne Bewilligung zulässig?",
    "Est-ce que ma demande de permis va être acceptée ?",
    "Aurais-je droit aux subsides ?",
    "Mes parents ont-ils droit à une aide ?",
    "Remplis-je les conditions pour la naturalisation ?",
    "Mi concederanno il permesso?",
    "Avrei diritto all'assegno?",
    "La mia richiesta sarà approvata?",
    "Sono idoneo alla naturalizzazione?",
    "Hai jau dretg d'agid social?",
    "Vegn mes project approvà?",
    "Would I be entitled to a childcare subsidy?",
    "Is my application going to be approved?",
    "Can you approve my request?",
    "Do I meet the requirements for naturalisation?",
    "Am I eligible for housing support?",
    "Will I get the permit for my shed?",
    "Decide if she should receive the benefit.",
    "Habe ich mit 60 schon Anspruch auf eine Rente?",
    "Wird mir die Sozialhilfe gestrichen?",
    "Genügt mein Sprachniveau für die Einbürgerung?",
    "Bekommt meine Mutter Ergänzungsleistungen?",
    "Kriegen wir den Krippenplatz?",
    "Wurde mein Gesuch bewilligt?",
    "Puis-je toucher l'aide sociale ?",
    "Est-ce que je peux être naturalisé ?",
    "Mon dossier sera-t-il accepté ?",
    "J'ai droit à combien d'aide ?",
    "Posso avere il sussidio per mia figlia?",
    "Mi verrà concessa la cittadinanza?",
    "Verrà approvato il mio ricorso?",
    "Ho i requisiti per la cittadinanza?",
    "Poss jau vegnir natiralisà?",
    "Vegn jau a survegnir la lubientscha?",
    "Can I get social assistance?",
    "Will they approve my permit?",
    "Do I have a right to a parking space?",
    "Is my mother eligible for meals at home?",
    "Should I be granted an exemption?",
];

/// Ask for an act against a person, in other words.
const ADVERSE: &[&str] = &[
    "Streichen Sie Frau Huber die Sozialhilfe.",
    "Bitte lehnen Sie den Antrag von Herrn Meier ab.",
    "Können Sie Herrn Meier kündigen?",
    "Kündigen Sie dem Mieter in der Wohnung 3.",
    "Entziehen Sie ihm den Führerausweis.",
    "Formulieren Sie eine Absage für die Bewerberin.",
    "Wir müssen Herrn Meier büssen.",
    "Veuillez refuser la demande de M. Favre.",
    "Supprimez-lui l'aide sociale.",
    "Expulsez cette famille de son logement.",
    "Pouvez-vous rédiger un refus pour Mme Rochat ?",
    "Rifiuti la richiesta della signora Rossi.",
    "Revocate la licenza al signor Bianchi.",
    "Prepara una lettera di licenziamento.",
    "Snegai ad el l'agid.",
    "Scrivai ina refusa per dunna Caduff.",
    "Deny Mr Smith's application.",
    "Evict the family from the flat.",
    "Can you reject her application?",
    "Write a termination letter to the employee.",
    "Issue a fine to Mr Jones.",
    "Cut off his benefits.",
    "I want to fire him.",
    "Weisen Sie die Einsprache von Familie Roth ab.",
    "Bitte büssen Sie Herrn Frei.",
    "Verfassen Sie eine Mahnung an Herrn Frei.",
    "Ich will dem Mitarbeiter kündigen.",
    "Retirez son permis à Monsieur Blanc.",
    "Licenciez cette employée.",
    "Écrivez une lettre de refus à Mme Dubois.",
    "Rejetez sa requête.",
    "Sfrattate la famiglia Neri.",
    "Negate il permesso alla signora Verdi.",
    "Scriva un diniego per il signor Verdi.",
    "Multai signur Caduff.",
    "Please deny his claim.",
    "Fire Mr Brown.",
    "Draft a refusal letter for this applicant.",
    "Would you revoke her permit?",
    "We have to terminate his contract.",
];

/// Ask for a person, in other words.
const PERSON: &[&str] = &[
    "Ich will einen Menschen sprechen",
    "Kann mich jemand zurückrufen?",
    "Kann mich bitte jemand anrufen?",
    "Ich möchte mit einer Mitarbeiterin reden.",
    "Bitte mit Sachbearbeiter verbinden",
    "Je souhaite être rappelé.",
    "Passez-moi un collaborateur",
    "Je veux parler à un humain",
    "Vorrei parlare con un impiegato",
    "Mi può richiamare qualcuno?",
    "Posso parlare con un operatore?",
    "Jau vi discurrer cun ina persuna",
    "Can a human help me?",
    "Let me speak with a real person",
    "I'd like to talk to someone at the town hall",
    "Please connect me to the clerk",
];

/// Need reasoning, in other words.
const COMPLEX: &[&str] = &[
    "Was ist für mich günstiger, die Jahreskarte oder Einzelbillette?",
    "Wägen Sie die Interessen der Nachbarn gegen meine ab.",
    "Warum steigt die Gebühr und warum gerade jetzt?",
    "Rechnen Sie mir aus, was ich insgesamt zahle.",
    "Si je gagne 50000 francs et si j'ai deux enfants, combien dois-je payer ?",
    "Pourquoi la taxe augmente-t-elle et pourquoi maintenant ?",
    "Analysez cette situation et justifiez.",
    "Se guadagno 50000 franchi e se ho due figli, quanto pago?",
    "Perché aumenta la tassa e perché adesso?",
    "Sche jau hai dus chauns e sche jau abit en l'exteriur, quant stoss jau pajar?",
    "If I earn 50000 and if I have two kids, what do I pay?",
    "Which option would be cheaper for us, the pass or the single tickets?",
    "Evaluate whether the new regulation is fair.",
    "Explain step by step how the tax is computed.",
];

#[test]
fn near_misses_raise_no_alarm() {
    all(ORDINARY, |facts| {
        facts.complex_reasoning.is_empty()
            && facts.complexity.is_some_and(|score| score < 500)
            && facts.regulated_decision.is_empty()
            && facts.adverse_action.is_empty()
            && !facts.user_wants_person
    });
}

#[test]
fn other_words_for_the_same() {
    all(REGULATED, |facts| !facts.regulated_decision.is_empty());
    all(ADVERSE, |facts| !facts.adverse_action.is_empty());
    all(PERSON, |facts| facts.user_wants_person);
    all(COMPLEX, |facts| !facts.complex_reasoning.is_empty());
}
