//! Letters in the wrappings of other languages: entities of HTML, percents of web addresses,
//! escapes of JSON and of terminals.

/// Longest entity: `&#x10FFFF;`, with some zeros before.
const ENTITY_BYTES_MAX: usize = 16;

/// Most layers of one wrapping that are taken off: `&amp;#55;` has two.
const LAYERS_MAX: usize = 4;

/// Longest escape of a terminal.
const CONTROL_BYTES_MAX: usize = 16;

/// A letter that begins the text in a wrapping, and the bytes of both. `in_number` says whether a
/// digit or a capital stands before it: a wrapped blank counts within numbers only, since elsewhere
/// it may be part of an address or a path.
pub(crate) fn wrapped(text: &str, in_number: bool) -> Option<(char, usize)> {
    let (char, bytes) = match text.as_bytes().first()? {
        b'&' => entity(text),
        b'%' => percent(text, in_number),
        b'\\' => escape(text, in_number),
        0x1b => Some(('\u{1b}', 1)),
        _ => None,
    }?;
    let tail = if char == '\u{1b}' { control(&text[bytes..]) } else { None };
    Some((char, bytes + tail.unwrap_or(0)))
}

/// An entity of HTML.
fn entity(text: &str) -> Option<(char, usize)> {
    let (mut char, mut bytes) = reference(text.get(1..)?)?;
    bytes += 1;
    for _ in 1..LAYERS_MAX {
        let Some((inner, more)) = text.get(bytes..).filter(|_| char == '&').and_then(reference)
        else {
            break;
        };
        (char, bytes) = (inner, bytes + more);
    }
    Some((char, bytes))
}

/// What stands after the `&` of an entity, up to and with its `;`.
fn reference(text: &str) -> Option<(char, usize)> {
    let window = &text.as_bytes()[..text.len().min(ENTITY_BYTES_MAX)];
    let closed = || window.iter().position(|byte| *byte == b';');
    let end = open(window).or_else(closed)?;
    let name = text.get(..end)?;
    let char = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => named(name)?,
    };
    let closed = usize::from(window.get(end) == Some(&b';'));
    Some((char, end + closed))
}

/// Where the number of an entity without `;` ends, as browsers read it.
fn open(window: &[u8]) -> Option<usize> {
    let digits = window.strip_prefix(b"#")?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count >= 2).then_some(1 + count)
}

/// A letter in percents, which stand for the bytes of UTF-8.
fn percent(text: &str, in_number: bool) -> Option<(char, usize)> {
    if let Some(code) = text.strip_prefix("%u").and_then(|rest| rest.get(..4)) {
        return Some((char::from_u32(hexadecimal(code)?)?, 6));
    }
    let mut bytes = [0_u8; 4];
    let mut rest = text;
    for count in 1..=4 {
        bytes[count - 1] = hexadecimal(rest.strip_prefix('%')?.get(..2)?)? as u8;
        rest = &rest[3..];
        // A percent in percents: `%2537`.
        while count == 1 && bytes[0] == b'%' {
            let Some(inner) = rest.get(..2).and_then(hexadecimal) else { break };
            (bytes[0], rest) = (inner as u8, &rest[2..]);
        }
        if let Ok(read) = std::str::from_utf8(&bytes[..count]) {
            let char = read.chars().next()?;
            let between = in_number && rest.starts_with(|c: char| c.is_ascii_digit() || c == '%');
            let taken = char.is_alphanumeric() || char == '@' || between;
            return taken.then_some((char, text.len() - rest.len()));
        }
    }
    None
}

/// An escape of JSON or of a programming language: `\u0037`, `\u{37}`, `\x37`, `\n`.
fn escape(text: &str, in_number: bool) -> Option<(char, usize)> {
    match text.as_bytes().get(1)? {
        b'u' if text[2..].starts_with('{') => {
            let end = text.bytes().take(12).position(|byte| byte == b'}')?;
            Some((char::from_u32(hexadecimal(text.get(3..end)?)?)?, end + 1))
        }
        b'u' => {
            let code = hexadecimal(text.get(2..6)?)?;
            if !(0xd800..0xdc00).contains(&code) {
                return Some((char::from_u32(code)?, 6));
            }
            let low = hexadecimal(text.get(6..12)?.strip_prefix("\\u")?)?.checked_sub(0xdc00)?;
            Some((char::from_u32(0x1_0000 + ((code - 0xd800) << 10) + low)?, 12))
        }
        b'U' => Some((char::from_u32(hexadecimal(text.get(2..10)?)?)?, 10)),
        b'x' => Some((char::from_u32(hexadecimal(text.get(2..4)?)?)?, 4)),
        letter @ (b'n' | b'r' | b't') if in_number => {
            let next = text.as_bytes().get(2)?;
            let char = if *letter == b't' { '\t' } else { '\n' };
            let goes_on = next.is_ascii_digit() || next.is_ascii_uppercase() || *next == b'\\';
            goes_on.then_some((char, 2))
        }
        _ => None,
    }
}

/// The bytes of an escape of a terminal, such as a colour, after its first. It is not shown.
fn control(text: &str) -> Option<usize> {
    // Fences of prompts turn square brackets into round ones.
    let rest = text.strip_prefix(['[', '('])?;
    let end = rest.bytes().take(CONTROL_BYTES_MAX).position(|byte| matches!(byte, 0x40..=0x7e))?;
    Some(end + 2)
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| whole)
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" | "lsquo" | "rsquo" => '\'',
        "period" => '.',
        "sol" => '/',
        "commat" => '@',
        "colon" => ':',
        "lowbar" => '_',
        "hyphen" | "dash" | "ndash" | "mdash" | "minus" => '-',
        "shy" | "zwnj" | "zwj" | "ZeroWidthSpace" => '\u{200b}',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "ccedil" => 'ç',
        "Eacute" => 'É',
        _ => return None,
    })
}
