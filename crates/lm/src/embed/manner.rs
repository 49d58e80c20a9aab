//! How a model's own files say that texts become vectors.
//!
//! Folders say it in the files of sentence-transformers: `modules.json`, `1_Pooling/config.json`,
//! `sentence_bert_config.json`, `config_sentence_transformers.json`. GGUF files say it in keys.

use crate::arch::Settings;
use crate::checkpoint::read_object;
use crate::checkpoint::read_text;
use crate::error::{Error, Result};
use crate::spec::Pooling;
use allod_weights::{Metadata, TensorFile};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// These files are small.
const JSON_BYTES: u64 = 16 << 20;
/// What an error says about modules.
const MODULES: &str = "a Transformer, then a Pooling, then perhaps a Normalize are";

/// How texts become vectors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manner {
    /// Whether there is a list of modules.
    pub lists_modules: bool,
    /// Where config.json, the weights and the tokenizer are.
    pub folder: PathBuf,
    /// How a text's tokens become one vector; none where the files do not say.
    pub pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1.
    pub normalise: bool,
    /// What is put before texts, by name.
    pub prompts: BTreeMap<String, String>,
    /// The name of what is put before texts of which nothing is said.
    pub default_prompt: Option<String>,
    /// Tokens that a text is cut to; none where the files do not say.
    pub max_tokens: Option<usize>,
}

impl Manner {
    /// As the folder's files say it.
    ///
    /// # Errors
    /// If they are damaged or ask for what is not done here.
    pub fn of_folder(folder: &Path) -> Result<Manner> {
        let modules = modules(folder)?;
        let own = folder.join(&modules.transformer);
        let (prompts, default_prompt) = prompts(folder)?;
        let pooling = match modules.pooling {
            Some(path) => Some(pooling(&folder.join(path).join("config.json"))?),
            None => None,
        };
        Ok(Manner {
            pooling,
            normalise: modules.normalise,
            prompts,
            default_prompt,
            max_tokens: max_tokens(&own)?,
            folder: own,
            lists_modules: modules.listed,
        })
    }
}

/// How texts become vectors by what lies at `path`; none where it does not say.
///
/// # Errors
/// If it is damaged or asks for what is not done here.
pub(crate) fn pooling_of(path: &Path, file: &TensorFile) -> Result<Option<Pooling>> {
    match path.is_dir() {
        true => Manner::of_folder(path).map(|manner| manner.pooling),
        false => of_keys(path, file.metadata()),
    }
}

/// As the keys of a GGUF file say it.
pub(super) fn of_keys(path: &Path, metadata: &Metadata) -> Result<Option<Pooling>> {
    let name = metadata.text("general.architecture").unwrap_or_default();
    let kind = metadata.number(&format!("{name}.pooling_type")).and_then(|kind| kind.as_u64());
    let Some(kind) = kind else { return Ok(None) };
    let known = [Pooling::Mean, Pooling::First, Pooling::Last];
    let found = known.into_iter().find(|pooling| u64::from(pooling.gguf_number()) == kind);
    found.map(Some).ok_or_else(|| {
        let what = format!("the pooling type {kind} (`{name}.pooling_type`)");
        let supported = "1 (mean), 2 (first token) and 3 (last token) are".to_string();
        Error::Unsupported { file: path.to_path_buf(), what, supported }
    })
}

