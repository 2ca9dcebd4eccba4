"""Finds records by their words: FTS5 names candidates on disk, BM25 (rank_bm25) scores them and their requests.

It must not know vectors or which source is preferred.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from itertools import accumulate

from gorilla_cli.retrieval import candidates, record_store, store, tokens

FETCHED = {"records": 120, "requests": 80}  # FTS5's best, which are then scored
POSTINGS = 5_000  # rows FTS5 may have to rank for one query
QUERY_TOKENS, QUERY_CHARACTERS = 64, 8000
K1, B = 2.5, 0.1  # of BM25 for records: fields weigh by repetition, and a long one is a popular one
REQUEST_K1, REQUEST_B = 1.2, 0.5  # for requests, which are short and of one length
REQUEST = 0.5  # what its best request adds to a record: more, and those without requests are never found
SATURATION = {"records": (K1, B), "requests": (REQUEST_K1, REQUEST_B)}
MANY = 500  # values in one SQL statement


class Lexical:
    """One query by its words. A score is a share of what a text with every word would get, so 0 to about 1 for each of
    the two texts, the record's own and its best request."""

    def __init__(self, db: sqlite3.Connection, query: str) -> None:
        self._db = db
        text = query[:QUERY_CHARACTERS]
        self._terms = {"records": tokens.query(text)[:QUERY_TOKENS], "requests": tokens.request(text)[:QUERY_TOKENS]}
        self._corpora = {part: statistics(db, part, terms) for part, terms in self._terms.items()}
        self._requested = self._request_scores()

    def likeliest(self) -> list[int]:
        """The records that some of the words point to, most of them by far not the best."""
        keys = set(_matching(self._db, "records", self._corpora["records"]))
        return sorted(keys | self._requested.keys())

    def scores(self, keys: Collection[int]) -> dict[int, float]:
        """The score of each record that has some of the words, in itself or in a request."""
        listed = sorted(keys)
        own = self._ranked("records", listed)
        return {
            key: score
            for key, alone in zip(listed, own, strict=True)
            if (score := alone + REQUEST * self._requested.get(key, 0.0)) > 0
        }

    def _request_scores(self) -> dict[int, float]:
        """Of each record its best matching request: many requests are not worth more than the right one."""
        rows = sorted(_matching(self._db, "requests", self._corpora["requests"]))
        best: dict[int, float] = {}
        for row, score in zip(rows, self._ranked("requests", rows), strict=True):
            key = row // record_store.PLACES
            best[key] = max(score, best.get(key, 0.0))
        return best

    def _ranked(self, part: str, rows: Sequence[int]) -> list[float]:
        from gorilla_cli.retrieval.bm25 import CorpusBM25

        corpus, query = self._corpora[part], self._terms[part]
        if not corpus.frequencies:
            return [0.0] * len(rows)
        texts = _texts(self._db, part, rows)
        documents = [texts.get(row, "").split() for row in rows]
        matching = [[term for term in document if term in corpus.frequencies] for document in documents]
        lengths = [len(document) for document in documents]
        ranker = CorpusBM25(matching, lengths, corpus, *SATURATION[part])
        best = ranker.best_possible(query)
        return [float(score) / best for score in ranker.scores(query)]


def statistics(db: sqlite3.Connection, part: str, terms: Sequence[str]) -> candidates.Statistics:
    """The corpus of "records" or "requests" as `terms` see it; a term that no text has is left out."""
    sizes = record_store.sizes(db, part)
    sql = "SELECT docs FROM frequencies WHERE part = ? AND term = ?"
    counted = ((term, store.rows(db, sql, (part, term), int)) for term in terms)
    frequencies = {term: found[0][0] for term, found in counted if found and found[0][0] > 0}
    docs = max(sizes.get("docs", 0), *frequencies.values(), 1)
    return candidates.Statistics(docs, max(sizes.get("tokens", 0), docs), frequencies)


def _matching(db: sqlite3.Connection, part: str, corpus: candidates.Statistics) -> list[int]:
    """The rows of the likeliest texts."""
    if not corpus.frequencies:
        return []
    expression, rows = narrowed(corpus)
    order = "ORDER BY rank" if rows <= POSTINGS else ""  # without a telling word any of them will do
    sql = f"SELECT rowid FROM {part}_search WHERE {part}_search MATCH ? {order} LIMIT ?"  # noqa: S608
    return [row for (row,) in store.rows(db, sql, (expression, FETCHED[part]), int)]


def narrowed(corpus: candidates.Statistics) -> tuple[str, float]:
    """An FTS5 expression for the corpus' terms that matches few enough texts to rank, and about how many it matches.

    Any of the rarest terms; where those are fewer than three, or all of the next ones together, as many as it takes.
    """
    terms = sorted(corpus.frequencies, key=lambda term: (corpus.frequencies[term], term))
    sums = list(accumulate(corpus.frequencies[term] for term in terms))
    rare = [term for term, total in zip(terms, sums, strict=True) if total <= POSTINGS]
    parts, rows = [f'"{term}"' for term in rare], float(sums[len(rare) - 1] if rare else 0)
    common = terms[len(rare) :]
    if common and len(rare) < 3:
        together, expected = [common[0]], float(corpus.frequencies[common[0]])
        for term in common[1:]:
            if rows + expected <= POSTINGS:
                break
            together.append(term)
            expected *= corpus.frequencies[term] / corpus.docs
        parts.append("(" + " AND ".join(f'"{term}"' for term in together) + ")")
        rows += expected
    return "terms : (" + " OR ".join(parts) + ")", rows


def _texts(db: sqlite3.Connection, part: str, rows: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(rows), MANY):
        some = rows[start : start + MANY]
        sql = f"SELECT rowid, terms FROM {part}_search WHERE rowid IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update(store.rows(db, sql, some, int, str))
    return found
