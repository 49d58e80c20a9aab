//! The part of a tokenizer.json that frames whole texts. The crate takes templates that it cannot
//! follow and panics when it does; they are refused here.

use serde_json::Value;
use tokenizers::PostProcessorWrapper;

/// Refuses a template with a token that it does not list or a second text where there is one, and
/// templates upon templates.
pub(super) fn check(processor: Option<&PostProcessorWrapper>) -> Result<(), String> {
    // As the crate writes it: what it reads has several forms.
    let written = serde_json::to_value(processor).map_err(|error| error.to_string())?;
    let mut open = vec![&written];
    let mut templates = 0;
    while let Some(processor) = open.pop() {
        open.extend(processor["processors"].as_array().into_iter().flatten());
        if processor["type"] == "TemplateProcessing" {
            templates += 1;
            check_template(processor, "single")?;
            check_template(processor, "pair")?;
        }
    }
    match templates {
        0 | 1 => Ok(()),
        _ => Err(format!("it has {templates} templates in `post_processor`; one at most")),
    }
}

fn check_template(processor: &Value, name: &str) -> Result<(), String> {
    for piece in processor[name].as_array().into_iter().flatten() {
        let token = piece["SpecialToken"]["id"].as_str();
        if let Some(token) = token.filter(|token| processor["special_tokens"][token].is_null()) {
            return Err(format!("the template `{name}` has `{token}`, not a token that it lists"));
        }
        if name == "single" && piece["Sequence"]["id"] == "B" {
            return Err("the template `single` has a second text".to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(processor: Value) -> Result<(), String> {
        check(Some(&serde_json::from_value(processor).unwrap()))
    }

    fn template(single: Value, pair: Value) -> Value {
        json!({"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}})
    }

    #[test]
    fn templates_that_cannot_be_followed_are_refused() {
        let (text, other) =
            (json!({"Sequence": {"id": "A", "type_id": 0}}), json!({"Sequence": ["B", 1]}));
        let token = |name: &str| json!({"SpecialToken": [name, 0]});
        let good = template(json!([token("<s>"), text]), json!([text, token("<s>"), other]));
        assert_eq!(check(None), Ok(()));
        assert_eq!(checked(good.clone()), Ok(()));
        let fault = |processor| checked(processor).unwrap_err();
        assert!(fault(template(json!([token("<t>"), text]), json!([text]))).contains("`<t>`"));
        assert!(fault(template(json!([text]), json!([token("<t>")]))).contains("`pair`"));
        assert!(fault(template(json!([other]), json!([text]))).contains("second text"));
        let twice = json!({"type": "Sequence", "processors": [good, good]});
        assert!(fault(twice).contains("2 templates"));
    }
}
