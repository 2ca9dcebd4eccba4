"""Vectors of records: kept in the index file as int8 rows, found by their signs, scored by the rows of the best few.

A record has one vector of its own text and one of each request; the nearest of them counts. A million vectors of 256
dimensions are 32 MB of sign codes in memory; the rows stay on disk. It must not make vectors: an encoder does.
Signs as a sieve: Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from gorilla_cli.retrieval import store

if TYPE_CHECKING:
    import numpy as np

CHUNK = 1024  # records per row of codes: one edit rewrites the codes of no more than that
BLOCK = 1 << 16  # codes compared at a time, so that what is in between stays small
SIEVED = 200  # vectors that pass the sieve
MANY = 500  # values in one SQL statement


@dataclass(frozen=True, slots=True)
class Codes:
    """The signs of all vectors: `owners` int64 (n,), the records; `bits` uint64 (words, n), one column per vector."""

    owners: np.ndarray
    bits: np.ndarray


def add(db: sqlite3.Connection, owners: Sequence[int], vectors: np.ndarray) -> set[int]:
    """Put in the vectors (rows of float32 `vectors`) of `owners`, the n-th of the n-th, those of one record together.

    The records must have had none before. Returns the chunks to `pack` again.
    """
    import numpy as np

    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / 127
    rows = np.rint(vectors / scales[:, None]).astype(np.int8)
    places = (place for _, group in groupby(owners) for place, _ in enumerate(group))
    values = zip(owners, places, map(float, scales), map(bytes, rows), strict=True)
    db.executemany("INSERT INTO vectors VALUES (?, ?, ?, ?)", values)
    return {owner // CHUNK for owner in owners}


def forget(db: sqlite3.Connection, owner: int) -> set[int]:
    """Take out the vectors of one record. Returns the chunks to `pack` again."""
    gone = db.execute("DELETE FROM vectors WHERE record = ?", (owner,)).rowcount
    return {owner // CHUNK} if gone else set()


def pack(db: sqlite3.Connection, chunks: Iterable[int]) -> None:
    """Write the codes of `chunks` anew, from their rows."""
    import numpy as np

    sql = "SELECT record, row FROM vectors WHERE record BETWEEN ? AND ?"
    for chunk in sorted(chunks):
        found = db.execute(sql, (chunk * CHUNK, chunk * CHUNK + CHUNK - 1)).fetchall()
        db.execute("DELETE FROM codes WHERE chunk = ?", (chunk,))
        if found:
            owners = np.array([owner for owner, _ in found], dtype="<i8")
            rows = np.frombuffer(b"".join(row for _, row in found), dtype=np.int8).reshape(len(found), -1)
            db.execute("INSERT INTO codes VALUES (?, ?, ?)", (chunk, owners.tobytes(), signs(rows).tobytes()))


def clear(db: sqlite3.Connection) -> None:
    """Take out all vectors, for those of another encoder."""
    for table in ("vectors", "codes", "encoder"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608


def signs(rows: np.ndarray) -> np.ndarray:
    """The signs of each row as little-endian uint64 (n, words), filled up with zeros."""
    import numpy as np

    packed = np.packbits(rows > 0, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))).view("<u8")


def load(db: sqlite3.Connection, dimensions: int) -> Codes:
    """All codes. Raises sqlite3.DatabaseError when they are not of vectors of `dimensions`."""
    import numpy as np

    words = -(-dimensions // 64)
    count = store.rows(db, "SELECT coalesce(sum(length(owners)), 0) FROM codes", (), int)[0][0] // 8
    codes = Codes(np.empty(count, dtype=np.int64), np.empty((words, count), dtype=np.uint64))
    start = 0
    for owners, bits in db.execute("SELECT owners, codes FROM codes ORDER BY chunk"):
        size = len(owners) // 8
        if len(owners) % 8 or len(bits) != size * words * 8 or start + size > count:
            raise sqlite3.DatabaseError("codes of the wrong size")
        codes.owners[start : start + size] = np.frombuffer(owners, dtype="<i8")
        codes.bits[:, start : start + size] = np.frombuffer(bits, dtype="<u8").reshape(size, words).T
        start += size
    return codes


def likeliest(codes: Codes, vector: np.ndarray, limit: int = SIEVED) -> list[int]:
    """The records of the `limit` vectors whose signs are most like those of `vector`, each once."""
    import numpy as np

    if not len(codes.owners):
        return []
    distances = _distances(codes, signs(vector[None, :])[0])
    place = min(limit, len(distances)) - 1
    near = np.flatnonzero(distances <= np.partition(distances, place)[place])  # far quicker than argpartition
    nearest = near[np.argsort(distances[near], kind="stable")[:limit]]
    return sorted(set(codes.owners[nearest].tolist()))


def _distances(codes: Codes, code: np.ndarray) -> np.ndarray:
    """The number of differing signs of each vector, uint16 (n,)."""
    import numpy as np

    count = codes.bits.shape[1]
    distances = np.zeros(count, dtype=np.uint16)
    for start in range(0, count, BLOCK):
        block = distances[start : start + BLOCK]
        for word, own in zip(codes.bits[:, start : start + BLOCK], code, strict=True):
            block += np.bitwise_count(word ^ own)
    return distances


def scores(db: sqlite3.Connection, owners: Collection[int], vector: np.ndarray) -> dict[int, float]:
    """Of each record its largest cosine with `vector`; a record without vectors is left out."""
    import numpy as np

    found: list[tuple] = []
    listed = sorted(owners)
    for start in range(0, len(listed), MANY):
        part = listed[start : start + MANY]
        sql = f"SELECT record, scale, row FROM vectors WHERE record IN ({', '.join('?' * len(part))})"  # noqa: S608
        found += store.rows(db, sql, part, int, float, bytes)
    if {len(row) for _, _, row in found} - {len(vector)}:
        raise sqlite3.DatabaseError("vectors of the wrong size")
    if not found:
        return {}
    rows = np.frombuffer(b"".join(row for _, _, row in found), dtype=np.int8).reshape(len(found), -1)
    products = (rows.astype(np.float32) @ vector) * np.array([scale for _, scale, _ in found], dtype=np.float32)
    ranked = sorted(zip(products.tolist(), (owner for owner, _, _ in found), strict=True))
    return {owner: product for product, owner in ranked}  # the largest comes last and stays
