"""The file of API records: what goes in comes out, changes are all or nothing, the next answer follows them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gorilla_cli.errors import IndexMissing, StateError
from gorilla_cli.retrieval import dense, fusion, record_fields, record_search, record_store
from gorilla_cli.retrieval.candidates import Statistics
from gorilla_cli.retrieval.record_writing import Change
from gorilla_cli.retrieval.records import RecordIndex, Remembered
from gorilla_cli.sources.records import RecordFile
from gorilla_cli.types import ApiRecord, Argument, Figure
from tests.record_index import Source, WordEncoder, record

FULL = ApiRecord(
    id="records:x:load('a/b', model='c')",
    source="records:x",
    domain="Classification",
    framework="PyTorch",
    functionality="Image classification",
    api_name="resnet_c",
    api_call="load('a/b',  model='c')",
    api_arguments=(Argument("model", "str", "which", True, "'c'", ("'c'", "'d'")), Argument("pretrained")),
    environment_requirements=("torch", "pillow"),
    example_code="import torch\nload('a/b')",
    performance="76.1 % on ImageNet",
    description="Sorts pictures.",
    figures=(Figure("accuracy", "ImageNet", 76.1), Figure("parameters", "", 25e6)),
    requests=("tell cats from dogs",),
    licence="BSD-3-Clause",
    languages=("en", "de"),
    downloads=12,
    kind="python",
    stamp="abc",
)
SEGMENT = record("fcn_resnet50()", functionality="Segment street scenes", description="Labels every pixel.")
SPEECH = record("wav2vec()", functionality="Recognise speech", description="Audio in, text out.")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "records.db"


@pytest.fixture
def index(path):
    return RecordIndex(path)


def calls(index, query, k=5, mode="fused"):
    return [hit.record.api_call for hit in index.search(query, k, mode)]


def test_a_record_comes_back_as_it_went_in(path, index):
    assert index.sync(Source([FULL, SEGMENT])) == Change(added=2)
    assert index.record(FULL.id) == FULL
    assert index.record(SEGMENT.id) == SEGMENT
    assert index.record("records:x:none") is None
    assert list(index.records()) == [FULL, SEGMENT]
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in path.parent.iterdir()) == ["records.db"]


@pytest.mark.parametrize("spelled", ["load('a/b', model='c')", " load('a/b',\n  model='c')"])
def test_a_call_is_found_however_its_blanks_are(index, spelled):
    index.sync(Source([FULL]))
    assert index.by_call(spelled) == FULL
    assert index.by_call("load('a/c')") is None


def test_control_characters_stay_out(index):
    dirty = record("f(\x1b)", description="red\x1b[31m\u202e", requests=("a\x07b",), languages=("e\x00n",))
    index.sync(Source([dirty]))
    [clean] = index.records()
    assert (clean.api_call, clean.description, clean.requests, clean.languages) == ("f()", "red[31m", ("ab",), ("en",))
    assert index.sync(Source([dirty])) == Change(kept=1)


def test_a_sync_reads_only_what_changed(index):
    a, b, c = (record(f"{name}()", description=f"about {name}thing") for name in "abc")
    index.sync(Source([a, b, c]))
    index.sync(Source([record("z()", "records:y")], "records:y"))
    newer = replace(b, description="replaced", stamp="2")
    source = Source([a, newer, record("d()")])
    assert index.sync(source) == Change(added=1, changed=1, removed=1, kept=1)
    assert source.read == [b.id, "records:x:d()"]
    assert index.record(b.id) == newer
    assert index.sources() == {"records:x": 3, "records:y": 1}
    assert calls(index, "replaced") == ["b()"] and calls(index, "cthing bthing") == []
    assert index.sync(source) == Change(kept=3)


def test_a_changed_record_that_cannot_be_read_is_gone(index):
    index.sync(Source([SEGMENT, SPEECH]))

    class Half(Source):
        def records(self, skip=()):
            return (one for one in super().records(skip) if one.api_call != "wav2vec()")

    assert index.sync(Half([SEGMENT, replace(SPEECH, stamp="2")])) == Change(removed=1, kept=1)


def test_an_id_given_twice_is_one_record(index):
    assert index.sync(Source([SEGMENT, replace(SEGMENT, description="second")])) == Change(added=1)
    assert index.record(SEGMENT.id).description == "second"


@pytest.mark.parametrize("foreign", [record("f()", "records:y"), replace(SPEECH, id="records:y:wav2vec()")])
def test_a_source_cannot_touch_another(index, foreign):
    index.sync(Source([record("f()", "records:y", description="kept")], "records:y"))
    with pytest.raises(ValueError, match="is no record of 'records:x'"):
        index.sync(Source([SEGMENT, foreign]))
    assert index.sources() == {"records:y": 1}


def test_a_source_that_fails_leaves_everything(index):
    index.sync(Source([SEGMENT]))

    class Failing(Source):
        def records(self, skip=()):
            yield SPEECH
            raise StateError("no")

    with pytest.raises(StateError, match="no"):
        index.sync(Failing([SPEECH]))
    assert list(index.records()) == [SEGMENT]
    assert calls(index, "speech") == []


def test_statistics_after_changes_equal_those_of_a_fresh_file(path, index, tmp_path):
    def made(numbers, stamp):
        asked = ("word3 please",)
        return [record(f"p{n}()", description=f"word{n % 5}", requests=asked, stamp=stamp) for n in numbers]

    index.sync(Source(made(range(100), "1")))
    index.sync(Source(made(range(50, 130), "2")))
    fresh = RecordIndex(tmp_path / "fresh.db")
    fresh.sync(Source(made(range(50, 130), "2")))
    assert {**index.stats(), "bytes": 0} == {**fresh.stats(), "bytes": 0}
    hits = [{hit.record.id: hit.score for hit in one.search("word3 p77", 200)} for one in (index, fresh)]
    assert hits[0] == pytest.approx(hits[1])


def frequencies(path):
    db = sqlite3.connect(path)
    counted = db.execute("SELECT part, term, docs FROM frequencies ORDER BY part, term").fetchall()
    db.executescript("CREATE VIRTUAL TABLE r USING fts5vocab(records_search, row);")
    db.executescript("CREATE VIRTUAL TABLE q USING fts5vocab(requests_search, row);")
    sql = "SELECT 'records', term, doc FROM r UNION ALL SELECT 'requests', term, doc FROM q ORDER BY 1, 2"
    found = db.execute(sql).fetchall()
    db.close()
    return counted, found


def test_term_counts_are_those_of_the_search_tables(path, index):
    index.sync(Source([FULL, SEGMENT, SPEECH]))
    index.sync(Source([replace(FULL, stamp="2", requests=("other words",)), SEGMENT]))
    counted, found = frequencies(path)
    assert counted == found and len(counted) > 20


def test_a_removed_source_takes_its_files_along(index):
    index.sync(Source([SEGMENT]))
    index.sync(Source([record("z()", "records:y")], "records:y"))
    index.remember("records:x", Path("/x.jsonl"), 1, 2)
    index.remember("records:y", Path(os.fsdecode(b"/\xff.jsonl")), 3, 4)
    assert index.remove("records:x") == 1 and index.remove("records:x") == 0
    assert index.sources() == {"records:y": 1}
    assert index.remembered() == [Remembered("records:y", os.fsdecode(b"/\xff.jsonl"), 3, 4)]


def test_a_remembered_file_is_as_it_was_last_seen(index):
    index.sync(Source([SEGMENT]))
    for seen in ((1, 2), (5, 6)):
        index.remember("records:x", Path("a.jsonl"), *seen)
    assert index.remembered() == [Remembered("records:x", "a.jsonl", 5, 6)]


def test_an_edited_or_removed_record_changes_the_next_answer(index):
    index.sync(Source([SEGMENT, SPEECH]))
    assert calls(index, "segment street scenes") == ["fcn_resnet50()"]
    newer = record("fcn_resnet101()", functionality="Segment street scenes", description="Labels every pixel.")
    index.sync(Source([newer, SPEECH]))
    assert calls(index, "segment street scenes") == ["fcn_resnet101()"]
    assert index.remove_record(newer.id) and not index.remove_record(newer.id)
    assert calls(index, "segment street scenes") == []


def test_a_call_of_two_sources_is_one_hit_and_the_own_record_comes_first(index):
    shipped = [replace(one, source="shipped:x", id=f"shipped:x:{one.api_call}") for one in (SEGMENT, SPEECH)]
    index.sync(Source(shipped, "shipped:x"))
    index.sync(Source([replace(SEGMENT, functionality="", description="mine, other words")]))
    hits = index.search("segment street scenes", 5)
    assert [(hit.record.source, hit.record.api_call) for hit in hits] == [("records:x", "fcn_resnet50()")]
    assert index.by_call("fcn_resnet50()").source == "records:x"
    assert index.stats()["records"] == 3 and index.stats()["calls"] == 2


def test_many_requests_are_worth_no_more_than_the_right_one(index):
    many = record("many()", requests=tuple(f"read the words of letter {chr(97 + n)}{chr(97 + n)}" for n in range(20)))
    right = record("right()", requests=("read the words of a parking ticket",))
    index.sync(Source([many, right]))
    assert calls(index, "read the words of this parking ticket", 1) == ["right()"]


@pytest.mark.parametrize("query", ["OwlViTForObjectDetection", "owl vit", "google/owlvit-base-patch32", "detection"])
def test_names_are_found_by_their_pieces(index, query):
    index.sync(Source([SPEECH, record("OwlViTForObjectDetection.from_pretrained('google/owlvit-base-patch32')")]))
    assert calls(index, query, 1) == ["OwlViTForObjectDetection.from_pretrained('google/owlvit-base-patch32')"]


def test_records_of_one_source_come_in_order_and_in_parts(index, monkeypatch):
    index.sync(Source([record(f"f{number}()") for number in range(450)]))
    index.sync(Source([record("z()", "records:y")], "records:y"))
    assert [one.api_call for one in index.records("records:x")] == [f"f{number}()" for number in range(450)]
    assert [one.api_call for one in index.records("records:y")] == ["z()"]
    assert sum(1 for _ in index.records()) == 451


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.search("word", 1),
        lambda index: index.remove("x"),
        lambda index: index.remove_record("x"),
        lambda index: index.record("x"),
        lambda index: index.remember("x", Path("x"), 1, 1),
        lambda index: list(index.records()),
    ],
)
@pytest.mark.parametrize("blank", [False, True])
def test_without_a_file_the_hint_is_setup(path, index, ask, blank):
    if blank:  # what a first writer leaves that was killed
        path.parent.mkdir()
        path.write_bytes(b"")
    with pytest.raises(IndexMissing, match="there is no index of API records yet") as caught:
        ask(index)
    assert caught.value.hint == "run: gorilla setup"
    assert index.sync(Source([SEGMENT])) == Change(added=1)


def pragma(path, name, value):
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA {name} = {value}")
    db.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"words " * 1000), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:6000]), "is damaged"),
        (lambda path: pragma(path, "user_version", record_store.SCHEMA + 1), "another version"),
        (lambda path: pragma(path, "application_id", 0x676F7269), "is not an index of API records"),
    ],
)
def test_a_file_that_is_no_sound_index_is_told(path, index, damage, message):
    index.sync(Source([FULL, SEGMENT]))
    index.close()
    damage(path)
    for question in (lambda: index.search("street", 1), lambda: index.sync(Source([SPEECH]))):
        with pytest.raises(StateError, match=message) as caught:
            question()
        assert "delete it" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET rest = '[]'",
        "UPDATE records SET rest = '{'",
        "UPDATE records SET rest = '{\"domain\": 1}'",
        "UPDATE records SET rest = '{\"api_arguments\": [[1, 2]]}'",
        'UPDATE records SET rest = \'{"figures": [["a", "b", "c"]]}\'',
        "UPDATE records SET call = x'00'",
        "UPDATE meta SET value = 'x'",
        "UPDATE records_search_content SET c0 = x'00ff'",
        "UPDATE vectors SET row = x'00'",
        "UPDATE codes SET codes = x'00'",
        "UPDATE codes SET owners = x'00'",
        "DROP TABLE frequencies",
    ],
)
def test_values_of_the_wrong_kind_are_damage(path, change):
    index = RecordIndex(path, WordEncoder())
    index.sync(Source([FULL]))
    db = sqlite3.connect(path)
    db.executescript(change)
    db.close()
    with pytest.raises(StateError, match="damaged"):
        index.search("pictures", 1)


def test_readers_cannot_write_or_attach(index):
    index.sync(Source([SEGMENT]))
    for statement in ("DELETE FROM records", "ATTACH ':memory:' AS o", "PRAGMA query_only = OFF", "DROP TABLE files"):
        with pytest.raises(StateError):
            index._reader.read(lambda db, sql=statement: db.execute(sql))
    assert list(index.records()) == [SEGMENT]


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot write"):
        RecordIndex(tmp_path / "file" / "records.db").sync(Source([SEGMENT]))


def test_a_reader_sees_other_writers_and_a_new_file(path, index):
    index.sync(Source([SEGMENT]))
    assert calls(index, "street") == ["fcn_resnet50()"]
    RecordIndex(path).sync(Source([SPEECH]))
    assert calls(index, "street speech") == ["wav2vec()"]
    path.unlink()
    RecordIndex(path).sync(Source([SEGMENT]))
    assert calls(index, "street speech") == ["fcn_resnet50()"]


def test_vectors_of_a_new_file_are_read_again(path):
    index = RecordIndex(path, WordEncoder())
    for one in (SEGMENT, SPEECH):
        path.unlink(missing_ok=True)
        RecordIndex(path, WordEncoder()).sync(Source([one]))
        assert calls(index, "text out.", mode="dense") == [one.api_call]


def test_writers_at_the_same_time_lose_nothing(path, index):
    sources = [Source([record(f"f{n}()", f"records:s{s}") for n in range(60)], f"records:s{s}") for s in range(4)]
    threads = [threading.Thread(target=RecordIndex(path).sync, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert index.sources() == {f"records:s{s}": 60 for s in range(4)}
    counted, found = frequencies(path)
    assert counted == found


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from gorilla_cli.retrieval import record_store
    from gorilla_cli.retrieval.records import RecordIndex
    from gorilla_cli.types import ApiRecord
    record_store.CACHE_KIB = 64
    class Endless:
        name = "records:x"
        def ids(self): return {"records:x:f()": "2"}
        def records(self, skip=()):
            for n in range(10**6):
                text = f"word{n} " * 50
                yield ApiRecord(f"records:x:f{n}()", self.name, "", "", "", f"f{n}", f"f{n}()", description=text)
                if n == 2000:
                    os.kill(os.getpid(), signal.SIGKILL)
    RecordIndex(Path(sys.argv[1])).sync(Endless())
"""


