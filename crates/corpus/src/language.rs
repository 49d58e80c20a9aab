//! Languages, and telling them apart.

use serde::{Deserialize, Serialize};

/// A language that documents are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    Other,
}

impl Language {
    /// The five languages that are told apart.
    pub const ALL: [Language; 5] =
        [Language::De, Language::Fr, Language::It, Language::Rm, Language::En];

    /// The language `text` is written in; [`Language::Other`] if there is too little evidence.
    pub fn detect(text: &str) -> Language {
        match whatlang::detect_lang(text) {
            Some(whatlang::Lang::Deu) => Language::De,
            Some(whatlang::Lang::Fra) => Language::Fr,
            Some(whatlang::Lang::Ita) => Language::It,
            Some(whatlang::Lang::Eng) => Language::En,
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
