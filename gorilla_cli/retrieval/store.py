"""The index file: its tables, how a document becomes rows and back, who may open it and what its errors mean.

One SQLite file with FTS5. Readers open it read-only and refuse everything a read does not need; a damaged or foreign
file ends in StateError, never in an answer. It must not rank, and it writes only what `writing` hands it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from gorilla_cli.errors import IndexMissing, StateError
from gorilla_cli.retrieval import fields, tokens
from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc, Example, Option

APPLICATION = 0x676F7269  # "gori"
SCHEMA = 2  # counts up whenever the tables, the tokens or their weights change
BUSY_SECONDS = 5.0
SHIPPED = "catalogue"  # the source that lists the common programs, with requests in a user's words
PLACES = 1024  # examples of one document at most; the row of a request is doc * PLACES + place
REBUILD = "rebuild it, run: gorilla setup"

TABLES = """
CREATE TABLE docs (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, program TEXT NOT NULL,
    title TEXT NOT NULL, summary TEXT NOT NULL, keywords TEXT NOT NULL, body TEXT NOT NULL, stamp TEXT NOT NULL,
    tokens INTEGER NOT NULL);
CREATE INDEX docs_program ON docs (program, source);
CREATE INDEX docs_source ON docs (source, tokens);
CREATE TABLE options (doc INTEGER NOT NULL, place INTEGER NOT NULL, names TEXT NOT NULL, argument TEXT NOT NULL,
    description TEXT NOT NULL, PRIMARY KEY (doc, place)) WITHOUT ROWID;
CREATE TABLE examples (doc INTEGER NOT NULL, place INTEGER NOT NULL, request TEXT NOT NULL, command TEXT NOT NULL,
    tokens INTEGER NOT NULL, PRIMARY KEY (doc, place)) WITHOUT ROWID;
