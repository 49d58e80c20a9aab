"""Writes a GGUF file with each vocabulary in FOLDERS (each in Hugging Face's layout) and compares
the tokens that llama.cpp gives from it with those of Hugging Face's tokenizers.

    pip install llama-cpp-python numpy safetensors transformers
    cargo build --release -p allod-lm --example convert
    python tokens.py target/release/examples/convert TEXTS FOLDER ...

TEXTS is a file or folder of UTF-8 texts; they are composed (NFC) first, which llama.cpp leaves to
its caller. The model around the vocabulary is a tiny one of zeros.
"""

import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unicodedata import normalize

import llama_cpp
import numpy as np
from safetensors.numpy import save_file
from transformers import AutoTokenizer

WIDTH = 32


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
    return tokenizer


def tokens_of(vocabulary, text):
    raw = text.encode()
    room = len(raw) + 16
    ids = (llama_cpp.llama_token * room)()
    count = llama_cpp.llama_tokenize(vocabulary, raw, len(raw), ids, room, True, False)
    return list(ids[:count])


def check(program, texts, folder):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        source, target = work / "model", work / "model.gguf"
        source.mkdir()
        tokenizer = model_around(folder, source)
        tokenizer.backend_tokenizer.encode_special_tokens = True
        tokenizer.backend_tokenizer.no_truncation()
        subprocess.run([program, source, target, "gguf", "f16"], check=True)
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        model = llama_cpp.llama_model_load_from_file(str(target).encode(), parameters)
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        other = []
        for name, text in texts:
            expected, found = tokenizer.backend_tokenizer.encode(text).ids, tokens_of(vocabulary, text)
            if expected != found:
                at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), -1)
                other.append((name, at, expected[at:at + 5], found[at:at + 5]))
        llama_cpp.llama_model_free(model)
    print(f"{Path(folder).name}: {len(texts) - len(other)} of {len(texts)} texts equal", flush=True)
    for line in other[:8]:
        print("   ", *line)
    return not other


def main():
    program, place, *folders = sys.argv[1:]
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    place = Path(place)
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    texts = [(p.name, normalize("NFC", p.read_bytes().decode(errors="replace"))[:4000]) for p in files]
    sys.exit(0 if all([check(program, texts, folder) for folder in folders]) else 1)


if __name__ == "__main__":
    main()
