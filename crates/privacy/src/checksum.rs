//! Checksums of identifiers.

/// Luhn's sum over decimal digits (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let doubled = |(place, digit): (usize, &u8)| match (place % 2, u32::from(digit - b'0')) {
        (0, value) => value,
        (_, value) => value * 2 - if value > 4 { 9 } else { 0 },
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// The check digit of EAN-13 (GS1): weights 1 and 3 in turn.
pub(crate) fn ean13(digits: &[u8]) -> bool {
    let weighed =
        |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 };
    digits.len() == 13 && digits.iter().enumerate().map(weighed).sum::<u32>().is_multiple_of(10)
}

/// ISO 7064 mod 97,10 over an IBAN: the first four letters go to the end, letters count from 10.
pub(crate) fn iban(text: &[u8]) -> bool {
    let turned = text.iter().skip(4).chain(&text[..4]);
    let rest = turned.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    rest == 1
}

/// ISO 7064 mod 11,10, whose last digit is the check digit.
pub(crate) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(digit - b'0') + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(check - b'0')
}

/// What a German Steuer-ID keeps to beside its check digit: it does not begin with 0, and of its
/// first ten digits exactly one stands there two or three times (never three in a row).
pub(crate) fn tax_id_digits(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in &digits[..10] {
        counts[usize::from(digit - b'0')] += 1;
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or(0);
    let row = digits[..10].windows(3).any(|three| three[0] == three[1] && three[1] == three[2]);
    digits[0] != b'0' && repeated == 1 && most <= 3 && !row
}

/// Weights 7, 3, 1 over digits and letters (ICAO 9303); the last is the check digit.
pub(crate) fn seven_three_one(text: &[u8]) -> bool {
    let Some((check, rest)) = text.split_last() else { return false };
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter.to_ascii_uppercase() - b'A') + 10,
    };
    let weights = [7, 3, 1].into_iter().cycle();
    let sum: u32 = rest.iter().zip(weights).map(|(byte, weight)| value(byte) * weight).sum();
    check.is_ascii_digit() && sum % 10 == u32::from(check - b'0')
}

/// The key of a French NIR of 15: 97 less the remainder of the first 13 by 97. Corsica's 2A counts
/// as 19, 2B as 18.
pub(crate) fn nir(text: &[u8]) -> bool {
    let mut number = [0_u8; 13];
    number.copy_from_slice(&text[..13]);
    match number[6].to_ascii_uppercase() {
        b'A' => (number[5], number[6]) = (b'1', b'9'),
        b'B' => (number[5], number[6]) = (b'1', b'8'),
        _ => {}
    }
    if !number.iter().chain(&text[13..]).all(u8::is_ascii_digit) {
        return false;
    }
    let value = |digits: &[u8]| digits.iter().fold(0_u64, |sum, d| sum * 10 + u64::from(d - b'0'));
    97 - value(&number) % 97 == value(&text[13..])
}

/// The check letter of an Italian codice fiscale of 16 (decree of 23 December 1976): letters at odd
/// places count by a table of their own.
pub(crate) fn tax_code(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter.to_ascii_uppercase() - b'A'),
    };
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => ODD[value(*byte) as usize],
            _ => value(*byte),
        })
        .sum();
    text[15].is_ascii_alphabetic() && sum % 26 == value(text[15])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples: those of the card networks' test numbers, the IBAN registry, the Swiss
    /// Central Compensation Office, the German Federal Central Tax Office, the specimen identity
    /// card, and the textbook examples of NIR and codice fiscale.
    #[test]
    fn published_examples_hold_and_a_changed_digit_does_not() {
        type Check = fn(&[u8]) -> bool;
        let cases: [(Check, &str); 12] = [
            (luhn, "4111111111111111"),
            (luhn, "378282246310005"),
            (ean13, "7569217076985"),
            (iban, "CH9300762011623852957"),
            (iban, "DE89370400440532013000"),
            (iban, "GB29NWBK60161331926819"),
            (mod_11_10, "86095742719"),
            (seven_three_one, "T220001293"),
            (nir, "255081416802538"),
            (nir, "185052A00810650"),
            (tax_code, "RSSMRA85T10A562S"),
            (tax_code, "MRTMTT91D08F205J"),
        ];
        for (check, text) in cases {
            assert!(check(text.as_bytes()), "{text}");
            let mut changed = text.as_bytes().to_vec();
            let last = changed.len() - 1;
            changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
            assert!(!check(&changed), "{text} with another last letter");
        }
        assert!(tax_id_digits(b"86095742719"));
        assert!(!tax_id_digits(b"12345678901"), "no digit stands twice");
    }
}
