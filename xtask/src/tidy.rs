//! The house rules that a program can check: see CONTRIBUTING.md.

use crate::architectures;
use std::fs;
use std::path::{Path, PathBuf};

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// Nine functions in ten are shorter than this.
const FUNCTION_LINES_USUAL: usize = 30;

/// Crates that may hold `unsafe`: for SIMD intrinsics, memory maps and system calls.
const UNSAFE_CRATES: [&str; 3] = ["kernels", "weights", "sandbox"];

/// What must not stand in the code, and what to do instead.
const BANNED: [(&str, &str); 4] = [
    (concat!("todo", "!("), "write it, or leave it out and say so in the docs"),
    (concat!("unimplemented", "!("), "write it, or leave it out and say so in the docs"),
    (concat!("FIX", "ME"), "mend it or write down in the docs what does not work yet"),
    (concat!("#[ig", "nore"), "a test that needs something says so by name and skips aloud"),
];

/// Everything that is wrong, one line each: place, what, what to do.
pub fn check(root: &Path) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut functions, mut texts) = (Vec::new(), Vec::new());
    for file in rust_files(root) {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        match fs::read_to_string(&file) {
            Ok(text) => {
                check_file(&name, &text, &mut complaints, &mut functions);
                texts.push((name, text));
            }
            Err(error) => complaints.push(format!("{name}: not readable: {error}")),
        }
    }
    check_functions(&functions, &mut complaints);
    check_documents(root, &mut complaints);
    architectures::check(&texts, &mut complaints);
    architectures::check_page(root, &mut complaints);
    complaints
}

struct Function {
    place: String,
    lines: usize,
    is_test: bool,
}

fn check_file(name: &str, text: &str, complaints: &mut Vec<String>, functions: &mut Vec<Function>) {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > FILE_LINES_MAX {
        complaints.push(format!("{name}: {} lines; is it still one noun?", lines.len()));
    }
    for (index, line) in lines.iter().enumerate() {
        let place = format!("{name}:{}", index + 1);
        if line.chars().count() > COLUMNS_MAX {
            complaints.push(format!("{place}: longer than {COLUMNS_MAX} columns"));
        }
        for (banned, instead) in BANNED {
            if line.contains(banned) {
                complaints.push(format!("{place}: `{banned}` is banned: {instead}"));
            }
        }
        if uses_unsafe(line)
            && !UNSAFE_CRATES.iter().any(|c| name.contains(&format!("crates/{c}/")))
        {
            complaints.push(format!("{place}: `unsafe` stands only in {UNSAFE_CRATES:?}"));
        }
    }
    functions_of(name, &lines, functions);
}

fn uses_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains(concat!("unsafe", " {")) || code.contains(concat!("unsafe", " fn"))
}

/// Finds functions by indentation, which rustfmt makes reliable: a function ends at the first
/// closing brace that stands as deep as its `fn`.
fn functions_of(name: &str, lines: &[&str], functions: &mut Vec<Function>) {
    let tests_from = lines.iter().position(|line| line.trim() == "#[cfg(test)]");
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let one_line = line.trim_end().ends_with('}') || line.trim_end().ends_with(';');
        if one_line || !begins_function(line.trim_start()) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[index..].iter().position(|later| **later == end) else {
            continue;
        };
        let is_test = name.contains("/tests/")
            || name.contains("/benches/")
            || tests_from.is_some_and(|from| index > from);
        let place = format!("{name}:{}", index + 1);
        functions.push(Function { place, lines: length + 1, is_test });
    }
}

fn begins_function(code: &str) -> bool {
    let words =
        ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe ", "extern \"C\" "];
    let mut code = code;
    while let Some(rest) = words.iter().find_map(|word| code.strip_prefix(word)) {
        code = rest;
    }
    code.starts_with("fn ")
}

fn check_functions(functions: &[Function], complaints: &mut Vec<String>) {
    let long = functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
    complaints.extend(long.map(|function| {
        format!(
            "{}: {} lines in one function; give its parts names",
            function.place, function.lines
        )
    }));
    let code: Vec<&Function> = functions.iter().filter(|function| !function.is_test).collect();
    let usual = code.iter().filter(|function| function.lines < FUNCTION_LINES_USUAL).count();
    if usual * 10 < code.len() * 9 {
        complaints.push(format!(
            "only {usual} of {} functions are under {FUNCTION_LINES_USUAL} lines; nine in ten are",
            code.len()
        ));
    }
}

/// The map must show every room: each crate stands in ARCHITECTURE.md and in the README's tree.
fn check_documents(root: &Path, complaints: &mut Vec<String>) {
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap_or_default();
        for room in folders(&root.join("crates")) {
            if !text.contains(&format!("{room}/")) && !text.contains(&format!("`{room}`")) {
                complaints.push(format!("{document}: does not name the crate `{room}`"));
            }
        }
    }
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for part in ["crates", "xtask", "fuzz/fuzz_targets"] {
        collect(&root.join(part), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_and_a_long_function_are_found() {
        let mut complaints = Vec::new();
        let mut functions = Vec::new();
        let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
        let text = format!("// {}\nfn long() {{\n{body}}}\n", "x".repeat(COLUMNS_MAX));
        check_file("crates/a/src/b.rs", &text, &mut complaints, &mut functions);
        check_functions(&functions, &mut complaints);
        assert!(complaints.iter().any(|c| c.starts_with("crates/a/src/b.rs:1:")), "{complaints:?}");
        assert!(complaints.iter().any(|c| c.starts_with("crates/a/src/b.rs:2:")), "{complaints:?}");
    }

    #[test]
    fn unsafe_code_is_found_outside_its_crates() {
        let mut complaints = Vec::new();
        let text = concat!("fn f() {\n    unsafe", " { g() }\n}\n");
        check_file("crates/corpus/src/a.rs", text, &mut complaints, &mut Vec::new());
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        check_file("crates/kernels/src/a.rs", text, &mut complaints, &mut Vec::new());
        assert_eq!(complaints.len(), 1, "{complaints:?}");
    }
}
