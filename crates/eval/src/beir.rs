//! Retrieval sets in the layout of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A passage of a set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BeirPassage {
    /// Its name in the set.
    #[serde(rename = "_id")]
    pub id: String,
    /// What stands above it; may be empty.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub text: String,
}

/// A query with the passages that answer it.
#[derive(Clone, Debug, PartialEq)]
pub struct BeirQuery {
    /// Its name in the set.
    pub id: String,
    /// Its text.
    pub text: String,
    /// How relevant which passages are; above 0, and there is one.
    pub relevant: HashMap<String, u32>,
}

/// A folder in the layout of BEIR.
#[derive(Clone, Debug, PartialEq)]
pub struct BeirSet {
    /// All passages.
    pub passages: Vec<BeirPassage>,
    /// The queries that have a relevant passage.
    pub queries: Vec<BeirQuery>,
}

/// A set that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BeirError {
    /// A file is missing or cannot be read.
    #[error(
        "{path} cannot be read: {source}; give a folder with corpus.jsonl, queries.jsonl and \
         qrels/test.tsv"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what the layout says.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to measure.
    #[error("{path} has no query with a relevant passage")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

impl BeirSet {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`BeirError`] with the file and line of the first mistake.
    pub fn read(folder: &Path) -> Result<BeirSet, BeirError> {
        let passages = objects(&folder.join("corpus.jsonl"))?;
        let mut judged = judgements(&folder.join("qrels/test.tsv"))?;
        let queries: Vec<QueryLine> = objects(&folder.join("queries.jsonl"))?;
        let with_relevant = queries.into_iter().filter_map(|QueryLine { id, text }| {
            Some(BeirQuery { relevant: judged.remove(&id)?, id, text })
        });
        let queries: Vec<BeirQuery> = with_relevant.collect();
        if queries.is_empty() {
            return Err(BeirError::Empty { path: folder.to_owned() });
        }
        Ok(BeirSet { passages, queries })
    }
}

/// The lines of a file that are not empty, with their numbers.
fn lines(path: &Path) -> Result<Vec<(usize, String)>, BeirError> {
    let failed = |source| BeirError::File { path: path.to_owned(), source };
    let mut found = Vec::new();
    for (at, line) in BufReader::new(File::open(path).map_err(failed)?).lines().enumerate() {
        let line = line.map_err(failed)?;
        if !line.trim().is_empty() {
            found.push((at + 1, line));
        }
    }
    Ok(found)
}

fn objects<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, BeirError> {
    let object = |(line, text): (usize, String)| {
        let wrong = |e: serde_json::Error| wrong(path, line, e.to_string());
        serde_json::from_str(&text).map_err(wrong)
    };
    lines(path)?.into_iter().map(object).collect()
}

fn wrong(path: &Path, line: usize, reason: String) -> BeirError {
    BeirError::Line { path: path.to_owned(), line, reason }
}

/// The relevant passages of each query: three columns, the first line names them.
fn judgements(path: &Path) -> Result<HashMap<String, HashMap<String, u32>>, BeirError> {
    let mut judged: HashMap<String, HashMap<String, u32>> = HashMap::new();
    for (line, text) in lines(path)?.into_iter().skip(1) {
        let mut columns = text.trim_end_matches('\r').split('\t');
        let (Some(query), Some(passage), Some(score), None) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            return Err(wrong(
                path,
                line,
                "a line has query, passage and score, parted by tabs".into(),
            ));
        };
        let score: i64 = score
            .trim()
            .parse()
            .map_err(|_| wrong(path, line, format!("the score {score:?} is no whole number")))?;
        // A score of 0 or less says that the passage is not relevant.
        if let Some(score) = u32::try_from(score).ok().filter(|score| *score > 0) {
            judged.entry(query.to_owned()).or_default().insert(passage.to_owned(), score);
        }
    }
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(corpus: &str, queries: &str, judged: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("qrels")).unwrap();
        for (name, text) in
            [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels/test.tsv", judged)]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const CORPUS: &str = "{\"_id\":\"p\",\"title\":\"\",\"text\":\"x\",\"metadata\":{}}\n";
    const QUERIES: &str = "{\"_id\":\"a\",\"text\":\"?\"}\n{\"_id\":\"b\",\"text\":\"?\"}\n";

    #[test]
    fn queries_without_a_relevant_passage_are_left_out() {
        let judged = "query-id\tcorpus-id\tscore\na\tp\t2\nb\tp\t0\n";
        let set = BeirSet::read(folder(CORPUS, QUERIES, judged).path()).unwrap();
        assert_eq!((set.passages.len(), set.queries.len()), (1, 1));
        assert_eq!(set.queries[0].relevant, HashMap::from([("p".to_owned(), 2)]));
    }

    #[test]
    fn mistakes_name_their_file_and_line() {
        let error = |c, q, j| BeirSet::read(folder(c, q, j).path()).unwrap_err().to_string();
        let head = "query-id\tcorpus-id\tscore\n";
        assert!(error("{}", QUERIES, head).contains("corpus.jsonl, line 1"));
        assert!(error(CORPUS, QUERIES, "h\na\tp\n").contains("test.tsv, line 2"));
        assert!(error(CORPUS, QUERIES, "h\na\tp\thigh\n").contains("whole number"));
        assert!(error(CORPUS, QUERIES, head).contains("no query"));
        let missing = BeirSet::read(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(missing.contains("corpus.jsonl"), "{missing}");
    }
}