@pytest.mark.parametrize("before", [[], [SEGMENT, SPEECH] + [record(f"g{n}()") for n in range(300)]])
def test_what_a_killed_writer_left_is_rolled_back(path, index, before):
    if before:
        index.sync(Source(before))
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(path)], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.with_name("records.db-journal").exists(), "the test must leave a journal"
    if before:
        assert calls(index, "segment street") == ["fcn_resnet50()"]
    assert index.sync(Source([*before, FULL])) == Change(added=1, kept=len(before))
    db = sqlite3.connect(path)
    db.execute("INSERT INTO records_search (records_search) VALUES ('integrity-check')")
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    db.close()


def test_meaning_finds_what_words_do_not(path):
    index = RecordIndex(path, WordEncoder())
    index.sync(Source([record("a()", functionality="classify image"), SPEECH, SEGMENT]))
    assert calls(index, "sort snapshot", mode="bm25") == []
    assert calls(index, "sort snapshot", 1, "dense") == ["a()"]
    assert calls(index, "sort snapshot", 1) == ["a()"]


def test_the_nearest_of_a_records_texts_counts(path):
    encoder = WordEncoder()
    index = RecordIndex(path, encoder)
    index.sync(
        Source([record("a()", requests=("grade apples", "find a snapshot")), record("b()", description="find it")])
    )
    [first, *_] = index.search("find a picture", 2, "dense")
    assert first.record.api_call == "a()"
    assert first.score == pytest.approx(1, abs=0.01)
    assert index.stats()["vectors"] == 4 and index.stats()["requests"] == 2


