"""What every Encoder keeps, run over each implementation."""

from __future__ import annotations

import numpy as np
import pytest

from gorilla_cli.backends.encoder import LlamaEncoder
from gorilla_cli.backends.encoder_gguf import convert
from tests.encoder_files import MEMBER, wheel

TEXTS = ["", "the", "thing", "singing the abc?", "naïve É語x", "[MASK] [SEP]", "zz" * 60, "a b " * 2000, "\x00", "the"]


def llama(folder):
    target = folder / "tiny.gguf"
    convert(wheel(folder), MEMBER, target, 1 << 20, lambda done, total: None)
    return LlamaEncoder(target, "a" * 64, threads=2)


@pytest.fixture(scope="module", params=[llama])
def make(request, tmp_path_factory):
    """Makes the encoder, always over the same model."""
    folder = tmp_path_factory.mktemp("encoder")
    return lambda: request.param(folder)


@pytest.fixture(scope="module")
def encoder(make):
    running = make()
    yield running
    running.close()


def test_one_row_of_length_one_for_each_text(encoder):
    rows = encoder.encode(TEXTS)
    assert (rows.shape, rows.dtype) == ((len(TEXTS), encoder.dimensions), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_nothing_gives_no_rows(encoder):
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_a_row_does_not_depend_on_its_neighbours(encoder):
    together = encoder.encode(TEXTS)
    assert (together[TEXTS.index("the")] == together[-1]).all()
    for text, row in zip(TEXTS, together, strict=True):
        assert (encoder.encode([text])[0] == row).all()
    assert (encoder.encode(TEXTS[::-1])[::-1] == together).all()


def test_other_texts_have_other_rows(encoder):
    the, thing = encoder.encode(["the", "thing"])
    assert the @ thing < 0.999


def test_a_second_one_gives_the_same(make, encoder):
    again = make()
    assert again.name == encoder.name
    assert (again.encode(TEXTS) == encoder.encode(TEXTS)).all()
    again.close()
