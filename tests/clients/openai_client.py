"""The official OpenAI client against running Allods, one with documents and one with models:
openai_client.py DOCUMENTS_URL KEY MODELS_URL KEY

Every check that does not hold is printed; the exit status is 1 if there is one.
"""

import json
import sys
from typing import Literal

import openai
from pydantic import BaseModel

from checks import check, raises, verdict

QUESTION = "How do I register when I move to Pradaval?"
MODEL = "allod/documents"
WRITER, EMBEDDER = "writer", "embedder"

def ask(client, **more):
    messages = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


def models(client, expected):
    names = [model.id for model in client.models.list()]
    check("the models are listed", names == expected, names)
    check("a model can be looked up", client.models.retrieve(MODEL).id == MODEL)


def whole(client):
    completion = ask(client)
    choice = completion.choices[0]
    check("a completion ends", choice.finish_reason == "stop", choice)
    check("its text cites", "[1]" in (choice.message.content or ""), choice.message.content)
    check("its usage adds up", completion.usage.total_tokens
          == completion.usage.prompt_tokens + completion.usage.completion_tokens, completion.usage)
    extension = (completion.model_extra or {}).get("allod") or {}
    check("the extension has the outcome", extension.get("outcome") == "answered", extension)
    check("the extension has citations", bool(extension.get("citations")), extension)
    check("the extension has the receipt", len(extension.get("receipt", {}).get("leaf", "")) == 64,
          extension)
    return choice.message.content


def streamed(client, expected):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check("a stream gives the same text", text == expected, text)
    check("a stream comes in pieces", len(chunks) > 3, len(chunks))
    check("its last chunk counts tokens", chunks[-1].usage is not None and not chunks[-1].choices,
          chunks[-1])
    last = [chunk for chunk in chunks if chunk.choices][-1]
    check("its last choice ends", last.choices[0].finish_reason == "stop", last)
    extension = (last.model_extra or {}).get("allod") or {}
    check("its last choice has the receipt", "receipt" in extension, extension)


def errors(client, base_url, key):
    call = client.chat.completions.create
    messages = [{"role": "user", "content": QUESTION}]
    error = raises("an unknown model", openai.NotFoundError,
                   lambda: call(model="no-such-model", messages=messages),
                   code="model_not_found", param="model", type="invalid_request_error")
    check("the error names what there is", error is not None and MODEL in error.message, error)
    raises("an unsupported field", openai.BadRequestError,
           lambda: ask(client, logprobs=True), param="logprobs")
    raises("a draw from the documents", openai.BadRequestError,
           lambda: ask(client, temperature=0.9), param="temperature")
    wrong = openai.OpenAI(base_url=base_url, api_key=key[:-2] + "xx", max_retries=0)
    raises("a wrong key", openai.AuthenticationError, lambda: ask(wrong), code="invalid_api_key")


def chat(client):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    asked = {"model": WRITER, "messages": messages, "max_tokens": 12, "temperature": 1, "seed": 5}
    completion = client.chat.completions.create(**asked)
    choice = completion.choices[0]
    check("a chat ends", choice.finish_reason in ("stop", "length"), choice)
    check("a chat counts", completion.usage.prompt_tokens > 0, completion.usage)
    chunks = list(client.chat.completions.create(stream=True, **asked))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check("the stream of a chat gives the same text", text == choice.message.content, text)


def choices(client):
    messages = [{"role": "user", "content": "Hello"}]
    asked = {"model": WRITER, "messages": messages, "max_tokens": 6, "temperature": 1, "seed": 5,
             "n": 3, "logprobs": True, "top_logprobs": 2}
    whole = client.chat.completions.create(**asked).choices
    check("there are as many answers as asked for", [one.index for one in whole] == [0, 1, 2], whole)
    scores = [one.logprobs.content for one in whole]
    check("every token has two likeliest ones",
          all(len(token.top_logprobs) == 2 for one in scores for token in one), scores)
    check("a token is its bytes",
          all(bytes(token.bytes).decode(errors="replace") == token.token for one in scores for token in one))
    texts, told = ["", "", ""], [[], [], []]
    for chunk in client.chat.completions.create(stream=True, **asked):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            told[choice.index] += (choice.logprobs.content or []) if choice.logprobs else []
    check("the stream gives the same answers", texts == [one.message.content for one in whole], texts)
    check("and the same scores", told == scores, told)
    text = client.completions.create(model=WRITER, prompt="Once", max_tokens=4, temperature=1, best_of=3,
                                     logprobs=1)
    listed = text.choices[0].logprobs
    check("a text has a list of its scores", len(listed.tokens) == len(listed.token_logprobs) > 0, listed)
    check("the best of three cost all three", text.usage.completion_tokens > len(listed.tokens), text.usage)


