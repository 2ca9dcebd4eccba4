"""Settings: where they come from, which win, what is refused, and how they are written."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import tomlkit

from gorilla_cli import config
from gorilla_cli.config import Paths, Settings
from gorilla_cli.errors import StateError, UsageError
from tests.unwritable import read_only_folder


@pytest.fixture
def where(tmp_path):
    return Paths(str(tmp_path / "home"))


@pytest.fixture
def written(where):
    def write(text: str | bytes) -> Paths:
        where.config_file.parent.mkdir(parents=True, exist_ok=True)
        where.config_file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return where

    return write


@pytest.fixture
def unwritable():
    with read_only_folder() as folder:
        yield folder


def test_without_a_file_the_defaults_count(where):
    assert config.load(where) == Settings()


def test_the_file_counts_over_the_defaults(written):
    loaded = config.load(written('model = "smollm2-135m"\ncandidates = 5\ntemperature = 0\nhistory = false\n'))
    assert loaded == Settings(model="smollm2-135m", candidates=5, temperature=0.0, history=False)
    assert isinstance(loaded.temperature, float)


def test_the_environment_counts_over_the_file(written, monkeypatch):
    monkeypatch.setenv("GORILLA_CANDIDATES", "2")
    monkeypatch.setenv("GORILLA_HISTORY", "off")
    monkeypatch.setenv("GORILLA_NO_SUCH_SETTING", "x")
    loaded = config.load(written('candidates = 5\ndocs = "off"\n'))
    assert loaded == Settings(candidates=2, docs="off", history=False)


def test_flags_count_over_the_environment(where, monkeypatch):
    monkeypatch.setenv("GORILLA_CANDIDATES", "2")
    assert config.load(where).with_values({"candidates": 7}, "--candidates").candidates == 7


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("candidates", 1, 1),
        ("candidates", "8", 8),
        ("threads", 0, 0),
        ("gpu_layers", -1, -1),
        ("context_window", 512, 512),
        ("max_tokens", "4096", 4096),
        ("temperature", 2, 2.0),
        ("temperature", "0.5", 0.5),
        ("docs", "off", "off"),
        ("shell", "", ""),
        ("shell", "fish", "fish"),
        ("model", "any name at all", "any name at all"),
        ("history", True, True),
        ("history", "YES", True),
        ("background_index", "off", False),
        ("background_index", "no", False),
    ],
)
def test_values_that_are_taken(key, value, expected):
    taken = getattr(Settings().with_values({key: value}, "test"), key)
    assert (taken, type(taken)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("candidates", 0),
        ("candidates", 9),
        ("candidates", "three"),
        ("candidates", 2.9),
        ("candidates", "2.0"),
        ("candidates", True),
        ("candidates", float("inf")),
        ("candidates", [3]),
        ("candidates", ""),
        ("threads", -1),
        ("gpu_layers", -2),
        ("context_window", 511),
        ("max_tokens", 4097),
        ("max_tokens", 10**30),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", "nan"),
        ("temperature", False),
        ("docs", "always"),
        ("docs", True),
        ("docs", {"mode": "on"}),
        ("shell", "powershell"),
        ("model", 5),
        ("model", ["a"]),
        ("model", {"name": "a"}),
        ("model", False),
        ("history", 1),
        ("history", "maybe"),
        ("history", None),
    ],
)
def test_values_that_are_refused(key, value):
    with pytest.raises(UsageError) as caught:
        Settings().with_values({key: value}, "the test")
    assert str(caught.value).startswith(f"the test: {key} cannot be ")
    assert "\n" not in str(caught.value)
    assert caught.value.hint.startswith("it is a ")


def test_an_unknown_key_is_refused_and_the_known_are_named():
    with pytest.raises(UsageError, match="the test: no setting is called 'modle'") as caught:
        Settings().with_values({"modle": "x"}, "the test")
    assert all(field.name in caught.value.hint for field in fields(Settings))


def test_hints_name_choices_and_ranges():
    for key, expected in (("docs", "'auto', 'on', 'off'"), ("candidates", "from 1 to 8")):
        with pytest.raises(UsageError) as caught:
            Settings().with_values({key: "?"}, "test")
        assert expected in caught.value.hint


def test_every_default_is_allowed():
    assert Settings().with_values(asdict(Settings()), "defaults") == Settings()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("candidates =", UsageError),
        ("candidates = 1\ncandidates = 2", UsageError),
        ("candidates = 99", UsageError),
        ("[model]\nname = 1", UsageError),
        ("[elsewhere]\nx = 1", UsageError),
        (b"model = '\xff\xfe'", StateError),
        (b"\x00", UsageError),
        ("candidates = " + "[" * 3000, UsageError),
    ],
)
def test_bad_files_are_named(written, text, kind):
    where = written(text)
    with pytest.raises(kind) as caught:
        config.load(where)
    assert str(where.config_file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_files_place(where):
    where.config_file.mkdir(parents=True)
    with pytest.raises(StateError, match="cannot read"):
        config.load(where)


def test_a_bad_environment_is_named(where, monkeypatch):
    monkeypatch.setenv("GORILLA_THREADS", "many")
    with pytest.raises(UsageError, match="^environment: threads cannot be 'many'"):
        config.load(where)


# store


@pytest.mark.parametrize(
    ("key", "word", "expected"),
    [
        ("candidates", "4", 4),
        ("history", "off", False),
        ("temperature", "0.25", 0.25),
        ("model", 'quote " and \\ and \n', 'quote " and \\ and \n'),
    ],
)
def test_store_writes_what_load_reads(where, key, word, expected):
    assert getattr(config.store(where, key, word), key) == expected
    assert getattr(config.load(where), key) == expected


def test_store_keeps_comments_and_other_settings(written):
    where = written("# mine\ncandidates = 5  # five\n\n# the model\nmodel = 'a'\n")
    config.store(where, "candidates", "2")
    assert where.config_file.read_text() == "# mine\ncandidates = 2  # five\n\n# the model\nmodel = 'a'\n"
    config.store(where, "docs", "off")
    assert where.config_file.read_text().startswith("# mine\ncandidates = 2  # five\n")
    assert config.load(where) == Settings(candidates=2, model="a", docs="off")


@pytest.mark.parametrize(("key", "word"), [("candidates", "99"), ("modle", "x"), ("docs", "")])
def test_store_refuses_before_it_writes(written, key, word):
    where = written("candidates = 5\n")
    with pytest.raises(UsageError, match="^config set: "):
        config.store(where, key, word)
    assert where.config_file.read_text() == "candidates = 5\n"


@pytest.mark.parametrize("text", ["candidates =", "a = 1\na = 2", b"\xff"])
def test_store_leaves_a_file_that_it_cannot_read(written, text):
    where = written(text)
    before = where.config_file.read_bytes()
    with pytest.raises(StateError) as caught:
        config.store(where, "candidates", "2")
    assert "\n" not in str(caught.value)
    assert where.config_file.read_bytes() == before


def test_the_environment_is_not_written_to_the_file(where, monkeypatch):
    monkeypatch.setenv("GORILLA_MODEL", "other")
    assert config.store(where, "candidates", "2").model == "other"
    assert tomlkit.parse(where.config_file.read_text()) == {"candidates": 2}


# write_text


def test_a_file_is_replaced_whole_and_its_folder_private(tmp_path):
    file = tmp_path / "new" / "config.toml"
    config.write_text(file, "one\n")
    config.write_text(file, "two\n")
    assert file.read_text() == "two\n"
    assert os.listdir(file.parent) == ["config.toml"]
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_read_only_folder_is_reported(unwritable):
    with pytest.raises(StateError, match="cannot write .*: Permission denied") as caught:
        config.write_text(unwritable / "config.toml", "x")
    assert "permissions" in caught.value.hint
    assert os.listdir(unwritable) == []


def test_a_file_in_the_folders_place_is_reported(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StateError, match="cannot write"):
        config.write_text(tmp_path / "home" / "config" / "config.toml", "x")


def test_text_that_is_no_text_leaves_the_old_file(tmp_path):
    file = tmp_path / "config.toml"
    config.write_text(file, "old")
    with pytest.raises(StateError, match="cannot write"):
        config.write_text(file, "\udc80")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["config.toml"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    config.write_text(file, "old")
    temporary = tmp_path / f".config.toml.{os.getpid()}.tmp"
    temporary.symlink_to("/dev/full")
    with pytest.raises(StateError, match="No space left on device"):
        config.write_text(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["config.toml"]


# places and the machine


def test_one_folder_for_everything(tmp_path, monkeypatch):
    monkeypatch.setenv("GORILLA_HOME", str(tmp_path))
    where = config.paths()
    places = (where.config_file, where.models, where.index, where.tldr, where.cache, where.history, where.state)
    assert [str(place.relative_to(tmp_path)) for place in places] == [
        "config/config.toml",
        "data/models",
        "data/index.db",
        "data/tldr.zip",
        "cache",
        "state/history.jsonl",
        "state",
    ]


def test_the_usual_folders_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("GORILLA_HOME", "")
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    where = config.paths()
    assert where.config_file == tmp_path / "CONFIG" / "gorilla" / "config.toml"
    assert where.models == tmp_path / "DATA" / "gorilla" / "models"
    assert where.cache == tmp_path / "CACHE" / "gorilla"
    assert where.history == tmp_path / "STATE" / "gorilla" / "history.jsonl"


def test_the_catalogue_is_there():
    assert list((config.catalogue_dir() / "catalogue").glob("*.toml"))


def test_the_configured_shell_counts():
    assert config.current_shell(Settings().with_values({"shell": "fish"}, "test")) == "fish"


def test_a_shell_is_always_found(monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/no-such-shell")
    assert config.current_shell(Settings()) in config.SHELLS


def test_the_machine():
    assert config.platform() in ("linux", "macos") or config.platform()
    assert 1 <= config.physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("login, expected", [("/bin/zsh", "zsh"), ("/usr/bin/fish", "fish")])
def test_a_parent_called_sh_is_not_what_the_person_types_into(monkeypatch, login, expected):
    """make runs its lines with sh: the set-up must warm up the prefix of the person's own shell."""
    program = "from gorilla_cli import config; print(config.current_shell(config.Settings()))"
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}; true"
    ended = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"SHELL": login, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == expected
