"""`gorilla config`: reading, changing and editing the file of settings."""

from __future__ import annotations

from dataclasses import fields

import pytest

from gorilla_cli.config import Settings
from tests.command_line import Ended


def settings_file(home):
    return home / "config" / "config.toml"


def test_get_prints_one_or_all(gorilla, monkeypatch):
    monkeypatch.delenv("GORILLA_MODEL")
    assert gorilla("config", "get", "candidates") == Ended(0, "2\n", "")
    assert gorilla("config", "get", "background_index") == Ended(0, "off\n", "")
    shown = gorilla("config", "get").out.splitlines()
    assert [line.partition(" = ")[0] for line in shown] == [field.name for field in fields(Settings)]
    assert "model = qwen2.5-coder-1.5b" in shown


@pytest.mark.parametrize(
    ("key", "value", "shown"), [("candidates", "5", "5"), ("history", "no", "off"), ("temperature", "0.25", "0.25")]
)
def test_set_is_seen_by_the_next_run(gorilla, ready, key, value, shown):
    assert gorilla("config", "set", key, value) == Ended(0, "", "")
    assert gorilla("config", "get", key).out == f"{shown}\n"
    assert settings_file(ready).parent.stat().st_mode & 0o077 == 0


def test_set_keeps_comments(gorilla, ready):
    settings_file(ready).parent.mkdir()
    settings_file(ready).write_text("# mine\ncandidates = 2  # few\n")
    gorilla("config", "set", "candidates", "4")
    assert settings_file(ready).read_text() == "# mine\ncandidates = 4  # few\n"


@pytest.mark.parametrize(
    ("key", "value"), [("candidates", "0"), ("candidates", "x"), ("docs", "never"), ("shell", "tcsh"), ("nothing", "1")]
)
def test_a_wrong_setting_changes_nothing(gorilla, ready, key, value):
    ended = gorilla("config", "set", key, value)
    assert (ended.code, ended.out) == (2, "")
    assert not settings_file(ready).exists()


def test_the_environment_goes_before_the_file(gorilla, monkeypatch):
    gorilla("config", "set", "candidates", "5")
    monkeypatch.setenv("GORILLA_CANDIDATES", "3")
    assert gorilla("config", "get", "candidates").out == "3\n"
    assert len(gorilla("--json", "three of them").json["candidates"]) == 3


def test_path(gorilla, ready):
    assert gorilla("config", "path") == Ended(0, f"{settings_file(ready)}\n", "")


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An editor that appends a line to the file it is given."""

    def install(line, code=0):
        script = tmp_path / "editor"
        script.write_text(f'#!/bin/sh\necho {line!r} >> "$1"\nexit {code}\n')
        script.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(script))

    return install


def test_edit_opens_the_editor_and_checks_the_file(gorilla, ready, editor):
    editor("candidates = 6")
    assert gorilla("config", "edit").code == 0
    assert settings_file(ready).read_text().startswith("# Settings of gorilla")
    assert gorilla("config", "get", "candidates").out == "6\n"
    editor("candidates = 99")
    assert gorilla("config", "edit").code == 2


def test_edit_repairs_a_file_that_cannot_be_read(gorilla, ready, tmp_path, monkeypatch):
    settings_file(ready).parent.mkdir()
    settings_file(ready).write_text("candidates = [")
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\necho "candidates = 7" > "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    assert gorilla("config", "get").code == 2
    assert gorilla("config", "edit").code == 0
    assert gorilla("config", "get", "candidates").out == "7\n"


@pytest.mark.parametrize("command", ["exit", "missing"])
def test_an_editor_that_fails_is_told(gorilla, editor, monkeypatch, command):
    editor("", code=3) if command == "exit" else monkeypatch.setenv("EDITOR", "/nonexistent/editor")
    ended = gorilla("config", "edit")
    assert ended.code == 2
    assert ended.err.startswith("gorilla: ")
    assert "ditor" in ended.err
    assert "Traceback" not in ended.err
