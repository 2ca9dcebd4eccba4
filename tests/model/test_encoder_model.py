"""The real sentence encoder: its pieces are the published tokenizer's, its vectors BERT's, its neighbours sensible."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from gorilla_cli.backends.catalogue import entries
from gorilla_cli.backends.encoder import LlamaEncoder, _EncoderContext
from tests.models import stored

pytestmark = pytest.mark.model
NAME = "all-minilm-l6-v2"
# The folder of the published model, to compare with where somebody has it. Read before the environment is scrubbed.
PUBLISHED = os.environ.get("GORILLA_MINILM", "")
REQUESTS = [
    "Detect the emotion in customer reviews", "I want to translate a letter from French into English",
    "which breed is the dog in this photo", "transcribe a phone call", "an image classifier with few parameters",
    "fill in the missing word", "summarise a long article in two sentences", "segment the road in a street scene",
    "answer questions about a table", "text into speech", "naïve café", "모델 한국어", "日本語の感情分析",
    "ΣΊΣΥΦΟΣ 😀", "", "x" * 150, "[MASK] of [SEP]", "word " * 400,
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder():
    model = stored(NAME)
    running = LlamaEncoder(model.path, model.sha256, threads=2)
    yield running
    running.close()


@pytest.fixture(scope="module")
def pieces():
    context = _EncoderContext(stored(NAME).path, threads=1)
    yield context._pieces
    context.close()


def test_the_file_is_the_one_of_the_catalogue():
    assert stored(NAME).sha256 == entries()[NAME].sha256


# What the published tokenizer gives, between [CLS] (101) and [SEP] (102).
@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("naïve café", [15743, 7668]),
        ("ΌΔΥΣΣΕΥΣ ς Σ", [1169, 29722, 29735, 29733, 29733, 29723, 29735, 29733, 1172, 1173]),
        ("İstanbul", [9960]),
        ("ﬁne", [1984, 2638]),
        ("한국어", [1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008]),
        ("日本語テスト", [1864, 1876, 1950, 1713, 30233, 30240]),
        ("[SEP] [MASK]", [102, 103]),
        ("a\x00b\x0bc\x85d", [5925, 2094]),
        ("😀 ok", [100, 7929]),
        ("x" * 101, [100]),
        ("word " * 3000, [2773] * 254),
    ],
)
def test_pieces_are_those_of_the_published_tokenizer(pieces, text, ids):
    assert pieces.ids(text, 256) == [101, *ids, 102]


def test_shape_and_length(encoder):
    found = encoder.encode(REQUESTS)
    assert (encoder.dimensions, found.shape, found.dtype) == (384, (len(REQUESTS), 384), np.float32)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert (found == encoder.encode(REQUESTS)).all()


@pytest.mark.parametrize(
    ("request_text", "near", "far"),
    [
        ("find the feeling in a review", "sentiment analysis of text", "detects objects in images"),
        ("is there a cat in my picture", "image classification", "speech recognition"),
        ("from German to English", "machine translation", "depth estimation from one image"),
        ("turn the recording into words", "automatic speech recognition", "image segmentation"),
    ],
)
def test_what_is_close_in_meaning_is_close(encoder, request_text, near, far):
    request, close, away = encoder.encode([request_text, near, far])
    assert request @ close > request @ away + 0.1


@pytest.mark.skipif(
    not PUBLISHED or not all(map(importlib.util.find_spec, ("torch", "transformers"))),
    reason="needs torch, transformers and the published model's folder in GORILLA_MINILM",
)
def test_vectors_are_those_of_the_published_model(encoder):
    expected = _published(Path(PUBLISHED), REQUESTS)
    assert (encoder.encode(REQUESTS) * expected).sum(axis=1).min() > 0.999


def _published(folder: Path, texts: list[str]) -> np.ndarray:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.no_grad():
        for text in texts:
            tokens = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            rows.append(model(**tokens).last_hidden_state[0].mean(dim=0).numpy())
    return np.array([row / np.linalg.norm(row) for row in rows])
