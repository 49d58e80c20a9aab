//! From when until when a certificate is valid (RFC 5280, 4.1.2.5), read from its DER form.

use jiff::civil::DateTime;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last second, in UTC; `None` if this is no certificate.
pub(super) fn of(certificate: &[u8]) -> Option<(DateTime, DateTime)> {
    let (body, _) = expect(certificate, SEQUENCE)?;
    let (signed, _) = expect(body, SEQUENCE)?;
    let (tag, _, after) = element(signed)?;
    // The version stands first unless it is the oldest.
    let fields = if tag == VERSION { after } else { signed };
    // Serial number, algorithm and issuer stand before.
    let (_, _, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some((from, until))
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().fold(0_u64, |sum, digit| sum << 8 | u64::from(*digit));
            (usize::try_from(length).ok()?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(bytes: &[u8]) -> Option<(DateTime, &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    let text = std::str::from_utf8(content).ok()?;
    let whole = match tag {
        // Two digits of a year stand for 1950 to 2049.
        UTC_TIME if text.as_bytes().first()? >= &b'5' => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some((DateTime::strptime("%Y%m%d%H%M%SZ", whole).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["x.example".into()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_dates_of_a_certificate_are_read_in_both_forms() {
        for (from, until) in [
            ((1975, 2, 3), (2049, 12, 31)),
            ((2049, 1, 1), (2050, 1, 1)),
            ((2000, 1, 1), (9999, 12, 31)),
        ] {
            let (first, last) = of(&certificate(from, until)).unwrap();
            let day = |(year, month, day): (i32, u8, u8)| {
                jiff::civil::date(year as i16, month as i8, day as i8)
            };
            assert_eq!((first.date(), last.date()), (day(from), day(until)));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        let whole = certificate((2020, 1, 1), (2030, 1, 1));
        for end in 0..whole.len() {
            assert_eq!(of(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(of(&[0x30, 0x80, 0, 0]), None);
    }
}