def adapter(client):
    check("an adapter names its model", client.models.retrieve("helper").model_extra["parent"] == WRITER)
    asked = {"prompt": "Once", "max_tokens": 6, "logprobs": 0}
    plain, helped = (client.completions.create(model=model, **asked) for model in (WRITER, "helper"))
    scores = [one.choices[0].logprobs.token_logprobs for one in (plain, helped)]
    check("an adapter changes what the model thinks", scores[0] != scores[1], scores)
    load = {"lora_name": "other", "lora_path": "helper"}
    raises("a user who loads an adapter", openai.PermissionDeniedError,
           lambda: client.post("/load_lora_adapter", cast_to=object, body=load), code="not_operator")


class Order(BaseModel):
    fruit: Literal["apple", "pear"]
    pieces: Literal[1, 2, 3]


WEATHER = {"type": "object", "required": ["place"], "additionalProperties": False,
           "properties": {"place": {"enum": ["Chur", "Genf"]}}}
OFF = {"chat_template_kwargs": {"enable_thinking": False}}


def tools(client):
    function = {"name": "weather", "description": "tells", "parameters": WEATHER, "strict": True}
    messages = [{"role": "user", "content": "Hello"}]
    asked = {"model": WRITER, "messages": messages, "tools": [{"type": "function", "function": function}],
             "temperature": 1, "seed": 5, "max_tokens": 400, "extra_body": OFF}
    completion = client.chat.completions.create(tool_choice="required", **asked)
    choice = completion.choices[0]
    check("a tool is called", choice.finish_reason == "tool_calls", choice)
    call = choice.message.tool_calls[0]
    check("its arguments are valid",
          json.loads(call.function.arguments).get("place") in ("Chur", "Genf"), call)
    with client.chat.completions.stream(tool_choice="required", **asked) as stream:
        final = stream.get_final_completion().choices[0].message
    told = [call.function.arguments for call in final.tool_calls]
    check("a stream calls the same",
          told == [call.function.arguments for call in choice.message.tool_calls], told)
    named = {"type": "function", "function": {"name": "weather"}}
    completion = client.chat.completions.create(tool_choice=named, **asked)
    check("a named tool is called once", len(completion.choices[0].message.tool_calls) == 1, completion)
    free = client.chat.completions.create(**{**asked, "max_tokens": 20})
    check("it may also not call", free.choices[0].finish_reason in ("stop", "length", "tool_calls"), free)
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    answered = {**asked, "messages": [*messages, choice.message, result], "max_tokens": 8}
    after = client.chat.completions.create(tool_choice="none", **answered).choices[0]
    check("a result is read", not after.message.tool_calls, after)


def formats(client):
    messages = [{"role": "user", "content": "Order"}]
    asked = {"model": WRITER, "messages": messages, "temperature": 1, "seed": 5, "max_tokens": 400}
    parsed = client.chat.completions.parse(response_format=Order, extra_body=OFF, **asked)
    order = parsed.choices[0].message.parsed
    check("a structured output is parsed", isinstance(order, Order), parsed)
    extra = {**OFF, "guided_choice": ["yes", "no"]}
    chosen = client.chat.completions.create(extra_body=extra, **asked).choices[0].message.content
    check("a choice is kept to", chosen in ("yes", "no"), chosen)
    raises("a format that is not known", openai.BadRequestError,
           lambda: client.chat.completions.create(response_format={"type": "xml"}, **asked),
           param="response_format")


def reasoning(client):
    messages = [{"role": "user", "content": "Hello"}]
    on = {"chat_template_kwargs": {"enable_thinking": True}}
    asked = {"model": WRITER, "messages": messages, "max_tokens": 30, "extra_body": on}
    message = client.chat.completions.create(**asked).choices[0].message
    thought = (message.model_extra or {}).get("reasoning_content")
    check("reasoning stands apart", bool(thought), message)
    chunks = list(client.chat.completions.create(stream=True, **asked))
    deltas = [chunk.choices[0].delta.model_extra or {} for chunk in chunks if chunk.choices]
    told = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    check("a stream thinks the same", told == thought, told)


