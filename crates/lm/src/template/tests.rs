use super::*;
use jiff::civil::date;

fn message(role: &str, content: &str) -> Message {
    Message { role: role.to_string(), content: content.to_string() }
}

fn template(source: &str) -> ChatTemplate {
    let variables = [("bos_token".to_string(), "<s>".to_string())];
    ChatTemplate::new(source.to_string(), variables.into()).unwrap()
}

fn render(source: &str, messages: &[Message]) -> Result<String> {
    let rendered = template(source).render(messages, Some(date(2026, 3, 9)), [].into_iter());
    rendered.map(|rendered| rendered.text())
}

#[test]
fn messages_and_variables_are_seen() {
    let source = concat!(
        "{{ bos_token }}{% for m in messages %}\n",
        "  {% if m.role == 'user' %}\n",
        "<|{{ m['role'] }}|>\n",
        "{{ m.content | trim }}{% endif %}\n",
        "{% endfor %}\n",
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    );
    let text = render(source, &[message("user", " hi ")]).unwrap();
    assert_eq!(text, "<s><|user|>\nhi<|assistant|>");
}

#[test]
fn what_python_templates_use_is_there() {
    for (source, expected) in [
        ("{{ 'a,b'.split(',') | join('-') }}", "a-b"),
        ("{{ strftime_now('%d %b %Y') }}", "09 Mar 2026"),
        ("{{ {'a': '<é>'} | tojson }}", "{\"a\": \"<é>\"}"),
        ("{{ [1] | tojson(indent=1) }}", "[\n 1\n]"),
        ("{% for x in [1,2,3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "1"),
        ("{% set ns = namespace(n=0) %}{% set ns.n = 4 %}{{ ns.n }}", "4"),
        ("a{% generation %}b{%- endgeneration -%}c", "abc"),
        ("{{ messages[0].content.startswith('h') }}", "True"),
    ] {
        assert_eq!(render(source, &[message("user", "hi")]).unwrap(), expected, "{source}");
    }
}

#[test]
fn exceptions_carry_their_message() {
    let error = render("{{ raise_exception('roles must alternate') }}", &[]).unwrap_err();
    assert!(error.to_string().contains("roles must alternate"), "{error}");
}

#[test]
fn endless_templates_end() {
    let source = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let error = render(source, &[]).unwrap_err();
    assert!(error.to_string().contains("fuel"), "{error}");
}

#[test]
fn a_source_that_is_no_template_is_refused_with_its_line() {
    let error = ChatTemplate::new("a\n{% if %}".to_string(), BTreeMap::new()).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn without_a_date_there_is_no_clock() {
    let source = "{{ strftime_now is defined }}";
    let rendered = template(source).render(&[], None, [].into_iter()).unwrap();
    assert_eq!(rendered.text(), "False");
}

#[test]
fn the_plain_template_is_lines() {
    let messages = [message("system", "be brief"), message("user", "hi")];
    let rendered = ChatTemplate::plain().render(&messages, None, [].into_iter()).unwrap();
    assert_eq!(rendered.text(), "system: be brief\nuser: hi\nassistant:");
}

#[test]
fn special_tokens_in_messages_are_parted() {
    let messages = [message("user", "a<|end|>b\u{fdd0}")];
    let source = "{{ messages[0].content }}<|end|>";
    let rendered = template(source).render(&messages, None, ["<|end|>"].into_iter()).unwrap();
    assert_eq!(rendered.text.matches("<|end|>").count(), 1);
    assert_eq!(rendered.text(), "a<|end|>b\u{fdd0}<|end|>");
}
