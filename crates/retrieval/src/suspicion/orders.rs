//! More words of orders: sending, telling, leaving out, every answer, pieces of programs.

/// Orders to send.
pub(super) const SEND: &[&str] = &[
    "send",
    "forward",
    "mail",
    "email",
    "upload",
    "post",
    "schicke",
    "sende",
    "leite",
    "ubermittle",
    "envoie",
    "envoyez",
    "transmets",
    "invia",
    "inviate",
    "inoltra",
    "trametta",
    "tramettai",
];

/// What was said to a program.
pub(super) const TALK: &[&str] = &[
    "conversation*",
    "chat",
    "history",
    "transcript*",
    "gesprach*",
    "verlauf",
    "dialog*",
    "historique",
    "conversazion*",
    "cronologia",
    "discurs*",
    "conversaziun*",
];

/// Every answer, or the next.
pub(super) const EVERY: &[&str] = &[
    "every",
    "each",
    "next",
    "all",
    "jede",
    "jeder",
    "jeden",
    "nachste*",
    "chaque",
    "prochain*",
    "ogni",
    "prossim*",
    "mintga",
    "proxim*",
];

/// Orders to leave out.
pub(super) const OMIT: &[&str] = &[
    "leave",
    "omit",
    "drop",
    "skip",
    "lass",
    "lasse",
    "verschweige",
    "omets",
    "omettez",
    "tais",
    "ometti",
    "omettete",
    "tralascia",
    "lascha",
    "tascha",
];

/// What leads to `the summary`.
pub(super) const IN_THE: &[&str] =
    &["when", "in", "im", "der", "beim", "dans", "nel", "nella", "en"];

/// A summary, or making one.
pub(super) const SUMMARY: &[&str] = &[
    "summary",
    "summarising",
    "summarizing",
    "zusammenfassung",
    "zusammenfassen",
    "resume",
    "riassunto",
    "resumaziun",
];

/// Orders to tell those who ask something.
pub(super) const TELL_USER: &[&[&str]] = &[
    &["tell", "the", "user"],
    &["inform", "the", "user"],
    &["tell", "the", "users"],
    &["sage", "dem", "nutzer"],
    &["sage", "dem", "benutzer"],
    &["teile", "dem", "nutzer"],
    &["teile", "dem", "benutzer"],
    &["dis", "a", "l", "utilisateur"],
    &["informe", "l", "utilisateur"],
    &["di", "all", "utente"],
    &["informa", "l", "utente"],
    &["di", "a", "l", "utilisader"],
    &["infurmescha", "l", "utilisader"],
];

/// Announces a piece of a program.
pub(super) const FOLLOWING: &[&str] = &["following", "subsequent", "below", "given", "provided"];

/// A piece of a program.
pub(super) const CODE: &[&str] = &["code", "codes", "snippet", "script", "codebase"];

/// A piece.
pub(super) const PIECE: &[&str] = &[
    "section", "block", "snippet", "excerpt", "segment", "fragment", "piece", "lines", "codebase",
    "code",
];

/// Where the program is to stand.
pub(super) const WITHIN: &[&str] =
    &["your", "implementation", "solution", "program", "project", "codebase", "logic", "develop"];
