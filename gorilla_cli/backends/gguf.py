"""Reads the header of a GGUF file and refuses what the C++ loader should never see.

Pure Python over one bounded read; no tensor data is touched, no template is rendered, nothing is written.
The format is GGUF version 2 and 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from struct import Struct, error

from gorilla_cli.errors import ModelDamaged
from gorilla_cli.sanitise import one_line

FIRST_READ = 8 << 20
MAX_HEADER = 64 << 20
MAX_PAIRS = MAX_TENSORS = 65_536
MAX_KEY = MAX_TEMPLATE = 64 << 10
MAX_STRING = 16 << 20
MAX_ARRAY = 4 << 20
MAX_ALIGNMENT = 1 << 20
MAX_BLOCKS = 512

UINT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 6, 7, 8, 9, 10
SCALARS = {
    code: Struct("<" + letter)
    for code, letter in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
INTEGERS = {0, 1, 2, 3, 4, 5, 10, 11}
TOKENIZER_ARRAYS = {
    "tokenizer.ggml.tokens": {STRING},
    "tokenizer.ggml.merges": {STRING},
    "tokenizer.ggml.scores": {FLOAT32},
    "tokenizer.ggml.token_type": {5, UINT32},
}
# Tensor type -> (elements in a block, bytes of a block).
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says. Strings come from strangers: show them through `sanitise`. 0 and "" mean not stated."""

    version: int
    architecture: str
    kind: str
    context_length: int
    block_count: int
    chat_template: str
    tokenizer: str
    pre_tokenizer: str
    vocab_size: int
    n_tensors: int


class _Short(Exception):
    """The bytes read so far end before the header does."""


@dataclass(frozen=True, slots=True)
class _Array:
    """An array is skipped, not built: what remains is its element type and length."""

    element: int
    count: int


def read_header(path: Path) -> Header:
    """The checked header of the GGUF file at `path`.

    Bounds: 65,536 keys and tensors, 64 KiB per key and template, 16 MiB per string, 64 MiB in all; every tensor
    lies inside the file. Raises ModelDamaged when anything is out of bounds, or the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            return _parse_growing(stream, size)
    except OSError as problem:
        raise ModelDamaged(f"cannot read {one_line(str(path))}: {problem.strerror}", "check the path") from None
    except ModelDamaged as problem:
        raise ModelDamaged(f"{one_line(str(path))} is not a usable GGUF model: {problem}", "pull it again") from None


def _parse_growing(stream, size: int) -> Header:  # type: ignore[no-untyped-def]
    """Parse the first 8 MiB; take all that is allowed only for a header that is longer."""
    data, limit = b"", min(FIRST_READ, size)
    while True:
        data += stream.read(limit - len(data))
        try:
            return _Reader(data, size).header()
        except _Short:
            if limit >= size or len(data) < limit:
                raise ModelDamaged("it ends inside its header") from None
            if limit >= MAX_HEADER:
                raise ModelDamaged("its header is longer than 64 MiB") from None
            limit = min(MAX_HEADER, size)


class _Reader:
    """A cursor over the first bytes of a file of `size` bytes."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size
        self._at = 0

    def header(self) -> Header:
        if self._take(4) != b"GGUF":
            raise ModelDamaged("it does not begin with GGUF")
        version = self._scalar(UINT32)
        if version not in (2, 3):
            raise ModelDamaged(f"version {version} is neither 2 nor 3")
        n_tensors = self._count(MAX_TENSORS, "tensors")
        if n_tensors == 0:
            raise ModelDamaged("it holds no tensors")
        values = self._pairs(self._count(MAX_PAIRS, "keys"))
        _check_tokenizer(values)
        self._tensors(n_tensors, _alignment(values))
        return _describe(version, n_tensors, values)

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise _Short
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def _scalar(self, code: int) -> int:
        kind = SCALARS[code]
        try:
            (value,) = kind.unpack_from(self._data, self._at)
        except error:
            raise _Short from None
        self._at += kind.size
        return value

    def _count(self, most: int, what: str) -> int:
        count = self._scalar(UINT64)
        if count > most:
            raise ModelDamaged(f"{count} {what} are more than {most}")
        return count

    def _string(self, most: int) -> str:
        length = self._count(most, "bytes of text")
        self._fits(length)
        return self._take(length).decode("utf-8", "replace")

    def _fits(self, length: int) -> None:
        if length > self._size - self._at:
            raise ModelDamaged("it declares more data than the file holds")

    def _pairs(self, count: int) -> dict[str, object]:
        values: dict[str, object] = {}
        for _ in range(count):
            key = self._string(MAX_KEY)
            if key in values:
                raise ModelDamaged(f"the key {one_line(key[:80])} appears twice")
            values[key] = self._value(self._scalar(UINT32))
        return values

    def _value(self, code: int) -> object:
        if code == STRING:
            return self._string(MAX_STRING)
        if code == ARRAY:
            return self._array()
        if code not in SCALARS:
            raise ModelDamaged(f"value type {code} is unknown")
        return self._scalar(code)

    def _array(self) -> _Array:
        element = self._scalar(UINT32)
        if element != STRING and element not in SCALARS:
            raise ModelDamaged(f"arrays of type {element} are not allowed")
        count = self._count(MAX_ARRAY, "elements of an array")
        least = 8 if element == STRING else SCALARS[element].size
        self._fits(count * least)
        if element == STRING:
            self._skip_strings(count)
        else:
            self._at += count * least
        return _Array(element, count)

    def _skip_strings(self, count: int) -> None:
        """Step over `count` strings; the loop is bare because a vocabulary has some 300,000 of them."""
        data, at, read = self._data, self._at, SCALARS[UINT64].unpack_from
        try:
            for _ in range(count):
                (length,) = read(data, at)
                if length > MAX_STRING:
                    raise ModelDamaged(f"{length} bytes of text are more than {MAX_STRING}")
                at += 8 + length
        except error:
            if at > self._size - 8:
                raise ModelDamaged("it declares more data than the file holds") from None
            raise _Short from None
        self._at = at

    def _tensors(self, count: int, alignment: int) -> None:
        names: set[str] = set()
        spans: list[tuple[int, int]] = []
        for _ in range(count):
            name = self._string(MAX_KEY)
            if name in names:
                raise ModelDamaged(f"the tensor {one_line(name[:80])} appears twice")
            names.add(name)
            spans.append(self._span(alignment))
        _check_spans(sorted(spans), self._size - _round_up(self._at, alignment))

    def _span(self, alignment: int) -> tuple[int, int]:
        """[start, end) of one tensor, in bytes from the beginning of the data."""
        n_dims = self._scalar(UINT32)
        if not 1 <= n_dims <= 4:
            raise ModelDamaged(f"a tensor has {n_dims} dimensions")
        dims = [self._scalar(UINT64) for _ in range(n_dims)]
        code, offset = self._scalar(UINT32), self._scalar(UINT64)
        if code not in BLOCKS:
            raise ModelDamaged(f"tensor type {code} is unknown")
        elements, width = BLOCKS[code]
        if 0 in dims or dims[0] % elements or offset % alignment:
            raise ModelDamaged("a tensor has an impossible shape or offset")
        return offset, offset + prod(dims) // elements * width


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _check_spans(spans: list[tuple[int, int]], room: int) -> None:
    if any(end > room for _, end in spans):
        raise ModelDamaged("a tensor lies beyond the end of the file")
    if any(start < end for (_, end), (start, _) in pairwise(spans)):
        raise ModelDamaged("two tensors overlap")


