use super::*;
use allod_answer::DeskOptions;

const FILE: &str = r#"{"data":[{"title":"Bridge","paragraphs":[
 {"context":"The old bridge was built in 1874. It is made of iron.","qas":[
  {"id":"a","question":"When was the old bridge built?","answers":[{"text":"1874"}]},
  {"id":"b","question":"Who sold the zeppelin harbour?","answers":[],"is_impossible":true}]},
 {"context":"The harbour master lives in the tower beside the mill.","qas":[
  {"id":"c","question":"Where does the harbour master live?",
   "answers":[{"text":"in the tower"},{"text":"the tower beside the mill"}]}]}]}]}"#;

#[test]
fn a_desk_is_examined_from_the_question_to_the_receipt() {
    let squad = Squad::parse(FILE).unwrap();
    let (data, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let desk = Desk::open(data.path(), &DeskOptions::default()).unwrap();
    let examination = Examination::new(&desk, &squad, scratch.path()).unwrap();
    let report = examination.report().unwrap();
    assert_eq!((report.questions, report.answerable, report.paragraphs_lost), (3, 2, 0));
    assert_eq!(report.refused_unanswerable, 1.0);
    assert_eq!(report.right, report.answered, "{report:?}");
    assert!(report.right >= 1 && report.exact >= 2.0 / 3.0 - 1e-9, "{report:?}");
    assert_eq!(desk.ledger().checkpoint().size, 3);
    let labelled = examination.label(&mut || ()).unwrap();
    assert!(labelled.iter().any(|l| l.right && l.question.starts_with("When")));
    assert!(labelled.iter().all(|l| l.answerable || !l.right));
    assert_eq!(desk.ledger().checkpoint().size, 3);
}
