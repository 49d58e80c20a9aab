//! Numbers, sums, dates, times and units, in one form for five languages.

use super::lexicon::columns;
use super::numerals;
use allod_corpus::Language;
use allod_retrieval::analysis::fold;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Francs, or a currency that is not said.
    Money,
    Euro,
    Dollar,
    Pound,
    Percent,
    PerMille,
    Minute,
    Hour,
    Day,
    /// A day on which people work.
    WorkingDay,
    Week,
    Month,
    Year,
    Centimetre,
    Metre,
    Kilometre,
    SquareMetre,
    CubicMetre,
    Litre,
    Gram,
    Kilogram,
    Milligram,
    Millimetre,
    Millilitre,
    Hectare,
    Kilowatt,
    Megawatt,
    KilowattHour,
    MegawattHour,
    GigawattHour,
    Tonne,
    /// `Art. 7`, `Abs. 2`, `§ 5`.
    Article,
    Paragraph,
}

impl Unit {
    /// Whether it measures a weight, a length, an area, a volume or a work.
    pub(crate) fn is_measure(self) -> bool {
        use Unit::{Article, Dollar, Euro, Money, Paragraph, PerMille, Percent, Pound};
        let other = matches!(
            self,
            Money | Euro | Dollar | Pound | Percent | PerMille | Article | Paragraph
        );
        !other && !self.is_time()
    }

    /// Whether it counts time.
    pub(crate) fn is_time(self) -> bool {
        use Unit::{Day, Hour, Minute, Month, Week, WorkingDay, Year};
        matches!(self, Minute | Hour | Day | WorkingDay | Week | Month | Year)
    }
}

/// What stands in a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// A number with what it counts, if that is said. Hundredths of a hundredth, to compare
    /// exactly.
    Number { value: i64, unit: Option<Unit> },
    /// A month or a weekday by name: 1 to 12, 21 to 27.
    Name(u8),
    /// A place in a row, from 1: `third`.
    Ordinal(u8),
}

/// A quantity and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) value: Value,
    /// The other number that `1.500` or `1,500` may be, or noon and after for `8 p.m.`.
    other: Option<i64>,
    /// The half of the day that is said: `a.m.`, `p.m.`.
    half: Option<Half>,
    start: usize,
    end: usize,
}

/// Before or after noon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
}

impl Quantity {
    /// Whether this one, of the cited text, says the same as one of a sentence. A unit that one of
    /// the two leaves out does not differ.
    pub(crate) fn same(&self, other: &Quantity) -> bool {
        match (self.value, other.value) {
            (Value::Number { value: a, unit: u }, Value::Number { value: b, unit: v }) => {
                let halves = self.half.zip(other.half).is_none_or(|(own, their)| own == their);
                let alike = a == b || self.other == Some(b) || other.other == Some(a);
                alike && halves && (u == v || u.is_none() || v.is_none())
            }
            (Value::Number { value, .. }, Value::Ordinal(place))
            | (Value::Ordinal(place), Value::Number { value, .. }) => {
                value == i64::from(place) * 10_000
            }
            (a, b) => a == b,
        }
    }

    /// Whether it is of the kind that could stand in its place.
    pub(crate) fn same_kind(&self, other: &Quantity) -> bool {
        match (self.value, other.value) {
            (Value::Number { value: a, unit: u }, Value::Number { value: b, unit: v }) => {
                u == v || u.is_none() || v.is_none() || a == b
            }
            (Value::Name(a), Value::Name(b)) => (a > 20) == (b > 20),
            (Value::Ordinal(_), Value::Ordinal(_)) => true,
            _ => false,
        }
    }

    /// Its first byte.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn shown<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }
}

/// A run of letters, of digits, or one sign.
struct Token {
    folded: String,
    start: usize,
    end: usize,
}

