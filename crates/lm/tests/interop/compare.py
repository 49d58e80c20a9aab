"""Writes an F32 GGUF file from each model with `allod model convert`, loads it with llama.cpp, and compares its logits
(encoders: last hidden states) with those that transformers gave; where llama.cpp is known to compute something else,
also with transformers computing just that.

    pip install llama-cpp-python numpy safetensors torch transformers
    cargo build --release
    python compare.py target/release/allod MODELS [NAME ...]

MODELS holds a folder for each model with config.json, model.safetensors and reference.safetensors (`input_ids`
[rows, tokens], `logits` [rows, tokens, vocabulary] or `last_hidden_state`); `models.py` makes more of them. Or it is one
model: a folder without reference, or a GGUF file, which transformers gets as the folder that we make of it.
Exits 1 where the difference is over 1e-3 of the largest value and transformers does not explain it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from hugging_face import ENCODERS, approximate, run
from llama import Llama, convert, fixtures
from safetensors.numpy import load_file

BOUND = 1e-3
# What llama.cpp does not load, or GGUF does not say, by what ours or its own message holds.
KNOWN = ("cannot say", "llama.cpp does not load")


def difference(found, expected):
    most = np.abs(found - expected).max()
    return most, most / np.abs(expected).max()


def reference_of(allod, model, work):
    """Tokens, what transformers computes from them, and its folder."""
    if (model / "reference.safetensors").is_file():
        stored = load_file(model / "reference.safetensors")
        return stored["input_ids"], stored["logits" if "logits" in stored else "last_hidden_state"], model
    if model.is_file():
        convert(allod, model, work / "folder", "f32")
        model = work / "folder"
    ids = np.arange(80).reshape(2, 40) * 13 % 499 + 3
    return ids, run(model, ids), model


def check(allod, model):
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "f32.gguf"
        try:
            ids, expected, folder = reference_of(allod, model, Path(work))
            convert(allod, model, path, "f32")
            kind = transformers.AutoConfig.from_pretrained(folder).model_type
            with Llama(path) as loaded:
                found = loaded.run(ids, hidden=kind in ENCODERS)
        except RuntimeError as error:
            print(f"{model.name:14} {error}", flush=True)
            return any(part in str(error) for part in KNOWN)
        return said(model.name, ids, found, expected, folder)


def said(name, ids, found, expected, folder):
    """Prints how far llama.cpp's numbers are from the expected ones; whether that is near enough or explained."""
    config, words = approximate(transformers.AutoConfig.from_pretrained(folder))
    absolute, relative = difference(found, expected)
    line, least = f"{name:14} {absolute:.1e} {relative:.1e}", relative
    if words:
        own_absolute, least = difference(found, run(folder, ids, config))
        line += f"   with {' and '.join(words)}: {own_absolute:.1e} {least:.1e}"
        if "GELU from a table of f16" in words:
            # How much it matters on which side of a step of the table the last bit falls.
            other = difference(run(folder, ids, config, torch.float64), run(folder, ids, config))
            line += f" (in f64 {other[0]:.1e} {other[1]:.1e} from itself)"
    print(line, flush=True)
    return min(relative, least) < BOUND


def main():
    allod, place, *names = sys.argv[1:]
    models = fixtures(place, names) or [Path(place)]
    print(f"{'model':14} largest difference: absolute, of the largest value")
    sys.exit(0 if all([check(allod, folder) for folder in models]) else 1)


if __name__ == "__main__":
    main()
