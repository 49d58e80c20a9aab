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
        (
            "{{ {'b': 1, 'a': ['é🦙', 2]} | tojson(sort_keys=true, ensure_ascii=true) }}",
            "{\"a\": [\"\\u00e9\\ud83e\\udd99\", 2], \"b\": 1}",
        ),
        ("{{ {'b': 1, 'a': [1, 2]} | tojson(separators=(',', ':')) }}", "{\"b\":1,\"a\":[1,2]}"),
        ("{{ {'a': 1} | tojson(false, none, [';', '=']) }}", "{\"a\"=1}"),
        ("{{ tools is none }} {{ add_generation_prompt }}", "True True"),
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

#[test]
fn tools_and_variables_are_seen_and_parted() {
    let tool = serde_json::json!({"name": "search", "description": "finds <|end|>", "parameters":
        {"type": "object", "properties": {"query": {"type": "string"}}}});
    let input = TemplateInput {
        tools: Some(vec![tool]),
        add_generation_prompt: false,
        variables: [("enable_thinking".to_string(), true.into())].into(),
        ..TemplateInput::new(&[message("user", "hi")])
    };
    let source = "{% for tool in tools %}{{ tool | tojson(ensure_ascii=true) }}{% endfor %}\
                  {% if enable_thinking %}think{% endif %}\
                  {% if add_generation_prompt %}<|assistant|>{% endif %}";
    let rendered = template(source).render_input(input, ["<|end|>"].into_iter()).unwrap();
    let expected = "{\"name\": \"search\", \"description\": \"finds <|end|>\", \"parameters\": \
                    {\"type\": \"object\", \"properties\": \
                    {\"query\": {\"type\": \"string\"}}}}think";
    assert_eq!(rendered.text(), expected);
    assert!(!rendered.text.contains("<|end|>"));
}

/// The constructs of Apertus's templates: recursive macros over a tool's schema, namespaces, the
/// date, and messages whose content is text or parts.
#[test]
fn what_apertus_asks_for_is_there() {
    let source = concat!(
        "{%- macro kind(schema) -%}{%- if schema.type == 'array' -%}{{ kind(schema['items']) }}[]",
        "{%- elif schema.type == 'object' and schema.properties is mapping -%}{{ '{' }}",
        "{%- for name, value in schema.properties.items() -%}",
        "{{ name }}{% if name not in (schema.required or []) %}?{% endif %}: {{ kind(value) }}",
        "{%- if not loop.last %}, {% endif %}{%- endfor -%}{{ '}' }}",
        "{%- else -%}{{ schema.type }}{%- endif -%}{%- endmacro -%}",
        "{{ strftime_now('%Y-%m-%d') }}\n",
        "{%- set ns = namespace(turn=false) -%}",
        "{%- for message in messages -%}{%- if message.content is string -%}{{ message.content }}",
        "{%- elif message.content is mapping and 'parts' in message.content -%}",
        "{%- for part in message.content.parts -%}{{ part.text }}{%- endfor -%}",
        "{%- else -%}{{ raise_exception('content of ' + message.role) }}{%- endif -%}",
        "{%- set ns.turn = true -%}{%- endfor -%}",
        "{% for tool in tools %}type {{ tool.name }} = ({{ kind(tool.parameters) }});{% endfor %}",
        "{{ ns.turn }}",
    );
    let tool = serde_json::json!({"name": "f", "parameters": {"type": "object", "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": "array", "items":
            {"type": "object", "properties": {"c": {"type": "number"}}}}}}});
    let mut input = TemplateInput::new(&[message("user", "hi ")]);
    input.tools = Some(vec![tool]);
    input.date = Some(date(2026, 3, 9));
    let parts = serde_json::json!({"role": "user", "content": {"parts": [{"text": "x"}]}});
    input.messages.push(parts);
    let rendered = template(source).render_input(input.clone(), [].into_iter()).unwrap();
    assert_eq!(rendered.text(), "2026-03-09hi xtype f = ({a: string, b?: {c?: number}[]});True");
    input.messages.push(serde_json::json!({"role": "tool", "content": 3}));
    let error = template(source).render_input(input, [].into_iter()).unwrap_err();
    assert!(error.to_string().contains("content of tool"), "{error}");
}

