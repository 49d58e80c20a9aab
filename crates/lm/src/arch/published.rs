//! Chat templates as their models' authors published them: what families are called, and the
//! SHA-256 of the template's text.

/// A family's template.
pub(crate) struct Published {
    /// What names of its models begin with, in small letters.
    pub family: &'static str,
    /// Words in a name that say that it is another model after all.
    pub others: &'static [&'static str],
    /// As [`allod_weights::digest_bytes`] writes them.
    pub digests: &'static [&'static str],
}

/// From tokenizer_config.json of Qwen/Qwen2.5-0.5B-Instruct.
const QWEN_2_5: &str = "sha256:d5495a1e5db0611132a97e46a65dbb64a642a499421228b9c8b93229097fa9a4";

const PUBLISHED: &[Published] = &[Published {
    family: "qwen2.5",
    others: &["coder", "math", "vl", "omni"],
    digests: &[QWEN_2_5],
}];

/// The template that a model of this name was published with, if it is known here.
pub(crate) fn published(name: &str) -> Option<&'static Published> {
    let plain: String = name.to_lowercase().chars().filter(|c| *c != ' ' && *c != '_').collect();
    let plain = plain.replace("qwen-2.5", "qwen2.5");
    PUBLISHED.iter().find(|published| {
        let other = |word: &&str| plain.split('-').any(|part| part == *word);
        plain.starts_with(published.family) && !published.others.iter().any(other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_name() {
        for name in ["Qwen2.5-0.5B-Instruct", "Qwen2.5 7B Instruct", "qwen2.5-3b-instruct-q4_0"] {
            assert!(published(name).is_some(), "{name}");
        }
        for name in ["Qwen2.5-Coder-7B", "Qwen2-0.5B", "my-qwen2.5", "x"] {
            assert!(published(name).is_none(), "{name}");
        }
    }
}