/// The quantities of a text.
pub(crate) fn quantities(text: &str, language: Language) -> Vec<Quantity> {
    let tokens = tokens(text);
    let words: Vec<&str> = tokens.iter().map(|token| token.folded.as_str()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (values, used) = read(&words, at, language);
        let (start, end) = (tokens[at].start, tokens[at + used - 1].end);
        let other = other_reading(&words, at);
        let half = half_of_day(&words, at + used);
        let quantity = |value| Quantity { value, other, half, start, end };
        found.extend(values.into_iter().map(quantity));
        at += used;
    }
    found
}

/// The values that begin at a token, and how many tokens say them.
fn read(words: &[&str], at: usize, language: Language) -> (Vec<Value>, usize) {
    let word_at = |at: usize| words.get(at).copied();
    let (before, after) = (at.checked_sub(1).and_then(word_at), word_at(at + 1));
    if !is_digits(words[at]) {
        return word(words, at, before, language);
    }
    if let Some(time) = hours_and_minutes(words[at], after, word_at(at + 2)) {
        return (vec![time], 3);
    }
    if let Some(sum) = sum_with_cents(words[at], after, word_at(at + 2), word_at(at + 3)) {
        return (vec![sum], 3);
    }
    if let Some((scale, used)) = after.and_then(|word| magnitude(word, word_at(at + 2)))
        && let Some(value) = scaled(words[at]).and_then(|value| value.checked_mul(scale))
    {
        return (vec![counted(value, before, word_at(at + 1 + used))], 1 + used);
    }
    (digits(words[at], before, after), 1)
}

/// `million`, `milliards de`: how many, and by how many words it is said.
fn magnitude(word: &str, next: Option<&str>) -> Option<(i64, usize)> {
    let begins = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    let scale = match word {
        "mio" => 1_000_000,
        "mrd" | "mia" | "bn" | "billion" => 1_000_000_000,
        "thousand" | "tausend" => 1_000,
        _ if begins(&["million", "milion", "milliun"]) => 1_000_000,
        _ if begins(&["milliard", "miliard"]) => 1_000_000_000,
        _ => return None,
    };
    let linked = matches!(next, Some("de" | "di" | "d" | "da"));
    Some((scale, 1 + usize::from(linked)))
}

/// A number with what stands before and behind it; hundredths of a coin's unit as the unit.
fn counted(value: i64, before: Option<&str>, after: Option<&str>) -> Value {
    if after.is_some_and(is_cents) {
        return Value::Number { value: value / 100, unit: Some(Unit::Money) };
    }
    if after.is_some_and(is_pence) {
        return Value::Number { value: value / 100, unit: Some(Unit::Pound) };
    }
    Value::Number { value, unit: unit(before, after) }
}

fn is_pence(word: &str) -> bool {
    matches!(word, "pence" | "penny" | "pennies")
}

fn is_cents(word: &str) -> bool {
    let cents = ["rappen", "raps", "rap", "centimes", "centime", "centesimi", "centesimo"];
    cents.contains(&word)
}

/// `3 francs 50` is `3.50`.
fn sum_with_cents(
    whole: &str,
    unit: Option<&str>,
    cents: Option<&str>,
    next: Option<&str>,
) -> Option<Value> {
    let cents = cents.filter(|c| c.len() == 2 && c.bytes().all(|b| b.is_ascii_digit()))?;
    let money = matches!(unit.and_then(unit_of_word), Some(Unit::Money | Unit::Euro));
    let counts = next.is_some_and(|next| unit_of_word(next).is_some());
    let value = scaled(whole)? + scaled(cents)? / 100;
    (money && !counts && !whole.contains(['.', ',']))
        .then_some(Value::Number { value, unit: unit.and_then(unit_of_word) })
}