#[test]
fn templates_that_take_too_much_memory_are_stopped() {
    let doubled = |operation: &str| {
        format!(
            "{{% set ns = namespace(x='ab', l=[1, 2]) %}}{{% for i in range(60) %}}\
             {operation}{{% endfor %}}{{{{ ns.x | length }}}}"
        )
    };
    let operations = [
        "{% set ns.x = ns.x ~ ns.x %}",
        "{% set ns.x = ns.x + ns.x %}",
        "{% set ns.x = (ns.x) ~ ('' ~ ns.x) %}",
        "{% set ns.x = ns.x * 9 %}",
        "{% set ns.x = ns.x | replace('a', ns.x) %}",
        "{% set ns.x = ns.x.replace('', ns.x) %}",
        "{% set ns.x = [ns.x, ns.x] | join('') %}",
        "{% set ns.x = ns.x.join([ns.x, ns.x]) %}",
        "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}",
        "{% set ns.x = ns.x | indent(100000000) %}",
        "{% set ns.x = '%0900000000d' | format(1) %}",
        "{% set ns.l = ns.l + ns.l %}",
        "{% set ns.l = [ns.l, ns.l] %}",
        "{% set ns.l = {'a': ns.l, 'b': ns.l} %}",
        "{% set ns.x = [ns.x] * 5000000 %}{{ ns.x }}",
        "{% set ns.x = ns.x.ljust(900000000) %}",
        "{% set ns.x = ns.x.center(9000000000000000000) %}",
        "{% set ns.x = (ns.x ~ '<')|e ~ ns.x|e %}",
        "{% set ns.x = (ns.x ~ '\\n')|indent(ns.x) ~ ns.x %}",
        "{% set ns.l = ns.l|batch(90000000, 1) %}",
        "{% set ns.l = ns.l.copy() + ns.l %}",
    ];
    for operation in operations {
        let error = render(&doubled(operation), &[]).unwrap_err().to_string();
        let stopped = error.contains("too much memory") || error.contains("too large");
        assert!(stopped, "{operation}: {error}");
    }
    let twice =
        "{% macro twice(x, n) %}{% if n %}{{ twice(x ~ x, n - 1) }}{% endif %}{% endmacro %}";
    let error = render(&format!("{twice}{{{{ twice('ab' * 4000, 18) }}}}"), &[]).unwrap_err();
    assert!(error.to_string().contains("too much memory"), "{error}");
}

#[test]
fn values_that_hold_themselves_are_not_written_out() {
    for source in ["{{ ns }}", "{{ ns ~ '' }}", "{{ ns | tojson }}", "{{ ns | string }}"] {
        let source = format!("{{% set ns = namespace() %}}{{% set ns.ns = ns %}}{source}");
        let error = render(&source, &[]).unwrap_err().to_string();
        assert!(error.contains("too much memory"), "{source}: {error}");
    }
}

#[test]
fn products_of_constants_are_not_made_when_a_template_is_read() {
    for source in ["{{ 'a' * 10 ** 8 }}", "{{ 100000000 * 'a' }}"] {
        let error = ChatTemplate::new(source.to_string(), BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("too much memory"), "{error}");
    }
    assert_eq!(render("{{ '-' * 10 }}{{ 70000 * 3 }}", &[]).unwrap(), "----------210000");
}

#[test]
fn tests_of_kind_and_numbers_are_those_of_python() {
    let kinds = "{{ x is iterable }} {{ x is sequence }} {{ x is mapping }}";
    for (value, expected) in [
        ("none", "False False False"),
        ("1", "False False False"),
        ("'a'", "True True False"),
        ("[]", "True True False"),
        ("{}", "True True True"),
    ] {
        let source = format!("{{% set x = {value} %}}{kinds}");
        assert_eq!(render(&source, &[]).unwrap(), expected, "{value}");
    }
    let found = render("{{ 1e-7 }} {{ 1e16 | string }} {{ 2.0 }} {{ 1e-7 | tojson }}", &[]);
    assert_eq!(found.unwrap(), "1e-07 1e+16 2.0 1e-07");
}

/// The checks are written into the source; what it computes stays what it was.
#[test]
fn checks_change_no_result() {
    for (source, expected) in [
        ("{{ 'a' ~ 1 + 2 ~ ('b' ~ 'c')|upper ~ [1, 'x'][1] }}", "a12BCx"),
        ("{{ (1 + 2) * 3 - 4 * (2 + 1) }}", "-3"),
        ("{{ {'a': [1, {'b': 2}]}['a'][1]['b'] + 1 }}", "3"),
        ("{{ 'x' + ('y' if 1 + 1 == 2 else 'z') + 'w' }}", "xyw"),
        ("{{ 'b' in ['a', 'b'] and 3 in [1 + 2] }}", "True"),
        ("{{ 2 is in [1, 2] }}{{ -1 + 2 }}{{ ['é' ~ 'ü']|join }}", "True1éü"),
        ("{%- set x = 'é' + 'ü' -%} {{- x ~ \"'\" -}}  ", "éü'"),
        ("{{ [1, 2] + [3] }}{{ ('a', 'b') | length }}", "[1, 2, 3]2"),
        ("{% set a, b = 1 + 1, 'c' ~ 'd' %}{{ a }}{{ b }}", "2cd"),
        ("{{ 'a,b'.split(',')[0] ~ 'x'.upper() ~ (messages | length) }}", "aX1"),
        (
            "{{ 'a\\nb' | indent(2) }}{{ '%s-%d' | format('x', 3) }}{{ 'aa'|replace('a', 'bc') }}",
            "a\n  bx-3bcbc",
        ),
    ] {
        assert_eq!(render(source, &[message("user", "hi")]).unwrap(), expected, "{source}");
    }
}

