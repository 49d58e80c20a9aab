//! A labelled set in the form of presidio-research: texts with spans and their types.

use allod_privacy::{Example, Kind};
use serde::Deserialize;

/// A set that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PrivacySetError {
    /// It is no JSON of that form.
    #[error("it is no list of texts with `full_text` and `spans`: {0}")]
    Form(#[from] serde_json::Error),
    /// A span lies outside its text.
    #[error("text {text}: the span from {start} to {end} lies outside it")]
    Outside {
        /// Which text, from 0.
        text: usize,
        /// First letter.
        start: usize,
        /// Letter after the last.
        end: usize,
    },
    /// A type of span that is not known.
    #[error("text {text}: the type `{name}` is not known here")]
    Type {
        /// Which text, from 0.
        text: usize,
        /// The type.
        name: String,
    },
}

#[derive(Deserialize)]
struct Row {
    full_text: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    template_id: Option<usize>,
}

#[derive(Deserialize)]
struct Span {
    entity_type: String,
    start_position: usize,
    end_position: usize,
}

/// A text of a set, and the template that it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivacyText {
    /// The text and what it holds.
    pub example: Example,
    /// The template's number; the text's own where none is given.
    pub template: usize,
}

/// Reads a set: a list in JSON, or one object a line. Places are counted in letters there.
///
/// # Errors
/// [`PrivacySetError`], at the first text that is not right.
pub fn read_privacy_set(text: &str) -> Result<Vec<PrivacyText>, PrivacySetError> {
    let rows: Vec<Row> = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text)?,
        false => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?,
    };
    rows.into_iter().enumerate().map(|(index, row)| labelled(index, row)).collect()
}

fn labelled(index: usize, row: Row) -> Result<PrivacyText, PrivacySetError> {
    let places: Vec<usize> =
        row.full_text.char_indices().map(|(at, _)| at).chain([row.full_text.len()]).collect();
    let mut spans = Vec::new();
    for span in row.spans {
        let (start, end) = (span.start_position, span.end_position);
        let bytes = places.get(start).zip(places.get(end)).filter(|_| start < end);
        let (start, end) = bytes.ok_or(PrivacySetError::Outside { text: index, start, end })?;
        let name = span.entity_type;
        let kind = kind(&name).ok_or(PrivacySetError::Type { text: index, name })?;
        spans.push((*start..*end, kind));
    }
    spans.sort_by_key(|(range, _)| range.start);
    let template = row.template_id.unwrap_or(index);
    Ok(PrivacyText { example: Example { text: row.full_text, spans }, template })
}

/// The kind that a type of presidio-research means, or our own word.
fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "PERSON" => Kind::Person,
        "TITLE" | "PREFIX" => Kind::Title,
        "STREET_ADDRESS" | "ADDRESS" => Kind::Address,
        "GPE" | "LOCATION" | "CITY" | "COUNTRY" => Kind::Place,
        "ORGANIZATION" | "ORG" => Kind::Organization,
        "CREDIT_CARD" => Kind::CreditCard,
        "DATE_TIME" | "DATE" => Kind::Date,
        "DATE_OF_BIRTH" => Kind::DateOfBirth,
        "PHONE_NUMBER" | "PHONE" => Kind::Phone,
        "AGE" => Kind::Age,
        "NRP" => Kind::Nationality,
        "EMAIL_ADDRESS" | "EMAIL" => Kind::Email,
        "ZIP_CODE" => Kind::PostalCode,
        "DOMAIN_NAME" | "URL" => Kind::Url,
        "IBAN_CODE" | "IBAN" => Kind::Iban,
        "US_SSN" => Kind::UsSsn,
        "IP_ADDRESS" => Kind::IpAddress,
        "US_DRIVER_LICENSE" => Kind::DriverLicence,
        "CH_AHV" | "AHV" | "AVS" => Kind::Ahv,
        "DE_TAX_ID" | "DE_STEUER_ID" => Kind::GermanTaxId,
        "DE_ID_CARD" => Kind::GermanIdCard,
        "FR_NIR" => Kind::FrenchNir,
        "IT_FISCAL_CODE" | "IT_CODICE_FISCALE" => Kind::ItalianTaxCode,
        "LICENSE_PLATE" => Kind::LicencePlate,
        other => return Kind::from_word(other),
    })
}
