"""The file of API records: its tables, how a record becomes a row and back, who may open it and what its errors mean.

One SQLite file beside the index of documents, with its own mark. Readers open it read-only and refuse everything a read
does not need; a damaged or foreign file ends in StateError, never in an answer. It must not rank or write records.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from gorilla_cli.errors import IndexMissing, StateError
from gorilla_cli.retrieval import store
from gorilla_cli.sanitise import strip
from gorilla_cli.types import ApiRecord, Argument, Figure

T = TypeVar("T")

APPLICATION = 0x676F7263  # "gorc"
SCHEMA = 1  # counts up whenever the tables, the tokens or their weights change
CACHE_KIB = 65536  # pages a writer holds before it spills; readers wait only while it has spilled
READ_KIB = 16384  # pages a reader holds
BUSY_SECONDS = 5.0
PLACES = 1024  # requests of one record at most; the row of a request is record * PLACES + place
PARTS = ("records", "requests")  # the two texts that are searched
REBUILD = "delete it, run: gorilla setup, and add your own records again"

TABLES = """
CREATE TABLE records (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, call TEXT NOT NULL,
    stamp TEXT NOT NULL, tokens INTEGER NOT NULL, embedded INTEGER NOT NULL, documents INTEGER NOT NULL,
    rest TEXT NOT NULL);
CREATE INDEX records_source ON records (source);
CREATE INDEX records_call ON records (call);
CREATE INDEX records_pending ON records (key) WHERE embedded = 0;
CREATE TABLE meta (part TEXT, name TEXT, value INTEGER NOT NULL, PRIMARY KEY (part, name)) WITHOUT ROWID;
CREATE TABLE frequencies (part TEXT, term TEXT, docs INTEGER NOT NULL, PRIMARY KEY (part, term)) WITHOUT ROWID;
CREATE TABLE files (source TEXT, file BLOB, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (source, file)) WITHOUT ROWID;
CREATE TABLE encoder (name TEXT NOT NULL);
CREATE TABLE vectors (record INTEGER, place INTEGER, scale REAL NOT NULL, row BLOB NOT NULL,
    PRIMARY KEY (record, place)) WITHOUT ROWID;
CREATE TABLE codes (chunk INTEGER PRIMARY KEY, owners BLOB NOT NULL, codes BLOB NOT NULL);
CREATE VIRTUAL TABLE records_search USING fts5 (terms, tokenize = "ascii tokenchars '-_'");
CREATE VIRTUAL TABLE requests_search USING fts5 (terms, tokenize = "ascii tokenchars '-_'")
"""

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION}
_OPENING = {(sqlite3.SQLITE_PRAGMA, "data_version"), (sqlite3.SQLITE_UPDATE, "sqlite_master")}  # steps of FTS5
_LEFT_BEHIND = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}  # a killed writer's journal: readers cannot undo it
_TEXTS = ("domain", "framework", "functionality", "api_name", "example_code", "performance", "description")
_TEXTS += ("licence", "kind")
_LISTS = ("environment_requirements", "requests", "languages")


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """SQLite's errors inside the block, raised as StateError with the file's name and what to do."""
    try:
        with store.errors_named(path):
            yield
    except StateError as error:
        if error.hint != store.REBUILD:
            raise
        raise StateError(str(error), REBUILD) from error


@contextmanager
def writer(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
    """One transaction, all or nothing; the next reader sees it whole. `create`: make the file when there is none.

    Raises IndexMissing, StateError, sqlite3.Error.
    """
    if create:
        _touch(path)
    with closing(_connect(path, "rw")) as db:
        db.executescript(f"PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_size = -{CACHE_KIB};")
        with store.transaction(db):
            if create and _blank(db):
                _make_tables(db)
            _check(db, path)
            yield db
            _add(db, "file", "changes", 1)


def _touch(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        hint = "check its permissions and the space left"
        raise StateError(f"cannot write {path}: {error.strerror}", hint) from error


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def _missing() -> IndexMissing:
    return IndexMissing("there is no index of API records yet", "run: gorilla setup")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if not path.exists():
        raise _missing()
    uri = f"file:{quote(bytes(path.absolute()))}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def _blank(db: sqlite3.Connection) -> bool:
    """Whether nothing was ever written: a file whose first writer was killed is as good as none."""
    return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0 and _mark(db) == (0, 0)


def _mark(db: sqlite3.Connection) -> tuple[int, int]:
    return tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))  # type: ignore[return-value]


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raises IndexMissing for a blank file, StateError for one that is not ours or of another version."""
    if _blank(db):
        raise _missing()
    application, version = _mark(db)
    if application != APPLICATION:
        raise StateError(f"{path} is not an index of API records", f"move it away, then {REBUILD}")
    if version != SCHEMA:
        raise StateError(f"the index {path} was made by another version of gorilla", REBUILD)


def _authorize(action: int, name: str | None, *_: object) -> int:
    return sqlite3.SQLITE_OK if (action, name) in _OPENING or action in _READS else sqlite3.SQLITE_DENY


