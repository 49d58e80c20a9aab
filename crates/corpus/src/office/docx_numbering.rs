//! Numbers and bullets of Word's lists, counted as Word counts them (ECMA-376 part 1, 17.9).

use std::collections::{HashMap, HashSet};

use super::docx_styles::is_on;
use crate::xml::Element;

const LEVELS: usize = 9;
/// A number's text is not longer; templates of levels are short.
const MAX_MARKER_BYTES: usize = 100;

#[derive(Debug, Clone)]
struct Level {
    start: u32,
    format: String,
    /// "%1.%2)".
    template: String,
    /// Counting begins anew after a paragraph of this level or one above; 0 is never.
    restart: Option<usize>,
    all_decimal: bool,
    style: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct List {
    /// The definition that it counts with.
    definition: String,
    starts: HashMap<usize, u32>,
    levels: HashMap<usize, Level>,
}

/// The lists of a document and how far each has counted.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    definitions: HashMap<String, HashMap<usize, Level>>,
    /// Definitions that only name a style whose definition they share.
    lists: HashMap<String, List>,
    counters: HashMap<String, [Option<u32>; LEVELS]>,
    started: HashSet<(String, usize)>,
}

/// What stands before a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marker {
    Bullet,
    Number(String),
    /// A level that shows nothing.
    Nothing,
}

impl Numbering {
    pub(crate) fn read(root: Element) -> Numbering {
        let mut numbering = Numbering::default();
        for element in root.children() {
            match element.name() {
                "abstractNum" => {
                    let Some(id) = element.attribute("abstractNumId") else { continue };
                    numbering.definitions.insert(id.to_owned(), levels(element));
                }
                "num" => {
                    let Some(id) = element.attribute("numId") else { continue };
                    numbering.lists.insert(id.to_owned(), list(element));
                }
                _ => {}
            }
        }
        numbering
    }

    /// The level of a list that a style is bound to.
    pub(crate) fn level_of_style(&self, list: &str, style: &str) -> Option<usize> {
        let list = self.lists.get(list)?;
        let levels = self.definitions.get(&list.definition)?;
        let bound = |(_, level): &(&usize, &Level)| level.style.as_deref() == Some(style);
        levels.iter().find(bound).map(|(index, _)| *index)
    }

    /// Counts a paragraph of this list and level and says what stands before it.
    pub(crate) fn next(&mut self, list: &str, level: usize) -> Option<Marker> {
        let level = level.min(LEVELS - 1);
        let known = self.lists.get(list)?;
        let definition = known.definition.clone();
        let restart = known.starts.get(&level).copied();
        let own = self.level(known, level)?.clone();
        let is_first = self.started.insert((list.to_owned(), level));
        let restarts: Vec<Option<usize>> =
            (0..LEVELS).map(|index| self.level(known, index).and_then(|l| l.restart)).collect();
        let counters = self.counters.entry(definition).or_default();
        counters[level] = Some(match (restart.filter(|_| is_first), counters[level]) {
            (Some(start), _) => start,
            (None, Some(count)) => count.saturating_add(1),
            (None, None) => own.start,
        });
        for (below, restart) in restarts.iter().enumerate().skip(level + 1) {
            // Levels count anew after any level above them, unless they say after which.
            if restart.is_none_or(|after| after > level) {
                counters[below] = None;
            }
        }
        let counters = *counters;
        Some(self.marker(list, &own, &counters))
    }

    fn level<'a>(&'a self, list: &'a List, index: usize) -> Option<&'a Level> {
        let defined = || self.definitions.get(&list.definition)?.get(&index);
        list.levels.get(&index).or_else(defined)
    }

    fn marker(&self, list: &str, own: &Level, counters: &[Option<u32>; LEVELS]) -> Marker {
        match own.format.as_str() {
            "bullet" => return Marker::Bullet,
            "none" if !own.template.contains('%') && own.template.trim().is_empty() => {
                return Marker::Nothing;
            }
            _ => {}
        }
        let mut text = String::new();
        let mut characters = own.template.chars().peekable();
        while let Some(character) = characters.next() {
            let digit = characters.peek().and_then(|next| next.to_digit(10));
            match (character, digit) {
                ('%', Some(digit @ 1..=9)) => {
                    characters.next();
                    let index = digit as usize - 1;
                    let level = self.lists.get(list).and_then(|list| self.level(list, index));
                    let count = counters[index].or(level.map(|level| level.start)).unwrap_or(1);
                    let format = level.map_or("decimal", |level| level.format.as_str());
                    let is_plain = own.all_decimal && format != "decimalZero";
                    text.push_str(&number(count, if is_plain { "decimal" } else { format }));
                }
                _ => text.push(character),
            }
        }
        let text = text.trim();
        match text.is_empty() {
            true => Marker::Nothing,
            false => Marker::Number(text[..text.floor_char_boundary(MAX_MARKER_BYTES)].to_owned()),
        }
    }
}

