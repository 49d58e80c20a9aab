//! Claims written by hand, as a model would write them: true ones in other words, and false ones.
//! Those for reporting are only ever measured on: no weight and no list of words was chosen by
//! them.

use allod_corpus::Language;
use serde::Deserialize;

use super::Case;

/// One cited text with claims about it; a false claim has its kind before it.
#[derive(Deserialize)]
struct Group {
    language: Language,
    cited: String,
    #[serde(rename = "true")]
    held: Vec<String>,
    #[serde(rename = "false")]
    altered: Vec<(String, String)>,
}

/// The cases written by hand for reporting.
#[must_use]
pub fn written_by_hand() -> Vec<Case> {
    read(include_str!("hand.jsonl"))
}

/// Others written by hand, for fitting.
#[must_use]
pub fn written_for_fitting() -> Vec<Case> {
    read(include_str!("tuned.jsonl"))
}

fn read(file: &str) -> Vec<Case> {
    let lines = file.lines().filter(|line| !line.is_empty());
    let group = |line| serde_json::from_str(line).expect("the file in the source is well formed");
    lines.flat_map(|line| cases(group(line))).collect()
}

fn cases(group: Group) -> Vec<Case> {
    let Group { language, cited, held, altered } = group;
    let case = |kind: String, supported, claim| Case {
        language,
        document: "by hand".into(),
        kind,
        supported,
        claim,
        cited: cited.clone(),
    };
    let held = held.into_iter().map(|claim| case("paraphrase".into(), true, claim));
    let altered = altered.into_iter().map(|(kind, claim)| case(kind, false, claim));
    held.chain(altered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_forty_cases_at_least() {
        let cases = written_by_hand();
        for language in Language::ALL {
            let own: Vec<&Case> = cases.iter().filter(|case| case.language == language).collect();
            assert!(own.len() >= 40, "{language:?}: {}", own.len());
            assert!(own.iter().filter(|case| case.supported).count() * 3 >= own.len());
        }
    }
}
