"""The index file under its writers: all or nothing, resumable, one at a time, readers undisturbed."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import pytest

from gorilla_cli.errors import IndexMissing, StateError
from gorilla_cli.retrieval import store, writing
from gorilla_cli.retrieval.index import Index
from gorilla_cli.retrieval.writing import BATCH, Changes
from gorilla_cli.types import Doc, Example, Option


class Source:
    """Documents from a list; remembers which were read."""

    def __init__(self, docs, name="x"):
        self.name, self.listed, self.read = name, list(docs), []

    def ids(self):
        return {doc.id: doc.stamp for doc in self.listed}

    def docs(self, skip=()):
        for doc in self.listed:
            if doc.id not in skip:
                self.read.append(doc.id)
                yield doc


def doc(name, source="x", stamp="1", **fields):
    return Doc(f"{source}:{name}", source, name, name, stamp=stamp, **{"summary": f"about {name}", **fields})


FULL = Doc(
    id="man:frob(1)",
    source="man",
    program="frob",
    title="frob(1)",
    summary="grind files",
    keywords=("mill", "two words"),
    options=(Option(("-z", "--zap"), "[X]", "zap it"), Option(("if=",), "FILE", "")),
    examples=(Example("crush a log", "frob -z log\nfrob"),),
    body="Long prose.\nMore of it.",
    stamp="9:1",
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "index.db"


@pytest.fixture
def index(path):
    return Index(path, lambda program: True)


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_a_document_comes_back_as_it_went_in(path, index):
    assert Index.build(path, [Source([FULL, doc("a")])]) == 2
    assert index.show(FULL.id) == FULL
    assert index.show("x:a") == doc("a")
    assert index.show("x:none") is None
    assert names(path) == ["index.db", "index.db.lock"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_control_characters_stay_out(path, index):
    dirty = doc(
        "a", body="red\x1b[31m\u202e\ud800", options=(Option(("-a\x07",), "\x00", "b\x9b"),), keywords=("k\x1b",)
    )
    Index.build(path, [Source([dirty])])
    clean = doc("a", body="red[31m", options=(Option(("-a",), "", "b"),), keywords=("k",))
    assert index.show("x:a") == clean


def test_build_reports_progress_and_replaces_the_old_index(path, index):
    Index.build(path, [Source([doc("old")])])
    assert index.show("x:old")
    seen = []
    Index.build(path, [Source([doc("a"), doc("b")]), Source([doc("c", "y")], "y")], lambda *step: seen.append(step))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]
    assert index.sources() == {"x": 2, "y": 1}
    assert index.show("x:old") is None


def test_a_build_that_fails_leaves_the_old_index(path, index):
    Index.build(path, [Source([doc("old")])])

    class Failing(Source):
        def docs(self, skip=()):
            yield doc("new")
            raise StateError("no")

    with pytest.raises(StateError, match="no"):
        Index.build(path, [Failing([doc("new")])])
    assert index.programs() and list(index.programs()) == ["old"]
    assert names(path) == ["index.db", "index.db.lock"]


@pytest.mark.parametrize("change", [Index.update, lambda path, source: Index.build(path, [source])])
def test_a_source_is_closed_when_its_reader_fails(path, change):
    Index.build(path, [Source([])])
    closed = []

    class Endless(Source):
        def docs(self, skip=()):
            try:
                yield doc("a")
                yield "no document"
            finally:
                closed.append(True)

    with pytest.raises(AttributeError) as caught:
        change(path, Endless([doc("a"), doc("b")]))
    assert closed and caught.value
    assert names(path) == ["index.db", "index.db.lock"]


def test_update_reads_only_what_changed(path, index):
    source = Source([doc("a"), doc("b"), doc("c")])
    Index.build(path, [source, Source([doc("z", "y")], "y")])
    source.listed = [doc("a"), doc("b", stamp="2", summary="changed"), doc("d")]
    source.read.clear()
    seen = []
    assert Index.update(path, source, lambda *step: seen.append(step)) == Changes(written=2, removed=1, kept=1)
    assert source.read == ["x:b", "x:d"]
    assert seen == [(0, 2), (1, 2), (2, 2), (2, 2)]
    assert index.show("x:b").summary == "changed"
    assert index.sources() == {"x": 3, "y": 1}
    assert [hit.doc.id for hit in index.search("changed", 3)] == ["x:b"]
    assert index.search("c", 3) == []
    assert Index.update(path, source) == Changes(written=0, removed=0, kept=3)


def test_statistics_after_changes_equal_those_of_a_fresh_build(path, tmp_path):
    Index.build(path, [Source([doc(f"p{number}", summary=f"word{number % 7} more") for number in range(100)])])
    last = [doc(f"p{number}", stamp="2", summary=f"word{number % 5}") for number in range(50, 130)]
    Index.update(path, Source(last))
    fresh = tmp_path / "fresh.db"
    Index.build(fresh, [Source(last)])
    sizes = [Index(file, lambda program: True).stats() for file in (path, fresh)]
    assert [(size["docs"], size["tokens"]) for size in sizes] == [(80, sizes[1]["tokens"])] * 2
    hits = [Index(file, lambda program: True).search("word3 p77", 40) for file in (path, fresh)]
    assert {hit.doc.id: hit.score for hit in hits[0]} == pytest.approx({hit.doc.id: hit.score for hit in hits[1]})


def test_add_and_remove(path, index):
    Index.build(path, [Source([doc("a")])])
    assert Index.add(path, [FULL, doc("a", summary="newer")]) == 2
    assert index.manual("frob") == [FULL]
    assert index.show("x:a").summary == "newer"
    assert Index.remove(path, "x") == 1
    assert Index.remove(path, "x") == 0
    assert index.sources() == {"man": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: Index.update(path, Source([])),
        lambda path: Index.add(path, [FULL]),
        lambda path: Index.remove(path, "x"),
        lambda path: Index(path, bool).search("word", 1),
        lambda path: Index(path, bool).manual("word"),
        lambda path: len(Index(path, bool).programs()),
    ],
)
def test_without_a_file_the_hint_is_setup(path, change):
    with pytest.raises(IndexMissing, match="there is no index yet") as caught:
        change(path)
    assert caught.value.hint == "run: gorilla setup"


def test_writers_wait_for_each_other(path):
    Index.build(path, [Source([doc("a")])])
    with open(path.with_name("index.db.lock"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        other = threading.Thread(target=Index.add, args=(path, [doc("b")]))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        assert Index(path, bool).sources() == {"x": 1}
    other.join(10)
    assert Index(path, bool).sources() == {"x": 2}


def test_concurrent_writers_lose_nothing(path, index):
    Index.build(path, [Source([])])
    groups = [[doc(f"p{thread}-{number}") for number in range(3 * BATCH)] for thread in range(4)]
    threads = [threading.Thread(target=Index.add, args=(path, group)) for group in groups]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert index.sources().get("x", 0) % BATCH == 0
    assert index.stats()["docs"] == 12 * BATCH


def test_a_reader_follows_a_rename_and_outlives_a_removal(path, index):
    Index.build(path, [Source([doc("a")])])
    assert [hit.doc.id for hit in index.search("about", 1)] == ["x:a"]
    Index.build(path, [Source([doc("b")])])
    assert [hit.doc.id for hit in index.search("about", 1)] == ["x:b"]
    path.unlink()
    assert [hit.doc.id for hit in index.search("about", 1)] == ["x:b"]


def run(code, *args):
    """A fresh Python with the names of this module's imports and the path as `path`."""
    preamble = "import os, signal, sys; from pathlib import Path; path = Path(sys.argv[1])\n"
    preamble += "from gorilla_cli.retrieval import store\nfrom gorilla_cli.retrieval.index import Index\n"
    preamble += "from gorilla_cli.types import Doc\n"
    command = [sys.executable, "-c", preamble + textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


KILLED_IN_TRANSACTION = """
    db = store.open_writer(path)
    db.executescript("PRAGMA cache_spill = ON; PRAGMA cache_size = 1; BEGIN IMMEDIATE")
    store.forget(db, [f"x:p{number}" for number in range(100)])
    for number in range(300):
        store.write(db, Doc(f"x:new{number}", "x", f"new{number}", "", body="filler " * 300))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("after", ["read", "update", "build"])
def test_what_a_killed_writer_left_is_rolled_back(path, index, after):
    source = Source([doc(f"p{number}") for number in range(100)])
    Index.build(path, [source])
    assert run(KILLED_IN_TRANSACTION, path).returncode == -signal.SIGKILL
    assert path.with_name("index.db-journal").exists(), "the test must leave a journal"
    if after == "update":
        assert Index.update(path, source) == Changes(written=0, removed=0, kept=100)
    elif after == "build":
        Index.build(path, [source])
    assert index.stats()["docs"] == 100
    assert len(index.programs()) == 100
    assert not path.with_name("index.db-journal").exists()
    assert intact(path)


def intact(path):
    db = sqlite3.connect(path)
    db.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    return verdict == "ok"


KILLED_WHILE_READING = """
    class Source:
        name = "x"
        def ids(self):
            return {f"x:p{number}": "1" for number in range(100)}
        def docs(self, skip=()):
            for number in range(100):
                if f"x:p{number}" not in skip:
                    if number == int(sys.argv[2]):
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield Doc(f"x:p{number}", "x", f"p{number}", "", stamp="1")
    getattr(Index, sys.argv[3])(path, Source() if sys.argv[3] == "update" else [Source()])
"""


def test_a_killed_update_goes_on_where_it_stopped(path):
    Index.build(path, [Source([])])
    source = Source([doc(f"p{number}") for number in range(100)])
    assert run(KILLED_WHILE_READING, path, 2 * BATCH + 5, "update").returncode == -signal.SIGKILL
    assert Index.update(path, source) == Changes(written=100 - 2 * BATCH, removed=0, kept=2 * BATCH)
    assert source.read == [f"x:p{number}" for number in range(2 * BATCH, 100)]
    assert intact(path)


def test_a_killed_build_leaves_the_old_index_and_the_next_one_cleans_up(path, index):
    Index.build(path, [Source([doc("old")])])
    assert run(KILLED_WHILE_READING, path, 50, "build").returncode == -signal.SIGKILL
    assert [name for name in names(path) if name.endswith(".tmp")]
    assert list(index.programs()) == ["old"]
    Index.build(path, [Source([doc("new")])])
    assert names(path) == ["index.db", "index.db.lock"]
    assert list(index.programs()) == ["new"]


NO_SPACE = """
    import resource
    from gorilla_cli.errors import StateError
    size = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))
    docs = [Doc(f"x:new{n}", "x", f"new{n}", "", body="filler %d " % n * 400) for n in range(400)]
    class Source:
        name = "x"
        def ids(self): return {doc.id: "" for doc in docs}
        def docs(self, skip=()): return iter(docs)
    try:
        Index.build(path, [Source()]) if sys.argv[2] == "build" else Index.add(path, docs)
    except StateError as error:
        print(error, "|", error.hint)