CREATE TABLE meta (part TEXT, name TEXT, value INTEGER NOT NULL, PRIMARY KEY (part, name)) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (terms, source, tokenize = "ascii tokenchars '-_'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (search, col);
CREATE VIRTUAL TABLE requests USING fts5 (terms, tokenize = "ascii tokenchars '-_'");
CREATE VIRTUAL TABLE request_vocabulary USING fts5vocab (requests, col);
"""
VOCABULARIES = {"docs": "vocabulary", "requests": "request_vocabulary"}

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_TRANSACTION}
_MESSAGES = {
    sqlite3.SQLITE_FULL: ("the disk is full, {path} cannot grow", "free some space and run it again"),
    sqlite3.SQLITE_BUSY: ("{path} is in use by another program", "try again in a moment"),
    **dict.fromkeys(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR),
        ("cannot read or write {path}: {error}", "check its permissions and the space left on the disk"),
    ),
}


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """SQLite's errors inside the block, raised as StateError with the file's name and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        message, hint = _MESSAGES.get(primary_code(error), ("the index {path} is damaged ({error})", REBUILD))
        raise StateError(message.format(path=path, error=error), hint) from error


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; errors of Python's own count as damage."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def create(path: Path) -> sqlite3.Connection:
    """A new, empty index at `path` for one bulk write: no journal, no syncing until the writer does both itself."""
    db = _connect(path, "rwc")
    db.executescript("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + TABLES)
    db.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};")
    return db


def open_writer(path: Path) -> sqlite3.Connection:
    """For short transactions in place. A journal left by a killed writer is rolled back first. Raises StateError."""
    db = _connect(path, "rw")
    db.executescript("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_spill = OFF;")
    return _checked(db, path)


def open_reader(path: Path) -> sqlite3.Connection:
    """Read-only, and nothing but SELECT gets through. Raises IndexMissing, StateError, sqlite3.Error."""
    db = _connect(path, "ro")
    db.executescript("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;")
    _checked(db, path).set_authorizer(_authorize)
    return db


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode != "rwc" and not path.exists():
        raise IndexMissing("there is no index yet", "run: gorilla setup")
    uri = f"file:{quote(bytes(path.absolute()))}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def _checked(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """`db` when it is an index of this version, else it is closed and StateError raised."""
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise StateError(f"{path} is not an index of gorilla", f"move it away, then {REBUILD}")
        if version != SCHEMA:
            raise StateError(f"the index {path} was made by another version of gorilla", REBUILD)
    except BaseException:
        db.close()
        raise
    return db


def _authorize(action: int, name: str | None, *_: object) -> int:
    """Lets reads through, and the two steps FTS5 takes to open its tables; the file is read-only besides."""
    opening = (action, name) in {(sqlite3.SQLITE_PRAGMA, "data_version"), (sqlite3.SQLITE_UPDATE, "sqlite_master")}
    return sqlite3.SQLITE_OK if opening or action in _READS else sqlite3.SQLITE_DENY


@contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """One transaction, rolled back when the block raises."""
    db.execute(f"BEGIN {kind}")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def write(db: sqlite3.Connection, doc: Doc) -> None:
    """Put `doc` in, in place of the one with its id. Control characters are stripped."""
    forget(db, [strip(doc.id)])
    terms = fields.terms(doc)
    row = (doc.id, doc.source, doc.program, doc.title, doc.summary, "\n".join(doc.keywords), doc.body, doc.stamp)
    values = (*map(strip, row), len(terms))
    key = db.execute(f"INSERT INTO docs VALUES (NULL{', ?' * len(values)})", values).lastrowid  # noqa: S608
    options = ((key, place, *_option_row(option)) for place, option in enumerate(doc.options))
    db.executemany("INSERT INTO options VALUES (?, ?, ?, ?, ?)", options)
    for place, example in enumerate(doc.examples[:PLACES]):
        _write_example(db, key, place, example, doc.source == SHIPPED)
    db.execute("INSERT INTO search (rowid, terms, source) VALUES (?, ?, ?)", (key, " ".join(terms), strip(doc.source)))


def _write_example(db: sqlite3.Connection, key: int, place: int, example: Example, searched: bool) -> None:
    """Only requests in a user's words are searched: in other sources that sentence tells what the command does."""
    found = tokens.request(example.request) if searched else []
    row = (key, place, strip(example.request), strip(example.command), len(found))
    db.execute("INSERT INTO examples VALUES (?, ?, ?, ?, ?)", row)
    if found:
        db.execute("INSERT INTO requests (rowid, terms) VALUES (?, ?)", (key * PLACES + place, " ".join(found)))


def _option_row(option: Option) -> tuple[str, str, str]:
    return strip("\n".join(option.names)), strip(option.argument), strip(option.description)


def forget(db: sqlite3.Connection, ids: Iterable[str]) -> None:
    """Take out the documents with these ids; unknown ones are passed over."""
    for one in ids:
        found = db.execute("SELECT key FROM docs WHERE id = ?", (one,)).fetchone()
        if found:
            db.execute("DELETE FROM search WHERE rowid = ?", found)
            db.execute("DELETE FROM options WHERE doc = ?", found)
            rows_of = (found[0] * PLACES, found[0] * PLACES + PLACES - 1)
            db.execute("DELETE FROM requests WHERE rowid BETWEEN ? AND ?", rows_of)
            db.execute("DELETE FROM examples WHERE doc = ?", found)
            db.execute("DELETE FROM docs WHERE key = ?", found)


def count(db: sqlite3.Connection) -> None:
    """Write down the size of the corpus, which ranking needs for every query."""
    for part, table in (("docs", "docs"), ("requests", "examples WHERE tokens > 0")):
        db.execute(f"INSERT OR REPLACE INTO meta SELECT '{part}', 'docs', count(*) FROM {table}")  # noqa: S608
        db.execute(f"INSERT OR REPLACE INTO meta SELECT '{part}', 'tokens', total(tokens) FROM {table}")  # noqa: S608


def rows(db: sqlite3.Connection, sql: str, values: Sequence[object], *kinds: type) -> list[tuple]:
    """All rows of a query. Raises sqlite3.DatabaseError when a value is not of its column's kind.

    SQLite checks the form of a file, not the kinds of values; a flipped bit turns text into a number.
    """
    found = db.execute(sql, values).fetchall()
    if any(type(value) is not kind for row in found for value, kind in zip(row, kinds, strict=True)):
        raise sqlite3.DatabaseError("a value of the wrong kind")
    return found


def read(db: sqlite3.Connection, keys: Iterable[int]) -> dict[int, Doc]:
    """The documents with these keys, in that order."""
    return {key: doc for key in keys if (doc := _read_one(db, key)) is not None}


def _read_one(db: sqlite3.Connection, key: int) -> Doc | None:
    columns = "SELECT id, source, program, title, summary, keywords, body, stamp FROM docs WHERE key = ?"
    options = "SELECT names, argument, description FROM options WHERE doc = ? ORDER BY place"
    examples = "SELECT request, command FROM examples WHERE doc = ? ORDER BY place"
    for id, source, program, title, summary, keywords, body, stamp in rows(db, columns, (key,), *(str,) * 8):
        return Doc(
            *(id, source, program, title, summary),
            keywords=_lines(keywords),
            options=tuple(Option(_lines(row[0]), *row[1:]) for row in rows(db, options, (key,), str, str, str)),
            examples=tuple(Example(*row) for row in rows(db, examples, (key,), str, str)),
            body=body,
            stamp=stamp,
        )
    return None


def example(db: sqlite3.Connection, key: int, place: int) -> tuple[str, Example]:
    """The program and the example at `place` of the document `key`. Raises sqlite3.DatabaseError without it."""
    sql = """SELECT program, request, command FROM examples JOIN docs ON docs.key = examples.doc
        WHERE examples.doc = ? AND place = ?"""
    for program, request, command in rows(db, sql, (key, place), str, str, str):
        return program, Example(request, command)
    raise sqlite3.DatabaseError("a request without its example")


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def stamps(db: sqlite3.Connection, source: str) -> dict[str, str]:
    """Of each document of `source`: id -> stamp."""
    return dict(rows(db, "SELECT id, stamp FROM docs WHERE source = ?", (source,), str, str))


def recover(path: Path) -> None:
    """Roll back what a killed writer left half done, so that readers can open the file again.

    Call it only with the writers' lock held: a journal found by name could otherwise be the living journal of
    a file that was just renamed here.
    """
    if path.exists() and path.with_name(path.name + "-journal").exists():
        with closing(_connect(path, "rw")) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