/// What else a number may mean: three digits after a point or comma may be thousands, and an hour
/// may be after noon.
fn other_reading(words: &[&str], at: usize) -> Option<i64> {
    let token = words[at];
    if let Some((whole, rest)) = token.split_once(['.', ','])
        && rest.len() == 3
        && whole.len() <= 3
        && rest.bytes().all(|byte| byte.is_ascii_digit())
    {
        return scaled(&format!("{whole}{rest}"));
    }
    let afternoon = words.get(at + 1) == Some(&"pm")
        || (words.get(at + 1) == Some(&"p") && words.get(at + 2) == Some(&"m"));
    let hour = scaled(token).filter(|hour| *hour < 12 * 10_000)?;
    afternoon.then_some(hour + 12 * 10_000)
}

/// `a.m.` or `p.m.` behind a time.
fn half_of_day(words: &[&str], at: usize) -> Option<Half> {
    let second = words.get(at + 1).copied();
    match words.get(at).copied()? {
        "am" => Some(Half::Morning),
        "pm" => Some(Half::Afternoon),
        "a" if second == Some("m") => Some(Half::Morning),
        "p" if second == Some("m") => Some(Half::Afternoon),
        _ => None,
    }
}

fn is_digits(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit())
}

/// `8 h 30` and `8h30`, which is `08:30`.
fn hours_and_minutes(hours: &str, mark: Option<&str>, minutes: Option<&str>) -> Option<Value> {
    let minutes = minutes.filter(|m| m.len() == 2 && m.bytes().all(|b| b.is_ascii_digit()))?;
    let marked = matches!(mark, Some("h" | "heures"));
    let value = clock(scaled(hours)?, minutes)?;
    marked.then_some(Value::Number { value, unit: None })
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((start, first)) = characters.next() {
        let mut end = start + first.len_utf8();
        if is_iso_date(&text[start..]) && !text[..start].ends_with(char::is_alphanumeric) {
            end = start + ISO_BYTES;
            while characters.next_if(|(at, _)| *at < end).is_some() {}
        } else if first.is_alphanumeric() {
            let digit = first.is_ascii_digit();
            while let Some((at, next)) = characters.peek().copied() {
                let inner = digit
                    && ".,:'’".contains(next)
                    && followed_by_digit(text, at + next.len_utf8());
                let more = next.is_alphanumeric() && next.is_ascii_digit() == digit;
                if !inner && !more {
                    break;
                }
                end = at + next.len_utf8();
                characters.next();
            }
        } else if !"%§€‰$£".contains(first) {
            continue;
        }
        let folded = fold(&text[start..end].to_lowercase());
        match tokens.last_mut() {
            Some(last) if is_thousands(last, &folded, &text[last.end..start]) => {
                last.folded.push_str(&folded);
                last.end = end;
            }
            _ => tokens.push(Token { folded, start, end }),
        }
    }
    join_shares(&mut tokens);
    tokens
}

/// `2 pour mille` is `2 ‰`.
fn join_shares(tokens: &mut Vec<Token>) {
    let mut at = 1;
    while at + 1 < tokens.len() {
        let sign = match (tokens[at].folded.as_str(), tokens[at + 1].folded.as_str()) {
            ("pour" | "per" | "pro", "cent" | "cento" | "tschient") => "%",
            ("pour" | "per" | "pro", "mille" | "mil" | "milli") => "‰",
            _ => "",
        };
        if !sign.is_empty() && is_digits(&tokens[at - 1].folded) {
            tokens[at].end = tokens.remove(at + 1).end;
            tokens[at].folded = sign.to_owned();
        }
        at += 1;
    }
}

/// `45 000`: up to three digits, one blank, three digits.
fn is_thousands(last: &Token, next: &str, between: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    next.len() == 3
        && digits(next)
        && digits(&last.folded)
        && (1..=3).contains(&last.folded.len())
        && !last.folded.starts_with('0')
        && matches!(between, " " | "\u{a0}" | "\u{202f}" | "\u{2009}")
}

/// How long `2026-03-01` is.
const ISO_BYTES: usize = 10;

