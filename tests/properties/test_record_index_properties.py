"""Whatever a record holds or a person asks: it is stored, comes back, a search answers; only the last state counts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.retrieval import fusion, record_fields, tokens
from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.sanitise import strip
from gorilla_cli.types import ApiRecord, Argument, Figure
from tests.record_index import Source, WordEncoder, record

ANY = st.text(st.characters(), max_size=60)  # surrogates and NUL too
NASTY = st.lists(st.sampled_from(['"', "'", "*", "^", "NEAR(", " OR ", "AND", ":", "(", ")", "--", "\x00", "a"])).map(
    "".join
)
TEXT = ANY | NASTY
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
FLOATS = st.floats(allow_nan=False)
RECORDS = st.builds(
    record,
    call=TEXT,
    domain=TEXT,
    framework=TEXT,
    functionality=TEXT,
    api_name=TEXT,
    api_arguments=st.lists(st.builds(Argument, TEXT, TEXT, TEXT, st.booleans(), TEXT, TEXTS), max_size=2).map(tuple),
    environment_requirements=TEXTS,
    example_code=TEXT,
    performance=TEXT,
    description=TEXT,
    figures=st.lists(st.builds(Figure, TEXT, TEXT, FLOATS), max_size=2).map(tuple),
    requests=TEXTS,
    licence=TEXT,
    languages=TEXTS,
    downloads=st.none() | st.integers(0, 10**12),
    kind=st.sampled_from(["python", "http"]),
    stamp=TEXT,
)


def clean(value):
    """What of `value` is kept: everything but control characters."""
    if isinstance(value, str):
        return strip(value)
    if isinstance(value, tuple):
        return tuple(map(clean, value))
    if isinstance(value, Argument | Figure | ApiRecord):
        return replace(value, **{name: clean(getattr(value, name)) for name in value.__slots__})
    return value


@settings(max_examples=40, deadline=None)
@given(given_record=RECORDS, query=TEXT)
def test_any_record_is_stored_found_and_gone_again(given_record, query):
    with tempfile.TemporaryDirectory() as folder:
        index = RecordIndex(Path(folder) / "r.db", WordEncoder())
        index.sync(Source([given_record]))
        expected = replace(
            given_record, **{name: clean(getattr(given_record, name)) for name in given_record.__slots__}
        )
        assert index.record(given_record.id) == expected
        assert index.by_call(given_record.api_call) == expected
        assert len(index.search(query, 3)) <= 1
        words = tokens.query(given_record.description)
        assert [hit.record for hit in index.search(" ".join(words), 3, "bm25")] == ([expected] if words else [])
        assert index.sync(Source([given_record])).kept == 1
        assert index.remove(given_record.source) == 1
        assert index.stats()["tokens"] == index.stats()["records"] == index.stats()["vectors"] == 0
        index.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = RecordIndex(tmp_path_factory.mktemp("query") / "r.db", WordEncoder())
    index.sync(Source([record("near()", description="not or and near a"), record("b()", requests=("a b",))]))
    return index


@settings(deadline=None)
@given(TEXT, st.integers(-3, 20), st.sampled_from(["bm25", "dense", "fused"]))
def test_a_search_never_raises(index, query, k, mode):
    assert len(index.search(query, k, mode)) <= min(2, max(0, k))


@settings(deadline=None)
@given(TEXT)
def test_reading_never_raises(index, text):
    index.record(text)
    assert (index.by_call(text) is not None) == (" ".join(strip(text).split()) in ("near()", "b()"))


@settings(deadline=None)
@given(RECORDS)
def test_any_record_is_small(given_record):
    assert len(record_fields.terms(given_record)) <= record_fields.LONGEST
    assert 1 <= len(record_fields.texts(given_record)) <= record_fields.PASSAGES + record_fields.REQUESTS


VERSIONS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["one", "two words", "three more words"]))


@settings(max_examples=25, deadline=None)
@given(st.lists(VERSIONS, min_size=1, max_size=4))
def test_the_last_version_alone_counts_however_it_came_about(versions):
    with tempfile.TemporaryDirectory() as folder:
        edited, fresh = (RecordIndex(Path(folder) / name, WordEncoder()) for name in ("edited.db", "fresh.db"))
        for version in versions:
            edited.sync(Source(_made(version)))
        fresh.sync(Source(_made(versions[-1])))
        assert {**edited.stats(), "bytes": 0} == {**fresh.stats(), "bytes": 0}
        for mode in ("bm25", "dense", "fused"):
            scores = [{hit.record: hit.score for hit in one.search("two words", 9, mode)} for one in (edited, fresh)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-6)
        edited.close()
        fresh.close()


def _made(version):
    return [record(f"{name}()", description=text, requests=(text,), stamp=text) for name, text in version.items()]


SCORES = st.dictionaries(st.integers(0, 9), st.floats(-1e3, 1e3))


@given(SCORES, SCORES, st.floats(0.1, 10), st.floats(-100, 100))
def test_fusion_keeps_every_key_and_does_not_see_the_scale(first, second, factor, offset):
    scores = fusion.fused([(first, 1.0), (second, 1.5)])
    assert scores.keys() == first.keys() | second.keys()
    assert min(scores.values(), default=0.0) == 0
    if max(first.values(), default=0) - min(first.values(), default=0) > 1:
        scaled = {key: value * factor + offset for key, value in first.items()}
        assert fusion.fused([(scaled, 1.0), (second, 1.5)]) == pytest.approx(scores, abs=1e-4)
