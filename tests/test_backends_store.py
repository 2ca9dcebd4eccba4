"""The store: a file counts only when its SHA-256 was right, and what was there survives what goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import threading

import pytest

from gorilla_cli.backends.catalogue import ModelEntry
from gorilla_cli.backends.store import ModelStore, digest, locked
from gorilla_cli.errors import ModelDamaged, ModelMissing, StateError
from tests.gguf_files import PAIRS, gguf, model, write


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def adopted(store, name="m", seed=0, **entry):
    content = model(seed=seed)
    file = write(store.folder.parent / f"incoming-{seed}", content)
    sha256 = hashlib.sha256(content).hexdigest()
    return store.adopt(ModelEntry(name, **entry), file, sha256=sha256, source="test", date="2026-01-02")


def files(store) -> set[str]:
    return {file.name for file in store.folder.glob("*.gguf")}


def test_an_adopted_file_is_moved_in_and_described(store):
    adopted(store, licence="Apache-2.0")
    content = model()
    sha256 = hashlib.sha256(content).hexdigest()
    info = store.info("m")
    assert store.path("m").read_bytes() == content
    assert store.path("m") == store.folder / f"{sha256}.gguf"
    assert (info.sha256, info.size, info.source, info.date) == (sha256, len(content), "test", "2026-01-02")
    assert (info.licence, info.context, info.chat_format, info.architecture) == ("Apache-2.0", 2048, "chatml", "llama")
    assert not (store.folder.parent / "incoming-0").exists()


def test_the_entry_goes_before_the_header(store):
    info = adopted(store, context=512, chat_format="gorilla")
    assert (info.context, info.chat_format) == (512, "gorilla")


def test_the_record_outlives_the_object_and_a_moved_folder(store):
    adopted(store)
    moved = store.folder.rename(store.folder.parent / "elsewhere")
    assert ModelStore(moved).path("m").parent == moved


def test_list_is_sorted_by_name(store):
    for seed, name in enumerate("bca"):
        adopted(store, name, seed)
    assert [each.name for each in store.list()] == ["a", "b", "c"]


def test_an_empty_store(store):
    assert store.list() == []
    for ask in (store.info, store.path, store.verify, store.remove):
        with pytest.raises(ModelMissing, match="the model m is not here") as raised:
            ask("m")
        assert raised.value.hint == "run: gorilla model pull m"


@pytest.mark.parametrize(
    ("content", "sha256", "size"),
    [
        (model(), "0" * 64, 0),
        (model(), hashlib.sha256(model()).hexdigest(), 5),
        (b"no model", hashlib.sha256(b"no model").hexdigest(), 0),
        (gguf(n_tensors=2), hashlib.sha256(gguf(n_tensors=2)).hexdigest(), 0),
    ],
    ids=["wrong hash", "wrong size", "no GGUF", "wrong header"],
)
def test_a_wrong_file_changes_nothing(store, tmp_path, content, sha256, size):
    old = adopted(store)
    file = write(tmp_path / "wrong", content)
    with pytest.raises(ModelDamaged):
        store.adopt(ModelEntry("m", size=size), file, sha256=sha256, source="test", date="")
    assert (store.list(), files(store)) == ([old], {old.path.name})
    assert file.read_bytes() == content


def test_a_new_file_for_a_name_replaces_the_old_one(store):
    adopted(store, seed=1)
    new = adopted(store, seed=2)
    assert store.path("m") == new.path
    assert files(store) == {new.path.name}


def test_one_file_under_two_names(store):
    first = adopted(store, "a")
    assert adopted(store, "b").path == first.path
    assert store.path("a") == store.path("b")
    assert store.remove("a") == 0
    assert store.path("b").exists()
    assert store.remove("b") == first.size
    assert files(store) == set()


def test_the_users_own_file_stays_where_it_is(store, tmp_path):
    own = write(tmp_path / "own.gguf", model())
    entry = ModelEntry(str(own), path=own)
    store.adopt(entry, own, sha256=digest(own), source="file", date="")
    assert store.path(entry.name) == own
    assert store.remove(entry.name) == 0
    assert own.exists()


def test_a_touched_file_is_damaged_until_verified(store):
    path = adopted(store).path
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelDamaged, match="changed after it was checked") as raised:
        store.path("m")
    assert raised.value.hint == "run: gorilla model pull m"
    store.verify("m")
    assert store.path("m") == path


@pytest.mark.parametrize("same_length", [True, False])
def test_changed_bytes_are_found(store, same_length):
    path = adopted(store).path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content if same_length else content[:-1])
    with pytest.raises(ModelDamaged):
        store.path("m")
    with pytest.raises(ModelDamaged):
        store.verify("m")


def test_verify_finds_bytes_changed_behind_an_unchanged_time(store):
    info = adopted(store)
    content = bytearray(info.path.read_bytes())
    content[-1] ^= 1
    info.path.write_bytes(content)
    os.utime(info.path, ns=(info.mtime_ns, info.mtime_ns))
    assert store.path("m") == info.path
    with pytest.raises(ModelDamaged, match="SHA-256"):
        store.verify("m")


def test_verify_reports_progress_in_bytes(store):
    size, seen = adopted(store).size, []
    store.verify("m", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (size, size)


def test_a_file_that_is_gone(store):
    adopted(store).path.unlink()
    for ask in (store.path, store.verify):
        with pytest.raises(ModelMissing, match="is gone"):
            ask("m")
    assert store.remove("m") == 0
    assert store.list() == []


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2, "models": {}}',
        '{"format": 1, "models": {"m": {}}}',
        '{"format": 1}',
        "\udcff",
    ],
)
def test_a_damaged_record_is_named(store, record):
    store.folder.mkdir()
    (store.folder / "models.json").write_bytes(record.encode("utf-8", "surrogateescape"))
    for ask in (store.list, lambda: store.info("m"), lambda: adopted(store)):
        with pytest.raises(StateError, match="models.json"):
            ask()


def test_a_record_cannot_point_out_of_the_folder(store, tmp_path):
    adopted(store)
    outside = write(tmp_path / "outside.gguf", model())
    record = json.loads((store.folder / "models.json").read_text())
    record["models"]["m"]["path"] = "../outside.gguf"
    (store.folder / "models.json").write_text(json.dumps(record))
    with pytest.raises(ModelMissing):
        store.path("m")
    store.remove("m")
    assert outside.exists()


def test_names_and_architectures_cannot_reach_the_terminal_raw(store, tmp_path):
    pairs = (("general.architecture", 8, "a\x1b[2J"), *PAIRS[1:])
    file = write(tmp_path / "m", gguf(pairs))
    store.adopt(ModelEntry("m"), file, sha256=digest(file), source="test", date="")
    assert store.info("m").architecture == "a\\x1b[2J"
    with pytest.raises(ModelMissing) as raised:
        store.info("\x1b")
    assert "\x1b" not in str(raised.value) + raised.value.hint


def test_adoptions_at_the_same_time_all_count(store):
    threads = [threading.Thread(target=adopted, args=(store, f"m{n}", n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.name for each in store.list()] == [f"m{n}" for n in range(8)]
    assert len(files(store)) == 8


def test_a_lock_is_waited_for_and_said(tmp_path):
    waiting, said, order = threading.Event(), [], []

    def second():
        with locked(tmp_path / "lock", lambda: (said.append("waiting"), waiting.set())):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        order.append("first")
    thread.join()
    assert (said, order) == (["waiting"], ["first", "second"])


def test_a_folder_that_cannot_be_made(tmp_path):
    blocked = write(tmp_path / "file", b"")
    with pytest.raises(StateError, match="cannot write"), locked(blocked / "models" / "lock"):
        pass