/// The files of a folder that say the same, and that vectors are scaled to length 1, as those of
/// GGUF files are: names and texts.
pub(crate) fn files(pooling: &Pooling) -> [(&'static str, String); 2] {
    let module = |index: usize, name: &str, path: &str| {
        let kind = format!("sentence_transformers.models.{name}");
        json!({"idx": index, "name": index.to_string(), "path": path, "type": kind})
    };
    let modules = [
        module(0, "Transformer", ""),
        module(1, "Pooling", "1_Pooling"),
        module(2, "Normalize", "2_Normalize"),
    ];
    let mode = match pooling {
        Pooling::Mean => "mean",
        Pooling::First => "cls",
        Pooling::Last => "lasttoken",
    };
    let own = json!({"pooling_mode": mode, "include_prompt": true});
    [
        ("modules.json", format!("{:#}\n", Value::from(modules.to_vec()))),
        ("1_Pooling/config.json", format!("{own:#}\n")),
    ]
}

/// The folder of config.json, the weights and the tokenizer, and the files beside those that
/// [`Manner::of_folder`] reads.
pub(crate) fn files_read(folder: &Path) -> (PathBuf, Vec<String>) {
    let modules = modules(folder).unwrap_or_default();
    let mut files = vec!["modules.json".into(), "config_sentence_transformers.json".into()];
    files.push(modules.transformer.join("sentence_bert_config.json"));
    files.extend(modules.pooling.map(|path| path.join("config.json")));
    let name = |path: PathBuf| path.to_string_lossy().into_owned();
    (modules.transformer, files.into_iter().map(name).collect())
}

/// What modules.json lists.
#[derive(Default)]
struct Modules {
    transformer: PathBuf,
    pooling: Option<PathBuf>,
    normalise: bool,
    listed: bool,
}

fn modules(folder: &Path) -> Result<Modules> {
    let path = folder.join("modules.json");
    if !path.is_file() {
        return Ok(Modules::default());
    }
    let bad = |what: &str| Error::Setting {
        file: path.clone(),
        key: "the whole".to_string(),
        what: what.to_string(),
    };
    let list: Value = serde_json::from_str(&read_text(&path, JSON_BYTES)?)
        .map_err(|error| bad(&format!("is no JSON: {error}")))?;
    let list = list.as_array().ok_or_else(|| bad("is not a list"))?;
    let mut found = Modules::default();
    for (index, module) in list.iter().enumerate() {
        let kind = module["type"].as_str().unwrap_or_default();
        let place = inside(module["path"].as_str().unwrap_or_default())
            .ok_or_else(|| bad("has a `path` that is not inside the folder"))?;
        match (index, kind.rsplit('.').next().unwrap_or_default()) {
            (0, "Transformer") => found.transformer = place,
            (1, "Pooling") => found.pooling = Some(place),
            (2, "Normalize") => found.normalise = true,
            _ => {
                let what = format!("the module `{kind}` as number {index}");
                let supported = MODULES.to_string();
                return Err(Error::Unsupported { file: path, what, supported });
            }
        }
    }
    found.listed = true;
    Ok(found)
}

/// A path of plain names below the folder.
fn inside(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| path.to_path_buf())
}

/// `pooling_mode`, or the one of several flags that is set.
fn pooling(path: &Path) -> Result<Pooling> {
    let config = read_object(path, JSON_BYTES)?;
    let settings = Settings::json(path, &config);
    if settings.truth_if_any("include_prompt")? == Some(false) {
        let what = "the setting `include_prompt` of false";
        return Err(settings.unsupported(what, "prompts take part in pooling"));
    }
    let modes: Vec<String> = match config.get("pooling_mode") {
        Some(Value::Array(_)) => {
            let modes = settings.texts_if_any("pooling_mode")?.unwrap_or_default();
            modes.into_iter().map(str::to_string).collect()
        }
        Some(_) => vec![settings.text("pooling_mode")?.to_string()],
        None => flags(&settings, &config)?,
    };
    match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::First),
        ["lasttoken"] => Ok(Pooling::Last),
        [] => Err(settings.bad("pooling_mode", "is missing")),
        _ => {
            let what = format!("the pooling `{}`", modes.join("` with `"));
            Err(settings.unsupported(what, "`mean`, `cls` and `lasttoken`, one of them, are"))
        }
    }
}

fn flags(settings: &Settings, config: &Map<String, Value>) -> Result<Vec<String>> {
    let mut modes = Vec::new();
    for key in config.keys() {
        if let Some(mode) = key.strip_prefix("pooling_mode_")
            && settings.truth(key)?
        {
            modes.push(mode.to_string());
        }
    }
    Ok(modes)
}

/// What stands before texts, and which of it where nothing is said.
fn prompts(folder: &Path) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let path = folder.join("config_sentence_transformers.json");
    if !path.is_file() {
        return Ok((BTreeMap::new(), None));
    }
    let config = read_object(&path, JSON_BYTES)?;
    let settings = Settings::json(&path, &config);
    let mut prompts = BTreeMap::new();
    if let Some(Value::Object(map)) = config.get("prompts") {
        for (name, prompt) in map.iter().filter(|(_, prompt)| !prompt.is_null()) {
            let prompt = prompt.as_str();
            let prompt = prompt.ok_or_else(|| settings.bad("prompts", "holds no text"))?;
            prompts.insert(name.clone(), prompt.to_string());
        }
    }
    let default = settings.text_if_any("default_prompt_name")?.map(str::to_string);
    if let Some(name) = default.as_ref().filter(|name| !prompts.contains_key(*name)) {
        let what = format!("names `{name}`, which is no prompt");
        return Err(settings.bad("default_prompt_name", what));
    }
    Ok((prompts, default))
}

