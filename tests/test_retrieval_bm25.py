"""Ranking a sample with the corpus' statistics gives what rank_bm25 gives over the whole corpus."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from rank_bm25 import BM25Plus

from gorilla_cli.retrieval.bm25 import K1, B, CorpusBM25
from gorilla_cli.retrieval.candidates import ALL, POSTINGS, Statistics, fetch, rarest, statistics
from gorilla_cli.retrieval.index import Index
from gorilla_cli.retrieval.store import open_reader
from gorilla_cli.types import Doc

WORDS = [f"w{number}x" for number in range(60)]


def corpus_of(rng: random.Random, size: int) -> list[list[str]]:
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [rng.choices(WORDS, weights, k=rng.randrange(1, 40)) for _ in range(size)]


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_a_sample_equal_rank_bm25_over_the_corpus(seed):
    rng = random.Random(seed)
    corpus = corpus_of(rng, 80)
    query = [*rng.sample(WORDS, 6), "unknown"]
    frequencies = Counter(word for document in corpus for word in set(document))
    whole = BM25Plus(corpus, k1=K1, b=B, delta=0).get_scores(query)
    sample = rng.sample(range(80), 12)
    reduced = [[word for word in corpus[one] if word in query] for one in sample]
    total = Statistics(80, sum(map(len, corpus)), {word: frequencies[word] for word in query if word in frequencies})
    ranker = CorpusBM25(reduced, [len(corpus[one]) for one in sample], total)
    assert ranker.scores(query) == pytest.approx([whole[one] for one in sample])
    assert min(whole) >= 0


class Source:
    """Documents from a list."""

    def __init__(self, docs, name="x"):
        self.name, self._docs = name, docs

    def ids(self):
        return {doc.id: doc.stamp for doc in self._docs}

    def docs(self, skip=()):
        return (doc for doc in self._docs if doc.id not in skip)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index.db"


def test_scores_through_the_index_equal_rank_bm25_over_the_corpus(path):
    from gorilla_cli.retrieval import fields

    rng = random.Random(7)
    docs = [
        Doc(f"x:p{number}", "x", f"p{number}q", "", summary=" ".join(words), body=" ".join(words[:3]))
        for number, words in enumerate(corpus_of(rng, 150))
    ]
    Index.build(path, [Source(docs)])
    query = rng.sample(WORDS, 5)
    oracle = BM25Plus([fields.terms(doc) for doc in docs], k1=K1, b=B, delta=0).get_scores(query)
    expected = {doc.id: score for doc, score in zip(docs, oracle, strict=True) if score > 0}
    hits = Index(path, lambda program: True).search(" ".join(query), 150)
    assert {hit.doc.id: hit.score for hit in hits} == pytest.approx(expected)
    assert [hit.score for hit in hits] == sorted(expected.values(), reverse=True)


def test_no_candidates_no_scores():
    assert CorpusBM25([], [], Statistics(1, 1, {})).scores(["x"]) == []


@pytest.mark.parametrize(
    ("frequencies", "expected"),
    [
        ({}, []),
        ({"a": 5}, ["a"]),
        ({"a": POSTINGS * 2, "b": POSTINGS * 3, "c": POSTINGS * 4}, ["a", "b"]),
        ({"common": POSTINGS, "rare": 2, "some": 50}, ["rare", "some"]),
        ({f"t{number:02}": number for number in range(1, 30)}, [f"t{number:02}" for number in range(1, 11)]),
    ],
)
def test_rarest_terms_fetch(frequencies, expected):
    assert rarest(Statistics(100000, 1000000, frequencies)) == expected


def test_a_large_family_does_not_bury_the_shipped_programs(path):
    family = [
        Doc(f"man:cloud {number}", "man", f"cloud{number}", "", summary="list the files") for number in range(ALL + 50)
    ]
    shipped = Doc("catalogue:ls", "catalogue", "ls", "", summary="list the files of a directory, with their sizes")
    Index.build(path, [Source(family, "man"), Source([shipped], "catalogue")])
    db = open_reader(path)
    found = fetch(db, statistics(db, ["list", "file"]))
    db.close()
    assert len(found) == ALL + 1
    assert [one.program for one in found if one.shipped] == ["ls"]


def test_a_source_name_is_no_search_term(path):
    Index.build(path, [Source([Doc("man:a", "man", "a", "", summary="page")], "man")])
    db = open_reader(path)
    assert statistics(db, ["man", "page"]).frequencies == {"page": 1}
    db.close()