fn levels(element: Element) -> HashMap<usize, Level> {
    let levels = element.children().filter(|child| child.is("lvl"));
    levels.filter_map(|level| Some((level.number("ilvl")?, read_level(level)))).collect()
}

fn read_level(element: Element) -> Level {
    let value = |name: &str| element.child(name).and_then(|child| child.attribute("val"));
    Level {
        start: value("start").and_then(|start| start.parse().ok()).unwrap_or(0),
        format: value("numFmt").unwrap_or("decimal").to_owned(),
        template: value("lvlText").unwrap_or_default().to_owned(),
        restart: value("lvlRestart").and_then(|restart| restart.parse().ok()),
        all_decimal: element.child("isLgl").is_some_and(is_on),
        style: value("pStyle").map(str::to_owned),
    }
}

fn list(element: Element) -> List {
    let definition = element.child("abstractNumId").and_then(|id| id.attribute("val"));
    let mut list =
        List { definition: definition.unwrap_or_default().to_owned(), ..List::default() };
    for change in element.children().filter(|child| child.is("lvlOverride")) {
        let Some(index) = change.number("ilvl") else { continue };
        let start = change.child("startOverride").and_then(|start| start.number("val"));
        list.starts.extend(start.map(|start| (index, start)));
        list.levels.extend(change.child("lvl").map(|level| (index, read_level(level))));
    }
    list
}

/// A count in a format's signs.
pub(crate) fn number(count: u32, format: &str) -> String {
    match format {
        "lowerLetter" => letters(count).to_lowercase(),
        "upperLetter" => letters(count),
        "lowerRoman" => roman(count).to_lowercase(),
        "upperRoman" => roman(count),
        "decimalZero" => format!("{count:02}"),
        "ordinal" => format!("{count}."),
        "none" => String::new(),
        _ => count.to_string(),
    }
}

/// A … Z, AA … ZZ: the letter is repeated.
fn letters(count: u32) -> String {
    let Some(index) = count.checked_sub(1) else { return String::new() };
    let letter = char::from(b'A' + (index % 26) as u8);
    letter.to_string().repeat((index as usize / 26 + 1).min(20))
}

fn roman(count: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if count > 5000 {
        return count.to_string();
    }
    let (mut left, mut text) = (count, String::new());
    for (value, sign) in SIGNS {
        while left >= value {
            left -= value;
            text.push_str(sign);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Xml;

    const LISTS: &str = "<n><abstractNum abstractNumId='0'>\
        <lvl ilvl='0'><start val='1'/><numFmt val='upperRoman'/><lvlText val='%1.'/></lvl>\
        <lvl ilvl='1'><start val='1'/><numFmt val='decimal'/><lvlText val='%1.%2'/>\
        <isLgl/><pStyle val='H2'/></lvl>\
        <lvl ilvl='2'><start val='1'/><numFmt val='lowerLetter'/><lvlText val='(%3)'/>\
        <lvlRestart val='1'/></lvl></abstractNum>\
        <num numId='1'><abstractNumId val='0'/></num>\
        <num numId='2'><abstractNumId val='0'/><lvlOverride ilvl='0'><startOverride val='5'/>\
        </lvlOverride></num></n>";

    fn counted(places: &[(&str, usize)]) -> Vec<String> {
        let xml = Xml::parse(LISTS.as_bytes(), "Word").unwrap();
        let mut numbering = Numbering::read(xml.root());
        let mut text = |(list, level): &(&str, usize)| match numbering.next(list, *level) {
            Some(Marker::Number(text)) => text,
            other => format!("{other:?}"),
        };
        places.iter().map(&mut text).collect()
    }

    #[test]
    fn levels_count_and_begin_anew() {
        let places =
            [("1", 0), ("1", 1), ("1", 2), ("1", 1), ("1", 2), ("1", 0), ("1", 1), ("1", 2)];
        let expected = ["I.", "1.1", "(a)", "1.2", "(b)", "II.", "2.1", "(a)"];
        assert_eq!(counted(&places), expected);
    }

    #[test]
    fn lists_of_one_definition_count_together_until_one_starts_anew() {
        assert_eq!(counted(&[("1", 0), ("2", 0), ("2", 0), ("1", 0)]), ["I.", "V.", "VI.", "VII."]);
        assert_eq!(counted(&[("9", 0)]), ["None"]);
    }

    #[test]
    fn signs_of_counts() {
        assert_eq!(number(28, "lowerLetter"), "bb");
        assert_eq!(number(1994, "lowerRoman"), "mcmxciv");
        assert_eq!(number(7, "decimalZero"), "07");
        assert_eq!(number(0, "upperLetter"), "");
    }
}
