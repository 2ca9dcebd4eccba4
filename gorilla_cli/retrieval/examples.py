"""Finds documented examples whose request is like the query, over the examples of the whole corpus.

It must not judge the commands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gorilla_cli.retrieval import candidates, store

FETCHED = 60  # FTS5's best, which are then scored
K1, B = 1.2, 0.5  # of BM25; requests are short and of one length


def search(db: sqlite3.Connection, query: Sequence[str], k: int) -> list[tuple[int, int, float]]:
    """(document, place, score) of the at most `k` nearest examples, best first.

    `query` comes from `tokens.request`. A score is the BM25 of the request as a share of what one that has every token
    would reach, so 0 to about 1, and comparable between queries.
    """
    from gorilla_cli.retrieval.bm25 import CorpusBM25

    corpus = candidates.statistics(db, query, "requests")
    if not corpus.frequencies:
        return []
    found = _fetch(db, list(corpus.frequencies))
    matching = [[term for term in terms if term in corpus.frequencies] for _, terms in found]
    ranker = CorpusBM25(matching, [len(terms) for _, terms in found], corpus, K1, B)
    best = ranker.best_possible(query)
    scored = [(key, score / best) for (key, _), score in zip(found, ranker.scores(query), strict=True)]
    scored.sort(key=lambda pair: (-pair[1], pair[0]))
    return [(key // store.PLACES, key % store.PLACES, float(score)) for key, score in scored[:k]]


def _fetch(db: sqlite3.Connection, terms: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The rows and tokens of the likeliest requests that have some of `terms`."""
    sql = "SELECT rowid, terms FROM requests WHERE requests MATCH ? ORDER BY rank LIMIT ?"
    return [(key, text.split()) for key, text in store.rows(db, sql, (candidates.any_of(terms), FETCHED), int, str)]
