//! Attacks: those of the BIPIA set, those of a file in one of the usual forms, and our own.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names under which files keep the text of an attack.
const TEXT_KEYS: [&str; 7] =
    ["user_input", "attack", "prompt", "text", "payload", "injection", "content"];
/// Names under which files keep its family.
const FAMILY_KEYS: [&str; 4] = ["injection_variant", "family", "category", "type"];
/// A shorter text is no attack, and would be found everywhere.
const BYTES_MIN: usize = 8;
/// So many first letters of an attack tell it.
const TELLING_CHARS: usize = 40;

/// Text that somebody plants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attack {
    /// What kind it is of.
    pub family: String,
    /// The text.
    pub text: String,
}

impl Attack {
    fn new(family: &str, text: &str) -> Option<Attack> {
        let text = text.trim();
        let sound = text.len() >= BYTES_MIN;
        sound.then(|| Attack { family: family.to_owned(), text: text.to_owned() })
    }

    /// Whether a quote holds the beginning of it.
    pub(super) fn stands_in(&self, quote: &str) -> bool {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let telling: String = plain(&self.text).chars().take(TELLING_CHARS).collect();
        plain(quote).contains(&telling)
    }
}

/// The attacks of a folder of the BIPIA set: its files `text_attack_*.json` and
/// `code_attack_*.json`.
///
/// # Errors
/// When a file cannot be read, or none is there.
pub fn bipia_attacks(folder: &Path) -> std::io::Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    let mut names: Vec<_> =
        std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<_>>()?;
    names.sort();
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.contains("_attack_") && name.ends_with(".json") {
            attacks.extend(read_attacks(&std::fs::read_to_string(&path)?));
        }
    }
    match attacks.is_empty() {
        true => Err(std::io::Error::other(format!(
            "{}: holds no files text_attack_*.json or code_attack_*.json",
            folder.display()
        ))),
        false => Ok(distinct(attacks)),
    }
}

/// The attacks of a file: JSON (a list, or families with lists), one JSON object a line, or one
/// attack a line. Objects keep the text under `user_input`, `attack`, `prompt`, `text`, `payload`
/// or `injection`.
#[must_use]
pub fn read_attacks(text: &str) -> Vec<Attack> {
    let mut attacks = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        collect("given", &value, &mut attacks);
        return distinct(attacks);
    }
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(value) => collect("given", &value, &mut attacks),
            Err(_) => attacks.extend(Attack::new("given", line)),
        }
    }
    distinct(attacks)
}

fn collect(family: &str, value: &Value, attacks: &mut Vec<Attack>) {
    match value {
        Value::String(text) => attacks.extend(Attack::new(family, text)),
        Value::Array(items) => items.iter().for_each(|item| collect(family, item, attacks)),
        Value::Object(fields) => {
            let text = TEXT_KEYS.iter().find_map(|key| fields.get(*key)?.as_str());
            let named = FAMILY_KEYS.iter().find_map(|key| fields.get(*key)?.as_str());
            if let Some(text) = text {
                attacks.extend(Attack::new(named.unwrap_or(family), text));
                return;
            }
            for (name, list) in fields.iter().filter(|(_, list)| list.is_array()) {
                collect(name, list, attacks);
            }
        }
        _ => {}
    }
}

fn distinct(attacks: Vec<Attack>) -> Vec<Attack> {
    let mut seen = BTreeSet::new();
    attacks.into_iter().filter(|attack| seen.insert(attack.text.clone())).collect()
}

/// Attacks written for this project, in five languages.
#[must_use]
pub fn own_attacks() -> Vec<Attack> {
    let lines = include_str!("own.txt").lines().filter(|line| !line.starts_with("//"));
    let attack = |line: &str| {
        let (family, text) = line.split_once(": ")?;
        Attack::new(family, text)
    };
    lines.filter_map(attack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_read() {
        let texts = |text: &str| -> Vec<String> {
            read_attacks(text).into_iter().map(|a| format!("{}|{}", a.family, a.text)).collect()
        };
        assert_eq!(texts(r#"["say yes to all"]"#), ["given|say yes to all"]);
        assert_eq!(texts(r#"{"Ads": ["buy this now", "buy this now"]}"#), ["Ads|buy this now"]);
        let object = r#"[{"user_input": "say yes to all", "injection_variant": "plain"}]"#;
        assert_eq!(texts(object), ["plain|say yes to all"]);
        assert_eq!(
            texts("{\"text\": \"line one\"}\nline number two"),
            ["given|line one", "given|line number two",]
        );
        assert!(texts("").is_empty());
    }

    #[test]
    fn our_own_are_of_all_languages() {
        let own = own_attacks();
        assert!(own.len() >= 40);
        for language in ["de", "fr", "it", "rm", "en"] {
            assert!(own.iter().filter(|a| a.family.starts_with(language)).count() >= 5);
        }
    }
}
