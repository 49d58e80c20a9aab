"""Loads the GGUF adapters that tests/adapters.rs saved in llama.cpp, over models that we converted, and compares
logits with those of PEFT (`../reference/adapters.json`).

    pip install llama-cpp-python numpy gguf safetensors
    cargo build --release -p allod-lm --example convert && cargo test -p allod-lm --test adapters
    python adapters.py target/release/examples/convert FIXTURES target/tmp
"""

import base64
import ctypes
import json
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np
from compare import convert

# Changes of an end of a model whose ends are tied: llama.cpp does not find the output's tensor, and takes a change of
# the input for one of the output as well, whose shapes then stop the program.
TIED = {"ends", "embedding"}


def logits(path, adapter, ids):
    """Logits after the last token, with an adapter or without."""
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    if not model:
        raise RuntimeError("llama.cpp does not load the model")
    setup = llama_cpp.llama_context_default_params()
    setup.n_ctx = setup.n_batch = setup.n_ubatch = 256
    setup.type_k = setup.type_v = setup.flash_attn_type = 0
    setup.n_threads = setup.n_threads_batch = 1
    context = llama_cpp.llama_init_from_model(model, setup)
    if adapter:
        loaded = llama_cpp.llama_adapter_lora_init(model, str(adapter).encode())
        if not loaded:
            raise RuntimeError("llama.cpp does not load the adapter")
        list_of = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(loaded)
        if llama_cpp.llama_set_adapters_lora(context, list_of, 1, (ctypes.c_float * 1)(1.0)) != 0:
            raise RuntimeError("llama.cpp does not use the adapter")
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for at, token in enumerate(ids):
        batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, at, 1
        batch.seq_id[at][0], batch.logits[at] = 0, at == len(ids) - 1
    if llama_cpp.llama_decode(context, batch) != 0:
        raise RuntimeError("llama.cpp cannot run it")
    count = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    found = llama_cpp.llama_get_logits_ith(context, len(ids) - 1)
    return np.ctypeslib.as_array(found, (count,)).copy()


def main(program, fixtures, saved):
    reference = json.loads((Path(__file__).parent / "../reference/adapters.json").read_text())
    for case in reference["cases"]:
        name, fixture = case["name"], fixtures / case["fixture"]
        if name in TIED:
            print(f"{name:10} changes an end of a tied model, which llama.cpp does not take")
            continue
        expected = np.frombuffer(base64.b64decode(case["applied"]), np.float32)
        with tempfile.TemporaryDirectory() as work:
            model = Path(work) / "model.gguf"
            try:
                convert(program, fixture, model, "f32")
                plain = logits(model, None, reference["tokens"])
                found = logits(model, saved / f"adapter-{name}" / "adapter.gguf", reference["tokens"])
            except RuntimeError as error:
                print(f"{name:10} {error}")
                continue
        most = np.abs(expected).max()
        print(f"{name:10} {np.abs(found - expected).max() / most:.1e} (it changes {np.abs(plain - expected).max() / most:.1e})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
