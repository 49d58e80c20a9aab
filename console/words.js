// The console's words. English is the key; a word that a language lacks stays English.

const WORDS = {
  de: {
    'Page': 'Seite',
    'holds text for an AI': 'spricht eine KI an', 'It has no effect.': 'Das hat keine Wirkung.',
    'Ask': 'Fragen', 'Documents': 'Dokumente', 'Receipts': 'Belege', 'Reviews': 'Prüfung',
    'Skip to content': 'Zum Inhalt', 'Light': 'Hell', 'Dark': 'Dunkel', 'Language': 'Sprache',
    'Ask your documents': 'Fragen Sie Ihre Dokumente', 'Your question': 'Ihre Frage',
    'Every sentence of an answer names the passage that supports it. If there is none, you are told so.':
      'Jeder Satz einer Antwort nennt die Stelle, die ihn belegt. Gibt es keine, wird das gesagt.',
    'Try one of these': 'Zum Ausprobieren', 'Looking …': 'Wird gesucht …', 'Sources': 'Quellen', 'See also': 'Siehe auch',
    'The source refers to it': 'Die Quelle verweist darauf',
    'Defines a word of the source': 'Erklärt ein Wort der Quelle',
    'answered': 'beantwortet', 'refused': 'nicht beantwortet', 'escalated': 'weitergeleitet',
    'human review': 'zur Prüfung', 'Confidence': 'Sicherheit', 'Why': 'Warum',
    'quoted word for word': 'wörtlich zitiert', 'written from the sources': 'aus den Quellen verfasst',
    'written by the upstream': 'vom externen Modell verfasst',
    'Receipt': 'Beleg', 'Verify': 'Nachprüfen', 'Details': 'Einzelheiten', 'Checking …': 'Wird geprüft …',
    'Close': 'Schliessen', 'in force since': 'in Kraft seit', 'in force until': 'in Kraft bis',
    'not the current version': 'nicht die aktuelle Fassung', 'Source': 'Quelle',
    'Title': 'Titel', 'Valid': 'Gültig', 'Time': 'Zeit', 'Question': 'Frage', 'Answer': 'Antwort',
    'Outcome': 'Ausgang', 'Open': 'Offen', 'Resolved': 'Entschieden', 'All': 'Alle', 'Draft': 'Entwurf',
    'Reasons': 'Gründe', 'Approve': 'Freigeben', 'Amend': 'Ändern', 'Reject': 'Ablehnen', 'Note': 'Notiz',
    'Waits for a second person': 'Wartet auf eine zweite Person',
    'Your decision': 'Ihr Entscheid', 'Nothing waits here.': 'Hier wartet nichts.', 'More': 'Mehr',
    'There are no documents yet.': 'Es gibt noch keine Dokumente.', 'Decide': 'Entscheiden',
    'There are no receipts yet.': 'Es gibt noch keine Belege.', 'API key': 'API-Schlüssel',
    'This server wants an API key.': 'Dieser Server verlangt einen API-Schlüssel.', 'Sign in': 'Anmelden',
    'It is kept in this tab only.': 'Er bleibt nur in diesem Tab.', 'Sign out': 'Abmelden',
    'Sign in at your organisation': 'Bei Ihrer Organisation anmelden',
    'The log proves it': 'Das Protokoll beweist es', 'The proof does not hold': 'Der Beweis hält nicht', 'Verify the whole log': 'Ganzes Protokoll prüfen',
    'History': 'Verlauf', 'Search': 'Suche', 'From': 'Von', 'Until': 'Bis', 'Model': 'Modell',
    'Policy': 'Regelwerk', 'Id': 'Kennung', 'In use': 'Verwendet',
    'Export with proofs': 'Mit Beweisen sichern', 'Nothing was found.': 'Nichts gefunden.',
    'Helpful': 'Hilfreich', 'Not helpful': 'Nicht hilfreich', 'What is wrong?': 'Was stimmt nicht?',
    'How should it have been?': 'Wie wäre es richtig?', 'Send': 'Senden', 'Thank you.': 'Danke.',
  },
  fr: {
    'See also': 'Voir aussi', 'The source refers to it': 'La source y renvoie',
    'Defines a word of the source': 'Définit un mot de la source',
    'Page': 'Page',
    'holds text for an AI': 's’adresse à une IA', 'It has no effect.': 'C’est sans effet.',
    'Ask': 'Demander', 'Receipts': 'Reçus', 'Reviews': 'Contrôle',
    'Skip to content': 'Aller au contenu', 'Light': 'Clair', 'Dark': 'Sombre', 'Language': 'Langue',
    'Ask your documents': 'Interrogez vos documents', 'Your question': 'Votre question',
    'Every sentence of an answer names the passage that supports it. If there is none, you are told so.':
      'Chaque phrase d’une réponse indique le passage qui la prouve. S’il n’y en a pas, c’est dit.',
    'Try one of these': 'Essayez', 'Looking …': 'Recherche …',
    'answered': 'répondu', 'refused': 'sans réponse', 'escalated': 'transmis',
    'human review': 'contrôle humain', 'Confidence': 'Confiance', 'Why': 'Pourquoi',
    'quoted word for word': 'cité mot à mot', 'written from the sources': 'rédigé d’après les sources',
    'written by the upstream': 'rédigé par le modèle externe',
    'Receipt': 'Reçu', 'Verify': 'Vérifier', 'Details': 'Détails', 'Checking …': 'Vérification …',
    'Close': 'Fermer', 'in force since': 'en vigueur depuis', 'in force until': 'en vigueur jusqu’au',
    'not the current version': 'pas la version actuelle',
    'Title': 'Titre', 'Valid': 'Validité', 'Time': 'Heure', 'Answer': 'Réponse',
    'Outcome': 'Issue', 'Open': 'Ouvert', 'Resolved': 'Décidé', 'All': 'Tous', 'Draft': 'Projet',
    'Reasons': 'Motifs', 'Approve': 'Approuver', 'Amend': 'Modifier', 'Reject': 'Rejeter',
    'Waits for a second person': 'Attend une deuxième personne',
    'Your decision': 'Votre décision', 'Nothing waits here.': 'Rien n’attend ici.', 'More': 'Plus',
    'There are no documents yet.': 'Il n’y a pas encore de documents.', 'Decide': 'Décider',
    'There are no receipts yet.': 'Il n’y a pas encore de reçus.', 'API key': 'Clé API',
    'This server wants an API key.': 'Ce serveur demande une clé API.', 'Sign in': 'Entrer',
    'It is kept in this tab only.': 'Elle ne reste que dans cet onglet.', 'Sign out': 'Sortir',
    'Sign in at your organisation': 'S’identifier auprès de votre organisation',
    'The log proves it': 'Le journal le prouve', 'The proof does not hold': 'La preuve ne tient pas', 'Verify the whole log': 'Vérifier tout le journal',
    'History': 'Historique', 'Search': 'Recherche', 'From': 'Du', 'Until': 'Au', 'Model': 'Modèle',
    'Policy': 'Règles', 'Id': 'Identifiant', 'In use': 'Utilisé',
    'Export with proofs': 'Exporter avec les preuves', 'Nothing was found.': 'Rien trouvé.',
    'Helpful': 'Utile', 'Not helpful': 'Pas utile', 'What is wrong?': 'Qu’est-ce qui ne va pas ?',
    'How should it have been?': 'Comment serait-ce juste ?', 'Send': 'Envoyer', 'Thank you.': 'Merci.',
  },
  it: {
    'Page': 'Pagina',
    'holds text for an AI': 'si rivolge a un’IA', 'It has no effect.': 'Non ha alcun effetto.',
    'Ask': 'Chiedere', 'Documents': 'Documenti', 'Receipts': 'Ricevute', 'Reviews': 'Verifica',
    'Skip to content': 'Al contenuto', 'Light': 'Chiaro', 'Dark': 'Scuro', 'Language': 'Lingua',
    'Ask your documents': 'Interroghi i Suoi documenti', 'Your question': 'La Sua domanda',
    'Every sentence of an answer names the passage that supports it. If there is none, you are told so.':
      'Ogni frase di una risposta indica il passaggio che la prova. Se non c’è, viene detto.',
    'Try one of these': 'Provi', 'Looking …': 'Ricerca …', 'Sources': 'Fonti', 'See also': 'Vedi anche',
    'The source refers to it': 'La fonte vi rinvia',
    'Defines a word of the source': 'Definisce una parola della fonte',
    'answered': 'risposto', 'refused': 'senza risposta', 'escalated': 'inoltrato',
    'human review': 'esame umano', 'Confidence': 'Certezza', 'Why': 'Perché',
    'quoted word for word': 'citato alla lettera', 'written from the sources': 'scritto dalle fonti',
    'written by the upstream': 'scritto dal modello esterno',
    'Receipt': 'Ricevuta', 'Verify': 'Verificare', 'Details': 'Dettagli', 'Checking …': 'Verifica …',
    'Close': 'Chiudere', 'in force since': 'in vigore dal', 'in force until': 'in vigore fino al',
    'not the current version': 'non la versione attuale', 'Source': 'Fonte',
    'Title': 'Titolo', 'Valid': 'Validità', 'Time': 'Ora', 'Question': 'Domanda', 'Answer': 'Risposta',
    'Outcome': 'Esito', 'Open': 'Aperto', 'Resolved': 'Deciso', 'All': 'Tutti', 'Draft': 'Bozza',
    'Reasons': 'Motivi', 'Approve': 'Approvare', 'Amend': 'Modificare', 'Reject': 'Respingere', 'Note': 'Nota',
    'Waits for a second person': 'Attende una seconda persona',
    'Your decision': 'La Sua decisione', 'Nothing waits here.': 'Qui non attende nulla.', 'More': 'Altro',
    'There are no documents yet.': 'Non ci sono ancora documenti.', 'Decide': 'Decidere',
    'There are no receipts yet.': 'Non ci sono ancora ricevute.', 'API key': 'Chiave API',
    'This server wants an API key.': 'Questo server chiede una chiave API.', 'Sign in': 'Entrare',
    'It is kept in this tab only.': 'Resta solo in questa scheda.', 'Sign out': 'Uscire',
    'Sign in at your organisation': 'Accedere presso la vostra organizzazione',
    'The log proves it': 'Il registro lo prova', 'The proof does not hold': 'La prova non regge', 'Verify the whole log': 'Verificare tutto il registro',
    'History': 'Storia', 'Search': 'Ricerca', 'From': 'Dal', 'Until': 'Al', 'Model': 'Modello',
    'Policy': 'Regole', 'Id': 'Codice', 'In use': 'In uso', 'Export with proofs': 'Esportare con le prove',
    'Nothing was found.': 'Nessun risultato.', 'Helpful': 'Utile', 'Not helpful': 'Non utile',
    'What is wrong?': 'Che cosa non va?', 'How should it have been?': 'Come sarebbe giusto?',
    'Send': 'Inviare', 'Thank you.': 'Grazie.',
  },
};

export const LANGUAGES = ['en', 'de', 'fr', 'it'];

const wanted = localStorage.getItem('allod.language') ?? navigator.language.slice(0, 2);
let language = LANGUAGES.includes(wanted) ? wanted : 'en';

export const currentLanguage = () => language;

export function setLanguage(code) {
  language = code;
  localStorage.setItem('allod.language', code);
}

/** A word in the console's language. */
export const t = (english) => WORDS[language]?.[english] ?? english;
