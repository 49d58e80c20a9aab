//! Prints the passages of files, with `--blocks` their blocks, or with `--time` only how long
//! reading took.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use allod_corpus::{Document, Member, Source, passages, read_all, sentences};

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only_time = arguments.first().is_some_and(|first| first == "--time");
    let only_blocks = arguments.first().is_some_and(|first| first == "--blocks");
    if only_time || only_blocks {
        arguments.remove(0);
    }
    let start = Instant::now();
    let (mut bytes, mut count) = (0, 0);
    for path in &arguments {
        let content = match std::fs::read(path) {
            Ok(content) => content,
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        let sidecar = std::fs::read_to_string(format!("{path}.meta.yaml")).ok();
        let begin = Instant::now();
        let source = Source { path, bytes: &content, sidecar: sidecar.as_deref() };
        for Member { path: inside, document } in read_all(&source) {
            match document {
                Err(error) => println!("{path} {inside}: {error} ({:?})", begin.elapsed()),
                Ok(document) => {
                    bytes += document.text.len();
                    count += passages(&document).len();
                    match () {
                        _ if only_time => {}
                        _ if only_blocks => print_blocks(&document),
                        _ => print(&inside, &document),
                    }
                }
            }
        }
    }
    println!("{bytes} bytes of text, {count} passages, {:?}", start.elapsed());
}

fn print_blocks(document: &Document) {
    println!("{:#?}", document.metadata);
    let pages = document.pages.clone().unwrap_or_default();
    let (count, marks) = (pages.sizes.len(), pages.marks.len());
    println!("{count} pages, {marks} places, {:?}, {:?}", pages.missing, pages.attachments);
    for block in &document.blocks {
        let page = pages.page_of(block.range);
        println!("{page:?} {:?} {:?}", block.kind, document.slice(block.range));
    }
}

fn print(inside: &str, document: &Document) {
    println!("{inside} {:#?}", document.metadata);
    for passage in passages(document) {
        let place = (&passage.place, passage.kind, &passage.heading_path);
        println!("=== {place:?} {:?}", passage.introduction);
        for sentence in sentences(&document.text, passage.range, document.metadata.language) {
            println!("    {:?}", document.slice(sentence));
        }
    }
}
