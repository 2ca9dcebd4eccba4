"""Changes to the index file: built anew beside it and renamed over it, or brought up to date in short transactions.

One writer at a time, by a lock on a file beside the index; readers go on all the while, and a kill at any moment leaves
an index that can be read. It must not rank, and it fetches documents only from the sources it is given.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gorilla_cli import config
from gorilla_cli.errors import StateError
from gorilla_cli.protocols import DocSource
from gorilla_cli.retrieval import store
from gorilla_cli.sanitise import strip
from gorilla_cli.types import Doc

BATCH = 32  # documents per transaction: short enough for readers, few enough to lose
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Changes:
    """How many documents an update wrote (new or changed), took out, and left as they were."""

    written: int
    removed: int
    kept: int


def build(path: Path, sources: Sequence[DocSource], progress: Progress | None = None) -> int:
    """Read every document of `sources` into a new index and put it in the place of the old one, all or nothing.

    `progress(done, total)` counts documents. Returns how many there are. Raises StateError; the old index stays then.
    """
    with _writers_lock(path), store.errors_named(path), _temporary(path) as new:
        with closing(store.create(new)) as db:
            _fill(db, sources, progress or _quiet)
            written: int = db.execute("SELECT count(*) FROM docs").fetchone()[0]
        _swap(new, path)
    return written


def _fill(db: sqlite3.Connection, sources: Sequence[DocSource], progress: Progress) -> None:
    total = sum(len(source.ids()) for source in sources)
    with store.transaction(db), closing(_counted(_all(sources), total, progress)) as docs:
        for doc in docs:
            store.write(db, doc)
        store.count(db)
        db.execute("INSERT INTO search (search) VALUES ('optimize')")
    db.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    verdict = db.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def update(path: Path, source: DocSource, progress: Progress | None = None) -> Changes:
    """Bring the documents of one source up to date: new and changed ones are read, vanished ones taken out.

    Documents whose stamp is the stored one are not read again, so a killed update goes on where it stopped.
    `progress(done, total)` counts the documents to read. Raises IndexMissing, StateError.
    """
    now = source.ids()
    with store.errors_named(path):
        before = _stamps(path, source.name)
        gone = before.keys() - {strip(one) for one in now}
        if gone:
            with _writer(path) as db:
                store.forget(db, gone)
        kept = {one for one, stamp in now.items() if before.get(strip(one)) == strip(stamp)}
        missing = len(now) - len(kept)
        with closing(_counted(source.docs(skip=kept), missing, progress or _quiet)) as docs:
            written = _write_all(path, docs) if missing else 0
    return Changes(written, len(gone), len(kept))


def _stamps(path: Path, source: str) -> dict[str, str]:
    with _writers_lock(path), closing(store.open_writer(path)) as db:
        return store.stamps(db, source)


def add(path: Path, docs: Iterable[Doc]) -> int:
    """Put `docs` in, replacing those with the same ids. Returns how many. Raises IndexMissing, StateError."""
    with store.errors_named(path):
        return _write_all(path, iter(docs))


def remove(path: Path, source: str) -> int:
    """Take out everything a source has put in. Returns how many documents. Raises IndexMissing, StateError."""
    with store.errors_named(path), _writer(path) as db:
        gone = store.stamps(db, source)
        store.forget(db, gone)
    return len(gone)


def _write_all(path: Path, docs: Iterator[Doc]) -> int:
    """Documents are read outside the transaction and the lock: reading is the slow part."""
    written = 0
    while batch := list(islice(docs, BATCH)):
        with _writer(path) as db:
            for doc in batch:
                store.write(db, doc)
        written += len(batch)
    return written


def _counted(docs: Iterator[Doc], total: int, progress: Progress) -> Generator[Doc, None, None]:
    """`docs`, telling `progress` of each; a source may have fewer than it listed when some cannot be read.

    Closing this closes `docs` at once, which stops a source's workers.
    """
    try:
        progress(0, total)
        for done, doc in enumerate(docs, 1):
            yield doc
            progress(done, max(done, total))
        progress(total, total)
    finally:
        if isinstance(docs, Generator):
            docs.close()


def _all(sources: Sequence[DocSource]) -> Generator[Doc, None, None]:
    for source in sources:
        yield from source.docs()


def _quiet(done: int, total: int) -> None:
    return


@contextmanager
def _writer(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on the index as it is now: the file may have been replaced since the last one."""
    with _writers_lock(path), closing(store.open_writer(path)) as db, store.transaction(db):
        yield db
        store.count(db)


@contextmanager
def _writers_lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file beside the index; gives False when it must not wait and another has it."""
    with _file_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def recover(path: Path) -> None:
    """Roll back what a killed writer left, unless a living one is at work (then there is nothing to roll back)."""
    with _writers_lock(path, wait=False) as held:
        if held:
            store.recover(path)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new name beside `path`. Names left by killed builds go first; nobody else builds while we hold the lock."""
    for old in path.parent.glob(f"{path.name}.*.tmp*"):
        old.unlink(missing_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


def _swap(new: Path, path: Path) -> None:
    """Rename `new` over `path`, on disk before and after.

    A journal of the old file must be gone by then: SQLite finds journals by name and would roll it back into the new.
    """
    with suppress(sqlite3.DatabaseError):  # too damaged to be rolled back: its journal goes with it
        store.recover(path)
    with _file_errors_named(path):
        path.with_name(path.name + "-journal").unlink(missing_ok=True)
        config.sync(new)
        new.chmod(0o600)
        new.replace(path)
        config.sync(path.parent)


@contextmanager
def _file_errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"cannot write {path}: {error.strerror}", "check its permissions and the space left"
        ) from error
