"""`gorilla model`: with a tiny model file, so that nothing has to be downloaded."""

from __future__ import annotations

import json

import click
import pytest

from gorilla_cli.backends.catalogue import ModelEntry, entries
from gorilla_cli.backends.store import ModelStore, digest
from gorilla_cli.cli.model import model as group
from tests.command_line import Ended
from tests.gguf_files import gguf, model, write


@pytest.fixture(autouse=True)
def default_model(ready, monkeypatch):
    monkeypatch.delenv("GORILLA_MODEL")


@pytest.fixture
def own(tmp_path):
    """A model file of the person's own."""
    return write(tmp_path / "own.gguf", model())


@pytest.fixture
def pulled(ready, tmp_path):
    """A model of the catalogue, as if pulled."""
    file = write(tmp_path / "incoming", model(seed=1))
    entry = ModelEntry("smollm2-135m", licence="Apache-2.0")
    return ModelStore(ready / "data" / "models").adopt(
        entry, file, sha256=digest(file), source="test", date="2026-01-02"
    )


def rows(gorilla) -> dict[str, dict]:
    return {row["name"]: row for row in gorilla("model", "list", "--json").json}


def test_list_shows_the_catalogue_and_what_is_here(gorilla, pulled):
    found = rows(gorilla)
    assert list(found) == list(entries())
    assert {name for name, row in found.items() if row["here"]} == {"smollm2-135m"}
    assert {name for name, row in found.items() if row["used"]} == {"qwen2.5-coder-1.5b"}
    shown = gorilla("model", "list").out.splitlines()
    assert [line[:2] for line in shown].count("* ") == 1
    assert sum(" here " in line for line in shown) == 1
    assert all(entry.licence in line for entry, line in zip(entries().values(), shown, strict=True))


def test_an_encoder_is_listed_as_one_and_answers_nothing(gorilla):
    kinds = {name: row["kind"] for name, row in rows(gorilla).items()}
    assert kinds == {name: entry.kind for name, entry in entries().items()}
    encoders = {name for name, kind in kinds.items() if kind == "encoder"}
    assert "all-minilm-l6-v2" in encoders
    marked = [line for line in gorilla("model", "list").out.splitlines() if "(encoder: " in line]
    assert {line.split()[0] for line in marked} == encoders
    offered = [name for name in kinds if name not in encoders]
    context = click.Context(group)
    completed = next(param for param in group.commands["use"].params).shell_complete(context, "")
    assert [item.value for item in completed] == offered


def test_use_is_remembered(gorilla, pulled):
    assert gorilla("model", "use", "smollm2-135m") == Ended(0, "", "now using smollm2-135m\n")
    assert rows(gorilla)["smollm2-135m"]["used"]
    assert gorilla("config", "get", "model").out == "smollm2-135m\n"


def test_use_takes_a_file_of_your_own(gorilla, own, monkeypatch):
    monkeypatch.chdir(own.parent)
    assert gorilla("model", "use", "./own.gguf").code == 0
    assert gorilla("config", "get", "model").out == f"{own.resolve()}\n"
    row = rows(gorilla)[str(own.resolve())]
    assert (row["here"], row["used"], row["size"]) == (True, True, own.stat().st_size)


def test_info_tells_what_is_known(gorilla, pulled):
    found = json.loads(gorilla("model", "info", "smollm2-135m").out)
    assert found["name"] == "smollm2-135m"
    assert found["sha256"] == pulled.sha256
    assert found["path"] == str(pulled.path)
    assert found["licence"] == "Apache-2.0"


def test_info_verify_reads_the_whole_file_again(gorilla, pulled):
    assert gorilla("model", "info", "--verify", "smollm2-135m").code == 0
    content = bytearray(pulled.path.read_bytes())
    content[-1] ^= 1
    pulled.path.write_bytes(content)
    ended = gorilla("model", "info", "--verify", "smollm2-135m")
    assert (ended.code, ended.out) == (4, "")
    assert "SHA-256" in ended.err
    assert gorilla("model", "info", "smollm2-135m").code == 0


def test_remove_deletes_the_file_of_the_store(gorilla, pulled):
    ended = gorilla("model", "remove", "smollm2-135m")
    assert ended.code == 0
    assert ended.err.startswith("removed smollm2-135m")
    assert not pulled.path.exists()
    assert not rows(gorilla)["smollm2-135m"]["here"]


def test_remove_leaves_a_file_of_your_own_alone(gorilla, own, monkeypatch):
    monkeypatch.chdir(own.parent)
    gorilla("model", "use", "./own.gguf")
    assert gorilla("model", "remove", "./own.gguf").code == 0
    assert own.exists()
    assert str(own.resolve()) not in rows(gorilla)


def test_pull_of_what_is_on_this_machine(gorilla, own):
    assert gorilla("model", "pull", str(own)).code == 0
    assert rows(gorilla)[str(own)]["here"]


@pytest.mark.parametrize("command", [["model", "pull"], ["model", "use"], ["--print", "x", "--model"]])
def test_a_file_that_is_no_model_is_refused(gorilla, tmp_path, command):
    file = write(tmp_path / "bad.gguf", gguf(n_tensors=9))
    ended = gorilla(*command, str(file))
    assert (ended.code, ended.out) == (4, "")
    assert "is not a usable GGUF model" in ended.err
    assert file.exists()


def test_an_unknown_name_is_answered_with_near_ones(gorilla):
    ended = gorilla("model", "pull", "qwen-coder")
    assert ended.code == 2
    assert "did you mean qwen2.5-coder" in ended.err
