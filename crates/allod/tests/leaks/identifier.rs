//! Identifiers with right checksums, each drawn anew.

use crate::chance::Chance;

/// An identifier that is planted in a request.
#[derive(Clone, Debug)]
pub struct Identifier {
    pub kind: &'static str,
    /// Letters and digits, nothing between.
    pub plain: String,
    /// Words that say what it is.
    pub lead: &'static str,
}

/// A kind, what makes one, and words that say what it is.
type Maker = (&'static str, fn(&mut Chance) -> String, &'static [&'static str]);

const MAKERS: [Maker; 7] = [
    ("ahv", ahv, &["Meine AHV-Nummer ist", "mon numéro AVS:", "AVS"]),
    ("iban", iban, &["IBAN", "Konto", "il mio conto è"]),
    ("credit_card", card, &["Kreditkarte", "my card number is", "carte de crédit"]),
    ("german_tax_id", tax_id, &["Steuer-ID", "my tax id is", "IdNr."]),
    ("german_id_card", id_card, &["Personalausweis", "my id card is", "Ausweis Nr."]),
    ("french_nir", nir, &["numéro de sécurité sociale", "NIR", "sécu :"]),
    ("italian_tax_code", tax_code, &["codice fiscale", "il mio codice è", "C.F."]),
];

/// One of a kind that has a checksum.
pub fn identifier(chance: &mut Chance) -> Identifier {
    let (kind, make, leads) = MAKERS[chance.below(MAKERS.len())];
    Identifier { kind, plain: make(chance), lead: chance.one_of(leads) }
}

fn values(text: &str) -> Vec<u32> {
    text.bytes().map(|byte| u32::from(byte - b'0')).collect()
}

fn ahv(chance: &mut Chance) -> String {
    let body = format!("756{}", chance.digits(9));
    let weighed = values(&body).into_iter().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighed.map(|(value, weight)| value * weight).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn iban(chance: &mut Chance) -> String {
    let (country, length) =
        chance.one_of(&[("CH", 17), ("LI", 17), ("DE", 18), ("FR", 23), ("AT", 16), ("IT", 22)]);
    let bank = if country == "IT" { "X".to_owned() } else { String::new() };
    let account = format!("{bank}{}", chance.digits(length));
    let rest = format!("{account}{country}00").bytes().fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    format!("{country}{:02}{account}", 98 - rest)
}

fn card(chance: &mut Chance) -> String {
    let (head, length) =
        chance.one_of(&[("4", 16), ("51", 16), ("55", 16), ("34", 15), ("37", 15), ("2221", 16)]);
    let body = format!("{head}{}", chance.digits(length - 1 - head.len()));
    let doubled = |(place, value): (usize, u32)| match place % 2 {
        0 => value * 2 - if value > 4 { 9 } else { 0 },
        _ => value,
    };
    let sum: u32 = values(&body).into_iter().rev().enumerate().map(doubled).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn tax_id(chance: &mut Chance) -> String {
    // Ten digits of which one stands there twice and one is missing, then the check digit.
    let mut digits: Vec<u8> = (b'0'..=b'9').collect();
    let missing = chance.below(10);
    digits[missing] = digits[(missing + 1 + chance.below(9)) % 10];
    loop {
        for place in (1..10).rev() {
            digits.swap(place, chance.below(place + 1));
        }
        if digits[0] != b'0' {
            break;
        }
    }
    let product = digits.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(digit - b'0') + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    format!("{}{}", String::from_utf8(digits).unwrap(), (11 - product) % 10)
}

fn id_card(chance: &mut Chance) -> String {
    let letter = char::from(chance.one_of(b"CFGHJKLMNPRTVWXYZ"));
    let body = format!("{letter}{}", chance.digits(8));
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter - b'A') + 10,
    };
    let weights = [7, 3, 1].into_iter().cycle();
    let sum: u32 = body.bytes().zip(weights).map(|(byte, weight)| value(byte) * weight).sum();
    format!("{body}{}", sum % 10)
}

fn nir(chance: &mut Chance) -> String {
    let sex = chance.one_of(&[1, 2]);
    let (year, month) = (chance.below(100), 1 + chance.below(12));
    let (place, rest) = (1 + chance.below(95), chance.digits(6));
    let body = format!("{sex}{year:02}{month:02}{place:02}{rest}");
    format!("{body}{:02}", 97 - body.parse::<u64>().unwrap() % 97)
}

fn tax_code(chance: &mut Chance) -> String {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let name: String = (0..6).map(|_| char::from(chance.one_of(b"BCDFGLMNPRSTVZ"))).collect();
    let month = char::from(chance.one_of(b"ABCDEHLMPRST"));
    let day = 1 + chance.below(28);
    let (year, place) = (chance.digits(2), chance.digits(3));
    let body = format!("{name}{year}{month}{day:02}H{place}");
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter - b'A'),
    };
    let weigh = |(place, byte): (usize, u8)| match place % 2 {
        0 => ODD[value(byte) as usize],
        _ => value(byte),
    };
    let sum: u32 = body.bytes().enumerate().map(weigh).sum();
    format!("{body}{}", char::from(b'A' + (sum % 26) as u8))
}
