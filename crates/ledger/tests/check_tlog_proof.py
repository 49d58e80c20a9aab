#!/usr/bin/env python3
"""Checks that a receipt is in a log: check_tlog_proof.py VKEY PROOF ENTRY

VKEY is the log's verifier key (the text), PROOF a C2SP tlog-proof (a file), ENTRY the receipt (a
file, byte for byte). Uses Python's standard library only, and no code of Allod's.
Ed25519 is written out from RFC 8032; slow, but short enough to be read.
"""
import base64
import hashlib
import sys

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def square_root(value):
    root = pow(value, (P + 3) // 8, P)
    if root * root % P != value % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    return root if root * root % P == value % P else None


def point(data):
    """A point of the curve from its 32 bytes."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = square_root((y * y - 1) * pow(D * y * y + 1, -1, P))
    if y >= P or x is None or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    return (P - x if x % 2 != sign else x), y


def add(first, second):
    (a, b), (c, d) = first, second
    product = D * a * b * c * d
    return ((a * d + b * c) * pow(1 + product, -1, P) % P,
            (b * d + a * c) * pow(1 - product, -1, P) % P)


def times(scalar, base):
    total = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, base)
        base, scalar = add(base, base), scalar >> 1
    return total


def signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:
        return False
    base_y = 4 * pow(5, -1, P) % P
    challenge = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % ORDER
    base = point(base_y.to_bytes(32, "little"))
    return times(s, base) == add(point(r), times(challenge, point(key)))


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def decode(text):
    return base64.b64decode(text, validate=True)


def root_of(index, size, leaf, path):
    """RFC 6962: the last hash of the path belongs to the half of the tree without the leaf."""
    if size == 1:
        if index or path:
            raise ValueError("the path has the wrong length")
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1", root_of(index, half, leaf, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], root_of(index - half, size - half, leaf, path[:-1]))


def check(vkey, proof, entry):
    name, key_id, key = vkey.strip().split("+", 2)
    key = decode(key)
    expected_id = sha256(name.encode(), b"\n", key)[:4]
    assert key[0] == 1 and key_id == expected_id.hex(), "the verifier key is malformed"
    head, note = proof.split("\n\n", 1)
    lines = [line for line in head.split("\n") if not line.startswith("extra ")]
    assert lines[0] == "c2sp.org/tlog-proof@v1", "not a tlog-proof"
    index, path = int(lines[1].removeprefix("index ")), [decode(line) for line in lines[2:]]
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    named = [line for line in signatures.splitlines() if line.startswith(f"— {name} ")]
    own = [decode(line.split(" ")[2]) for line in named]
    own = [data[4:] for data in own if data[:4] == expected_id]
    assert own, "not signed by the key"
    assert all(signed(key[1:], text.encode(), data) for data in own), "a signature is not valid"
    origin, size, root = text.split("\n")[:3]
    assert origin == name, "the checkpoint is of another log"
    assert index < int(size), "the index is beyond the log"
    leaf = sha256(b"\0", entry)
    assert root_of(index, int(size), leaf, path) == decode(root), "the entry is not in the log"
    return f"entry {index} of {size} in the log {origin}"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    vkey_text, proof_path, entry_path = sys.argv[1:]
    with open(proof_path, encoding="utf-8", newline="") as file:
        proof_text = file.read()
    with open(entry_path, "rb") as file:
        entry_bytes = file.read()
    print(check(vkey_text, proof_text, entry_bytes))
