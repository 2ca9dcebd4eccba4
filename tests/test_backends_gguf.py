"""The header check: right files are described, wrong ones refused before any C++ sees them."""

from __future__ import annotations

import random
import resource
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gorilla_cli.backends.gguf import Header, read_header
from gorilla_cli.errors import ModelDamaged
from tests.gguf_files import ARRAY, CHATML, F32, PAIRS, STRING, U32, U64, gguf, model, tensor, text, with_pair, write

RIGHT = Header(
    version=3, architecture="llama", kind="model", context_length=2048, block_count=2, chat_template=CHATML,
    tokenizer="gpt2", pre_tokenizer="", vocab_size=4, n_tensors=1,
)  # fmt: skip


def test_describes_a_right_file(tmp_path):
    assert read_header(write(tmp_path / "m.gguf", model())) == RIGHT


@pytest.mark.parametrize("version", [2, 3])
def test_reads_version(tmp_path, version):
    assert read_header(write(tmp_path / "m.gguf", gguf(version=version))).version == version


def test_a_header_longer_than_the_first_read(tmp_path):
    tokens = [f"{n:064}" for n in range(150_000)]
    pairs = with_pair("tokenizer.ggml.tokens", ARRAY, (STRING, tokens))
    path = write(tmp_path / "m.gguf", gguf((*pairs, ("last.key", U32, 1))))
    assert read_header(path).vocab_size == 150_000


def test_what_is_not_stated_is_empty(tmp_path):
    header = read_header(write(tmp_path / "m.gguf", gguf((("general.architecture", STRING, "bert"),))))
    assert (header.context_length, header.chat_template, header.vocab_size) == (0, "", 0)


def test_undecodable_text_is_replaced(tmp_path):
    path = write(tmp_path / "m.gguf", gguf((("general.architecture", STRING, struct.pack("<Q", 2) + b"\xff\xfe"),)))
    assert read_header(path).architecture == "\ufffd\ufffd"


def array(element: int, count: int) -> bytes:
    return struct.pack("<IQ", element, count)


WRONG = {
    "empty": (b"", "ends inside its header"),
    "four bytes": (b"GGUF", "ends inside its header"),
    "another magic": (gguf(magic=b"GGML"), "does not begin with GGUF"),
    "version 1": (gguf(version=1), "version 1 "),
    "version 4": (gguf(version=4), "version 4 "),
    "big-endian": (gguf(version=3 << 24), "neither 2 nor 3"),
    "no tensors": (gguf(tensors=()), "no tensors"),
    "too many tensors": (gguf(n_tensors=65_537), "65537 tensors"),
    "too many keys": (gguf(n_pairs=1 << 63), "keys are more"),
    "fewer keys than said": (gguf(n_pairs=len(PAIRS) + 1), ""),
    "no architecture": (gguf((("a", U32, 1),)), "names no architecture"),
    "architecture is a number": (gguf((("general.architecture", U32, 1),)), "general.architecture"),
    "a key twice": (gguf((*PAIRS, PAIRS[0])), "appears twice"),
    "a key of 64 KiB + 1": (gguf((*PAIRS, ("k" * 65_537, U32, 1))), "65537 bytes of text"),
    "an unknown value type": (gguf((*PAIRS, ("k", 13, b""))), "value type 13"),
    "text of 16 MiB + 1": (gguf((*PAIRS, ("k", STRING, struct.pack("<Q", (16 << 20) + 1)))), "bytes of text"),
    "text beyond the end": (gguf((*PAIRS, ("k", STRING, struct.pack("<Q", 1 << 20)))), "more data than the file"),
    "a nested array": (gguf((*PAIRS, ("k", ARRAY, array(ARRAY, 1)))), "arrays of type 9"),
    "an array of an unknown type": (gguf((*PAIRS, ("k", ARRAY, array(99, 1)))), "arrays of type 99"),
    "an array of 2^63": (gguf((*PAIRS, ("k", ARRAY, array(U64, 1 << 63)))), "elements of an array"),
    "an array beyond the end": (gguf((*PAIRS, ("k", ARRAY, array(U64, 1 << 20)))), "more data than the file"),
    "texts beyond the end": (
        gguf((*PAIRS, ("k", ARRAY, array(STRING, 9) + struct.pack("<Q", 1 << 20)))),
        "more data than the file",
    ),
    "a huge text in an array": (
        gguf((*PAIRS, ("k", ARRAY, array(STRING, 1) + struct.pack("<Q", 1 << 60)))),
        "bytes of text are more",
    ),
    "tokens that are numbers": (gguf(with_pair("tokenizer.ggml.tokens", ARRAY, (U32, [1]))), "tokenizer.ggml.tokens"),
    "tokens that are one text": (gguf(with_pair("tokenizer.ggml.tokens", STRING, "a")), "tokenizer.ggml.tokens"),
    "scores that are texts": (gguf(with_pair("tokenizer.ggml.scores", ARRAY, (STRING, []))), "tokenizer.ggml.scores"),
    "merges that are floats": (gguf(with_pair("tokenizer.ggml.merges", ARRAY, (F32, []))), "tokenizer.ggml.merges"),
    "alignment 0": (gguf(with_pair("general.alignment", U32, 0)), "alignment"),
    "alignment 48": (gguf(with_pair("general.alignment", U32, 48)), "alignment"),
    "alignment 2 MiB": (gguf(with_pair("general.alignment", U32, 2 << 20)), "alignment"),
    "alignment is a text": (gguf(with_pair("general.alignment", STRING, "32")), "alignment"),
    "513 blocks": (gguf(with_pair("llama.block_count", U32, 513)), "block_count"),
    "a template of 64 KiB + 1": (gguf(with_pair("tokenizer.chat_template", STRING, "t" * 65_537)), "chat_template"),
    "a template that is a list": (gguf(with_pair("tokenizer.chat_template", ARRAY, (STRING, ["t"]))), "chat_template"),
    "a part of a split model": (gguf(with_pair("split.count", 2, 3)), "split model"),
    "no dimensions": (gguf(tensors=(tensor("w", ()),)), "0 dimensions"),
    "five dimensions": (gguf(tensors=(tensor("w", (1, 1, 1, 1, 1)),)), "5 dimensions"),
    "a dimension of 0": (gguf(tensors=(tensor("w", (32, 0)),)), "impossible shape"),
    "dimensions that overflow": (gguf(tensors=(tensor("w", (1 << 32, 1 << 32)),)), "beyond the end"),
    "a tensor type that is gone": (gguf(tensors=(tensor("w", (32,), 4),)), "tensor type 4"),
    "a row that is no whole block": (gguf(tensors=(tensor("w", (33,), 2),)), "impossible shape"),
    "an offset out of step": (gguf(tensors=(tensor("w", (4,), 0, 4),)), "impossible shape"),
    "an offset beyond the end": (gguf(tensors=(tensor("w", (4,), 0, 1 << 40),)), "beyond the end"),
    "a tensor longer than the data": (gguf(tensors=(tensor("w", (32, 5)),)), "beyond the end"),
    "two tensors in one place": (gguf(tensors=(tensor("v", (32,)), tensor("w", (32,)))), "overlap"),
    "two tensors of one name": (gguf(tensors=(tensor("w", (8,)), tensor("w", (8,), 0, 32))), "appears twice"),
}