/// `max_seq_length`, else the tokenizer's `model_max_length`.
fn max_tokens(folder: &Path) -> Result<Option<usize>> {
    let path = folder.join("sentence_bert_config.json");
    if path.is_file() {
        let config = read_object(&path, JSON_BYTES)?;
        let settings = Settings::json(&path, &config);
        settings.refuse(["do_lower_case"], "it is where the tokenizer's own files say it")?;
        if let Some(forms) = settings.object("modality_config")?
            && forms.has("message")
        {
            let what = "the form `message` (`modality_config`)";
            return Err(settings.unsupported(what, "texts as they stand are"));
        }
        if let Some(most) = settings.size_if_any("max_seq_length")? {
            return Ok(Some(most));
        }
    }
    let path = folder.join("tokenizer_config.json");
    if !path.is_file() {
        return Ok(None);
    }
    let config = read_object(&path, JSON_BYTES)?;
    let most = Settings::json(&path, &config).float_if_any("model_max_length")?;
    // Files without a limit hold 10^30.
    Ok(most.filter(|most| (1.0..1e9).contains(most)).map(|most| most as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const MODULES_JSON: &str = r#"[
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#;
    const LAST: &str = r#"{"pooling_mode_cls_token": false, "pooling_mode_lasttoken": true}"#;

    #[test]
    fn the_files_of_a_folder_are_read() {
        let folder = folder(&[
            ("modules.json", MODULES_JSON),
            ("1_Pooling/config.json", LAST),
            ("sentence_bert_config.json", r#"{"max_seq_length": 77, "do_lower_case": false}"#),
            (
                "config_sentence_transformers.json",
                r#"{"prompts": {"query": "Q: ", "document": ""}, "default_prompt_name": null}"#,
            ),
        ]);
        let manner = Manner::of_folder(folder.path()).unwrap();
        assert_eq!(manner.pooling, Some(Pooling::Last));
        assert_eq!((manner.normalise, manner.max_tokens), (true, Some(77)));
        assert_eq!(manner.prompts["query"], "Q: ");
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let dense = MODULES_JSON.replace("models.Normalize", "models.Dense");
        let outside = MODULES_JSON.replace("1_Pooling", "../1_Pooling");
        let cases = [
            (dense.as_str(), LAST, "models.Dense"),
            (outside.as_str(), LAST, "path"),
            (MODULES_JSON, r#"{"pooling_mode_max_tokens": true}"#, "max_tokens"),
            (MODULES_JSON, r#"{"pooling_mode": ["cls", "mean"]}"#, "`cls` with `mean`"),
            (
                MODULES_JSON,
                r#"{"pooling_mode": "mean", "include_prompt": false}"#,
                "include_prompt",
            ),
            (MODULES_JSON, "{}", "pooling_mode"),
            (r#"{"a": 1}"#, LAST, "list"),
            ("[", LAST, "JSON"),
        ];
        for (modules, pooling, named) in cases {
            let files = [("modules.json", modules), ("1_Pooling/config.json", pooling)];
            let message = Manner::of_folder(folder(&files).path()).unwrap_err().to_string();
            assert!(message.contains(named), "{named}: {message}");
        }
    }

    #[test]
    fn texts_that_are_rendered_as_chats_are_refused() {
        let config = r#"{"modality_config": {"text": {}, "message": {"format": "flat"}}}"#;
        let folder = folder(&[("sentence_bert_config.json", config)]);
        let message = Manner::of_folder(folder.path()).unwrap_err().to_string();
        assert!(message.contains("`message`"), "{message}");
    }

    #[test]
    fn a_folder_that_says_nothing_leaves_it_open() {
        let manner = Manner::of_folder(folder(&[]).path()).unwrap();
        assert_eq!((manner.pooling, manner.normalise, manner.max_tokens), (None, false, None));
    }
}
