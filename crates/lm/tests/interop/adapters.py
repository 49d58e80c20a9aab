"""Loads the GGUF adapters that tests/adapters.rs saved in llama.cpp, over models that we converted, and compares
logits with those of PEFT (`../reference/adapters.json`). (`../reference/peft_reference.py FIXTURES check TMP` does the
same with the PEFT folders that we saved, in PEFT.)

    pip install llama-cpp-python numpy
    cargo build --release && cargo test -p allod-lm --test adapters
    python adapters.py target/release/allod FIXTURES target/tmp

Exits 1 where the difference is over 1e-3 of the largest logit.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from llama import Llama, convert

BOUND = 1e-3
# Changes of an end of a model whose ends are tied: llama.cpp does not find the output's tensor, and takes a change of
# the input for one of the output as well, whose shapes then stop the program.
TIED = {"ends", "embedding"}
# What llama.cpp does not load, or GGUF does not say.
KNOWN = ("cannot say", "llama.cpp does not load it")


def last(path, adapter, ids):
    """Logits after the last token, with an adapter or without."""
    with Llama(path, adapter=adapter) as model:
        return model.run([ids])[0, -1]


def check(allod, fixture, saved, case, tokens):
    name = case["name"]
    if name in TIED:
        print(f"{name:10} changes an end of a tied model, which llama.cpp does not take")
        return True
    expected = np.frombuffer(base64.b64decode(case["applied"]), np.float32)
    with tempfile.TemporaryDirectory() as work:
        model = Path(work) / "model.gguf"
        try:
            convert(allod, fixture, model, "f32")
            plain = last(model, None, tokens)
            found = last(model, saved / f"adapter-{name}" / "adapter.gguf", tokens)
        except RuntimeError as error:
            print(f"{name:10} {fixture.name}: {error}")
            return any(part in str(error) for part in KNOWN)
    most = np.abs(expected).max()
    difference, change = (np.abs(x - expected).max() / most for x in (found, plain))
    print(f"{name:10} {fixture.name}: {difference:.1e} (without the adapter {change:.1e})")
    return difference < BOUND


def main():
    allod, fixtures, saved = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    reference = json.loads((Path(__file__).parent / "../reference/adapters.json").read_text())
    right = [check(allod, fixtures / case["fixture"], saved, case, reference["tokens"]) for case in reference["cases"]]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
