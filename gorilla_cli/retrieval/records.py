"""The index of API records: one SQLite file, searched where it lies, by words, by meaning, or by both.

`record_writing` changes the file. It must not load the records, run anything or know any source but by its kind.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gorilla_cli.errors import IndexMissing
from gorilla_cli.protocols import Encoder, RecordSource
from gorilla_cli.retrieval import dense, fusion, record_search, record_store, record_writing, store
from gorilla_cli.retrieval.record_writing import Change
from gorilla_cli.sanitise import strip
from gorilla_cli.types import ApiRecord, RecordHit

if TYPE_CHECKING:
    import numpy as np

Mode = Literal["bm25", "dense", "fused"]

SHIPPED = "shipped:"  # sources that anybody else's record of the same call comes before
WORDS, MEANING = 1.0, 1.5  # weights in the fused ranking
USED = 0.6  # what e times as many documents of a call add to its fused score
READ = 200  # records read in one transaction when all are asked for


@dataclass(frozen=True, slots=True)
class Remembered:
    """A file that a source was read from, as it was then; `mtime_ns` in nanoseconds, `size` in bytes."""

    source: str
    file: str
    mtime_ns: int
    size: int


class RecordIndex:
    """The file at `path`, opened when first asked. Implements `RecordRetriever`; threads may share it.

    Without an `encoder`, or before a sync with it, only words count. Every method raises IndexMissing when there is no
    file (but `sync`, which makes one) and StateError when it is damaged, of another version, or unreadable.
    """

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        self._path, self._encoder = Path(path), encoder
        self._reader = record_store.Reader(self._path)
        self._codes: tuple[tuple[int, ...], dense.Codes] | None = None

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        self._reader.close()
        self._codes = None

    def sync(self, source: RecordSource) -> Change:
        """Bring the records of one source up to date by id and stamp, all or nothing; others are untouched.

        What the source raises comes through. Raises ValueError for a record that is not the source's.
        """
        now = source.ids()
        if self._current(source.name, now):
            return Change(kept=len(now))
        return record_writing.sync(self._path, source, now, self._encoder)

    def _current(self, source: str, now: dict[str, str]) -> bool:
        try:
            return self._reader.read(lambda db: record_writing.current(db, source, now, self._encoder))
        except IndexMissing:
            return False

    def remove(self, source: str) -> int:
        """Take out everything a source has put in. Returns how many records."""
        return record_writing.remove(self._path, source)

    def remove_record(self, id: str) -> bool:
        """Take out one record until its source is read again. Returns whether there was one."""
        return record_writing.remove_record(self._path, id)

    def search(self, query: str, k: int, mode: Mode = "fused") -> list[RecordHit]:
        """The at most `k` records most like `query`, best first, each call once. Any text is a valid query.

        Scores of "bm25" are shares of a perfect match, of "dense" cosines, of "fused" comparable within one search.
        """
        return self._reader.read(lambda db: self._search(db, query, max(0, k), mode))

    def _search(self, db: sqlite3.Connection, query: str, k: int, mode: Mode) -> list[RecordHit]:
        vector = self._vector(db, query) if mode != "bm25" else None
        scores = self._by_meaning(db, vector) if vector is not None and mode == "dense" else None
        if scores is None:
            scores = self._by_words(db, query, vector)
        best = _each_call_once(db, scores, k)
        records = dict(record_store.read(db, (key for key, _ in best)))
        return [RecordHit(records[key], score) for key, score in best if key in records]

    def _by_words(self, db: sqlite3.Connection, query: str, vector: np.ndarray | None) -> dict[int, float]:
        """Scores by words, fused with those by meaning where there is a `vector`."""
        words = record_search.Lexical(db, query)
        if vector is None:
            return words.scores(words.likeliest())
        keys = {*words.likeliest(), *dense.likeliest(self._all_codes(db, len(vector)), vector)}
        none = dict.fromkeys(keys, 0.0)
        rankings = [(none | words.scores(keys), WORDS), (dense.scores(db, keys, vector), MEANING)]
        scores = fusion.fused(rankings)
        return {key: score + USED * math.log(count) for key, score, count in _documents(db, scores)}

    def _by_meaning(self, db: sqlite3.Connection, vector: np.ndarray) -> dict[int, float]:
        return dense.scores(db, dense.likeliest(self._all_codes(db, len(vector)), vector), vector)

    def _vector(self, db: sqlite3.Connection, query: str) -> np.ndarray | None:
        """The query's vector, None where there are none to compare it with or nothing is asked."""
        text = strip(query[: record_search.QUERY_CHARACTERS]).strip()
        if self._encoder is None or not text or record_writing.encoder_name(db) != self._encoder.name:
            return None
        return self._encoder.encode([text])[0]

    def _all_codes(self, db: sqlite3.Connection, dimensions: int) -> dense.Codes:
        """The sign codes, read again when the file has changed."""
        state = (self._reader.opened, record_store.sizes(db, "file").get("changes", 0), dimensions)
        if self._codes is None or self._codes[0] != state:
            self._codes = (state, dense.load(db, dimensions))
        return self._codes[1]

    def record(self, id: str) -> ApiRecord | None:
        """The record with this id, None when there is none."""
        return next(iter(self._where("id", strip(id))), None)

    def by_call(self, call: str) -> ApiRecord | None:
        """The record of this call (blanks do not matter), the user's own before a shipped one, or None."""
        found = self._where("call", " ".join(strip(call).split()))
        return min(found, key=lambda record: _preference(record.source, record.id), default=None)

    def _where(self, column: str, value: str) -> list[ApiRecord]:
        def work(db: sqlite3.Connection) -> list[ApiRecord]:
            keys = store.rows(db, f"SELECT key FROM records WHERE {column} = ?", (value,), int)  # noqa: S608
            return [record for _, record in record_store.read(db, (key for (key,) in keys))]

        return self._reader.read(work)

    def records(self, source: str = "") -> Iterator[ApiRecord]:
        """The records of one source, or all of them, in the order they were put in; never all in memory."""
        sql = f"SELECT key FROM records WHERE key > ? {'AND source = ?' if source else ''} ORDER BY key LIMIT {READ}"  # noqa: S608

        def work(db: sqlite3.Connection) -> list[tuple[int, ApiRecord]]:
            keys = store.rows(db, sql, (last, strip(source)) if source else (last,), int)
            return list(record_store.read(db, (key for (key,) in keys)))

        last = -1
        while found := self._reader.read(work):
            yield from (record for _, record in found)
            last = found[-1][0]

    def sources(self) -> dict[str, int]:
        """How many records each source has."""
        sql = "SELECT source, count(*) FROM records GROUP BY source"
        return self._reader.read(lambda db: dict(store.rows(db, sql, (), str, int)))

    def stats(self) -> dict[str, int]:
        """How much there is: records, distinct calls, requests, tokens, vectors, bytes on disk; and the schema."""

        def work(db: sqlite3.Connection) -> dict[str, int]:
            own, asked = (record_store.sizes(db, part) for part in record_store.PARTS)
            calls, vectors = (
                store.rows(db, f"SELECT count({what}) FROM {table}", (), int)[0][0]  # noqa: S608
                for what, table in (("DISTINCT call", "records"), ("*", "vectors"))
            )
            counts = {"records": own.get("docs", 0), "calls": calls, "requests": asked.get("docs", 0)}
            size = self._path.stat().st_size
            return {**counts, "tokens": own.get("tokens", 0), "vectors": vectors, "bytes": size, **_SCHEMA}

        return self._reader.read(work)

    def remember(self, source: str, file: Path, mtime_ns: int, size: int) -> None:
        """Note from which file a source was read, and as what; `remove` forgets it."""
        values = (strip(source), os.fsencode(file), mtime_ns, size)
        with record_store.errors_named(self._path), record_store.writer(self._path) as db:
            db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", values)

    def remembered(self) -> list[Remembered]:
        """The files of all sources, so that a changed one can be read again."""
        sql = "SELECT source, file, mtime_ns, size FROM files ORDER BY source, file"
        found = self._reader.read(lambda db: store.rows(db, sql, (), str, bytes, int, int))
        return [Remembered(source, os.fsdecode(file), mtime_ns, size) for source, file, mtime_ns, size in found]


_SCHEMA = {"schema": record_store.SCHEMA}


def _preference(source: str, id: str) -> tuple[bool, str]:
    return source.startswith(SHIPPED), id


def _documents(db: sqlite3.Connection, scores: dict[int, float]) -> Iterator[tuple[int, float, int]]:
    """(key, score, number of documents) of each record."""
    for key, score in scores.items():
        for (count,) in store.rows(db, "SELECT documents FROM records WHERE key = ?", (key,), int):
            yield key, score, max(1, count)


def _each_call_once(db: sqlite3.Connection, scores: dict[int, float], k: int) -> list[tuple[int, float]]:
    """(key, score) of the `k` best calls; of the records of a call the preferred one, with the best score of any."""
    best: dict[str, float] = {}
    for key, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
        if len(best) >= k:
            break
        for (call,) in store.rows(db, "SELECT call FROM records WHERE key = ?", (key,), str):
            best.setdefault(call, score)
    return [(_preferred(db, call), score) for call, score in best.items()]


def _preferred(db: sqlite3.Connection, call: str) -> int:
    found = store.rows(db, "SELECT source, id, key FROM records WHERE call = ?", (call,), str, str, int)
    return min((*_preference(source, id), key) for source, id, key in found)[-1]
