use super::*;
use crate::fold::Folded;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn kinds(text: &str) -> Vec<(Kind, &str)> {
    scan(text).into_iter().map(|one| (one.kind, &text[one.range])).collect()
}

#[test]
fn a_number_is_found_however_it_is_typed() {
    let ahv = |typed: &str| {
        let text = format!("Meine AHV-Nr. ist {typed}, danke.");
        let mut found = kinds(&text);
        found.retain(|(kind, _)| kind.is_direct());
        assert_eq!(found, [(Kind::Ahv, typed)], "{text:?}");
    };
    for typed in [
        "756.9217.0769.85",
        "7569217076985",
        "756 9217 0769 85",
        "756-9217-0769-85",
        "７５６．９２１７．０７６９．８５",
        "756.\u{200b}9217.\u{feff}0769.85",
        "7 5 6 9 2 1 7 0 7 6 9 8 5",
        "756.9217.\n0769.85",
        "756&nbsp;9217&#32;0769&#x2e;85",
        "٧٥٦.٩٢١٧.٠٧٦٩.٨٥",
    ] {
        ahv(typed);
    }
    assert!(kinds("AHV 756.9217.0769.86").iter().all(|(kind, _)| *kind != Kind::Ahv));
}

#[test]
fn every_identifier_is_found_with_its_bytes() {
    for (kind, typed) in [
        (Kind::Iban, "CH93 0076 2011 6238 5295 7"),
        (Kind::Iban, "de89-3704-0044-0532-0130-00"),
        (Kind::CreditCard, "4111 1111 1111 1111"),
        (Kind::CreditCard, "3782-822463-10005"),
        (Kind::GermanTaxId, "86 095 742 719"),
        (Kind::GermanIdCard, "T220001293"),
        (Kind::FrenchNir, "1 85 05 2A 008 106 50"),
        (Kind::FrenchNir, "255081416802538"),
        (Kind::ItalianTaxCode, "RSSMRA85T10A562S"),
        (Kind::ItalianTaxCode, "mrtmtt91d08f205j"),
        (Kind::UsSsn, "078-05-1120"),
        (Kind::Email, "anna.muster@example.ch"),
        (Kind::Url, "https://www.example.org/a"),
        (Kind::IpAddress, "192.0.2.17"),
        (Kind::Phone, "+41 44 668 18 00"),
        (Kind::LicencePlate, "ZH 123456"),
    ] {
        let text = format!("Es geht um {typed} und sonst nichts.");
        assert!(kinds(&text).contains(&(kind, typed)), "{text}: {:?}", kinds(&text));
    }
}

#[test]
fn a_key_may_be_named_and_a_word_begins_no_account() {
    let nir = "1 85 05 78 006 084 clé 91";
    assert_eq!(kinds(&format!("Sécu {nir}, svp")), [(Kind::FrenchNir, nir)]);
    let ahv = "756.9217.0769.85";
    for before in ["AHV no. ", "AHV No ", "AVS no: "] {
        let text = format!("{before}{ahv}");
        assert_eq!(kinds(&text).last(), Some(&(Kind::Ahv, ahv)), "{text}");
    }
}

#[test]
fn groups_of_one_size_need_no_word_beside_them() {
    for (kind, typed) in [
        (Kind::GermanTaxId, "860-957-427-19"),
        (Kind::GermanTaxId, "8609 5742 719"),
        (Kind::GermanIdCard, "T22-000-129-3"),
        (Kind::GermanIdCard, "T2 20 00 12 93"),
    ] {
        let text = format!("How much does a stall cost? {typed}");
        assert!(kinds(&text).contains(&(kind, typed)), "{text}: {:?}", kinds(&text));
    }
    let uneven = kinds("Gate T2 20001 293");
    assert!(uneven.iter().all(|(kind, _)| *kind != Kind::GermanIdCard), "{uneven:?}");
}

#[test]
fn what_is_quoted_needs_no_word_beside_it() {
    for (kind, typed) in [
        (Kind::GermanTaxId, "8609 5742 719"),
        (Kind::GermanTaxId, "8609</b><b>5742</b><b>719"),
        (Kind::GermanIdCard, "T220</b><b>0012</b><b>93"),
    ] {
        let text = format!("{{\"<p><b>{typed}</b></p>\": 1}}");
        assert!(kinds(&text).contains(&(kind, typed)), "{text}: {:?}", kinds(&text));
    }
}

#[test]
fn a_number_is_found_over_quoted_and_indented_lines() {
    for number in [
        "756.9217\n> .0769.85",
        "756.9217\n            .0769.85",
        "756.9217.=\n0769.85",
        "756&#46&#57;217.0769.85",
        "7\u{332}5\u{332}6.9217.0769.85",
        "756⁄9217⁄0769⁄85",
        "756\", \"9217\", \"0769\", \"85",
    ] {
        let text = format!("siehe {number} bitte");
        let found = kinds(&text);
        assert!(found.iter().any(|(kind, _)| *kind == Kind::Ahv), "{number}: {found:?}");
    }
}

