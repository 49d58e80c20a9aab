"""The official Anthropic client against running Allods, one with documents and one with models:
anthropic_client.py DOCUMENTS_URL KEY MODELS_URL KEY

Every check that does not hold is printed; the exit status is 1 if there is one.
"""

import sys

import anthropic

from checks import check, raises, verdict

QUESTION = "How do I register when I move to Pradaval?"
MODEL = "allod/documents"
ASKED = {
    "model": "writer",
    "max_tokens": 12,
    "system": "Be kind.",
    "messages": [{"role": "user", "content": "Hello"}],
}


def whole(client):
    message = client.messages.create(**ASKED)
    check("a message ends", message.stop_reason in ("end_turn", "max_tokens"), message)
    check("a message has one text", [block.type for block in message.content] == ["text"], message)
    check("a message counts", message.usage.input_tokens > 0, message.usage)
    asked = {name: ASKED[name] for name in ("model", "system", "messages")}
    counted = client.messages.count_tokens(**asked)
    # What did not have to be read again is counted apart.
    read = message.usage.input_tokens + message.usage.cache_read_input_tokens
    check("tokens are counted alike", counted.input_tokens == read, (counted, message.usage))
    return message.content[0].text


def streamed(client, expected):
    with client.messages.stream(**ASKED) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    check("a stream gives the same text", text == expected, text)
    check("the helper puts it together", final.content[0].text == expected, final)
    check("it ends for a reason", final.stop_reason in ("end_turn", "max_tokens"), final)
    events = [event.type for event in client.messages.create(stream=True, **ASKED)]
    check("it begins and ends as it should",
          (events[0], events[-1]) == ("message_start", "message_stop"), events)


def stopped(client, text):
    if not text:
        return
    stop = text[len(text) // 2]
    message = client.messages.create(stop_sequences=[stop], **ASKED)
    seen = (message.stop_reason, message.stop_sequence)
    check("a stop text is named", seen == ("stop_sequence", stop), seen)


def tools(client):
    tool = {"name": "weather", "description": "tells", "input_schema": {
        "type": "object", "required": ["place"], "additionalProperties": False,
        "properties": {"place": {"enum": ["Chur", "Genf"]}}}}
    asked = {**ASKED, "max_tokens": 400, "tools": [tool], "tool_choice": {"type": "any"}}
    message = client.messages.create(**asked)
    block = message.content[-1]
    check("a tool is used", (message.stop_reason, block.type) == ("tool_use", "tool_use"), message)
    check("its input is valid", block.input.get("place") in ("Chur", "Genf"), block)
    with client.messages.stream(**asked) as stream:
        final = stream.get_final_message().content[-1]
    check("a stream uses it too", final.type == "tool_use" and "place" in final.input, final)
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
    conversation = [*ASKED["messages"], {"role": "assistant", "content": message.content},
                    {"role": "user", "content": [result]}]
    answer = client.messages.create(**{**ASKED, "messages": conversation, "tools": [tool],
                                       "tool_choice": {"type": "none"}})
    check("its result is read", answer.content[0].type == "text", answer)
    more = client.messages.count_tokens(model="writer", messages=ASKED["messages"], tools=[tool])
    bare = client.messages.count_tokens(model="writer", messages=ASKED["messages"])
    check("tools are counted", more.input_tokens > bare.input_tokens, (more, bare))


def thinking(client):
    asked = {**ASKED, "max_tokens": 60, "thinking": {"type": "enabled", "budget_tokens": 50}}
    message = client.messages.create(**asked)
    check("it thinks first", message.content[0].type == "thinking", message)
    with client.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    thought = message.content[0].thinking
    check("a stream thinks the same", final.content[0].thinking == thought, final)


def documents(client):
    messages = [{"role": "user", "content": QUESTION}]
    message = client.messages.create(model=MODEL, max_tokens=4096, messages=messages)
    check("the documents answer", "[1]" in message.content[0].text, message)
    extension = (message.model_extra or {}).get("allod") or {}
    check("the extension has the receipt", "receipt" in extension, extension)


def errors(client, base_url, key):
    create = client.messages.create
    error = raises("an unknown model", anthropic.NotFoundError,
                   lambda: create(**{**ASKED, "model": "no-such-model"}))
    body = getattr(error, "body", None) or {}
    check("its type is Anthropic's", body.get("error", {}).get("type") == "not_found_error", body)
    error = raises("a tool of the server's", anthropic.BadRequestError,
                   lambda: create(tools=[{"name": "bash", "type": "bash_20250124"}], **ASKED))
    check("the error names the field", error is not None and "tools" in error.message, error)
    wrong = anthropic.Anthropic(base_url=base_url, api_key=key[:-2] + "xx", max_retries=0)
    raises("a wrong key", anthropic.AuthenticationError, lambda: wrong.messages.create(**ASKED))


def main(documents_url, documents_key, models_url, models_key):
    print(f"anthropic {anthropic.__version__}")
    client = anthropic.Anthropic(base_url=documents_url, api_key=documents_key, max_retries=0, timeout=60)
    documents(client)
    client = anthropic.Anthropic(base_url=models_url, api_key=models_key, max_retries=0, timeout=60)
    text = whole(client)
    streamed(client, text)
    stopped(client, text)
    tools(client)
    thinking(client)
    errors(client, models_url, models_key)
    return verdict()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
