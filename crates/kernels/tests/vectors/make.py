"""Writes blocks.bin: random blocks of every format with the weights that the `gguf` package decodes
from them, and rows of floats with the blocks that ggml's reference quantisers (in C, from the
package `llama-cpp-python`) encode them to.

    pip install gguf numpy llama-cpp-python && python make.py

The `gguf` package's own encoders are not used: they differ in rare roundings and in the sign of the
scale of a block of zeros.

Everything is little-endian. A record is: the format's name in 8 bytes (zero padded), the kind (0 =
decode, 1 = encode), the number of blocks, the bytes per block and the weights per block (u32 each),
then all blocks, then all weights (f32).
"""

import ctypes
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

# Where a block's half-precision scales stand.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}
# Scales worth a block each: zeros, denormals, the largest, infinity, NaN.
SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x7C00, 0x7E01]
ENCODED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q6_K"]


def blocks_of(name, size, count, random):
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    for block in range(count):
        for at in SCALES[name]:
            scale = np.array([random.normal() * 0.1], dtype=np.float16).view(np.uint8)
            if block < len(SPECIAL):
                scale = np.array([SPECIAL[block]], dtype=np.uint16).view(np.uint8)
            blocks[block, at:at + 2] = scale
    if name == "MXFP4":
        blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
    return blocks


def rows_of(length, count, random):
    rows = random.normal(size=(count, length)).astype(np.float32)
    rows *= 10.0 ** random.integers(-6, 4, (count, 1)).astype(np.float32)
    rows[0] = 0.0
    rows[1] = np.float32(-0.0)
    rows[2] = np.arange(length) - 127 + 96  # up to 127 - 96 + 31: halves and ties
    rows[3] = (np.arange(length) - 16) / 2
    rows[3, 0] = -127.0
    rows[4] = 1e-30  # a scale that half precision has not
    rows[5] = rows[5] * 0 + 0.25
    rows[6, :2] = [8.0, -8.0]  # equal size: the first decides
    rows[7, :2] = [-900.0, 900.0]
    return rows


def encode(name, rows):
    """What ggml's quantize_row_NAME_ref writes for each row of one block."""
    folder = Path(find_spec("llama_cpp").origin).parent / "lib"
    library = ctypes.CDLL(str(folder / "libggml-base.so"))
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    blocks = np.zeros((len(rows), size), dtype=np.uint8)
    function = getattr(library, f"quantize_row_{name[0].lower()}{name[1:]}_ref")
    rows = np.ascontiguousarray(rows)
    function(ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(blocks.ctypes.data),
             ctypes.c_int64(rows.size))
    return blocks


def record(name, kind, length, blocks, weights):
    head = struct.pack("<8s4I", name.encode(), kind, blocks.shape[0], blocks.shape[1], length)
    return head + blocks.tobytes() + weights.astype("<f4").tobytes()


def main():
    random = np.random.default_rng(20250607)
    np.seterr(all="ignore")
    out = b""
    for name in SCALES:
        kind = GGMLQuantizationType[name]
        length, size = GGML_QUANT_SIZES[kind]
        blocks = blocks_of(name, size, 20 if length > 32 else 48, random)
        weights = quants.dequantize(blocks, kind)
        out += record(name, 0, length, blocks, weights)
    for name in ENCODED:
        kind = GGMLQuantizationType[name]
        length, _ = GGML_QUANT_SIZES[kind]
        rows = rows_of(length, 64 if length == 32 else 24, random)
        out += record(name, 1, length, encode(name, rows), rows)
    Path(__file__).with_name("blocks.bin").write_bytes(out)


if __name__ == "__main__":
    main()