/// What Jinja and Python write, compared with them once.
#[test]
fn methods_and_filters_are_those_of_python() {
    for (source, expected) in [
        (
            "{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a b  c '.rsplit(none, 1) }}",
            "['a,b', 'c'][' a b', 'c']",
        ),
        ("{{ 'a b c'.split(' ', maxsplit=1) }}{{ 'a b'.split() }}", "['a', 'b c']['a', 'b']"),
        (
            "{{ 'a=b=c'.partition('=') }}{{ 'ab'.rpartition('=') }}",
            "('a', '=', 'b=c')('', '', 'ab')",
        ),
        ("{{ 'abc'.removeprefix('a') ~ 'abc'.removesuffix('c') }}", "bcab"),
        ("{{ 'äbc'.index('c') }}{{ [1, 'x'].index('x') }}{{ 'aXé'.swapcase() }}", "21AxÉ"),
        ("{{ '-7'.zfill(4) }}{{ 'a'.ljust(3, '.') }}{{ 'a'.rjust(3) }}|", "-007a..  a|"),
        ("{{ 'a'.center(4) }}|{{ 'ab'.center(5, '*') }}", " a  |**ab*"),
        ("{{ {'a': [1]}.copy() }}{{ [1].copy() }}", "{'a': [1]}[1]"),
        (
            "{{ (1, 'a') }}{{ (1,) }}{{ {'a': 1}.items()|list }}{{ [1] }}",
            "(1, 'a')(1,)[('a', 1)][1]",
        ),
        ("{{ 'x'|int }}{{ '3.9'|int }}{{ 'x'|int(-1) }}{{ [1]|int(default=2) }}", "03-12"),
        ("{{ 'x'|float }} {{ '2'|float }} {{ true|int }} {{ -2.5|int }}", "0.0 2.0 1 -2"),
        ("{{ [{'a': {'b': 1}}, {'a': {'b': 'x'}}]|join('-', attribute='a.b') }}", "1-x"),
        ("{{ 'aaa'|replace('a', 'b', 2) }}{{ 'aa'|replace('a', 'b') }}", "bbabb"),
        ("{{ 'a\n\nb'|indent('> ') }}|{{ 'a\n\nb'|indent(1, blank=true) }}", "a\n\n> b|a\n \n b"),
        ("{{ 'a\nb'|indent(width=2, first=True) }}", "  a\n  b"),
        (
            "{{ '<a&\"\\'>'|e }}{{ '<'|e|e }}{{ '<'|e|forceescape }}",
            "&lt;a&amp;&#34;&#39;&gt;&lt;&amp;lt;",
        ),
        ("{{ [1, 2, 3]|batch(2)|list }}{{ [1]|batch(2, 0)|list }}", "[[1, 2], [3]][[1, 0]]"),
        ("{{ nothing|length }}{{ nothing|items|list }}{{ 'é'|length }}", "0[]1"),
        ("{{ [true] + [1e-7, 'a'] }}{{ ([1] + [2]).index(2) }}", "[True, 1e-07, 'a']1"),
        ("{{ range is callable }}{{ 'a' is callable }}", "TrueFalse"),
    ] {
        assert_eq!(render(source, &[]).unwrap(), expected, "{source}");
    }
}

/// They end lines as other tags do, and what is set between them stays there.
#[test]
fn marks_for_training_are_blocks() {
    for (source, expected) in [
        ("{% generation %}a{% endgeneration %}\nb", "ab"),
        ("  {% generation %}\na\n  {% endgeneration %}\nb", "a\nb"),
        ("x {%- generation -%} a {%- endgeneration -%} y", "xay"),
        ("{% generation %}{% set a = 1 %}{{ a }}{% endgeneration %}{{ a is defined }}", "1False"),
        ("{%- for i in [1] -%}{% generation %}{{ i }}{% endgeneration %}{% endfor %}", "1"),
    ] {
        assert_eq!(render(source, &[]).unwrap(), expected, "{source}");
    }
}

#[test]
fn all_ends_of_lines_are_one() {
    let source = "{% if true %}\r\na\r\n{% endif %}\r\n{{ messages[0].content }}\rb\r\n";
    assert_eq!(render(source, &[message("user", "c\r\n")]).unwrap(), "a\nc\r\n\nb");
}
