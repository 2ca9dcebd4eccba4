"""Writes small GGUF files, right and wrong ones, for the tests of the models."""

from __future__ import annotations

import random
import struct
from pathlib import Path

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, F32, STRING, ARRAY, U64 = 4, 6, 8, 9, 10
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"

PAIRS = (
    ("general.architecture", STRING, "llama"),
    ("general.type", STRING, "model"),
    ("llama.context_length", U32, 2048),
    ("llama.block_count", U32, 2),
    ("tokenizer.ggml.model", STRING, "gpt2"),
    ("tokenizer.ggml.tokens", ARRAY, (STRING, ["<s>", "a", "b", "é"])),
    ("tokenizer.ggml.scores", ARRAY, (F32, [0.0, 1.0, 2.0, 3.0])),
    ("tokenizer.chat_template", STRING, CHATML),
)


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(code: int, content) -> bytes:
    """The bytes of one value; an array's content is (element type, elements). Bytes are taken as they are."""
    if isinstance(content, bytes):
        return content
    if code == STRING:
        return text(content)
    if code == ARRAY:
        element, items = content
        return struct.pack("<IQ", element, len(items)) + b"".join(value(element, item) for item in items)
    return struct.pack("<" + NUMBERS[code], content)


def pair(key: str, code: int, content) -> bytes:
    return text(key) + struct.pack("<I", code) + value(code, content)


def tensor(name: str, dims: tuple[int, ...], code: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, code, offset)


def gguf(
    pairs=PAIRS, tensors: tuple[bytes, ...] = (tensor("weight", (32, 4)),), data: bytes = bytes(512), *,
    magic: bytes = b"GGUF", version: int = 3, n_pairs: int | None = None, n_tensors: int | None = None,
) -> bytes:  # fmt: skip
    """The bytes of a GGUF file. Counts can lie; the data begins at a multiple of 32."""
    counts = (len(tensors) if n_tensors is None else n_tensors, len(pairs) if n_pairs is None else n_pairs)
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(pair(*each) for each in pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def with_pair(key: str, code: int, content) -> tuple:
    """The usual pairs with one of them replaced or added."""
    return (*(each for each in PAIRS if each[0] != key), (key, code, content))


def model(floats: int = 128, seed: int = 0, **changes) -> bytes:
    """A right file with one tensor of `floats` (a multiple of 32) random numbers: 4 bytes each."""
    data = random.Random(seed).randbytes(4 * floats)
    return gguf(tensors=(tensor("weight", (32, floats // 32)),), data=data, **changes)


def write(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)  # some file systems make truncating slow
    path.write_bytes(content)
    return path
