"""What every RecordRetriever promises, over each implementation, with and without vectors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.types import RecordHit
from tests.record_index import Source, WordEncoder, record

TASKS = ["classify images", "detect objects in images", "recognise speech", "translate text", "segment images"]
MINE = [
    *(record(f"load('{task}')", functionality=task, requests=(f"please {task} for me",)) for task in TASKS),
    *(record(f"list{number}()", functionality="list images of a folder") for number in range(30)),
]
SHIPPED = [replace(one, source="shipped:x", id=f"shipped:x:{one.api_call}") for one in MINE[:3]]


def by_words(folder):
    index = RecordIndex(folder / "records.db")
    index.sync(Source(SHIPPED, "shipped:x"))
    index.sync(Source(MINE))
    return index


def fused(folder):
    index = RecordIndex(folder / "records.db", WordEncoder())
    index.sync(Source(MINE))
    index.sync(Source(SHIPPED, "shipped:x"))
    return index


class Dense:
    """The dense part of the index alone."""

    def __init__(self, folder):
        self._index = fused(folder)

    def search(self, query, k):
        return self._index.search(query, k, "dense")


@pytest.fixture(params=[by_words, fused, Dense], ids=lambda make: make.__name__)
def retriever(request, tmp_path):
    return request.param(tmp_path)


QUERIES = ["classify images", "list images", "speech to text", "translate a list of images please"]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("k", [1, 3, 100])
def test_at_most_k_best_first_each_call_once(retriever, query, k):
    hits = retriever.search(query, k)
    calls = [hit.record.api_call for hit in hits]
    assert 1 <= len(hits) <= k
    assert all(isinstance(hit, RecordHit) for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(set(calls)) == len(calls)


@pytest.mark.parametrize("query", QUERIES)
def test_a_smaller_k_is_a_prefix(retriever, query):
    assert retriever.search(query, 2) == retriever.search(query, 50)[:2]


@pytest.mark.parametrize("query", QUERIES)
def test_hits_are_stored_records_and_the_users_own_where_there_are_two(retriever, query):
    assert all(hit.record in MINE for hit in retriever.search(query, 50))


@pytest.mark.parametrize("query", ["", "   ", "\x00", "\n"])
def test_nothing_asked_nothing_found(retriever, query):
    assert retriever.search(query, 5) == []


@pytest.mark.parametrize("k", [0, -1])
def test_none_wanted_none_given(retriever, k):
    assert retriever.search("classify images", k) == []


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_question_has_the_same_answer(retriever, query):
    assert retriever.search(query, 40) == retriever.search(query, 40)


@pytest.mark.parametrize("task", TASKS)
def test_the_obvious_answer_is_first(retriever, task):
    assert retriever.search(task, 1)[0].record.api_call == f"load('{task}')"
