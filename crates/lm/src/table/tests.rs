use super::*;
use serde_json::json;

fn facts(entries: usize) -> TableFacts {
    TableFacts {
        name: "small".to_string(),
        dimension: 16,
        entries,
        recipe: json!({}),
        data: json!({}),
    }
}

/// Rows 0 to 3: two words, two pieces; row `i` points along element `i`.
fn small() -> Vec<u8> {
    let entries = ["weg", "haus", "<schul", "weg>"].map(String::from);
    let mut weights = vec![0.0f32; 4 * 16];
    (0..4).for_each(|row| weights[row * 16 + row] = 1.0 + row as f32);
    write_table(&facts(4), &entries, &weights).unwrap()
}

#[test]
fn a_text_is_the_sum_of_its_words_and_pieces() {
    let table = TableEmbedder::read(&small()).unwrap();
    let vectors = table.encode(&["Weg!", "Weg, Haus", "SCHULWEG", "", "weg haus"]);
    assert_eq!(vectors[0][..2], [1.0, 0.0]);
    let root = 5.0f32.sqrt();
    assert_eq!(vectors[1][..2], [1.0 / root, 2.0 / root]);
    // Two pieces with 1/√2 each: 3/√2 and 4/√2 before the scaling to length 1.
    assert!((vectors[2][2] - 0.6).abs() < 1e-6 && (vectors[2][3] - 0.8).abs() < 1e-6);
    assert!(vectors[3].iter().all(|value| *value == 0.0));
    assert_eq!(vectors[4], vectors[1], "neither case nor marks count");
}

#[test]
fn words_beyond_the_limit_do_not_count() {
    let table = TableEmbedder::read(&small()).unwrap();
    let long = format!("{}haus", "weg ".repeat(TABLE_WORDS));
    assert_eq!(table.encode(&[&long])[0], table.encode(&["weg"])[0]);
}

#[test]
fn damaged_tables_are_refused() {
    let bytes = small();
    for length in 0..bytes.len() {
        assert!(TableEmbedder::read(&bytes[..length]).is_err(), "cut to {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(TableEmbedder::read(&longer).is_err());
    // A header that promises more entries than there are bytes must not be believed.
    let text = String::from_utf8_lossy(&bytes).replace("\"entries\":4", "\"entries\":9");
    assert!(TableEmbedder::read(text.as_bytes()).is_err());
    let place = bytes.windows(4).position(|part| part == b"haus").unwrap();
    let mut twice = bytes.clone();
    twice[place - 1 - 3..place - 1].copy_from_slice(b"aus");
    twice[place..place + 4].copy_from_slice(b"\xff\xff\xff\xff");
    assert!(TableEmbedder::read(&twice).is_err(), "not UTF-8");
    let scale = bytes.len() - 4 * 16 - 4 * 4;
    let mut endless = bytes;
    endless[scale..scale + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(TableEmbedder::read(&endless).is_err(), "a scale that is no number");
}

#[test]
fn sizes_that_do_not_fit_cannot_be_written() {
    let entries = ["a".to_string()];
    assert!(write_table(&facts(1), &entries, &[0.0; 15]).is_err());
    assert!(write_table(&facts(2), &entries, &[0.0; 32]).is_err());
    assert!(write_table(&facts(1), &entries, &[f32::NAN; 16]).is_err());
    let wide = TableFacts { dimension: 15, ..facts(1) };
    assert!(write_table(&wide, &entries, &[0.0; 15]).is_err());
}

#[test]
fn entries_that_stand_twice_are_refused() {
    assert!(Lexicon::new(vec!["a".into(), "a".into()]).is_err());
    assert!(Lexicon::new(vec![String::new()]).is_err());
}

/// Four matters, each in five languages; none of the sentences is from the training data.
const MATTERS: [[&str; 5]; 4] = [
    [
        "Wer ein Gesuch einreicht, bezahlt eine Gebühr.",
        "Toute personne qui dépose une demande paie un émolument.",
        "Chi presenta una domanda paga un emolumento.",
        "Tgi che inoltrescha ina dumonda paja ina taxa.",
        "Anyone who submits an application pays a fee.",
    ],
    [
        "Die Schule ist für Kinder unentgeltlich.",
        "L'école est gratuite pour les enfants.",
        "La scuola è gratuita per i bambini.",
        "La scola è gratuita per ils uffants.",
        "School is free of charge for children.",
    ],
    [
        "Das Gericht hört die Zeugen an.",
        "Le tribunal entend les témoins.",
        "Il tribunale sente i testimoni.",
        "La dretgira taidla las perditgas.",
        "The court hears the witnesses.",
    ],
    [
        "Der Bund schützt die Umwelt und das Wasser.",
        "La Confédération protège l'environnement et les eaux.",
        "La Confederazione protegge l'ambiente e le acque.",
        "La Confederaziun protegia l'ambient e las auas.",
        "The Confederation protects the environment and the waters.",
    ],
];

#[test]
fn the_built_in_table_finds_a_matter_in_other_languages() {
    let table = TableEmbedder::built_in();
    let vectors = MATTERS.map(|matter| table.encode(&matter));
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (mut right, mut asked) = (0, 0);
    for (own, matter) in vectors.iter().enumerate() {
        for (from, to) in (0..5).flat_map(|from| (0..5).map(move |to| (from, to))) {
            let near = |other: &usize| cosine(&matter[from], &vectors[*other][to]);
            let nearest = (0..4).max_by(|a, b| near(a).total_cmp(&near(b)));
            asked += usize::from(from != to);
            right += usize::from(from != to && nearest == Some(own));
        }
    }
    assert_eq!(asked, 80);
    // 72 do; one in four would by chance.
    assert!(right >= 64, "{right} of 80 find their translation first");
}

#[test]
fn the_built_in_table_says_where_it_comes_from() {
    let table = TableEmbedder::built_in();
    assert_eq!((table.dimension(), table.facts().name.as_str()), (256, "allod-embed-1"));
    assert!(table.digest().starts_with("sha256:"));
    assert!(table.facts().data["attribution"].as_str().unwrap().contains("European Union"));
    assert!(table.facts().data["held_out_acts"].as_u64().unwrap() > 0);
}