def test_vectors_are_made_once_and_again_for_another_encoder(path):
    plain = RecordIndex(path)
    plain.sync(Source([SEGMENT, SPEECH]))
    first, second = WordEncoder(), WordEncoder("words-2", 40)
    assert calls(RecordIndex(path, first), "street", mode="dense") == calls(plain, "street"), "words until a sync"
    assert RecordIndex(path, first).sync(Source([SEGMENT, SPEECH])) == Change(added=0, changed=0, removed=0, kept=2)
    assert len(first.asked) == 2
    RecordIndex(path, first).sync(Source([SEGMENT, SPEECH]))
    assert len(first.asked) == 2
    plain.sync(Source([SEGMENT, SPEECH, FULL]))
    RecordIndex(path, first).sync(Source([SEGMENT, SPEECH, FULL]))
    assert len(first.asked) == 4  # the new record and its request
    RecordIndex(path, second).sync(Source([SEGMENT, SPEECH, FULL]))
    assert len(second.asked) == 4
    assert calls(RecordIndex(path, second), "labels every pixel.", 1, "dense") == ["fcn_resnet50()"]
    assert RecordIndex(path, second).stats()["vectors"] == 4


def test_a_removed_record_leaves_no_vector(path):
    index = RecordIndex(path, WordEncoder())
    index.sync(Source([FULL, SEGMENT]))
    assert "load" in calls(index, "sorts pictures", mode="dense")[0]
    index.sync(Source([SEGMENT]))
    assert index.stats()["vectors"] == 1
    assert calls(index, "sorts pictures", mode="dense") == ["fcn_resnet50()"]
    index.remove("records:x")
    assert index.search("sorts pictures", 5, "dense") == [] and index.search("sorts pictures", 5) == []


