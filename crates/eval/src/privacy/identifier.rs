//! Identifiers made by their rules, and typed as people type them.
//!
//! The check digits are computed here by the published rules and not by the recognisers' code, so
//! that a mistake in one is not met by the same mistake in the other.

use super::random::Random;

/// An identifier of a kind, typed somehow.
pub(super) fn identifier(name: &str, random: &mut Random) -> String {
    match name {
        "ahv" => typed(&ahv(random), &[3, 7, 11], '.', random),
        "iban" => typed(&iban(random), &[4, 8, 12, 16, 20, 24], ' ', random),
        "card" => typed(&card(random), &[4, 8, 12], ' ', random),
        "tax_id" => typed(&tax_id(random), &[2, 5, 8], ' ', random),
        "id_card" => id_card(random),
        "nir" => typed(&nir(random), &[1, 3, 5, 7, 10, 13], ' ', random),
        "cf" => tax_code(random),
        "ssn" => {
            let form = format!("{}##-4#-###7", 1 + random.below(5));
            super::values::fill(&form, random)
        }
        "licence" => format!("{}{}", random.pick(&["F", "U", "D"]), digits(random, 12)),
        "ip" => {
            let mut part = || (1 + random.below(254)).to_string();
            [part(), part(), part(), part()].join(".")
        }
        other => unreachable!("templates name no `{other}`: a test fills them all"),
    }
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
}

fn values(text: &str) -> Vec<u32> {
    text.chars().map(|char| char.to_digit(36).expect("letters and digits")).collect()
}

fn ahv(random: &mut Random) -> String {
    let body = format!("756{}", digits(random, 9));
    let sum: u32 =
        values(&body).iter().enumerate().map(|(i, v)| if i % 2 == 1 { v * 3 } else { *v }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn card(random: &mut Random) -> String {
    let (head, length) =
        random.pick(&[("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("3530", 16)]);
    let body = format!("{head}{}", digits(random, length - 1 - head.len()));
    let doubled = |v: u32| if v > 4 { v * 2 - 9 } else { v * 2 };
    let reversed = values(&body).into_iter().rev().enumerate();
    let sum: u32 = reversed.map(|(i, v)| if i % 2 == 0 { doubled(v) } else { v }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// Check digits over the number as text, 97 at a time.
fn iban(random: &mut Random) -> String {
    let (country, length) =
        random.pick(&[("CH", 21), ("DE", 22), ("FR", 27), ("LI", 21), ("AT", 20), ("IT", 27)]);
    let mut body = digits(random, length - 4);
    if country == "IT" {
        body.replace_range(..1, "X");
    }
    let expanded: String =
        values(&format!("{body}{country}00")).iter().map(ToString::to_string).collect();
    let rest = expanded.bytes().fold(0, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97);
    format!("{country}{:02}{body}", 98 - rest)
}

/// Ten digits of which one stands twice and one is missing, then the check digit.
fn tax_id(random: &mut Random) -> String {
    let mut body: Vec<u32> = (0..10).collect();
    for index in (1..10).rev() {
        body.swap(index, random.below(index + 1));
    }
    if body[0] == 0 {
        body.swap(0, 5);
    }
    body[9] = body[2];
    let mut product = 10;
    for digit in &body {
        let sum = (digit + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    let check = (11 - product) % 10;
    body.iter().chain([&check]).map(ToString::to_string).collect()
}

fn id_card(random: &mut Random) -> String {
    let body = format!("{}{}", random.pick(&["T", "L", "N", "C"]), digits(random, 8));
    let weights = [7, 3, 1].into_iter().cycle();
    let sum: u32 = values(&body).iter().zip(weights).map(|(value, weight)| value * weight).sum();
    format!("{body}{}", sum % 10)
}

fn nir(random: &mut Random) -> String {
    let sex = 1 + random.below(2);
    let (year, month) = (random.below(100), 1 + random.below(12));
    let (place, counted) = match random.below(8) {
        0 => ("2A", "19".to_owned()),
        1 => ("2B", "18".to_owned()),
        2 => ("75", "75".to_owned()),
        _ => ("69", "69".to_owned()),
    };
    let rest = digits(random, 6);
    let head = format!("{sex}{year:02}{month:02}");
    let number: u64 = format!("{head}{counted}{rest}").parse().expect("13 digits");
    format!("{head}{place}{rest}{:02}", 97 - number % 97)
}

/// The values of letters at odd places, from the decree's table: A to Z.
const ODD: &str = "010005070913151719210204182011030608121416102225242323";

fn tax_code(random: &mut Random) -> String {
    let letters = |random: &mut Random| -> String {
        (0..6).map(|_| random.pick(&['R', 'S', 'M', 'B', 'C', 'L', 'N', 'T', 'P', 'A'])).collect()
    };
    let month = random.pick(&["A", "B", "C", "D", "E", "H", "L", "M", "P", "R", "S", "T"]);
    let mut body = format!(
        "{}{:02}{month}{:02}F{:03}",
        letters(random),
        random.below(100),
        1 + random.below(28),
        100 + random.below(800)
    );
    if random.below(6) == 0 {
        // Omocodia: the last digit becomes its letter.
        let last = body.pop().and_then(|digit| digit.to_digit(10)).expect("a digit ends it");
        body.push(char::from(b"LMNPQRSTUV"[last as usize]));
    }
    let odd = |char: char| -> u32 {
        let value = match char.to_digit(10) {
            Some(digit) => digit as usize,
            None => (char as u8 - b'A') as usize,
        };
        ODD[value * 2..value * 2 + 2].parse().expect("two digits")
    };
    let even = |char: char| char.to_digit(10).unwrap_or_else(|| u32::from(char as u8 - b'A'));
    let places = body.chars().enumerate();
    let sum: u32 = places.map(|(i, char)| if i % 2 == 0 { odd(char) } else { even(char) }).sum();
    let code = format!("{body}{}", char::from(b'A' + (sum % 26) as u8));
    if random.below(8) == 0 { code.to_lowercase() } else { code }
}

/// How a number is typed: mostly in its usual groups or without any, now and then otherwise.
fn typed(number: &str, groups: &[usize], usual: char, random: &mut Random) -> String {
    let mark: &str = match random.below(16) {
        0..=5 => return number.to_owned(),
        6..=9 => &usual.to_string(),
        10 => "-",
        11 => " ",
        12 => "\u{a0}",
        13 => "\u{200b}",
        14 => " - ",
        _ => return number.chars().map(wide).collect(),
    };
    let mut out = String::new();
    for (index, char) in number.chars().enumerate() {
        if groups.contains(&index) {
            out.push_str(mark);
        }
        out.push(char);
    }
    out
}

/// A full-width digit.
fn wide(char: char) -> char {
    match char.to_digit(10) {
        Some(digit) => char::from_u32(0xff10 + digit).expect("ten of them"),
        None => char,
    }
}