def response_tools(client):
    tool = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}
    asked = {"model": WRITER, "tools": [tool], "reasoning": {"effort": "none"}, "temperature": 1}
    question = {"role": "user", "content": "Hello"}
    response = client.responses.create(input=[question], tool_choice="required", **asked)
    call = response.output[-1]
    check("a response calls", call.type == "function_call", response)
    check("with valid arguments", json.loads(call.arguments)["place"] in ("Chur", "Genf"), call)
    with client.responses.stream(input=[question], tool_choice="required", **asked) as stream:
        final = stream.get_final_response().output[-1]
    check("a stream of a response calls", final.type == "function_call", final)
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    after = client.responses.create(input=[question, *response.output, output], tool_choice="none",
                                    max_output_tokens=8, **asked)
    check("an output is read", after.output[-1].type == "message", after)
    parsed = client.responses.parse(model=WRITER, input="Order", text_format=Order, temperature=1,
                                    reasoning={"effort": "none"})
    check("a response's format is parsed", isinstance(parsed.output_parsed, Order), parsed)


def texts(client):
    asked = {"model": WRITER, "prompt": "Once upon", "max_tokens": 8}
    completion = client.completions.create(**asked)
    choice = completion.choices[0]
    check("a text ends", choice.finish_reason in ("stop", "length"), choice)
    chunks = list(client.completions.create(stream=True, echo=True, **asked))
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    check("the stream of a text repeats the prompt", text == "Once upon" + choice.text, text)
    raises("several prompts", openai.BadRequestError,
           lambda: client.completions.create(model=WRITER, prompt=["a", "b"]), param="prompt")


def embeddings(client):
    # Without a format this client asks for base64 and decodes it itself.
    made = client.embeddings.create(model=EMBEDDER, input=["one", "two", "one"])
    vectors = [entry.embedding for entry in made.data]
    check("there is a vector for each text", len(vectors) == 3, len(vectors))
    check("equal texts have equal vectors", vectors[0] == vectors[2] != vectors[1])
    check("a vector has length one", abs(sum(x * x for x in vectors[0]) - 1) < 1e-5, vectors[0])
    plain = client.embeddings.create(model=EMBEDDER, input="one", encoding_format="float")
    near = max(abs(a - b) for a, b in zip(plain.data[0].embedding, vectors[0]))
    check("both formats hold the same numbers", near < 1e-7, near)
    check("tokens are counted", plain.usage.total_tokens > 0, plain.usage)
    raises("other dimensions", openai.BadRequestError,
           lambda: client.embeddings.create(model=EMBEDDER, input="one", dimensions=3), param="dimensions")


def ranking(client):
    body = {"model": "ranker", "query": "library", "documents": ["the library opens", "fee"], "top_n": 1}
    ranked = client.post("/rerank", cast_to=object, body=body)
    check("documents are ranked", len(ranked["results"]) == 1, ranked)


def responses(client):
    asked = {"model": WRITER, "input": "Hello", "instructions": "Be kind.", "max_output_tokens": 10}
    response = client.responses.create(**asked)
    check("a response ends", response.status in ("completed", "incomplete"), response.status)
    check("a response counts", response.usage.input_tokens > 0, response.usage)
    events = list(client.responses.create(stream=True, **asked))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    check("the stream of a response gives the same text", text == response.output_text, text)
    scored = client.responses.create(include=["message.output_text.logprobs"], top_logprobs=1, **asked)
    scores = scored.output[0].content[0].logprobs
    check("a response has scores if they are included",
          len(scores) == scored.usage.output_tokens and len(scores[0].top_logprobs) == 1, scores)
    check("its last event is the response", events[-1].response.output_text == text, events[-1])
    raises("an earlier response", openai.BadRequestError,
           lambda: client.responses.create(previous_response_id="resp_1", **asked),
           param="previous_response_id")


def cited_response(client):
    response = client.responses.create(model=MODEL, input=QUESTION)
    check("the documents answer a response", "[1]" in response.output_text, response.output_text)
    # The helper waits for `response.completed`; an answer that is cut ends otherwise.
    with client.responses.stream(model=MODEL, input=QUESTION) as stream:
        final = stream.get_final_response()
    check("the helper puts a stream together", final.output_text == response.output_text, final)


def main(documents_url, documents_key, models_url, models_key):
    print(f"openai {openai.__version__}")
    base_url = f"{documents_url}/v1"
    client = openai.OpenAI(base_url=base_url, api_key=documents_key, max_retries=0, timeout=60)
    models(client, [MODEL])
    streamed(client, whole(client))
    cited_response(client)
    errors(client, base_url, documents_key)
    client = openai.OpenAI(base_url=f"{models_url}/v1", api_key=models_key, max_retries=0, timeout=60)
    models(client, [MODEL, WRITER, "helper", EMBEDDER, "ranker"])
    adapter(client)
    chat(client)
    choices(client)
    tools(client)
    formats(client)
    reasoning(client)
    response_tools(client)
    texts(client)
    embeddings(client)
    ranking(client)
    responses(client)
    return verdict()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
