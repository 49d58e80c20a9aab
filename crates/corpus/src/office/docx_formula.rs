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
        "d" => {
            format!("({})", element.children().filter(|e| e.is("e")).map(read).collect::<String>())
        }
        // Properties show nothing.
        name if name.ends_with("Pr") => String::new(),
        _ => read(element),
    }
}

/// In brackets where it has several terms.
fn whole(text: String) -> String {
    let text = text.trim().to_owned();
    let is_term = !text.chars().any(|c| " +-−–/·*=".contains(c)) || text.starts_with('(');
    if is_term { text } else { format!("({text})") }
}
