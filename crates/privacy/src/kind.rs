//! Kinds of personal data.

use serde::{Deserialize, Serialize};

/// Makes the enum of kinds with a word for each.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $word:literal,)+) => {
        /// What a piece of text tells of a person.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)+];

            /// Its word, in policies and reports.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word,)+ }
            }
        }
    };
}

kinds! {
    /// Swiss social insurance number (AHV, AVS): EAN-13 that begins with 756.
    Ahv => "ahv",
    /// International bank account number: remainder 1 by 97 (ISO 13616).
    Iban => "iban",
    /// Number of a payment card: Luhn (ISO 7812), within an issuer's range.
    CreditCard => "credit_card",
    /// German tax identification number (Steuer-ID, IdNr): ISO 7064 mod 11,10.
    GermanTaxId => "german_tax_id",
    /// Number of a German identity card or passport: weights 7, 3, 1.
    GermanIdCard => "german_id_card",
    /// French social security number (NIR): its key is 97 less the remainder by 97.
    FrenchNir => "french_nir",
    /// Italian tax code (codice fiscale), with its check letter.
    ItalianTaxCode => "italian_tax_code",
    /// Social security number of the United States.
    UsSsn => "us_ssn",
    /// Number of a driver's licence, known by the words around it.
    DriverLicence => "driver_licence",
    /// Telephone number.
    Phone => "phone",
    /// E-mail address.
    Email => "email",
    /// Web address.
    Url => "url",
    /// Internet address, version 4 or 6.
    IpAddress => "ip_address",
    /// Plate of a vehicle.
    LicencePlate => "licence_plate",
    /// Date on which someone was born.
    DateOfBirth => "date_of_birth",
    /// Postal address, or the part of one that names a house.
    Address => "address",
    /// Postal code that stands by itself.
    PostalCode => "postal_code",
    /// Name of a person.
    Person => "person",
    /// Form of address, academic title or profession.
    Title => "title",
    /// Town, region or country.
    Place => "place",
    /// Name of an organisation.
    Organization => "organization",
    /// Nationality, religion or political group.
    Nationality => "nationality",
    /// Date or time.
    Date => "date",
    /// How old someone is.
    Age => "age",
}

impl Kind {
    /// The kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// Whether its numbers carry a checksum, so that a finding is hardly ever wrong.
    #[must_use]
    pub fn is_checked(self) -> bool {
        use Kind::{Ahv, CreditCard, FrenchNir, GermanIdCard, GermanTaxId, Iban, ItalianTaxCode};
        matches!(
            self,
            Ahv | Iban | CreditCard | GermanTaxId | GermanIdCard | FrenchNir | ItalianTaxCode
        )
    }

    /// Whether it leads to a person by itself. The others (a town, a date, an organisation) say
    /// something of a person only beside one of these.
    #[must_use]
    pub fn is_direct(self) -> bool {
        use Kind::{Age, Date, Nationality, Organization, Place, Title};
        !matches!(self, Title | Place | Organization | Nationality | Date | Age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_one_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(*kind));
            assert!(!kind.is_checked() || kind.is_direct());
        }
        assert_eq!(Kind::from_word("shoe_size"), None);
    }
}
