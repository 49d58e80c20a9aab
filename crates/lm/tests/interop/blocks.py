"""Writes each model as F32 with `allod model convert`, lets llama.cpp's quantiser and `allod model convert` make the
same format of it, and compares the two files: tensors (name, type, bytes), and the whole.

    pip install llama-cpp-python numpy gguf
    cargo build --release
    python blocks.py target/release/allod MODELS [NAME ...]

MODELS as in compare.py. Exits 1 where a tensor differs.
"""

import sys
import tempfile
from pathlib import Path

import gguf
from llama import TYPES, convert, fixtures, quantise


def tensors(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def differing(ours, theirs):
    if ours.keys() != theirs.keys():
        return sorted(ours.keys() ^ theirs.keys())
    same = lambda one, two: one.tensor_type == two.tensor_type and one.data.tobytes() == two.data.tobytes()
    return [f"{name} ({ours[name].tensor_type.name}, {theirs[name].tensor_type.name})"
            for name in ours if not same(ours[name], theirs[name])]


def check(allod, folder):
    with tempfile.TemporaryDirectory() as work:
        plain, ours, theirs = (Path(work) / f"{name}.gguf" for name in ("plain", "ours", "theirs"))
        try:
            convert(allod, folder, plain, "f32")
        except RuntimeError as error:
            print(f"{folder.name:14} {error}", flush=True)
            return "cannot say" in str(error)
        right = True
        for form in TYPES:
            try:
                quantise(plain, theirs, form)
            except RuntimeError as error:
                print(f"{folder.name:14} {form:5} {error}", flush=True)
                continue
            convert(allod, plain, ours, form)
            one, two = tensors(ours), tensors(theirs)
            other = differing(one, two)
            types = sorted({tensor.tensor_type.name for tensor in one.values()})
            whole = "whole file equal" if ours.read_bytes() == theirs.read_bytes() else "other bytes outside them"
            print(f"{folder.name:14} {form:5} {len(one) - len(other)} of {len(one)} tensors equal, {whole}:",
                  ", ".join(types), *other, flush=True)
            ours.unlink(), theirs.unlink()
            right &= not other
        return right


def main():
    allod, place, *names = sys.argv[1:]
    sys.exit(0 if all([check(allod, folder) for folder in fixtures(place, names)]) else 1)


if __name__ == "__main__":
    main()
