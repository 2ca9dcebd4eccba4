"""Searching the index: FTS5 finds candidates on disk, BM25 ranks those few, priors put what this machine has first.

Reads only; `writing` changes the file. It must not load the corpus, run anything or know any source but by name.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from gorilla_cli.retrieval import candidates, examples, store, tokens, writing
from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc, ExampleHit, Hit

T = TypeVar("T")

TRUSTED = ("man", "helptext", candidates.SHIPPED, "tldr")  # the order of documents in a manual
QUERY_TOKENS, QUERY_CHARACTERS = 64, 8000
PRIOR_SHIPPED, PRIOR_ABSENT = 1.4, 0.3
_LEFT_BEHIND = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}  # a killed writer's journal: readers cannot undo it
ECHO = 0.2  # what the other documents of a program add to its best one


class Index:
    """The index file at `path`, opened when first asked. Implements `Retriever` and `Manual`; threads may share it.

    `installed` is asked with the name of a program ("git", not "git commit"). Every method raises IndexMissing when
    there is no file and StateError when it is damaged, made by another version, or unreadable.
    """

    build = staticmethod(writing.build)
    update = staticmethod(writing.update)
    add = staticmethod(writing.add)
    remove = staticmethod(writing.remove)

    def __init__(self, path: Path, installed: Callable[[str], bool]) -> None:
        self._path, self._installed = Path(path), installed
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        if self._db is not None:
            self._db.close()
        self._db = None

    def search(self, query: str, k: int) -> list[Hit]:
        """The best document of each of the at most `k` best programs, best first. Any text is a valid query."""
        terms = tokens.query(query[:QUERY_CHARACTERS])[:QUERY_TOKENS]
        return self._read(lambda db: self._search(db, terms, max(0, k)))

    def _search(self, db: sqlite3.Connection, terms: list[str], k: int) -> list[Hit]:
        from gorilla_cli.retrieval.bm25 import CorpusBM25

        corpus = candidates.statistics(db, terms)
        found = candidates.fetch(db, corpus)
        ranker = CorpusBM25([one.terms for one in found], [one.length for one in found], corpus)
        best = self._per_program(found, ranker.scores(terms))[:k]
        docs = store.read(db, [key for key, _, _ in best])
        return [Hit(docs[key], score, installed) for key, score, installed in best if key in docs]

    def _per_program(self, found: Sequence[candidates.Found], scores: Sequence[float]) -> list[tuple[int, float, bool]]:
        """(key of the best document, score with the priors, installed) of each program, best first."""
        groups: dict[str, list[tuple[float, candidates.Found]]] = defaultdict(list)
        for one, score in zip(found, scores, strict=True):
            groups[one.program].append((float(score), one))
        ranked = []
        for program, group in groups.items():
            group.sort(key=lambda pair: (-pair[0], pair[1].key))
            installed = bool(self._installed(program.split(" ", 1)[0]))
            score = group[0][0] + ECHO * sum(score for score, _ in group[1:])
            score *= (PRIOR_SHIPPED if group[0][1].shipped else 1.0) * (1.0 if installed else PRIOR_ABSENT)
            ranked.append((group[0][1].key, score, installed))
        return sorted(ranked, key=lambda row: (-row[1], row[0]))

    def examples(self, query: str, k: int) -> list[ExampleHit]:
        """The at most `k` examples whose requests are nearest to the query, best first."""
        terms = tokens.request(query[:QUERY_CHARACTERS])[:QUERY_TOKENS]

        def work(db: sqlite3.Connection) -> list[ExampleHit]:
            found = examples.search(db, terms, max(0, k))
            rows = [(store.example(db, doc, place), score) for doc, place, score in found]
            return [
                ExampleHit(one, program, score, bool(self._installed(program.split(" ", 1)[0])))
                for (program, one), score in rows
            ]

        return self._read(work)

    def manual(self, program: str) -> list[Doc]:
        """All documents of one program or subcommand: man, helptext, catalogue, tldr, then the others by name."""
        name = strip(" ".join(program.split()))

        def work(db: sqlite3.Connection) -> list[Doc]:
            return sorted(_where(db, "program", name), key=_trust)

        return self._read(work)

    def show(self, id: str) -> Doc | None:
        """The document with this id, None when there is none."""
        return next(iter(self._read(lambda db: _where(db, "id", strip(id)))), None)

    def sources(self) -> dict[str, int]:
        """How many documents each source has."""
        sql = "SELECT source, count(*) FROM docs GROUP BY source"
        return self._read(lambda db: dict(store.rows(db, sql, (), str, int)))

    def stats(self) -> dict[str, int]:
        """The size of the corpus: docs, tokens, programs, options, bytes on disk, and the version of the schema."""

        def work(db: sqlite3.Connection) -> dict[str, int]:
            sizes = dict(store.rows(db, "SELECT name, value FROM meta WHERE part = 'docs'", (), str, int))
            programs = store.rows(db, "SELECT count(DISTINCT program) FROM docs", (), int)[0][0]
            options = store.rows(db, "SELECT count(*) FROM options", (), int)[0][0]
            return {
                **sizes,
                "programs": programs,
                "options": options,
                "bytes": self._path.stat().st_size,
                "schema": store.SCHEMA,
            }

        return self._read(work)

    def programs(self) -> Programs:
        """The documented programs and subcommands, for `in`, `len` and iteration in order."""
        return Programs(self._read)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one read transaction, so that it sees one state of the index."""
        with self._lock, store.errors_named(self._path):
            try:
                return self._attempt(work)
            except sqlite3.OperationalError as error:
                if store.primary_code(error) not in _LEFT_BEHIND:
                    raise
                self.close()
                writing.recover(self._path)
                return self._attempt(work)
            except UnicodeDecodeError as error:  # Python's, when SQLite quotes damaged text in its message
                raise sqlite3.DatabaseError("text that is not UTF-8") from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with store.transaction(self._connection(), "DEFERRED") as db:
            return work(db)

    def _connection(self) -> sqlite3.Connection:
        """The open file, or the one that has taken its place since."""
        file = _identity(self._path)
        if self._db is None or (file is not None and file != self._file):
            self.close()
            self._db, self._file = store.open_reader(self._path), file
        return self._db


def _where(db: sqlite3.Connection, column: str, value: str) -> list[Doc]:
    keys = store.rows(db, f"SELECT key FROM docs WHERE {column} = ?", (value,), int)  # noqa: S608
    return list(store.read(db, (key for (key,) in keys)).values())


def _trust(doc: Doc) -> tuple[int, str]:
    return (TRUSTED.index(doc.source) if doc.source in TRUSTED else len(TRUSTED), doc.id)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Programs(Collection[str]):
    """The names of the documented programs; asks the index each time instead of holding them."""

    def __init__(self, read: Callable[[Callable[[sqlite3.Connection], list[tuple]]], list[tuple]]) -> None:
        self._read = read

    def _rows(self, sql: str, values: tuple[str, ...], kind: type) -> list[tuple]:
        return self._read(lambda db: store.rows(db, sql, values, kind))

    def __contains__(self, program: object) -> bool:
        return bool(self._rows("SELECT 1 FROM docs WHERE program = ? LIMIT 1", (strip(str(program)),), int))

    def __iter__(self) -> Iterator[str]:
        return (name for (name,) in self._rows("SELECT DISTINCT program FROM docs ORDER BY program", (), str))

    def __len__(self) -> int:
        return self._rows("SELECT count(DISTINCT program) FROM docs", (), int)[0][0]
