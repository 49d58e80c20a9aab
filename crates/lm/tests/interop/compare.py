"""Writes an F32 GGUF file from each model with `allod model convert`, loads it with llama.cpp, and compares its logits
(encoders: last hidden states) with those that transformers gave; where llama.cpp is known to compute something else,
also with transformers computing just that.

    pip install llama-cpp-python numpy safetensors torch transformers
    cargo build --release
    python compare.py target/release/allod MODELS [NAME ...]

MODELS holds a folder for each model with config.json, model.safetensors and reference.safetensors (`input_ids`
[rows, tokens], `logits` [rows, tokens, vocabulary] or `last_hidden_state`); `models.py` makes more of them.
Exits 1 where the difference is over 1e-3 of the largest value and transformers does not explain it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import transformers
from hugging_face import approximate, run
from llama import Llama, convert, fixtures
from safetensors.numpy import load_file

BOUND = 1e-3
# What llama.cpp does not load, or GGUF does not say, by what ours or its own message holds.
KNOWN = ("cannot say", "llama.cpp does not load")


def difference(found, expected):
    most = np.abs(found - expected).max()
    return most, most / np.abs(expected).max()


def check(allod, folder):
    reference = load_file(folder / "reference.safetensors")
    ids = reference["input_ids"]
    expected = reference["logits" if "logits" in reference else "last_hidden_state"]
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "f32.gguf"
        try:
            convert(allod, folder, path, "f32")
            with Llama(path) as model:
                found = model.run(ids, hidden="logits" not in reference)
        except RuntimeError as error:
            print(f"{folder.name:14} {error}", flush=True)
            return any(part in str(error) for part in KNOWN)
    absolute, relative = difference(found, expected)
    config, words = approximate(transformers.AutoConfig.from_pretrained(folder))
    line, least = f"{folder.name:14} {absolute:.1e} {relative:.1e}", relative
    if words:
        own_absolute, least = difference(found, run(folder, ids, config))
        line += f"   with {' and '.join(words)}: {own_absolute:.1e} {least:.1e}"
    print(line, flush=True)
    return min(relative, least) < BOUND


def main():
    allod, place, *names = sys.argv[1:]
    print(f"{'model':14} largest difference: absolute, of the largest value")
    sys.exit(0 if all([check(allod, folder) for folder in fixtures(place, names)]) else 1)


if __name__ == "__main__":
    main()