"""


@pytest.mark.parametrize("change", ["build", "add"])
def test_no_space_is_told_and_the_old_index_stays(path, index, change):
    Index.build(path, [Source([doc("old")])])
    done = run(NO_SPACE, path, change)
    assert "index.db" in done.stdout and "space" in done.stdout, done.stderr
    assert index.show("x:old") == doc("old")
    assert not [name for name in names(path) if name.endswith(".tmp")]
    assert intact(path)


def test_a_full_database_is_told_as_a_full_disk(path):
    Index.build(path, [Source([])])
    db = store.open_writer(path)
    db.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StateError, match="the disk is full") as caught, store.errors_named(path):
        for number in range(1000):
            store.write(db, doc(f"p{number}", body="filler " * 200))
    db.close()
    assert caught.value.hint == "free some space and run it again"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "is not an index of gorilla"),
        (lambda path: path.write_bytes(b"words " * 1000), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is damaged"),
        (lambda path: pragma(path, "user_version", store.SCHEMA + 1), "another version"),
        (lambda path: pragma(path, "application_id", 1), "is not an index of gorilla"),
    ],
)
def test_a_file_that_is_no_sound_index_is_told(path, index, damage, message):
    Index.build(path, [Source([doc("a")])])
    damage(path)
    for question in (lambda: index.search("about", 1), lambda: Index.add(path, [doc("b")])):
        with pytest.raises(StateError, match=message) as caught:
            question()
        assert "gorilla setup" in caught.value.hint
    Index.build(path, [Source([doc("a")])])
    assert index.search("about", 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE docs SET tokens = 'many'",
        "UPDATE docs SET program = x'ff'",
        "UPDATE docs SET body = x'00'",
        "UPDATE meta SET value = 'x'",
        "UPDATE search_content SET c0 = x'00ff'",
        "DROP TABLE options",
    ],
)
def test_values_of_the_wrong_kind_are_damage(path, index, change):
    Index.build(path, [Source([FULL])])
    db = sqlite3.connect(path)
    db.executescript(change)
    db.close()
    with pytest.raises(StateError, match="damaged"):
        index.search("grind", 1)


def pragma(path, name, value):
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA {name} = {value}")
    db.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_told(path):
    path.parent.mkdir()
    path.parent.chmod(0o500)
    with pytest.raises(StateError, match="cannot write"):
        Index.build(path, [Source([])])


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot write"):
        Index.build(tmp_path / "file" / "index.db", [Source([])])


def test_readers_cannot_write_or_attach(path):
    Index.build(path, [Source([doc("a")])])
    db = store.open_reader(path)
    for statement in ("DELETE FROM docs", "ATTACH ':memory:' AS other", "PRAGMA query_only = OFF", "DROP TABLE docs"):
        with pytest.raises(sqlite3.DatabaseError):
            db.execute(statement)
    db.close()


def test_odd_file_names_are_opened(tmp_path):
    for name in ("a b#?%41.db", "\u00e9.db", os.fsdecode(b"\xff.db")):
        Index.build(tmp_path / name, [Source([doc("a")])])
        assert Index(tmp_path / name, bool).sources() == {"x": 1}


def test_recovery_leaves_a_living_writer_alone(path):
    Index.build(path, [Source([doc("a")])])
    with open(path.with_name("index.db.lock"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.with_name("index.db-journal").write_bytes(b"someone's")
        writing.recover(path)
        assert path.with_name("index.db-journal").read_bytes() == b"someone's"


def test_an_id_given_twice_is_one_document(path, index):
    assert Index.build(path, [Source([doc("a"), replace(doc("a"), summary="second")])]) == 1
    assert index.show("x:a").summary == "second"