def _alignment(values: dict[str, object]) -> int:
    value = values.get("general.alignment", 32)
    if type(value) is not int or not 8 <= value <= MAX_ALIGNMENT or value & (value - 1):
        raise ModelDamaged("its alignment is not a power of two from 8 bytes to 1 MiB")
    return value


def _check_tokenizer(values: dict[str, object]) -> None:
    for key, kinds in TOKENIZER_ARRAYS.items():
        value = values.get(key)
        if value is not None and not (isinstance(value, _Array) and value.element in kinds):
            raise ModelDamaged(f"{key} has the wrong type")


def _describe(version: int, n_tensors: int, values: dict[str, object]) -> Header:
    architecture = _text(values, "general.architecture")
    if not architecture:
        raise ModelDamaged("it names no architecture")
    if _number(values, "split.count") > 1:
        raise ModelDamaged("it is one part of a split model")
    tokens = values.get("tokenizer.ggml.tokens")
    return Header(
        version=version,
        architecture=architecture,
        kind=_text(values, "general.type"),
        context_length=_number(values, f"{architecture}.context_length"),
        block_count=_number(values, f"{architecture}.block_count", MAX_BLOCKS),
        chat_template=_text(values, "tokenizer.chat_template", MAX_TEMPLATE),
        tokenizer=_text(values, "tokenizer.ggml.model"),
        pre_tokenizer=_text(values, "tokenizer.ggml.pre"),
        vocab_size=tokens.count if isinstance(tokens, _Array) else 0,
        n_tensors=n_tensors,
    )


def _text(values: dict[str, object], key: str, most: int = MAX_KEY) -> str:
    value = values.get(key, "")
    if not isinstance(value, str) or len(value.encode("utf-8", "replace")) > most:
        raise ModelDamaged(f"{one_line(key[:80])} is not a text of at most {most} bytes")
    return value


def _number(values: dict[str, object], key: str, most: int = 1 << 31) -> int:
    value = values.get(key, 0)
    if type(value) is not int or not 0 <= value <= most:
        raise ModelDamaged(f"{one_line(key[:80])} is not a number from 0 to {most}")
    return value