/// Whether a text begins with a date such as `2026-03-01`.
fn is_iso_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    bytes.len() >= ISO_BYTES
        && bytes[..ISO_BYTES].iter().enumerate().all(shape)
        && !followed_by_digit(text, ISO_BYTES)
}

fn followed_by_digit(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

/// A token of digits: a number with its unit, a date `01.02.2026` as day, month and year, a time
/// `08:30` as hour and minute.
fn digits(token: &str, before: Option<&str>, after: Option<&str>) -> Vec<Value> {
    let plain = |value| Value::Number { value, unit: None };
    let mut parts: Vec<&str> = token.split('.').collect();
    if parts.len() == 1 {
        parts = token.split('-').rev().collect();
    }
    if let [day, month, year] = parts[..] {
        let month = month.parse::<u8>().ok().filter(|m| (1..=12).contains(m));
        let (day, year) = (scaled(day), scaled(year));
        return match (day, month, year) {
            (Some(day), Some(month), Some(year)) => {
                vec![plain(day), Value::Name(month), plain(year)]
            }
            _ => Vec::new(),
        };
    }
    if let Some((hour, minute)) = token.split_once(':') {
        return scaled(hour).and_then(|h| clock(h, minute)).map(plain).into_iter().collect();
    }
    // `al 30 giugno` is a day and no `al. 30`.
    let month = after.is_some_and(|word| position(MONTHS, word, Language::Other).is_some());
    // `8.30 Uhr` is a time of day, as `08:30`.
    let hours = matches!(after, Some("uhr" | "h" | "heures" | "ore" | "uras" | "am" | "pm"));
    if hours && let Some((hour, minute)) = token.split_once(['.', ',']) {
        return scaled(hour).and_then(|h| clock(h, minute)).map(plain).into_iter().collect();
    }
    let value = scaled(token).map(|value| match month {
        true => Value::Number { value, unit: None },
        false => counted(value, before, after),
    });
    value.into_iter().collect()
}

/// A time of day as a number of its own kind: hours in whole numbers, minutes in the decimals.
fn clock(hour: i64, minute: &str) -> Option<i64> {
    Some(hour + scaled(minute)? / 100)
}

/// A number in ten-thousandths; `None` if it is too large to be one.
fn scaled(token: &str) -> Option<i64> {
    let clean: String = token.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let (whole, decimals) = clean.split_once(['.', ',']).unwrap_or((&clean, ""));
    let mut decimals: String = decimals.chars().take(4).collect();
    while decimals.len() < 4 {
        decimals.push('0');
    }
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(10_000)?.checked_add(decimals.parse().ok()?)
}

fn unit(before: Option<&str>, after: Option<&str>) -> Option<Unit> {
    match before {
        Some("chf" | "fr") => return Some(Unit::Money),
        Some("eur" | "€") => return Some(Unit::Euro),
        Some("usd" | "$") => return Some(Unit::Dollar),
        Some("gbp" | "£") => return Some(Unit::Pound),
        _ => {}
    }
    match before {
        Some("§" | "art" | "artikel" | "article" | "articolo" | "artitgel" | "section") => {
            return Some(Unit::Article);
        }
        Some("abs" | "absatz" | "al" | "alinea" | "cpv" | "capoverso" | "paragraph") => {
            return Some(Unit::Paragraph);
        }
        _ => {}
    }
    after.and_then(unit_of_word)
}

/// The unit that a word names.
pub(crate) fn unit_of_word(word: &str) -> Option<Unit> {
    let begins = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    Some(match word {
        "chf" | "fr" | "franc" | "francs" | "franchi" | "franco" => Unit::Money,
        "eur" | "€" | "euro" | "euros" => Unit::Euro,
        "gbp" | "pound" | "pounds" | "pfund" | "sterling" | "sterline" => Unit::Pound,
        "raps" | "rap" | "centimes" | "centime" | "centesimi" | "centesimo" => Unit::Money,
        "ha" => Unit::Hectare,
        "mg" => Unit::Milligram,
        "mm" => Unit::Millimetre,
        "ml" => Unit::Millilitre,
        "kw" => Unit::Kilowatt,
        "mw" => Unit::Megawatt,
        "kwh" => Unit::KilowattHour,
        "mwh" => Unit::MegawattHour,
        "gwh" => Unit::GigawattHour,
        "usd" | "dollar" | "dollars" | "dollari" => Unit::Dollar,
        "%" => Unit::Percent,
        "‰" | "promille" | "permille" | "permilli" => Unit::PerMille,
        "cm" => Unit::Centimetre,
        "g" => Unit::Gram,
        "m" => Unit::Metre,
        "km" => Unit::Kilometre,
        "m2" | "qm" => Unit::SquareMetre,
        "m3" => Unit::CubicMetre,
        "l" | "lt" => Unit::Litre,
        "kg" => Unit::Kilogram,
        "an" | "ans" | "anno" | "anni" | "onn" | "onns" => Unit::Year,
        "mois" | "mese" | "mesi" | "mais" => Unit::Month,
        "tag" | "tage" | "tagen" | "tages" | "day" | "days" | "di" | "dis" => Unit::Day,
        "ora" | "ore" | "ura" | "uras" => Unit::Hour,
        _ if begins(&["franken", "rappen"]) => Unit::Money,
        _ if begins(&["hektar", "hectare", "ettar"]) => Unit::Hectare,
        _ if begins(&["milligram"]) => Unit::Milligram,
        _ if begins(&["millimet", "millimetr"]) => Unit::Millimetre,
        _ if begins(&["prozent", "percent", "pourcent", "pertschient"]) => Unit::Percent,
        _ if begins(&["minut"]) => Unit::Minute,
        _ if begins(&["stund", "heure", "hour"]) => Unit::Hour,
        "working" | "business" => Unit::WorkingDay,
        _ if begins(&["arbeitstag", "werktag"]) => Unit::WorkingDay,
        _ if begins(&["kalendertag", "jour", "giorn"]) => Unit::Day,
        _ if begins(&["woche", "semaine", "settiman", "emna", "week"]) => Unit::Week,
        _ if begins(&["monat", "month"]) => Unit::Month,
        _ if begins(&["jahr", "annee", "year"]) => Unit::Year,
        _ if begins(&["quadratmeter"]) => Unit::SquareMetre,
        _ if begins(&["kubikmeter"]) => Unit::CubicMetre,
        _ if begins(&["kilometer", "kilometre", "chilometr"]) => Unit::Kilometre,
        _ if begins(&["zentimeter", "centimetre", "centimetr", "centimeter"]) => Unit::Centimetre,
        _ if begins(&["tonne", "tonnellat", "tonna"]) => Unit::Tonne,
        _ if begins(&["gramm", "gram"]) => Unit::Gram,
        _ if begins(&["meter", "metre", "metri", "metro", "meters"]) => Unit::Metre,
        _ if begins(&["liter", "litre", "litri", "litro", "liters"]) => Unit::Litre,
        _ if begins(&["kilo", "chilo"]) => Unit::Kilogram,
        _ => return None,
    })
}

/// A month, a weekday, or a number in words. `ein`, `un`, `one` are articles too often to count,
/// but not before a time.
fn word(
    words: &[&str],
    at: usize,
    before: Option<&str>,
    language: Language,
) -> (Vec<Value>, usize) {
    let token = words[at];
    if let Some(month) = position(MONTHS, token, language) {
        return (vec![Value::Name(month + 1)], 1);
    }
    if let Some(day) = position(WEEKDAYS, token, language) {
        return (vec![Value::Name(day + 21)], 1);
    }
    if let Some(part) = fraction(words, at, language) {
        return (vec![part], 2);
    }
    if let Some((value, used)) = numerals::number(&words[at..], language) {
        let next = |at: usize| words.get(at).copied();
        let (scale, more) =
            next(at + used).and_then(|w| magnitude(w, next(at + used + 1))).unwrap_or((1, 0));
        let value = (value * 10_000).saturating_mul(scale);
        return (vec![counted(value, before, next(at + used + more))], used + more);
    }
    if stands_in(&HALF, token, language) {
        return (vec![Value::Number { value: 50 * 10_000, unit: Some(Unit::Percent) }], 1);
    }
    let time = words.get(at + 1).and_then(|after| unit_of_word(after)).filter(|u| u.is_time());
    if let (true, Some(unit)) = (stands_in(&ONE, token, language), time) {
        return (vec![Value::Number { value: 10_000, unit: Some(unit) }], 1);
    }
    if let Some(times) = times(token, language) {
        return (vec![Value::Number { value: times * 10_000, unit: None }], 1);
    }
    let ordinal = numerals::ordinal(token, language);
    (ordinal.map(Value::Ordinal).into_iter().collect(), 1)
}

/// `zweimal`, `twice`: how often.
fn times(word: &str, language: Language) -> Option<i64> {
    match (language, word) {
        (Language::En, "twice") => Some(2),
        (Language::En, "thrice") => Some(3),
        (Language::De, _) => {
            let count = word.strip_suffix("mal")?;
            numerals::number(&[count], language).map(|(count, _)| count)
        }
        _ => None,
    }
}

/// `two thirds`, `ein Viertel`: a share, as per cent.
fn fraction(words: &[&str], at: usize, language: Language) -> Option<Value> {
    let part = words.get(at + 1)?;
    let below = FRACTIONS.iter().find(|(_, names)| stands_in(names, part, language))?.0;
    let one = stands_in(&ONE, words[at], language) || words[at] == "a";
    let count = match numerals::number(&words[at..=at], language) {
        Some((count, 1)) => count,
        _ if one => 1,
        _ => return None,
    };
    let value = count * 100 * 10_000 / below;
    (count < below).then_some(Value::Number { value, unit: Some(Unit::Percent) })
}

/// Parts of a whole behind how many of them.
const FRACTIONS: &[(i64, [&str; 5])] = &[
    (3, ["drittel dritteln drittels", "tiers", "terzo terzi", "terz terzs", "third thirds"]),
    (4, ["viertel vierteln", "quart quarts", "quarto quarti", "quart quarts", "quarter quarters"]),
    (5, ["funftel funfteln", "cinquieme cinquiemes", "quinto quinti", "", "fifth fifths"]),
    (10, ["zehntel zehnteln", "dixieme dixiemes", "decimo decimi", "", "tenth tenths"]),
];

const ONE: [&str; 5] =
    ["ein eine einem einen einer eines", "un une", "un uno una", "in ina", "one"];
const HALF: [&str; 5] = ["halfte", "moitie", "meta", "mesadad", "half"];

/// Whether a word is an article that may count as one.
pub(super) fn is_one(word: &str, language: Language) -> bool {
    stands_in(&ONE, word, language)
}

fn position(lists: &[[&str; 5]], token: &str, language: Language) -> Option<u8> {
    let at = lists.iter().position(|words| stands_in(words, token, language))?;
    u8::try_from(at).ok()
}

fn stands_in(words: &[&str; 5], token: &str, language: Language) -> bool {
    words[columns(language)].iter().any(|list| list.split(' ').any(|word| word == token))
}

/// By language: German, French, Italian, Romansh, English.
const MONTHS: &[[&str; 5]] = &[
    ["januar janner", "janvier", "gennaio", "schaner", "january"],
    ["februar", "fevrier", "febbraio", "favrer", "february"],
    ["marz", "mars", "marzo", "mars", "march"],
    ["april", "avril", "aprile", "avrigl", "april"],
    ["mai", "mai", "maggio", "matg", "may"],
    ["juni", "juin", "giugno", "zercladur", "june"],
    ["juli", "juillet", "luglio", "fanadur", "july"],
    ["august", "aout", "agosto", "avust", "august"],
    ["september", "septembre", "settembre", "settember", "september"],
    ["oktober", "octobre", "ottobre", "october", "october"],
    ["november", "novembre", "novembre", "november", "november"],
    ["dezember", "decembre", "dicembre", "december", "december"],
];

const WEEKDAYS: &[[&str; 5]] = &[
    ["montag montags", "lundi lundis", "lunedi", "glindesdi", "monday mondays"],
    ["dienstag dienstags", "mardi mardis", "martedi", "mardi", "tuesday tuesdays"],
    ["mittwoch mittwochs", "mercredi mercredis", "mercoledi", "mesemna", "wednesday wednesdays"],
    ["donnerstag donnerstags", "jeudi jeudis", "giovedi", "gievgia", "thursday thursdays"],
    ["freitag freitags", "vendredi vendredis", "venerdi", "venderdi", "friday fridays"],
    ["samstag samstags sonnabend", "samedi samedis", "sabato", "sonda", "saturday saturdays"],
    ["sonntag sonntags", "dimanche dimanches", "domenica", "dumengia", "sunday sundays"],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let read = |text| quantities(text, Language::Other);
        let (a, b) = (read(a), read(b));
        assert!(!a.is_empty(), "no quantity in the sentence");
        a.iter().all(|q| b.iter().any(|other| other.same(q)))
    }

    #[test]
    fn one_form_for_many_spellings() {
        for (a, b) in [
            ("CHF 1'200.–", "1200 Franken"),
            ("CHF 2,40", "CHF 2.40"),
            ("drei Tage", "3 Tage"),
            ("1. Januar 2026", "01.01.2026"),
            ("le 15 mars 2026", "15.03.2026"),
            ("08:30 Uhr", "8.30 Uhr"),
            ("8h30", "08:30"),
            ("50 %", "50 Prozent"),
            ("trenta giorni", "30 giorni"),
            ("45 000 Franken", "CHF 45'000"),
            ("CHF 1,000", "1000 francs"),
            ("21,4 Millionen Franken", "CHF 21400000"),
            ("dix millions de francs", "10'000'000 francs"),
            ("50 Rappen", "CHF 0.50"),
            ("3 francs 50", "CHF 3.50"),
            ("8 p.m.", "20.00"),
            ("8 p.m.", "8 pm"),
            ("50 pence", "GBP 0.50"),
            ("2 pour mille", "2 ‰"),
            ("3,5 per cento", "3.5 %"),
            ("2026-03-01", "1. März 2026"),
            ("zwei Drittel", "two thirds"),
            ("un quart", "ein Viertel"),
        ] {
            assert!(same(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn other_values_and_other_units_differ() {
        for (a, b) in [
            ("CHF 120", "CHF 130"),
            ("30 Tage", "30 Monate"),
            ("am Montag", "am Dienstag"),
            ("01.02.2026", "1. März 2026"),
            ("08:30", "09:30"),
            ("5 %", "CHF 5"),
            ("Art. 7", "Art. 8"),
            ("2026-03-01", "1. Mai 2026"),
            ("ein Drittel", "die Hälfte"),
            ("5 Promille", "5 Prozent"),
            ("20 Zentimeter", "20 Meter"),
            ("50 Millionen Franken", "50 Milliarden Franken"),
            ("200 Franken", "200 Rappen"),
            ("5 mg", "5 kg"),
            ("9 a.m.", "9 p.m."),
            ("9 am", "21:00"),
            ("50 pence", "50 pounds"),
            ("10 Arbeitstage", "10 Tage"),
            ("10 working days", "10 days"),
        ] {
            assert!(!same(a, b), "{a} and {b}");
        }
    }
}
