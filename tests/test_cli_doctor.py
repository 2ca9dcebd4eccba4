"""`gorilla doctor` and `gorilla setup`: what is told when parts are missing."""

from __future__ import annotations

from tests.gguf_files import model, write

PARTS = ["gorilla", "settings", "shell", "llama.cpp", "model", "answers", "sqlite", "index", "records"]
PARTS += ["manual", "parser", "disk"]


def test_doctor_tells_every_part_and_the_next_step(gorilla, ready, monkeypatch):
    monkeypatch.setenv("GORILLA_MODEL", "smollm2-135m")
    ended = gorilla("doctor", "--json")
    found = {check["part"]: check for check in ended.json}
    assert ended.code == 1
    assert list(found) == PARTS
    assert {part for part in PARTS if not found[part]["works"]} == {"model", "answers"}
    assert found["model"]["todo"] == "run: gorilla model pull smollm2-135m"
    shown = gorilla("doctor").out
    assert "FAIL model" in shown
    assert "-> run: gorilla model pull smollm2-135m" in shown


def test_doctor_survives_a_broken_part(gorilla, ready):
    (ready / "config" / "config.toml").mkdir(parents=True)
    (ready / "data" / "index.db").write_bytes(b"\xff" * 4096)
    ended = gorilla("doctor", "--json")
    found = {check["part"]: check["works"] for check in ended.json}
    assert ended.code == 1
    assert not found["settings"]
    assert not found["index"]
    assert found["sqlite"]
    assert found["parser"]


def test_setup_if_needed_does_nothing_when_all_is_there(gorilla, ready, tmp_path, monkeypatch):
    file = write(tmp_path / "own.gguf", model())
    gorilla("model", "pull", str(file))
    monkeypatch.setenv("GORILLA_MODEL", str(file))
    ended = gorilla("setup", "--if-needed")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_setup_of_an_unknown_model_changes_nothing(gorilla, ready):
    before = sorted(ready.rglob("*"))
    ended = gorilla("setup", "--model", "no-such-model")
    assert ended.code == 2
    assert "no model is called no-such-model" in ended.err
    assert sorted(ready.rglob("*")) == before
