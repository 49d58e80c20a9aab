use super::*;

fn small() -> Calibration {
    let tree = Tree {
        nodes: vec![
            Node::Branch { feature: 0, least: 0.5, low: 1, high: 2 },
            Node::Leaf { value: -1.0 },
            Node::Leaf { value: 2.0 },
        ],
    };
    let step = |score, answered, wrong, probability| Step { score, answered, wrong, probability };
    Calibration {
        version: CALIBRATION_VERSION.into(),
        scorer_fitted_on: FittedOn::default(),
        measured_on: FittedOn::default(),
        features: vec!["own_coverage".into()],
        scorers: vec![Forest { base: 0.25, trees: vec![tree] }],
        steps: vec![step(2.25, 100, 1, 0.99), step(-0.75, 200, 60, 0.4)],
    }
}

#[test]
fn the_built_in_calibration_is_sound() {
    let built_in = Calibrated::built_in();
    assert!(built_in.is_built_in() && built_in.digest().starts_with("sha256:"));
    let calibration = built_in.calibration();
    assert!(calibration.measured_on.questions > 0);
    assert!(calibration.steps.windows(2).all(|pair| pair[0].score > pair[1].score));
    assert!(calibration.steps.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
}

#[test]
fn a_calibration_is_read_back_and_judges() {
    let read = Calibrated::parse(&small().to_text()).unwrap();
    let judged = read.judge("?", &[("margin", 3.0), ("own_coverage", 0.9)]);
    assert_eq!((judged.score, judged.probability, judged.built_in), (2.25, 0.99, false));
    let judged = read.judge("?", &[("own_coverage", 0.1)]);
    assert_eq!((judged.score, judged.probability), (-0.75, 0.4));
    assert_eq!(read.calibration().probability(-9.0), 0.4);
    assert_eq!(read.calibration().least_score(0.1), Some(2.25));
    assert_eq!(read.calibration().least_score(0.5), Some(-0.75));
}

#[test]
fn what_cannot_be_walked_is_refused() {
    let read = |change: &dyn Fn(&mut Calibration)| {
        let mut calibration = small();
        change(&mut calibration);
        Calibrated::parse(&calibration.to_text()).unwrap_err()
    };
    assert!(read(&|c| c.version = "x".into()).contains("version `x`"));
    assert!(read(&|c| c.features = vec!["luck".into()]).contains("`luck`"));
    let loops = Node::Branch { feature: 0, least: 0.0, low: 0, high: 1 };
    assert!(read(&|c| c.scorers[0].trees[0].nodes[0] = loops).contains("leads nowhere"));
    assert!(read(&|c| c.scorers[0].trees[0].nodes.clear()).contains("leads nowhere"));
    assert!(Calibrated::parse("{}").unwrap_err().contains("no calibration"));
}

#[test]
fn a_question_is_always_scored_by_the_same_scorer() {
    assert_eq!(pick("Was kostet ein Hund?", 5), pick(" Was kostet ein Hund? ", 5));
    assert_eq!(pick("?", 0), None);
    let mut counts = [0; 4];
    (0..400).for_each(|at| counts[pick(&format!("question {at}"), 4).unwrap()] += 1);
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
}
