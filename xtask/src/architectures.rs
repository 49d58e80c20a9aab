//! An architecture is one short file, and only its file names it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FOLDER: &str = "crates/lm/src/arch/";
const FILE_LINES_MAX: usize = 200;
/// What may name architectures beside the folder: `weights` knows what files call things, and
/// vocabularies are called after the models that first had them.
const FREE: [&str; 2] = ["crates/weights/", "crates/lm/src/tokenizer/"];

/// Complains of what breaks the rule in `files`: name and text of each.
pub fn check(files: &[(String, String)], complaints: &mut Vec<String>) {
    let (inside, outside): (Vec<_>, Vec<_>) =
        files.iter().partition(|(name, _)| name.starts_with(FOLDER));
    for (name, text) in &inside {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            complaints.push(format!("{name}: {lines} lines; {FILE_LINES_MAX} at most here"));
        }
    }
    let names: BTreeSet<&str> = inside.iter().flat_map(|(_, text)| names(text)).collect();
    for (file, text) in outside {
        if FREE.iter().any(|free| file.starts_with(free)) || !is_library(file) {
            continue;
        }
        for (number, line) in code(text) {
            for name in literals(line).filter(|literal| names.contains(literal)) {
                complaints.push(format!(
                    "{file}:{number}: names the architecture `{name}`: that belongs in {FOLDER}"
                ));
            }
        }
    }
}

/// Complains unless the page on adding a model shows an architecture's file as it stands.
pub fn check_page(root: &Path, complaints: &mut Vec<String>) {
    const PAGE: &str = "docs/adding-a-model.md";
    let page = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    let mut shown = 0;
    for block in page.split("```rust\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let Some((first, code)) = block.split_once('\n') else { continue };
        let Some(file) = first.strip_prefix("// ") else { continue };
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        if !text.contains(code.trim()) {
            complaints.push(format!("{PAGE}: what it shows of {file} does not stand there"));
        }
        shown += 1;
    }
    if shown == 0 {
        complaints.push(format!("{PAGE}: shows no file"));
    }
}

/// Tests, benches and chores may name models; what is linked into the binary may not.
fn is_library(file: &str) -> bool {
    let folder = |part: &str| file.contains(part);
    let test = folder("/tests/") || folder("/benches/") || folder("/examples/");
    file.starts_with("crates/") && !test && !file.ends_with("tests.rs")
}

/// The names that an architecture's file gives it in checkpoints.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let keys = ["model_types: &[", "gguf_names: &[", "const NAME: &str = "];
    keys.into_iter().flat_map(move |key| {
        let end = if key.ends_with('[') { ']' } else { ';' };
        let rest = text.split(key).skip(1);
        rest.flat_map(move |rest| literals(rest.split(end).next().unwrap_or_default()))
    })
}

/// Lines by number, without comments and up to the tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    lines.enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// The texts between quotation marks.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        let mut complaints = Vec::new();
        check(&files, &mut complaints);
        complaints
    }

    const FILE: &str = "A { model_types: &[\"ox\", \"ox2\"], gguf_names: &[\"yak\"] }";

    #[test]
    fn a_name_outside_its_folder_is_found() {
        let inside = ("crates/lm/src/arch/ox.rs", FILE);
        for name in ["ox", "ox2", "yak"] {
            let text = format!("// \"{name}\"\nif kind == \"{name}\" {{}}\n");
            let found = complaints(&[inside, ("crates/lm/src/load.rs", &text)]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with("crates/lm/src/load.rs:2:"), "{found:?}");
            let free = ["crates/weights/src/a.rs", "crates/lm/tests/a.rs", "xtask/src/a.rs"];
            for file in free {
                assert_eq!(complaints(&[inside, (file, &text)]), [""; 0]);
            }
        }
        let test = "#[cfg(test)]\nmod tests { \"ox\" }";
        assert_eq!(complaints(&[inside, ("crates/lm/src/load.rs", test)]), [""; 0]);
    }

    #[test]
    fn a_long_file_is_found() {
        let long = "x\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(complaints(&[("crates/lm/src/arch/ox.rs", &long)]).len(), 1);
        assert_eq!(complaints(&[("crates/lm/src/load.rs", &long)]), [""; 0]);
    }
}