#[test]
fn the_words_beside_it_make_a_date_a_birth() {
    let born = "Sie ist geboren am 12. Oktober 1970 in Chur.";
    assert!(kinds(born).contains(&(Kind::DateOfBirth, "12. Oktober 1970")));
    let met = kinds("Die Sitzung ist am 12.10.2024.");
    assert!(met.iter().all(|(kind, _)| *kind != Kind::DateOfBirth), "{met:?}");
}

#[test]
fn plain_questions_hold_nothing_that_leads_to_a_person() {
    for text in [
        "Was kostet ein Parkplatz in der Zone 3?",
        "Quel est le délai selon l'article 12, alinéa 3 ?",
        "The fee is CHF 120.50 and the period 30 days.",
        "Il regolamento entra in vigore tra 30 giorni.",
    ] {
        let found = scan(text);
        assert!(found.iter().all(|one| !one.kind.is_direct()), "{text}: {found:?}");
    }
}

#[test]
fn what_is_near_a_change_is_scanned_as_the_whole_is() {
    let filler = "Nothing of note is said in this sentence, which is only here to be long. ";
    let found = "My name is Hannah Whitfield and I live in Berlin. ";
    let text = format!("{}{found}{}{found}{}", filler.repeat(9), filler.repeat(9), filler);
    let all = scan(&text);
    let changed = |range: Range<usize>| {
        let change = Change { was: range.clone(), is: range };
        scan_changed(&text, &[change], &Kept::default()).0
    };
    assert_eq!(changed(0..text.len()), all);
    let first = filler.len() * 9..filler.len() * 9 + found.len();
    let near = changed(first.clone());
    let within: Vec<Finding> =
        all.iter().filter(|one| first.contains(&one.range.start)).cloned().collect();
    assert!(within.iter().any(|one| one.kind == Kind::Person), "{all:?}");
    assert_eq!(near, within);
    assert!(scan_changed(&text, &[], &Kept::default()).0.len() < all.len());
}

const PIECES: [&str; 16] = [
    "My name is Hannah Whitfield and I live in Berlin. ",
    "Name: Urs Müller\nStrasse: Bahnhofstrasse 12, 8001 Zürich\n",
    "Meine AHV-Nummer ist 756.9217.0769.85, ",
    "CH93 0076 2011 6238 5295 7 ",
    "le 12 mars 1970 à La Chaux-de-Fonds, ",
    "Dr. med. Anna-Maria Rossi (geb. 3.4.1981) ",
    "the fee is due within 30 days. ",
    "tel. 044 668 18 00\n\n",
    "x@example.ch ",
    "NOTHING IS SMALL HERE ",
    "nothing is large here ",
    "&#55;56 \\u0037 ",
    "St. ",
    "Gallen ",
    "e\u{301}",
    "\n",
];

proptest::proptest! {
    /// Texts whose findings are replaced, some or all, as a shield does it: what was kept of the
    /// scan before changes nothing.
    #[test]
    fn what_was_seen_before_is_what_would_be_seen_again(
        pieces in proptest::collection::vec(0..PIECES.len(), 1..24),
        taken in proptest::collection::vec(proptest::bool::ANY, 64),
        marks in proptest::collection::vec(0..4_usize, 64),
    ) {
        let mut text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let (mut found, mut kept) = scan_keeping(&text);
        for pass in 0..3 {
            let (mut out, mut at, mut changes) = (String::new(), 0, Vec::new());
            for (number, one) in found.iter().enumerate() {
                if !taken[(number + pass * 7) % taken.len()] {
                    continue;
                }
                out.push_str(&text[at..one.range.start]);
                let from = out.len();
                out.push_str(["[PERSON]", "", "Anna", "7"][marks[number % marks.len()]]);
                changes.push(Change { was: one.range.clone(), is: from..out.len() });
                at = one.range.end;
            }
            out.push_str(&text[at..]);
            let anew = scan_changed(&out, &changes, &Kept::default());
            let again = scan_changed(&out, &changes, &kept);
            proptest::prop_assert_eq!(&again.0, &anew.0, "{:?}", out);
            (text, found, kept) = (out, again.0, again.1);
        }
    }
}

/// A text that a recogniser could lose itself in takes no longer than others of its length.
#[test]
fn hostile_text_takes_linear_time() {
    let texts = [
        "1 ", "@", "a@", "7", "CH9", "756.", "1-", "[at]", "&#", "(", "+4", "::", "a.", "ZH", "\\",
        "\\u",
    ];
    for unit in texts {
        let text = unit.repeat(20_000 / unit.len());
        let started = Instant::now();
        let found = scan(&text);
        assert!(started.elapsed() < Duration::from_secs(8), "{unit:?}: {:?}", started.elapsed());
        assert!(found.len() <= text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_scanned_into_ordered_parts_of_it(text in "\\PC{0,80}|[0-9 .&#;@+-]{0,80}") {
        let mut end = 0;
        for one in scan(&text) {
            prop_assert!(one.range.start >= end && one.range.end <= text.len());
            prop_assert!(text.is_char_boundary(one.range.start));
            prop_assert!(text.is_char_boundary(one.range.end));
            end = one.range.end;
        }
        let folded = Folded::new(&text);
        prop_assert!(folded.len() <= text.chars().count());
    }
}
