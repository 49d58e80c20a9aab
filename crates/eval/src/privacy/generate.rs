//! A set in five languages: templates filled with values true to their kinds.

use allod_privacy::{Example, Kind};

use super::random::Random;
use super::values::{Half, Values};

/// A language: its templates, more of them to learn on, and its values.
struct Language {
    code: &'static str,
    templates: &'static str,
    more: &'static str,
    values: &'static str,
}

macro_rules! language {
    ($code:literal) => {
        Language {
            code: $code,
            templates: include_str!(concat!("templates/", $code, ".txt")),
            more: include_str!(concat!("templates/more_", $code, ".txt")),
            values: include_str!(concat!("values/", $code, ".txt")),
        }
    };
}

const LANGUAGES: [Language; 5] =
    [language!("de"), language!("fr"), language!("it"), language!("rm"), language!("en")];

/// Letters, forms, lists and tables, in every language with its own words for what stands there
/// (`{l.name}`), to learn on.
const OFFICE: &str = include_str!("templates/more_office.txt");

/// By how much a template of letters and forms is filled more rarely.
const OFFICE_RARER: usize = 3;

/// Fills every second template of each language so many times: the first half, and more templates
/// that belong to it, to learn and tune on, the second to measure on. The halves share no template
/// and no listed name.
#[must_use]
pub fn generate(half: Half, times: usize, seed: u64) -> Vec<Example> {
    let mut random = Random(seed);
    let mut made = Vec::new();
    for language in &LANGUAGES {
        let values = Values::read(language.code, language.values);
        let skipped = usize::from(half == Half::Second);
        let of_half = language.templates.lines().skip(skipped).step_by(2);
        let (more, office) = if half == Half::First { (language.more, OFFICE) } else { ("", "") };
        // Shared by the languages, a template is met five times as often.
        let office = office.lines().map(|template| (template, times.div_ceil(OFFICE_RARER)));
        let prose = of_half.chain(more.lines()).map(|template| (template, times));
        for (template, times) in prose.chain(office) {
            made.extend((0..times).map(|_| fill(template, &values, half, &mut random)));
        }
    }
    made
}

fn fill(template: &str, values: &Values, half: Half, random: &mut Random) -> Example {
    let (mut text, mut spans) = (String::new(), Vec::new());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(&unescaped(before));
        let (name, after) = after.split_once('}').expect("a test fills every template");
        let value = values.value(name, half, random);
        if !name.starts_with("l.") {
            spans.push((text.len()..text.len() + value.len(), kind(name)));
        }
        text.push_str(&value);
        rest = after;
    }
    text.push_str(&unescaped(rest));
    Example { text, spans }
}

/// Line ends, tabulators and braces, which a template writes in other ways.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("<<", "{").replace(">>", "}")
}

fn kind(name: &str) -> Kind {
    match name {
        "first" | "last" | "person" => Kind::Person,
        "address" => Kind::Address,
        "birth" => Kind::DateOfBirth,
        "date" | "day" | "year" => Kind::Date,
        "age" => Kind::Age,
        "postcode" => Kind::PostalCode,
        "place" | "country" => Kind::Place,
        "street" => Kind::Address,
        "organization" => Kind::Organization,
        "title" | "ms" | "job" => Kind::Title,
        "nationality" => Kind::Nationality,
        "phone" => Kind::Phone,
        "plate" => Kind::LicencePlate,
        "email" => Kind::Email,
        "url" => Kind::Url,
        "ahv" => Kind::Ahv,
        "iban" => Kind::Iban,
        "card" => Kind::CreditCard,
        "tax_id" => Kind::GermanTaxId,
        "id_card" => Kind::GermanIdCard,
        "nir" => Kind::FrenchNir,
        "cf" => Kind::ItalianTaxCode,
        "ssn" => Kind::UsSsn,
        "licence" => Kind::DriverLicence,
        "ip" => Kind::IpAddress,
        other => unreachable!("templates name no `{other}`: a test fills them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_filled_and_the_same_seed_gives_the_same_set() {
        let (first, second) = (generate(Half::First, 3, 5), generate(Half::Second, 3, 5));
        assert_eq!(second.len(), 5 * 24 * 3);
        assert_eq!(first, generate(Half::First, 3, 5));
        assert!(second.iter().all(|one| !one.text.contains(['{', '}'])));
        for (range, _) in first
            .iter()
            .chain(&second)
            .flat_map(|one| one.spans.iter().map(|(range, kind)| (&one.text[range.clone()], kind)))
        {
            assert!(!range.is_empty());
        }
    }
}
