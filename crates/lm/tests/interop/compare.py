"""Writes a GGUF file from each model fixture, loads it with llama.cpp and compares its logits with
the reference; writes Q8_0 and Q4_0 files and compares their tensors byte for byte with those of
llama.cpp's quantiser.

    pip install llama-cpp-python numpy safetensors gguf
    cargo build --release -p allod-lm --example convert
    python compare.py target/release/examples/convert FIXTURES [NAME ...]

FIXTURES holds a folder for each model with config.json, model.safetensors and reference.safetensors
(`input_ids` [rows, tokens], `logits` [rows, tokens, vocabulary]).
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file

# Tokens after which llama.cpp computes something else than the model asks for.
WINDOWS_NOT_KEPT = {"mistral": 16}
# llama.cpp's number of a file type.
TYPES = {"q8_0": 7, "q4_0": 2}


def logits_of(path, ids):
    """Logits at every position of each row of ids, in f32 arithmetic as far as llama.cpp has it."""
    parameters = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise RuntimeError("llama.cpp does not load it")
    setup = llama_cpp.llama_context_default_params()
    setup.n_ctx = setup.n_batch = setup.n_ubatch = 512
    setup.type_k = setup.type_v = 0
    setup.flash_attn_type = 0
    setup.n_threads = setup.n_threads_batch = 1
    context = llama_cpp.llama_init_from_model(model, setup)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    rows = []
    for row in ids:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        batch = llama_cpp.llama_batch_init(len(row), 0, 1)
        batch.n_tokens = len(row)
        for at, token in enumerate(row):
            batch.token[at], batch.pos[at] = int(token), at
            batch.n_seq_id[at], batch.logits[at] = 1, 1
            batch.seq_id[at][0] = 0
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama.cpp cannot run it")
        one = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, at), (vocabulary,)).copy()
               for at in range(len(row))]
        rows.append(np.stack(one))
        llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.stack(rows)


def convert(program, source, target, form):
    run = subprocess.run([program, source, target, "gguf", form], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip().splitlines()[0])


def compare_logits(program, fixture, work):
    reference = load_file(fixture / "reference.safetensors")
    path = work / "f32.gguf"
    convert(program, fixture, path, "f32")
    found = logits_of(path, reference["input_ids"])
    count = WINDOWS_NOT_KEPT.get(fixture.name, found.shape[1])
    expected = reference["logits"][:, :count]
    return np.abs(found[:, :count] - expected).max() / np.abs(expected).max(), count


def compare_bytes(program, fixture, work, form):
    """Tensors of our file, and how many differ from llama.cpp's in type or bytes."""
    ours, theirs = work / f"{form}.gguf", work / f"{form}-llama.gguf"
    convert(program, fixture, ours, form)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = TYPES[form], 1
    source = str(work / "f32.gguf").encode()
    if llama_cpp.llama_model_quantize(source, str(theirs).encode(), ctypes.byref(parameters)) != 0:
        raise RuntimeError("llama.cpp does not quantise it")
    read = lambda path: {t.name: t for t in gguf.GGUFReader(path).tensors}
    ours, theirs = read(ours), read(theirs)
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"other tensors: {sorted(ours.keys() ^ theirs.keys())}")
    same = lambda name: (ours[name].tensor_type == theirs[name].tensor_type
                         and ours[name].data.tobytes() == theirs[name].data.tobytes())
    return len(ours), [name for name in ours if not same(name)]


def check(program, fixture):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        try:
            difference, count = compare_logits(program, fixture, work)
            print(f"{fixture.name:12} logits of {count} tokens differ by {difference:.2e}", flush=True)
            for form in TYPES:
                total, other = compare_bytes(program, fixture, work, form)
                print(f"{fixture.name:12} {form}: {total - len(other)} of {total} tensors equal", *other,
                      flush=True)
            return difference < 1e-3 and not other
        except RuntimeError as error:
            print(f"{fixture.name:12} {error}", flush=True)
            return False


def main():
    program, fixtures, *names = sys.argv[1:]
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    found = sorted(p.parent for p in Path(fixtures).glob("*/reference.safetensors"))
    results = [check(program, fixture) for fixture in found if not names or fixture.name in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
