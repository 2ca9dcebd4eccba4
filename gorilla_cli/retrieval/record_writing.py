"""Changes to the file of API records, each in one transaction: a kill at any moment leaves what was there before.

It must not rank, and it fetches records only from the source it is given.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gorilla_cli.protocols import Encoder, RecordSource
from gorilla_cli.retrieval import dense, record_fields, record_store, store
from gorilla_cli.sanitise import strip
from gorilla_cli.types import ApiRecord

FLUSHED = 20_000  # records whose term counts are held before they are written
EMBEDDED = 256  # records read by the encoder at a time
BULK = 5_000  # records after which the search tables are worth tidying up
COLUMNS = "id, source, call, stamp, tokens, embedded, documents, rest"


@dataclass(frozen=True, slots=True)
class Change:
    """How many records of a source a sync put in, replaced, took out, and left as they were."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0


class Writing:
    """Records going in and out within one open transaction; `finish` writes down what changed in the statistics."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._counts: dict[str, Counter[str]] = {part: Counter() for part in record_store.PARTS}
        self._sizes: dict[str, list[int]] = {part: [0, 0] for part in record_store.PARTS}
        self._chunks: set[int] = set()
        self.written = 0

    def put(self, record: ApiRecord, source: str) -> None:
        """Put `record` in, in place of the one with its id. Raises ValueError when it is not one of `source`."""
        if record.source != source or not record.id.startswith(source + ":"):
            raise ValueError(f"{record.id!r} is no record of {source!r}")
        self.drop([strip(record.id)])
        terms = record_fields.terms(record)
        call = record_store.call_of(record)
        names = (strip(record.id), strip(source), call, strip(record.stamp))
        values = (*names, len(terms), 0, max(1, record.documents), record_store.row(record))
        sql = f"INSERT INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        key = self._db.execute(sql, values).lastrowid or 0
        self._insert("records", key, terms)
        for place, words in enumerate(record_fields.requests(record)):
            self._insert("requests", key * record_store.PLACES + place, words)
        self.written += 1
        if self.written % FLUSHED == 0:
            self._flush()

    def _insert(self, part: str, row: int, terms: list[str]) -> None:
        sql = f"INSERT INTO {part}_search (rowid, terms) VALUES (?, ?)"  # noqa: S608
        self._db.execute(sql, (row, " ".join(terms)))
        self._count(part, terms, 1)

    def _count(self, part: str, terms: list[str], sign: int) -> None:
        counts = self._counts[part]
        for term in set(terms):
            counts[term] += sign
        self._sizes[part][0] += sign
        self._sizes[part][1] += sign * len(terms)

    def drop(self, ids: Iterable[str]) -> None:
        """Take out the records with these ids; unknown ones are passed over."""
        for one in ids:
            found = self._db.execute("SELECT key FROM records WHERE id = ?", (one,)).fetchone()
            if found:
                first = found[0] * record_store.PLACES
                self._delete("records", found[0], found[0])
                self._delete("requests", first, first + record_store.PLACES - 1)
                self._db.execute("DELETE FROM records WHERE key = ?", found)
                self._chunks |= dense.forget(self._db, found[0])

    def _delete(self, part: str, first: int, last: int) -> None:
        where = f"FROM {part}_search WHERE rowid BETWEEN ? AND ?"
        for (terms,) in self._db.execute(f"SELECT terms {where}", (first, last)).fetchall():  # noqa: S608
            self._count(part, terms.split(), -1)
        self._db.execute(f"DELETE {where}", (first, last))  # noqa: S608

    def embed(self, encoder: Encoder) -> None:
        """Give a vector to every text that has none of this encoder."""
        if encoder_name(self._db) != encoder.name:
            dense.clear(self._db)
            self._db.execute("INSERT INTO encoder VALUES (?)", (encoder.name,))
            self._db.execute("UPDATE records SET embedded = 0")
        sql = "SELECT key FROM records WHERE embedded = 0 ORDER BY key LIMIT ?"
        while keys := [key for (key,) in self._db.execute(sql, (EMBEDDED,))]:
            texts = [
                (key, text) for key, record in record_store.read(self._db, keys) for text in record_fields.texts(record)
            ]
            vectors = encoder.encode([text for _, text in texts])
            self._chunks |= dense.add(self._db, [key for key, _ in texts], vectors)
            marked = [(key,) for key in keys]
            self._db.executemany("UPDATE records SET embedded = 1 WHERE key = ?", marked)

    def finish(self) -> None:
        """Write the statistics and the codes; without it the records cannot be found."""
        self._flush()
        dense.pack(self._db, self._chunks)
        if self.written >= BULK:
            for part in record_store.PARTS:
                self._db.execute(f"INSERT INTO {part}_search ({part}_search) VALUES ('optimize')")  # noqa: S608

    def _flush(self) -> None:
        sql = """INSERT INTO frequencies VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET docs = docs + excluded.docs"""
        for part, counts in self._counts.items():
            changed = ((part, term, count) for term, count in sorted(counts.items()) if count)
            self._db.executemany(sql, changed)
            if any(count < 0 for count in counts.values()):
                self._db.execute("DELETE FROM frequencies WHERE docs <= 0")
            record_store.add_sizes(self._db, part, *self._sizes[part])
            counts.clear()
            self._sizes[part] = [0, 0]


def sync(path: Path, source: RecordSource, now: dict[str, str], encoder: Encoder | None) -> Change:
    """Bring the records of one source up to date: new and changed ones are read, vanished ones taken out.

    All in one transaction; other sources stay as they are. `now` is what `source.ids()` gave. The file is made when
    there is none. With an `encoder` every record without a vector of it gets one. Raises StateError, and what the
    source raises; nothing has changed then.
    """
    with record_store.errors_named(path), record_store.writer(path, create=True) as db:
        writing = Writing(db)
        change = _sync(db, writing, source, now)
        if encoder is not None:
            writing.embed(encoder)
        writing.finish()
    return change


def _sync(db: sqlite3.Connection, writing: Writing, source: RecordSource, now: dict[str, str]) -> Change:
    before = stamps(db, source.name)
    kept = {one for one, stamp in now.items() if before.get(strip(one)) == strip(stamp)}
    outdated = before.keys() - {strip(one) for one in kept}
    writing.drop(outdated)
    changed: set[str] = set()
    if len(kept) < len(now):
        for record in source.records(skip=kept):
            writing.put(record, source.name)
            if strip(record.id) in outdated:
                changed.add(strip(record.id))
    total = db.execute("SELECT count(*) FROM records WHERE source = ?", (strip(source.name),)).fetchone()[0]
    return Change(total - len(kept) - len(changed), len(changed), len(outdated) - len(changed), len(kept))


def stamps(db: sqlite3.Connection, source: str) -> dict[str, str]:
    """Of each record of `source`: id -> stamp."""
    return dict(store.rows(db, "SELECT id, stamp FROM records WHERE source = ?", (strip(source),), str, str))


def encoder_name(db: sqlite3.Connection) -> str:
    """Whose vectors the file holds, "" when it holds none."""
    found = store.rows(db, "SELECT name FROM encoder", (), str)
    return found[0][0] if found else ""


def current(db: sqlite3.Connection, source: str, now: dict[str, str], encoder: Encoder | None) -> bool:
    """Whether a sync would change nothing."""
    if stamps(db, source) != {strip(one): strip(stamp) for one, stamp in now.items()}:
        return False
    if encoder is None:
        return True
    pending = store.rows(db, "SELECT 1 FROM records WHERE embedded = 0 LIMIT 1", (), int)
    return encoder_name(db) == encoder.name and not pending


def remove(path: Path, source: str) -> int:
    """Take out everything a source has put in, and its files. Returns how many records. Raises StateError."""
    with record_store.errors_named(path), record_store.writer(path) as db:
        gone = stamps(db, source)
        writing = Writing(db)
        writing.drop(gone)
        writing.finish()
        db.execute("DELETE FROM files WHERE source = ?", (strip(source),))
    return len(gone)


def remove_record(path: Path, id: str) -> bool:
    """Take out one record. Returns whether there was one. Raises IndexMissing, StateError."""
    with record_store.errors_named(path), record_store.writer(path) as db:
        found = db.execute("SELECT 1 FROM records WHERE id = ?", (strip(id),)).fetchone()
        writing = Writing(db)
        writing.drop([strip(id)])
        writing.finish()
    return found is not None