def _add(db: sqlite3.Connection, part: str, name: str, value: int) -> None:
    sql = "INSERT INTO meta VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value"
    db.execute(sql, (part, name, value))


def add_sizes(db: sqlite3.Connection, part: str, docs: int, tokens: int) -> None:
    """Change the size of one searched part, which ranking needs for every query."""
    _add(db, part, "docs", docs)
    _add(db, part, "tokens", tokens)


def sizes(db: sqlite3.Connection, part: str) -> dict[str, int]:
    """The counters of one part: "docs" and "tokens" of the searched ones, "changes" of the file."""
    return dict(store.rows(db, "SELECT name, value FROM meta WHERE part = ?", (part,), str, int))


class Reader:
    """Reads of the file at `path`, opened when first asked and again when another has taken its place. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.opened = 0  # how often; together with the "changes" of the file it tells one state from another
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one read transaction, so that it sees one state. Raises IndexMissing, StateError."""
        with self._lock, errors_named(self._path):
            try:
                return self._attempt(work)
            except sqlite3.OperationalError as error:
                if store.primary_code(error) not in _LEFT_BEHIND:
                    raise
                self.close()
                store.recover(self._path)  # safe at any time: this file is never renamed over
                return self._attempt(work)
            except UnicodeDecodeError as error:  # Python's, when SQLite quotes damaged text in its message
                raise sqlite3.DatabaseError("text that is not UTF-8") from error

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with store.transaction(self._connection(), "DEFERRED") as db:
            return work(db)

    def _connection(self) -> sqlite3.Connection:
        file = _identity(self._path)
        if self._db is None or file != self._file:
            self.close()
            self._db, self._file = self._open(), file
            self.opened += 1
        return self._db

    def _open(self) -> sqlite3.Connection:
        db = _connect(self._path, "ro")
        try:
            db.executescript("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;")
            db.execute(f"PRAGMA cache_size = -{READ_KIB}")
            _check(db, self._path)
            db.set_authorizer(_authorize)
        except BaseException:
            db.close()
            raise
        return db


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def call_of(record: ApiRecord) -> str:
    """The call of `record` with every run of blanks made one: how calls are compared."""
    return " ".join(strip(record.api_call).split())


def row(record: ApiRecord) -> str:
    """What the columns of `record` do not hold, as JSON, without control characters."""
    rest: dict[str, Any] = {name: strip(getattr(record, name)) for name in _TEXTS}
    rest |= {name: [strip(one) for one in getattr(record, name)] for name in _LISTS}
    rest["api_arguments"] = [_argument_row(argument) for argument in record.api_arguments]
    rest["figures"] = [[strip(one.metric), strip(one.dataset), one.value] for one in record.figures]
    rest["downloads"] = record.downloads
    rest["documents"] = record.documents if record.documents > 1 else None
    rest["api_call"] = strip(record.api_call) if strip(record.api_call) != call_of(record) else ""
    return json.dumps({name: value for name, value in rest.items() if value not in ("", [], None)}, ensure_ascii=False)


def _argument_row(one: Argument) -> list[Any]:
    texts = [strip(text) for text in (one.name, one.type, one.description)]
    return [*texts, one.required, strip(one.default), [strip(choice) for choice in one.choices]]


def read(db: sqlite3.Connection, keys: Iterable[int]) -> Iterator[tuple[int, ApiRecord]]:
    """The records with these keys, in that order. Raises sqlite3.DatabaseError for one that is damaged."""
    columns = "SELECT id, source, call, stamp, rest FROM records WHERE key = ?"
    for key in keys:
        for found in store.rows(db, columns, (key,), *(str,) * 5):
            yield key, _record(*found)


def _record(id: str, source: str, call: str, stamp: str, rest: str) -> ApiRecord:
    try:
        values = json.loads(rest)
        fields = {name: _text(values.get(name, "")) for name in _TEXTS}
        lists = {name: tuple(map(_text, values.get(name, ()))) for name in _LISTS}
        arguments = tuple(_argument(*one) for one in values.get("api_arguments", ()))
        figures = tuple(Figure(_text(one[0]), _text(one[1]), float(one[2])) for one in values.get("figures", ()))
        downloads = values.get("downloads")
        read_out = {"figures": figures, "downloads": None if downloads is None else int(downloads)}
        read_out["documents"] = int(values.get("documents", 1))
        fields["api_call"] = _text(values.get("api_call", call))
        return ApiRecord(id=id, source=source, stamp=stamp, api_arguments=arguments, **read_out, **fields, **lists)
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise sqlite3.DatabaseError("a record that cannot be read") from error


def _argument(name: str, kind: str, description: str, required: bool, default: str, choices: list[str]) -> Argument:
    texts = (_text(name), _text(kind), _text(description))
    return Argument(*texts, bool(required), _text(default), tuple(map(_text, choices)))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value
