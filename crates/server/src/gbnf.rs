//! Grammars in llama.cpp's format, GBNF, as Lark's format has them.
//!
//! Both write rules of literals, classes of letters, groups, alternatives and repetitions. What
//! differs: `root` and names with `-`, `::=` over several lines, `#` comments, escapes of letters,
//! and `.`, which in GBNF also stands for a line's end.

/// Bytes that a grammar may have.
const BYTES_MAX: usize = 1 << 16;

/// The same grammar in Lark's format, or why it cannot be written so.
pub(crate) fn lark(grammar: &str) -> Result<String, String> {
    if grammar.len() > BYTES_MAX {
        return Err(format!("the grammar has {} bytes, at most {BYTES_MAX} go", grammar.len()));
    }
    let tokens = tokens(grammar)?;
    let starts: Vec<usize> =
        (1..tokens.len()).filter(|at| tokens[*at] == Token::Is).map(|at| at - 1).collect();
    if starts.first() != Some(&0) {
        return Err("the grammar must begin with a rule, `name ::= …`".into());
    }
    let mut rules = String::new();
    let mut names = Vec::new();
    for (at, start) in starts.iter().enumerate() {
        let Token::Name(name) = &tokens[*start] else {
            return Err("there must be a rule's name before each `::=`".into());
        };
        let end = starts.get(at + 1).copied().unwrap_or(tokens.len());
        rules += &format!("{}:{}\n", renamed(name), body(&tokens[start + 2..end]));
        names.push(name.as_str());
    }
    let known = |name: &str| names.contains(&name);
    if !known("root") {
        return Err("there is no rule `root`".into());
    }
    let unknown = tokens.iter().find_map(|token| match token {
        Token::Name(name) if !known(name) => Some(name),
        _ => None,
    });
    match unknown {
        Some(name) => Err(format!("there is no rule `{name}`")),
        None => Ok(rules),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    Is,
    /// A literal, a class or a sign, as Lark writes it.
    Written(String),
}

/// Rules of Lark have lower-case names without `-`; `start` is where a text begins.
fn renamed(name: &str) -> String {
    if name == "root" {
        return "start".into();
    }
    let letters = name.chars().map(|letter| match letter {
        '-' => "_m".to_owned(),
        '_' => "_u".to_owned(),
        letter if letter.is_ascii_uppercase() => format!("_c{}", letter.to_ascii_lowercase()),
        letter => letter.to_string(),
    });
    format!("r_{}", letters.collect::<String>())
}

fn body(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            Token::Name(name) => text += &format!(" {}", renamed(name)),
            Token::Written(sign) if matches!(sign.as_bytes()[0], b'*' | b'+' | b'?' | b'{') => {
                text += sign;
            }
            Token::Written(sign) => text += &format!(" {sign}"),
            Token::Is => {}
        }
    }
    if text.is_empty() { " \"\"".into() } else { text }
}

