"""Fetches from the open index what ranking needs: a few hundred candidates and the statistics of the corpus.

It must not score: FTS5's own order only decides who is looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gorilla_cli.retrieval import store

SHIPPED = store.SHIPPED
ALL, SHIPPED_ALONE = 200, 100  # candidates of the whole corpus, and of the shipped documents
RAREST, POSTINGS = 10, 6000  # terms that fetch candidates, and the documents they may have together


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 knows of a corpus: its documents, their tokens in all, and how many documents have each term."""

    docs: int
    tokens: int
    frequencies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate: its row, its program (`shipped`: in the catalogue), its tokens, and those the query asks for."""

    key: int
    program: str
    shipped: bool
    length: int
    terms: tuple[str, ...]


def statistics(db: sqlite3.Connection, terms: Sequence[str], table: str = "docs") -> Statistics:
    """The corpus as `terms` see it; a term that no document has is left out. `table` is "docs" or "requests"."""
    sizes = dict(store.rows(db, "SELECT name, value FROM meta WHERE part = ?", (table,), str, int))
    sql = f"SELECT doc FROM {store.VOCABULARIES[table]} WHERE term = ? AND col = 'terms'"  # noqa: S608
    counted = ((term, store.rows(db, sql, (term,), int)) for term in terms)
    frequencies = {term: found[0][0] for term, found in counted if found and found[0][0] > 0}
    docs = max(sizes.get("docs", 0), *frequencies.values(), 1)
    return Statistics(docs, max(sizes.get("tokens", 0), docs), frequencies)


def fetch(db: sqlite3.Connection, corpus: Statistics) -> list[Found]:
    """The documents that have some of the corpus' `frequencies` terms: the likeliest of all, and of the shipped ones.

    The shipped ones are few and asked with every term. Without a turn of their own, a query of common words would
    bury them under the thousand pages of some large family of programs.
    """
    terms = list(corpus.frequencies)
    if not terms:
        return []
    keys = set(_matching(db, any_of(rarest(corpus)), ALL))
    keys.update(_matching(db, f'{any_of(terms)} AND source : "{SHIPPED}"', SHIPPED_ALONE))
    return _rows(db, sorted(keys), frozenset(terms))


def rarest(corpus: Statistics) -> list[str]:
    """The rarest terms, as long as few enough documents have them; two at least, since one word says too little."""
    chosen: list[str] = []
    postings = 0
    for term, frequency in sorted(corpus.frequencies.items(), key=lambda pair: pair[1])[:RAREST]:
        postings += frequency
        if len(chosen) >= 2 and postings > POSTINGS:
            break
        chosen.append(term)
    return chosen


def any_of(terms: Sequence[str]) -> str:
    """An FTS5 expression. Quoting makes strings of tokens, which hold no quotes: nothing in them can be an operator."""
    return "terms : (" + " OR ".join(f'"{term}"' for term in terms) + ")"


def _matching(db: sqlite3.Connection, expression: str, limit: int) -> list[int]:
    sql = "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rank LIMIT ?"
    return [key for (key,) in store.rows(db, sql, (expression, limit), int)]


def _rows(db: sqlite3.Connection, keys: Sequence[int], wanted: frozenset[str]) -> list[Found]:
    sql = """SELECT docs.key, docs.program, EXISTS (
                 SELECT 1 FROM docs AS other WHERE other.program = docs.program AND other.source = ?),
             docs.tokens, search.terms FROM docs JOIN search ON search.rowid = docs.key WHERE docs.key IN ({})"""
    found = store.rows(db, sql.format(", ".join("?" * len(keys))), (SHIPPED, *keys), int, str, int, int, str)
    return [
        Found(key, program, bool(shipped), max(length, 0), tuple(filter(wanted.__contains__, text.split())))
        for key, program, shipped, length, text in found
    ]
