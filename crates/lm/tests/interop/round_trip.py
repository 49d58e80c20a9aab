"""Sends each model from its folder into GGUF, back into a folder and into GGUF again, and from folder to folder, all
with `allod model convert`, compares tensors bit for bit, and lets transformers compute with both folders.

    pip install numpy gguf safetensors torch transformers
    cargo build --release
    python round_trip.py target/release/allod MODELS [NAME ...]

MODELS as in compare.py. Exits 1 where something differs, but for what is said of it.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from hugging_face import run
from llama import convert, fixtures
from safetensors.numpy import load_file


def plain(name):
    """A tensor's name less the part of it that BERT's folders have or have not."""
    return name.removeprefix("bert.").removeprefix("roberta.")


def tensors(folder):
    return {plain(name): value for path in sorted(Path(folder).glob("*.safetensors"))
            if path.name != "reference.safetensors" for name, value in load_file(path).items()}


def compared(source, found):
    """How many tensors have the same bits, and the names of the others."""
    same = lambda name: name in found and source[name].tobytes() == found[name].tobytes()
    other = [name for name in source if not same(name)] + sorted(found.keys() - source.keys())
    return f"{len(source) - sum(name in source for name in other)} of {len(source)} tensors equal", other


def computed(folder, ids, expected):
    difference = np.abs(run(folder, ids) - expected).max()
    return "the same bits" if difference == 0 else f"{difference:.1e} from the source's"


def check(allod, source):
    ids = load_file(source / "reference.safetensors")["input_ids"]
    expected = run(source, ids)
    # The model is called after its folder.
    ways = {"folder": ["copy"], "GGUF": ["there.gguf", f"back/{source.name}", "again.gguf"]}
    right = True
    for way, steps in ways.items():
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "back").mkdir()
            paths = [source] + [Path(work) / step for step in steps]
            try:
                for start, end in zip(paths, paths[1:]):
                    convert(allod, start, end)
            except RuntimeError as error:
                print(f"{source.name:14} {way:6} {error}", flush=True)
                right &= "cannot say" in str(error)
                continue
            folder = paths[min(2, len(paths) - 1)]
            line, other = compared(tensors(source), tensors(folder))
            line += f"; transformers: {computed(folder, ids, expected)}"
            if way == "GGUF":
                equal = paths[1].read_bytes() == paths[3].read_bytes()
                line += f"; {'the same' if equal else 'another'} GGUF file again"
                right &= equal or paths[1].stat().st_size == paths[3].stat().st_size
            print(f"{source.name:14} {way:6} {line}", *other[:6], flush=True)
            right &= np.allclose(run(folder, ids), expected, rtol=0, atol=1e-5)
    return right


def main():
    allod, place, *names = sys.argv[1:]
    sys.exit(0 if all([check(allod, folder) for folder in fixtures(place, names)]) else 1)


if __name__ == "__main__":
    main()