fn tokens(grammar: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = grammar;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' | '\t' | '\r' | '\n' => 1,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => quoted(rest, &mut tokens)?,
            '[' => class(rest, &mut tokens)?,
            '{' => repetition(rest, &mut tokens)?,
            ':' if rest.starts_with("::=") => {
                tokens.push(Token::Is);
                3
            }
            '.' => {
                tokens.push(Token::Written("/(?s:.)/".into()));
                1
            }
            '|' | '(' | ')' | '*' | '+' | '?' => {
                tokens.push(Token::Written(first.into()));
                1
            }
            first if first.is_ascii_alphanumeric() => {
                let part = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
                let length = rest.find(|letter| !part(letter)).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            other => return Err(format!("`{other}` is not known here")),
        };
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// A letter as GBNF writes it, and the bytes that it takes there.
fn letter(text: &str) -> Result<(char, usize), String> {
    let mut letters = text.chars();
    let cut = || "the grammar ends within a text or a class".to_owned();
    match letters.next().ok_or_else(cut)? {
        '\\' => {}
        '\n' => return Err("a text or a class goes over a line's end".into()),
        plain => return Ok((plain, plain.len_utf8())),
    }
    let kind = letters.next().ok_or_else(cut)?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'n' => return Ok(('\n', 2)),
        'r' => return Ok(('\r', 2)),
        't' => return Ok(('\t', 2)),
        '"' | '\\' | '[' | ']' | '-' | '^' | '/' | '.' => return Ok((kind, 2)),
        other => return Err(format!("the escape `\\{other}` is not known")),
    };
    let code = text.get(2..2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    let wrong = || format!("`\\{kind}` needs {digits} hexadecimal digits of a character");
    let found = code.and_then(char::from_u32).ok_or_else(wrong)?;
    Ok((found, 2 + digits))
}

fn quoted(text: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let (mut at, mut literal) = (1, String::new());
    while !text[at..].starts_with('"') {
        let (letter, length) = letter(&text[at..])?;
        literal.push(letter);
        at += length;
    }
    tokens.push(Token::Written(serde_json::Value::from(literal).to_string()));
    Ok(at + 1)
}

/// `[a-z]` as a regular expression.
fn class(text: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let negated = text[1..].starts_with('^');
    let (mut at, mut class) = (if negated { 2 } else { 1 }, String::new());
    while !text[at..].starts_with(']') {
        let (first, length) = letter(&text[at..])?;
        at += length;
        class += &format!("\\u{{{:x}}}", u32::from(first));
        let rest = &text[at..];
        if rest.starts_with('-') && !rest.starts_with("-]") {
            let (last, length) = letter(&rest[1..])?;
            at += 1 + length;
            if last < first {
                return Err(format!("the class has a range from `{first}` to `{last}`"));
            }
            class += &format!("-\\u{{{:x}}}", u32::from(last));
        }
    }
    if class.is_empty() {
        return Err("a class is empty".into());
    }
    let sign = if negated { "^" } else { "" };
    tokens.push(Token::Written(format!("/[{sign}{class}]/")));
    Ok(at + 1)
}

fn repetition(text: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let wrong = || "a repetition is `{n}`, `{n,}` or `{n,m}`".to_owned();
    let end = text.find('}').ok_or_else(wrong)?;
    let counts: Vec<&str> = text[1..end].split(',').map(str::trim).collect();
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let written = match counts[..] {
        [count] => format!("{{{}}}", number(count)?),
        [least, ""] => format!("{{{},}}", number(least)?),
        ["", most] => format!("{{0,{}}}", number(most)?),
        [least, most] => format!("{{{},{}}}", number(least)?, number(most)?),
        _ => return Err(wrong()),
    };
    tokens.push(Token::Written(written));
    Ok(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_translated() {
        let grammar = "# a list\nroot ::= \"-\" item-one ws\n   ( \",\" item-one )* # more\n\
                       item-one ::= [a-z0-9_\\]]+ | \"\\\"x\\x41\" | [^\\n\"]{2,3} | .\nws ::= \n";
        let expected = "start: \"-\" r_item_mone r_ws ( \",\" r_item_mone )*\n\
             r_item_mone: /[\\u{61}-\\u{7a}\\u{30}-\\u{39}\\u{5f}\\u{5d}]/+ | \"\\\"xA\" | \
             /[^\\u{a}\\u{22}]/{2,3} | /(?s:.)/\nr_ws: \"\"\n";
        assert_eq!(lark(grammar).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_translated_is_refused_with_the_reason() {
        for (grammar, reason) in [
            ("root ::= other", "no rule `other`"),
            ("other ::= \"a\"", "no rule `root`"),
            ("root ::= \"a", "ends within"),
            ("root ::= <think>", "`<` is not known"),
            ("root ::= [z-a]", "range"),
            ("root ::= []", "empty"),
            ("root ::= \"a\"{x}", "repetition"),
            ("root ::= \"\\q\"", "escape"),
            ("\"a\" root ::= \"b\"", "must begin with a rule"),
            ("root ::= \"\\uD800\"", "hexadecimal"),
            ("root ::= \"\\u12é\"", "hexadecimal"),
        ] {
            let error = lark(grammar).unwrap_err();
            assert!(error.contains(reason), "{grammar}: {error}");
        }
    }
}