@pytest.mark.parametrize(("content", "why"), WRONG.values(), ids=WRONG)
def test_refuses(tmp_path, content, why):
    with pytest.raises(ModelDamaged, match="is not a usable GGUF model") as raised:
        read_header(write(tmp_path / "m.gguf", content))
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_cut_of_a_right_file_is_refused(tmp_path):
    content, path = model(32), tmp_path / "m.gguf"
    for end in range(len(content)):
        with pytest.raises(ModelDamaged):
            read_header(write(path, content[:end]))


def test_names_in_messages_cannot_reach_the_terminal_raw(tmp_path):
    twice = ("k\x1b[31m\u202e", U32, 1)
    with pytest.raises(ModelDamaged) as raised:
        read_header(write(tmp_path / "m\x1b.gguf", gguf((*PAIRS, twice, twice))))
    assert not {"\x1b", "\u202e"} & set(str(raised.value))


@pytest.mark.parametrize("name", ["nothing.gguf", "."])
def test_a_file_that_cannot_be_read(tmp_path, name):
    with pytest.raises(ModelDamaged, match="cannot read"):
        read_header(tmp_path / name)


def test_mutants_never_do_more_than_be_refused(tmp_path):
    """2,000 files with up to eight changed bytes in the header; the memory of this process stays where it was."""
    content, source = model(32), random.Random(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for _ in range(2000):
        mutant = bytearray(content)
        for _ in range(source.randint(1, 8)):
            mutant[source.randrange(len(content) - 128)] = source.randrange(256)
        refused += not _passes(tmp_path, bytes(mutant))
    assert 1000 < refused < 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=200), n_tensors=st.integers(1, 3), n_pairs=st.integers(0, 3))
def test_any_bytes_after_the_counts(tmp_path, rest, n_tensors, n_pairs):
    assert not _passes(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_pairs) + rest)


def test_the_longest_header_is_read_in_bounded_memory(tmp_path):
    """Many arrays of empty texts in a sparse file: the worst work for the fewest bytes."""
    path, before = tmp_path / "m.gguf", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with path.open("wb") as stream:
        stream.write(b"GGUF" + struct.pack("<IQQ", 3, 1, 40))
        for n in range(40):
            stream.write(text(f"k{n}") + struct.pack("<I", ARRAY) + array(STRING, 1 << 20))
            stream.seek(8 << 20, 1)
        stream.truncate(stream.tell())
    with pytest.raises(ModelDamaged, match="longer than 64 MiB"):
        read_header(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def _passes(folder, content: bytes) -> bool:
    try:
        read_header(write(folder / "m.gguf", content))
    except ModelDamaged:
        return False
    return True
