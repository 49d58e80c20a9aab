//! Formulas in Word documents, on one line: `(a + b)/2`, `x^2`, `√(x)`.

use crate::xml::Element;

/// The formula as a reader would type it.
pub(super) fn read(formula: Element) -> String {
    let mut text = String::new();
    for child in formula.children() {
        text.push_str(&part(child));
    }
    text
}

fn part(element: Element) -> String {
    let of = |name: &str| element.child(name).map(read).unwrap_or_default();
    match element.name() {
        "t" => element.text(),
        "f" => match (of("num"), of("den")) {
            (above, below) if above.is_empty() || below.is_empty() => above + &below,
            (above, below) => format!("{}/{}", whole(above), whole(below)),
        },
        "sSup" => format!("{}^{}", whole(of("e")), whole(of("sup"))),
        "sSub" => format!("{}_{}", whole(of("e")), whole(of("sub"))),
        "sSubSup" => {
            format!("{}_{}^{}", whole(of("e")), whole(of("sub")), whole(of("sup")))
        }
        "rad" => format!("√({})", of("e")),
        "d" => delimited(element),
        "nary" => {
            let sign = said(element, "naryPr", "chr").unwrap_or("∫");
            let bound = |sign: &str, text: String| match text.trim() {
                "" => String::new(),
                _ => format!("{sign}{}", whole(text)),
            };
            let bounds = bound("_", of("sub")) + &bound("^", of("sup"));
            format!("{sign}{bounds} {}", of("e"))
        }
        "func" => format!("{} {}", of("fName"), of("e")),
        "limLow" => format!("{}_{}", of("e"), whole(of("lim"))),
        "limUpp" => format!("{}^{}", of("e"), whole(of("lim"))),
        "sPre" => format!("_{}^{}{}", whole(of("sub")), whole(of("sup")), of("e")),
        "m" => listed(element, "mr", "; ", |row| listed(row, "e", ", ", read)),
        "eqArr" => listed(element, "e", "; ", read),
        // Properties show nothing.
        name if name.ends_with("Pr") => String::new(),
        _ => read(element),
    }
}

/// A property of a part: its own, or what is said by its absence.
fn said<'a>(element: Element<'a>, properties: &str, name: &str) -> Option<&'a str> {
    element.at(&[properties, name]).and_then(|property| property.attribute("val"))
}

/// Terms in brackets of some kind, with a sign between them.
fn delimited(element: Element) -> String {
    let sign = |name, usual| said(element, "dPr", name).unwrap_or(usual);
    let terms = listed(element, "e", sign("sepChr", "|"), read);
    format!("{}{terms}{}", sign("begChr", "("), sign("endChr", ")"))
}

fn listed(parent: Element, name: &str, sign: &str, read: impl Fn(Element) -> String) -> String {
    let parts = parent.children().filter(|child| child.is(name)).map(read);
    parts.collect::<Vec<_>>().join(sign)
}

/// In brackets where it has several terms.
fn whole(text: String) -> String {
    let text = text.trim().to_owned();
    let is_term = !text.chars().any(|c| " +-−–/·*=".contains(c)) || text.starts_with('(');
    if is_term { text } else { format!("({text})") }
}
