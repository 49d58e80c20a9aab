"""Writes a GGUF file with each vocabulary in FOLDERS (each in Hugging Face's layout) with `allod model convert` and
compares the tokens that llama.cpp gives from it with those of `allod tokenize` on the same file, and with those of
Hugging Face's tokenizers on the folder; special tokens that the text spells once as text, once as tokens.

    pip install llama-cpp-python gguf numpy safetensors transformers
    cargo build --release
    python tokens.py target/release/allod TEXTS FOLDER ...

TEXTS is a file or folder of UTF-8 texts, beside those below; they are composed (NFC) first, which llama.cpp leaves to
its caller. Only those below go through `allod tokenize`, which loads the vocabulary each time. The model around the
vocabulary is a tiny one of zeros.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unicodedata import normalize

import gguf
import llama_cpp
import numpy as np
from llama import Llama, convert
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer

WIDTH = 32
# What GGUF numbers a control token (`llama.h`, `llama_token_type`).
CONTROL = 3
TEXTS = [
    "Hello, World!", " leading", "trailing ", "two  spaces   three", "\n", "\n\n a\n\n\nb", "\t\tif x:\n\t\t\tpass\r\n",
    "I'm you're HE'LL it'S", "3.14159 1,000,000 2026-11-21 0x1F", "a_b-c.d/e\\f", "ÄÖÜß éèê ñ ç ø å", "straße STRASSE ẞ",
    "日本語のテキスト", "中文和English混排123", "한국어 텍스트", "русский текст, 42", "עברית طربية हिन्दी ไทย", "Ελληνικά Ωmega",
    "🙂👨‍👩‍👧‍👦🇨🇭 e\u0301", "a\u200bb\u00a0c\u3000d", "﷽ ﬁ ½ ²", "x" * 70, "  " * 20, "!!!???...", "\u0000\u0001\u007f",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|>", "<s> </s> [INST] <unk> <|assistant|>", "[CLS] one [SEP] [MASK]",
    "<|im_start|", "<|fim_prefix|><tool_call>{}</tool_call>", "https://example.org/?q=a%20b#c", "𝒜𝓁𝓁𝑜𝒹 𐍈",
]


def model_around(vocabulary, folder):
    """A Llama of zeros with as many tokens as the vocabulary has."""
    tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    rows = max(tokenizer.get_vocab().values()) + 1
    config = dict(model_type="llama", hidden_size=WIDTH, num_attention_heads=1, num_hidden_layers=1,
                  intermediate_size=WIDTH, vocab_size=rows, max_position_embeddings=4096,
                  tie_word_embeddings=True)
    (folder / "config.json").write_text(json.dumps(config))
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": (rows, WIDTH), "model.norm.weight": (WIDTH,)}
    shapes |= {f"{layer}{n}layernorm.weight": (WIDTH,) for n in ("input_", "post_attention_")}
    shapes |= {f"{layer}self_attn.{n}_proj.weight": (WIDTH, WIDTH) for n in "qkvo"}
    shapes |= {f"{layer}mlp.{n}_proj.weight": (WIDTH, WIDTH) for n in ("gate", "up", "down")}
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()},
              folder / "model.safetensors")
    for file in Path(vocabulary).iterdir():
        if "token" in file.name or file.name in ("vocab.json", "merges.txt"):
            shutil.copyfile(file, folder / file.name)
    # As the file says: transformers makes some kinds anew, and differs then from the file at a space in front.
    file = Path(vocabulary) / "tokenizer.json"
    plain = Tokenizer.from_file(str(file)) if file.is_file() else tokenizer.backend_tokenizer
    plain.no_truncation()
    plain.no_padding()
    return plain


def taken_over(model, path):
    """Tokens that the file does not call control tokens but llama.cpp does, by what they look like."""
    fields = gguf.GGUFReader(path).fields
    texts, kinds = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type"))
    control = lambda id: llama_cpp.llama_vocab_get_attr(model.vocabulary, id) & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
    return [text for id, (text, kind) in enumerate(zip(texts, kinds)) if kind != CONTROL and control(id)]


def readable(tokenizer):
    """Whether a text can be given to llama.cpp: where a vocabulary of pieces has no tokens for bytes, it ends its
    process at a character that is no token (Hugging Face's library drops the character)."""
    kind = json.loads(tokenizer.to_str())["model"]
    if not kind.get("byte_fallback") or "<0x00>" in kind["vocab"]:
        return lambda text: True
    return lambda text: all(character in kind["vocab"] for character in text.replace(" ", "▁"))


def ours(allod, path, text, special):
    command = [allod, "tokenize", "--model", path, "--whole", "--json"] + (["--special"] if special else [])
    run = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    return json.loads(run.stdout)["ids"]


def count(name, what, cases):
    """Prints how many cases have equal tokens, and the first that have not."""
    other = [case for case in cases if case[1] != case[2]]
    print(f"{name}: {what}: {len(cases) - len(other)} of {len(cases)} texts equal", flush=True)
    for text, expected, found in other[:8]:
        at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
        print("   ", repr(text[:60]), at, expected[at:at + 5], found[at:at + 5])
    return not other


def check(allod, texts, folder):
    with tempfile.TemporaryDirectory() as work:
        source, target = Path(work) / "model", Path(work) / "model.gguf"
        source.mkdir()
        tokenizer = model_around(folder, source)
        convert(allod, source, target, "f16")
        right, name = True, Path(folder).name
        with Llama(target, vocabulary_only=True) as model:
            other = taken_over(model, target)
            if other:
                print(f"{name}: llama.cpp takes these for control tokens, texts with them are left out:", *other)
            known = readable(tokenizer)
            fit = lambda text: known(text) and not any(token in text for token in other)
            own, more = ([text for text in texts if fit(text)] for texts in (TEXTS, texts))
            if len(own) + len(more) < len(TEXTS) + len(texts):
                print(f"{name}: {len(own) + len(more)} of {len(TEXTS) + len(texts)} texts are compared")
            for special in (False, True):
                words = "specials as tokens" if special else "specials as text"
                tokenizer.encode_special_tokens = not special
                theirs = lambda text: tokenizer.encode(text).ids
                found = [(text, model.tokens(text, special)) for text in own]
                right &= count(name, f"llama.cpp and allod, {words}",
                               [(text, ours(allod, target, text, special), ids) for text, ids in found])
                found += [(text, model.tokens(text, special)) for text in more]
                right &= count(name, f"llama.cpp and Hugging Face, {words}",
                               [(text, theirs(text), ids) for text, ids in found])
    return right


def main():
    allod, place, *folders = sys.argv[1:]
    place = Path(place)
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    texts = [normalize("NFC", p.read_bytes().decode(errors="replace"))[:4000] for p in files]
    TEXTS[:] = [normalize("NFC", text) for text in TEXTS]
    sys.exit(0 if all([check(allod, texts, folder) for folder in folders]) else 1)


if __name__ == "__main__":
    main()
