//! Question sets in the layout of SQuAD 1 and 2: articles, their paragraphs, and questions with the
//! words that answer them (Rajpurkar et al., 2016 and 2018).

use serde::Deserialize;

/// A file of articles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Squad {
    /// The articles.
    #[serde(rename = "data")]
    pub articles: Vec<Article>,
}

/// An article: what the corpus takes as one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Article {
    /// Its title; `Article 3` where the file gives none.
    #[serde(default)]
    pub title: String,
    /// Its paragraphs.
    pub paragraphs: Vec<Paragraph>,
}

/// A paragraph with its questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Paragraph {
    /// The paragraph.
    pub context: String,
    /// Its questions.
    #[serde(rename = "qas")]
    pub questions: Vec<SquadQuestion>,
}

/// A question about a paragraph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SquadQuestion {
    /// Its name.
    #[serde(default, deserialize_with = "text_or_number")]
    pub id: String,
    /// The question.
    pub question: String,
    /// The words that answer it, as several people marked them.
    #[serde(default)]
    pub answers: Vec<Marked>,
    /// Whether the paragraph does not answer it (SQuAD 2).
    #[serde(default)]
    pub is_impossible: bool,
}

/// Words of the paragraph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Marked {
    /// The words.
    pub text: String,
}

/// A file that is not of this layout.
#[derive(Debug, thiserror::Error)]
#[error("the file is not in SQuAD layout ({{\"data\": [{{\"paragraphs\": …}}]}}): {0}")]
pub struct NotSquad(#[from] serde_json::Error);

impl Squad {
    /// Reads a file.
    ///
    /// # Errors
    /// [`NotSquad`] with the place of the first mistake.
    pub fn parse(text: &str) -> Result<Squad, NotSquad> {
        Ok(serde_json::from_str(text)?)
    }

    /// The articles whose number leaves `part` when divided by `parts`: a division by article.
    #[must_use]
    pub fn part(&self, part: usize, parts: usize) -> Squad {
        let numbered = self.articles.iter().enumerate();
        let chosen = numbered.filter(|(at, _)| at % parts.max(1) == part).map(|(_, a)| a.clone());
        Squad { articles: chosen.collect() }
    }

    /// The same without every second paragraph: its questions are asked, and nothing answers them.
    #[must_use]
    pub fn withholding(mut self) -> Squad {
        for article in &mut self.articles {
            for paragraph in article.paragraphs.iter_mut().skip(1).step_by(2) {
                paragraph.context.clear();
                for question in &mut paragraph.questions {
                    question.is_impossible = true;
                }
            }
        }
        self
    }

    /// How many questions there are.
    #[must_use]
    pub fn questions(&self) -> usize {
        let paragraphs = self.articles.iter().flat_map(|article| &article.paragraphs);
        paragraphs.map(|paragraph| paragraph.questions.len()).sum()
    }
}

impl SquadQuestion {
    /// Whether its paragraph answers it.
    #[must_use]
    pub fn is_answerable(&self) -> bool {
        !self.is_impossible && !self.answers.is_empty()
    }
}

/// Some files number their questions.
fn text_or_number<'de, D: serde::Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(source)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let text = r#"{"version":"v2.0","data":[{"title":"T","paragraphs":[{"context":"A b.",
            "qas":[{"id":7,"question":"?","answers":[{"text":"A","answer_start":0}]},
            {"id":"x","question":"??","answers":[],"is_impossible":true}]}]}]}"#;
        let squad = Squad::parse(text).unwrap();
        let questions = &squad.articles[0].paragraphs[0].questions;
        assert_eq!((questions[0].id.as_str(), squad.questions()), ("7", 2));
        assert!(questions[0].is_answerable() && !questions[1].is_answerable());
        assert_eq!((squad.part(0, 2).questions(), squad.part(1, 2).questions()), (2, 0));
        let paragraph = squad.articles[0].paragraphs[0].clone();
        let paragraphs = vec![paragraph.clone(), paragraph];
        let two = Squad { articles: vec![Article { paragraphs, ..Article::default() }] };
        let half = two.withholding();
        let answerable = |at: usize| half.articles[0].paragraphs[at].questions[0].is_answerable();
        assert!(answerable(0) && !answerable(1));
        assert!(half.articles[0].paragraphs[1].context.is_empty());
    }

    #[test]
    fn another_layout_is_said_to_be_none() {
        let error = Squad::parse(r#"{"rows":[]}"#).unwrap_err().to_string();
        assert!(error.contains("SQuAD layout") && error.contains("data"), "{error}");
    }
}
