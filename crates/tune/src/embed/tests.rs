use super::*;
use std::fmt::Write;

/// Ten small acts in two languages, in the layout of the training data.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (language, article, words) in [
        ("de", "Gesetz", ["Wasser", "Strasse", "Schule", "Wald", "Steuer"]),
        ("fr", "Loi", ["eau", "route", "école", "forêt", "impôt"]),
    ] {
        let mut lines = String::new();
        for act in 0..10 {
            let mut text = String::new();
            for (at, word) in words.iter().enumerate() {
                let other = words[(at + act + 1) % words.len()];
                write!(text, "Art. {at} {word}\n\n1 {word} {other} {article} {act} {word}\n\n")
                    .unwrap();
            }
            let line = serde_json::json!({
                "id": format!("swiss:{act}:{language}"), "source": "test",
                "license": "public domain", "title": format!("{article} {act}"), "text": text,
            });
            writeln!(lines, "{line}").unwrap();
        }
        std::fs::write(folder.path().join(format!("{language}.train.jsonl")), lines).unwrap();
    }
    folder
}

fn recipe() -> TableRecipe {
    TableRecipe {
        dimension: 32,
        words: 60,
        pieces: 20,
        steps: 60,
        pairs: 64,
        group: 5,
        ..TableRecipe::default()
    }
}

fn data_in(folder: &Path) -> TrainingData {
    TrainingData { folders: vec![folder.to_path_buf()], held_out: vec![], shield: None }
}

#[test]
fn a_run_learns_and_its_bytes_do_not_depend_on_the_threads() {
    let folder = data();
    let mut losses = Vec::new();
    let data = data_in(folder.path());
    let one = train_table(&recipe(), &data, 1, |progress| losses.push(progress.loss)).unwrap();
    let three = train_table(&recipe(), &data, 3, |_| ()).unwrap();
    assert_eq!(one.bytes, three.bytes);
    assert_eq!(losses.len(), 60);
    assert!(losses[59] < 0.8 * losses[0], "from {} to {}", losses[0], losses[59]);
    let table = allod_lm::TableEmbedder::read(&one.bytes).unwrap();
    let vectors = table.encode(&["école", "Schule", "Wald"]);
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]));
}

#[test]
fn acts_that_are_held_out_are_not_read() {
    let folder = data();
    let held_out = folder.path().join("measured.jsonl");
    let lines: Vec<String> = (0..9).map(|act| format!("{{\"sr\": \"{act}\"}}")).collect();
    std::fs::write(&held_out, lines.join("\n")).unwrap();
    let data = TrainingData { held_out: vec![held_out], ..data_in(folder.path()) };
    let numbers = super::held_out(&data.held_out).unwrap();
    let works = Works::of(Files::read(&data.folders).unwrap(), &numbers);
    assert_eq!(works.works.len(), 1);
    assert_eq!(works.works[0].articles[0][1].title, "Loi 9");
}

#[test]
fn folders_without_data_and_damaged_lines_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = data_in(folder.path());
    assert!(matches!(train_table(&recipe(), &data, 1, |_| ()), Err(Error::Data(_))));
    std::fs::write(folder.path().join("de.train.jsonl"), "{}\n").unwrap();
    assert!(matches!(train_table(&recipe(), &data, 1, |_| ()), Err(Error::Line { line: 1, .. })));
}

#[test]
fn slopes_agree_with_finite_differences() {
    let bags: Vec<Bag> = (0..8u32).map(|text| vec![(text % 5, 1.0), (5 + text % 3, 0.5)]).collect();
    let keys = [(1, 11), (2, 12), (1, 13), (4, 14)];
    let weights = Weights::random(&[1.0; 8], 16, 3);
    let contrast = Contrast { isa: Isa::detect(), dimension: 16, scale: 4.0, keys: &keys };
    let loss = |weights: &Weights| {
        let pooled = weights.pool(&bags);
        let (queries, passages) = pooled.vectors.split_at(4 * 16);
        contrast.loss(queries, passages)
    };
    let slopes = weights.slopes(&bags, &weights.pool(&bags), &loss(&weights).1);
    assert_eq!(slopes.rows, [0, 1, 2, 3, 4, 5, 6, 7]);
    for at in (0..8 * 16).step_by(7) {
        let moved = |by: f32| {
            let mut moved = Weights::random(&[1.0; 8], 16, 3);
            moved.rows[at] += by;
            loss(&moved).0
        };
        let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        let slope = slopes.slopes[at];
        assert!((difference - slope).abs() < 2e-3, "element {at}: {slope}, not {difference}");
    }
}