@pytest.mark.parametrize("dimensions", [1, 64, 100, 256])
def test_codes_are_the_signs_of_the_vectors(dimensions):
    rows = np.random.default_rng(1).standard_normal((300, dimensions)).astype(np.float32)
    codes = dense.Codes(np.arange(300), np.ascontiguousarray(dense.signs(rows).T))
    query = np.random.default_rng(2).standard_normal(dimensions).astype(np.float32)
    expected = [(np.sign(row) != np.sign(query)).sum() for row in rows]
    assert dense._distances(codes, dense.signs(query[None])[0]).tolist() == expected


def test_the_sieve_lets_the_nearest_through(path):
    """Of 5,000 random vectors a slightly changed one is found: a few pass by signs, rows decide."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((5000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with record_store.writer(path, create=True) as db:
        dense.pack(db, dense.add(db, list(range(5000)), rows))
    reader = record_store.Reader(path)
    codes = reader.read(lambda db: dense.load(db, 64))
    for number in range(0, 5000, 250):
        query = rows[number] + rng.standard_normal(64).astype(np.float32) * 0.05
        likely = dense.likeliest(codes, query)
        scores = reader.read(lambda db, likely=likely, query=query: dense.scores(db, likely, query))
        assert len(likely) == dense.SIEVED
        assert max(scores, key=scores.get) == number
        assert scores[number] == pytest.approx(float(rows[number] @ query), abs=0.01)


@pytest.mark.parametrize(
    ("frequencies", "expression", "rows"),
    [
        ({"a": 5, "b": 10}, 'terms : ("a" OR "b")', 15),
        ({"a": 5, "b": 10, "c": 20, "d": 900_000}, 'terms : ("a" OR "b" OR "c")', 35),
        ({"a": 5, "b": 40_000, "c": 100_000}, 'terms : ("a" OR ("b" AND "c"))', 4005),
        ({"b": 100_000, "c": 40_000, "d": 800_000}, 'terms : (("c" AND "b"))', 4000),
        ({"b": 500_000}, 'terms : (("b"))', 500_000),
    ],
)
def test_common_words_are_asked_for_together(frequencies, expression, rows):
    corpus = Statistics(1_000_000, 10**8, frequencies)
    assert record_search.narrowed(corpus) == (expression, pytest.approx(rows))


def test_fused_scores_follow_both_rankings():
    words, meaning = {1: 3.0, 2: 2.0, 3: 1.0}, {2: 0.9, 3: 0.1, 4: 0.2}
    scores = fusion.fused([(words, 1.0), (meaning, 1.0)])
    assert sorted(scores, key=scores.get, reverse=True)[:2] == [2, 1]
    assert min(scores.values()) == 0
    alone = fusion.fused([(words, 1.0), (meaning, 0.0)])
    assert sorted(alone, key=alone.get) == [3, 4, 2, 1] and alone[3] == alone[4] == 0
    assert fusion.fused([({}, 1.0), ({}, 1.0)]) == {}
    assert fusion.fused([({7: 1.0}, 1.0)]) == {7: 0.0}


def test_long_descriptions_are_read_in_passages():
    text = " ".join(f"Sentence number {chr(97 + n % 26)} says something about images." for n in range(60))
    texts = record_fields.texts(record("f()", domain="Vision", description=text, requests=("ask",)))
    assert texts[-1] == "ask" and 3 < len(texts) <= record_fields.PASSAGES + 1
    assert all(one.startswith("Vision. f()") and len(one) < 800 for one in texts[:-1])
    assert " ".join(one.removeprefix("Vision. f(). ") for one in texts[:-1]) == text
    assert record_fields.texts(record("f()", api_name="")) == ["f()"]


SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmark's records are not on this machine")
@pytest.mark.parametrize(("hub", "least"), [("torchhub", 0.42), ("huggingface", 0.37), ("tensorflowhub", 0.70)])
def test_words_alone_find_the_right_call_among_ten(index, hub, least):
    """Below what was measured (0.48, 0.41, 0.75), so that a change of weights that loses something is seen."""
    index.sync(RecordFile(SHARED / f"{hub}_api.jsonl", hub))
    tasks = [json.loads(line) for line in (SHARED / f"{hub}_dev.jsonl").read_text().splitlines()[:100]]
    found = sum(" ".join(task["api_call"].split()) in calls(index, task["instruction"], 10) for task in tasks)
    assert found / len(tasks) >= least
