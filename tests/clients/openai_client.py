"""The official OpenAI client against a running Allod: openai_client.py BASE_URL KEY

Every check that does not hold is printed; the exit status is 1 if there is one.
"""

import sys

import openai

QUESTION = "How do I register when I move to Pradaval?"
MODEL = "allod/documents"
failures = []


def check(name, holds, seen=""):
    print(("ok      " if holds else "FAILED  ") + name)
    if not holds:
        failures.append(name)
        print(f"        {seen!r}")


def ask(client, **more):
    messages = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


def models(client):
    names = [model.id for model in client.models.list()]
    check("the models are listed", MODEL in names, names)
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


def raises(name, kind, call, **expected):
    try:
        seen = call()
    except kind as error:
        for field, value in expected.items():
            found = getattr(error, field)
            check(f"{name}: {field} is {value}", found == value, found)
        return error
    except openai.OpenAIError as error:
        seen = error
    check(name, False, seen)
    return None


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


def main(base_url, key):
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    print(f"openai {openai.__version__}")
    models(client)
    streamed(client, whole(client))
    errors(client, base_url, key)
    print(f"{len(failures)} failed" if failures else "all hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
