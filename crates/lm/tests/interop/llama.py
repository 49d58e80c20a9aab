"""llama.cpp through llama-cpp-python's own bindings: what the other scripts here ask of it, always in f32 as far as it
goes (f32 cache, no flash attention), on one thread."""

import ctypes
import subprocess
from pathlib import Path

import llama_cpp
import numpy as np

# llama.cpp's numbers of file types (`llama.h`, `llama_ftype`).
TYPES = {"f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9}

_quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(_quiet, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()


def convert(allod, source, target, form=None):
    """Runs `allod model convert`. Its own words are the error where it refuses."""
    command = [allod, "model", "convert", source, target] + (["--format", form] if form else [])
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError("refused: " + run.stderr.strip().splitlines()[-1].removeprefix("error: "))


class Llama:
    """A GGUF file as llama.cpp has loaded it."""

    def __init__(self, path, vocabulary_only=False, adapter=None):
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = vocabulary_only
        self.context, self.model = None, llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise RuntimeError("llama.cpp does not load it")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.adapter = adapter

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.context:
            llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def open(self, hidden):
        setup = llama_cpp.llama_context_default_params()
        setup.n_ctx = setup.n_batch = setup.n_ubatch = 512
        setup.type_k = setup.type_v = setup.flash_attn_type = 0
        setup.n_threads = setup.n_threads_batch = 1
        setup.embeddings, setup.pooling_type = hidden, 0
        self.context = llama_cpp.llama_init_from_model(self.model, setup)
        if self.adapter:
            loaded = llama_cpp.llama_adapter_lora_init(self.model, str(self.adapter).encode())
            if not loaded:
                raise RuntimeError("llama.cpp does not load the adapter")
            adapters, scales = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(loaded), (ctypes.c_float * 1)(1.0)
            if llama_cpp.llama_set_adapters_lora(self.context, adapters, 1, scales) != 0:
                raise RuntimeError("llama.cpp does not use the adapter")

    def run(self, rows, hidden=False):
        """Logits [rows, tokens, vocabulary], or last hidden states [rows, tokens, width]."""
        if not self.context:
            self.open(hidden)
        width = llama_cpp.llama_model_n_embd(self.model) if hidden else llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        read = llama_cpp.llama_get_embeddings_ith if hidden else llama_cpp.llama_get_logits_ith
        found = []
        for row in rows:
            memory = llama_cpp.llama_get_memory(self.context)
            if memory:
                llama_cpp.llama_memory_clear(memory, True)
            batch = llama_cpp.llama_batch_init(len(row), 0, 1)
            batch.n_tokens = len(row)
            for at, token in enumerate(row):
                batch.token[at], batch.pos[at] = int(token), at
                batch.n_seq_id[at], batch.logits[at], batch.seq_id[at][0] = 1, 1, 0
            if llama_cpp.llama_decode(self.context, batch) != 0:
                raise RuntimeError("llama.cpp cannot run it")
            found.append(np.stack([np.ctypeslib.as_array(read(self.context, at), (width,)).copy()
                                   for at in range(len(row))]))
            llama_cpp.llama_batch_free(batch)
        return np.stack(found)

    def tokens(self, text, parse_special=False):
        raw = text.encode()
        room = len(raw) + 16
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, raw, len(raw), ids, room, True, parse_special)
        return list(ids[:count])


def quantise(source, target, form):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = TYPES[form], 1
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters)) != 0:
        raise RuntimeError("llama.cpp does not quantise it")


def fixtures(place, names):
    """Folders with config.json, model.safetensors and reference.safetensors under `place`."""
    found = sorted(path.parent for path in Path(place).glob("*/reference.safetensors"))
    return [path for path in found if not names or path.name in names]
